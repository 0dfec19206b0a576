// One data folder, one history, many deaths of the real server: killed under load, stopped and continued, ended by failpoints
// around every durable step. After each restart everything is read; at the end the whole history is judged.

import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { EtcdClient } from '../../src/client/etcd-client.ts';
import { RealClock } from '../../src/io/clock.ts';
import { TcpNetwork } from '../../src/io/tcp-network.ts';
import type { Violation } from '../../src/testing/history.ts';
import type { Random } from '../../src/testing/random.ts';
import { CompatClient } from '../compat/compat-client.ts';
import { HistoryRecorder } from '../history/recorder.ts';
import { RecordingClient } from '../history/recording-client.ts';
import { RecordingWatch } from '../history/recording-watch.ts';
import { judge } from '../sim/judgement.ts';
import { Workload } from '../sim/workload.ts';
import { ServedProcess } from './served-process.ts';

export interface KillRoundOptions {
  readonly random: Random;
  /** Where the data folder is made. */
  readonly parent: string;
  readonly port: number;
  readonly deaths: number;
}

export interface KillRoundResult {
  readonly violations: readonly Violation[];
  /** Deaths by kind, calls by outcome, and so on. */
  readonly counts: Readonly<Record<string, number>>;
}

const CLIENTS = 8;
const CALL_MS_MAX = 3000;
/** So that deaths fall on snapshots and trims too. */
const FREQUENT_SNAPSHOTS = ['--snapshot-log-bytes', '300000', '--snapshot-log-percent', '10'];
const LIFE_MS_MIN = 20;
const LIFE_MS_MAX = 250;

/** Steps that every write takes are met by chance, so that some of them come to their end. */
const FREQUENT_STEPS = ['durable-write', 'durable-write', 'durable-write', 'write', 'sync'];
const RARE_STEPS = ['create', 'rename', 'remove', 'sync-folder', 'truncate'];

type Death = 'kill' | 'stop' | 'failpoint' | 'term';

export class KillRound {
  readonly #options: KillRoundOptions;
  readonly #clock = new RealClock();
  readonly #recorder = new HistoryRecorder(this.#clock);
  readonly #workload: Workload;
  readonly #watches: RecordingWatch[] = [];
  readonly #counts: Record<string, number> = {};
  readonly #violations: Violation[] = [];
  #streams: CompatClient | undefined;
  #witness: RecordingWatch | undefined;

