// Key ranges as etcd's requests name them (etcd 3.7, api/etcdserverpb "range_end"):
//   range_end empty        the one key
//   range_end = "\0"       every key ≥ key
//   otherwise              [key, range_end); empty when range_end ≤ key

import { compareBytes } from '../base/bytes.ts';
import { RowList } from '../store/lists.ts';
import type { Store } from '../store/store.ts';

export interface KeyBytes {
  readonly buffer: Uint8Array;
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly endStart: number;
  readonly endEnd: number;
}

export function isSingleKey(range: KeyBytes): boolean {
  return range.endEnd === range.endStart;
}

/** range_end is the one byte 0: no upper bound. */
export function isUnbounded(range: KeyBytes): boolean {
  return range.endEnd - range.endStart === 1 && range.buffer[range.endStart] === 0;
}

/** A bounded range with nothing in it. */
export function isEmptyRange(range: KeyBytes): boolean {
  if (isSingleKey(range) || isUnbounded(range)) return false;
  const { buffer, keyStart, keyEnd, endStart, endEnd } = range;
  return compareBytes(buffer, keyStart, keyEnd, buffer, endStart, endEnd) >= 0;
}

/** The first key of the range; a view. */
export function lowerBound(range: KeyBytes): Uint8Array {
  return range.buffer.subarray(range.keyStart, range.keyEnd);
}

/** The first key after the range; null for none; a view. Not for a single key. */
export function upperBound(range: KeyBytes): Uint8Array | null {
  return isUnbounded(range) ? null : range.buffer.subarray(range.endStart, range.endEnd);
}

/** The rows of [lower, upper) that are live now, uncommitted changes included, in key order. */
export function liveRows(store: Store, lower: Uint8Array, upper: Uint8Array | null): number[] {
  const found = new RowList();
  let from: Uint8Array | null = lower;
  while (from !== null) from = store.scanRows(from, upper, Number.MAX_SAFE_INTEGER, found);
  return Array.from({ length: found.length }, (_, index) => found.at(index));
}
