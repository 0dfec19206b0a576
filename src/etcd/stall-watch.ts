// Whether the disk answers: the log's oldest write, sync or new segment under way tells. A core.
//
//   fine ──(it is older than stallMsMax, and still there once the I/O that is ready was handled)──► stalled
//   stalled ──(none is that old any more)──► fine
//
// The second look keeps an event loop that was held from being taken for a disk that is.

export interface StallWatchOptions {
  /** The oldest operation's begin; infinite when there is none. */
  readonly oldestOperationMs: () => number;
  readonly nowMs: () => number;
  /** Calls back after the I/O that is ready now has been handled. */
  readonly defer: (callback: () => void) => void;
  readonly stallMsMax: number;
  readonly onStalled: (stalledMs: number) => void;
  /** `stalledMs` is how long the operation took that was found first. */
  readonly onAnswered: (stalledMs: number) => void;
}

export class StallWatch {
  readonly #options: StallWatchOptions;
  /** When the operation was begun that was found first; undefined: the disk answers. */
  #sinceMs: number | undefined;
  /** Stalls found. */
  count = 0;

  constructor(options: StallWatchOptions) {
    this.#options = options;
  }

  get isStalled(): boolean {
    return this.#sinceMs !== undefined;
  }

  /** How long the disk has not answered; 0 while it does. */
  get stalledMs(): number {
    return this.#sinceMs === undefined ? 0 : this.#options.nowMs() - this.#sinceMs;
  }

  /** Called several times within `stallMsMax`. */
  tick(): void {
    if (this.isStalled) {
      if (!this.#isLate) this.#answered();
    } else if (this.#isLate) {
      this.#options.defer(() => {
        if (!this.isStalled && this.#isLate) this.#stalled();
      });
    }
  }

  get #isLate(): boolean {
    const { nowMs, oldestOperationMs, stallMsMax } = this.#options;
    return nowMs() - oldestOperationMs() >= stallMsMax;
  }

  #stalled(): void {
    this.#sinceMs = this.#options.oldestOperationMs();
    this.count++;
    this.#options.onStalled(this.stalledMs);
  }

  #answered(): void {
    const { stalledMs } = this;
    this.#sinceMs = undefined;
    this.#options.onAnswered(stalledMs);
  }
}
