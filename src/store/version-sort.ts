// A list of versions, gathered in any order and then merge sorted by (main, sub), in slices of work units. It takes 16 bytes a
// version, and twice that while it sorts.

import { NumberLog } from './number-log.ts';

/** The sub revision of an item; what an item is, is its owner's affair. */
export type SubOf = (item: number) => number;

export class VersionSort {
  readonly #subOf: SubOf;
  #mains: NumberLog = new NumberLog();
  #items: NumberLog = new NumberLog();
  #mainsTo: NumberLog = new NumberLog();
  #itemsTo: NumberLog = new NumberLog();
  /** The merge under way: run length, the pair of runs, where its two runs stand. */
  #width = 1;
  #cursor = 0;
  #left = 0;
  #right = 0;

  constructor(subOf: SubOf) {
    this.#subOf = subOf;
  }

  get count(): number {
    return this.#mains.tail;
  }

  main(index: number): number {
    return this.#mains.at(index);
  }

  item(index: number): number {
    return this.#items.at(index);
  }

  add(main: number, item: number): void {
    this.#mains.push(main);
    this.#items.push(item);
  }

  /** Bottom-up: one pass merges pairs of runs. Does up to `units` items; returns the units left, 0 = not done. */
  step(units: number): number {
    const count = this.#mains.tail;
    while (this.#width < count) {
      for (; this.#cursor < count; this.#cursor += 2 * this.#width) {
        const middle = Math.min(this.#cursor + this.#width, count);
        const end = Math.min(this.#cursor + 2 * this.#width, count);
        if (this.#mainsTo.tail === this.#cursor) {
          this.#left = this.#cursor;
          this.#right = middle;
        }
        while (this.#mainsTo.tail < end) {
          if (units-- <= 0) return 0;
          const isLeft = this.#right === end || (this.#left < middle && !this.#isAfter(this.#left, this.#right));
          const from = isLeft ? this.#left++ : this.#right++;
          this.#mainsTo.push(this.#mains.at(from));
          this.#itemsTo.push(this.#items.at(from));
        }
      }
      [this.#mains, this.#mainsTo] = [this.#mainsTo, this.#mains];
      [this.#items, this.#itemsTo] = [this.#itemsTo, this.#items];
      this.#cursor = 0;
      this.#mainsTo.clear();
      this.#itemsTo.clear();
      this.#width *= 2;
    }
    this.#mainsTo = new NumberLog();
    this.#itemsTo = new NumberLog();
    return Math.max(units, 1);
  }

  /** Gives the memory back. */
  clear(): void {
    this.#mains = new NumberLog();
    this.#items = new NumberLog();
  }

  #isAfter(a: number, b: number): boolean {
    if (this.#mains.at(a) !== this.#mains.at(b)) return this.#mains.at(a) > this.#mains.at(b);
    return this.#subOf(this.#items.at(a)) > this.#subOf(this.#items.at(b));
  }
}
