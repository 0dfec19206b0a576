/**
 * What goes wrong, one thing after the other from the seed: the scheduler that leads, the other, both, the shards, the API server and the store
 * are killed, or stand still and go on; the one that leads ends in order; and each of these amid a burst of bindings, or while the store
 * stands still and bindings are on their way to it. After each all parts are there again, and pods must have been bound before the next.
 */

import { readFileSync } from 'node:fs';
import type { Random } from '../../src/testing/random.ts';
import type { ControlPlane } from '../kubernetes/control-plane.ts';
import type { KubeClient } from '../kubernetes/kube-client.ts';
import type { Child } from '../lab/child.ts';
import type { StoreServer } from '../lab/subject.ts';
import { sleep, until } from '../lab/wait.ts';
import type { Witness } from './witness.ts';
import type { ChaosWorkload } from './workload.ts';

const leasePath = '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-scheduler';
/**
 * Seconds of a Lease. With a short one leaders change often; with a long one a leader outlives the API server and learns what became of its
 * bindings. Another one leads 2 s after the one before must have ended.
 */
const leaseSeconds: readonly number[] = [5, 20];
const leaseGapSeconds = 2;
const names: readonly string[] = ['k1m-schedule-a', 'k1m-schedule-b'];
const quietMsMax = 1_000;
const stillMsMax = 8_000;
const serverStillMsMax = 4_000;
const burstPods = 40;
const boundMsMax = 60_000;
const boundBetween = 5;
const serverReadyMsMax = 60_000;
const superviseEveryMs = 150;
/** A shard that says nothing is given up after 3 s. */
const shardStillMsMax = 6_000;
const shardNames: readonly string[] = ['shard-0', 'shard-1'];
const deeds = [
  'a shard killed',
  'a shard stopped',
  'both shards killed',
  'leader and shards killed',
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
  'leader killed while the store stands still',
  'leader stopped while the store stands still',
  'API server killed while the store stands still',
] as const;
type Deed = (typeof deeds)[number];

export interface DisturbanceOptions {
  readonly plane: ControlPlane;
  readonly client: KubeClient;
  readonly store: StoreServer;
  readonly workload: ChaosWorkload;
  readonly witness: Witness;
  readonly random: Random;
  /** One for each shard. */
  readonly shardPorts: readonly number[];
}

export const SHARD_COUNT: number = shardNames.length;

export class Disturbance {
  readonly #options: DisturbanceOptions;
  readonly #counts = new Map<string, number>();
  readonly #schedulers = new Map<string, Child>();
  readonly #schedulerArgs: readonly string[];
  readonly #shards = new Map<string, Child>();
  readonly #shardPorts: readonly number[];
  #isOver = false;
  #supervision: Promise<void> = Promise.resolve();

