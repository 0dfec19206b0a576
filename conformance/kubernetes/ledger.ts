/**
 * A writer that goes on over every restart and remembers what was acknowledged: one ConfigMap after another, each under a new
 * name. Whatever was acknowledged must be there afterwards, unchanged, and revisions must grow in the order of the answers.
 */
import { sleep } from '../lab/wait.ts';
import type { KubeClient } from './kube-client.ts';

const writeEveryMs = 25;
const retryMs = 100;

export class Ledger {
  readonly #client: KubeClient;
  readonly #path: string;
  /** Resource version by name, in the order of the answers. */
  readonly #acknowledged: Map<string, string> = new Map();
  #isStopped = false;
  #running: Promise<void> = Promise.resolve();
  #failedCount = 0;
  #lastMs = 0;

  constructor(client: KubeClient, namespace: string) {
    this.#client = client;
    this.#path = `/api/v1/namespaces/${namespace}/configmaps`;
  }

  get counts(): string {
    return `${this.#acknowledged.size} writes acknowledged, ${this.#failedCount} failed`;
  }

  /** When the last write was acknowledged. */
  get lastMs(): number {
    return this.#lastMs;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    for (let index = 0; !this.#isStopped; index++) {
      const name = `ledger-${index}`;
      const metadata = { name, labels: { part: 'ledger' } };
      try {
        const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { index: String(index) } };
        const object = await this.#client.create(this.#path, body);
        this.#acknowledged.set(name, object.metadata.resourceVersion);
        this.#lastMs = Date.now();
        await sleep(writeEveryMs);
      } catch {
        // Nobody knows whether this one was written, so it is left out.
        this.#failedCount++;
        await sleep(retryMs);
      }
    }
  }

  /** Throws unless everything acknowledged is there as it was answered. */
  async check(): Promise<void> {
    const acknowledged = [...this.#acknowledged];
    const { items } = await this.#client.list(`${this.#path}?labelSelector=part%3Dledger`);
    const found = new Map(items.map(({ metadata }) => [metadata.name, metadata.resourceVersion]));
    const lost = acknowledged.filter(([name, revision]) => found.get(name) !== revision);
    if (lost.length > 0) throw new Error(`acknowledged and lost or changed: ${lost.map(([name]) => name).join(', ')}`);
    for (let index = 1; index < acknowledged.length; index++) {
      const [earlier, later] = [acknowledged[index - 1], acknowledged[index]];
      if (Number(later[1]) <= Number(earlier[1])) throw new Error(`${later} was answered after ${earlier}`);
    }
  }

  /** Deletes all it wrote, acknowledged or not. */
  async clear(): Promise<void> {
    await this.#client.delete(`${this.#path}?labelSelector=part%3Dledger`);
  }
}
