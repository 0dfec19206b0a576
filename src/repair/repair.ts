// A damaged data folder made to serve again, without what is lost. Never by itself: somebody has accepted the loss.
//
//   survey ─► plan: the state rebuilt in memory (rebuilding.ts) ─► originals set aside ─► empty segment S + 1
//        nothing is written so far                                                              │
//                                                     old files go ◄─ read back ◄─ snapshot S ◄─┘
//
// S is a batch that never was, above all that the folder names. The name of snapshot S is the only thing that counts: before it
// is there a start finds the folder as it was (recovery.ts knows the empty segment for what it is), afterwards it begins
// with the snapshot and looks at nothing older. So a crash at any moment leaves the one or the other. Running the repair again
// does it, or removes what it would have removed.

import { join } from 'node:path';
import { assert } from '../base/assert.ts';
import type { Clock } from '../io/clock.ts';
import type { Disk } from '../io/disk.ts';
import { SEGMENT_HEADER_BYTES, UNSALTED_FORMAT_VERSION } from '../journal/format.ts';
import { IGNORING_VISITOR, type JournalIdentity } from '../journal/journal.ts';
import { readLog } from '../journal/recovery.ts';
import { createSegment, isUnusedName } from '../journal/segment.ts';
import { listSnapshots, snapshotFolder, snapshotPath } from '../snapshot/snapshot-folder.ts';
import { takeSnapshot } from '../snapshot/snapshot-taking.ts';
import { namesIn, setAside, writeReport } from './originals.ts';
import { type RebuiltState, rebuildState } from './rebuilding.ts';
import { repairReport } from './repair-report.ts';
import { surveySnapshot } from './snapshot-survey.ts';
import type { Survey } from './survey.ts';

/** Above what may have been shown: a cluster that makes 10,000 revisions a second needs a day for as many. */
export const BUMP_REVISIONS = 1_000_000_000;
/** Of a key in a snapshot, beside its record. */
const ROW_BYTES = 24;
const SPACE_BYTES_MIN: number = 1 << 20;

/** The folder cannot be repaired, or not by this program. Nothing was changed. */
export class UnrepairableError extends Error {
  override readonly name = 'UnrepairableError';
}

export type RepairPlan =
  /** A start loses nothing. */
  | { readonly kind: 'none'; readonly survey: Survey }
  /** A repair was interrupted when it had done all but remove the old files. */
  | { readonly kind: 'tidy'; readonly survey: Survey; readonly files: readonly string[] }
  | RebuildPlan;

export interface RebuildPlan {
  readonly kind: 'rebuild';
  readonly survey: Survey;
  readonly identity: JournalIdentity;
  readonly state: RebuiltState;
  /** Of the snapshot that is made: a batch above all that were. */
  readonly sequence: number;
  readonly epoch: number;
  /** Where the state goes on. */
  readonly revision: number;
}

/**
 * What is to be done with a folder that nobody uses; nothing is changed. `bumpRevisions` > 0 is added to the highest revision that
 * the folder names. Rejects with UnrepairableError or DiskError.
 */
export async function planRepair(disk: Disk, survey: Survey, bumpRevisions: number): Promise<RepairPlan> {
  const { folder, base, order, refusal, cutBatches, identity } = survey;
  for (const { kind, file, reason } of survey.findings) {
    if (kind !== 'foreign') continue;
    const what = reason.startsWith(file) ? reason : `${file}: ${reason}`;
    throw new UnrepairableError(`${folder} is not repaired while something foreign is in it: ${what}`);
  }
  if (refusal === undefined && cutBatches === undefined) {
    const files = oldFiles(survey);
    return files.length === 0 ? { kind: 'none', survey } : { kind: 'tidy', survey, files };
  }
  if (identity === undefined || (base === undefined && order.spans.length === 0)) {
    throw new UnrepairableError(
      `${folder} has no good snapshot and no good batch: take a backup, or other copies of it`,
    );
  }
  const sequence = survey.sequence + 1;
  const revision = survey.revision + bumpRevisions;
  if (!Number.isSafeInteger(sequence) || !Number.isSafeInteger(revision)) {
    throw new UnrepairableError(`${folder} names batch ${survey.sequence} and revision ${survey.revision}: too high`);
  }
  const state = await rebuildState({ disk, survey, revision });
  return { kind: 'rebuild', survey, identity, state, sequence, epoch: survey.epoch + 1, revision };
}

/** Older than the snapshot that a repair has made. */
function oldFiles({ base, segments, snapshots }: Survey): string[] {
  if (base === undefined) return [];
  const made = segments.find(({ firstSequence }) => firstSequence === base.sequence + 1);
  if (made?.header === undefined || made.header.previousCrc !== 0) return [];
  return [
    ...segments.filter(({ firstSequence }) => firstSequence <= base.sequence).map(({ file }) => file),
    ...snapshots.filter(({ sequence }) => sequence < base.sequence).map(({ path }) => path),
  ];
}

