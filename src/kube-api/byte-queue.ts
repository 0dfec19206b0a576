// Bytes that arrive in chunks and are taken in pieces of known length, with no more copies than a piece that lies in several chunks needs. What is
// taken is valid as long as the chunk it came in; before the last chunk's end keep() copies what is left of it.

export class ByteQueue {
  #chunks: Buffer[] = [];
  /** Of the first chunk, bytes that were taken already. */
  #taken = 0;
  /** Bytes that are there. */
  length = 0;

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#chunks.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length));
    this.length += chunk.length;
  }

  /** The last chunk's memory is about to be used for something else. */
  keep(): void {
    const last = this.#chunks.length - 1;
    if (last < 0) return;
    const isFirst = last === 0;
    this.#chunks[last] = Buffer.from(isFirst ? this.#chunks[0].subarray(this.#taken) : this.#chunks[last]);
    if (isFirst) this.#taken = 0;
  }

  /** The next bytes, `count` or fewer; they stay. */
  peek(count: number): Buffer {
    const wanted = Math.min(count, this.length);
    const [first] = this.#chunks;
    if (first === undefined) return Buffer.alloc(0);
    if (first.length - this.#taken < wanted) this.#join();
    return this.#chunks[0].subarray(this.#taken, this.#taken + wanted);
  }

  /** Takes as many, which are there. */
  take(count: number): Buffer {
    const bytes = this.peek(count);
    this.skip(count);
    return bytes;
  }

  /** Lets go of as many, or of all that are there; returns of how many. */
  skip(count: number): number {
    let left = Math.min(count, this.length);
    const skipped = left;
    this.length -= left;
    while (left > 0) {
      const here = this.#chunks[0].length - this.#taken;
      if (left < here) {
        this.#taken += left;
        break;
      }
      left -= here;
      this.#chunks.shift();
      this.#taken = 0;
    }
    return skipped;
  }

  #join(): void {
    const [first, ...others] = this.#chunks;
    this.#chunks = [Buffer.concat([first.subarray(this.#taken), ...others])];
    this.#taken = 0;
  }
}
