// One server under a load: its keys made, connections opened, measured in one or more rounds, cleaned up.

import { errorText } from '../base/error-text.ts';
import { RefusedError } from '../base/refused-error.ts';
import type { Endpoint } from '../client/endpoint.ts';
import { EtcdClient } from '../client/etcd-client.ts';
import { type Clock, pause, type Timer } from '../io/clock.ts';
import type { Network } from '../io/network.ts';
import type { ProcessUsage } from '../io/process-usage.ts';
import type { BenchOptions } from './bench-options.ts';
import { ConnectionPool } from './connection-pool.ts';
import { flowResult, type RunResult, type WatchResult } from './run-result.ts';
import { makeScenario } from './scenario.ts';
import type { Scenario } from './scenario-parts.ts';
import { parseMetrics, type ServerMetrics } from './server-metrics.ts';
import { type WatchCounts, WatchFleet } from './watch-fleet.ts';

const OPEN_LOOP_TICK_MS = 1;
/** How long requests in flight, and events, are waited for at the end of a round. */
const DRAIN_MS_MAX = 5_000;
const DRAIN_TICK_MS = 10;
/** Readings of the metrics beforehand: the first ones take tens of milliseconds, which would be missing in the schedule of an open loop. */
const READINGS_BEFORE = 5;

/** What a run needs of the outside world. */
export interface BenchWorld {
  readonly network: Network;
  readonly clock: Clock;
  /** CPU time of this process so far, and how long its main thread waited for a core. */
  readonly usage: () => Pick<ProcessUsage, 'cpuSeconds' | 'coreWaitSeconds'>;
  /** The body of GET url over HTTP/1.1; rejects when there is none. */
  readonly fetchText: (url: string) => Promise<string>;
  /** Set: rounds end early. */
  readonly signal: AbortSignal;
}

export class BenchSubject {
  readonly #world: BenchWorld;
  readonly #options: BenchOptions;
  readonly #endpoint: Endpoint;
  readonly #scenario: Scenario;
  readonly #client: EtcdClient;
  readonly #pool: ConnectionPool;
  readonly #fleet: WatchFleet | undefined;
  readonly #timers = new Set<Timer>();
  #isRunning = false;
  /** Keys may be there. */
  #hasBegun = false;
  #tasksFailed = 0;

  constructor(world: BenchWorld, options: BenchOptions, endpoint: Endpoint) {
    const { network, clock } = world;
    this.#world = world;
    this.#options = options;
    this.#endpoint = endpoint;
    this.#scenario = makeScenario(options, Math.floor(clock.wallMs() / 1000));
    this.#client = new EtcdClient({ network, clock, endpoints: [endpoint.authority] });
    this.#pool = new ConnectionPool(network, clock, endpoint);
    this.#fleet = this.#scenario.watch === undefined ? undefined : new WatchFleet(this.#scenario.watch, clock);
  }

  get name(): string {
    return this.#endpoint.authority;
  }

