// Calls that wait for something and have a deadline, in buckets of BUCKET_MS, so that adding and removing are O(1):
// most calls finish long before. A call knows its bucket and its place in it; removal swaps the last one in.
// A deadline is met up to one bucket late, never early.

import type { ServerCall } from './server-call.ts';

const BUCKET_MS = 64;

export class Deadlines {
  readonly #buckets = new Map<number, ServerCall[]>();
  #nextBucket = 0;

  add(call: ServerCall, deadlineMs: number): void {
    const bucket = Math.max(Math.ceil(deadlineMs / BUCKET_MS), this.#nextBucket);
    const calls = this.#buckets.get(bucket);
    call.deadlineBucket = bucket;
    if (calls === undefined) {
      call.deadlinePlace = 0;
      this.#buckets.set(bucket, [call]);
    } else {
      call.deadlinePlace = calls.length;
      calls.push(call);
    }
  }

  remove(call: ServerCall): void {
    const bucket = call.deadlineBucket;
    const calls = this.#buckets.get(bucket);
    call.deadlineBucket = -1;
    if (calls === undefined) return;
    const last = calls.pop();
    if (last !== undefined && last !== call) {
      calls[call.deadlinePlace] = last;
      last.deadlinePlace = call.deadlinePlace;
    }
    if (calls.length === 0) this.#buckets.delete(bucket);
  }

  /** Calls `expire` for every call whose deadline has passed. */
  tick(nowMs: number, expire: (call: ServerCall) => void): void {
    const bucketNow = Math.floor(nowMs / BUCKET_MS);
    if (this.#nextBucket === 0) this.#nextBucket = bucketNow;
    for (; this.#nextBucket <= bucketNow; this.#nextBucket++) {
      const calls = this.#buckets.get(this.#nextBucket);
      if (calls === undefined) continue;
      this.#buckets.delete(this.#nextBucket);
      for (const call of calls) {
        call.deadlineBucket = -1;
        expire(call);
      }
    }
  }
}
