// Bytes of large replies in flight. A reply beyond the budget waits its turn, first come first served, so that many large
// lists at once take longer instead of taking all memory. One reply larger than the budget is let through alone. At most REPLIES_WAITING_MAX wait,
// since each has the list of what it will send.

import { tooManyRequests } from '../api/errors.ts';

export const REPLIES_WAITING_MAX = 10_000;

interface Waiting {
  readonly bytes: number;
  readonly run: () => void;
}

export class ReplyBudget {
  readonly #bytesMax: number;
  #bytes = 0;
  readonly #waiting: Waiting[] = [];

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytesInFlight(): number {
    return this.#bytes;
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** Calls `run` now or when there is room; then `release` is owed. Throws StatusError when too many wait. */
  acquire(bytes: number, run: () => void): void {
    if (this.#waiting.length > 0 || !this.#fits(bytes)) {
      if (this.#waiting.length >= REPLIES_WAITING_MAX) throw tooManyRequests();
      this.#waiting.push({ bytes, run });
      return;
    }
    this.#bytes += bytes;
    run();
  }

  release(bytes: number): void {
    this.#bytes -= bytes;
    for (;;) {
      const first = this.#waiting[0];
      if (first === undefined || !this.#fits(first.bytes)) return;
      this.#waiting.shift();
      this.#bytes += first.bytes;
      first.run();
    }
  }

  #fits(bytes: number): boolean {
    return this.#bytes === 0 || this.#bytes + bytes <= this.#bytesMax;
  }
}
