// Random numbers from a seed (xorshift32), so that a run asks for the same keys in the same order. Not for secrets.

export class SeededChance {
  #state: number;

  constructor(seed: number) {
    // Any seed but the one that xorshift cannot leave; the multiplication parts near seeds.
    this.#state = Math.imul(seed ^ 0x9e37_79b9, 0x85eb_ca6b) | 1;
  }

  /** A whole number from 0 up to, not including, `count`. */
  below(count: number): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return Math.floor((x >>> 0) * 2 ** -32 * count);
  }

  /** From 0 up to, not including, 1. */
  fraction(): number {
    return this.below(2 ** 32) * 2 ** -32;
  }

  /** Printable bytes that do not compress well. */
  text(bytes: number): Uint8Array {
    const text = new Uint8Array(bytes);
    for (let i = 0; i < bytes; i++) text[i] = 0x21 + this.below(0x7e - 0x21);
    return text;
  }
}
