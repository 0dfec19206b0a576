// The sort of versions of this store.
//
// An item is the address of a record, or, below 0, a deletion: −1 − its history position.

import { addressOffset, addressSegment } from './segments.ts';
import type { StoreParts } from './store-parts.ts';
import { VersionSort } from './version-sort.ts';

export class StoreVersionSort extends VersionSort {
  readonly #parts: StoreParts;

  constructor(parts: StoreParts) {
    super((item) => this.subOf(item));
    this.#parts = parts;
  }

  /** Adds the deletions at exactly `revision`. */
  addDeletions(revision: number): void {
    const { history } = this.#parts;
    for (let position = history.seek(revision); position < history.tail; position++) {
      if (history.main(position) !== revision) return;
      if (history.isDelete(position)) this.add(revision, -1 - position);
    }
  }

  subOf(item: number): number {
    if (item < 0) return this.#parts.history.sub(-1 - item);
    return this.#parts.segments.sub(addressSegment(item), addressOffset(item));
  }
}
