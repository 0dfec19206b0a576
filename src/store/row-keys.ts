// The key bytes of rows: where an index compares a key it was given with a key that only a record holds.

import { keyValueKeyBytes, keyValueKeyStart } from './key-value.ts';
import type { Rows } from './rows.ts';
import { RECORD_HEADER_BYTES, type Segments } from './segments.ts';

export class RowKeys {
  readonly #rows: Rows;
  readonly #segments: Segments;
  /** How many leading bytes the two keys of the last `compare` have in common. */
  commonBytes = 0;

  constructor(rows: Rows, segments: Segments) {
    this.#rows = rows;
    this.#segments = segments;
  }

  equals(row: number, key: Uint8Array, start: number, end: number): boolean {
    const bytes = this.#segments.bytes(this.#rows.segment(row));
    const record = this.#rows.offset(row) + RECORD_HEADER_BYTES;
    if (keyValueKeyBytes(bytes, record) !== end - start) return false;
    let at = keyValueKeyStart(bytes, record);
    for (let i = start; i < end; i++) if (key[i] !== bytes[at++]) return false;
    return true;
  }

  /** Orders the given key against the row's, knowing that their first `common` bytes are equal. */
  compare(row: number, key: Uint8Array, start: number, end: number, common: number): number {
    const bytes = this.#segments.bytes(this.#rows.segment(row));
    const record = this.#rows.offset(row) + RECORD_HEADER_BYTES;
    const rowKeyBytes = keyValueKeyBytes(bytes, record);
    const rowKeyStart = keyValueKeyStart(bytes, record);
    const shorter = Math.min(end - start, rowKeyBytes);
    let i = common;
    while (i < shorter && key[start + i] === bytes[rowKeyStart + i]) i++;
    this.commonBytes = i;
    return i < shorter ? key[start + i] - bytes[rowKeyStart + i] : end - start - rowKeyBytes;
  }

  /** A copy of the row's key. */
  copy(row: number): Uint8Array {
    const bytes = this.#segments.bytes(this.#rows.segment(row));
    const record = this.#rows.offset(row) + RECORD_HEADER_BYTES;
    const start = keyValueKeyStart(bytes, record);
    const copy = new Uint8Array(keyValueKeyBytes(bytes, record));
    for (let i = 0; i < copy.length; i++) copy[i] = bytes[start + i];
    return copy;
  }
}
