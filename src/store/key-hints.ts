// Keys that will be looked up soon: what their look-ups need is read for all of them together (read-ahead.ts).
//
// A look-up is a chain of three reads: the slot of the hash index, the row, the record. The rows that were found are tried first by the
// look-ups that follow, in the order of the hints: whoever comes with the key of a row has the right one, however old the hint is. So a wrong hint,
// for a key that is not there or not looked up after all, costs its reads, and the search for those behind it.

import type { StoreParts } from './store-parts.ts';

/** More than these are ignored. */
const KEYS_MAX = 64;

export class KeyHints {
  readonly #parts: StoreParts;
  readonly #tags: Uint32Array = new Uint32Array(KEYS_MAX);
  readonly #found: Int32Array = new Int32Array(KEYS_MAX);
  #count = 0;
  #foundCount = 0;
  /** The place in #found that the next look-up tries. */
  #next = 0;

  constructor(parts: StoreParts) {
    this.#parts = parts;
  }

  add(key: Uint8Array, start: number, end: number): void {
    if (this.#count < KEYS_MAX) this.#tags[this.#count++] = this.#parts.hash.tagOf(key, start, end);
  }

  /** Reads for all keys since the last call. */
  read(): void {
    const { ahead, hash } = this.#parts;
    const tags = this.#tags;
    const found = this.#found;
    const count = this.#count;
    this.#count = 0;
    for (let i = 0; i < count; i++) ahead.word(hash.touch(tags[i]));
    let rowCount = 0;
    for (let i = 0; i < count; i++) {
      const row = hash.likelyRow(tags[i]);
      if (row >= 0) found[rowCount++] = row;
    }
    for (let i = 0; i < rowCount; i++) ahead.row(found[i]);
    for (let i = 0; i < rowCount; i++) ahead.recordOf(found[i]);
    this.#foundCount = rowCount;
    this.#next = 0;
  }

  /** The row of a key, if its hint is the next one; −1: it has to be searched for. */
  take(key: Uint8Array, start: number, end: number): number {
    if (this.#next === this.#foundCount) return -1;
    const { keys, rows } = this.#parts;
    const row = this.#found[this.#next];
    if (!rows.isUsed(row) || !keys.equals(row, key, start, end)) return -1;
    this.#next++;
    return row;
  }
}
