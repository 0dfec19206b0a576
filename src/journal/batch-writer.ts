// One batch being filled: effects are encoded straight into the bytes that go to disk (format.ts has the
// layout). A batch is reused for ever: filled, sealed, in flight, reset.
//
//   buffer  ┌─ header 64 B ─┬─ effect ─┬─ effect ─┬ … ┬─ zeros to a multiple of the alignment ─┐
//           0               64                        position
//
// `isFull` at `batchBytesMax` is where the caller commits before it begins another revision. One revision may be
// larger than that: the buffer grows for it, and `reset` gives the extra memory back.

import { assert } from '../base/assert.ts';
import { copyBytes } from '../base/bytes.ts';
import {
  ALARM,
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
  CLEAN,
  COMPACT,
  crcOf,
  DELETE,
  FLAG_FSYNC,
  LEASE_GRANT,
  LEASE_REVOKE,
  MARK,
  META,
  OPEN,
  PUT,
  paddedBytes,
  TIME,
  writeId,
  writeUint32,
  writeUint64,
} from './format.ts';
import type { JournalIdentity, LoggedDurability } from './journal.ts';

/** Type byte and three varints of at most eight bytes, also more than any effect of fixed size; and the padding. */
const EFFECT_OVERHEAD_BYTES = 32 + ALIGNMENT_BYTES_MAX;
/** Room beyond `batchBytesMax`, so that the revision that fills a batch does not make it grow. */
const SLACK_BYTES = 128 * 1024;

/** The memory of a batch that is full at `batchBytesMax`. */
export function batchBufferBytes(batchBytesMax: number): number {
  return batchBytesMax + SLACK_BYTES;
}

/** Where a batch stands in the log; filled in by the journal. */
export interface BatchPlace {
  sequence: number;
  epoch: number;
  durableSequence: number;
  previousCrc: number;
  crcSeed: number;
  /** What it is padded to a multiple of: a power of 2, at least 8. */
  alignment: number;
}

export class BatchWriter {
  readonly #batchBytesMax: number;
  readonly #memory: Uint8Array;
  #buffer: Uint8Array;
  #position: number = BATCH_HEADER_BYTES;
  #firstRevision = 0;
  #lastRevision = 0;
  #isFsync = false;
  #headerCrc = 0;

  /** `memory` has `batchBufferBytes(batchBytesMax)` bytes or more. */
  constructor(batchBytesMax: number, memory: Uint8Array = Buffer.alloc(batchBufferBytes(batchBytesMax))) {
    assert(batchBytesMax <= BATCH_BYTES_LIMIT, 'batchBytesMax is too large');
    this.#batchBytesMax = batchBytesMax;
    this.#memory = memory;
    this.#buffer = memory;
  }

  /** It is in other memory than it was given. */
  get hasGrown(): boolean {
    return this.#buffer !== this.#memory;
  }

  get isEmpty(): boolean {
    return this.#position === BATCH_HEADER_BYTES;
  }

  /** The batch has reached batchBytesMax: commit before the next revision. */
  get isFull(): boolean {
    return this.#position >= this.#batchBytesMax;
  }

  /** Header and effects so far. */
  get bytes(): number {
    return this.#position;
  }

  /** 0 while no revision has begun. */
  get firstRevision(): number {
    return this.#firstRevision;
  }

  get lastRevision(): number {
    return this.#lastRevision;
  }

  /** The strictest class of what is in the batch. */
  get durability(): LoggedDurability {
    return this.#isFsync ? 'fsync' : 'buffered';
  }

