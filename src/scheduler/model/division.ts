// Go's integer division for scores.

/** part × 100 / whole towards zero; exact also where part × 100 is beyond 2^53. */
export function hundredths(part: number, whole: number): number {
  const product = part * 100;
  if (product <= Number.MAX_SAFE_INTEGER && product >= -Number.MAX_SAFE_INTEGER) return Math.trunc(product / whole);
  return Number((BigInt(part) * 100n) / BigInt(whole));
}
