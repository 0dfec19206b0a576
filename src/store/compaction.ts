// The physical side of a compaction, in slices of work units. A unit is in the order of 0.1 to 0.3 µs.
//
// 1. From the head of the history: entries below the compacted revision C are dropped. With each goes the version that
//    it replaced; if it was the key's last change, the row forgets its history, and a deleted key goes altogether.
// 2. Entries at exactly C stay, for watches from C, but what they replaced goes: nothing can read it any more.
// 3. Sealed segments written wholly at or below C and less than CLEAN_BELOW live are emptied: their live records move
//    to the cold segment.
//
// While something holds the history (a hash job), nothing moves.
//
// A deleted key's row still needs its last record for the key bytes. When the deletion's entry gives that record up at
// C, it passes to the row; it is released when the row goes or the key is born again.

import { keyValueKeyBytes, keyValueKeyStart } from './key-value.ts';
import { RECORD_HEADER_BYTES } from './segments.ts';
import type { StoreParts } from './store-parts.ts';

/** The share of live bytes below which emptying a segment is worth the copying. */
const CLEAN_BELOW = 0.75;
/** So many entries' rows and replaced records are read together. */
const ENTRIES_AHEAD = 32;
const REMOVE_KEY_UNITS = 10;
const MOVE_UNITS = 4;
const MOVE_BYTES_PER_UNIT = 1024;

export class Compaction {
  readonly #parts: StoreParts;
  /** The compacted revision; −1 before the first compaction. */
  revision = -1;
  /** How many need the history and all records to stay as they are. */
  #holds = 0;
  readonly #waiting: (() => void)[] = [];
  #isPending = false;
  /** Up to this position rows and replaced records have been read ahead. */
  #aheadEnd = 0;
  /** Entries before this position have given up what they replaced. */
  #released = 0;
  /** The segment being looked at, where the run ends, and how far emptying got. */
  #segment = 1;
  #segmentEnd = 1;
  #emptying: Uint8Array | undefined;
  #offset = 0;
  #units = 0;

  constructor(parts: StoreParts) {
    this.#parts = parts;
  }

  get isPending(): boolean {
    return this.#isPending;
  }

  /** Nothing moves until `release`. Holds count. */
  hold(): void {
    this.#holds++;
  }

