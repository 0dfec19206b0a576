// A binary min-heap of the queue's entries, each of which knows its place: one that leaves is taken out at once, from wherever it is.

import { assert } from '../../base/assert.ts';
import type { QueueEntry } from './queue-entry.ts';

export class EntryHeap {
  readonly #entries: QueueEntry[] = [];
  readonly #compare: (a: QueueEntry, b: QueueEntry) => number;

  constructor(compare: (a: QueueEntry, b: QueueEntry) => number) {
    this.#compare = compare;
  }

  get size(): number {
    return this.#entries.length;
  }

  get first(): QueueEntry | undefined {
    return this.#entries[0];
  }

  add(entry: QueueEntry): void {
    assert(entry.heapIndex < 0, 'an entry is in one heap');
    this.#entries.push(entry);
    this.#rise(entry, this.#entries.length - 1);
  }

  takeFirst(): QueueEntry | undefined {
    const { first } = this;
    if (first !== undefined) this.remove(first);
    return first;
  }

  remove(entry: QueueEntry): void {
    const entries = this.#entries;
    const at = entry.heapIndex;
    assert(entries[at] === entry, 'an entry that is in the heap');
    entry.heapIndex = -1;
    const last = entries.pop();
    if (last === undefined || last === entry) return;
    // From the top it can only sink, from elsewhere it may also rise.
    if (at > 0 && this.#compare(last, entries[(at - 1) >> 1]) < 0) this.#rise(last, at);
    else this.#sink(last, at);
  }

  #rise(entry: QueueEntry, from: number): void {
    const entries = this.#entries;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#compare(entries[parent], entry) <= 0) break;
      this.#put(entries[parent], at);
      at = parent;
    }
    this.#put(entry, at);
  }

  #sink(entry: QueueEntry, from: number): void {
    const entries = this.#entries;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= entries.length) break;
      if (child + 1 < entries.length && this.#compare(entries[child + 1], entries[child]) < 0) child++;
      if (this.#compare(entries[child], entry) >= 0) break;
      this.#put(entries[child], at);
      at = child;
    }
    this.#put(entry, at);
  }

  #put(entry: QueueEntry, at: number): void {
    this.#entries[at] = entry;
    entry.heapIndex = at;
  }
}
