// Reading a log from its folder: every batch is checked and its effects given to a visitor, in order. Nothing is
// written here; the result says where the log ends and what is to be cut off behind it.
//
// What may be found after the last good batch, and what it means:
//   nothing, or a later segment that goes on exactly here      the log is whole
//   zeros to the end of the segment                            space set down ahead, or a file that grew without its bytes
//   batches with sequences below the segment's first           what an earlier segment left in the file
//   in the last segment: a torn batch, batches that
//   were in flight together and came out of order              an unfinished end: cut (TailCut)
//   anything, and a later batch or segment tells that the
//   missing batch had been durable                             damage: CorruptionError
//
// With a base, the state after some batch that is known without the log, reading begins at the segment that holds the next
// one, and what the base holds already is not applied again.
//
// A segment is begun only when all of the one before it is durable, so that only the last may have an unfinished
// end. Reading one segment overlaps with checking the one before; memory is two segments.

import { join } from 'node:path';
import { type Disk, DiskError } from '../io/disk.ts';
import { BatchReader, type ChainEnd, isZero } from './batch-reader.ts';
import { EffectReader, emptyLogState, type LogState } from './effects.ts';
import { CorruptionError, ForeignLogError } from './errors.ts';
import { crcSeedOf, SEGMENT_HEADER_BYTES, TIMED_FORMAT_VERSION } from './format.ts';
import type { JournalIdentity, JournalVisitor, LogBase, LogFloor, TailCut } from './journal.ts';
import type { CompletedBatch } from './log-times.ts';
import { decodeSegmentHeader, isUnusedName, type SegmentHeader, sequenceOfName } from './segment.ts';

export interface StoredSegment {
  readonly name: string;
  readonly firstSequence: number;
  /** Up to the end of its last batch; of one that the base makes needless, and that was not read, all of its file. */
  bytes: number;
}

/** A log as it was found. */
export interface FoundLog {
  /** In order; empty when there is no log. */
  readonly segments: readonly StoredSegment[];
  /** Files that hold nothing of the log, to be removed. */
  readonly unused: readonly string[];
  /** Of the last segment; undefined when there is no log. */
  readonly lastHeader: SegmentHeader | undefined;
  readonly identity: JournalIdentity | undefined;
  readonly chain: Readonly<ChainEnd>;
  readonly state: Readonly<LogState>;
  readonly batches: number;
  readonly bytes: number;
  /** Of the batches behind the base. */
  readonly replayedBytes: number;
  /** Of the last segment: up to here a batch tells that all had been durable. */
  readonly provenBytes: number;
  readonly cut: TailCut | undefined;
}

/** Batches whose places are kept, to find where what is proven ends. Above it nothing counts as proven. */
const PLACES = 1024;

export interface RecoveryOptions {
  readonly disk: Disk;
  /** The folder of the segments. */
  readonly folder: string;
  readonly visitor: JournalVisitor;
  /** Called for each batch behind the base, after its effects were given to the visitor. */
  readonly onBatch?: ((batch: CompletedBatch) => void) | undefined;
  /** Refuses the log of another cluster; undefined takes any. */
  readonly clusterId?: bigint | undefined;
  /** What the log goes on from; undefined: from nothing, so that it must be whole. */
  readonly base?: LogBase | undefined;
  /** The log, or the base, must reach this far; undefined: a log that does not exist is new. */
  readonly floor?: LogFloor | undefined;
  /** Called after each segment that was read, of `count`. */
  readonly onProgress?: ((done: number, count: number) => void) | undefined;
}

/** The first batch that the log can hold, as its files are named; undefined when there is no log. Rejects as `readLog` does. */
export async function logBegin(disk: Disk, folder: string): Promise<number | undefined> {
  const { segments } = segmentsOf(folder, await namesIn(disk, folder));
  return segments.at(0)?.firstSequence;
}

