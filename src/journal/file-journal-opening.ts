// Opening a log on local files: lock, read, cut an unfinished end off, begin a new epoch.
//
// The order keeps every state in between safe to open again: nothing is changed before the whole log was read
// and found good; the cut is durable before anything is written behind it; and the OPEN batch of the new epoch
// is durable before the journal is given to the caller.

import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import type { Clock } from '../io/clock.ts';
import { type Disk, type DiskFile, type DiskLock, datasync, writeAll } from '../io/disk.ts';
import { FileJournal } from './file-journal.ts';
import { FILE_JOURNAL_LIMITS, type FileJournalLimits, type FileJournalStart } from './file-journal-options.ts';
import { BATCH_ALIGNMENT_BYTES, FORMAT_VERSION, SEGMENT_HEADER_BYTES } from './format.ts';
import type {
  Journal,
  JournalHandler,
  JournalIdentity,
  JournalObserver,
  JournalVisitor,
  LogBase,
  LogFloor,
  OpenedJournal,
  Recovery,
} from './journal.ts';
import { alignedMemory, plainMemory } from './journal-memory.ts';
import { type FoundLog, readLog } from './recovery.ts';
import { createSegment, segmentName, TRIAL_NAME } from './segment.ts';

/** Written again at a time, after an end that was no orderly one. */
const REWRITE_BYTES = 4 << 20;

export interface FileJournalOpening {
  readonly disk: Disk;
  readonly clock: Clock;
  /** The data folder; the segments are in `wal` under it. Made when missing. */
  readonly folder: string;
  /** Given to a new log; a log that exists keeps its own. */
  readonly identity: JournalIdentity;
  /** Given to a log that has none (format.ts): 1 to 2^32 − 1, known to nobody; drawn when left out. */
  readonly salt?: number | undefined;
  /** Refuses the log of another cluster; undefined takes any. */
  readonly clusterId?: bigint | undefined;
  /** What the log goes on from; effects of the batches it holds are not given to the visitor. */
  readonly base?: LogBase | undefined;
  /** How far the log must reach, at least. */
  readonly floor?: LogFloor | undefined;
  /** The data folder's, when the caller has taken it already; let go of when the opening fails, as one taken here. */
  readonly lock?: DiskLock | undefined;
  /** Called after each segment that was read, of `count`. */
  readonly onProgress?: ((done: number, count: number) => void) | undefined;
  readonly visitor: JournalVisitor;
  readonly handler: JournalHandler;
  readonly observer?: JournalObserver | undefined;
  readonly limits?: Partial<FileJournalLimits>;
}

/**
 * Rejects with FolderLockedError, CorruptionError, ForeignLogError (nothing was changed then) or DiskError. The
 * handler hears nothing of the OPEN batch.
 */
