// Value segments: append-only memory holding one record per version of a key.
//
//   record, 4-byte aligned
//   +0  u32  KeyValue bytes (bits 0…28), sub present (29), superseded (30), dead (31)
//   +4  u32  owner: the row whose last version this is; when superseded, the low 32 bits of the history position of
//            the change that replaced it; when dead, meaningless
//   +8       the KeyValue (key-value.ts), then zero to three bytes of padding
//   end u32  sub revision, only if it is not 0
//
// An address is segment × 2^32 + offset as a double; 0 is "none", since segments count from 1.
//
// Invariants: the KeyValue bytes never change once written. Memory of a dropped segment is used for another one, unless it was
// lent (`lend`): whoever holds its buffer then may go on reading. Numbers of dropped segments are used again, the oldest first and only
// when REUSE_AFTER_COUNT others were dropped since, so that an address kept too long fails soon rather than silently.
//
// Two segments are open: "hot" takes new versions, "cold" takes records moved out of mostly dead segments, so that
// long-lived records come together. A record larger than a segment gets one of its own. A segment that is not open and
// has no live record is dropped; while pinned (`pin`), it stays reachable by address until the last pin is gone.

import { assert } from '../base/assert.ts';
import { copyBytes } from '../base/bytes.ts';
import type { StoreMemory } from './memory.ts';

/** With the header of the C library's allocator 4 MiB: two huge pages where it asks for them (docs/operating.md). */
export const SEGMENT_BYTES_DEFAULT: number = (4 << 20) - 4096;
/** What a row has room for. The offset in a segment of one record, which may be larger, is 0. */
export const SEGMENT_BITS = 21;
export const OFFSET_BITS = 22;
const SEGMENT_COUNT_MAX: number = 1 << SEGMENT_BITS;
const SEGMENT_BYTES_MAX: number = 1 << OFFSET_BITS;
export const RECORD_HEADER_BYTES = 8;
export const KEY_VALUE_BYTES_MAX: number = (1 << 29) - 1;

const TWO_32 = 0x1_0000_0000;
const LENGTH_MASK = 0x1fff_ffff;
const FLAG_SUB = 0x2000_0000;
const FLAG_SUPERSEDED = 0x4000_0000;
const FLAG_DEAD = 0x8000_0000;
const REUSE_AFTER_COUNT = 1024;
const PAGE_BYTES = 4096;
/** Of a processor's cache line. */
const LINE_WORDS = 16;
const NO_BYTES: Uint8Array = Buffer.alloc(0);
const NO_WORDS: Uint32Array = new Uint32Array(0);

export function addressOf(segment: number, offset: number): number {
  return segment * TWO_32 + offset;
}

export function addressSegment(address: number): number {
  return Math.floor(address / TWO_32);
}

export function addressOffset(address: number): number {
  return address >>> 0;
}

/** An append position: the open segment of one temperature. */
export class OpenSegment {
  segment = 0;
  /** Bytes written. */
  used = 0;
  capacity = 0;
}

export class Segments {
  readonly #memory: StoreMemory;
  readonly segmentBytes: number;
  readonly hot: OpenSegment = new OpenSegment();
  readonly cold: OpenSegment = new OpenSegment();
  /** By segment number. A dropped one is empty. */
  readonly #bytes: Uint8Array[] = [NO_BYTES];
  readonly #words: Uint32Array[] = [NO_WORDS];
  /** By segment number: bytes of records that are not dead; bytes written; highest main revision written. */
  readonly #live: number[] = [0];
  readonly #used: number[] = [0];
  readonly #mainMax: number[] = [0];
  /** By segment number: somebody outside may hold its memory. */
  readonly #isLent: boolean[] = [false];
  readonly #droppedNumbers: number[] = [];
  readonly #waitingForUnpin: number[] = [];
  #pins = 0;
  #liveBytes = 0;
  #memoryBytes = 0;

  constructor(segmentBytes: number, memory: StoreMemory) {
    this.#memory = memory;
    assert(segmentBytes >= 64 && segmentBytes <= SEGMENT_BYTES_MAX && segmentBytes % 4 === 0, 'segment size');
    this.segmentBytes = segmentBytes;
  }

  /** Bytes of all records that are not dead, headers included. */
  get liveBytes(): number {
    return this.#liveBytes;
  }

  /** Bytes written in segments that are held, in whole pages. */
  get memoryBytes(): number {
    return this.#memoryBytes + pages(this.hot.used) + pages(this.cold.used);
  }

  /** One more than the highest segment number in use. */
  get numberEnd(): number {
    return this.#bytes.length;
  }

