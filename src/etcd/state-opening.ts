// The state of a data folder: the newest good snapshot, then the log behind it. A server locks the folder first; nothing is
// changed before all of it was read and found good.

import { join } from 'node:path';
import type { Clock } from '../io/clock.ts';
import { type Disk, DiskError } from '../io/disk.ts';
import { type CorruptionError, ForeignLogError } from '../journal/errors.ts';
import { openFileJournal } from '../journal/file-journal-opening.ts';
import type {
  Journal,
  JournalHandler,
  JournalIdentity,
  JournalObserver,
  LogFloor,
  Recovery,
} from '../journal/journal.ts';
import { readLog } from '../journal/recovery.ts';
import { sequenceOfName } from '../journal/segment.ts';
import { Lessor } from '../lease/lessor.ts';
import { type RestoredSnapshot, restoreSnapshot } from '../snapshot/restore.ts';
import { sequenceOfSnapshot, snapshotFolder } from '../snapshot/snapshot-folder.ts';
import { PRIVATE_MEMORY, type Prefault, SharedMemory, type StoreMemory } from '../store/memory.ts';
import { Store } from '../store/store.ts';
import { Restorer } from './restorer.ts';
import { RevisionCut } from './revision-cut.ts';

export interface StateOpening {
  readonly disk: Disk;
  readonly clock: Clock;
  /** A number in [0, 1). */
  readonly random: () => number;
  /** Asks for a garbage collection. */
  readonly collect: () => void;
  /** Makes new memory ready beside this thread; undefined: it is used as it comes. */
  readonly prefault?: Prefault | undefined;
  readonly folder: string;
  readonly identity: JournalIdentity;
  /** For a log that has none yet: journal/format.ts. */
  readonly salt: number;
  readonly minimumLeaseTtlSeconds: number;
  readonly bufferedLossMsMax: number;
  readonly bufferedLossBytesMax: number;
  /** Size of a segment of the log; undefined for the usual one. */
  readonly segmentBytesMax?: number | undefined;
  readonly handler: JournalHandler;
  readonly observer: JournalObserver;
  /** A snapshot cannot be used: the one before it, or the log alone, has to do. */
  readonly onSnapshotDamaged: (error: CorruptionError) => void;
  /** How far the reading is: of `what`, `done` out of `total`. Called often. */
  readonly onProgress: (what: string, done: number, total: number) => void;
}

export interface OpenedState {
  readonly store: Store;
  readonly lessor: Lessor;
  readonly alarms: Set<number>;
  readonly journal: Journal;
  readonly recovery: Recovery;
  readonly snapshot: RestoredSnapshot | undefined;
}

/** Rejects with what is wrong with the folder: see file-journal-opening.ts and restore.ts. Nothing is left open then. */
export async function openState(opening: StateOpening): Promise<OpenedState> {
  const { disk, folder } = opening;
  await refuseEtcds(disk, folder);
  await disk.ensureDirectory(folder);
  const lock = await disk.lockDirectory(folder);
  const loading = { ...opening, memory: new SharedMemory(opening.collect, opening.prefault) };
  const loaded = await load(loading).catch(async (error: unknown) => {
    await lock.release();
    throw error;
  });
  const { store, lessor, restorer, snapshot, floor } = loaded;
  const { bufferedLossMsMax, bufferedLossBytesMax, segmentBytesMax } = opening;
  const { journal, recovery } = await openFileJournal({
    disk,
    clock: opening.clock,
    folder,
    lock,
    base: snapshot?.base,
    floor,
    identity: opening.identity,
    salt: opening.salt,
    visitor: restorer,
    limits: { bufferedLossMsMax, bufferedLossBytesMax, ...(segmentBytesMax && { segmentBytesMax }) },
    handler: opening.handler,
    observer: opening.observer,
    onProgress: (done, count) => opening.onProgress('segments of the log', done, count),
  });
  restorer.finish(recovery.revision, recovery.isClean);
  return { store, lessor, alarms: restorer.alarms, journal, recovery, snapshot };
}

/**
 * A new log of ours beside etcd's data would look like a server that has lost everything. One that is there already has what was
 * acknowledged since.
 */
