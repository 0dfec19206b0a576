// One simulated life of a server, from a seed: clients work, time passes, and things break - power, process, disk, network -
// until the end, when everything heals, everybody reads, and the history is judged. Nothing here depends on anything but
// the seed: the trace of two runs is the same.

import { createHash } from 'node:crypto';
import { EtcdClient } from '../../src/client/etcd-client.ts';
import { DurabilityMap } from '../../src/etcd/durability.ts';
import type { Server } from '../../src/etcd/server.ts';
import { SimulatedClock } from '../../src/testing/clock.ts';
import { SimulatedDisk } from '../../src/testing/disk.ts';
import type { Violation } from '../../src/testing/history.ts';
import { SimulatedNetwork } from '../../src/testing/network.ts';
import { SimulatedProcess } from '../../src/testing/process.ts';
import { Random } from '../../src/testing/random.ts';
import { CompatClient } from '../compat/compat-client.ts';
import { NO_NOTICES, openOn } from '../compat/server-fixture.ts';
import { HistoryRecorder } from '../history/recorder.ts';
import { RecordingClient } from '../history/recording-client.ts';
import { RecordingWatch } from '../history/recording-watch.ts';
import { judge } from './judgement.ts';
import { Workload } from './workload.ts';

export interface SimulationResult {
  readonly violations: readonly Violation[];
  /** Of everything that the clients saw and the disk was asked for. */
  readonly traceHash: string;
  readonly counts: SimulationCounts;
}

export interface SimulationCounts {
  calls: number;
  unknown: number;
  events: number;
  powerCuts: number;
  kills: number;
  cleanEnds: number;
  /** Starts during which the process or the power ended. */
  endedStarts: number;
  diskErrors: number;
  snapshots: number;
  stalls: number;
  cutConnections: number;
  /** Restarts after which the revision had jumped. */
  jumps: number;
  /** Keys whose search for an order was given up. */
  undecided: number;
}

/** How a server's life ended. */
export interface ServerEnd {
  readonly ms: number;
  readonly kind: 'power' | 'kill' | 'clean';
}

const PORT = 2379;
const ENDPOINT = `http://127.0.0.1:${PORT}`;
const FOLDER = '/data';
const LIVES_MAX = 5;
const LIFE_MS_MAX = 1500;
const SETTLE_MS_MAX = 60_000;
const CALL_MS_MAX = 3000;
const YEAR_MS: number = 365 * 86_400_000;

export async function simulate(seed: number): Promise<SimulationResult> {
  return new Simulation(seed).run();
}

class Simulation {
  readonly #random: Random;
  readonly #clock = new SimulatedClock();
  readonly #disk: SimulatedDisk;
  readonly #network: SimulatedNetwork;
  readonly #recorder: HistoryRecorder;
  readonly #workload: Workload;
  readonly #durability: DurabilityMap;
  readonly #isMixed: boolean;
  readonly #trace = createHash('sha256');
  readonly #ends: ServerEnd[] = [];
  readonly #violations: Violation[] = [];
  readonly #clients: RecordingClient[] = [];
  readonly #connections: { close(): void }[] = [];
  readonly #watches: RecordingWatch[] = [];
  #witness: RecordingWatch | undefined;
  #process: SimulatedProcess;
  #server: Server | undefined;
  #hasFatal = false;
  #isStopping = false;
  #busy = 0;
  readonly #thinkMsMax: number;
  /** Small, so that segments and snapshots come and go. */
  readonly #sizes: { segmentBytesMax: number; snapshots: { logBytesMin: number; logShare: number } };
  readonly counts: SimulationCounts = {
    calls: 0,
    unknown: 0,
    events: 0,
    powerCuts: 0,
    kills: 0,
    cleanEnds: 0,
    endedStarts: 0,
    diskErrors: 0,
    snapshots: 0,
    stalls: 0,
    cutConnections: 0,
    jumps: 0,
    undecided: 0,
  };

