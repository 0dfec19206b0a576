// Simulated time: stands still until told to advance. What is due runs in order of its time, and in order of its
// making where times are equal; `defer` callbacks run before any timer, in order.

import type { Clock, Timer } from '../io/clock.ts';

class SimulatedTimer implements Timer {
  readonly dueMs: number;
  readonly order: number;
  readonly callback: () => void;
  isCancelled = false;

  constructor(dueMs: number, order: number, callback: () => void) {
    this.dueMs = dueMs;
    this.order = order;
    this.callback = callback;
  }

  cancel(): void {
    this.isCancelled = true;
  }
}

export class SimulatedClock implements Clock {
  #wallStartMs: number;
  #nowMs = 0;
  #order = 0;
  #timers: SimulatedTimer[] = [];
  #deferred: (() => void)[] = [];

  constructor(wallStartMs = 1_700_000_000_000) {
    this.#wallStartMs = wallStartMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#wallStartMs + this.#nowMs;
  }

  /** Somebody sets the wall clock, by this much forward or (below 0) back. */
  stepWall(ms: number): void {
    this.#wallStartMs += ms;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const timer = new SimulatedTimer(this.#nowMs + Math.max(0, delayMs), this.#order++, callback);
    // Kept sorted; equal times stay in order of making, since the new timer goes behind them.
    let at = this.#timers.length;
    while (at > 0 && this.#timers[at - 1].dueMs > timer.dueMs) at--;
    this.#timers.splice(at, 0, timer);
    return timer;
  }

  defer(callback: () => void): void {
    this.#deferred.push(callback);
  }

  /** Timers that fall due meanwhile are late, as in a thread that stands still. */
  rest(ms: number): void {
    this.#nowMs += ms;
  }

  /** Runs what is deferred, and what that defers. */
  runDeferred(): void {
    for (let callback = this.#deferred.shift(); callback !== undefined; callback = this.#deferred.shift()) callback();
  }

  /** Moves time on, running what falls due on the way at its own time. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    this.runDeferred();
    while (this.#isDueBy(untilMs)) this.step();
    this.#nowMs = Math.max(this.#nowMs, untilMs);
  }

  /** Runs what is deferred and the one timer due next, moving time to it. False when nothing was left. */
  step(): boolean {
    const hadDeferred = this.#deferred.length > 0;
    this.runDeferred();
    for (let timer = this.#timers.shift(); timer !== undefined; timer = this.#timers.shift()) {
      if (timer.isCancelled) continue;
      this.#nowMs = Math.max(this.#nowMs, timer.dueMs);
      timer.callback();
      this.runDeferred();
      return true;
    }
    return hadDeferred;
  }

  /**
   * Steps until `promise` settles, letting promise reactions run between steps. Rejects when nothing is left
   * to run and the promise still waits.
   */
  async runUntil<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const settled = (): void => {
      isSettled = true;
    };
    promise.then(settled, settled);
    for (;;) {
      await promiseReactions();
      if (isSettled) return promise;
      if (!this.step()) throw new Error('nothing is left to run, and the promise waits');
    }
  }

  /** Like `advance`, letting promise reactions run between steps. */
  async pass(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await promiseReactions();
    while (this.#deferred.length > 0 || this.#isDueBy(untilMs)) {
      if (this.#deferred.length > 0) this.runDeferred();
      else this.step();
      await promiseReactions();
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs);
  }

  /** Steps until nothing is left to run. */
  async runAll(): Promise<void> {
    await promiseReactions();
    while (this.step()) await promiseReactions();
  }

  #isDueBy(ms: number): boolean {
    while (this.#timers.length > 0 && this.#timers[0].isCancelled) this.#timers.shift();
    return this.#timers.length > 0 && this.#timers[0].dueMs <= ms;
  }
}

/** Resolves after all promise reactions that are ready, and those they make ready. */
function promiseReactions(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
