// How long to wait before the next attempt: doubling with jitter, as client-go's reflectors do (0.8 s to 30 s, forgotten after two
// minutes without one).

export const BACKOFF_MS_MIN = 800;
export const BACKOFF_MS_MAX = 30_000;
const FORGET_MS = 120_000;

export class Backoff {
  /** 0 <= chance() < 1. */
  readonly #chance: () => number;
  #nextMs = BACKOFF_MS_MIN;
  #lastMs = 0;

  constructor(chance: () => number) {
    this.#chance = chance;
  }

  /** Milliseconds to wait from `nowMs` on, at least `leastMs` where the server asks for it: up to twice the step, so that clients part. */
  next(nowMs: number, leastMs = 0): number {
    if (nowMs - this.#lastMs > FORGET_MS) this.#nextMs = BACKOFF_MS_MIN;
    const stepMs = this.#nextMs;
    this.#nextMs = Math.min(stepMs * 2, BACKOFF_MS_MAX);
    this.#lastMs = nowMs;
    return Math.max(leastMs, Math.min(stepMs * (1 + this.#chance()), BACKOFF_MS_MAX));
  }
}
