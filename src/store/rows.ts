// Rows: one of 16 bytes per known key, in chunks of memory.
//
//   +0  u32  segment of the key's last record (bits 0…20, 0 = free row); bits 32…40 of the mod revision (21…29); unlogged flag (30): the
//            last change is in no log; history flag (31): `last` is valid
//   +4  u32  offset of that record ⁄ 4 (bits 0…19); bits 41…52 of the mod revision (20…31)
//   +8  u32  bits 0…31 of the mod revision; 0 = deleted (the record is then the version that was deleted, kept for its key bytes)
//   +12 u32  low 32 bits of the position of the key's last change in the history; of a free row: next free row + 1
//
// Beside them attachments: u32, opaque, 0 = none. A chunk of them is there from the first one on that is not 0: most keys have no lease.
//
// A row's id is stable while the key is known (live, or deleted with the deletion still in the history); then the id is
// used again. Ids stay below ROW_COUNT_MAX so that others may keep a flag beside them in a word.

import { assert } from '../base/assert.ts';
import type { StoreMemory } from './memory.ts';
import { OFFSET_BITS, SEGMENT_BITS } from './segments.ts';

export const ROW_COUNT_MAX = 0x7fff_fff0;

const CHUNK_SHIFT = 16;
const CHUNK_ROWS: number = 1 << CHUNK_SHIFT;
const CHUNK_MASK: number = CHUNK_ROWS - 1;
const ROW_WORDS = 4;
const SEGMENT_MASK: number = (1 << SEGMENT_BITS) - 1;
/** An offset is a multiple of four. */
const OFFSET_SHIFT = 2;
const PLACE_BITS: number = OFFSET_BITS - OFFSET_SHIFT;
const PLACE_MASK: number = (1 << PLACE_BITS) - 1;
const FLAG_UNLOGGED = 0x4000_0000;
const FLAG_HISTORY = 0x8000_0000;
const FLAGS: number = (FLAG_HISTORY | FLAG_UNLOGGED) >>> 0;
/** Bits of a mod revision's high half beside the segment; the rest of it is beside the offset. */
const HIGH_BITS: number = 30 - SEGMENT_BITS;
const HIGH_MASK: number = (1 << HIGH_BITS) - 1;
const TWO_32 = 0x1_0000_0000;

export class Rows {
  readonly #memory: StoreMemory;
  readonly #words: Uint32Array[] = [];
  /** By chunk of rows. */
  readonly #attachments: (Uint32Array | undefined)[] = [];
  #attachmentBytes = 0;
  /** Rows handed out at least once. */
  #used = 0;
  /** First free row + 1; 0 = none. */
  #free = 0;

  constructor(memory: StoreMemory) {
    this.#memory = memory;
  }

  get memoryBytes(): number {
    return this.#used * ROW_WORDS * 4 + this.#attachmentBytes;
  }

  /** One more than the highest row id handed out so far. */
  get end(): number {
    return this.#used;
  }

  allocate(): number {
    if (this.#free !== 0) {
      const row = this.#free - 1;
      this.#free = this.#words[row >>> CHUNK_SHIFT][(row & CHUNK_MASK) * ROW_WORDS + 3];
      this.#clear(row);
      return row;
    }
    const row = this.#used;
    assert(row < ROW_COUNT_MAX, 'row count');
    if ((row & CHUNK_MASK) === 0) this.#words.push(new Uint32Array(this.#memory.allocate(CHUNK_ROWS * ROW_WORDS * 4)));
    this.#used++;
    return row;
  }

  free(row: number): void {
    this.#clear(row);
    this.#words[row >>> CHUNK_SHIFT][(row & CHUNK_MASK) * ROW_WORDS + 3] = this.#free;
    this.#free = row + 1;
  }

  isUsed(row: number): boolean {
    return row < this.#used && this.segment(row) !== 0;
  }

  segment(row: number): number {
    return this.#words[row >>> CHUNK_SHIFT][(row & CHUNK_MASK) * ROW_WORDS] & SEGMENT_MASK;
  }

