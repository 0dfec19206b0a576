/**
 * What goes wrong, one thing after the other from the seed: the scheduler that leads, the other, both, the API server and the store
 * are killed, or stand still and go on; the one that leads ends in order; and each of these amid a burst of bindings. After each the
 * parts are there again, and nothing else is waited for.
 */

import { readFileSync } from 'node:fs';
import type { Random } from '../../src/testing/random.ts';
import type { ControlPlane } from '../kubernetes/control-plane.ts';
import type { KubeClient } from '../kubernetes/kube-client.ts';
import type { Child } from '../lab/child.ts';
import type { StoreServer } from '../lab/subject.ts';
import { sleep, until } from '../lab/wait.ts';
import type { ChaosWorkload } from './workload.ts';

const leasePath = '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-scheduler';
/** Short, so that leaders change often: another one leads 2 s after the one before must have ended. */
const schedulerArgs: readonly string[] = [
  '--secure-port=0',
  '--leader-elect-lease-duration=5s',
  '--leader-elect-renew-deadline=3s',
  '--leader-elect-retry-period=1s',
];
const names: readonly string[] = ['k1m-schedule-a', 'k1m-schedule-b'];
const quietMsMax = 1_000;
const stillMsMax = 8_000;
const serverStillMsMax = 4_000;
const burstPods = 30;
const serverReadyMsMax = 60_000;
const superviseEveryMs = 150;
const deeds = [
  'leader killed',
  'leader stopped',
  'leader stopped',
  'leader ended',
  'other killed',
  'other stopped',
  'both killed',
  'both stopped',
  'API server killed',
  'API server stopped',
  'store killed',
  'store stopped',
] as const;

export interface DisturbanceOptions {
  readonly plane: ControlPlane;
  readonly client: KubeClient;
  readonly store: StoreServer;
  readonly workload: ChaosWorkload;
  readonly random: Random;
}

export class Disturbance {
  readonly #options: DisturbanceOptions;
  readonly #counts = new Map<string, number>();
  readonly #schedulers = new Map<string, Child>();
  readonly #leaders = new Set<string>();
  #isOver = false;
  #supervision: Promise<void> = Promise.resolve();

  constructor(options: DisturbanceOptions) {
    this.#options = options;
  }

  get counts(): string {
    const parts = [...this.#counts].sort().map(([deed, count]) => `${count} ${deed}`);
    return `${parts.join(', ')}; ${this.#leaders.size} leaders seen`;
  }

  /** Starts the schedulers, and again whenever one has ended. */
  start(): void {
    this.#supervision = this.#supervise();
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#supervision;
  }

  async disturb(): Promise<void> {
    const { random, workload } = this.#options;
    await sleep(random.between(0, quietMsMax));
    const deed = random.pick(deeds);
    const isBurst = random.chance(0.5);
    if (isBurst) {
      void workload.burst(burstPods);
      await sleep(random.between(10, 150));
    }
    const title = isBurst ? `${deed} amid a burst` : deed;
    this.#counts.set(title, (this.#counts.get(title) ?? 0) + 1);
    if (deed.startsWith('API server')) await this.#disturbApiServer(deed);
    else if (deed.startsWith('store')) await this.#disturbStore(deed);
    else await this.#disturbSchedulers(deed);
  }

  async #disturbSchedulers(deed: string): Promise<void> {
    const leader = await this.#leader();
    const chosen = names.filter((name) => deed.startsWith('both') || (name === leader) === deed.startsWith('leader'));
    const children = chosen.flatMap((name) => this.#schedulers.get(name) ?? []);
    if (deed.endsWith('killed')) for (const child of children) child.signal('SIGKILL');
    else if (deed.endsWith('ended')) for (const child of children) child.signal('SIGTERM');
    else await this.#standStill(stillMsMax, (signal) => children.map((child) => child.signal(signal)));
  }

  async #disturbApiServer(deed: string): Promise<void> {
    const { plane } = this.#options;
    if (deed.endsWith('stopped')) {
      await this.#standStill(serverStillMsMax, (signal) => plane.signalApiServer(signal));
      return;
    }
    await plane.stopApiServer('SIGKILL');
    await plane.startApiServer();
  }

  async #disturbStore(deed: string): Promise<void> {
    const { store, client } = this.#options;
    if (deed.endsWith('stopped')) {
      await this.#standStill(serverStillMsMax, (signal) => store.signal(signal));
      return;
    }
    await store.stop('SIGKILL');
    await store.start();
    await until('the API server to have the store again', { timeoutMs: serverReadyMsMax }, async () => {
      return (await client.send<string>('GET', '/readyz')) === 'ok' || 'not ok';
    });
  }

  async #standStill(msMax: number, signal: (signal: 'SIGSTOP' | 'SIGCONT') => unknown): Promise<void> {
    signal('SIGSTOP');
    await sleep(this.#options.random.between(100, msMax));
    signal('SIGCONT');
  }

  /** By the identity in the lease and in its log; the first one where nobody can be asked. */
  async #leader(): Promise<string> {
    const lease = await this.#options.client.get(leasePath).catch(() => undefined);
    const identity = lease?.spec?.holderIdentity ?? '';
    if (identity === '') return names[0];
    this.#leaders.add(identity);
    return (
      names.find((name) => readFileSync(this.#schedulers.get(name)?.logPath ?? '', 'utf8').includes(identity)) ??
      names[0]
    );
  }

  async #supervise(): Promise<void> {
    while (!this.#isOver) {
      for (const name of names) {
        if (this.#schedulers.get(name)?.isRunning === true) continue;
        this.#schedulers.set(name, this.#options.plane.startK1mScheduler(name, schedulerArgs));
      }
      await sleep(superviseEveryMs);
    }
  }
}
