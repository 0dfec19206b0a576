// A data folder looked at whatever its state: every segment of the log and every snapshot, what they hold, and what is wrong
// with them. Nothing is written. One segment at a time is in memory.
//
// Beside its own findings the survey asks what a start asks: recovery reads the log from the newest good snapshot on. A start
// that is refused is damage, whatever the findings say.

import { join } from 'node:path';
import { floorOf } from '../etcd/state-opening.ts';
import { type Disk, DiskError } from '../io/disk.ts';
import { CorruptionError, ForeignLogError } from '../journal/errors.ts';
import { BATCH_HEADER_BYTES, crcSeedOf, META, readId, SEGMENT_HEADER_BYTES } from '../journal/format.ts';
import { IGNORING_VISITOR, type JournalIdentity, type LogBase, type TailCut } from '../journal/journal.ts';
import { readLog } from '../journal/recovery.ts';
import { decodeSegmentHeader, isUnusedName, type SegmentHeader, sequenceOfName } from '../journal/segment.ts';
import { snapshotFolder } from '../snapshot/snapshot-folder.ts';
import { type BatchOrder, orderBatches } from './batch-order.ts';
import { SeedVotes, wholeBatch } from './crc-seed.ts';
import { type Finding, findingOf, type NumberRange } from './damage.ts';
import { logFindings } from './log-findings.ts';
import { type SegmentParts, surveySegment } from './segment-survey.ts';
import { type SurveyedSnapshot, surveySnapshots } from './snapshot-survey.ts';
import { isUnreadable, WholeFiles } from './whole-files.ts';

export interface SurveyedSegment {
  readonly file: string;
  /** As the name says. */
  readonly firstSequence: number;
  readonly bytes: number;
  /** Undefined when it is damaged. */
  readonly header: SegmentHeader | undefined;
  readonly headerError: string | undefined;
  /** What the checksums of its batches start from. */
  readonly crcSeed: number;
  readonly parts: SegmentParts;
}

export interface Survey {
  readonly folder: string;
  /** Undefined when nothing tells whose the folder is. */
  readonly identity: JournalIdentity | undefined;
  readonly segments: readonly SurveyedSegment[];
  /** Newest first. */
  readonly snapshots: readonly SurveyedSnapshot[];
  /** The newest good snapshot: what a start begins with. */
  readonly base: LogBase | undefined;
  readonly order: BatchOrder;
  /** The last batch known to have been durable. */
  readonly durableSequence: number;
  readonly findings: readonly Finding[];
  /** Why a start on this folder is refused; undefined when it is not. */
  readonly refusal: string | undefined;
  /** What a start would cut off the end of the log. */
  readonly cut: TailCut | undefined;
  /** Good batches that a start would cut off with it, since nothing says that they were durable; or undefined. */
  readonly cutBatches: NumberRange | undefined;
  /** The highest that a batch, a mark or a snapshot names; a damaged batch's header too. */
  readonly revision: number;
  /** The highest that anything names, damaged or not. */
  readonly sequence: number;
  readonly epoch: number;
}

/** True when a start finds everything that was durable, and every file is good. */
export function isWhole({ findings, refusal }: Pick<Survey, 'findings' | 'refusal'>): boolean {
  return refusal === undefined && findings.every(({ isDamage }) => !isDamage);
}

