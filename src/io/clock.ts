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
  /** Stops the calling thread for so many milliseconds, and up to a tenth of one more. */
  rest(ms: number): void;
}

/** Resolves after so much time. */
export function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.setTimer(ms, resolve);
  });
}

/** Resolves when `work` does, or when so much time has passed; rejects as `work` does. */
export async function within(clock: Clock, msMax: number, work: Promise<void> | undefined): Promise<void> {
  let timer: Timer | undefined;
  const time = new Promise<void>((resolve) => {
    timer = clock.setTimer(msMax, resolve);
  });
  try {
    await Promise.race([work, time]);
  } finally {
    timer?.cancel();
  }
}

const DAY_MS = 86_400_000;

/** As `work`. Until it ends the process goes on, also where nothing but real timers would bring it further. */
export async function stayingAlive<T>(work: Promise<T>): Promise<T> {
  const handle = setInterval(() => undefined, DAY_MS);
  try {
    return await work;
  } finally {
    clearInterval(handle);
  }
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
  /** Never notified. */
  readonly #nothing = new Int32Array(new SharedArrayBuffer(4));

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

  rest(ms: number): void {
    if (ms > 0) Atomics.wait(this.#nothing, 0, 0, ms);
  }
}
