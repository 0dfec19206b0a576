// The pods of each node, as lists that are linked through their records: a pod comes and goes at the same cost, however many there are.

import { assert } from '../../base/assert.ts';
import type { PodRecord } from './pod-table.ts';

export class PodsOnNodes {
  /** By slot of the node; the others follow by `next`. */
  readonly #first: (PodRecord | undefined)[] = [];

  first(slot: number): PodRecord | undefined {
    return this.#first[slot];
  }

  *at(slot: number): Generator<PodRecord> {
    for (let record = this.#first[slot]; record !== undefined; record = record.next) yield record;
  }

  put(record: PodRecord, slot: number): void {
    assert(record.slot < 0, 'a pod is put on a second node');
    record.slot = slot;
    const next = this.#first[slot];
    record.next = next;
    if (next !== undefined) next.previous = record;
    this.#first[slot] = record;
  }

  take(record: PodRecord): void {
    const { slot, next, previous } = record;
    if (previous === undefined) this.#first[slot] = next;
    else previous.next = next;
    if (next !== undefined) next.previous = previous;
    record.next = undefined;
    record.previous = undefined;
    record.slot = -1;
  }
}