/** Of a folder that nobody uses. Rejects with DiskError. */
export async function surveyFolder(disk: Disk, folder: string): Promise<Survey> {
  const walFolder = join(folder, 'wal');
  const snapshots = await surveySnapshots(disk, snapshotFolder(folder));
  const base = baseOf(snapshots);
  const log = await surveyLog(disk, walFolder, snapshots);
  const { segments, findings } = log;
  const durableSequence = durableOf(segments, snapshots);
  const placed = segments.flatMap(({ parts }, segment) => parts.runs.map((run) => ({ run, segment })));
  const start = Math.min(segments.at(0)?.firstSequence ?? 1, (base?.sequence ?? 0) + 1);
  const order = orderBatches(placed, start, durableSequence);
  findings.push(...logFindings({ walFolder, segments, order, base }));
  for (const { path, error } of snapshots) {
    if (error === undefined) continue;
    const kind = error instanceof ForeignLogError ? 'foreign' : 'snapshot';
    const { offset, reason } = error instanceof CorruptionError ? error : { offset: 0, reason: error.message };
    findings.push(findingOf({ kind, file: path, offset, reason }));
  }
  const { identity } = log;
  for (const { path, header } of snapshots) {
    if (header === undefined || identity === undefined || header.identity.clusterId === identity.clusterId) continue;
    findings.push(foreign(path, 'it belongs to another cluster than the log'));
  }
  const { refusal, cut, endSequence } = await askRecovery(disk, walFolder, base, snapshots);
  const isCutShort = endSequence !== undefined && endSequence < order.lastSequence;
  const cutBatches = isCutShort ? { first: endSequence + 1, last: order.lastSequence } : undefined;
  const highest = highestOf(segments, snapshots);
  return {
    folder,
    identity,
    segments,
    snapshots,
    base,
    order,
    durableSequence,
    findings,
    refusal,
    cut,
    cutBatches,
    ...highest,
  };
}

function baseOf(snapshots: readonly SurveyedSnapshot[]): LogBase | undefined {
  const good = snapshots.find(({ error }) => error === undefined);
  if (good?.header === undefined) return undefined;
  const { identity, revisionMark } = good.header;
  return { sequence: good.sequence, revision: revisionMark, clusterId: identity.clusterId, file: good.path };
}

interface SurveyedLog {
  readonly identity: JournalIdentity | undefined;
  readonly segments: readonly SurveyedSegment[];
  readonly findings: Finding[];
}

async function surveyLog(disk: Disk, folder: string, snapshots: readonly SurveyedSnapshot[]): Promise<SurveyedLog> {
  const findings: Finding[] = [];
  const names = await namesIn(disk, folder, findings);
  const heads: SegmentHead[] = [];
  for (const name of names) heads.push(await readHead(disk, join(folder, name)));
  const votes = new SeedVotes();
  if (heads.every(({ header }) => header === undefined)) await vote(disk, folder, names, votes);
  const identity =
    heads.find(({ header }) => header !== undefined)?.header?.identity ??
    snapshots.find(({ header }) => header !== undefined)?.header?.identity ??
    (await identityInLog(disk, folder, names, votes.bestOfFirst()?.crcSeed));
  const seeds = new Seeds(identity, heads, votes);
  const segments: SurveyedSegment[] = [];
  const files = new WholeFiles(disk);
  for (let i = 0; i < names.length; i++) {
    const file = join(folder, names[i]);
    const { header, error } = heads[i];
    const foreignReason = foreignReasonOf(heads[i], identity);
    if (foreignReason !== undefined) findings.push(foreign(file, foreignReason));
    const block = await files.read(file);
    for (const { offset, bytes } of files.unreadable) {
      findings.push(findingOf({ kind: 'unreadable', file, offset, bytes, reason: 'the disk cannot read this (EIO)' }));
    }
    const firstSequence = sequenceOfName(names[i]) ?? 0;
    const crcSeed = seeds.of(i, header, block);
    // A file under another's name is what its header says.
    const place = { crcSeed, firstSequence: header?.firstSequence ?? firstSequence, headerBytes: header?.headerBytes };
    const parts = surveySegment(block, place);
    const headerError = headerReason(header, error, firstSequence);
    const segment = { file, firstSequence, bytes: block.length, header, headerError, crcSeed, parts };
    if (foreignReason === undefined && isLeftByRepair(segment, snapshots)) {
      const reason = 'made by a repair that did not come to its end; the next repair removes it';
      findings.push(findingOf({ kind: 'leftover', file, offset: 0, bytes: block.length, reason }));
    } else segments.push(segment);
  }
  return { identity, segments, findings };
}

