// Time as a dependency: the interface and the real one. `src/testing/clock.ts` has the simulated twin.
// Durations come from a monotonic clock; wall time is only for showing to people.

export interface Timer {
  /** Does nothing once the timer has fired. */
  cancel(): void;
}

export interface Clock {
  /** Monotonic milliseconds with a fraction; only differences mean anything. */
  nowMs(): number;
  /** Milliseconds since 1970, for logs and metrics; may step. */
  wallMs(): number;
  /** Calls back once after `delayMs`. Real timers do not keep the process alive. */
  setTimer(delayMs: number, callback: () => void): Timer;
  /** Calls back after the I/O that is ready now has been handled. */
  defer(callback: () => void): void;
}

class RealTimer implements Timer {
  readonly #handle: NodeJS.Timeout;

  constructor(delayMs: number, callback: () => void) {
    this.#handle = setTimeout(callback, delayMs);
    this.#handle.unref();
  }

  cancel(): void {
    clearTimeout(this.#handle);
  }
}

export class RealClock implements Clock {
  nowMs(): number {
    return performance.now();
  }

  wallMs(): number {
    return Date.now();
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    return new RealTimer(delayMs, callback);
  }

  defer(callback: () => void): void {
    setImmediate(callback);
  }
}
