// A data folder with a known past: what every batch of it changed, so that a repair can be held against what was written. And
// the means to damage it, repair it on a simulated disk, and look at what a start then finds.

import { readState } from '../../src/etcd/state-opening.ts';
import type { Disk } from '../../src/io/disk.ts';
import { CorruptionError, ForeignLogError } from '../../src/journal/errors.ts';
import { planRepair, type RepairPlan, repairFolder, tidyRepair } from '../../src/repair/repair.ts';
import { type Survey, surveyFolder } from '../../src/repair/survey.ts';
import { dumpLog } from '../../src/repair/wal-dump.ts';
import { KeyValueView } from '../../src/store/key-value.ts';
import { AddressList } from '../../src/store/lists.ts';
import type { Store } from '../../src/store/store.ts';
import { SimulatedClock } from '../../src/testing/clock.ts';
import type { FileStates } from '../../src/testing/crash-states.ts';
import { SimulatedDisk } from '../../src/testing/disk.ts';
import { Random } from '../../src/testing/random.ts';
import { type ServerChanges, SimulatedServer } from '../compat/server-fixture.ts';
import { changeMuch, SMALL_SEGMENTS } from '../state-snapshot-fixture.ts';

export const FOLDER = '/data';
export const BUMP = 1000;

interface Change {
  readonly key: string;
  /** Undefined: deleted. */
  readonly pair: string | undefined;
}

/** What a batch changed, by its sequence. */
export type Past = ReadonlyMap<number, readonly Change[]>;

/** Of a few batches. */
const SEGMENTS: Readonly<Record<'small' | 'blocks', ServerChanges>> = {
  small: SMALL_SEGMENTS,
  blocks: { ...SMALL_SEGMENTS, segmentBytesMax: 4096 },
};

export interface KnownFolder {
  readonly files: FileStates;
  readonly past: Past;
}

export interface Known {
  readonly seed: number;
  readonly snapshots: number;
  /** Ended in order; else killed. */
  readonly isEnded: boolean;
  /** Of the disk; left out: it takes no direct writes. */
  readonly directBlock?: number;
}

export async function knownFolder({ seed, snapshots, isEnded, directBlock = 0 }: Known): Promise<KnownFolder> {
  const server = await SimulatedServer.open(seed, SEGMENTS[directBlock === 0 ? 'small' : 'blocks'], directBlock);
  const random = new Random(seed);
  const past = new Map<number, Change[]>();
  const remember = (): Promise<void> => server.drive(readPast(server.disk, past));
  for (let i = 0; i < snapshots; i++) {
    await changeMuch(server, random, 12);
    await remember();
    await server.drive(server.server.snapshotter.take());
  }
  await changeMuch(server, random, 18);
  await remember();
  if (isEnded) await server.close();
  else server.kill();
  await server.drive(readPast(server.disk, past));
  const paths = [...server.disk.snapshot().keys()].sort();
  return { files: new Map(paths.map((path) => [path, server.disk.bytes(path)])), past };
}

async function readPast(disk: Disk, past: Map<number, Change[]>): Promise<void> {
  const survey = await surveyFolder(disk, FOLDER);
  const all = { first: 1, last: Number.MAX_SAFE_INTEGER };
  await dumpLog(
    disk,
    survey,
    { sequences: all, revisions: all },
    {
      onSegment: () => undefined,
      onBatch: (_file, { sequence }) => {
        past.set(sequence, []);
        return undefined;
      },
      onEffect: ({ sequence = 0 }, effect, buffer) => {
        if (effect.kind !== 'put' && effect.kind !== 'delete') return undefined;
        const text = (start: number, end: number): string =>
          Buffer.from(buffer.subarray(start, end)).toString('latin1');
        const key = text(effect.keyStart, effect.keyEnd);
        let pair: string | undefined;
        if (effect.kind === 'put') {
          const { main, createRevision, version, lease } = effect;
          pair = `${createRevision} ${main} ${version} ${lease} ${text(effect.valueStart, effect.valueEnd)}`;
        }
        past.get(sequence)?.push({ key, pair });
        return undefined;
      },
      onDamage: () => undefined,
      onRest: () => undefined,
    },
  );
}

/** The keys that there are when all batches took place but those that are `lost`. */
export function stateWithout(past: Past, isLost: (sequence: number) => boolean): Map<string, string> {
  const state = new Map<string, string>();
  for (const sequence of [...past.keys()].sort((a, b) => a - b)) {
    if (isLost(sequence)) continue;
    for (const { key, pair } of past.get(sequence) ?? []) {
      if (pair === undefined) state.delete(key);
      else state.set(key, pair);
    }
  }
  return new Map([...state].sort(([a], [b]) => (a < b ? -1 : 1)));
}

export function liveKeys(store: Store): Map<string, string> {
  const found = new AddressList();
  const view = new KeyValueView();
  for (let from: Uint8Array | null = new Uint8Array(0); from !== null; ) {
    from = store.scan(from, null, store.currentRevision, 100, found);
  }
  const pairs = Array.from({ length: found.length }, (_, i): [string, string] => {
    const address = found.at(i);
    const bytes = store.segmentOf(address);
    const { keyStart, keyEnd, createRevision, modRevision, version, valueStart, valueEnd, lease } = view.read(
      bytes,
      store.kvStart(address),
      store.kvEnd(address),
    );
    const text = (start: number, end: number): string => Buffer.from(bytes.subarray(start, end)).toString('latin1');
    return [
      text(keyStart, keyEnd),
      `${createRevision} ${modRevision} ${version} ${lease} ${text(valueStart, valueEnd)}`,
    ];
  });
  return new Map(pairs.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** A disk that holds exactly these files, and a clock to run it. */
export class Bench {
  readonly clock: SimulatedClock = new SimulatedClock();
  readonly disk: SimulatedDisk;

  constructor(files: FileStates) {
    this.disk = new SimulatedDisk({ clock: this.clock, random: new Random(1) });
    for (const folder of ['wal', 'snap']) void this.disk.ensureDirectory(`${FOLDER}/${folder}`);
    for (const [path, bytes] of files) {
      void this.disk.ensureDirectory(path.slice(0, path.lastIndexOf('/')));
      this.disk.place(path, bytes);
    }
  }

  survey(): Promise<Survey> {
    return this.clock.runUntil(surveyFolder(this.disk, FOLDER));
  }

  async plan(): Promise<RepairPlan> {
    return this.clock.runUntil(planRepair(this.disk, await this.survey(), BUMP));
  }

  async repair(disk: Disk = this.disk): Promise<RepairPlan> {
    const plan = await this.plan();
    if (plan.kind === 'rebuild') await this.clock.runUntil(repairFolder(disk, this.clock, plan));
    if (plan.kind === 'tidy') await this.clock.runUntil(tidyRepair(disk, plan));
    return plan;
  }

  /** What a start finds, as text: its refusal, or the state. */
  async start(): Promise<string> {
    try {
      const state = await this.clock.runUntil(
        readState({ disk: this.disk, folder: FOLDER, onSnapshotDamaged: () => {} }),
      );
      const { store, lessor, alarms } = state;
      const leases = lessor.list().map(({ id, ttlSeconds }) => `${id} ${ttlSeconds}`);
      const counts = `revision ${store.currentRevision}, compacted ${store.compactedRevision}, alarms ${[...alarms]}`;
      return `${counts}, leases ${leases.sort()}\n${[...liveKeys(store)].map((pair) => pair.join(': ')).join('\n')}`;
    } catch (error) {
      if (error instanceof CorruptionError || error instanceof ForeignLogError) return `refused: ${error.message}`;
      throw error;
    }
  }
}
