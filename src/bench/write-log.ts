// What became of each numbered write, so that watchers can be checked exactly: a write that the server carried out must
// reach every watcher once, in the order of revisions.
//
// A write is expected when it was acknowledged, or when any watcher saw it (its answer may have been lost).

import type { WriteObserver } from './put-load.ts';

const WRITES_MIN = 1 << 16;
/** 17 bytes each: beyond this a run is refused more writes. */
const WRITES_MAX = 1 << 26;

const ACKNOWLEDGED = 1;
const SEEN = 2;

export class WriteLog implements WriteObserver {
  /** When each write should have been sent. */
  #intendedMs = new Float64Array(WRITES_MIN);
  #state = new Uint8Array(WRITES_MIN);
  #count = 0;
  /** Writes acknowledged or seen. */
  expected = 0;

  onWrite(number: number, intendedMs: number): void {
    if (number >= this.#state.length) this.#grow();
    this.#intendedMs[number] = intendedMs;
    this.#count = number + 1;
  }

  onWritten(number: number, code: number): void {
    if (code === 0) this.#mark(number, ACKNOWLEDGED);
  }

  /** Since when the event's latency counts; undefined for a number that was never written. */
  onSeen(number: number): number | undefined {
    if (number >= this.#count) return undefined;
    this.#mark(number, SEEN);
    return this.#intendedMs[number];
  }

  #mark(number: number, state: number): void {
    if (this.#state[number] === 0) this.expected++;
    this.#state[number] |= state;
  }

  #grow(): void {
    const length = this.#state.length * 2;
    if (length > WRITES_MAX) throw new RangeError(`a run has at most ${WRITES_MAX} writes`);
    const intendedMs = new Float64Array(length);
    const state = new Uint8Array(length);
    intendedMs.set(this.#intendedMs);
    state.set(this.#state);
    this.#intendedMs = intendedMs;
    this.#state = state;
  }
}