  constructor(options: KillRoundOptions) {
    this.#options = options;
    this.#workload = new Workload({
      random: options.random,
      prefixes: ['f/'],
      keysPerPrefix: 30,
      hasLeases: true,
      compactableRevision: () => (this.#witness?.nextRevision ?? 0) - 1,
    });
  }

  async run(): Promise<KillRoundResult> {
    const folder = mkdtempSync(join(this.#options.parent, 'k1m-kill-'));
    try {
      let { deaths } = this.#options;
      while (deaths > 0) if (await this.#life(folder)) deaths--;
      await this.#lastLife(folder);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    this.#judge();
    return { violations: this.#violations, counts: this.#counts };
  }

  #count(name: string, count = 1): void {
    this.#counts[name] = (this.#counts[name] ?? 0) + count;
  }

  /** True when the server served, and died. */
  async #life(folder: string): Promise<boolean> {
    const { random, port } = this.#options;
    const death = this.#drawDeath();
    const failpoints = death === 'failpoint' ? drawFailpoint(random) : '';
    const served = new ServedProcess({ folder, port, failpoints, flags: FREQUENT_SNAPSHOTS });
    if (!(await served.ready())) {
      this.#count('ends before the server served');
      return false;
    }
    const { clients, workers } = await this.#work(served);
    await sleep(random.between(LIFE_MS_MIN, LIFE_MS_MAX));
    await this.#die(served, death);
    for (const client of clients) client.close();
    await Promise.all(workers);
    return true;
  }

  #drawDeath(): Death {
    const kind = this.#options.random.fraction();
    if (kind < 0.5) return 'kill';
    if (kind < 0.65) return 'stop';
    return kind < 0.97 ? 'failpoint' : 'term';
  }

  async #die(served: ServedProcess, death: Death): Promise<void> {
    const { random } = this.#options;
    if (death === 'stop') {
      served.signal('SIGSTOP');
      await sleep(random.between(10, 150));
      served.signal('SIGCONT');
      await sleep(random.between(0, 50));
    }
    if (death === 'term') served.signal('SIGTERM');
    const hasFailed = death === 'failpoint' && (await served.gone(200));
    if (hasFailed) this.#count('deaths by failpoint');
    else if (death === 'term') this.#count('orderly ends');
    else this.#count(death === 'stop' ? 'deaths by kill -9 after SIGSTOP and SIGCONT' : 'deaths by kill -9');
    if (death !== 'term') served.signal('SIGKILL');
    if (await served.gone(10_000)) return;
    served.signal('SIGKILL');
    this.#violations.push({ promise: 'ends', text: 'the server does not end on SIGTERM' });
    await served.gone(10_000);
  }

  /** Clients at work until the server is gone; first of all everything is read. */
  async #work(served: ServedProcess): Promise<{ clients: { close(): void }[]; workers: Promise<void>[] }> {
    const { port, random } = this.#options;
    const common = { network: new TcpNetwork(), clock: this.#clock };
    const endpoint = `http://127.0.0.1:${port}`;
    const streams = new CompatClient({ ...common, endpoint });
    this.#streams = streams;
    const clients: { close(): void }[] = [streams];
    const connect = (): EtcdClient => {
      const client = new EtcdClient({ ...common, endpoints: [endpoint], timeoutMs: CALL_MS_MAX });
      clients.push(client);
      return client;
    };
    await new RecordingClient(0, connect(), this.#recorder).perform({
      kind: 'range',
      ...this.#workload.everything,
      revision: 0,
    });
    this.#witness ??= this.#openWatch(1, true);
    if (random.chance(0.5)) this.#openWatch(Math.max(1, this.#witness.nextRevision - random.between(0, 100)), false);
    const workers = Array.from({ length: CLIENTS }, async (_, index) => {
      const client = new RecordingClient(index + 1, connect(), this.#recorder);
      while (!served.isOver) {
        const outcome = await client.perform(this.#workload.next());
        if (outcome.kind === 'unknown') return;
        if (outcome.kind === 'answered' && outcome.result.kind === 'range') {
          this.#workload.learn(outcome.revision, outcome.result.pairs);
        }
      }
    });
    return { clients, workers };
  }

  #openWatch(startRevision: number, isWitness: boolean): RecordingWatch {
    const { random } = this.#options;
    const watch = new RecordingWatch(
      {
        client: this.#watches.length,
        ...(isWitness ? this.#workload.everything : this.#workload.watched()),
        startRevision,
        wantsPrevious: random.chance(0.5),
        skipsPuts: false,
        skipsDeletes: !isWitness && random.chance(0.2),
        allowsFragments: random.chance(0.3),
        onCompacted: async () => undefined,
      },
      // The connection of the server's present life.
      { stream: (method, only) => (this.#streams ?? neverStarted()).stream(method, only) },
      this.#clock,
      this.#recorder,
    );
    this.#watches.push(watch);
    return watch;
  }

  /** No faults any more: the end is read, and the witness gets there. */
  async #lastLife(folder: string): Promise<void> {
    const served = new ServedProcess({ folder, port: this.#options.port, failpoints: '', flags: FREQUENT_SNAPSHOTS });
    await served.ready();
    const { clients, workers } = await this.#work(served);
    await sleep(LIFE_MS_MAX);
    const endpoint = `http://127.0.0.1:${this.#options.port}`;
    const client = new EtcdClient({ network: new TcpNetwork(), clock: this.#clock, endpoints: [endpoint] });
    const reader = new RecordingClient(0, client, this.#recorder);
    const last = await reader.perform({ kind: 'range', ...this.#workload.everything, revision: 0 });
    const revision = last.kind === 'answered' ? last.revision : 0;
    for (let tries = 0; tries < 500 && (this.#witness?.nextRevision ?? 0) <= revision; tries++) {
      this.#witness?.requestProgress();
      await sleep(20);
    }
    if ((this.#witness?.nextRevision ?? 0) <= revision) {
      this.#violations.push({ promise: 'reliable', text: `the witness does not get to revision ${revision}` });
    }
    for (const watch of this.#watches) watch.stop();
    served.signal('SIGKILL');
    await served.gone(10_000);
    for (const one of [...clients, client]) one.close();
    await Promise.all([...workers, ...this.#watches.map(({ ended }) => ended)]);
  }

  #judge(): void {
    const { calls, watches } = this.#recorder;
    const { violations, undecided, unknownDone } = judge(this.#recorder, [], false);
    this.#violations.push(...violations);
    for (const { outcome, request } of calls) {
      const isWrite = request.kind === 'put' || request.kind === 'txn' || request.kind === 'delete';
      if (outcome.kind === 'answered') this.#count(isWrite ? 'acknowledged writes' : 'other answers');
      else this.#count(outcome.kind === 'unknown' ? 'unknown outcomes' : 'refusals');
    }
    this.#count('unknown writes that had happened', unknownDone);
    this.#count('keys whose order was not decided', undecided);
    for (const { responses } of watches) {
      for (const response of responses)
        if (response.kind === 'events') this.#count('watch events', response.events.length);
    }
  }
}

function drawFailpoint(random: Random): string {
  const isFrequent = random.chance(0.6);
  const step = random.pick(isFrequent ? FREQUENT_STEPS : RARE_STEPS);
  const when = random.pick(step.endsWith('write') ? ['before', 'during', 'after'] : ['before', 'after']);
  const part = isFrequent || random.chance(0.4) ? 'journal' : 'snapshot';
  const chance = isFrequent ? random.pick([0.005, 0.05]) : 1;
  const action = when !== 'during' && random.chance(0.15) ? 'error' : 'exit';
  return `${part}/${when}-${step}=${action}(${chance})`;
}

function neverStarted(): never {
  throw new Error('the server has not been started');
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
