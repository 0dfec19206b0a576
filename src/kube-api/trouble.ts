// Something that fails again and again, told so that a log says it and is not filled by it: at first, then once a minute while it lasts
// (another reason after ten seconds), and when it is over, if it lasted ten seconds.

import type { Clock } from '../io/clock.ts';

const TELL_AGAIN_MS = 60_000;
const TELL_OTHER_MS = 10_000;
/** The end of what was over sooner is not worth a line. */
const TELL_END_MS = 10_000;

/** What fails, and since when by the clock's nowMs. */
export interface OngoingTrouble {
  readonly text: string;
  readonly sinceMs: number;
}

/** 0 where there is none. */
export function secondsSince(trouble: OngoingTrouble | undefined, nowMs: number): number {
  return trouble === undefined ? 0 : Math.round((nowMs - trouble.sinceMs) / 1000);
}

export class Trouble {
  readonly #clock: Clock;
  readonly #tell: (text: string) => void;
  /** What is told with the duration when it is over, like "pods: followed again". */
  readonly #ending: string;
  #current: OngoingTrouble | undefined;
  /** Of the current one something has been told. */
  #isTold = false;
  #told = '';
  #toldMs = 0;

  constructor(clock: Clock, ending: string, tell: (text: string) => void) {
    this.#clock = clock;
    this.#ending = ending;
    this.#tell = tell;
  }

  get current(): OngoingTrouble | undefined {
    return this.#current;
  }

  /** `isTellable`: false when somebody else tells of it. */
  fail(text: string, isTellable = true): void {
    const nowMs = this.#clock.nowMs();
    const sinceMs = this.#current?.sinceMs ?? nowMs;
    this.#current = { text, sinceMs };
    if (!isTellable) return;
    const isFirst = !this.#isTold;
    this.#isTold = true;
    const waitMs = text === this.#told ? TELL_AGAIN_MS : TELL_OTHER_MS;
    if (!isFirst && nowMs - this.#toldMs < waitMs) return;
    this.#told = text;
    this.#toldMs = nowMs;
    this.#tell(isFirst ? text : `${text} (for ${Math.round((nowMs - sinceMs) / 1000)} s now)`);
  }

  /** `atMs`: when it was over, if that is known only now. */
  end(atMs: number = this.#clock.nowMs()): void {
    if (this.#current === undefined) return;
    const lastedMs = atMs - this.#current.sinceMs;
    this.#current = undefined;
    const isTold = this.#isTold;
    this.#isTold = false;
    if (isTold && lastedMs >= TELL_END_MS) this.#tell(`${this.#ending} after ${Math.round(lastedMs / 1000)} s`);
  }
}
