// When to take a snapshot. A core: bytes and times come in as arguments.
//
//   due      the log since the last one ≥ max(logBytesMin, logShare × the state's size)
//            so what snapshots add to the disk's writing is at most 1 / logShare of the log's, and the log stays bounded
//   idle     hardly anything was logged for QUIET_MS, and the log since is large enough to slow the next start
//   relief   the disk has little room, and the log takes RELIEF_LOG_SHARE of the state or more: two snapshots let go of most of it
//   retry    after a failure: not before RETRY_MS_MIN, doubled with each further one up to RETRY_MS_MAX
//
// "The state's size" is what a snapshot would have now, not what the last one had: a store that only grows would
// otherwise write itself twice.

export interface SnapshotScheduleLimits {
  /** No snapshot for less log than this, in bytes. */
  readonly logBytesMin: number;
  /** Log since the last snapshot over the state's size, at which the next is due. */
  readonly logShare: number;
}

const QUIET_MS = 20_000;
/** Logged in QUIET_MS at most, for the server to count as idle. */
const QUIET_BYTES_MAX = 1 << 20;
const IDLE_LOG_BYTES_MIN = 16 << 20;
/** Log over the state's size from which an idle server takes one. */
const IDLE_LOG_SHARE = 0.1;
/** Log over the state's size from which a full disk gains by a snapshot. */
const RELIEF_LOG_SHARE = 0.25;
/** Between two tries to gain room. */
const RELIEF_MS = 10_000;
const RETRY_MS_MIN = 30_000;
const RETRY_MS_MAX = 600_000;

export class SnapshotSchedule {
  readonly #limits: SnapshotScheduleLimits;
  /** Logged since the state of the last snapshot. */
  #logBytes: number;
  #quietSinceMs: number;
  #quietBytes = 0;
  #retryMs = 0;
  #notBeforeMs = 0;
  #reliefNotBeforeMs = 0;

  /** `logBytes` were replayed at the start. */
  constructor(limits: SnapshotScheduleLimits, logBytes: number, nowMs: number) {
    this.#limits = limits;
    this.#logBytes = logBytes;
    this.#quietSinceMs = nowMs;
  }

  get logBytes(): number {
    return this.#logBytes;
  }

  logged(bytes: number): void {
    this.#logBytes += bytes;
    this.#quietBytes += bytes;
  }

  /** Asked from time to time; `stateBytes` is the size of a snapshot taken now. */
  isDue(stateBytes: number, nowMs: number): boolean {
    if (this.#quietBytes > QUIET_BYTES_MAX) {
      this.#quietBytes = 0;
      this.#quietSinceMs = nowMs;
    }
    if (nowMs < this.#notBeforeMs) return false;
    const { logBytesMin, logShare } = this.#limits;
    if (this.#logBytes >= Math.max(logBytesMin, logShare * stateBytes)) return true;
    const isIdle = nowMs - this.#quietSinceMs >= QUIET_MS;
    return isIdle && this.isWorthIt(stateBytes);
  }

  /** Asked instead of isDue while the disk has little room; `keptLogBytes` is all of the log that is there. */
  isReliefDue(stateBytes: number, keptLogBytes: number, nowMs: number): boolean {
    if (nowMs < this.#reliefNotBeforeMs || this.#logBytes === 0) return false;
    if (keptLogBytes < RELIEF_LOG_SHARE * stateBytes) return false;
    this.#reliefNotBeforeMs = nowMs + RELIEF_MS;
    return true;
  }

  /** Whether a snapshot makes the next start noticeably faster. */
  isWorthIt(stateBytes: number): boolean {
    const bytesMin = Math.min(IDLE_LOG_BYTES_MIN, this.#limits.logBytesMin);
    return this.#logBytes >= Math.max(bytesMin, IDLE_LOG_SHARE * stateBytes);
  }

  /** A snapshot of the present state is begun; the result is what to give `failed`. */
  started(): number {
    const bytes = this.#logBytes;
    this.#logBytes = 0;
    return bytes;
  }

  succeeded(): void {
    this.#retryMs = 0;
    this.#notBeforeMs = 0;
  }

  /** Returns when the next try may be, in milliseconds from now. */
  failed(logBytesBefore: number, nowMs: number): number {
    this.#logBytes += logBytesBefore;
    this.#retryMs = Math.min(Math.max(this.#retryMs * 2, RETRY_MS_MIN), RETRY_MS_MAX);
    this.#notBeforeMs = nowMs + this.#retryMs;
    return this.#retryMs;
  }
}
