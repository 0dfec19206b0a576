// Columns: typed arrays over shared memory, one element a node (or a domain), so that threads can read them side by side.

/** As long as needed, with what it had; new elements are 0. */
export function grownFloats(column: Float64Array, length: number): Float64Array {
  const grown = new Float64Array(new SharedArrayBuffer(length * Float64Array.BYTES_PER_ELEMENT));
  grown.set(column);
  return grown;
}

export function grownInts(column: Int32Array, length: number, fill = 0): Int32Array {
  const grown = new Int32Array(new SharedArrayBuffer(length * Int32Array.BYTES_PER_ELEMENT));
  grown.set(column);
  if (fill !== 0) grown.fill(fill, column.length);
  return grown;
}

export const NO_INTS: Int32Array = new Int32Array(0);
export const NO_FLOATS: Float64Array = new Float64Array(0);

/** The next power of two from 64 on. */
export function capacityFor(length: number): number {
  return Math.max(64, 2 ** Math.ceil(Math.log2(length)));
}
