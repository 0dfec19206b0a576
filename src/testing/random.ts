// A seeded generator of random numbers (xorshift128 over a hashed seed), so that a simulation can be repeated.

import { avalanche, WEYL_STEP } from '../base/avalanche.ts';

export class Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  /** `seed` is any whole number from 0 to 2^32 − 1. */
  constructor(seed: number) {
    // Near seeds give unrelated states, and none gives four zeros.
    let state = seed >>> 0;
    const step = (): number => {
      state = (state + WEYL_STEP) | 0;
      return avalanche(state);
    };
    this.#a = step();
    this.#b = step();
    this.#c = step();
    this.#d = step() | 1;
  }

  /** A whole number from 0 to 2^32 − 1. */
  uint32(): number {
    const t = this.#a ^ (this.#a << 11);
    this.#a = this.#b;
    this.#b = this.#c;
    this.#c = this.#d;
    this.#d = (this.#d ^ (this.#d >>> 19) ^ t ^ (t >>> 8)) >>> 0;
    return this.#d;
  }

  /** From 0 up to, not including, 1. */
  fraction(): number {
    return this.uint32() / 0x1_0000_0000;
  }

  /** A whole number from `least` to `most`, both included. */
  between(least: number, most: number): number {
    return least + Math.floor(this.fraction() * (most - least + 1));
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  /** One of the items, which must not be empty. */
  pick<T>(items: readonly T[]): T {
    return items[this.between(0, items.length - 1)];
  }

  /** An order chosen at random; the argument is left as it is. */
  shuffle<T>(items: readonly T[]): T[] {
    const shuffled = [...items];
    for (let i = shuffled.length - 1; i > 0; i--) {
      const j = this.between(0, i);
      [shuffled[i], shuffled[j]] = [shuffled[j], shuffled[i]];
    }
    return shuffled;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.uint32() & 255);
  }
}
