// The clock of one process in simulated time, which may be stopped and continued (SIGSTOP, SIGCONT), and ended (SIGKILL): what falls due
// while it is stopped runs when it is continued, in order of its time; after its end nothing runs.

import type { Clock, Timer } from '../io/clock.ts';

export class StallingClock implements Clock {
  readonly #clock: Clock;
  #held: (() => void)[] = [];
  #isStopped = false;
  #isEnded = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }

  wallMs(): number {
    return this.#clock.wallMs();
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    let isCancelled = false;
    const timer = this.#clock.setTimer(delayMs, () => this.#run(() => isCancelled || callback()));
    return {
      cancel: () => {
        isCancelled = true;
        timer.cancel();
      },
    };
  }

  defer(callback: () => void): void {
    this.#clock.defer(() => this.#run(callback));
  }

  rest(ms: number): void {
    this.#clock.rest(ms);
  }

  stop(): void {
    this.#isStopped = true;
  }

  continue(): void {
    this.#isStopped = false;
    // Each in a turn of its own, as in an event loop.
    const held = this.#held;
    this.#held = [];
    for (const callback of held) this.defer(callback);
  }

  end(): void {
    this.#isEnded = true;
    this.#held = [];
  }

  #run(callback: () => void): void {
    if (this.#isEnded) return;
    if (this.#isStopped) this.#held.push(callback);
    else callback();
  }
}