  /** What follows, up to the next call, belongs to main revision `revision`, higher than all before. */
  beginRevision(revision: number, durability: LoggedDurability): void {
    assert(revision > this.#lastRevision, 'revisions must grow');
    if (this.#firstRevision === 0) this.#firstRevision = revision;
    this.#lastRevision = revision;
    if (durability === 'fsync') this.#isFsync = true;
  }

  /** source[kvStart, kvEnd) is a KeyValue message whose mod_revision is the revision begun. */
  appendPut(sub: number, source: Uint8Array, kvStart: number, kvEnd: number): void {
    const length = kvEnd - kvStart;
    this.#ensure(length);
    this.#buffer[this.#position++] = PUT;
    this.#varint(sub);
    this.#varint(length);
    copyBytes(this.#buffer, this.#position, source, kvStart, kvEnd);
    this.#position += length;
  }

  /** The key source[keyStart, keyEnd) is deleted at the revision begun. */
  appendDelete(sub: number, source: Uint8Array, keyStart: number, keyEnd: number): void {
    const length = keyEnd - keyStart;
    this.#ensure(length);
    this.#buffer[this.#position++] = DELETE;
    this.#varint(this.#lastRevision);
    this.#varint(sub);
    this.#varint(length);
    copyBytes(this.#buffer, this.#position, source, keyStart, keyEnd);
    this.#position += length;
  }

  /** Like all effects below, of the class `fsync`. */
  appendLeaseGrant(id: bigint, ttlSeconds: number): void {
    this.#beginDurable(LEASE_GRANT);
    this.#id(id);
    this.#varint(ttlSeconds);
  }

  /** The keys of the lease are deleted by effects of their own. */
  appendLeaseRevoke(id: bigint): void {
    this.#beginDurable(LEASE_REVOKE);
    this.#id(id);
  }

  appendCompact(revision: number): void {
    this.#beginDurable(COMPACT);
    this.#varint(revision);
  }

  /** `alarm` is etcdserverpb.AlarmType. */
  appendAlarm(alarm: number, isRaised: boolean): void {
    this.#beginDurable(ALARM);
    this.#varint(alarm);
    this.#varint(isRaised ? 1 : 0);
  }

  /** After a crash the counter goes on from `revision` at least (revision-reserve.ts says when to call this). */
  appendMark(revision: number): void {
    this.#beginDurable(MARK);
    this.#varint(revision);
  }

  /** The four below are the journal's own. */
  appendMeta(identity: JournalIdentity): void {
    this.#beginDurable(META);
    this.#id(identity.memberId);
    this.#id(identity.clusterId);
  }

  appendOpen(revision: number): void {
    this.#beginDurable(OPEN);
    this.#varint(revision);
  }

  appendClean(revision: number): void {
    this.#beginDurable(CLEAN);
    this.#varint(revision);
  }

  /** Of no class: it goes with what is in the batch. */
  appendTime(wallMs: number): void {
    this.#ensure(0);
    this.#buffer[this.#position++] = TIME;
    this.#varint(wallMs);
  }

  /** Completes header and padding. Nothing may be appended until `reset`. Returns the header CRC. */
  seal(place: BatchPlace): number {
    const end = paddedBytes(this.#position, place.alignment);
    assert(end <= BATCH_BYTES_LIMIT, 'one revision is larger than a batch can hold');
    const buffer = this.#buffer;
    const bodyBytes = this.#position - BATCH_HEADER_BYTES;
    buffer.fill(0, this.#position, end);
    this.#position = end;
    writeUint32(buffer, 0, BATCH_MAGIC);
    writeUint32(buffer, AT_BODY_CRC, crcOf(buffer, BATCH_HEADER_BYTES, end, place.crcSeed));
    writeUint32(buffer, AT_PREVIOUS_CRC, place.previousCrc);
    writeUint64(buffer, AT_SEQUENCE, place.sequence);
    writeUint64(buffer, AT_EPOCH, place.epoch);
    writeUint64(buffer, AT_FIRST_REVISION, this.#firstRevision);
    writeUint64(buffer, AT_LAST_REVISION, this.#lastRevision);
    writeUint64(buffer, AT_DURABLE_SEQUENCE, place.durableSequence);
    writeUint32(buffer, AT_BODY_BYTES, bodyBytes);
    writeUint32(buffer, AT_FLAGS, this.#isFsync ? FLAG_FSYNC : 0);
    buffer[AT_ALIGNMENT] = place.alignment === BATCH_ALIGNMENT_BYTES ? 0 : Math.log2(place.alignment);
    this.#headerCrc = crcOf(buffer, AT_BODY_CRC, BATCH_HEADER_BYTES, place.crcSeed);
    writeUint32(buffer, AT_HEADER_CRC, this.#headerCrc);
    return this.#headerCrc;
  }

  /** The sealed batch; valid until `reset`. */
  view(): Uint8Array {
    return this.#buffer.subarray(0, this.#position);
  }

  /** Empties the batch for its next use. */
  reset(): void {
    this.#position = BATCH_HEADER_BYTES;
    this.#firstRevision = 0;
    this.#lastRevision = 0;
    this.#isFsync = false;
    this.#buffer = this.#memory;
  }

  #beginDurable(type: number): void {
    this.#ensure(0);
    this.#buffer[this.#position++] = type;
    this.#isFsync = true;
  }

  #id(id: bigint): void {
    writeId(this.#buffer, this.#position, id);
    this.#position += 8;
  }

  /** A whole number from 0 to 2^53 − 1; room is there. */
  #varint(value: number): void {
    const buffer = this.#buffer;
    let at = this.#position;
    while (value > 0x7fff_ffff) {
      buffer[at++] = (value % 128) | 128;
      value = Math.floor(value / 128);
    }
    while (value > 127) {
      buffer[at++] = (value & 127) | 128;
      value >>>= 7;
    }
    buffer[at++] = value;
    this.#position = at;
  }

  /** Room for an effect with `bytes` of content, and for the padding. */
  #ensure(bytes: number): void {
    const needed = this.#position + bytes + EFFECT_OVERHEAD_BYTES;
    if (needed > this.#buffer.length) this.#grow(needed);
  }

  #grow(needed: number): void {
    const grown = Buffer.alloc(Math.max(needed, this.#buffer.length * 2));
    grown.set(this.#buffer.subarray(0, this.#position));
    this.#buffer = grown;
  }
}
