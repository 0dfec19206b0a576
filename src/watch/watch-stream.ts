// The watchers of one gRPC stream, and where their messages go.

import type { Watcher } from './watcher.ts';

/** A stream's way out. Bytes given to `send` never change afterwards. */
export interface WatchSink {
  send(message: Uint8Array, start: number, end: number): void;
  /** Bytes that wait for the peer. */
  readonly queuedBytes: number;
}

export class WatchStream {
  readonly sink: WatchSink;
  readonly watchers: Map<bigint, Watcher> = new Map();
  /** Watchers that are behind, in the order in which they get their turns. */
  readonly lagging: Watcher[] = [];
  /** In the hub's list of streams with work to do. */
  isQueued = false;
  /** When the next periodic progress notification is due, in monotonic milliseconds. */
  nextProgressMs: number;
  #nextId = 0n;

  constructor(sink: WatchSink, nextProgressMs: number) {
    this.sink = sink;
    this.nextProgressMs = nextProgressMs;
  }

  /** An id nobody uses: counts up from 0 and never goes back. */
  takeId(): bigint {
    while (this.watchers.has(this.#nextId)) this.#nextId++;
    return this.#nextId++;
  }
}
