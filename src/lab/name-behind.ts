// Keys as text.

/** The part of a key behind its first bytes: of an object's key behind its folder, the namespace and name. */
export function nameBehind(key: Uint8Array, bytes: number): string {
  return Buffer.from(key.buffer, key.byteOffset + bytes, key.length - bytes).toString();
}
