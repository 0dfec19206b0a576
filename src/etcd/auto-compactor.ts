// Compaction by the server itself (etcd 3.7, server/etcdserver/api/v3compactor). A core: it is told the time and the revision and
// says what to compact to.
//
//   periodic  keeps `retention` milliseconds of history: notes the revision every tenth of the interval
//             min(retention, 1 h), and every interval compacts to the revision of `retention` ago
//   revision  keeps `retention` revisions: every five minutes compacts to current − retention

const HOUR_MS = 3_600_000;
const REVISION_INTERVAL_MS = 300_000;
const NOTES_PER_INTERVAL = 10;

export interface AutoCompactorOptions {
  readonly mode: 'periodic' | 'revision';
  readonly retention: number;
}

export class AutoCompactor {
  readonly #options: AutoCompactorOptions;
  readonly #intervalMs: number;
  readonly #notes: { readonly atMs: number; readonly revision: number }[] = [];
  #nextNoteMs: number;
  #nextCompactMs: number;
  #last = 0;

  constructor(options: AutoCompactorOptions, nowMs: number) {
    this.#options = options;
    this.#intervalMs = options.mode === 'revision' ? REVISION_INTERVAL_MS : Math.min(options.retention, HOUR_MS);
    this.#nextNoteMs = nowMs;
    this.#nextCompactMs = nowMs + (options.mode === 'revision' ? REVISION_INTERVAL_MS : options.retention);
  }

  /** The revision to compact to now; 0 for none. */
  tick(nowMs: number, revision: number): number {
    if (nowMs >= this.#nextNoteMs) {
      this.#nextNoteMs = nowMs + this.#intervalMs / NOTES_PER_INTERVAL;
      this.#notes.push({ atMs: nowMs, revision });
    }
    if (nowMs < this.#nextCompactMs) return 0;
    this.#nextCompactMs = nowMs + this.#intervalMs;
    const target = this.#options.mode === 'revision' ? revision - this.#options.retention : this.#revisionBefore(nowMs);
    if (target <= this.#last) return 0;
    this.#last = target;
    return target;
  }

  /** The newest revision noted at least `retention` ago. */
  #revisionBefore(nowMs: number): number {
    let found = 0;
    while (this.#notes.length > 0 && this.#notes[0].atMs <= nowMs - this.#options.retention) {
      found = this.#notes.shift()?.revision ?? 0;
    }
    return found;
  }
}
