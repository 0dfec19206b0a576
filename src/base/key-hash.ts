// The hash of keys: simple tabulation. A table of 256 random words for each of the first 64 places of a key; the hash is the exclusive or of the words
// that the key's bytes choose. Of a longer key each 64 bytes are hashed on their own, and mixed into what came before.
//
// Why this one: keys are chosen by whoever may name a pod, and linear probing suffers from patterns in them. With tables that nobody knows, two given keys
// collide by chance, once in 2^32, whatever they look like; and linear probing takes constant time on average (Pătraşcu and Thorup, The Power of
// Simple Tabulation Hashing, 2011). A hash by multiplication has collisions for every seed.
//
// 64 KiB of tables, of which keys that begin alike use few lines.

import { avalanche, WEYL_STEP } from './avalanche.ts';

const PLACES = 64;
const WORDS_A_PLACE = 256;

export class KeyHash {
  /** What the tables are made from; a secret of whoever keeps the keys. */
  readonly seed: number;
  readonly #words: Int32Array = new Int32Array(PLACES * WORDS_A_PLACE);

  /** `seed` is a whole number from 0 to 2^32 − 1. */
  constructor(seed: number) {
    this.seed = seed >>> 0;
    for (let i = 0, state = this.seed; i < this.#words.length; i++) {
      state = (state + WEYL_STEP) | 0;
      this.#words[i] = avalanche(state);
    }
  }

  /** The hash of bytes[start, end), from 0 to 2^32 − 1. */
  of(bytes: Uint8Array, start: number, end: number): number {
    const words = this.#words;
    let hash = 0;
    let i = start;
    while (end - i > PLACES) {
      for (let place = 0; place < words.length; place += WORDS_A_PLACE) hash ^= words[place | bytes[i++]];
      hash = Math.imul(hash ^ (hash >>> 15), 0x9e37_79b1);
    }
    for (let place = 0; i < end; place += WORDS_A_PLACE) hash ^= words[place | bytes[i++]];
    return hash >>> 0;
  }
}
