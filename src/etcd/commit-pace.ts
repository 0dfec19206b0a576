// How long a commit waits for company, so that a stream of small writes does not pay a log write, and a read and a write of each
// socket, for every one of them. A core: times come in as arguments.
//
//   commit ──────────── delayMs ────────────► the next one, at the earliest, while writes are frequent
//     │ log write │ replies │ rest │ rest │
//                             between the rests: what the sockets gathered is read, and looked at
//
// Frequent means that WRITES_MIN or more would gather in delayMs, at the rate of the last COMMITS commits. A batch with as many writes as
// the largest of these is not kept waiting: then everyone who wrote lately is in it, and waits for the answer.
// So a lone client, or a few that wait for their answers, lose nothing or little. At high rates the log and
// the sockets take longer than delayMs by themselves, and nothing is added either.

/** Fewer are not worth waiting for. */
const WRITES_MIN = 4;
const COMMITS = 16;
/** Looks at the batch in delayMs. */
const LOOKS = 4;

export class CommitPace {
  readonly #delayMs: number;
  /** Of the last commits, in a ring. */
  readonly #times = new Float64Array(COMMITS).fill(Number.NEGATIVE_INFINITY);
  readonly #writes = new Uint32Array(COMMITS);
  #place = 0;
  #writesSum = 0;

  /** Commits are `delayMs` apart while writes are frequent; 0: never. */
  constructor(delayMs: number) {
    this.#delayMs = delayMs;
  }

  /** A batch with so many writes was committed. */
  committed(writes: number, nowMs: number): void {
    this.#place = (this.#place + 1) % COMMITS;
    this.#writesSum += writes - this.#writes[this.#place];
    this.#writes[this.#place] = writes;
    this.#times[this.#place] = nowMs;
  }

  /** How long to wait before the next look at a batch of so many writes, in milliseconds; 0: it is to be committed. */
  waitMs(writes: number, nowMs: number): number {
    const waitMs = this.#times[this.#place] + this.#delayMs - nowMs;
    if (waitMs <= 0) return 0;
    const oldestMs = this.#times[(this.#place + 1) % COMMITS];
    const isFrequent = this.#writesSum * this.#delayMs >= WRITES_MIN * (nowMs - oldestMs);
    if (!isFrequent || writes >= Math.max(...this.#writes)) return 0;
    return Math.min(waitMs, this.#delayMs / LOOKS);
  }
}
