// Long work in slices: jobs take turns, and between them the event loop handles I/O. A job's step does a bounded piece of
// work (about a millisecond) and says whether it is done.

export interface SliceOptions {
  /** How long one turn may take before other work gets its chance. */
  readonly turnMsMax: number;
  readonly nowMs: () => number;
  /** Calls back after the I/O that is ready now. */
  readonly defer: (callback: () => void) => void;
  /** After each turn: connections may have something to flush. */
  readonly onTurnEnd: () => void;
}

export type Job = () => boolean;

export class Slices {
  readonly #options: SliceOptions;
  readonly #jobs: Job[] = [];
  #isScheduled = false;

  constructor(options: SliceOptions) {
    this.#options = options;
  }

  get jobCount(): number {
    return this.#jobs.length;
  }

  add(job: Job): void {
    this.#jobs.push(job);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#jobs.length === 0) return;
    this.#isScheduled = true;
    this.#options.defer(() => {
      this.#isScheduled = false;
      this.#turn();
    });
  }

  #turn(): void {
    const { nowMs, turnMsMax } = this.#options;
    const until = nowMs() + turnMsMax;
    do {
      const job = this.#jobs.shift();
      if (job === undefined) break;
      if (!job()) this.#jobs.push(job);
    } while (nowMs() < until);
    this.#options.onTurnEnd();
    this.#schedule();
  }
}
