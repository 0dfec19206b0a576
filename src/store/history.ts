// The history: one entry per change (put or delete of one key) in revision order, holding the version that the change
// made and the one that it replaced. Watches read it forward and need nothing else; reads of old revisions walk a key's
// entries backward.
//
//   entry, 48 bytes
//   +0  u32  row
//   +4  u32  own record: segment, 0 = a deletion
//   +8  u32  own record: offset
//   +12 u32  previous record: segment, 0 = none or released
//   +16 u32  previous record: offset
//   +20 u32  distance back to the key's previous entry, 0 = none
//   +24 u32  sub revision (bits 0…29), create (30): the put started the key's life
//   +28 u32  1 = the key's change before this one is in no log
//   +32 f64  main revision
//   +40 f64  mod revision of the previous record, 0 = the key did not exist
//
// Entries sit in chunks of 65,536; a position is the number of entries ever appended before, as a double. Distances
// and the low 32 bits of a position are enough to link because fewer than 2^32 entries are held (asserted).
// Entries are dropped from the head only. (main, sub) ascends strictly.

import { assert } from '../base/assert.ts';
import type { StoreMemory } from './memory.ts';

export const HISTORY_ENTRY_COUNT_MAX = 0xffff_0000;
export const SUB_MAX = 0x3fff_ffff;

const CHUNK_SHIFT = 16;
const CHUNK_ENTRIES: number = 1 << CHUNK_SHIFT;
const CHUNK_MASK: number = CHUNK_ENTRIES - 1;
const ENTRY_WORDS = 12;
const ENTRY_DOUBLES = 6;
const CHUNK_BYTES: number = CHUNK_ENTRIES * ENTRY_WORDS * 4;
const FLAG_CREATE = 0x4000_0000;

export class History {
  readonly #memory: StoreMemory;
  #words: Uint32Array[] = [];
  #doubles: Float64Array[] = [];
  /** Position of the first entry of the first chunk: a multiple of CHUNK_ENTRIES. */
  #base = 0;
  #head = 0;
  #tail = 0;

  constructor(memory: StoreMemory) {
    this.#memory = memory;
  }

  get head(): number {
    return this.#head;
  }

  get tail(): number {
    return this.#tail;
  }

  get memoryBytes(): number {
    return this.#words.length * CHUNK_BYTES;
  }

  /**
   * Appends an entry and returns its position. A deletion has segment 0; without a previous version, `previousSegment`
   * and `previousMain` are 0; `last` is the low half of the position of the key's previous entry, −1 = none;
   * `isPreviousUnlogged` concerns the key's previous change, whether its entry is still there or not.
   * Arguments are flat because this is the hot path.
   */
  append(
    row: number,
    main: number,
    sub: number,
    isCreate: boolean,
    segment: number,
    offset: number,
    previousSegment: number,
    previousOffset: number,
    previousMain: number,
    last: number,
    isPreviousUnlogged: boolean,
  ): number {
    const position = this.#tail;
    assert(position - this.#head < HISTORY_ENTRY_COUNT_MAX, 'history entries');
    const from = position - this.#base;
    const chunk = from >>> CHUNK_SHIFT;
    if (chunk === this.#words.length) this.#addChunk();
    const words = this.#words[chunk];
    const at = (from & CHUNK_MASK) * ENTRY_WORDS;
    words[at] = row;
    words[at + 1] = segment;
    words[at + 2] = offset;
    words[at + 3] = previousSegment;
    words[at + 4] = previousOffset;
    words[at + 5] = last < 0 ? 0 : (position - last) >>> 0;
    words[at + 6] = isCreate ? sub | FLAG_CREATE : sub;
    words[at + 7] = isPreviousUnlogged ? 1 : 0;
    const doubles = this.#doubles[chunk];
    const doubleAt = (from & CHUNK_MASK) * ENTRY_DOUBLES;
    doubles[doubleAt + 4] = main;
    doubles[doubleAt + 5] = previousMain;
    this.#tail = position + 1;
    return position;
  }

  isPreviousUnlogged(position: number): boolean {
    return this.#word(position, 7) !== 0;
  }

  /** The previous record moved, or is gone (segment 0). */
  movePrevious(position: number, segment: number, offset: number): void {
    this.#setWord(position, 3, segment);
    this.#setWord(position, 4, offset);
  }

  /** The own record moved. */
  moveOwn(position: number, segment: number, offset: number): void {
    this.#setWord(position, 1, segment);
    this.#setWord(position, 2, offset);
  }

  /** The position of a held entry, from its low 32 bits. */
  positionOf(low: number): number {
    return this.#head + ((low - this.#head) >>> 0);
  }

  row(position: number): number {
    return this.#word(position, 0);
  }

  /** 0 = a deletion. */
  ownSegment(position: number): number {
    return this.#word(position, 1);
  }

  ownOffset(position: number): number {
    return this.#word(position, 2);
  }

  previousSegment(position: number): number {
    return this.#word(position, 3);
  }

  previousOffset(position: number): number {
    return this.#word(position, 4);
  }

  /** The key's previous entry, or −1 when there is none or it was dropped. */
  previousEntry(position: number): number {
    const distance = this.#word(position, 5);
    return distance === 0 || position - distance < this.#head ? -1 : position - distance;
  }

  sub(position: number): number {
    return this.#word(position, 6) & SUB_MAX;
  }

  isCreate(position: number): boolean {
    return (this.#word(position, 6) & FLAG_CREATE) !== 0;
  }

  isDelete(position: number): boolean {
    return this.#word(position, 1) === 0;
  }

  main(position: number): number {
    return this.#double(position, 4);
  }

  previousMain(position: number): number {
    return this.#double(position, 5);
  }

  /** The first entry with main ≥ `revision`, or the tail: O(log entries). */
  seek(revision: number): number {
    let low = this.#head;
    let high = this.#tail;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.main(middle) < revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Drops the first entry. Nothing may refer to it any more. */
  dropHead(): void {
    assert(this.#head < this.#tail, 'history is empty');
    this.#head++;
    if (this.#head - this.#base < CHUNK_ENTRIES) return;
    const words = this.#words.shift();
    this.#doubles.shift();
    this.#base += CHUNK_ENTRIES;
    if (words !== undefined) this.#memory.giveBack(words.buffer);
  }

  #addChunk(): void {
    const words = new Uint32Array(this.#memory.allocateUsed(CHUNK_BYTES));
    this.#words.push(words);
    this.#doubles.push(new Float64Array(words.buffer));
  }

  #word(position: number, index: number): number {
    const from = position - this.#base;
    return this.#words[from >>> CHUNK_SHIFT][(from & CHUNK_MASK) * ENTRY_WORDS + index];
  }

  #setWord(position: number, index: number, value: number): void {
    const from = position - this.#base;
    this.#words[from >>> CHUNK_SHIFT][(from & CHUNK_MASK) * ENTRY_WORDS + index] = value;
  }

  #double(position: number, index: number): number {
    const from = position - this.#base;
    return this.#doubles[from >>> CHUNK_SHIFT][(from & CHUNK_MASK) * ENTRY_DOUBLES + index];
  }
}
