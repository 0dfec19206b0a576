// When the store lets go of memory that it has not used again: seldom while it is written to, since that ends in a collection which holds
// the thread for some twenty milliseconds; soon when nothing changes. A core.

/** Without a change for so long the store is quiet. */
const QUIET_MS = 1_000;
/** Between two times while it is not. */
const BUSY_MS = 60_000;

export class TrimPace {
  #revision = 0;
  #changedMs: number;
  #trimmedMs: number;

  constructor(nowMs: number) {
    this.#changedMs = nowMs;
    this.#trimmedMs = nowMs;
  }

  /** Called several times a second; true: now. What works in the background counts as a change. */
  tick(revision: number, isWorking: boolean, nowMs: number): boolean {
    if (isWorking || revision !== this.#revision) this.#changedMs = nowMs;
    this.#revision = revision;
    const sinceMs = nowMs - this.#trimmedMs;
    const isQuiet = nowMs - this.#changedMs >= QUIET_MS;
    if (sinceMs < (isQuiet ? QUIET_MS : BUSY_MS)) return false;
    this.#trimmedMs = nowMs;
    return true;
  }
}
