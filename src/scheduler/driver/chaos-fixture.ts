// A run of two schedulers with leader election from a seed: pods and nodes come, change and go, requests and watches meet trouble, and the
// schedulers are stopped and continued, killed, and ended in order, also while bindings are on their way. Then all heals, room is
// made for everything, and the history is judged (src/testing/placement-checker.ts).

import type { Clock } from '../../io/clock.ts';
import { isObject } from '../../kube-api/object-head.ts';
import { SimulatedClock } from '../../testing/clock.ts';
import { checkPlacements, type PlacementCounts, type PlacementViolation } from '../../testing/placement-checker.ts';
import type { PlacementChange } from '../../testing/placement-history.ts';
import {
  drawPod,
  HOST_KEY,
  NODE_STATES,
  type NodeState,
  nodeSpec,
  ZONE_KEY,
  ZONES,
} from '../../testing/placement-workload.ts';
import { Random } from '../../testing/random.ts';
import { StallingClock } from '../../testing/stalling-clock.ts';
import { DEFAULT_PROFILE } from '../model/scheduler-profile.ts';
import { LedScheduler } from './led-scheduler.ts';
import type { ShardedKernel } from './scheduler-options.ts';
import { SimulatedClient, SimulatedCluster } from './simulated-cluster-fixture.ts';

const LEASE = { namespace: 'kube-system', name: 'kube-scheduler' };
const LEASE_MS = 15_000;
const RENEW_MS = 10_000;
const RETRY_MS = 2000;
const STEPS_MAX = 120;
const NODES = 6;
/** So many more make room for whatever can be placed at all. */
const NODES_AT_THE_END = 60;
const SMALL = { cpu: '4', memory: '8Gi', pods: '8' };
const ROOMY = { cpu: '64', memory: '64Gi', pods: '110' };
const HEALING_MS = 150_000;
/** Each binding tells what it was decided upon: nothing is granted beyond. */
const NO_LAG = { nodeLagMs: 0, podLagMs: 0, knownFrom: 0 };

export interface ChaosResult {
  readonly changes: readonly PlacementChange[];
  readonly violations: readonly PlacementViolation[];
  readonly counts: PlacementCounts;
  readonly leaders: number;
  /** Pods that were not bound in the end. */
  readonly waiting: readonly string[];
}

/** Shards that the schedulers use. */
export interface ChaosShards {
  /** For a scheduler whose process has that clock. */
  open(clock: Clock): (onAnswered: () => void) => ShardedKernel;
  /** Something happens to them. */
  disturb(): void;
}

export async function simulateChaos(
  seed: number,
  shardsOf?: (clock: SimulatedClock, random: Random) => ChaosShards,
): Promise<ChaosResult> {
  const chaos = new Chaos(seed, shardsOf);
  await chaos.run();
  return chaos.judge();
}

/** One life of a scheduler. */
class Process {
  readonly clock: StallingClock;
  readonly #client: SimulatedClient;
  readonly #led: LedScheduler;
  isOver = false;

  constructor(chaos: Chaos, identity: string) {
    const { random, cluster } = chaos;
    this.clock = new StallingClock(chaos.clock);
    const { clock } = this;
    this.#client = new SimulatedClient({
      cluster,
      clock: chaos.clock,
      own: clock,
      random,
      trouble: () => chaos.trouble,
    });
    const { api } = this.#client;
    const nothing = (): void => {};
    this.#led = new LedScheduler({
      election: {
        api,
        clock,
        lease: LEASE,
        identity,
        leaseDurationMs: LEASE_MS,
        renewDeadlineMs: RENEW_MS,
        retryPeriodMs: RETRY_MS,
        onLeading: () => chaos.leaders++,
        onLost: () => this.kill(),
        onProblem: nothing,
      },
      scheduler: {
        api,
        clock,
        profiles: [DEFAULT_PROFILE],
        openShards: chaos.shards?.open(clock),
        instance: identity,
        notices: { onProblem: nothing, onSynced: nothing, onBindingFailed: nothing, onPreemptionFailed: nothing },
      },
    });
    this.#led.start();
  }

  kill(): void {
    this.clock.end();
    this.#client.close();
    this.isOver = true;
  }

  async end(): Promise<void> {
    await this.#led.close();
    this.kill();
  }
}

class Chaos {
  readonly random: Random;
  readonly clock = new SimulatedClock();
  readonly cluster = new SimulatedCluster(this.clock);
  trouble: number;
  leaders = 0;
  readonly shards: ChaosShards | undefined;
  readonly #nodes = new Map<string, NodeState | 'away'>();
  readonly #processes: (Process | undefined)[] = [undefined, undefined];
  #pods = 0;
  #lives = 0;

