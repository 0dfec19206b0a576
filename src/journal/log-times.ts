// Wall time in the log: which batch was completed when, to within a second.
//
//   batch   ├ a, TIME 12:00:00.000 ┤├ b ┤├ c ┤    (an hour of silence)    ├ d, TIME 13:00:00.700 ┤
//   known   a at 12:00:00.000; b and c less than TIME_INTERVAL_MS later;    d at 13:00:00.700
//
// The journal completes a batch with a TIME when the wall clock does not stand within TIME_INTERVAL_MS behind the last one: so also
// when somebody has set the clock, and in the first batch of every start. What a client asked for lies between the request and its
// answer, which leaves later. At most one TIME of eight bytes a second, while the clock is left alone.
//
// A clock that was set back gives the same time twice. In the order of the log the later one counts, and the one before is told.

import type { BatchWriter } from './batch-writer.ts';

/** A batch without a TIME was completed less than this behind the last TIME before it. */
export const TIME_INTERVAL_MS = 1000;

/** Says when a batch needs a TIME. */
export class LogTimer {
  #lastMs: number = Number.NEGATIVE_INFINITY;

  /** Gives the batch, to which nothing of any revision is added any more, a TIME when it is due. */
  stamp(batch: BatchWriter, wallMs: number): void {
    if (wallMs >= this.#lastMs && wallMs < this.#lastMs + TIME_INTERVAL_MS) return;
    this.#lastMs = Math.max(0, Math.floor(wallMs));
    batch.appendTime(this.#lastMs);
  }
}

/** A batch as the log tells of it. */
export interface CompletedBatch {
  /** 0: it holds no revision. */
  readonly lastRevision: number;
  /** Its TIME, if it has one. */
  readonly wallMs: number | undefined;
  /** It is of a format that has times: without one of its own it was completed within TIME_INTERVAL_MS of the last. */
  readonly isTimed: boolean;
}

/** The state at some time. */
export interface Moment {
  /** The last revision of which it is certain that it was completed not after that time. */
  readonly revision: number;
  /** The wall clock was set back over that time: it had been that time before, at this revision. */
  readonly earlierRevision: number | undefined;
}

/** What is known before the first batch that is read: the wall clock stood at `wallMs` when `revision` was the last one. */
export interface KnownMoment {
  readonly revision: number;
  readonly wallMs: number;
}

/** Finds the state at `wallMs`, batch by batch. */
export class MomentSearch {
  readonly #wallMs: number;
  /** The first time known and the last. */
  #firstMs: number | undefined;
  #lastMs: number | undefined;
  /** After the batches so far. */
  #revision = 0;
  /** They end not after the time that is looked for. */
  #isBefore = false;
  #found: Moment | undefined;

  constructor(wallMs: number, start: KnownMoment | undefined) {
    this.#wallMs = wallMs;
    if (start === undefined) return;
    this.#revision = start.revision;
    this.#take(start.wallMs);
  }

  /** Undefined when there is none: then nothing can be found. */
  get firstMs(): number | undefined {
    return this.#firstMs;
  }

  /** Undefined: all that is known is after that time. */
  get found(): Moment | undefined {
    return this.#found;
  }

  take({ lastRevision, wallMs, isTimed }: CompletedBatch): void {
    this.#revision = Math.max(this.#revision, lastRevision);
    if (wallMs !== undefined) this.#take(wallMs);
    else {
      const isCertain = isTimed && this.#lastMs !== undefined && this.#lastMs + TIME_INTERVAL_MS <= this.#wallMs;
      this.#end(isCertain, this.#found?.earlierRevision);
    }
  }

  /** The batches so far were complete at `wallMs`. */
  #take(wallMs: number): void {
    const isSetBack = this.#lastMs !== undefined && wallMs < this.#lastMs;
    this.#firstMs ??= wallMs;
    this.#lastMs = wallMs;
    const isBefore = wallMs <= this.#wallMs;
    const isAgain = isSetBack && isBefore && !this.#isBefore;
    this.#end(isBefore, isAgain ? this.#found?.revision : this.#found?.earlierRevision);
  }

  #end(isBefore: boolean, earlierRevision: number | undefined): void {
    this.#isBefore = isBefore;
    if (isBefore) this.#found = { revision: this.#revision, earlierRevision };
  }
}
