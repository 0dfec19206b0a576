/**
 * A list and watch of one resource that comes back as client-go's reflector does, and that checks what every controller
 * relies on: revisions do not go back, neither along the stream nor over reconnections, nor for any single object.
 *
 * Coming back (client-go tools/cache/reflector.go): the first list is at resourceVersion=0; a watch that ends is taken up at
 * the last revision seen; an expired one (410) leads to a list at the last revision, and if that is refused, to a consistent
 * one (no resourceVersion). What is broken in these rules is kept in `violations` and never thrown.
 */
import { sleep } from '../lab/wait.ts';
import { type KubeClient, KubeError, type KubeList, type KubeObject, type WatchEvent } from './kube-client.ts';

const retryMs = 200;
const watchTimeoutSeconds = 300;
const violationsMax = 20;

export interface InformerOptions {
  readonly client: KubeClient;
  /** The path of the collection. */
  readonly path: string;
  readonly fieldSelector?: string;
  /** Called for each object of a list and each event; DELETED with the last state. */
  readonly onObject?: (object: KubeObject, isDeleted: boolean) => void;
}

export class Informer {
  readonly path: string;
  readonly violations: string[] = [];
  readonly #client: KubeClient;
  readonly #selector: string;
  readonly #onObject: (object: KubeObject, isDeleted: boolean) => void;
  readonly #abort: AbortController = new AbortController();
  /** By namespace/name. */
  readonly #objects: Map<string, KubeObject> = new Map();
  #running: Promise<void> = Promise.resolve();
  /** The newest revision seen; 0 before the first list. */
  #revision = 0;
  #eventCount = 0;
  #listCount = 0;
  #watchCount = 0;

  constructor({ client, path, fieldSelector, onObject }: InformerOptions) {
    this.#client = client;
    this.path = path;
    this.#selector = fieldSelector === undefined ? '' : `&fieldSelector=${encodeURIComponent(fieldSelector)}`;
    this.#onObject = onObject ?? ((): void => {});
  }

  get counts(): string {
    return `${this.#eventCount} events, ${this.#listCount} lists, ${this.#watchCount} watches`;
  }

  get revision(): number {
    return this.#revision;
  }

  get listCount(): number {
    return this.#listCount;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  /** Revision by namespace/name of what the informer believes to exist. */
  snapshot(): Map<string, string> {
    return new Map([...this.#objects].map(([key, object]) => [key, object.metadata.resourceVersion]));
  }

  async #run(): Promise<void> {
    let from: string | undefined = '0';
    while (!this.#abort.signal.aborted) {
      try {
        await this.#listAt(from);
        await this.#watchOn();
        from = String(this.#revision);
      } catch (error) {
        // 410: the revision is compacted. 504 with a revision asked for: the store knows of no such revision yet.
        const isRefused = error instanceof KubeError && (error.status === 410 || error.status === 504);
        from = isRefused ? undefined : String(this.#revision);
        if (!this.#abort.signal.aborted) await sleep(retryMs);
      }
    }
  }

  async #listAt(revision: string | undefined): Promise<void> {
    const query = revision === undefined ? '' : `resourceVersion=${revision}`;
    const list: KubeList = await this.#client.list(`${this.path}?${query}${this.#selector}`);
    this.#listCount++;
    const listRevision = Number(list.metadata.resourceVersion);
    if (listRevision < this.#revision) this.#violate(`list at ${listRevision} after ${this.#revision}`);
    const before = new Map(this.#objects);
    this.#objects.clear();
    for (const object of list.items) {
      const revisionOfObject = Number(object.metadata.resourceVersion);
      if (revisionOfObject > listRevision) this.#violate(`object at ${revisionOfObject} in a list at ${listRevision}`);
      this.#checkObject(object, before.get(keyOf(object)));
      this.#objects.set(keyOf(object), object);
      this.#onObject(object, false);
    }
    for (const [key, object] of before) if (!this.#objects.has(key)) this.#onObject(object, true);
    this.#revision = Math.max(this.#revision, listRevision);
  }

  /** Watches again and again until the revision is refused, which throws or returns. */
  async #watchOn(): Promise<void> {
    while (!this.#abort.signal.aborted) {
      const query = `watch=true&allowWatchBookmarks=true&timeoutSeconds=${watchTimeoutSeconds}&resourceVersion=${this.#revision}`;
      try {
        for await (const event of this.#client.watch(`${this.path}?${query}${this.#selector}`, this.#abort.signal)) {
          if (event.type === 'ERROR' && event.object.code === 410) return;
          if (event.type === 'ERROR') break;
          this.#eventCount++;
          this.#apply(event);
        }
      } catch (error) {
        if (error instanceof KubeError && error.status === 410) return;
        // The API server or the store is away: the same watch again, as long as it takes.
      }
      this.#watchCount++;
      if (!this.#abort.signal.aborted) await sleep(retryMs);
    }
  }

  #apply(event: Exclude<WatchEvent, { type: 'ERROR' }>): void {
    const revision = Number(event.object.metadata.resourceVersion);
    // Equal ones are no violation: a store lease that expires takes all its keys at one revision (Events share leases).
    if (revision < this.#revision) this.#violate(`${event.type} at ${revision} after ${this.#revision}`);
    this.#revision = Math.max(this.#revision, revision);
    if (event.type === 'BOOKMARK') return;
    const key = keyOf(event.object);
    const known = this.#objects.get(key);
    this.#checkObject(event.object, known);
    if (known?.metadata.resourceVersion === event.object.metadata.resourceVersion)
      this.#violate(`${key} twice at ${revision}`);
    // An event of the wrong kind means that another one was lost.
    if (event.type === 'ADDED' && known !== undefined) this.#violate(`ADDED ${key}, which is known`);
    if (event.type !== 'ADDED' && known === undefined) this.#violate(`${event.type} ${key}, which is not known`);
    if (event.type === 'DELETED') this.#objects.delete(key);
    else this.#objects.set(key, event.object);
    this.#onObject(event.object, event.type === 'DELETED');
  }

  #checkObject(object: KubeObject, known: KubeObject | undefined): void {
    if (known === undefined || known.metadata.uid !== object.metadata.uid) return;
    if (Number(object.metadata.resourceVersion) >= Number(known.metadata.resourceVersion)) return;
    this.#violate(`${keyOf(object)} at ${object.metadata.resourceVersion} after ${known.metadata.resourceVersion}`);
  }

  #violate(what: string): void {
    if (this.violations.length < violationsMax) this.violations.push(`${this.path}: ${what}`);
  }
}

export function keyOf(object: KubeObject): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name}`;
}
