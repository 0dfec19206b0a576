// Unary requests that arrived whole, one behind the other in one buffer, and have not run yet.
//
// They are kept in columns that are used again for ever; `buffer` is theirs until the connection's batch ends.

import { EMPTY_BYTES } from '../base/bytes.ts';
import type { Stream } from '../h2/stream.ts';
import type { MethodEntry } from './registry.ts';
import type { RequestHead } from './request-head.ts';

/** So many that their waits for memory overlap, so few that what was fetched for the last is still near when it runs. */
const CALLS_MAX = 64;

export class UnaryBatch {
  buffer: Uint8Array = EMPTY_BYTES;
  count = 0;
  readonly streams: Stream[] = [];
  /** A stream with another id than then has ended. */
  readonly ids: number[] = [];
  readonly heads: RequestHead[] = [];
  readonly entries: MethodEntry[] = [];
  /** The message is buffer[start, end). */
  readonly starts: number[] = [];
  readonly ends: number[] = [];

  get isFull(): boolean {
    return this.count === CALLS_MAX;
  }

  add(stream: Stream, head: RequestHead, entry: MethodEntry, start: number, end: number): void {
    const at = this.count++;
    this.streams[at] = stream;
    this.ids[at] = stream.id;
    this.heads[at] = head;
    this.entries[at] = entry;
    this.starts[at] = start;
    this.ends[at] = end;
  }
}
