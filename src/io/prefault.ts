// Has the kernel find the pages of memory that will be written soon, in another thread.
//
// New memory has no pages yet. Whoever writes to one first waits until the kernel has found and cleared it: 1.4 µs for each 4 KiB, several times
// that in a virtual machine whose host has to find it too. Reading zeros into new memory touches all of it and leaves it as it is.
//
// A piece at a time: where no core is free, that thread takes the one of the thread which it is to save the wait, for as long as a read goes on.

import fs from 'node:fs';

/** A tenth of a millisecond's worth. */
const PIECE_BYTES = 256 << 10;

/**
 * A function that calls back when it is done, well or not, since nothing but time depends on it. Undefined where there is no device of
 * zeros.
 */
export function openPrefault(): ((memory: SharedArrayBuffer, done: () => void) => void) | undefined {
  let zeros: number;
  try {
    zeros = fs.openSync('/dev/zero', 'r');
  } catch {
    return undefined;
  }
  return (memory, done) => touch(zeros, new Uint8Array(memory), 0, done);
}

function touch(zeros: number, bytes: Uint8Array, from: number, done: () => void): void {
  const length = Math.min(PIECE_BYTES, bytes.length - from);
  fs.read(zeros, bytes, from, length, null, (error) => {
    if (error === null && from + length < bytes.length) touch(zeros, bytes, from + length, done);
    else done();
  });
}
