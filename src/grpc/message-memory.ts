// Memory for unary requests that arrive in several DATA frames: what one has used is kept for the next, since a client sends the frames of
// one request behind each other. Otherwise each would be garbage of tens of kilobytes from the C library's heap, which grows by what
// gathers between two collections and does not shrink: 100 MB while keys were made a hundred in a request.

import { EMPTY_BYTES } from '../base/bytes.ts';

/** Larger memory is not kept. */
const KEPT_BYTES_MAX = 256 << 10;
const BYTES_MIN = 32 << 10;

export class MessageMemory {
  #spare: Uint8Array = EMPTY_BYTES;

  /** At least so many bytes, with anything in them. */
  take(bytes: number): Uint8Array {
    const spare = this.#spare;
    if (bytes > KEPT_BYTES_MAX) return Buffer.allocUnsafeSlow(bytes);
    this.#spare = EMPTY_BYTES;
    if (spare.length >= bytes) return spare;
    let size = BYTES_MIN;
    while (size < bytes) size *= 2;
    return Buffer.allocUnsafeSlow(size);
  }

  /** Nobody uses it any more. */
  give(memory: Uint8Array): void {
    if (memory.length <= KEPT_BYTES_MAX && memory.length > this.#spare.length) this.#spare = memory;
  }
}
