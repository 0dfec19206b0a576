// A file a user wrote, in pieces: for what is too large for a string.

import { closeSync, openSync, readSync } from 'node:fs';

const CHUNK_BYTES = 1 << 20;

/** Undefined when there is no such file. Throws the operating system's error otherwise. A chunk is valid until the next one is asked for. */
export function readChunks(path: string): Generator<Uint8Array> | undefined {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) {
      return undefined;
    }
    throw error;
  }
  return chunksOf(file);
}

function* chunksOf(file: number): Generator<Uint8Array> {
  try {
    const buffer = Buffer.alloc(CHUNK_BYTES);
    for (let bytes = readSync(file, buffer); bytes > 0; bytes = readSync(file, buffer)) yield buffer.subarray(0, bytes);
  } finally {
    closeSync(file);
  }
}