/** The old files of an interrupted repair. Rejects with DiskError. */
export async function tidyRepair(disk: Disk, { survey, files }: RepairPlan & { kind: 'tidy' }): Promise<void> {
  for (const file of files) await disk.unlink(file);
  await disk.syncDirectory(join(survey.folder, 'wal'));
  await disk.syncDirectory(snapshotFolder(survey.folder));
}

export interface Repaired {
  /** Where the originals are. */
  readonly keptIn: string;
  readonly snapshot: string;
}

/** Carries the plan out. Rejects with UnrepairableError (nothing was changed), DiskError or CorruptionError. */
export async function repairFolder(disk: Disk, clock: Clock, plan: RebuildPlan): Promise<Repaired> {
  const { folder } = plan.survey;
  await checkSpace(disk, plan);
  const keptIn = await setAside(disk, folder, clock.wallMs());
  await writeReport(disk, keptIn, { ...repairReport(plan), keptIn });
  await removeUnfinished(disk, plan.survey);
  const walFolder = join(folder, 'wal');
  await disk.ensureDirectory(walFolder);
  const { identity, epoch, sequence } = plan;
  // Without a salt: the next start, which draws one, makes it a segment of its own format.
  const unsalted = { format: UNSALTED_FORMAT_VERSION, salt: 0, headerBytes: SEGMENT_HEADER_BYTES };
  const header = { ...unsalted, identity, epoch, firstSequence: sequence + 1, previousCrc: 0 };
  const segment = await createSegment(disk, walFolder, header, false);
  await segment.close();
  await writeSnapshot(disk, clock, plan);
  await readBack(disk, plan);
  await removeOld(disk, plan);
  return { keptIn, snapshot: snapshotPath(snapshotFolder(folder), sequence) };
}

async function checkSpace(disk: Disk, { survey, state }: RebuildPlan): Promise<void> {
  const { store } = state;
  const neededBytes = store.recordBytesLive + ROW_BYTES * store.liveKeyCount + SPACE_BYTES_MIN;
  const freeBytes = await disk.freeBytes(survey.folder);
  if (freeBytes >= neededBytes) return;
  throw new UnrepairableError(`${survey.folder}: ${freeBytes} bytes are free, the repaired state needs ${neededBytes}`);
}

/** What earlier runs and unfinished creations have left. */
async function removeUnfinished(disk: Disk, { folder, findings }: Survey): Promise<void> {
  const walFolder = join(folder, 'wal');
  const names = (await namesIn(disk, walFolder)) ?? [];
  const left = findings.filter(({ kind }) => kind === 'leftover').map(({ file }) => file);
  const unfinished = names.filter(isUnusedName).map((name) => join(walFolder, name));
  for (const file of [...left, ...unfinished]) await disk.unlink(file);
  if (left.length + unfinished.length > 0) await disk.syncDirectory(walFolder);
  const snapshots = snapshotFolder(folder);
  await disk.ensureDirectory(snapshots);
  const content = await listSnapshots(disk, snapshots);
  for (const name of content.unfinished) await disk.unlink(join(snapshots, name));
  if (content.unfinished.length > 0) await disk.syncDirectory(snapshots);
}

async function writeSnapshot(disk: Disk, clock: Clock, plan: RebuildPlan): Promise<void> {
  const { identity, sequence, epoch, state, survey } = plan;
  const { store, lessor, alarms } = state;
  const taken = await takeSnapshot({
    subject: {
      disk,
      clock,
      folder: snapshotFolder(survey.folder),
      identity,
      // Nothing of a log goes into the state that is not on the disk.
      journal: { lastSequence: sequence, epoch, durableSequence: sequence, sync: () => {} },
      store,
      lessor,
      alarms,
      compactTarget: () => store.compactedRevision,
      revisionMark: () => store.currentRevision,
      whenCommitted: (callback) => callback(),
      addJob: (job) => {
        while (!job());
      },
    },
    onCaptured: () => {},
    onSync: () => {},
    pauseMs: () => 0,
    durable: async () => {},
    isAborted: () => false,
    newestSequence: 0,
  });
  assert(taken?.sequence === sequence, 'the snapshot is the one that was planned');
}

/** What was written is what a start will find. */
async function readBack(disk: Disk, { survey, sequence, identity, revision }: RebuildPlan): Promise<void> {
  const file = snapshotPath(snapshotFolder(survey.folder), sequence);
  const { error } = await surveySnapshot(disk, file, sequence);
  if (error !== undefined) throw error;
  const base = { sequence, revision, clusterId: identity.clusterId, file };
  await readLog({ disk, folder: join(survey.folder, 'wal'), visitor: IGNORING_VISITOR, base });
}

async function removeOld(disk: Disk, { survey, sequence }: RebuildPlan): Promise<void> {
  const walFolder = join(survey.folder, 'wal');
  for (const { file } of survey.segments) await disk.unlink(file);
  await disk.syncDirectory(walFolder);
  const snapshots = snapshotFolder(survey.folder);
  const { sequences } = await listSnapshots(disk, snapshots);
  for (const old of sequences) if (old !== sequence) await disk.unlink(snapshotPath(snapshots, old));
  await disk.syncDirectory(snapshots);
}