/** Rejects with CorruptionError, ForeignLogError or DiskError. */
export async function readLog(options: RecoveryOptions): Promise<FoundLog> {
  const { segments, unused } = segmentsOf(options.folder, await namesIn(options.disk, options.folder));
  const { base, onProgress } = options;
  const left = await leftByRepair(options, segments);
  if (left !== undefined) unused.push(left.name);
  const replay = new Replay(options);
  const blocks = new BlockReader(options.disk, options.folder);
  const needed = (base?.sequence ?? 0) + 1;
  const first = Math.max(
    0,
    segments.findLastIndex(({ firstSequence }) => firstSequence <= needed),
  );
  for (let i = 0; i < first; i++) segments[i].bytes = await blocks.size(segments[i].name);
  let next = segments.length > 0 ? blocks.read(segments[first].name) : undefined;
  for (let i = first; next !== undefined; i++) {
    const block = await next;
    next = i + 1 < segments.length ? blocks.read(segments[i + 1].name) : undefined;
    // Whoever throws below leaves this read behind; its own failure then is of no interest.
    next?.catch(() => {});
    segments[i].bytes = replay.segment(segments[i], block, i + 1 === segments.length);
    onProgress?.(i + 1 - first, segments.length - first);
  }
  const result = replay.result();
  if (base !== undefined && result.chain.sequence < base.sequence) {
    throw new ForeignLogError(
      base.file,
      `is newer than the log: it holds batch ${base.sequence}, and ${options.folder} ends at batch ` +
        `${result.chain.sequence}. Going on would use revisions twice; bring the log's missing segments back`,
    );
  }
  checkFloor(options, result.chain.sequence);
  return { segments, unused, ...result };
}

function checkFloor({ floor, folder }: RecoveryOptions, sequence: number): void {
  if (floor === undefined || sequence >= floor.sequence) return;
  const ends = `it says that batch ${floor.sequence} was durable, and ${folder} ends at batch ${sequence}`;
  const remedy = "bring the log's missing segments back, or a good snapshot";
  throw new CorruptionError(floor.file, floor.offset, `${floor.reason}; ${ends}: ${remedy}`);
}

/** Of a folder that does not exist: none. */
async function namesIn(disk: Disk, folder: string): Promise<string[]> {
  try {
    return await disk.list(folder);
  } catch (error) {
    if (error instanceof DiskError && error.code === 'ENOENT') return [];
    throw error;
  }
}

/**
 * A repair makes an empty segment that names no batch before it, and then the snapshot that it goes on from (src/repair/repair.ts).
 * Without that snapshot the repair did not take place: the segment is taken out of the log, of which nothing else has changed.
 * Never the only thing there is: then the snapshot may have been lost later. Nor one of another cluster, which is refused in its turn.
 */
async function leftByRepair(options: RecoveryOptions, segments: StoredSegment[]): Promise<StoredSegment | undefined> {
  const { disk, folder, base } = options;
  const [before, last] = [segments.at(-2), segments.at(-1)];
  if (last === undefined || (base !== undefined && last.firstSequence === base.sequence + 1)) return undefined;
  try {
    const { header, bytes } = await headOf(disk, join(folder, last.name));
    if (bytes !== SEGMENT_HEADER_BYTES || header.previousCrc !== 0) return undefined;
    // Undefined where it is the only thing there is.
    const clusterId =
      base?.clusterId ?? (before && (await headOf(disk, join(folder, before.name))).header.identity.clusterId);
    return header.identity.clusterId === clusterId ? segments.pop() : undefined;
  } catch (error) {
    // Met again, and told, where the segment's turn comes.
    if (error instanceof CorruptionError || error instanceof ForeignLogError) return undefined;
    throw error;
  }
}

/** Throws as `decodeSegmentHeader` does; rejects with DiskError. */
async function headOf(disk: Disk, path: string): Promise<{ header: SegmentHeader; bytes: number }> {
  const file = await disk.open(path, 'read');
  try {
    const head = Buffer.alloc(SEGMENT_HEADER_BYTES);
    const header = decodeSegmentHeader(path, head.subarray(0, await file.read(head, 0)));
    return { header, bytes: await file.size() };
  } finally {
    await file.close();
  }
}

function segmentsOf(folder: string, names: readonly string[]): { segments: StoredSegment[]; unused: string[] } {
  const segments: StoredSegment[] = [];
  const unused: string[] = [];
  for (const name of names) {
    const firstSequence = sequenceOfName(name);
    if (firstSequence !== undefined) segments.push({ name, firstSequence, bytes: 0 });
    else if (isUnusedName(name)) unused.push(name);
    else throw new ForeignLogError(join(folder, name), 'is not a file of the log; move it away');
  }
  return { segments, unused };
}