  release(): void {
    if (--this.#holds > 0) return;
    for (const callback of this.#waiting.splice(0)) callback();
  }

  get isHeld(): boolean {
    return this.#holds > 0;
  }

  /** Calls back once when nobody holds the compaction any more. */
  whenReleased(callback: () => void): void {
    if (this.#holds === 0) callback();
    else this.#waiting.push(callback);
  }

  /** The store was loaded as it is after a compaction at `revision`. */
  restore(revision: number): void {
    this.revision = revision;
  }

  start(revision: number): void {
    this.revision = revision;
    this.#isPending = true;
    this.#segment = 1;
    this.#segmentEnd = 0;
    this.#emptying = undefined;
  }

  /** Does about `units` of work; true when nothing is left. */
  step(units: number): boolean {
    if (!this.#isPending) return true;
    if (this.#holds > 0) return false;
    this.#units = units;
    if (!this.#dropHistory() || !this.#releaseAtRevision()) return false;
    if (this.#segmentEnd === 0) this.#segmentEnd = this.#parts.segments.numberEnd;
    if (!this.#clean()) return false;
    this.#isPending = false;
    return true;
  }

  #dropHistory(): boolean {
    const { history, lives } = this.#parts;
    while (history.head < history.tail && history.main(history.head) < this.revision) {
      if (this.#units <= 0) return false;
      this.#units--;
      if (history.head >= this.#aheadEnd) this.#readAhead();
      this.#forget(history.head);
      history.dropHead();
      lives.trimOne(history.head);
    }
    return true;
  }

  #releaseAtRevision(): boolean {
    const { history } = this.#parts;
    if (this.#released < history.head) this.#released = history.head;
    while (this.#released < history.tail && history.main(this.#released) <= this.revision) {
      if (this.#units <= 0) return false;
      this.#units--;
      // A version made at C itself, and replaced at C too, can still be read by a watch from C.
      if (history.previousMain(this.#released) < this.revision) this.#releasePrevious(this.#released);
      this.#released++;
    }
    return true;
  }

  /** A wrong hint, where something changes between, costs its reads. */
  #readAhead(): void {
    const { ahead, history, segments } = this.#parts;
    const end = Math.min(history.head + ENTRIES_AHEAD, history.tail);
    for (let position = history.head; position < end; position++) {
      const segment = history.previousSegment(position);
      ahead.row(history.row(position));
      if (segment !== 0) ahead.word(segments.owner(segment, history.previousOffset(position)));
    }
    this.#aheadEnd = end;
  }

  /** Takes away what hangs on an entry that is about to be dropped. */
  #forget(position: number): void {
    const { history, rows } = this.#parts;
    const row = history.row(position);
    if (history.positionOf(rows.last(row)) === position) {
      if (rows.mod(row) === 0) {
        this.#releasePrevious(position);
        this.#removeKey(row);
        return;
      }
      rows.clearLast(row);
    }
    this.#releasePrevious(position);
  }

  #releasePrevious(position: number): void {
    const { history, rows, segments } = this.#parts;
    const segment = history.previousSegment(position);
    if (segment === 0) return;
    const offset = history.previousOffset(position);
    const row = history.row(position);
    history.movePrevious(position, 0, 0);
    const isRowsKey = rows.mod(row) === 0 && rows.segment(row) === segment && rows.offset(row) === offset;
    if (isRowsKey) segments.ownByRow(segment, offset, row);
    else segments.release(segment, offset);
  }

  #removeKey(row: number): void {
    const { hash, rows, segments, tree } = this.#parts;
    const segment = rows.segment(row);
    const offset = rows.offset(row);
    const bytes = segments.bytes(segment);
    const keyStart = keyValueKeyStart(bytes, offset + RECORD_HEADER_BYTES);
    const keyEnd = keyStart + keyValueKeyBytes(bytes, offset + RECORD_HEADER_BYTES);
    tree.remove(bytes, keyStart, keyEnd);
    hash.remove(bytes, keyStart, keyEnd, row);
    rows.free(row);
    segments.release(segment, offset);
    this.#units -= REMOVE_KEY_UNITS;
  }

  #clean(): boolean {
    const { segments } = this.#parts;
    for (; this.#segment < this.#segmentEnd; this.#segment++) {
      if (this.#units <= 0) return false;
      this.#units--;
      if (!this.#isWorthEmptying(this.#segment)) continue;
      // Another memory under this number: the segment was dropped meanwhile and its number used again.
      if (this.#emptying !== segments.bytes(this.#segment)) {
        this.#emptying = segments.bytes(this.#segment);
        this.#offset = 0;
      }
      if (!this.#empty(this.#segment)) return false;
    }
    this.#emptying = undefined;
    return true;
  }

  #isWorthEmptying(segment: number): boolean {
    const { segments } = this.#parts;
    const live = segments.live(segment);
    return (
      live > 0 &&
      live < segments.used(segment) * CLEAN_BELOW &&
      !segments.isOpen(segment) &&
      segments.mainMax(segment) <= this.revision
    );
  }

  #empty(segment: number): boolean {
    const { segments } = this.#parts;
    while (segments.live(segment) > 0) {
      if (this.#units <= 0) return false;
      const offset = this.#offset;
      const bytes = segments.recordBytes(segment, offset);
      this.#offset = offset + bytes;
      this.#units--;
      if (segments.isDead(segment, offset)) continue;
      this.#units -= MOVE_UNITS + bytes / MOVE_BYTES_PER_UNIT;
      this.#move(segment, offset);
    }
    return true;
  }

  #move(segment: number, offset: number): void {
    const { history, rows, segments } = this.#parts;
    const owner = segments.owner(segment, offset);
    const isSuperseded = segments.isSuperseded(segment, offset);
    const target = segments.moveToCold(segment, offset, segments.mainMax(segment));
    const targetSegment = segments.lastSegment;
    let row = owner;
    let maker = -1;
    if (isSuperseded) {
      const position = history.positionOf(owner);
      history.movePrevious(position, targetSegment, target);
      row = history.row(position);
      maker = history.previousEntry(position);
    } else if (rows.hasHistory(row)) maker = history.positionOf(rows.last(row));
    const isMadeBy = maker >= 0 && history.ownSegment(maker) === segment && history.ownOffset(maker) === offset;
    if (isMadeBy) history.moveOwn(maker, targetSegment, target);
    if (rows.segment(row) === segment && rows.offset(row) === offset) rows.setRecord(row, targetSegment, target);
    segments.release(segment, offset);
  }
}