  offset(row: number): number {
    return (this.#words[row >>> CHUNK_SHIFT][(row & CHUNK_MASK) * ROW_WORDS + 1] & PLACE_MASK) << OFFSET_SHIFT;
  }

  setRecord(row: number, segment: number, offset: number): void {
    const words = this.#words[row >>> CHUNK_SHIFT];
    const at = (row & CHUNK_MASK) * ROW_WORDS;
    words[at] = (words[at] & ~SEGMENT_MASK) | segment;
    words[at + 1] = (words[at + 1] & ~PLACE_MASK) | (offset >>> OFFSET_SHIFT);
  }

  mod(row: number): number {
    const words = this.#words[row >>> CHUNK_SHIFT];
    const at = (row & CHUNK_MASK) * ROW_WORDS;
    const high = ((words[at] >>> SEGMENT_BITS) & HIGH_MASK) | ((words[at + 1] >>> PLACE_BITS) << HIGH_BITS);
    return high * TWO_32 + words[at + 2];
  }

  setMod(row: number, main: number): void {
    this.#write(row, this.segment(row), this.offset(row), main, FLAGS);
  }

  /** A put: the record, its main revision, and the history position of the change. */
  setVersion(row: number, segment: number, offset: number, main: number, position: number): void {
    this.#write(row, segment, offset, main, 0);
    this.setLast(row, position);
  }

  hasHistory(row: number): boolean {
    return this.#words[row >>> CHUNK_SHIFT][(row & CHUNK_MASK) * ROW_WORDS] >>> 31 !== 0;
  }

  /** Low 32 bits of a history position; only meaningful if `hasHistory`. */
  last(row: number): number {
    return this.#words[row >>> CHUNK_SHIFT][(row & CHUNK_MASK) * ROW_WORDS + 3];
  }

  setLast(row: number, position: number): void {
    const words = this.#words[row >>> CHUNK_SHIFT];
    const at = (row & CHUNK_MASK) * ROW_WORDS;
    words[at] = (words[at] & ~FLAG_UNLOGGED) | FLAG_HISTORY;
    words[at + 3] = position;
  }

  clearLast(row: number): void {
    this.#words[row >>> CHUNK_SHIFT][(row & CHUNK_MASK) * ROW_WORDS] &= ~FLAG_HISTORY;
  }

  /** The row's last change is in no log; its next change takes the mark away. */
  markUnlogged(row: number): void {
    this.#words[row >>> CHUNK_SHIFT][(row & CHUNK_MASK) * ROW_WORDS] |= FLAG_UNLOGGED;
  }

  isUnlogged(row: number): boolean {
    return (this.#words[row >>> CHUNK_SHIFT][(row & CHUNK_MASK) * ROW_WORDS] & FLAG_UNLOGGED) !== 0;
  }

  attachment(row: number): number {
    const attachments = this.#attachments[row >>> CHUNK_SHIFT];
    return attachments === undefined ? 0 : attachments[row & CHUNK_MASK];
  }

  setAttachment(row: number, value: number): void {
    let attachments = this.#attachments[row >>> CHUNK_SHIFT];
    if (attachments === undefined) {
      if (value === 0) return;
      attachments = new Uint32Array(this.#memory.allocate(CHUNK_ROWS * 4));
      this.#attachments[row >>> CHUNK_SHIFT] = attachments;
      this.#attachmentBytes += CHUNK_ROWS * 4;
    }
    attachments[row & CHUNK_MASK] = value;
  }

  /** All but `last`; flags outside `flagsKept` are taken away. */
  #write(row: number, segment: number, offset: number, main: number, flagsKept: number): void {
    const words = this.#words[row >>> CHUNK_SHIFT];
    const at = (row & CHUNK_MASK) * ROW_WORDS;
    const high = (main / TWO_32) | 0;
    words[at] = (words[at] & flagsKept) | segment | ((high & HIGH_MASK) << SEGMENT_BITS);
    words[at + 1] = (offset >>> OFFSET_SHIFT) | ((high >>> HIGH_BITS) << PLACE_BITS);
    words[at + 2] = main;
  }

  #clear(row: number): void {
    const at = (row & CHUNK_MASK) * ROW_WORDS;
    this.#words[row >>> CHUNK_SHIFT].fill(0, at, at + ROW_WORDS);
    this.setAttachment(row, 0);
  }
}