  bytes(segment: number): Uint8Array {
    return this.#bytes[segment];
  }

  /** As `bytes`, for whoever reads on after the segment may have been dropped. */
  lend(segment: number): Uint8Array {
    this.#isLent[segment] = true;
    return this.#bytes[segment];
  }

  live(segment: number): number {
    return this.#live[segment];
  }

  used(segment: number): number {
    return this.#used[segment];
  }

  mainMax(segment: number): number {
    return this.#mainMax[segment];
  }

  isOpen(segment: number): boolean {
    return segment === this.hot.segment || segment === this.cold.segment;
  }

  /**
   * Reserves a record in the open segment and writes its header and sub; the caller writes the KeyValue at the offset
   * returned + 8. The segment is `open.segment` afterwards, except for a record larger than a segment: then it is the
   * one returned by `lastSegment`, as it is in every case.
   */
  append(open: OpenSegment, keyValueBytes: number, sub: number, main: number): number {
    assert(keyValueBytes <= KEY_VALUE_BYTES_MAX, 'record size');
    const bytes = RECORD_HEADER_BYTES + ((keyValueBytes + 3) & ~3) + (sub === 0 ? 0 : 4);
    let segment = open.segment;
    let offset = open.used;
    if (offset + bytes > open.capacity) {
      if (bytes > this.segmentBytes) {
        segment = this.#add(this.#memory.allocate(bytes));
        offset = 0;
        this.#seal(segment, bytes);
      } else {
        this.#seal(open.segment, open.used);
        const full = open.segment;
        open.segment = segment = this.#add(this.#memory.allocateUsed(this.segmentBytes));
        open.capacity = this.segmentBytes;
        open.used = offset = 0;
        this.#dropIfDead(full);
      }
    }
    if (segment === open.segment) open.used = offset + bytes;
    const words = this.#words[segment];
    words[offset >>> 2] = sub === 0 ? keyValueBytes : keyValueBytes | FLAG_SUB;
    // The padding is zero whatever was here before.
    words[(offset + RECORD_HEADER_BYTES + keyValueBytes - 1) >>> 2] = 0;
    if (sub !== 0) words[(offset + bytes - 4) >>> 2] = sub;
    this.#live[segment] += bytes;
    this.#liveBytes += bytes;
    if (main > this.#mainMax[segment]) this.#mainMax[segment] = main;
    this.lastSegment = segment;
    return offset;
  }

  /** The segment of the last `append`. */
  lastSegment = 0;

  /** Copies the first bytes of one record's KeyValue to another's, and up to three more. */
  copyHead(segment: number, offset: number, toSegment: number, toOffset: number, bytes: number): void {
    const words = this.#words[segment];
    const target = this.#words[toSegment];
    let from = (offset + RECORD_HEADER_BYTES) >>> 2;
    let to = (toOffset + RECORD_HEADER_BYTES) >>> 2;
    for (const end = from + ((bytes + 3) >>> 2); from < end; from++) target[to++] = words[from];
  }

  /** Reads the first 64 bytes of a record and some behind them, where the fields of a usual key are; the value is of no use. */
  touch(segment: number, offset: number): number {
    const words = this.#words[segment];
    const at = offset >>> 2;
    return words[at] ^ words[Math.min(at + LINE_WORDS, words.length - 1)];
  }

  keyValueBytes(segment: number, offset: number): number {
    return this.#words[segment][offset >>> 2] & LENGTH_MASK;
  }

  recordBytes(segment: number, offset: number): number {
    return sizeOf(this.#words[segment][offset >>> 2]);
  }

  sub(segment: number, offset: number): number {
    const words = this.#words[segment];
    const head = words[offset >>> 2];
    return (head & FLAG_SUB) === 0 ? 0 : words[(offset + sizeOf(head) - 4) >>> 2];
  }

  owner(segment: number, offset: number): number {
    return this.#words[segment][(offset >>> 2) + 1];
  }

  isDead(segment: number, offset: number): boolean {
    return (this.#words[segment][offset >>> 2] & FLAG_DEAD) !== 0;
  }

  isSuperseded(segment: number, offset: number): boolean {
    return (this.#words[segment][offset >>> 2] & FLAG_SUPERSEDED) !== 0;
  }

  ownByRow(segment: number, offset: number, row: number): void {
    const words = this.#words[segment];
    words[offset >>> 2] &= ~FLAG_SUPERSEDED;
    words[(offset >>> 2) + 1] = row;
  }

  ownByHistory(segment: number, offset: number, position: number): void {
    const words = this.#words[segment];
    words[offset >>> 2] |= FLAG_SUPERSEDED;
    words[(offset >>> 2) + 1] = position;
  }

  /** The record is garbage; its segment goes when it was the last one. */
  release(segment: number, offset: number): void {
    const words = this.#words[segment];
    const head = words[offset >>> 2];
    assert((head & FLAG_DEAD) === 0, 'record released twice');
    words[offset >>> 2] = head | FLAG_DEAD;
    const bytes = sizeOf(head);
    this.#live[segment] -= bytes;
    this.#liveBytes -= bytes;
    this.#dropIfDead(segment);
  }

  /**
   * Takes memory that is full of records, none of them dead, as a segment; `mainMax` is the highest main revision in
   * it. Returns its number, which follows the one before.
   */
  adopt(memory: ArrayBuffer | SharedArrayBuffer, mainMax: number): number {
    const segment = this.#add(memory);
    this.#live[segment] = memory.byteLength;
    this.#liveBytes += memory.byteLength;
    this.#mainMax[segment] = mainMax;
    this.#seal(segment, memory.byteLength);
    return segment;
  }

  /**
   * Copies a record, dead or not, to `target` at `at`, as one with this owner. `words` is the same memory as
   * `target`. Returns the bytes copied, always `recordBytes`.
   */
  copyRecord(
    segment: number,
    offset: number,
    target: Uint8Array,
    words: Uint32Array,
    at: number,
    owner: number,
    isSuperseded: boolean,
  ): number {
    const head = this.#words[segment][offset >>> 2] & (LENGTH_MASK | FLAG_SUB);
    const bytes = sizeOf(head);
    copyBytes(target, at, this.#bytes[segment], offset, offset + bytes);
    words[at >>> 2] = isSuperseded ? head | FLAG_SUPERSEDED : head;
    words[(at >>> 2) + 1] = owner;
    return bytes;
  }

  /** Copies a record that is not dead into the cold segment; `lastSegment` and the result say where. */
  moveToCold(segment: number, offset: number, main: number): number {
    const words = this.#words[segment];
    const head = words[offset >>> 2];
    const target = this.append(this.cold, head & LENGTH_MASK, this.sub(segment, offset), main);
    const targetWords = this.#words[this.lastSegment];
    targetWords.set(words.subarray(offset >>> 2, (offset + sizeOf(head)) >>> 2), target >>> 2);
    return target;
  }

  pin(): void {
    this.#pins++;
  }

  unpin(): void {
    assert(this.#pins > 0, 'unpinned more often than pinned');
    if (--this.#pins > 0) return;
    for (const segment of this.#waitingForUnpin) this.#drop(segment);
    this.#waitingForUnpin.length = 0;
  }

  #add(memory: ArrayBuffer | SharedArrayBuffer): number {
    const reuse = this.#droppedNumbers.length > REUSE_AFTER_COUNT ? this.#droppedNumbers.shift() : undefined;
    const segment = reuse ?? this.#bytes.length;
    assert(segment < SEGMENT_COUNT_MAX, 'segment numbers');
    this.#bytes[segment] = Buffer.from(memory, 0, memory.byteLength);
    this.#words[segment] = new Uint32Array(memory);
    this.#live[segment] = 0;
    this.#used[segment] = 0;
    this.#mainMax[segment] = 0;
    this.#isLent[segment] = false;
    return segment;
  }

  #seal(segment: number, used: number): void {
    if (segment === 0) return;
    this.#used[segment] = used;
    this.#memoryBytes += pages(used);
  }

  #dropIfDead(segment: number): void {
    if (this.#live[segment] !== 0 || this.#used[segment] === 0 || this.isOpen(segment)) return;
    if (this.#pins > 0) this.#waitingForUnpin.push(segment);
    else this.#drop(segment);
  }

  #drop(segment: number): void {
    this.#memoryBytes -= pages(this.#used[segment]);
    this.#used[segment] = 0;
    const words = this.#words[segment];
    if (this.#isLent[segment]) this.#memory.dropped(words.byteLength);
    else this.#memory.giveBack(words.buffer);
    this.#bytes[segment] = NO_BYTES;
    this.#words[segment] = NO_WORDS;
    this.#droppedNumbers.push(segment);
  }
}

function sizeOf(head: number): number {
  return RECORD_HEADER_BYTES + (((head & LENGTH_MASK) + 3) & ~3) + ((head & FLAG_SUB) === 0 ? 0 : 4);
}

function pages(bytes: number): number {
  return (bytes + PAGE_BYTES - 1) & -PAGE_BYTES;
}
