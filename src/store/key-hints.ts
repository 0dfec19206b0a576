// Keys that will be looked up soon: what their look-ups need is read for all of them together (read-ahead.ts).
//
// A look-up is a chain of three reads: the slot of the hash index, the row, the record. Nothing is decided and nothing kept: a hint for a key
// that is not there, or not looked up after all, costs its reads.

import type { HashIndex } from './hash-index.ts';
import type { ReadAhead } from './read-ahead.ts';

/** More than these are ignored. */
const KEYS_MAX = 64;

export class KeyHints {
  readonly #hash: HashIndex;
  readonly #ahead: ReadAhead;
  readonly #tags: Uint32Array = new Uint32Array(KEYS_MAX);
  readonly #found: Int32Array = new Int32Array(KEYS_MAX);
  #count = 0;

  constructor(hash: HashIndex, ahead: ReadAhead) {
    this.#hash = hash;
    this.#ahead = ahead;
  }

  add(key: Uint8Array, start: number, end: number): void {
    if (this.#count < KEYS_MAX) this.#tags[this.#count++] = this.#hash.tagOf(key, start, end);
  }

  /** Reads for all keys since the last call. */
  read(): void {
    const hash = this.#hash;
    const ahead = this.#ahead;
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
  }
}
