// The nodes that preemption could make room on, the best first (pickOneNodeForPreemption of kube-scheduler 1.36): in an indexed binary heap over columns, one
// element a node.
//
// A key is either what the victims really are, or a bound that they are no better than. When a real one is at the top, no other node is better; of
// equal ones it is the one that changed last, as told when its key was set.
//
// It is filled at once, in time that grows with the nodes: beginFill, set for each, endFill.

import { capacityFor, grownFloats, grownInts, NO_FLOATS, NO_INTS } from './column.ts';
import { type PodRecord, startOf } from './pod-table.ts';

const NOWHERE = -1;
/** Makes priorities positive, so that more victims are never better than fewer. */
const PRIORITY_OFFSET = 2 ** 31;

/** Compared from the first to the last; the smaller is the better, of `start` the later. */
export class CandidateKey {
  /** Of budgets. */
  violations = 0;
  /** Priority of the most important victim. */
  highest = 0;
  /** Σ of (priority + PRIORITY_OFFSET). */
  sum = 0;
  count = 0;
  /** The earliest start of victims of the highest priority, in seconds since 1970; infinite: none has started. */
  start = 0;

  /** To that of at least one victim. */
  set(victims: readonly PodRecord[], violations: number): this {
    let highest = Number.NEGATIVE_INFINITY;
    let sum = 0;
    let start = Number.POSITIVE_INFINITY;
    for (let i = 0; i < victims.length; i++) {
      const victim = victims[i];
      const { priority } = victim.shape;
      sum += priority + PRIORITY_OFFSET;
      if (priority < highest) continue;
      start = Math.min(priority > highest ? Number.POSITIVE_INFINITY : start, startOf(victim));
      highest = priority;
    }
    this.violations = violations;
    this.highest = highest;
    this.sum = sum;
    this.count = victims.length;
    this.start = start;
    return this;
  }

  /** To that of `count` victims that no budget minds, by their priorities and starts, the least important first. */
  setSorted(priorities: readonly number[], starts: readonly number[], count: number): this {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += priorities[i] + PRIORITY_OFFSET;
    this.violations = 0;
    this.highest = priorities[count - 1];
    this.sum = sum;
    this.count = count;
    this.start = starts[count - 1];
    return this;
  }
}

export class CandidateHeap {
  size = 0;
  #isFilling = false;
  #heap: Int32Array = NO_INTS;
  /** By slot: where it is in the heap, or NOWHERE. */
  #places: Int32Array = NO_INTS;
  #violations: Int32Array = NO_INTS;
  #highest: Int32Array = NO_INTS;
  #sums: Float64Array = NO_FLOATS;
  #counts: Int32Array = NO_INTS;
  #starts: Float64Array = NO_FLOATS;
  #stamps: Float64Array = NO_FLOATS;
  /** 0: a bound. */
  #exact: Int32Array = NO_INTS;

  /** Room for slots below `length`. */
  grow(length: number): void {
    if (length <= this.#places.length) return;
    const capacity = capacityFor(length);
    this.#heap = grownInts(this.#heap, capacity);
    this.#places = grownInts(this.#places, capacity, NOWHERE);
    this.#violations = grownInts(this.#violations, capacity);
    this.#highest = grownInts(this.#highest, capacity);
    this.#sums = grownFloats(this.#sums, capacity);
    this.#counts = grownInts(this.#counts, capacity);
    this.#starts = grownFloats(this.#starts, capacity);
    this.#stamps = grownFloats(this.#stamps, capacity);
    this.#exact = grownInts(this.#exact, capacity);
  }

  /** The slot of the best; there is one. */
  get top(): number {
    return this.#heap[0];
  }

  isExact(slot: number): boolean {
    return this.#exact[slot] !== 0;
  }

  /** `stamp`: of the node's last change. */
  set(slot: number, { violations, highest, sum, count, start }: CandidateKey, isExact: boolean, stamp: number): void {
    this.#violations[slot] = violations;
    this.#highest[slot] = highest;
    this.#sums[slot] = sum;
    this.#counts[slot] = count;
    this.#starts[slot] = start;
    this.#stamps[slot] = stamp;
    this.#exact[slot] = isExact ? 1 : 0;
    if (this.#places[slot] === NOWHERE) this.#put(slot, this.size++);
    if (!this.#isFilling) this.#settle(slot);
  }

  /** Takes all out; until endFill keys are set, and nothing is asked. */
  beginFill(): void {
    for (let place = 0; place < this.size; place++) this.#places[this.#heap[place]] = NOWHERE;
    this.size = 0;
    this.#isFilling = true;
  }

  endFill(): void {
    this.#isFilling = false;
    for (let place = (this.size >> 1) - 1; place >= 0; place--) this.#sink(this.#heap[place], place);
  }

  remove(slot: number): void {
    const place = this.#places[slot];
    if (place === NOWHERE) return;
    this.#places[slot] = NOWHERE;
    const last = this.#heap[--this.size];
    if (last === slot) return;
    this.#put(last, place);
    this.#settle(last);
  }

  #put(slot: number, place: number): void {
    this.#heap[place] = slot;
    this.#places[slot] = place;
  }

  #settle(slot: number): void {
    let place = this.#places[slot];
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const above = this.#heap[parent];
      if (!this.#isBefore(slot, above)) break;
      this.#put(above, place);
      place = parent;
    }
    this.#sink(slot, place);
  }

  /** From there down to where it belongs. */
  #sink(slot: number, from: number): void {
    let place = from;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= this.size) break;
      if (child + 1 < this.size && this.#isBefore(this.#heap[child + 1], this.#heap[child])) child++;
      const below = this.#heap[child];
      if (!this.#isBefore(below, slot)) break;
      this.#put(below, place);
      place = child;
    }
    this.#put(slot, place);
  }

  #isBefore(a: number, b: number): boolean {
    if (this.#violations[a] !== this.#violations[b]) return this.#violations[a] < this.#violations[b];
    if (this.#highest[a] !== this.#highest[b]) return this.#highest[a] < this.#highest[b];
    if (this.#sums[a] !== this.#sums[b]) return this.#sums[a] < this.#sums[b];
    if (this.#counts[a] !== this.#counts[b]) return this.#counts[a] < this.#counts[b];
    if (this.#starts[a] !== this.#starts[b]) return this.#starts[a] > this.#starts[b];
    return this.#stamps[a] > this.#stamps[b];
  }
}
