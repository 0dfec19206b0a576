// The file that `etcdctl snapshot save` writes: a bbolt database and the SHA-256 of it behind.
//
// A file has its hash when its size is 32 more than a multiple of 512, as etcdutl sees it; a copied database has none.

import { createHash } from 'node:crypto';
import type { RandomAccess } from '../bolt/block-cache.ts';
import type { Disk, DiskFile } from '../io/disk.ts';
import { CorruptionError } from '../journal/errors.ts';

export const HASH_BYTES = 32;
const SECTOR_BYTES = 512;
const HASHED_AT_ONCE_BYTES = 1 << 20;

/** Whether a snapshot file of this size has its hash behind the database, as etcdutl sees it. */
export function hasHash(bytes: number): boolean {
  return bytes % SECTOR_BYTES === HASH_BYTES;
}

/** Checks the hash at the end of a snapshot file. Rejects with CorruptionError. */
export async function checkHash(file: RandomAccess): Promise<void> {
  const bytes = file.bytes - HASH_BYTES;
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafeSlow(HASHED_AT_ONCE_BYTES);
  for (let at = 0; at < bytes; ) {
    const filled = await file.read(buffer.subarray(0, Math.min(buffer.length, bytes - at)), at);
    if (filled === 0) throw new CorruptionError(file.path, at, 'the file became shorter while it was read');
    hash.update(buffer.subarray(0, filled));
    at += filled;
  }
  const expected = Buffer.alloc(HASH_BYTES);
  await file.read(expected, bytes);
  const found = hash.digest();
  if (found.equals(expected)) return;
  throw new CorruptionError(
    file.path,
    bytes,
    `expected sha256 ${expected.toString('hex')}, got ${found.toString('hex')}`,
  );
}

/** The file without its hash, if it has one. */
export function withoutHash(file: RandomAccess): RandomAccess {
  if (!hasHash(file.bytes)) return file;
  return { path: file.path, bytes: file.bytes - HASH_BYTES, read: (target, position) => file.read(target, position) };
}

export interface OpenFile extends RandomAccess {
  close(): Promise<void>;
}

export async function openFile(disk: Disk, path: string): Promise<OpenFile> {
  const file: DiskFile = await disk.open(path, 'read');
  const bytes = await file.size();
  return { path, bytes, read: (target, position) => file.read(target, position), close: () => file.close() };
}
