// One watch: what it wants, and how far it has been told.
//
// A watcher is *synced* when everything up to the hub's dispatched revision that it wants has been queued on its stream;
// then new events reach it as they become visible. Otherwise it is *lagging*: it reads the store's history from
// `nextRevision` at its stream's pace, and all it costs meanwhile is this object.

import { compareBytes } from '../base/bytes.ts';
import type { WatchStream } from './watch-stream.ts';

export interface WatchSpec {
  readonly key: Uint8Array;
  /** Undefined: the one key. Null: no end. */
  readonly end: Uint8Array | null | undefined;
  /** 0: from now on. */
  readonly startRevision: number;
  readonly isPrevWanted: boolean;
  readonly isProgressWanted: boolean;
  readonly isFragmented: boolean;
  readonly skipsPuts: boolean;
  readonly skipsDeletes: boolean;
}

export class Watcher {
  readonly id: bigint;
  readonly stream: WatchStream;
  readonly spec: WatchSpec;
  /** The lowest revision whose events have not been queued. */
  nextRevision: number;
  isSynced: boolean;
  /** Had events since the last periodic progress notification. */
  hadEvents = false;
  /** Offsets of this round's events in the hub's event buffer: start, end, start, end, … */
  readonly slices: number[] = [];
  /** Revision of the last of them. */
  lastRevision = 0;

  constructor(id: bigint, stream: WatchStream, spec: WatchSpec, nextRevision: number, isSynced: boolean) {
    this.id = id;
    this.stream = stream;
    this.spec = spec;
    this.nextRevision = nextRevision;
    this.isSynced = isSynced;
  }

  covers(buffer: Uint8Array, start: number, end: number): boolean {
    const { key, end: upper } = this.spec;
    const order = compareBytes(buffer, start, end, key, 0, key.length);
    if (upper === undefined) return order === 0;
    return order >= 0 && (upper === null || compareBytes(buffer, start, end, upper, 0, upper.length) < 0);
  }
}
