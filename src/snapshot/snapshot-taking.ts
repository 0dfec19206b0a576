// Takes one snapshot of a running server.
//
//   between two batches ─► capture ─► leases, keys, changes ─► all of it durable? ─► name
//   (nothing is open)      numbers    in slices, block by        journal.sync        `.new` is gone
//                                     block onto the disk
//
// The capture is made in the instant when everything that was computed is committed: the state then is exactly what the
// batches up to `lastSequence` make. The file gets its name only when that batch is durable, so a snapshot newer
// than what a power cut leaves of the log cannot be. While one block is written the next one is gathered.

import type { Clock } from '../io/clock.ts';
import type { Disk } from '../io/disk.ts';
import { writeId, writeUint64 } from '../journal/format.ts';
import type { Journal, JournalIdentity } from '../journal/journal.ts';
import type { LeaseWalk } from '../lease/lease-walk.ts';
import type { Lessor } from '../lease/lessor.ts';
import type { ImageMaker } from '../store/image-maker.ts';
import type { Store } from '../store/store.ts';
import { LEASE_BYTES, type SnapshotHeader } from './format.ts';
import { SnapshotWriter, type WrittenPiece } from './snapshot-writer.ts';

/** Work between two looks at the clock: a tenth of a millisecond. */
const SLICE_UNITS = 400;
const SLICE_LEASES = 2_000;
const BLOCK_LEASES_MAX = 1 << 13;

/** What the taking asks of the log. */
export type SnapshotLog = Pick<Journal, 'lastSequence' | 'epoch' | 'durableSequence' | 'sync'>;

/** What a snapshot is taken of, and with what. */
export interface SnapshotSubject<Log extends SnapshotLog = Journal> {
  readonly disk: Disk;
  readonly clock: Clock;
  /** The folder of the snapshots; it exists. */
  readonly folder: string;
  readonly identity: JournalIdentity;
  readonly journal: Log;
  readonly store: Store;
  readonly lessor: Lessor;
  readonly alarms: ReadonlySet<number>;
  /** The highest compaction in the log. */
  readonly compactTarget: () => number;
  /** Revisions up to it may have been shown without being in the log. */
  readonly revisionMark: () => number;
  /** Calls back once, in the instant when all that was computed is committed. */
  readonly whenCommitted: (callback: () => void) => void;
  /** Runs the job in turns until it returns true. */
  readonly addJob: (job: () => boolean) => void;
}

export interface SnapshotTaking {
  readonly subject: SnapshotSubject<SnapshotLog>;
  /** The capture was made: what is logged from now on is not in the snapshot. */
  readonly onCaptured: () => void;
  readonly onSync: (durationSeconds: number) => void;
  /** How long to pause after a durable write. */
  readonly pauseMs: (piece: WrittenPiece) => number;
  /** Resolves when all batches up to `sequence` are durable. */
  readonly durable: (sequence: number) => Promise<void>;
  /** Asked between blocks: the snapshot is to be given up. */
  readonly isAborted: () => boolean;
  /** The newest snapshot there is: nothing is written when nothing was logged since. */
  readonly newestSequence: number;
}

export interface SnapshotResult {
  readonly path: string;
  readonly sequence: number;
  readonly revision: number;
  readonly bytes: number;
  readonly durationSeconds: number;
}

interface Capture {
  readonly header: SnapshotHeader;
  readonly image: ImageMaker;
  readonly leases: LeaseWalk;
}

/** Undefined when it was given up or there is nothing new. Rejects with DiskError; an unfinished file may be left then. */
export async function takeSnapshot(taking: SnapshotTaking): Promise<SnapshotResult | undefined> {
  const { clock } = taking.subject;
  const startedMs = clock.nowMs();
  const { header, image, leases } = await capture(taking);
  try {
    if (header.sequence === taking.newestSequence) return undefined;
    const { disk, folder } = taking.subject;
    const { onSync, pauseMs } = taking;
    const writer = await SnapshotWriter.create({ disk, clock, folder, header, onSync, pauseMs });
    const isComplete = await fill(taking, writer, image, leases).catch(async (error: unknown) => {
      await writer.abandon();
      throw error;
    });
    if (!isComplete) {
      await writer.abandon();
      return undefined;
    }
    const { path, bytes } = writer;
    const durationSeconds = (clock.nowMs() - startedMs) / 1000;
    return { path, sequence: header.sequence, revision: header.revision, bytes, durationSeconds };
  } finally {
    image.close();
    leases.close();
  }
}

function capture({ subject, onCaptured }: SnapshotTaking): Promise<Capture> {
  const { clock, identity, journal, store, lessor, alarms, compactTarget, revisionMark } = subject;
  return new Promise((resolve) => {
    subject.whenCommitted(() => {
      const image = store.image();
      const header = {
        identity,
        sequence: journal.lastSequence,
        epoch: journal.epoch,
        revision: image.revision,
        compactedRevision: image.compactedRevision,
        compactTarget: compactTarget(),
        revisionMark: Math.max(image.revision, revisionMark()),
        hashSeed: image.hashSeed,
        hasHashes: true,
        alarms: new Set(alarms),
        wallMs: clock.wallMs(),
      };
      onCaptured();
      resolve({ header, image, leases: lessor.walk() });
    });
  });
}

/** False when it was given up. */
async function fill(
  taking: SnapshotTaking,
  writer: SnapshotWriter,
  image: ImageMaker,
  leases: LeaseWalk,
): Promise<boolean> {
  const { subject, isAborted } = taking;
  const leaseCount = await writeLeases(taking, writer, leases);
  let writing = Promise.resolve();
  while (!image.isDone) {
    await inSlices(subject, () => isAborted() || image.step(SLICE_UNITS));
    // The block written before is let go of by `take`.
    await writing;
    if (isAborted()) return false;
    const block = image.take();
    if (block === undefined) break;
    writing = writer.append(block.kind, block.count, block.bytes, block.mainMax);
    // Its failure is met at the await above, or below.
    writing.catch(() => {});
  }
  await writing;
  const { sequence } = writer;
  if (subject.journal.durableSequence < sequence) {
    subject.journal.sync();
    await taking.durable(sequence);
  }
  if (isAborted()) return false;
  await writer.finish({ rows: image.rowCount, changes: image.changeCount, leases: leaseCount });
  return true;
}

async function writeLeases(taking: SnapshotTaking, writer: SnapshotWriter, walk: LeaseWalk): Promise<number> {
  await inSlices(taking.subject, () => walk.step(SLICE_LEASES));
  const { leases } = walk;
  for (let from = 0; from < leases.length && !taking.isAborted(); from += BLOCK_LEASES_MAX) {
    const count = Math.min(BLOCK_LEASES_MAX, leases.length - from);
    const bytes = new Uint8Array(count * LEASE_BYTES);
    for (let i = 0; i < count; i++) {
      writeId(bytes, i * LEASE_BYTES, leases[from + i].id);
      writeUint64(bytes, i * LEASE_BYTES + 8, leases[from + i].ttlSeconds);
    }
    await writer.append('leases', count, bytes, 0);
  }
  return leases.length;
}

function inSlices(subject: SnapshotSubject<SnapshotLog>, job: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    subject.addJob(() => {
      if (!job()) return false;
      resolve();
      return true;
    });
  });
}
