// A key as it was at a revision: found by walking its changes back from the newest one. One key may have been changed millions of times
// since, so that the walk is done in steps, for the jobs that look at every key while writes go on.
//
// `#newer` is the oldest change after the revision that is known, when a step ended before the walk did. What it says stays true however the
// key is changed meanwhile, as long as the compaction stands still.

import { addressOf } from './segments.ts';
import type { StoreParts } from './store-parts.ts';

export class RowPast {
  readonly #parts: StoreParts;
  /** −1: none. */
  #newer = -1;
  /** The walk is over, and what follows is of the row at the revision. */
  isFound = true;
  /** Mod revision; 0: the key did not exist. */
  mod = 0;
  isUnlogged = false;
  /** Of a key that did not exist: its last change before; −1: none, or it was dropped. */
  position = -1;
  segment = 0;
  offset = 0;

  constructor(parts: StoreParts) {
    this.#parts = parts;
  }

  /** Of its version then; 0: the key did not exist. */
  get address(): number {
    return this.mod === 0 ? 0 : addressOf(this.segment, this.offset);
  }

  /** Passes so many changes at most, at least one; returns how many. Not `isFound`: the next call, for the same row, goes on. */
  walk(row: number, revision: number, changesMax: number): number {
    const { history, rows } = this.#parts;
    let newer = this.#newer;
    let position = newer < 0 ? this.#newest(row, revision) : history.previousEntry(newer);
    let count = 0;
    for (; position >= 0 && history.main(position) > revision; position = history.previousEntry(position)) {
      newer = position;
      if (++count < changesMax) continue;
      this.#newer = newer;
      this.isFound = false;
      return count;
    }
    this.#newer = -1;
    this.isFound = true;
    this.position = position;
    const isNow = newer < 0;
    this.mod = isNow ? rows.mod(row) : history.previousMain(newer);
    this.isUnlogged = isNow ? rows.isUnlogged(row) : history.isPreviousUnlogged(newer);
    this.segment = isNow ? rows.segment(row) : history.previousSegment(newer);
    this.offset = isNow ? rows.offset(row) : history.previousOffset(newer);
    return count;
  }

  /** The row's newest change, where it matters. */
  #newest(row: number, revision: number): number {
    const { history, rows } = this.#parts;
    const mod = rows.mod(row);
    if ((mod !== 0 && mod <= revision) || !rows.hasHistory(row)) return -1;
    return history.positionOf(rows.last(row));
  }
}
