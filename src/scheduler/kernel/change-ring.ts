// Which nodes have changed, in order: indexes look here for what they have to look at again.
//
// Limit: it remembers CHANGES_MAX changes. Who was not here for longer has to look at every node.

import { grownInts, NO_INTS } from './column.ts';

const CHANGES_MAX = 1 << 18;

export class ChangeRing {
  /** Changes so far. */
  count = 0;
  readonly #slots = grownInts(NO_INTS, CHANGES_MAX);

  push(slot: number): void {
    this.#slots[this.count++ % CHANGES_MAX] = slot;
  }

  /** Whether the changes from `since` on are all still known. */
  reaches(since: number): boolean {
    return this.count - since <= CHANGES_MAX;
  }

  at(place: number): number {
    return this.#slots[place % CHANGES_MAX];
  }
}
