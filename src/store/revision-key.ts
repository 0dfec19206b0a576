// The key under which etcd's backend has a version (etcd 3.7, server/storage/mvcc/revision.go); HashKV hashes it too.
//
//   [u64 main, big endian] '_' [u64 sub, big endian] ('t' if a deletion)

import { writeUint32 } from '../base/bytes.ts';

export const REVISION_KEY_BYTES = 17;
export const TOMBSTONE_KEY_BYTES: number = REVISION_KEY_BYTES + 1;
const UNDERSCORE = 0x5f;
const TOMBSTONE_MARK = 0x74;
const TWO_32 = 0x1_0000_0000;

/** Writes a revision key at 0; returns its length. `target` has room for 18 bytes; of `sub` the low 32 bits count. */
export function writeRevisionKey(target: Uint8Array, main: number, sub: number, isDeletion: boolean): number {
  writeUint32(target, 0, Math.floor(main / TWO_32));
  writeUint32(target, 4, main >>> 0);
  target[8] = UNDERSCORE;
  writeUint32(target, 9, 0);
  writeUint32(target, 13, sub);
  if (!isDeletion) return REVISION_KEY_BYTES;
  target[17] = TOMBSTONE_MARK;
  return TOMBSTONE_KEY_BYTES;
}

export interface RevisionKey {
  readonly main: number;
  readonly sub: number;
  readonly isDeletion: boolean;
}

/** Undefined: these bytes are no revision key. */
export function readRevisionKey(source: Buffer, start: number, end: number): RevisionKey | undefined {
  const bytes = end - start;
  if ((bytes !== REVISION_KEY_BYTES && bytes !== TOMBSTONE_KEY_BYTES) || source[start + 8] !== UNDERSCORE) {
    return undefined;
  }
  const main = source.readUInt32BE(start) * TWO_32 + source.readUInt32BE(start + 4);
  const sub = source.readUInt32BE(start + 9) * TWO_32 + source.readUInt32BE(start + 13);
  if (main > Number.MAX_SAFE_INTEGER || sub > Number.MAX_SAFE_INTEGER) return undefined;
  const isDeletion = bytes === TOMBSTONE_KEY_BYTES && source[start + 17] === TOMBSTONE_MARK;
  return { main, sub, isDeletion };
}