  constructor(seed: number) {
    const random = new Random(seed);
    const clock = this.#clock;
    this.#random = random;
    this.#disk = new SimulatedDisk({
      clock,
      random,
      latencyMsMax: random.pick([0.2, 2, 15]),
      directBlock: random.pick([0, 512, 4096]),
    });
    this.#disk.onOperation = (operation, path) => this.#trace.update(`${clock.nowMs()} ${operation} ${path}\n`);
    this.#network = new SimulatedNetwork({
      clock,
      random,
      latencyMsMax: random.pick([0.5, 3, 20]),
      bandwidthBytesPerMs: random.pick([1_000_000, 2_000]),
      chunkBytesMax: random.pick([16_384, 100]),
    });
    this.#process = new SimulatedProcess(clock, this.#network);
    this.#recorder = new HistoryRecorder(clock);
    this.#isMixed = random.chance(0.4);
    const rules = [
      { prefix: Buffer.from('b/'), durability: 'buffered' as const },
      { prefix: Buffer.from('n/'), durability: 'none' as const },
    ];
    this.#durability = new DurabilityMap('fsync', this.#isMixed ? rules : []);
    this.#thinkMsMax = random.pick([2, 10, 40]);
    this.#sizes = {
      segmentBytesMax: random.pick([5_000, 50_000]),
      snapshots: { logBytesMin: random.pick([2_000, 20_000, 1_000_000]), logShare: random.pick([0.1, 1]) },
    };
    this.#workload = new Workload({
      random,
      prefixes: this.#isMixed ? random.pick([['f/', 'b/', 'n/'], ['b/'], ['b/', 'n/']]) : ['f/'],
      keysPerPrefix: random.between(1, 5),
      hasLeases: !this.#isMixed,
      compactableRevision: () => (this.#witness?.nextRevision ?? 0) - 1,
    });
  }

  async run(): Promise<SimulationResult> {
    await this.#start();
    this.#openWitness();
    for (let id = this.#random.between(2, 5); id > 0; id--) this.#openClient(id);
    for (let lives = this.#random.between(1, LIVES_MAX); lives > 0; lives--) {
      await this.#live();
      await this.#end();
      await this.#clock.pass(this.#random.between(0, 300));
      await this.#start();
    }
    await this.#settle();
    this.#judge();
    return { violations: this.#violations, traceHash: this.#trace.digest('hex'), counts: this.counts };
  }

  /** Some starts do not come to their end. */
  async #start(): Promise<void> {
    while (this.#random.chance(0.15)) {
      const start = this.#open();
      start.catch(() => {});
      await this.#clock.pass(this.#random.fraction() * 30);
      this.#die(this.#random.pick(['power', 'kill']));
      this.counts.endedStarts++;
    }
    this.#server = await this.#clock.runUntil(this.#open());
  }

  #open(): Promise<Server> {
    const { network, clock } = this.#process;
    const surroundings = { disk: this.#disk, network, clock, folder: FOLDER, random: this.#random };
    this.#hasFatal = false;
    return openOn(surroundings, {
      durability: this.#durability,
      listen: [{ host: '127.0.0.1', port: PORT }],
      progressIntervalMs: 300,
      ...this.#sizes,
      notices: {
        ...NO_NOTICES,
        onSnapshotDamaged: (error) => {
          this.#violations.push({ promise: 'snapshots', text: error.message });
        },
        onSnapshotTaken: () => {
          this.counts.snapshots++;
        },
      },
      onFatal: (error) => {
        this.#hasFatal = true;
        if (this.counts.diskErrors === 0) throw error;
      },
    });
  }

  #connect(): EtcdClient {
    const client = new EtcdClient({
      network: this.#network,
      clock: this.#clock,
      endpoints: [ENDPOINT],
      timeoutMs: CALL_MS_MAX,
      random: () => this.#random.fraction(),
    });
    this.#connections.push(client);
    return client;
  }

  #openClient(id: number): void {
    const client = new RecordingClient(id, this.#connect(), this.#recorder);
    this.#clients.push(client);
    this.#follow(this.#work(client));
  }

  /** Calls one after the other, with a pause between. */
  async #work(client: RecordingClient): Promise<void> {
    while (!this.#isStopping) {
      const outcome = await client.perform(this.#workload.next());
      if (outcome.kind === 'answered') {
        const { result, revision } = outcome;
        const read =
          result.kind === 'txn' ? result.results.flatMap((one) => (one.kind === 'range' ? one.pairs : [])) : [];
        this.#workload.learn(revision, result.kind === 'range' ? result.pairs : read);
      }
      await this.#sleep(this.#random.fraction() * this.#thinkMsMax);
    }
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.#clock.setTimer(ms, resolve));
  }

  /** A background task: its end is waited for, its failure is ours. */
  #follow(task: Promise<void>): void {
    this.#busy++;
    task.then(
      () => {
        this.#busy--;
      },
      (error: unknown) => {
        this.#busy--;
        this.#violations.push({ promise: 'simulation', text: String(error) });
      },
    );
  }

  /** Watches everything from the first revision to the last; where its revisions are gone it reads everything. */
  #openWitness(): void {
    const reader = new RecordingClient(0, this.#connect(), this.#recorder);
    const everything = this.#workload.everything;
    this.#witness = this.#openWatch({
      ...everything,
      startRevision: 1,
      wantsPrevious: this.#random.chance(0.5),
      skipsPuts: false,
      skipsDeletes: false,
      onCompacted: async () => {
        for (;;) {
          const outcome = await reader.perform({ kind: 'range', ...everything, revision: 0 });
          if (outcome.kind === 'answered' && outcome.result.kind === 'range') {
            const { at, revision, result } = outcome;
            this.#recorder.jumps.push({ at, revision, pairs: result.pairs });
            this.counts.jumps++;
            return revision + 1;
          }
          await this.#sleep(50);
        }
      },
    });
  }

  #openWatch(
    options: Omit<ConstructorParameters<typeof RecordingWatch>[0], 'client' | 'allowsFragments'>,
  ): RecordingWatch {
    const connection = new CompatClient({ network: this.#network, clock: this.#clock, endpoint: ENDPOINT });
    this.#connections.push(connection);
    const allowsFragments = this.#random.chance(0.3);
    const client = this.#watches.length;
    const watch = new RecordingWatch({ ...options, client, allowsFragments }, connection, this.#clock, this.#recorder);
    this.#watches.push(watch);
    this.#follow(watch.ended);
    return watch;
  }

  #openSomeWatch(): void {
    const random = this.#random;
    const next = this.#witness?.nextRevision ?? 1;
    this.#openWatch({
      ...this.#workload.watched(),
      startRevision: random.chance(0.4) ? 0 : Math.max(1, next - random.between(0, 30)),
      wantsPrevious: random.chance(0.5),
      skipsPuts: random.chance(0.1),
      skipsDeletes: random.chance(0.1),
      onCompacted: async () => undefined,
    });
  }

  /** Load and lesser faults until the server's end. */
  async #live(): Promise<void> {
    const random = this.#random;
    const endMs = this.#clock.nowMs() + random.between(20, LIFE_MS_MAX);
    while (this.#clock.nowMs() < endMs && !this.#hasFatal) {
      await this.#clock.pass(random.between(5, 200));
      const kind = random.fraction();
      if (kind < 0.15) this.#openSomeWatch();
      else if (kind < 0.25) random.pick(this.#watches).requestProgress();
      else if (kind < 0.35) this.#stall();
      else if (kind < 0.45) this.#cutConnection();
      else if (kind < 0.5) random.pick(this.#watches).drop();
      else if (kind < 0.53) this.#failDisk();
      else if (kind < 0.56) this.#clock.stepWall(random.between(-YEAR_MS, YEAR_MS));
    }
  }

  #stall(): void {
    const operation = this.#random.pick(['write', 'writeDurable', 'datasync'] as const);
    const delayMs = this.#random.between(10, 1200);
    const pathPart = this.#random.pick(['.wal', '.wal', '.snap']);
    this.#disk.faults.push({ operation, pathPart, times: this.#random.between(1, 3), delayMs });
    this.counts.stalls++;
  }

  #cutConnection(): void {
    const streams = this.#process.streams;
    if (streams.length === 0) return;
    const stream = this.#random.pick(streams);
    if (this.#random.chance(0.7)) stream.cut();
    else {
      stream.halfOpen();
      // As long as it takes until somebody notices.
      this.#clock.setTimer(this.#random.between(50, 2000), () => stream.cut());
    }
    this.counts.cutConnections++;
  }

  #failDisk(): void {
    const operation = this.#random.pick(['write', 'writeDurable', 'writeDurable', 'datasync'] as const);
    const pathPart = this.#random.pick(['.wal', '.wal', '.wal', '.snap']);
    this.#disk.faults.push({ operation, pathPart, times: 1, code: 'EIO' });
    this.counts.diskErrors++;
  }

  async #end(): Promise<void> {
    const random = this.#random;
    this.#disk.faults.length = 0;
    // After a failed sync too: what the page cache still shows is not on the disk, and the machine knows no more of it.
    const kind = this.#hasFatal || random.chance(0.5) ? 'power' : random.pick(['kill', 'kill', 'clean'] as const);
    if (kind === 'clean') {
      await this.#clock.runUntil(this.#server?.close() ?? Promise.resolve());
      this.counts.cleanEnds++;
    } else if (kind === 'kill') this.counts.kills++;
    else this.counts.powerCuts++;
    this.#die(kind);
  }

  #die(kind: ServerEnd['kind']): void {
    const random = this.#random;
    const process = this.#process;
    process.end(kind === 'power' && random.chance(0.5));
    if (kind === 'kill') this.#disk.kill();
    else if (kind === 'power') {
      this.#disk.crash();
      this.#clock.setTimer(random.between(300, 1500), () => process.resetPeers());
    }
    this.#ends.push({ ms: this.#clock.nowMs(), kind });
    this.#process = new SimulatedProcess(this.#clock, this.#network);
  }

  /** Everything heals; the last calls end; the witness sees the last revision; leases run out. */
  async #settle(): Promise<void> {
    this.#isStopping = true;
    await this.#clock.pass(2 * CALL_MS_MAX);
    // No lease of the workload lives longer, and a restart renewed them all.
    await this.#clock.pass(12_000);
    const reader = new RecordingClient(0, this.#connect(), this.#recorder);
    const last = await this.#clock.runUntil(
      reader.perform({ kind: 'range', ...this.#workload.everything, revision: 0 }),
    );
    if (last.kind !== 'answered' || last.result.kind !== 'range') {
      this.#violations.push({ promise: 'available', text: 'a healthy server does not answer' });
      return;
    }
    const leased = last.result.pairs.filter(({ lease }) => lease !== 0n);
    if (leased.length > 0)
      this.#violations.push({ promise: 'leases-end', text: `${leased[0].key} outlives its lease` });
    const untilMs = this.#clock.nowMs() + SETTLE_MS_MAX;
    while ((this.#witness?.nextRevision ?? 0) <= last.revision && this.#clock.nowMs() < untilMs) {
      this.#witness?.requestProgress();
      await this.#clock.pass(500);
    }
    if ((this.#witness?.nextRevision ?? 0) <= last.revision) {
      this.#violations.push({ promise: 'reliable', text: `the witness does not get to revision ${last.revision}` });
    }
    for (const watch of this.#watches) watch.stop();
    await this.#clock.pass(1000);
    for (const connection of this.#connections) connection.close();
    await this.#clock.runUntil(this.#server?.close() ?? Promise.resolve());
    await this.#clock.pass(10_000);
    if (this.#busy > 0) this.#violations.push({ promise: 'simulation', text: `${this.#busy} tasks do not end` });
  }

  #judge(): void {
    const { calls, watches } = this.#recorder;
    const { violations, undecided } = judge(this.#recorder, this.#ends, this.#isMixed);
    this.#violations.push(...violations);
    this.counts.undecided = undecided;
    this.counts.calls = calls.length;
    this.counts.unknown = calls.filter(({ outcome }) => outcome.kind === 'unknown').length;
    for (const { responses } of watches) {
      for (const response of responses) if (response.kind === 'events') this.counts.events += response.events.length;
    }
    const plain = (_name: string, value: unknown): unknown => (typeof value === 'bigint' ? `${value}` : value);
    this.#trace.update(JSON.stringify([calls, watches, this.#ends], plain));
  }
}