/** Whole segments, read into two buffers in turn. */
class BlockReader {
  readonly #disk: Disk;
  readonly #folder: string;
  #buffers: [Uint8Array, Uint8Array] = [new Uint8Array(0), new Uint8Array(0)];

  constructor(disk: Disk, folder: string) {
    this.#disk = disk;
    this.#folder = folder;
  }

  async size(name: string): Promise<number> {
    const file = await this.#disk.open(join(this.#folder, name), 'read');
    try {
      return await file.size();
    } finally {
      await file.close();
    }
  }

  /** The result is valid until the next read but one. */
  async read(name: string): Promise<Uint8Array> {
    const file = await this.#disk.open(join(this.#folder, name), 'read');
    try {
      const size = await file.size();
      const [spare, used] = this.#buffers;
      const buffer = spare.length >= size ? spare : Buffer.allocUnsafeSlow(size);
      this.#buffers = [used, buffer];
      const bytes = await file.read(buffer.subarray(0, size), 0);
      return buffer.subarray(0, bytes);
    } finally {
      await file.close();
    }
  }
}

class Replay {
  readonly #folder: string;
  readonly #base: LogBase | undefined;
  /** The last batch that the base holds. */
  readonly #baseSequence: number;
  readonly #clusterId: bigint | undefined;
  readonly #onBatch: ((batch: CompletedBatch) => void) | undefined;
  readonly #reader: BatchReader = new BatchReader();
  readonly #effects: EffectReader;
  readonly #state: LogState;
  readonly #chain: ChainEnd = { sequence: 0, epoch: 0, crc: 0, crcSeed: 0 };
  #identity: JournalIdentity | undefined;
  /** Of the segment read last. */
  #header: SegmentHeader | undefined;
  /** What is behind the batches of the segment before, unless it is space set down ahead: damage if the log does not go on from there. */
  #doubt: CorruptionError | undefined;
  #batches = 0;
  #bytes = 0;
  #replayedBytes = 0;
  #cut: TailCut | undefined;
  /** Where the last batches begin in the last segment, by sequence modulo PLACES. */
  readonly #places = new Float64Array(PLACES);
  #durableSequence = 0;
  #endOfSegment = 0;

  constructor(options: RecoveryOptions) {
    this.#folder = options.folder;
    this.#base = options.base;
    this.#baseSequence = options.base?.sequence ?? 0;
    this.#clusterId = options.clusterId;
    this.#state = emptyLogState(options.base?.revision ?? 0);
    this.#onBatch = options.onBatch;
    this.#effects = new EffectReader(options.visitor, this.#state);
  }

  result(): Omit<FoundLog, 'segments' | 'unused'> {
    return {
      identity: this.#identity,
      lastHeader: this.#header,
      chain: this.#chain,
      state: this.#state,
      batches: this.#batches,
      bytes: this.#bytes,
      replayedBytes: this.#replayedBytes,
      provenBytes: this.#provenBytes,
      cut: this.#cut,
    };
  }

