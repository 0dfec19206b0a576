// A new data folder of ours from an etcd snapshot file, or from the data folder of an etcd that has stopped.
//
//   database ─► leases, versions, compaction, alarms ─► log        then, of a data folder:
//   log read back ─► store, engine ◄─ requests of etcd's log above the database's consistent index ─► log
//
// The target folder is empty and the caller's to throw away when this rejects.

import type { RandomAccess } from '../bolt/block-cache.ts';
import { Restorer } from '../etcd/restorer.ts';
import type { Clock } from '../io/clock.ts';
import type { Disk } from '../io/disk.ts';
import { ForeignLogError } from '../journal/errors.ts';
import type { JournalIdentity, JournalVisitor } from '../journal/journal.ts';
import { Lessor } from '../lease/lessor.ts';
import { Store } from '../store/store.ts';
import { BackendReader } from './backend-reader.ts';
import { JournalFiller } from './journal-filler.ts';
import { RaftLog } from './raft-log.ts';
import { RequestReplay } from './request-replay.ts';

export interface RestoreOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  /** The new data folder. */
  readonly folder: string;
  readonly identity: JournalIdentity;
  /** The database. */
  readonly file: RandomAccess;
  /** etcd's log, in the order of its files; empty for a snapshot file. */
  readonly raftFiles: readonly RandomAccess[];
  /** Added to the revision, which then counts as compacted; 0: neither. */
  readonly bumpRevision: number;
}

export interface Restored {
  readonly revision: number;
  readonly compactRevision: number;
  /** Requests that came from etcd's log. */
  readonly replayed: number;
}

/** Rejects with CorruptionError, ForeignLogError or DiskError. */
export async function restoreBackend(options: RestoreOptions): Promise<Restored> {
  const { disk, clock, folder, identity, file, raftFiles, bumpRevision } = options;
  const backend = await BackendReader.open(file);
  const filler = await JournalFiller.open({ disk, clock, folder, identity, visitor: IGNORE });
  await closing(filler, async () => {
    await backend.read(filler, () => filler.pause());
    return backend.revision;
  });
  let { revision } = backend;
  let { compactRevision } = backend.state;
  let replayed = 0;
  const entries = await readRaftLog(file, raftFiles, backend);
  if (entries.length > 0) ({ revision, compactRevision, replayed } = await replay(options, entries));
  if (bumpRevision === 0) return { revision, compactRevision, replayed };
  revision += bumpRevision;
  const bump = await JournalFiller.open({ disk, clock, folder, identity, visitor: IGNORE });
  await closing(bump, async () => {
    bump.onCompact(revision);
    return revision;
  });
  return { revision, compactRevision: revision, replayed };
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

const IGNORE: JournalVisitor = {
  onPut: () => {},
  onDelete: () => {},
  onLeaseGrant: () => {},
  onLeaseRevoke: () => {},
  onCompact: () => {},
  onAlarm: () => {},
};

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
  const { disk, clock, folder, identity } = options;
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
      requests.apply(entry);
      await filler.pause();
    }
    replayed = requests.applied;
    return store.currentRevision;
  });
  return { revision: store.currentRevision, compactRevision: store.compactedRevision, replayed };
}
