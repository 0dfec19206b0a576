// Weighted sums of two scores as buckets: numbers from 0 on, in the order of the sums, few enough for an array for each group of nodes.
//
// Each score is a whole number from 0 to 100. Where the weights are small, a bucket is the sum. Where they are large, as a configuration may have them,
// it is the place of the sum among the 101 × 101 that there can be.

import { NO_INTS } from './column.ts';

const SCORES = 101;
/** Up to this one sums are buckets. */
const SUM_MAX = 20_000;

export class RoomScale {
  /** The highest bucket. */
  readonly most: number;
  readonly #first: number;
  readonly #second: number;
  /** By bucket; undefined where that is the sum. */
  readonly #sums: Float64Array | undefined;
  /** Buckets by first × SCORES + second. */
  readonly #buckets: Int32Array = NO_INTS;

  /** By the weights of the two scores. */
  constructor(first: number, second: number) {
    this.#first = first;
    this.#second = second;
    this.most = (SCORES - 1) * (first + second);
    if (this.most <= SUM_MAX) return;
    const all = Float64Array.from({ length: SCORES * SCORES }, (_, pair) =>
      this.#sumOf(Math.trunc(pair / SCORES), pair % SCORES),
    );
    const sums = Float64Array.from(new Set(all)).sort();
    const places = new Map([...sums].map((sum, place) => [sum, place]));
    this.most = sums.length - 1;
    this.#sums = sums;
    this.#buckets = Int32Array.from(all, (sum) => places.get(sum) ?? 0);
  }

  bucketOf(first: number, second: number): number {
    return this.#sums === undefined ? this.#sumOf(first, second) : this.#buckets[first * SCORES + second];
  }

  sumOf(bucket: number): number {
    return this.#sums === undefined ? bucket : this.#sums[bucket];
  }

  #sumOf(first: number, second: number): number {
    return this.#first * first + this.#second * second;
  }
}
