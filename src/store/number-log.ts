// An append-only log of numbers in chunks, trimmed at the front. Growing never copies.
//
// `at(i)` counts from the log's own start, so an index stays the same while the front is trimmed.

const CHUNK_SHIFT = 13;
const CHUNK_LENGTH: number = 1 << CHUNK_SHIFT;
const CHUNK_MASK: number = CHUNK_LENGTH - 1;

export class NumberLog {
  readonly #chunks: Float64Array[] = [];
  /** Index of the first item of the first chunk: a multiple of CHUNK_LENGTH. */
  #base = 0;
  #head = 0;
  #tail = 0;

  get head(): number {
    return this.#head;
  }

  get tail(): number {
    return this.#tail;
  }

  get memoryBytes(): number {
    return this.#chunks.length * CHUNK_LENGTH * 8;
  }

  push(value: number): void {
    const from = this.#tail++ - this.#base;
    if (from >>> CHUNK_SHIFT === this.#chunks.length) this.#chunks.push(new Float64Array(CHUNK_LENGTH));
    this.#chunks[from >>> CHUNK_SHIFT][from & CHUNK_MASK] = value;
  }

  at(index: number): number {
    const from = index - this.#base;
    return this.#chunks[from >>> CHUNK_SHIFT][from & CHUNK_MASK];
  }

  /** Forgets everything and keeps the memory. Only for a log that is never trimmed. */
  clear(): void {
    this.#tail = 0;
  }

  /** Forgets the first item if it is below `limit`. */
  trimOne(limit: number): void {
    if (this.#head === this.#tail || this.at(this.#head) >= limit) return;
    this.#head++;
    if (this.#head - this.#base < CHUNK_LENGTH) return;
    this.#chunks.shift();
    this.#base += CHUNK_LENGTH;
  }
}
