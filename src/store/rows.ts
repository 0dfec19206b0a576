// Rows: one of 24 bytes per known key, in chunks of memory.
//
//   +0  u32  segment of the key's last record (bits 0…23, 0 = free row), unlogged flag (30): the last change is in no log;
//            history flag (31): `last` is valid
//   +4  u32  offset of that record
//   +8  f64  mod revision; 0 = deleted (the record is then the version that was deleted, kept for its key bytes)
//   +16 u32  low 32 bits of the position of the key's last change in the history; of a free row: next free row + 1
//   +20 u32  attachment: opaque, 0 = none
//
// A row's id is stable while the key is known (live, or deleted with the deletion still in the history); then the id is
// used again. Ids stay below ROW_COUNT_MAX so that others may keep a flag beside them in a word.

import { assert } from '../base/assert.ts';
import type { StoreMemory } from './memory.ts';

export const ROW_COUNT_MAX = 0x7fff_fff0;

const CHUNK_SHIFT = 16;
export const CHUNK_ROWS: number = 1 << CHUNK_SHIFT;
const CHUNK_MASK: number = CHUNK_ROWS - 1;
export const ROW_WORDS = 6;
const ROW_DOUBLES = 3;
const SEGMENT_MASK = 0x00ff_ffff;
const FLAG_UNLOGGED = 0x4000_0000;
const FLAG_HISTORY = 0x8000_0000;
const FLAGS: number = (FLAG_HISTORY | FLAG_UNLOGGED) >>> 0;

export class Rows {
  readonly #memory: StoreMemory;
  readonly #words: Uint32Array[] = [];
  readonly #doubles: Float64Array[] = [];
  /** Rows handed out at least once. */
  #used = 0;
  /** First free row + 1; 0 = none. */
  #free = 0;

  constructor(memory: StoreMemory) {
    this.#memory = memory;
  }

  get memoryBytes(): number {
    return this.#used * ROW_WORDS * 4;
  }

  /** One more than the highest row id handed out so far. */
  get end(): number {
    return this.#used;
  }

  allocate(): number {
    if (this.#free !== 0) {
      const row = this.#free - 1;
      this.#free = this.#words[row >>> CHUNK_SHIFT][(row & CHUNK_MASK) * ROW_WORDS + 4];
      this.#clear(row);
      return row;
    }
    const row = this.#used;
    assert(row < ROW_COUNT_MAX, 'row count');
    if ((row & CHUNK_MASK) === 0) {
      const memory = this.#memory.allocate(CHUNK_ROWS * ROW_WORDS * 4);
      this.#words.push(new Uint32Array(memory));
      this.#doubles.push(new Float64Array(memory));
    }
    this.#used++;
    return row;
  }

  /** Takes a whole chunk of memory whose first `count` rows are written; every chunk before it is full. */
  adopt(memory: ArrayBuffer | SharedArrayBuffer, count: number): void {
    assert((this.#used & CHUNK_MASK) === 0 && this.#free === 0, 'rows are adopted before any is allocated');
    assert(memory.byteLength === CHUNK_ROWS * ROW_WORDS * 4 && count <= CHUNK_ROWS, 'rows: chunk');
    this.#words.push(new Uint32Array(memory));
    this.#doubles.push(new Float64Array(memory));
    this.#used += count;
  }

  /** The memory of the chunk that a row is in. */
  chunkOf(row: number): Uint32Array {
    return this.#words[row >>> CHUNK_SHIFT];
  }

  free(row: number): void {
    this.#clear(row);
    this.#words[row >>> CHUNK_SHIFT][(row & CHUNK_MASK) * ROW_WORDS + 4] = this.#free;
    this.#free = row + 1;
  }

  isUsed(row: number): boolean {
    return row < this.#used && this.segment(row) !== 0;
  }

  segment(row: number): number {
    return this.#words[row >>> CHUNK_SHIFT][(row & CHUNK_MASK) * ROW_WORDS] & SEGMENT_MASK;
  }

  offset(row: number): number {
    return this.#words[row >>> CHUNK_SHIFT][(row & CHUNK_MASK) * ROW_WORDS + 1];
  }

  setRecord(row: number, segment: number, offset: number): void {
    const words = this.#words[row >>> CHUNK_SHIFT];
    const at = (row & CHUNK_MASK) * ROW_WORDS;
    words[at] = (words[at] & FLAGS) | segment;
    words[at + 1] = offset;
  }

  mod(row: number): number {
    return this.#doubles[row >>> CHUNK_SHIFT][(row & CHUNK_MASK) * ROW_DOUBLES + 1];
  }

  setMod(row: number, main: number): void {
    this.#doubles[row >>> CHUNK_SHIFT][(row & CHUNK_MASK) * ROW_DOUBLES + 1] = main;
  }

  /** A put: the record, its main revision, and the history position of the change. */
  setVersion(row: number, segment: number, offset: number, main: number, position: number): void {
    const words = this.#words[row >>> CHUNK_SHIFT];
    const at = (row & CHUNK_MASK) * ROW_WORDS;
    words[at] = FLAG_HISTORY | segment;
    words[at + 1] = offset;
    words[at + 4] = position;
    this.#doubles[row >>> CHUNK_SHIFT][(row & CHUNK_MASK) * ROW_DOUBLES + 1] = main;
  }

  hasHistory(row: number): boolean {
    return this.#words[row >>> CHUNK_SHIFT][(row & CHUNK_MASK) * ROW_WORDS] >>> 31 !== 0;
  }

  /** Low 32 bits of a history position; only meaningful if `hasHistory`. */
  last(row: number): number {
    return this.#words[row >>> CHUNK_SHIFT][(row & CHUNK_MASK) * ROW_WORDS + 4];
  }

  setLast(row: number, position: number): void {
    const words = this.#words[row >>> CHUNK_SHIFT];
    const at = (row & CHUNK_MASK) * ROW_WORDS;
    words[at] = (words[at] & SEGMENT_MASK) | FLAG_HISTORY;
    words[at + 4] = position;
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
    return this.#words[row >>> CHUNK_SHIFT][(row & CHUNK_MASK) * ROW_WORDS + 5];
  }

  setAttachment(row: number, value: number): void {
    this.#words[row >>> CHUNK_SHIFT][(row & CHUNK_MASK) * ROW_WORDS + 5] = value;
  }

  #clear(row: number): void {
    const at = (row & CHUNK_MASK) * ROW_WORDS;
    this.#words[row >>> CHUNK_SHIFT].fill(0, at, at + ROW_WORDS);
  }
}
