// Collects what clients see into a history, in the order in which it happens.

import type { Clock } from '../../src/io/clock.ts';
import type { Call, History, Jump, Moment, WatchRecord, WatchResponse } from '../../src/testing/history.ts';

export type OpenWatchRecord = Omit<WatchRecord, 'responses'> & { readonly responses: WatchResponse[] };

export class HistoryRecorder implements History {
  readonly calls: Call[] = [];
  readonly watches: OpenWatchRecord[] = [];
  readonly jumps: Jump[] = [];
  readonly #clock: Clock;
  #order = 0;
  /** Called after every call that ended. */
  onCall: (call: Call) => void = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  moment(): Moment {
    return { order: ++this.#order, ms: this.#clock.nowMs() };
  }

  note(call: Call): void {
    this.calls.push(call);
    this.onCall(call);
  }
}
