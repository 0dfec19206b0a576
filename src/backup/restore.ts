// A new data folder of ours from an etcd snapshot file, or from the data folder of an etcd or a k1m that has stopped.
//
//   database ─► leases, versions, compaction, alarms ─► log        then, of a data folder:
//   log read back ─► store, engine ◄─ requests of etcd's log above the database's consistent index ─► log
//
// The target folder is empty and the caller's to throw away when this rejects.

import { RefusedError } from '../base/refused-error.ts';
import type { RandomAccess } from '../bolt/block-cache.ts';
import { searchMoment } from '../etcd/moment.ts';
import { Restorer } from '../etcd/restorer.ts';
import { type ReadState, readState } from '../etcd/state-opening.ts';
import type { Clock } from '../io/clock.ts';
import type { Disk } from '../io/disk.ts';
import { CorruptionError, ForeignLogError } from '../journal/errors.ts';
import { IGNORING_VISITOR, type JournalIdentity } from '../journal/journal.ts';
import type { Moment } from '../journal/log-times.ts';
import { Lessor } from '../lease/lessor.ts';
import { Store } from '../store/store.ts';
import { BackendReader } from './backend-reader.ts';
import { JournalFiller } from './journal-filler.ts';
import { RaftLog } from './raft-log.ts';
import { RequestReplay } from './request-replay.ts';
import { writeState } from './state-writer.ts';

/** Where the new data folder is. */
interface CopyTarget {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly folder: string;
  readonly identity: JournalIdentity;
}

export interface RestoreOptions extends CopyTarget {
  /** The database. */
  readonly file: RandomAccess;
  /** etcd's log, in the order of its files; empty for a snapshot file. */
  readonly raftFiles: readonly RandomAccess[];
  /** Added to the revision, which then counts as compacted; 0: neither. */
  readonly bumpRevision: number;
  /** The state as it was at this revision; undefined for the newest. */
  readonly toRevision?: number | undefined;
}

export interface Restored {
  readonly revision: number;
  readonly compactRevision: number;
  /** Requests that came from etcd's log. */
  readonly replayed: number;
}

/** Rejects with CorruptionError, ForeignLogError, DiskError, or RefusedError when the revision asked for is not there. */
export async function restoreBackend(options: RestoreOptions): Promise<Restored> {
  const { file, raftFiles, toRevision = Number.MAX_SAFE_INTEGER } = options;
  const backend = await BackendReader.open(file);
  const { compactRevision } = backend.state;
  if (compactRevision > toRevision) {
    throw new RefusedError(`revision ${toRevision} is not in ${file.path}: it was compacted at ${compactRevision}`);
  }
  const filler = await JournalFiller.open({ ...options, visitor: IGNORING_VISITOR });
  await closing(filler, async () => {
    await backend.read(filler, () => filler.pause(), toRevision);
    return backend.revision;
  });
  let restored: Restored = { revision: backend.revision, compactRevision, replayed: 0 };
  if (backend.revision < toRevision) {
    const entries = await readRaftLog(file, raftFiles, backend);
    if (entries.length > 0) restored = await replay(options, entries);
  }
  checkRevision(file.path, restored.revision, options.toRevision);
  return bump(options, restored);
}

function checkRevision(path: string, newest: number, wanted: number | undefined): void {
  if (wanted === undefined || newest >= wanted) return;
  throw new RefusedError(`revision ${wanted} is not in ${path}: it ends at ${newest}`);
}

export interface FolderRestoreOptions extends Omit<RestoreOptions, 'file' | 'raftFiles'> {
  /** A data folder of ours that nobody uses. */
  readonly source: string;
}

/**
 * A new data folder from one of ours, as it is, or as it was at a revision that its snapshots and its log, or its history,
 * reach back to. Rejects as `restoreBackend` does.
 */
export async function restoreFolder(options: FolderRestoreOptions): Promise<Restored> {
  const { disk, source, toRevision } = options;
  const state = await stateAt(disk, source, toRevision);
  checkRevision(source, state.newestRevision, toRevision);
  const { store } = state;
  const revision = toRevision ?? store.currentRevision;
  const filler = await JournalFiller.open({ ...options, visitor: IGNORING_VISITOR });
  let compactRevision = -1;
  await closing(filler, async () => {
    compactRevision = await writeState(filler, state, revision);
    return revision;
  });
  return bump(options, { revision, compactRevision, replayed: 0 });
}