function foreignReasonOf({ header, error }: SegmentHead, identity: JournalIdentity | undefined): string | undefined {
  if (error instanceof ForeignLogError) return error.message;
  if (header === undefined || header.identity.clusterId === identity?.clusterId) return undefined;
  return 'it belongs to another cluster than the files before it';
}

function headerReason(header: SegmentHeader | undefined, error: Error | undefined, first: number): string | undefined {
  if (error instanceof CorruptionError) return error.reason;
  if (header === undefined || header.firstSequence === first) return undefined;
  return `the segment begins at batch ${header.firstSequence}, its name says otherwise`;
}

/** Repair makes an empty segment that names no batch before it, and then the snapshot that it goes on from. */
export function isLeftByRepair(
  { header, firstSequence, bytes }: SurveyedSegment,
  snapshots: readonly SurveyedSnapshot[],
): boolean {
  if (header === undefined || header.previousCrc !== 0 || firstSequence === 1) return false;
  if (bytes !== SEGMENT_HEADER_BYTES) return false;
  return !snapshots.some(({ sequence, error }) => error === undefined && sequence + 1 === firstSequence);
}

function foreign(file: string, reason: string): Finding {
  return findingOf({ kind: 'foreign', file, offset: 0, reason });
}

/** Of the segments, in order; the rest become findings. */
async function namesIn(disk: Disk, folder: string, findings: Finding[]): Promise<string[]> {
  const names = await disk.list(folder).catch((error: unknown) => {
    if (error instanceof DiskError && error.code === 'ENOENT') return [];
    throw error;
  });
  return names.filter((name) => {
    if (sequenceOfName(name) !== undefined) return true;
    if (!isUnusedName(name)) findings.push(foreign(join(folder, name), 'is not a file of the log; move it away'));
    return false;
  });
}

interface SegmentHead {
  readonly header: SegmentHeader | undefined;
  readonly error: Error | undefined;
}

async function readHead(disk: Disk, file: string): Promise<SegmentHead> {
  const opened = await disk.open(file, 'read');
  try {
    const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
    const header = decodeSegmentHeader(file, bytes.subarray(0, await opened.read(bytes, 0)));
    return { header, error: undefined };
  } catch (error) {
    if (error instanceof CorruptionError || error instanceof ForeignLogError) return { header: undefined, error };
    if (!isUnreadable(error)) throw error;
    return { header: undefined, error: new CorruptionError(file, 0, 'the disk cannot read the segment header') };
  } finally {
    await opened.close();
  }
}

async function vote(disk: Disk, folder: string, names: readonly string[], votes: SeedVotes): Promise<void> {
  const files = new WholeFiles(disk);
  for (const name of names) votes.add(await files.read(join(folder, name)));
}

/** Where every header is damaged: META, the first effect of a log, names the ids. */
async function identityInLog(
  disk: Disk,
  folder: string,
  names: readonly string[],
  crcSeed: number | undefined,
): Promise<JournalIdentity | undefined> {
  if (names.length === 0) return undefined;
  const block = await new WholeFiles(disk).read(join(folder, names[0]));
  const found = wholeBatch(block, (seed) => seed === crcSeed);
  if (found === undefined) return undefined;
  const body = found.offset + BATCH_HEADER_BYTES;
  if (block.length < body + 17 || block[body] !== META) return undefined;
  return { memberId: readId(block, body + 1), clusterId: readId(block, body + 9) };
}

/**
 * What the checksums of segments start from: as their headers say; where there is no good header, as most of the log's batches do. One that is not
 * known so is not believed: a client may have written it. Nor is none (format 1) behind a segment that has a salt.
 */
class Seeds {
  readonly #clusterId: bigint;
  /** Of the good headers, the last one's last; or the one that was voted for. */
  readonly #known = new Set<number>();
  /** The first segment that is known to have a salt. */
  readonly #firstSalted: number;

