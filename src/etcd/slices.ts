// Long work in slices: jobs take turns, and between them the event loop handles I/O. A job's step does a bounded piece of
// work (a millisecond at most) and says whether it is done.
//
// Requests wait for the jobs; those in the background (snapshots, compaction, hashes) have time. Theirs is a share of what the rest of the turn
// took, and one step at least: under load the requests keep most of the thread and wait for no more than a fraction of what they wait
// for each other, and an idle server, whose turns are short, gives nearly all of it to the steps. These take a tenth of a millisecond.
// Work that goes on for long although it has its share is more than the share is enough for: it is given more, so that it ends also on a
// thread that has no time, and neither history nor log grow for ever.

export interface SliceOptions {
  /** How long the jobs of one turn may take before other work gets its chance; the same for those in the background. */
  readonly turnMsMax: number;
  readonly backgroundMsMax: number;
  /** The background's time in a turn over the time since its last one. */
  readonly backgroundShare: number;
  /** Each time that there was background work for so long without a break, its share grows by as much again, up to 1. */
  readonly backgroundPatienceMs: number;
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
  #backgroundEndMs = 0;
  /** When there was none the last time. */
  #backgroundSinceMs = 0;

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
    if (this.#background.length === 0) this.#backgroundSinceMs = this.#options.nowMs();
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
    const { turnMsMax, backgroundMsMax, nowMs } = this.#options;
    this.#run(this.#jobs, turnMsMax);
    const restMs = nowMs() - this.#backgroundEndMs;
    this.#run(this.#background, Math.min(backgroundMsMax, restMs * this.#backgroundShare));
    this.#backgroundEndMs = nowMs();
    this.#options.onTurnEnd();
    this.#schedule();
  }

  get #backgroundShare(): number {
    const { backgroundShare, backgroundPatienceMs, nowMs } = this.#options;
    const patienceCount = Math.floor((nowMs() - this.#backgroundSinceMs) / backgroundPatienceMs);
    return Math.min(1, backgroundShare * (1 + patienceCount));
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
