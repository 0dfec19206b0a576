// Keeps what a cluster does from filling the log: of each kind LINES_MAX lines in WINDOW_MS, then how many were left out.

import type { Clock } from '../io/clock.ts';

const LINES_MAX = 20;
const WINDOW_MS = 10_000;

interface Window {
  startMs: number;
  lines: number;
}

export class LogLimit {
  readonly #clock: Clock;
  readonly #windows = new Map<string, Window>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Kinds are few: names of resources and the like. `write` is called for each line that is to be written. */
  tell(kind: string, text: string, write: (text: string) => void): void {
    const nowMs = this.#clock.nowMs();
    const window = this.#windows.get(kind);
    if (window !== undefined && nowMs - window.startMs < WINDOW_MS) {
      window.lines++;
      if (window.lines <= LINES_MAX) write(text);
      return;
    }
    const left = window === undefined ? 0 : window.lines - LINES_MAX;
    this.#windows.set(kind, { startMs: nowMs, lines: 1 });
    if (left > 0) write(`${left} lines like the ones before were left out`);
    write(text);
  }
}