  constructor(identity: JournalIdentity | undefined, heads: readonly SegmentHead[], votes: SeedVotes) {
    this.#clusterId = identity?.clusterId ?? 0n;
    const headers = heads.map(({ header }) => (header?.identity.clusterId === this.#clusterId ? header : undefined));
    for (const header of headers) if (header !== undefined) this.#known.add(this.#seed(header));
    const voted = votes.best(crcSeedOf(this.#clusterId, 0));
    if (voted !== undefined) this.#known.add(voted.crcSeed);
    const firstSalted = headers.findIndex((header) => header !== undefined && header.salt !== 0);
    this.#firstSalted = firstSalted < 0 ? (voted?.segment ?? heads.length) : firstSalted;
  }

  of(segment: number, header: SegmentHeader | undefined, block: Uint8Array): number {
    if (header !== undefined) return this.#seed(header);
    const unsalted = crcSeedOf(this.#clusterId, 0);
    const isPossible = (seed: number): boolean => {
      return this.#known.has(seed) || (seed === unsalted && segment < this.#firstSalted);
    };
    return wholeBatch(block, isPossible)?.crcSeed ?? [...this.#known].at(-1) ?? unsalted;
  }

  /** With this cluster's id: another's batches must not count. */
  #seed({ salt }: SegmentHeader): number {
    return crcSeedOf(this.#clusterId, salt);
  }
}

/** What any good header says, a segment's beginning (all before it was durable then), and a snapshot's name. */
function durableOf(segments: readonly SurveyedSegment[], snapshots: readonly SurveyedSnapshot[]): number {
  let durable = 0;
  for (const { parts, firstSequence } of segments) {
    durable = Math.max(durable, firstSequence - 1);
    for (const { durableSequence } of parts.runs) durable = Math.max(durable, durableSequence);
    for (const { head } of parts.broken) durable = Math.max(durable, head?.durableSequence ?? 0);
  }
  for (const { sequence } of snapshots) durable = Math.max(durable, sequence);
  return durable;
}

function highestOf(
  segments: readonly SurveyedSegment[],
  snapshots: readonly SurveyedSnapshot[],
): Pick<Survey, 'revision' | 'sequence' | 'epoch'> {
  const highest = { revision: 0, sequence: 0, epoch: 0 };
  const see = (sequence: number, epoch: number, revision: number): void => {
    highest.sequence = Math.max(highest.sequence, sequence);
    highest.epoch = Math.max(highest.epoch, epoch);
    highest.revision = Math.max(highest.revision, revision);
  };
  for (const { parts, firstSequence, header } of segments) {
    see(firstSequence, header?.epoch ?? 0, parts.namedRevision);
    for (const { lastSequence, lastEpoch, lastRevision } of parts.runs) see(lastSequence, lastEpoch, lastRevision);
    for (const { head } of parts.broken) if (head) see(head.sequence, head.epoch, head.revisions?.last ?? 0);
  }
  for (const { sequence, header } of snapshots) see(sequence, header?.epoch ?? 0, header?.revisionMark ?? 0);
  return highest;
}

async function askRecovery(
  disk: Disk,
  folder: string,
  base: LogBase | undefined,
  snapshots: readonly SurveyedSnapshot[],
): Promise<Pick<Survey, 'refusal' | 'cut'> & { readonly endSequence: number | undefined }> {
  const none = { refusal: undefined, cut: undefined, endSequence: undefined };
  const damaged = snapshots.find(({ error }) => error instanceof CorruptionError)?.error;
  const floor = damaged instanceof CorruptionError ? floorOf(damaged) : undefined;
  try {
    const { cut, chain } = await readLog({ disk, folder, visitor: IGNORING_VISITOR, base, floor });
    return { refusal: undefined, cut, endSequence: chain.sequence };
  } catch (error) {
    const isRefusal = error instanceof CorruptionError || error instanceof ForeignLogError || isUnreadable(error);
    // Any other error of the disk says nothing of the log.
    if (!isRefusal) throw error;
    return { ...none, refusal: error.message };
  }
}
