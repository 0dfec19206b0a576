// Keys and ranges of keys as requests write them.

/** The keys from here on to the end: a range_end of one zero byte. */
export const RANGE_TO_END: Uint8Array = Uint8Array.of(0);

export type Key = string | Uint8Array;

export function keyBytes(key: Key): Uint8Array {
  return typeof key === 'string' ? Buffer.from(key) : key;
}

/** The next key after it, where the next page of a range begins. */
export function keyBehind(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}

/** The range_end that, with `prefix` as key, makes the range of all keys beginning with it. */
export function prefixEnd(prefix: Uint8Array): Uint8Array {
  for (let i = prefix.length - 1; i >= 0; i--) {
    if (prefix[i] === 0xff) continue;
    const end = Uint8Array.prototype.slice.call(prefix, 0, i + 1);
    end[i]++;
    return end;
  }
  return RANGE_TO_END;
}
