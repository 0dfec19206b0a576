// Keys that will be looked up soon: what their look-ups need is read for all of them together.
//
// A look-up is a chain of three reads at random places: the slot of the hash index, the row, the record. Each waits for the memory when
// the data is larger than the processor's caches, and the next look-up begins only a microsecond of other work later. Here each
// link of the chain is read for all keys in one short loop, where the processor waits for many at once; afterwards it is near.
// Nothing is decided and nothing kept: a hint for a key that is not there, or not looked up after all, costs its reads.

import type { HashIndex } from './hash-index.ts';
import type { Rows } from './rows.ts';
import type { Segments } from './segments.ts';

/** More than these are ignored. */
const KEYS_MAX = 64;

export class KeyHints {
  readonly #hash: HashIndex;
  readonly #rows: Rows;
  readonly #segments: Segments;
  readonly #tags: Uint32Array = new Uint32Array(KEYS_MAX);
  readonly #found: Int32Array = new Int32Array(KEYS_MAX);
  #count = 0;
  /** What was read goes somewhere, of no use to anybody: else the compiler may leave the reads out. */
  sink = 0;

  constructor(hash: HashIndex, rows: Rows, segments: Segments) {
    this.#hash = hash;
    this.#rows = rows;
    this.#segments = segments;
  }

  add(key: Uint8Array, start: number, end: number): void {
    if (this.#count < KEYS_MAX) this.#tags[this.#count++] = this.#hash.tagOf(key, start, end);
  }

  /** Reads for all keys since the last call. */
  read(): void {
    const hash = this.#hash;
    const rows = this.#rows;
    const tags = this.#tags;
    const found = this.#found;
    const count = this.#count;
    this.#count = 0;
    let sink = 0;
    for (let i = 0; i < count; i++) sink ^= hash.touch(tags[i]);
    let rowCount = 0;
    for (let i = 0; i < count; i++) {
      const row = hash.likelyRow(tags[i]);
      if (row >= 0) found[rowCount++] = row;
    }
    for (let i = 0; i < rowCount; i++) sink ^= rows.offset(found[i]);
    for (let i = 0; i < rowCount; i++) sink ^= this.#segments.touch(rows.segment(found[i]), rows.offset(found[i]));
    this.sink = sink;
  }
}
