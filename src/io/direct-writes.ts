// Writes past the page cache (O_DIRECT): which the file system of a folder takes, and memory for them.
//
// The kernel takes such a write only where its position, its length and its address in memory are multiples of the block of the disk,
// 512 or 4096 bytes. Which one it is, is tried: with a file in the folder. A file system that takes any write
// only says yes to the flag (a RAM disk, a network file system, one that encrypts or journals data): there is nothing to gain by it.

import { constants } from 'node:fs';
import { type FileHandle, open, unlink, writeFile } from 'node:fs/promises';

/** As far as it is used here; the language's own types have it with those of browsers only. */
declare const WebAssembly: {
  readonly Memory: new (size: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
};

const { O_DIRECT, O_DSYNC, O_RDWR } = constants;
/** Disks have the one or the other. */
const BLOCK_BYTES_MIN = 512;
const BLOCK_BYTES_MAX = 4096;
/** Of WebAssembly. */
const PAGE_BYTES = 64 << 10;

/** The flags of a descriptor for durable writes past the page cache. */
export const DIRECT_FLAGS: number = O_RDWR | O_DSYNC | (O_DIRECT ?? 0);

/**
 * What direct writes must be multiples of; 0: the file system has none, or they gain nothing. `path` is where a file may be made: it is
 * removed, unless the process dies meanwhile.
 */
export async function findDirectBlock(path: string): Promise<number> {
  const memory = pageAligned(2 * BLOCK_BYTES_MAX);
  if (O_DIRECT === undefined || memory === undefined) return 0;
  try {
    // So large that what is tried is within it.
    await writeFile(path, memory, { flag: 'wx', mode: 0o600 });
  } catch {
    // Whatever it is: what the caller does next, without such writes, will tell.
    return 0;
  }
  const handle = await open(path, DIRECT_FLAGS).catch(() => undefined);
  try {
    if (handle === undefined || (await takes(handle, memory, 1))) return 0;
    for (const bytes of [BLOCK_BYTES_MIN, BLOCK_BYTES_MAX]) if (await takes(handle, memory, bytes)) return bytes;
    return 0;
  } finally {
    await handle?.close().catch(() => {});
    await unlink(path).catch(() => {});
  }
}

/** At a multiple of no larger block. */
async function takes(handle: FileHandle, memory: Uint8Array, bytes: number): Promise<boolean> {
  return handle.write(memory, bytes, bytes, bytes).then(
    () => true,
    () => false,
  );
}

/**
 * Zeros that begin at a page of memory: that of a WebAssembly.Memory does, which nothing says of other buffers. Undefined when there is
 * none to be had: address space may be limited, or WebAssembly switched off.
 */
export function pageAligned(bytes: number): Uint8Array | undefined {
  try {
    const pages = Math.ceil(bytes / PAGE_BYTES);
    return Buffer.from(new WebAssembly.Memory({ initial: pages, maximum: pages }).buffer, 0, bytes);
  } catch {
    return undefined;
  }
}
