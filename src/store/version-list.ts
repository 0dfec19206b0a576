// All versions that a copy of the store at one revision R must have, in (main, sub) order: what etcd's backend holds after a
// compaction at C, the compacted revision when the list is begun.
//
//   main ≤ C: versions live at C, and deletions at exactly C      C < main ≤ R: every change
//
// The list is gathered in slices while writes go on; meanwhile compaction stands still. Then it holds no more than a pin:
// addresses stay readable until `close`, wherever compaction moves the records. Memory: 8 bytes a version and 16 more a
// deletion, and while it is gathered 32 for each one at or below C.
//
// Where R was reached without a change (see Store.jumpTo), nothing says so in what etcd keeps; then C counts as R, which
// etcd takes as the current revision.

import type { Compaction } from './compaction.ts';
import { KeyValueView } from './key-value.ts';
import { NumberLog } from './number-log.ts';
import { RowPast } from './row-past.ts';
import { addressOf, addressOffset, addressSegment, RECORD_HEADER_BYTES } from './segments.ts';
import type { StoreParts } from './store-parts.ts';
import { StoreVersionSort } from './store-version-sort.ts';

export class VersionList {
  readonly #parts: StoreParts;
  readonly #compaction: Compaction;
  readonly revision: number;
  /** C: older revisions cannot be read from the copy. −1 = there was no compaction. */
  readonly compactRevision: number;
  #phase: 'gather' | 'sort' | 'resolve' | 'history' | 'done' | 'closed' = 'gather';
  readonly #sorted: StoreVersionSort;
  readonly #rowEnd: number;
  #cursor = 0;
  readonly #view = new KeyValueView();
  readonly #past: RowPast;
  /** Addresses; below 0 a deletion: minus the address of a record with its key. */
  readonly #items: NumberLog = new NumberLog();
  /** Of the deletions, in their order. */
  readonly #deletionMains: NumberLog = new NumberLog();
  readonly #deletionSubs: NumberLog = new NumberLog();

  /** `revision` lies between the compacted and the current revision. */
  constructor(parts: StoreParts, compaction: Compaction, revision: number) {
    this.#parts = parts;
    this.#sorted = new StoreVersionSort(parts);
    this.#past = new RowPast(parts);
    this.#compaction = compaction;
    this.revision = revision;
    const { history } = parts;
    const end = history.seek(revision + 1);
    const isJump = revision > 1 && (end === history.head || history.main(end - 1) !== revision);
    this.compactRevision = isJump ? revision : compaction.revision;
    this.#rowEnd = parts.rows.end;
    compaction.hold();
    parts.segments.pin();
  }

  /** How many versions there are; only when `step` has returned true. */
  get count(): number {
    return this.#items.tail;
  }

  /** Deletions among them. */
  get deletionCount(): number {
    return this.#deletionMains.tail;
  }

  /** The address of a put's record; below 0 = a deletion, minus the address of a record that has its key. */
  item(index: number): number {
    return this.#items.at(index);
  }

  /** Of the nth deletion. */
  deletionMain(index: number): number {
    return this.#deletionMains.at(index);
  }

  deletionSub(index: number): number {
    return this.#deletionSubs.at(index);
  }

  /** Lets go of the records; harmless a second time. */
  close(): void {
    if (this.#phase === 'closed') return;
    if (this.#phase !== 'done') this.#compaction.release();
    this.#phase = 'closed';
    this.#parts.segments.unpin();
  }

  /** Does about `units` of work (a row, a merged item, a version); true when the list is complete. */
  step(units: number): boolean {
    let left = units;
    while (left > 0 && this.#phase !== 'done') {
      if (this.#phase === 'gather') left = this.#gather(left);
      else if (this.#phase === 'sort') left = this.#sort(left);
      else if (this.#phase === 'resolve') left = this.#resolve(left);
      else left = this.#addHistory(left);
    }
    return this.#phase === 'done';
  }

  #gather(units: number): number {
    const { rows, segments } = this.#parts;
    for (; this.#cursor < this.#rowEnd; this.#cursor++) {
      if (units-- <= 0) return 0;
      if (!rows.isUsed(this.#cursor)) continue;
      units -= this.#past.walk(this.#cursor, this.compactRevision, units);
      if (!this.#past.isFound) return 0;
      const { address } = this.#past;
      if (address === 0) continue;
      const start = addressOffset(address) + RECORD_HEADER_BYTES;
      this.#sorted.add(this.#view.readHead(segments.bytes(addressSegment(address)), start).modRevision, address);
    }
    this.#sorted.addDeletions(this.compactRevision);
    this.#cursor = 0;
    this.#phase = 'sort';
    return units;
  }

  #sort(units: number): number {
    const left = this.#sorted.step(units);
    if (left > 0) this.#phase = 'resolve';
    return left;
  }

  #resolve(units: number): number {
    for (; this.#cursor < this.#sorted.count; this.#cursor++) {
      if (units-- <= 0) return 0;
      const item = this.#sorted.item(this.#cursor);
      if (item < 0) this.#addDeletion(-1 - item);
      else this.#items.push(item);
    }
    this.#cursor = this.#parts.history.seek(this.compactRevision + 1);
    this.#phase = 'history';
    return units;
  }

  #addHistory(units: number): number {
    const { history } = this.#parts;
    for (; this.#cursor < history.tail && history.main(this.#cursor) <= this.revision; this.#cursor++) {
      if (units-- <= 0) return 0;
      if (history.isDelete(this.#cursor)) this.#addDeletion(this.#cursor);
      else this.#items.push(this.#parts.recordOf(this.#cursor));
    }
    this.#phase = 'done';
    this.#compaction.release();
    this.#sorted.clear();
    return 0;
  }

  #addDeletion(position: number): void {
    const { history, rows } = this.#parts;
    const row = history.row(position);
    this.#items.push(-addressOf(rows.segment(row), rows.offset(row)));
    this.#deletionMains.push(history.main(position));
    this.#deletionSubs.push(history.sub(position));
  }
}
