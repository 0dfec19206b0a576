// Keys are a prefix and a number of seven digits, so that a request for another key differs in bytes, not in lengths.

export const KEY_DIGITS = 7;
export const KEYS_MAX: number = 10 ** KEY_DIGITS;

export function numbered(prefix: string, index: number): string {
  return prefix + String(index).padStart(KEY_DIGITS, '0');
}

/** Writes seven digits at `at`. */
export function writeDigits(buffer: Uint8Array, at: number, index: number): void {
  let rest = index | 0;
  for (let i = at + KEY_DIGITS - 1; i >= at; i--) {
    const quotient = (rest / 10) | 0;
    buffer[i] = 0x30 + rest - quotient * 10;
    rest = quotient;
  }
}

/** Where `needle` occurs in `bytes`, each time behind its end. */
export function endsOf(bytes: Uint8Array, needle: string): number[] {
  const haystack = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const ends: number[] = [];
  for (let at = haystack.indexOf(needle); at >= 0; at = haystack.indexOf(needle, at + 1)) {
    ends.push(at + Buffer.byteLength(needle));
  }
  return ends;
}
