// Writes that wait for their turn, first come first served, at most so many: the oldest is left out for one more.

export class WaitingWrites<Write> {
  readonly #max: number;
  #writes: Write[] = [];
  /** Of those before it nothing is left to do. */
  #head = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#writes.length - this.#head;
  }

  /** The one that is left out for it. */
  add(write: Write): Write | undefined {
    const oldest = this.size >= this.#max ? this.take() : undefined;
    this.#writes.push(write);
    return oldest;
  }

  /** The oldest. */
  take(): Write | undefined {
    if (this.#head === this.#writes.length) return undefined;
    const write = this.#writes[this.#head++];
    // So that each is copied once on average, and what was taken is not kept for longer than what waits.
    if (this.#head * 2 >= this.#writes.length) {
      this.#writes = this.#writes.slice(this.#head);
      this.#head = 0;
    }
    return write;
  }

  clear(): void {
    this.#writes = [];
    this.#head = 0;
  }
}