  /** Requests that ended since the measurement of the round began. */
  get requests(): number {
    let requests = 0;
    for (const { flow } of this.#scenario.flows) requests += flow.requests;
    return requests;
  }

  /** Rejects with RefusedError where the server cannot be reached, or allows too little; with its StatusError where it makes no keys. */
  async setup(): Promise<void> {
    await this.#pool.open(this.#options.connections).catch((error: unknown) => {
      throw new RefusedError(`cannot reach the server: ${errorText(error)}`);
    });
    this.#hasBegun = true;
    let inFlight = 0;
    for (const { flow, inFlightPerConnection } of this.#scenario.flows) {
      inFlight += inFlightPerConnection;
      await flow.load.setup(this.#client);
      for (const connection of this.#pool.connections) flow.addSlots(connection, inFlightPerConnection);
    }
    const streamsMax = this.#pool.connections[0].h2.peerStreamsMax;
    if (inFlight > streamsMax) {
      throw new RefusedError(
        `${this.name} allows ${streamsMax} streams on a connection, not ${inFlight}: see --in-flight`,
      );
    }
    for (let i = 0; i < READINGS_BEFORE; i++) await this.#metrics();
    if (this.#fleet === undefined) return;
    const { header } = await this.#client.range({ key: Buffer.from('health') });
    await this.#fleet.open(this.#world.network, this.#endpoint, (header?.revision ?? 0) + 1);
  }

  /** One round: warm-up, measurement, and the end of what is in flight. */
  async measure(): Promise<RunResult> {
    const { clock, usage } = this.#world;
    this.#start();
    await this.#wait(this.#options.warmupSeconds * 1000);
    const before = await this.#metrics();
    for (const { flow } of this.#scenario.flows) flow.reset();
    this.#fleet?.reset();
    const startMs = clock.nowMs();
    const startUsage = usage();
    await this.#wait(this.#options.durationSeconds * 1000);
    const after = await this.#metrics();
    const seconds = (clock.nowMs() - startMs) / 1000;
    const endUsage = usage();
    const generatorMicros = (endUsage.cpuSeconds - startUsage.cpuSeconds) * 1e6;
    const flows = this.#scenario.flows.map(({ flow }) => flowResult(flow, seconds));
    const requests = this.requests;
    const watchLatencies = this.#watchLatencies(seconds);
    await this.#stop();
    const serverMicros = numberOrNull((after.cpuSeconds - before.cpuSeconds) * 1e6);
    return {
      endpoint: this.name,
      load: this.#options.load,
      seconds,
      requests,
      requestsPerSecond: requests / seconds,
      flows,
      watch:
        watchLatencies === null || this.#fleet === undefined ? null : { ...watchLatencies, ...this.#fleet.counts() },
      serverCpuMicrosPerRequest: serverMicros === null ? null : numberOrNull(serverMicros / requests),
      serverCpuCores: serverMicros === null ? null : serverMicros / 1e6 / seconds,
      serverCoreWaitShare: numberOrNull((after.coreWaitSeconds - before.coreWaitSeconds) / seconds),
      serverResidentBytes: numberOrNull(after.residentBytes),
      generatorCpuMicrosPerRequest: generatorMicros / Math.max(1, requests),
      generatorCpuCores: generatorMicros / 1e6 / seconds,
      generatorCoreWaitShare: (endUsage.coreWaitSeconds - startUsage.coreWaitSeconds) / seconds,
      connectionsLost: this.#pool.lost,
      tasksFailed: this.#tasksFailed,
    };
  }

  /** Ends all connections, and deletes the keys unless they are to be kept; rejects with RefusedError where that fails. */
  async close(): Promise<void> {
    for (const { flow } of this.#scenario.flows) flow.stop();
    this.#fleet?.close();
    this.#pool.close();
    try {
      if (this.#hasBegun && !this.#options.keepsKeys) await this.#scenario.remove(this.#client);
    } catch (error) {
      throw new RefusedError(`the keys are still at ${this.name}: ${errorText(error)}`);
    } finally {
      this.#client.close();
    }
  }

  #start(): void {
    this.#isRunning = true;
    const nowMs = this.#pool.clock.nowMs();
    for (const { flow } of this.#scenario.flows) flow.start(nowMs);
    this.#pool.flush();
    if (this.#scenario.flows.some(({ flow }) => flow.isOpenLoop)) this.#every(OPEN_LOOP_TICK_MS, () => this.#tick());
    const progressMs = this.#scenario.watch?.progressEveryMs ?? 0;
    if (progressMs > 0) this.#every(progressMs, () => this.#fleet?.requestProgress());
    for (const task of this.#scenario.tasks) {
      this.#every(task.everyMs, () => {
        task.run(this.#client).catch(() => this.#tasksFailed++);
      });
    }
  }

  #tick(): void {
    const nowMs = this.#pool.clock.nowMs();
    for (const { flow } of this.#scenario.flows) flow.tick(nowMs);
    this.#pool.flush();
  }

  async #stop(): Promise<void> {
    this.#isRunning = false;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    for (const { flow } of this.#scenario.flows) flow.stop();
    const { clock } = this.#world;
    const untilMs = clock.nowMs() + DRAIN_MS_MAX;
    const isQuiet = (): boolean =>
      this.#scenario.flows.every(({ flow }) => flow.inFlight === 0) && this.#fleet?.isCaughtUp !== false;
    while (!isQuiet() && clock.nowMs() < untilMs) await pause(clock, DRAIN_TICK_MS);
  }

  #watchLatencies(seconds: number): Omit<WatchResult, keyof WatchCounts> | null {
    const fleet = this.#fleet;
    if (fleet === undefined) return null;
    return {
      events: fleet.events,
      eventsPerSecond: fleet.events / seconds,
      latency: fleet.latency.percentiles(),
      progress: fleet.progress.percentiles(),
    };
  }

  async #metrics(): Promise<ServerMetrics> {
    try {
      return parseMetrics(await this.#world.fetchText(`http://${this.name}/metrics`));
    } catch {
      // A server without metrics is measured all the same.
      return parseMetrics('');
    }
  }

  #every(ms: number, callback: () => void): void {
    const { clock } = this.#world;
    const again = (): void => {
      const timer = clock.setTimer(ms, () => {
        this.#timers.delete(timer);
        if (!this.#isRunning) return;
        callback();
        again();
      });
      this.#timers.add(timer);
    };
    again();
  }

  /** Resolves after `ms`, or when the run is aborted. */
  async #wait(ms: number): Promise<void> {
    const { clock, signal } = this.#world;
    if (signal.aborted || ms <= 0) return;
    await new Promise<void>((resolve) => {
      const timer = clock.setTimer(ms, resolve);
      signal.addEventListener('abort', () => {
        timer.cancel();
        resolve();
      });
    });
  }
}

function numberOrNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
