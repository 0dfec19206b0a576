// A clock that keeps its last reading, so that the hot loop need not read it for each request: the drivers read it once
// for each chunk they receive.

import type { Clock, Timer } from '../io/clock.ts';

export class RememberingClock implements Clock {
  lastMs: number;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.lastMs = clock.nowMs();
  }

  nowMs(): number {
    this.lastMs = this.#clock.nowMs();
    return this.lastMs;
  }

  wallMs(): number {
    return this.#clock.wallMs();
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    return this.#clock.setTimer(delayMs, callback);
  }

  defer(callback: () => void): void {
    this.#clock.defer(callback);
  }

  rest(ms: number): void {
    this.#clock.rest(ms);
  }
}