  constructor(options: DisturbanceOptions) {
    this.#options = options;
    this.#shardPorts = options.shardPorts;
    const seconds = options.random.pick(leaseSeconds);
    this.#schedulerArgs = [
      ...options.plane.shardArgs(options.shardPorts),
      '--secure-port=0',
      `--leader-elect-lease-duration=${seconds}s`,
      `--leader-elect-renew-deadline=${seconds - leaseGapSeconds}s`,
      '--leader-elect-retry-period=1s',
    ];
  }

  /** Whether the schedulers ever had all their shards: else their kills prove nothing. */
  get hadShards(): boolean {
    return names.some((name) => this.#logOf(name).includes('"msg":"all shards are up"'));
  }

  get counts(): string {
    const parts = [...this.#counts].sort().map(([deed, count]) => `${count} ${deed}`);
    const logs = names.map((name) => this.#logOf(name)).join('');
    const texts = [
      /"msg":"leading"/g,
      /the binding was not answered/g,
      /"msg":"all shards are up"/g,
      /"msg":"shard lost/g,
    ];
    const [leading, unanswered, whole, lost] = texts.map((text) => logs.match(text)?.length ?? 0);
    return `${parts.join(', ')}; ${leading} times one began to lead, ${unanswered} bindings were not answered; all shards were up ${whole} times, one was lost ${lost} times`;
  }

  /** Starts schedulers and shards, and again whenever one has ended. */
  start(): void {
    this.#supervision = this.#supervise();
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#supervision;
  }

  async disturb(): Promise<void> {
    const { random, workload } = this.#options;
    await this.#somePodsBound();
    await sleep(random.between(0, quietMsMax));
    const deed = random.pick(deeds);
    const leader = await this.#leader();
    const isBurst = deed.includes('while') || random.chance(0.5);
    if (isBurst) {
      void workload.burst(burstPods);
      await sleep(random.between(10, 300));
    }
    const title = isBurst && !deed.includes('while') ? `${deed} amid a burst` : deed;
    this.#counts.set(title, (this.#counts.get(title) ?? 0) + 1);
    await this.#do(deed, leader);
  }

  /** Somebody leads, then, and its bindings arrive. */
  async #somePodsBound(): Promise<void> {
    const { witness } = this.#options;
    const before = witness.boundCount;
    await until('pods to be bound', { timeoutMs: boundMsMax, everyMs: 20 }, () => {
      return witness.boundCount >= before + boundBetween || `${witness.boundCount} after ${before}`;
    });
  }

  async #do(deed: Deed, leader: string): Promise<void> {
    const { plane, store, random } = this.#options;
    const leading = this.#schedulersNamed((name) => name === leader);
    const others = this.#schedulersNamed((name) => name !== leader);
    const shards = [...this.#shards.values()];
    switch (deed) {
      case 'a shard killed':
        return signalAll([random.pick(shards)], 'SIGKILL');
      case 'a shard stopped': {
        const one = random.pick(shards);
        return this.#standStill(shardStillMsMax, (signal) => one.signal(signal));
      }
      case 'both shards killed':
        return signalAll(shards, 'SIGKILL');
      case 'leader and shards killed':
        return signalAll([...leading, ...shards], 'SIGKILL');
      case 'leader killed':
        return signalAll(leading, 'SIGKILL');
      case 'leader ended':
        return signalAll(leading, 'SIGTERM');
      case 'leader stopped':
        return this.#standStill(stillMsMax, (signal) => signalAll(leading, signal));
      case 'other killed':
        return signalAll(others, 'SIGKILL');
      case 'other stopped':
        return this.#standStill(stillMsMax, (signal) => signalAll(others, signal));
      case 'both killed':
        return signalAll([...leading, ...others], 'SIGKILL');
      case 'both stopped':
        return this.#standStill(stillMsMax, (signal) => signalAll([...leading, ...others], signal));
      case 'API server killed':
        await plane.stopApiServer('SIGKILL');
        return plane.startApiServer();
      case 'API server stopped':
        return this.#standStill(serverStillMsMax, (signal) => plane.signalApiServer(signal));
      case 'store killed':
        await store.stop('SIGKILL');
        await store.start();
        return this.#apiServerIsReady();
      case 'store stopped':
        return this.#standStill(serverStillMsMax, (signal) => store.signal(signal));
      case 'leader killed while the store stands still':
        return this.#meanwhile(async () => signalAll(leading, 'SIGKILL'));
      case 'leader stopped while the store stands still':
        await this.#meanwhile(async () => signalAll(leading, 'SIGSTOP'));
        await sleep(this.#options.random.between(0, stillMsMax));
        return signalAll(leading, 'SIGCONT');
      case 'API server killed while the store stands still':
        await this.#meanwhile(() => plane.stopApiServer('SIGKILL'));
        return plane.startApiServer();
    }
  }

  /** What was sent to the store before is carried out after. */
  async #meanwhile(act: () => Promise<void>): Promise<void> {
    const { store, random } = this.#options;
    store.signal('SIGSTOP');
    await sleep(random.between(0, 300));
    await act();
    await sleep(random.between(0, serverStillMsMax));
    store.signal('SIGCONT');
  }

  async #apiServerIsReady(): Promise<void> {
    const { client } = this.#options;
    await until('the API server to have the store again', { timeoutMs: serverReadyMsMax }, async () => {
      return (await client.send<string>('GET', '/readyz')) === 'ok' || 'not ok';
    });
  }

  #schedulersNamed(isMeant: (name: string) => boolean): readonly Child[] {
    return names.filter(isMeant).flatMap((name) => this.#schedulers.get(name) ?? []);
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
    return names.find((name) => this.#logOf(name).includes(identity)) ?? names[0];
  }

  /** Of all its lives. */
  #logOf(name: string): string {
    const path = this.#schedulers.get(name)?.logPath;
    return path === undefined ? '' : readFileSync(path, 'utf8');
  }

  async #supervise(): Promise<void> {
    const { plane } = this.#options;
    while (!this.#isOver) {
      for (const [index, name] of shardNames.entries()) {
        if (this.#shards.get(name)?.isRunning === true) continue;
        this.#shards.set(name, plane.startShard(name, this.#shardPorts[index]));
      }
      for (const name of names) {
        if (this.#schedulers.get(name)?.isRunning === true) continue;
        this.#schedulers.set(name, plane.startK1mScheduler(name, this.#schedulerArgs));
      }
      await sleep(superviseEveryMs);
    }
  }
}

function signalAll(children: readonly Child[], signal: NodeJS.Signals): void {
  for (const child of children) child.signal(signal);
}
