// Has the kernel find the pages of memory that will be written soon, in another thread.
//
// New memory has no pages yet. Whoever writes to one first waits until the kernel has found and cleared it: 1.4 µs for each 4 KiB, several times
// that in a virtual machine whose host has to find it too. Reading zeros into new memory touches all of it and leaves it as it is.

import fs from 'node:fs';

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
  return (memory, done) => fs.read(zeros, new Uint8Array(memory), 0, memory.byteLength, null, () => done());
}
