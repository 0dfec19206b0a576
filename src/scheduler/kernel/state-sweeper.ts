// When a state's tables are swept (sweep-rounds.ts): a round begins when much of them has changed, or anything a while ago, and goes on a part at a time.

import type { ClusterState } from './cluster-state.ts';

/** A round of the sweep begins when so much of its tables has changed, … */
const SWEEP_SHARE = 1 / 8;
/** … or anything, this long ago. */
const SWEEP_MS = 60_000;
/** After so many rounds without a change there is nothing left to forget. */
const SWEEPS_AFTER_CHANGE = 3;
/** Parts of a round in one tick at least, each of about a hundred entries; more when more has come. */
const SWEEP_PARTS = 16;

export class StateSweeper {
  readonly #state: ClusterState;
  readonly #round: () => Generator<void>;
  #sweep: Generator<void> | undefined;
  #sweptMs = 0;
  #sweepsDue = 0;
  /** Changes that a tick has seen of the sweep's round. */
  #changesSeen = 0;

  /** `round`: sweeps the state, and what is kept beside it. */
  constructor(state: ClusterState, round: () => Generator<void>) {
    this.#state = state;
    this.#round = round;
  }

  /** To be called every second or so. */
  tick(nowMs: number): void {
    const { rounds } = this.#state;
    if (this.#sweep === undefined) {
      if (!this.#isDue(nowMs)) return;
      this.#sweepsDue = rounds.changeCount > 0 ? SWEEPS_AFTER_CHANGE : this.#sweepsDue - 1;
      this.#sweptMs = nowMs;
      this.#changesSeen = 0;
      this.#sweep = this.#round();
    }
    const parts = SWEEP_PARTS + Math.ceil((rounds.changeCount - this.#changesSeen) / SWEEP_PARTS);
    this.#changesSeen = rounds.changeCount;
    for (let part = 0; part < parts; part++) {
      if (this.#sweep.next().done !== true) continue;
      this.#sweep = undefined;
      return;
    }
  }

  #isDue(nowMs: number): boolean {
    const { changeCount } = this.#state.rounds;
    if (changeCount > SWEEP_SHARE * this.#state.entryCount) return true;
    return (changeCount > 0 || this.#sweepsDue > 0) && nowMs - this.#sweptMs >= SWEEP_MS;
  }
}