  get #provenBytes(): number {
    const unproven = this.#durableSequence + 1;
    const { sequence } = this.#chain;
    if (unproven > sequence) return this.#endOfSegment;
    if (unproven < (this.#header?.firstSequence ?? 0) || sequence - unproven >= PLACES) return 0;
    return this.#places[unproven % PLACES];
  }

  /** Where its batches end. */
  segment(stored: StoredSegment, block: Uint8Array, isLast: boolean): number {
    const file = join(this.#folder, stored.name);
    const header = decodeSegmentHeader(file, block);
    if (header.firstSequence !== stored.firstSequence) {
      throw new CorruptionError(
        file,
        0,
        `the segment begins at batch ${header.firstSequence}, its name says otherwise`,
      );
    }
    if (this.#identity === undefined) this.#begin(file, header);
    else this.#goOn(file, header, this.#identity);
    this.#header = header;
    this.#doubt = undefined;
    this.#chain.crcSeed = crcSeedOf(header.identity.clusterId, header.salt);
    let at = header.headerBytes;
    let wrong: string | undefined;
    while (at < block.length && wrong === undefined) {
      wrong = this.#reader.check(block, at, block.length, this.#chain);
      if (wrong === undefined) {
        this.#apply(file, block, at);
        at = this.#reader.end;
      }
    }
    if (wrong !== undefined) this.#tail(file, block, at, wrong, isLast);
    this.#bytes += at;
    this.#endOfSegment = at;
    return at;
  }

  #begin(file: string, header: SegmentHeader): void {
    const { clusterId } = header.identity;
    if (this.#clusterId !== undefined && this.#clusterId !== clusterId) {
      throw new ForeignLogError(file, `belongs to cluster ${hex(clusterId)}, not to ${hex(this.#clusterId)}`);
    }
    const base = this.#base;
    if (base !== undefined && base.clusterId !== clusterId) {
      throw new ForeignLogError(base.file, `belongs to cluster ${hex(base.clusterId)}, the log to ${hex(clusterId)}`);
    }
    const needed = this.#baseSequence + 1;
    if (header.firstSequence > needed) {
      const remedy =
        base === undefined
          ? 'no good snapshot holds what was before: bring one back, or the missing segments'
          : `that is what follows ${base.file}: bring the missing segments back, or a newer snapshot`;
      const found = `the log begins at batch ${header.firstSequence}, but batch ${needed} is needed`;
      throw new CorruptionError(file, 0, `${found}; ${remedy}`);
    }
    this.#identity = header.identity;
    this.#chain.sequence = header.firstSequence - 1;
    this.#chain.epoch = header.epoch;
    this.#chain.crc = header.previousCrc;
  }

  #goOn(file: string, header: SegmentHeader, identity: JournalIdentity): void {
    if (header.identity.clusterId !== identity.clusterId || header.identity.memberId !== identity.memberId) {
      throw new ForeignLogError(file, `belongs to cluster ${hex(header.identity.clusterId)}, unlike the log before it`);
    }
    const { sequence, crc, epoch } = this.#chain;
    if (header.firstSequence !== sequence + 1) {
      const gap = `the log ends at batch ${sequence} and goes on at batch ${header.firstSequence}`;
      throw this.#doubt ?? new CorruptionError(file, 0, gap);
    }
    if (header.previousCrc !== crc || header.epoch < epoch) {
      throw this.#doubt ?? new CorruptionError(file, 0, 'the segment does not follow the one before it');
    }
  }

  #apply(file: string, block: Uint8Array, at: number): void {
    const reader = this.#reader;
    if (reader.sequence > this.#baseSequence) {
      this.#state.wallMs = undefined;
      const wrong = this.#effects.read(block, reader.bodyStart, reader.bodyEnd);
      if (wrong !== undefined) throw new CorruptionError(file, at, wrong);
      if (reader.lastRevision > this.#state.revision) this.#state.revision = reader.lastRevision;
      this.#replayedBytes += reader.end - at;
      const isTimed = (this.#header?.format ?? 0) >= TIMED_FORMAT_VERSION;
      this.#onBatch?.({ lastRevision: reader.lastRevision, wallMs: this.#state.wallMs, isTimed });
    }
    this.#chain.sequence = reader.sequence;
    this.#chain.epoch = reader.epoch;
    this.#chain.crc = reader.headerCrc;
    this.#places[reader.sequence % PLACES] = at;
    this.#durableSequence = reader.durableSequence;
    this.#batches++;
  }

  /** The bytes from `at` on are not the next batch. */
  #tail(file: string, block: Uint8Array, at: number, wrong: string, isLast: boolean): void {
    if (isZero(block, at, block.length)) return;
    const rest = this.#reader.restOf(block, at, this.#chain, this.#header?.firstSequence ?? 0);
    if (!isLast) {
      const damage = new CorruptionError(file, at, wrong);
      if (rest === 'batches' || rest === 'durable batches') throw damage;
      // Where the next segment goes on exactly from here, these are bytes of an earlier one.
      this.#doubt = damage;
      return;
    }
    if (this.#base !== undefined && this.#chain.sequence < this.#baseSequence) {
      throw new CorruptionError(file, at, `${wrong}, but ${this.#base.file} holds batches up to ${this.#baseSequence}`);
    }
    if (rest === 'durable batches') throw new CorruptionError(file, at, `${wrong}, but later batches are there`);
    if (rest === 'earlier-segment') return;
    this.#cut = { file, offset: at, bytes: block.length - at, reason: wrong };
  }
}

function hex(id: bigint): string {
  return BigInt.asUintN(64, id).toString(16);
}