/** The state of one of our data folders at a wall time. Rejects with RefusedError when its log does not tell of one, and as `restoreFolder` does. */
export async function momentIn(disk: Disk, source: string, wallMs: number): Promise<Moment> {
  const search = await searchMoment(disk, source, wallMs);
  const { found } = search;
  // A store begins at revision 1.
  if (found !== undefined) return { ...found, revision: Math.max(1, found.revision) };
  if (search.firstMs === undefined) {
    throw new RefusedError(`the log of ${source} tells no times: an older version wrote it; --to-revision needs none`);
  }
  const [wanted, first] = [wallMs, search.firstMs].map((ms) => new Date(ms).toISOString());
  throw new RefusedError(`${wanted} is not in ${source}: its log goes back to ${first}`);
}

/** From a snapshot before the revision and the log; where they do not reach back, from the history of the newest state. */
async function stateAt(disk: Disk, folder: string, revision: number | undefined): Promise<ReadState> {
  const reading = { disk, folder, onSnapshotDamaged: () => {} };
  try {
    return await readState({ ...reading, revision });
  } catch (error) {
    if (revision === undefined || !(error instanceof ForeignLogError || error instanceof CorruptionError)) throw error;
  }
  const newest = await readState(reading);
  const { compactedRevision } = newest.store;
  if (compactedRevision <= revision) return newest;
  throw new RefusedError(`revision ${revision} is not in ${folder}: it goes back to ${compactedRevision}`);
}

async function bump(options: Pick<RestoreOptions, 'bumpRevision'> & CopyTarget, restored: Restored): Promise<Restored> {
  if (options.bumpRevision === 0) return restored;
  const revision = restored.revision + options.bumpRevision;
  const filler = await JournalFiller.open({ ...options, visitor: IGNORING_VISITOR });
  await closing(filler, async () => {
    filler.onCompact(revision);
    return revision;
  });
  return { ...restored, revision, compactRevision: revision };
}

/** Ends the log at the revision that `fill` resolves with; when it rejects, only lets go of it. */
async function closing(filler: JournalFiller, fill: () => Promise<number>): Promise<void> {
  let revision: number | undefined;
  try {
    revision = await fill();
  } finally {
    await filler.close(revision);
  }
}

type Entries = RaftLog['entries'];

/** The entries that the database does not have yet. */
async function readRaftLog(
  file: RandomAccess,
  files: readonly RandomAccess[],
  backend: BackendReader,
): Promise<Entries> {
  const { consistentIndex, voterCount } = backend.state;
  const log = new RaftLog(consistentIndex);
  for (const [i, part] of files.entries()) {
    const content = Buffer.allocUnsafeSlow(part.bytes);
    const bytes = await part.read(content, 0);
    log.read(part.path, content.subarray(0, bytes), i === files.length - 1);
  }
  if (files.length === 0 || log.entries.length === 0) return [];
  if (consistentIndex === 0) throw new ForeignLogError(file.path, 'does not say up to which log entry it goes');
  // A member that is alone commits whatever is in its log when it starts. Of several, only what they agreed on counts.
  if (voterCount === 1) return log.entries;
  return log.entries.filter(({ index }) => index <= log.commit);
}

async function replay(options: RestoreOptions, entries: Entries): Promise<Restored> {
  const { disk, clock, folder, identity, toRevision = Number.MAX_SAFE_INTEGER } = options;
  const store = new Store();
  const lessor = new Lessor(store, 1);
  const restorer = new Restorer(store, lessor, () => 0);
  const filler = await JournalFiller.open({ disk, clock, folder, identity, visitor: restorer });
  let replayed = 0;
  await closing(filler, async () => {
    restorer.finish(filler.recovery.revision, filler.recovery.isClean);
    const { alarms } = restorer;
    const log = {
      get batch() {
        return filler.journal.batch;
      },
    };
    const requests = new RequestReplay({ store, lessor, alarms, identity, log });
    for (const entry of entries) {
      if (store.currentRevision >= toRevision) break;
      requests.apply(entry);
      await filler.pause();
    }
    replayed = requests.applied;
    return store.currentRevision;
  });
  return { revision: store.currentRevision, compactRevision: store.compactedRevision, replayed };
}
