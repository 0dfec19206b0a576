// Whether a creation gets on.

import type { Clock } from '../io/clock.ts';
import type { CreationCount } from './object-maker.ts';

/** Who takes nothing for so long is given up. */
const STUCK_MS_MAX = 60_000;

/** The store or the API server is gone, or refuses what it gets. */
export class StuckError extends Error {
  override readonly name = 'StuckError';
}

export class StuckWatch {
  /** Like "the store". */
  readonly #who: string;
  readonly #name: string;
  readonly #load: CreationCount;
  readonly #clock: Clock;
  #created: number;
  #sinceMs: number;

  constructor(who: string, name: string, load: CreationCount, clock: Clock) {
    this.#who = who;
    this.#name = name;
    this.#load = load;
    this.#clock = clock;
    this.#created = load.created;
    this.#sinceMs = clock.nowMs();
  }

  /** Throws StuckError. */
  check(): void {
    const nowMs = this.#clock.nowMs();
    if (this.#load.created > this.#created) {
      this.#created = this.#load.created;
      this.#sinceMs = nowMs;
    } else if (nowMs - this.#sinceMs > STUCK_MS_MAX) {
      throw new StuckError(`${this.#who} has taken none of the ${this.#name} for ${STUCK_MS_MAX / 1000} s`);
    }
  }
}
