// The nodes of a merged index that have changed since the shards were asked (merged-index.ts): where they were then, and where they are now.

import { assert } from '../../base/assert.ts';

/** Of a node that is not there, or was none of the base's. */
export const NOWHERE = -0x8000_0000;

export interface Exception {
  /** Where it was in the base: its group, or −1 − failure, or NOWHERE. */
  readonly base: number;
  /** The same as it is now. */
  place: number;
  bucket: number;
  stamp: number;
  isDirty: boolean;
}

export class MergeExceptions {
  readonly #bySlot = new Map<number, Exception>();
  /** Slots of those that have changed since they were last looked at. */
  readonly #dirty: number[] = [];

  get size(): number {
    return this.#bySlot.size;
  }

  get(slot: number): Exception | undefined {
    return this.#bySlot.get(slot);
  }

  has(slot: number): boolean {
    return this.#bySlot.has(slot);
  }

  /** One more, to be looked at. */
  add(slot: number, base: number): void {
    this.#bySlot.set(slot, { base, place: NOWHERE, bucket: 0, stamp: 0, isDirty: true });
    this.#dirty.push(slot);
  }

  /** It has changed, and is to be looked at again. False: it is none. */
  mark(slot: number): boolean {
    const exception = this.#bySlot.get(slot);
    if (exception === undefined) return false;
    if (!exception.isDirty) {
      exception.isDirty = true;
      this.#dirty.push(slot);
    }
    return true;
  }

  /** Those that are to be looked at; none is afterwards. */
  lookAtDirty(look: (slot: number, exception: Exception) => void): void {
    for (const slot of this.#dirty) {
      const exception = this.#bySlot.get(slot);
      assert(exception !== undefined, 'a node that is to be looked at is an exception');
      exception.isDirty = false;
      look(slot, exception);
    }
    this.#dirty.length = 0;
  }

  clear(): void {
    this.#bySlot.clear();
    this.#dirty.length = 0;
  }
}
