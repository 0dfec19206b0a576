// Whole numbers by slot or domain, most of them 0 more often than not: the pods of one template are on few of a million nodes, and thousands of
// templates are counted side by side.
//
// Short ranges, and long ones that are well filled, are an array; else there is a map of what is not 0. It changes from one to the other as it
// fills and empties, with a gap between the two limits so that this is rare.

import { capacityFor, grownInts, NO_INTS } from './column.ts';

/** Up to here an array is small whatever is in it. */
const SHORT = 1_024;
/** One in so many has to be other than 0 for an array, … */
const FILLED_SHARE = 16;
/** … and one in so many for it to stay one. */
const EMPTIED_SHARE = 64;

export class SparseCounts {
  /** How many are not 0. */
  size = 0;
  #dense: Int32Array = NO_INTS;
  /** Undefined: they are in #dense. */
  #sparse: Map<number, number> | undefined;
  /** All places that were ever added to are below. */
  #end = 0;

  at(place: number): number {
    if (this.#sparse !== undefined) return this.#sparse.get(place) ?? 0;
    return place < this.#dense.length ? this.#dense[place] : 0;
  }

  /** `place` ≥ 0. Returns what was there before. */
  add(place: number, amount: number): number {
    if (place >= this.#end) this.#reach(place + 1);
    const before = this.at(place);
    const after = before + amount;
    if (before === 0 && after !== 0) this.size++;
    else if (before !== 0 && after === 0) this.size--;
    if (this.#sparse === undefined) this.#dense[place] = after;
    else if (after === 0) this.#sparse.delete(place);
    else this.#sparse.set(place, after);
    this.#settle();
    return before;
  }

  /** For each place that is not 0. */
  forEach(visit: (place: number) => void): void {
    if (this.#sparse !== undefined) for (const place of this.#sparse.keys()) visit(place);
    else for (let place = 0; place < this.#dense.length; place++) if (this.#dense[place] !== 0) visit(place);
  }

  #reach(end: number): void {
    this.#end = end;
    if (this.#sparse !== undefined) return;
    if (end > SHORT && this.size * EMPTIED_SHARE < end) this.#thin();
    else if (end > this.#dense.length) this.#dense = grownInts(this.#dense, capacityFor(end));
  }

  #settle(): void {
    if (this.#sparse !== undefined) {
      if (this.size * FILLED_SHARE > this.#end) this.#fill(this.#sparse);
    } else if (this.#end > SHORT && this.size * EMPTIED_SHARE < this.#end) this.#thin();
  }

  #thin(): void {
    const sparse = new Map<number, number>();
    this.forEach((place) => {
      sparse.set(place, this.#dense[place]);
    });
    this.#sparse = sparse;
    this.#dense = NO_INTS;
  }

  #fill(sparse: ReadonlyMap<number, number>): void {
    this.#dense = grownInts(NO_INTS, capacityFor(this.#end));
    for (const [place, value] of sparse) this.#dense[place] = value;
    this.#sparse = undefined;
  }
}
