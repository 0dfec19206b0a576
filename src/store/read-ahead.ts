// Reads memory that will be needed soon, and has no use for what is there.
//
// What the store keeps lies at random places: each read of a row or a record waits for the memory when the data is larger than the
// processor's caches, and the next one begins only after a microsecond of other work. Whoever knows what comes next calls this in
// short loops, one for each link of a chain (all rows, then all records): there the processor waits for many reads at once.

import type { Rows } from './rows.ts';
import type { Segments } from './segments.ts';

export class ReadAhead {
  readonly #rows: Rows;
  readonly #segments: Segments;
  /** What was read goes somewhere: else the compiler may leave the reads out. */
  sink = 0;

  constructor(rows: Rows, segments: Segments) {
    this.#rows = rows;
    this.#segments = segments;
  }

  row(row: number): void {
    this.sink ^= this.#rows.offset(row);
  }

  /** A row that is near already: its last record. */
  recordOf(row: number): void {
    this.record(this.#rows.segment(row), this.#rows.offset(row));
  }

  record(segment: number, offset: number): void {
    this.sink ^= this.#segments.touch(segment, offset);
  }

  /** Any number that was read. */
  word(word: number): void {
    this.sink ^= word;
  }
}
