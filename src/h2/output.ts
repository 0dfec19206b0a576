// The bytes a connection wants sent, as a list of chunks.
//
// Small things are written into a slab: buffer[position …) after reserve(). take() hands over what was written as
// views of the slab; the slab goes on behind them, and when it is full another one follows. Large payloads are put in between by
// reference. recycle() says that the transport holds nothing any more: then all slabs are used again, so that a connection whose
// peer reads makes no garbage and writes into memory that is still in the processor's cache.
// Slabs start small and grow, so an idle connection holds little; release() lets an idle one go altogether.

const SLAB_BYTES_MIN = 4 * 1024;
const SLAB_BYTES_MAX = 128 * 1024;
/** Full slabs that are kept for another turn: what a socket may hold (transportBacklogBytesMax). */
const SPARE_SLABS_MAX = 8;
const EMPTY: Uint8Array = Buffer.allocUnsafeSlow(0);

export class Output {
  buffer: Uint8Array = EMPTY;
  position = 0;
  /** Where the part of the slab begins that was not handed over yet. */
  #start = 0;
  #slabBytes = SLAB_BYTES_MIN / 4;
  #chunks: Uint8Array[] = [];
  /** Slabs that are full since the last recycle, and those that may be used again; all of SLAB_BYTES_MAX. */
  readonly #full: Uint8Array[] = [];
  readonly #spare: Uint8Array[] = [];
  #chunkBytes = 0;

  /** Bytes not taken yet. */
  get bytes(): number {
    return this.#chunkBytes + this.position - this.#start;
  }

  /** Afterwards buffer[position, position + bytes) may be written; move position on by what was. */
  reserve(bytes: number): void {
    if (this.position + bytes > this.buffer.length) this.#grow(bytes);
  }

  /** Puts bytes in by reference: they must not change any more. */
  reference(bytes: Uint8Array): void {
    this.#cut();
    this.#chunks.push(bytes);
    this.#chunkBytes += bytes.length;
  }

  take(): Uint8Array[] {
    this.#cut();
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#chunkBytes = 0;
    return chunks;
  }

  /** The transport needs nothing of what was taken. */
  recycle(): void {
    if (this.bytes > 0) return;
    this.position = 0;
    this.#start = 0;
    for (let slab = this.#full.pop(); slab !== undefined; slab = this.#full.pop()) {
      if (this.#spare.length < SPARE_SLABS_MAX) this.#spare.push(slab);
    }
  }

  /** Drops the slabs when nothing is in them that was not taken. */
  release(): void {
    if (this.bytes > 0) return;
    this.#full.length = 0;
    this.#spare.length = 0;
    this.buffer = EMPTY;
    this.position = 0;
    this.#start = 0;
    this.#slabBytes = SLAB_BYTES_MIN / 4;
  }

  #cut(): void {
    if (this.position === this.#start) return;
    this.#chunks.push(this.buffer.subarray(this.#start, this.position));
    this.#chunkBytes += this.position - this.#start;
    this.#start = this.position;
  }

  #grow(bytes: number): void {
    this.#cut();
    if (this.buffer.length === SLAB_BYTES_MAX) this.#full.push(this.buffer);
    this.#slabBytes = Math.min(this.#slabBytes * 4, SLAB_BYTES_MAX);
    const spare = bytes <= SLAB_BYTES_MAX ? this.#spare.pop() : undefined;
    this.buffer = spare ?? Buffer.allocUnsafeSlow(Math.max(this.#slabBytes, bytes));
    this.position = 0;
    this.#start = 0;
  }
}
