// Long work in slices: jobs take turns, and between them the event loop handles I/O. A job's step does a bounded piece of
// work (a millisecond at most) and says whether it is done.
//
// Requests wait for the jobs; those in the background (snapshots, compaction, hashes) have time, and therefore get less of
// each turn: under load the requests keep most of the processor, and an idle server gives it all to them.

export interface SliceOptions {
  /** How long the jobs of one turn may take before other work gets its chance; the same for those in the background. */
  readonly turnMsMax: number;
  readonly backgroundMsMax: number;
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
  readonly #background: Job[] = [];
  #isScheduled = false;

  constructor(options: SliceOptions) {
    this.#options = options;
  }

  get jobCount(): number {
    return this.#jobs.length + this.#background.length;
  }

  add(job: Job): void {
    this.#jobs.push(job);
    this.#schedule();
  }

  addBackground(job: Job): void {
    this.#background.push(job);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled || this.jobCount === 0) return;
    this.#isScheduled = true;
    this.#options.defer(() => {
      this.#isScheduled = false;
      this.#turn();
    });
  }

  #turn(): void {
    const { turnMsMax, backgroundMsMax } = this.#options;
    this.#run(this.#jobs, turnMsMax);
    this.#run(this.#background, backgroundMsMax);
    this.#options.onTurnEnd();
    this.#schedule();
  }

  #run(jobs: Job[], msMax: number): void {
    const { nowMs } = this.#options;
    const until = nowMs() + msMax;
    do {
      const job = jobs.shift();
      if (job === undefined) return;
      if (!job()) jobs.push(job);
    } while (nowMs() < until);
  }
}