  constructor(seed: number, shardsOf: Parameters<typeof simulateChaos>[1]) {
    this.random = new Random(seed);
    this.trouble = this.random.pick([0, 0.3, 1]);
    this.shards = shardsOf?.(this.clock, this.random);
  }

  async run(): Promise<void> {
    for (let i = 0; i < NODES; i++) this.#setNode(`node-${i}`, 'open');
    this.#revive();
    const steps = this.random.between(20, STEPS_MAX);
    for (let i = 0; i < steps; i++) {
      this.#step();
      await this.clock.pass(this.random.chance(0.1) ? this.random.between(0, 20_000) : this.random.between(0, 300));
      this.#revive();
    }
    await this.#heal();
  }

  judge(): ChaosResult {
    const { changes } = this.cluster;
    const { violations, counts } = checkPlacements(changes, NO_LAG);
    const waiting = [...this.cluster.stateAt('pods', this.cluster.revision)]
      .filter(([, { spec, metadata }]) => {
        const isTerminating = isObject(metadata) && metadata.deletionTimestamp !== undefined;
        return isObject(spec) && spec.nodeName === undefined && !isTerminating;
      })
      .map(([name]) => name);
    return { changes, violations, counts, leaders: this.leaders, waiting };
  }

  #step(): void {
    const { random } = this;
    this.shards?.disturb();
    const draw = random.fraction();
    if (draw < 0.5) for (let i = random.between(1, 8); i > 0; i--) this.#createPod();
    else if (draw < 0.7) for (let i = random.between(1, 6); i > 0; i--) this.#deletePod();
    else if (draw < 0.82) this.#changeNode();
    else this.#disturb(random.pick(this.#processes));
  }

  #createPod(): void {
    const name = `pod-${this.#pods++}`;
    const { labels, spec, priority } = drawPod(this.random);
    const metadata = { namespace: 'default', name, uid: `uid-${name}`, labels };
    this.cluster.write('pods', name, { metadata, spec: { schedulerName: 'default-scheduler', ...spec, priority } });
  }

  #deletePod(): void {
    const [name, object] = this.random.pick([
      ...this.cluster.stateAt('pods', this.cluster.revision),
      ['', {}] as const,
    ]);
    if (name === '') return;
    const metadata = isObject(object.metadata) ? object.metadata : {};
    const isGone = metadata.deletionTimestamp !== undefined || this.random.chance(0.5);
    const dying = { ...object, metadata: { ...metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } };
    this.cluster.write('pods', name, isGone ? undefined : dying);
  }

  /** The first node of each zone stays as it is. */
  #changeNode(): void {
    const names = [...this.#nodes.keys()].slice(ZONES.length);
    const name = this.random.pick(names);
    if (this.#nodes.get(name) !== 'away' && this.random.chance(0.3)) {
      this.#nodes.set(name, 'away');
      this.cluster.write('nodes', name, undefined);
    } else this.#setNode(name, this.random.pick(NODE_STATES));
  }

  #setNode(name: string, state: NodeState): void {
    const index = Number(name.slice('node-'.length));
    const zone = ZONES[index % ZONES.length];
    const isRoomy = index >= NODES;
    this.#nodes.set(name, state);
    this.cluster.write('nodes', name, {
      metadata: { name, uid: `uid-${name}`, labels: { [HOST_KEY]: name, [ZONE_KEY]: zone } },
      spec: nodeSpec(state),
      status: { allocatable: isRoomy ? ROOMY : SMALL },
    });
  }

  #disturb(process: Process | undefined): void {
    if (process === undefined || process.isOver) return;
    const how = process.clock.isStopped ? 'continue' : this.random.pick(['stop', 'stop', 'kill', 'end'] as const);
    if (how === 'continue') process.clock.continue();
    else if (how === 'stop') process.clock.stop();
    else if (how === 'kill') process.kill();
    else void process.end();
  }

  #revive(): void {
    for (const [index, process] of this.#processes.entries()) {
      if (process === undefined || process.isOver) this.#processes[index] = new Process(this, `life-${this.#lives++}`);
      else if (process.clock.isStopped && this.random.chance(0.1)) process.clock.continue();
    }
  }

  async #heal(): Promise<void> {
    this.trouble = 0;
    for (const process of this.#processes) if (process?.clock.isStopped) process.clock.continue();
    for (let i = 0; i < NODES_AT_THE_END; i++) this.#setNode(`node-${i}`, 'open');
    // Kubelets end what is to end: pods may wait for the room.
    for (const [name, { metadata }] of this.cluster.stateAt('pods', this.cluster.revision)) {
      if (isObject(metadata) && metadata.deletionTimestamp !== undefined) this.cluster.write('pods', name, undefined);
    }
    for (let passed = 0; passed < HEALING_MS; passed += LEASE_MS) {
      await this.clock.pass(LEASE_MS);
      this.#revive();
    }
    for (const process of this.#processes) process?.kill();
  }
}