export async function openFileJournal(opening: FileJournalOpening): Promise<OpenedJournal> {
  const { disk, folder } = opening;
  const segmentFolder = join(folder, 'wal');
  const lock = opening.lock ?? (await lockFolder(disk, folder));
  try {
    const { clusterId, base, floor, visitor, onProgress } = opening;
    const found = await readLog({ disk, folder: segmentFolder, visitor, clusterId, base, floor, onProgress });
    await disk.ensureDirectory(segmentFolder);
    for (const name of found.unused) await disk.unlink(join(segmentFolder, name));
    const limits = { ...FILE_JOURNAL_LIMITS, ...opening.limits };
    const way = await writingWay(disk, segmentFolder, limits);
    const start = { ...way, ...(await prepare(opening, segmentFolder, found, way)) };
    const journal = await begin({ opening, limits, folder: segmentFolder, start, found, lock });
    return { journal, recovery: recoveryOf(found, start.identity) };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function lockFolder(disk: Disk, folder: string): Promise<DiskLock> {
  await disk.ensureDirectory(folder);
  return disk.lockDirectory(folder);
}

type WritingWay = Pick<FileJournalStart, 'alignment' | 'isDirect' | 'memory'>;

/** Past the page cache where the file system has that. */
async function writingWay(disk: Disk, folder: string, limits: FileJournalLimits): Promise<WritingWay> {
  const block = await disk.directBlock(join(folder, TRIAL_NAME));
  const aligned = block === 0 ? undefined : alignedMemory(limits);
  if (aligned !== undefined) return { alignment: block, isDirect: true, memory: aligned };
  return { alignment: BATCH_ALIGNMENT_BYTES, isDirect: false, memory: plainMemory(limits) };
}

/** Opens the last segment at its end, or begins one. */
async function prepare(
  opening: FileJournalOpening,
  folder: string,
  found: FoundLog,
  { alignment, isDirect }: WritingWay,
): Promise<Omit<FileJournalStart, keyof WritingWay>> {
  const { disk } = opening;
  const { chain, lastHeader } = found;
  const salt = lastHeader?.salt || (opening.salt ?? randomInt(1, 2 ** 32));
  const common = {
    identity: found.identity ?? opening.identity,
    epoch: chain.epoch + 1,
    sequence: chain.sequence,
    previousCrc: chain.crc,
    salt,
    headerBytes: Math.max(SEGMENT_HEADER_BYTES, alignment),
  };
  if (lastHeader !== undefined) {
    const file = await settleEnd(disk, folder, found, isDirect);
    const { bytes } = found.segments[found.segments.length - 1];
    if (lastHeader.format === FORMAT_VERSION && bytes % alignment === 0) {
      return { ...common, segments: found.segments, file, position: bytes };
    }
    await file.close();
  }
  const firstSequence = chain.sequence + 1;
  const header = { ...common, format: FORMAT_VERSION, firstSequence };
  const file = await createSegment(disk, folder, header, isDirect);
  // One that cannot be gone on with and holds nothing yet has just been replaced.
  const before = found.segments.filter((segment) => segment.firstSequence < firstSequence);
  const segments = [...before, { name: segmentName(firstSequence), firstSequence, bytes: 0 }];
  return { ...common, segments, file, position: common.headerBytes };
}

/** The last segment, with nothing behind its last batch; all of it is durable when this resolves. */
async function settleEnd(disk: Disk, folder: string, found: FoundLog, isDirect: boolean): Promise<DiskFile> {
  const last = found.segments[found.segments.length - 1];
  const file = await disk.open(join(folder, last.name), 'write', isDirect);
  // Cuts off an unfinished end, zeros, or what an earlier segment left there.
  await file.truncate(last.bytes);
  // What was read may not be on the disk yet, after the death of a process; the batches to come will say that it is durable. After a
  // failed sync the system takes such pages for clean, so that only writing them again gets them there: also behind an orderly end,
  // whose own last batch may be the one that failed.
  await rewrite(file, found.provenBytes, last.bytes);
  await datasync(file);
  await disk.syncDirectory(folder);
  return file;
}

/** Writes what is there once more. */
async function rewrite(file: DiskFile, start: number, end: number): Promise<void> {
  const chunk = Buffer.allocUnsafe(Math.min(REWRITE_BYTES, Math.max(0, end - start)));
  for (let at = start; at < end; at += chunk.length) {
    const piece = chunk.subarray(0, Math.min(chunk.length, end - at));
    await file.read(piece, at);
    await writeAll(file, piece, at);
  }
}

interface Beginning {
  readonly opening: FileJournalOpening;
  readonly limits: FileJournalLimits;
  readonly folder: string;
  readonly start: FileJournalStart;
  readonly found: FoundLog;
  readonly lock: DiskLock;
}

/** Writes the OPEN batch, which from then on shuts out whoever wrote before. */
async function begin({ opening, limits, folder, start, found, lock }: Beginning): Promise<Journal> {
  const { disk, clock, observer } = opening;
  const gate = new HandlerGate(opening.handler);
  const journal = new FileJournal({ disk, clock, handler: gate, observer, limits, folder, lock, start });
  if (start.sequence === 0) journal.batch.appendMeta(start.identity);
  journal.batch.appendOpen(found.state.revision);
  const opened = gate.durable();
  journal.commit();
  await opened;
  return journal;
}

/** Holds back the reports of the opening from the caller's handler. */
class HandlerGate implements JournalHandler {
  readonly #handler: JournalHandler;
  #opening: { resolve: () => void; reject: (error: Error) => void } | undefined;

  constructor(handler: JournalHandler) {
    this.#handler = handler;
  }

  /** Resolves with the next onDurable, rejects with onFatal; until then the handler hears nothing. */
  durable(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#opening = { resolve, reject };
    });
  }

  onWritten(sequence: number): void {
    if (this.#opening === undefined) this.#handler.onWritten(sequence);
  }

  onDurable(sequence: number): void {
    if (this.#opening === undefined) this.#handler.onDurable(sequence);
    this.#opening?.resolve();
    this.#opening = undefined;
  }

  onFatal(error: Error): void {
    if (this.#opening === undefined) this.#handler.onFatal(error);
    this.#opening?.reject(error);
    this.#opening = undefined;
  }
}

function recoveryOf(found: FoundLog, identity: JournalIdentity): Recovery {
  return {
    identity,
    isNew: found.segments.length === 0,
    isClean: found.state.isClean,
    revision: found.state.revision,
    batches: found.batches,
    effects: found.state.effects,
    bytes: found.bytes,
    replayedBytes: found.replayedBytes,
    cut: found.cut,
  };
}
