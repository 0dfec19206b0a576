// Batches read back: is the one at an offset whole and the next in the chain, and if not, does the log go on
// behind it?
//
// Several batches may be on their way to the disk at once, and a power cut keeps any of them. So a bad batch with good
// ones behind it proves nothing by itself. Each batch names the last one that was durable when it was written: only
// when a good batch says so of the bad one, or of one behind it, had the bad one been durable, and is damaged now.

import {
  ALIGNMENT_BYTES_MAX,
  AT_ALIGNMENT,
  AT_BODY_BYTES,
  AT_BODY_CRC,
  AT_DURABLE_SEQUENCE,
  AT_EPOCH,
  AT_FIRST_REVISION,
  AT_FLAGS,
  AT_HEADER_CRC,
  AT_LAST_REVISION,
  AT_PREVIOUS_CRC,
  AT_SEQUENCE,
  BATCH_ALIGNMENT_BYTES,
  BATCH_BYTES_LIMIT,
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  crcOf,
  paddedBytes,
  readUint32,
  readUint64,
} from './format.ts';

/** The place in the chain after the last good batch. */
export interface ChainEnd {
  /** Of the last good batch. */
  sequence: number;
  epoch: number;
  crc: number;
  crcSeed: number;
}

/**
 * `durable batches`: some of them tell that the missing one had been durable. `batches`: of this segment, and none does.
 * `earlier-segment`: only of one that had the file before. A good header counts, whatever its body is.
 */
export type SegmentRest = 'no batches' | 'earlier-segment' | 'batches' | 'durable batches';

/** Fields of the batch that `check` found good. */
export class BatchReader {
  readonly #magic: Uint8Array = Buffer.alloc(4);
  sequence = 0;
  epoch = 0;
  headerCrc = 0;
  firstRevision = 0;
  lastRevision = 0;
  durableSequence = 0;
  flags = 0;
  bodyStart = 0;
  bodyEnd = 0;
  /** Where the next batch begins. */
  end = 0;

  constructor() {
    const magic = BATCH_MAGIC;
    this.#magic.set([magic & 255, (magic >>> 8) & 255, (magic >>> 16) & 255, magic >>> 24]);
  }

  /** Reads buffer[at, limit) as the batch after `chain`. Returns what is wrong with it, or undefined. */
  check(buffer: Uint8Array, at: number, limit: number, chain: ChainEnd): string | undefined {
    const wrong = this.readHeader(buffer, at, limit, chain.crcSeed);
    if (wrong !== undefined) return wrong;
    if (this.sequence !== chain.sequence + 1) {
      return `batch ${this.sequence} stands where batch ${chain.sequence + 1} should`;
    }
    if (this.previousCrcAt(buffer, at) !== chain.crc) return 'the batch does not follow the one before it';
    if (this.epoch < chain.epoch) return `the epoch goes back from ${chain.epoch} to ${this.epoch}`;
    return this.checkBody(buffer, at, limit, chain.crcSeed);
  }

  /** After `readHeader`, the same for its body. */
  checkBody(buffer: Uint8Array, at: number, limit: number, crcSeed: number): string | undefined {
    if (this.end > limit) return 'the batch is cut off';
    const crc = crcOf(buffer, this.bodyStart, this.end, crcSeed);
    if (crc !== readUint32(buffer, at + AT_BODY_CRC)) return 'the checksum of the batch body does not match';
    return undefined;
  }

  /** The header CRC of the batch before, as the one at `at` names it. */
  previousCrcAt(buffer: Uint8Array, at: number): number {
    return readUint32(buffer, at + AT_PREVIOUS_CRC);
  }

  /**
   * What buffer[from, …), which does not begin with the next batch, holds of batches; `firstSequence` is the segment's. An earlier
   * segment in the same file had smaller sequences only, and a segment with batches of its own behind the bad one ends torn.
   */
  restOf(buffer: Uint8Array, from: number, chain: ChainEnd, firstSequence: number): SegmentRest {
    let rest: SegmentRest = 'no batches';
    const limit = buffer.length;
    for (let at = this.nextHeader(buffer, from, limit, chain.crcSeed); at >= 0; ) {
      if (this.epoch >= chain.epoch && this.durableSequence > chain.sequence) return 'durable batches';
      if (this.sequence >= firstSequence) rest = 'batches';
      else if (rest === 'no batches') rest = 'earlier-segment';
      at = this.nextHeader(buffer, at + BATCH_ALIGNMENT_BYTES, limit, chain.crcSeed);
    }
    return rest;
  }

  /** Where the next good batch header in buffer[from, limit) is, whatever its place in the chain; it has been read. Or -1. */
  nextHeader(buffer: Uint8Array, from: number, limit: number, crcSeed: number): number {
    for (let at = this.nextMagic(buffer, from); at >= 0; at = this.nextMagic(buffer, at + 1)) {
      if (this.readHeader(buffer, at, limit, crcSeed) === undefined) return at;
    }
    return -1;
  }

  /** Where the next batch header in buffer[from, …) may be, good or not; or -1. */
  nextMagic(buffer: Uint8Array, from: number): number {
    const searched = Buffer.from(buffer.buffer, buffer.byteOffset, buffer.length);
    let at = searched.indexOf(this.#magic, from);
    while (at >= 0 && at % BATCH_ALIGNMENT_BYTES !== 0) at = searched.indexOf(this.#magic, at + 1);
    return at;
  }

  /** Reads the header of a batch by itself. Returns what is wrong with it, or undefined. */
  readHeader(buffer: Uint8Array, at: number, limit: number, crcSeed: number): string | undefined {
    if (at + BATCH_HEADER_BYTES > limit) return 'the batch header is cut off';
    if (readUint32(buffer, at) !== BATCH_MAGIC) return 'no batch begins here';
    this.headerCrc = readUint32(buffer, at + AT_HEADER_CRC);
    if (crcOf(buffer, at + AT_BODY_CRC, at + BATCH_HEADER_BYTES, crcSeed) !== this.headerCrc) {
      return 'the checksum of the batch header does not match';
    }
    this.sequence = readUint64(buffer, at + AT_SEQUENCE);
    this.epoch = readUint64(buffer, at + AT_EPOCH);
    this.firstRevision = readUint64(buffer, at + AT_FIRST_REVISION);
    this.lastRevision = readUint64(buffer, at + AT_LAST_REVISION);
    this.durableSequence = readUint64(buffer, at + AT_DURABLE_SEQUENCE);
    this.flags = buffer[at + AT_FLAGS] | (buffer[at + AT_FLAGS + 1] << 8);
    const bodyBytes = readUint32(buffer, at + AT_BODY_BYTES);
    if (bodyBytes > BATCH_BYTES_LIMIT) return 'the batch is longer than any can be';
    this.bodyStart = at + BATCH_HEADER_BYTES;
    this.bodyEnd = this.bodyStart + bodyBytes;
    const alignment = buffer[at + AT_ALIGNMENT] === 0 ? BATCH_ALIGNMENT_BYTES : 1 << buffer[at + AT_ALIGNMENT];
    if (alignment < BATCH_ALIGNMENT_BYTES || alignment > ALIGNMENT_BYTES_MAX) {
      return 'the batch is padded as none can be';
    }
    this.end = at + paddedBytes(BATCH_HEADER_BYTES + bodyBytes, alignment);
    return undefined;
  }
}

/** True when buffer[start, end) holds only zeros. */
export function isZero(buffer: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (buffer[i] !== 0) return false;
  return true;
}
