// Byte ranges: comparison and equality over (buffer, start, end) triples, so that hot paths make no subarrays.

/** Up to this many bytes a loop, of a nanosecond a byte, beats a call into the runtime, which takes 25 whatever it copies. */
const COPY_LOOP_BYTES_MAX = 24;
/** Node's global `Buffer` is a getter, which is looked up anew at each use. */
const nativeCopy = Buffer.prototype.copy;

export const EMPTY_BYTES: Uint8Array = new Uint8Array(0);

/** bytes[start, end), where it goes on to others as one. */
export interface BytesRange {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** Orders two byte ranges as unsigned bytes; negative, 0 or positive. */
export function compareBytes(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): number {
  let i = aStart;
  let j = bStart;
  while (i < aEnd && j < bEnd) {
    const difference = a[i] - b[j];
    if (difference !== 0) return difference;
    i++;
    j++;
  }
  return aEnd - aStart - (bEnd - bStart);
}

export function equalBytes(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): boolean {
  if (aEnd - aStart !== bEnd - bStart) return false;
  for (let i = aStart, j = bStart; i < aEnd; i++, j++) if (a[i] !== b[j]) return false;
  return true;
}

/** Orders two whole arrays as unsigned bytes. */
export function compareArrays(a: Uint8Array, b: Uint8Array): number {
  return compareBytes(a, 0, a.length, b, 0, b.length);
}

/**
 * Copies source[start, end) to target at `at`; the ranges must not overlap and must fit. Buffer's copy is a memcpy
 * for shared memory too, where TypedArray.set goes byte by byte.
 */
export function copyBytes(target: Uint8Array, at: number, source: Uint8Array, start: number, end: number): void {
  if (end - start <= COPY_LOOP_BYTES_MAX) {
    for (let i = start; i < end; i++) target[at++] = source[i];
    return;
  }
  nativeCopy.call(source, target, at, start, end);
}

/** Big endian. */
export function writeUint32(target: Uint8Array, at: number, value: number): void {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
}