async function refuseEtcds(disk: Disk, folder: string): Promise<void> {
  const member = join(folder, 'member');
  const names = await namesIn(disk, member);
  if (!names.includes('snap') && !names.includes('wal')) return;
  const logged = await namesIn(disk, join(folder, 'wal'));
  if (logged.some((name) => sequenceOfName(name) !== undefined)) return;
  throw new ForeignLogError(
    member,
    `is the data of an etcd; 'k1m snapshot restore ${folder} --data-dir NEW' makes a folder of k1m from it`,
  );
}

/** Of what is no folder: none. */
async function namesIn(disk: Disk, folder: string): Promise<string[]> {
  return disk.list(folder).catch((error: unknown) => {
    if (error instanceof DiskError && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return [];
    throw error;
  });
}

export interface StateReading {
  readonly disk: Disk;
  readonly folder: string;
  readonly onSnapshotDamaged: (error: CorruptionError) => void;
  /** The state as it was at this revision, from a snapshot before it and the log; undefined for the newest. */
  readonly revision?: number | undefined;
}

export interface ReadState {
  readonly store: Store;
  readonly lessor: Lessor;
  readonly alarms: ReadonlySet<number>;
  /** The newest revision that the folder knows, also when an older state was asked for. */
  readonly newestRevision: number;
  /** Bytes of snapshot and log. */
  readonly bytes: number;
}

/**
 * The state of a folder that nobody uses, which is only read. Rejects as `openState` does; a revision above the newest one
 * gives the newest state.
 */
export async function readState(reading: StateReading): Promise<ReadState> {
  const { disk, folder, revision } = reading;
  const { store, lessor, restorer, snapshot, floor } = await load({
    disk,
    folder,
    clock: { nowMs: () => 0 },
    random: () => 0,
    memory: PRIVATE_MEMORY,
    minimumLeaseTtlSeconds: 1,
    revisionMax: revision,
    onSnapshotDamaged: reading.onSnapshotDamaged,
    onProgress: () => {},
  });
  const base = snapshot?.base;
  const cut = new RevisionCut(restorer, revision ?? Number.POSITIVE_INFINITY);
  const { state, bytes } = await readLog({ disk, folder: join(folder, 'wal'), visitor: cut, base, floor });
  const known = Math.max(cut.newestRevision, state.revision);
  if (known > cut.revision) restorer.finish(cut.revision, true);
  else restorer.finish(state.revision, state.isClean);
  return {
    store,
    lessor,
    alarms: restorer.alarms,
    newestRevision: Math.max(store.currentRevision, known),
    bytes: bytes + (snapshot?.bytes ?? 0),
  };
}

interface Loading {
  readonly disk: Disk;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly random: () => number;
  readonly folder: string;
  readonly memory: StoreMemory;
  readonly minimumLeaseTtlSeconds: number;
  /** Of the snapshot. */
  readonly revisionMax?: number | undefined;
  readonly onSnapshotDamaged: (error: CorruptionError) => void;
  readonly onProgress: (what: string, done: number, total: number) => void;
}

/** What the newest good snapshot holds, or nothing, ready for the log. */
async function load(loading: Loading): Promise<{
  readonly store: Store;
  readonly lessor: Lessor;
  readonly restorer: Restorer;
  readonly snapshot: RestoredSnapshot | undefined;
  /** What the newest damaged snapshot proves. */
  readonly floor: LogFloor | undefined;
}> {
  const { disk, folder, memory, minimumLeaseTtlSeconds, revisionMax, onProgress } = loading;
  let floor: LogFloor | undefined;
  const nowMs = (): number => loading.clock.nowMs();
  const snapshot = await restoreSnapshot({
    disk,
    folder: snapshotFolder(folder),
    memory,
    minimumLeaseTtlSeconds,
    revisionMax,
    nowMs,
    onDamaged: (error) => {
      floor ??= floorOf(error);
      loading.onSnapshotDamaged(error);
    },
    onProgress: (path, done, total) => onProgress(`bytes of ${path}`, done, total),
  });
  const store = snapshot?.store ?? new Store({ hashSeed: Math.floor(loading.random() * 0x1_0000_0000), memory });
  const lessor = snapshot?.lessor ?? new Lessor(store, minimumLeaseTtlSeconds);
  return { store, lessor, restorer: new Restorer(store, lessor, nowMs, snapshot?.alarms), snapshot, floor };
}

/** A snapshot has its name only when the last batch in it is durable. */
export function floorOf({ file, offset, reason }: CorruptionError): LogFloor | undefined {
  const sequence = sequenceOfSnapshot(file);
  return sequence === undefined ? undefined : { sequence, file, offset, reason };
}
