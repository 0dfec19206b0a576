/** Spreads each bit of a whole number over a 32-bit word; near numbers give unrelated words. No two numbers give the same one. */
export function avalanche(number: number): number {
  let mixed = Math.imul(number ^ (number >>> 16), 0x21f0_aaad);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a_2d97);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}

/** Added to a seed again and again, and spread: words that look random (a Weyl sequence). */
export const WEYL_STEP = 0x9e37_79b9;
