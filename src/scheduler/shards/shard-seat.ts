// One shard as the sequencer knows it: what is to be sent to it, how much of that it has taken in, and what it owes.

import { ByteWriter } from '../../base/byte-writer.ts';
import type { ClusterState } from '../kernel/cluster-state.ts';
import type { Failure } from '../kernel/failure-table.ts';
import { ShardFeed } from './shard-feed.ts';

/** Sent as soon as there is so much. */
const FLUSH_BYTES = 64 * 1024;

/** While a shard is told what was there before it. */
export interface LoadingLimits {
  /** Nodes told at a time, … */
  readonly loadingSlots: number;
  /** … and bytes: of these nodes about, so that they fit in a message, and that it has not taken in. */
  readonly loadingBytes: number;
}

export const LOADING_LIMITS: LoadingLimits = { loadingSlots: 1_024, loadingBytes: 4 * 1024 * 1024 };

export type SeatState = 'gone' | 'loading' | 'up';

export class ShardSeat {
  state: SeatState = 'gone';
  readonly out: ByteWriter = new ByteWriter();
  feed: ShardFeed;
  /** As the shard numbers them. */
  readonly failures: Map<number, Failure> = new Map();
  /** Questions that it has not answered, with when they were asked, the oldest first. */
  readonly owed: Map<number, number> = new Map();
  /** When it was last heard of, or began to owe something. */
  heardMs = 0;
  readonly #limits: LoadingLimits;
  readonly #newFeed: () => ShardFeed;
  #sentBytes = 0;
  #seenBytes = 0;
  /** All that was there before it is within so many bytes; undefined: it is not all told yet. */
  #loadedBytes: number | undefined;

  constructor(state: ClusterState, isOwn: (slot: number) => boolean, limits: LoadingLimits) {
    this.#limits = limits;
    this.#newFeed = () => new ShardFeed(state, this.out, isOwn);
    this.feed = this.#newFeed();
  }

  get unseenBytes(): number {
    return this.#sentBytes + this.out.position - this.#seenBytes;
  }

  /** Since when it owes an answer; undefined: it owes none. */
  get owesSinceMs(): number | undefined {
    return this.owed.values().next().value;
  }

  get owes(): boolean {
    return this.unseenBytes > 0 || this.owed.size > 0;
  }

  /** What it owes counts from then on. */
  waitFrom(nowMs: number): void {
    this.heardMs = nowMs;
    for (const question of this.owed.keys()) this.owed.set(question, nowMs);
  }

  get isFull(): boolean {
    return this.out.position >= FLUSH_BYTES;
  }

  join(epoch: number, nowMs: number): void {
    this.leave();
    this.state = 'loading';
    this.heardMs = nowMs;
    this.feed.begin(epoch);
    this.load();
  }

  leave(): void {
    this.state = 'gone';
    this.out.reset();
    this.failures.clear();
    this.owed.clear();
    this.feed = this.#newFeed();
    this.#sentBytes = 0;
    this.#seenBytes = 0;
    this.#loadedBytes = undefined;
  }

  /** Tells more of what was there before it, as long as it keeps up. */
  load(): void {
    while (this.state === 'loading' && this.#loadedBytes === undefined) {
      const { loadingSlots, loadingBytes } = this.#limits;
      if (this.isFull || this.unseenBytes > loadingBytes) return;
      if (this.feed.advance(loadingSlots, loadingBytes)) this.#loadedBytes = this.#sentBytes + this.out.position;
    }
  }

  /** What is to be sent; undefined: nothing. */
  take(): Uint8Array | undefined {
    if (this.out.position === 0) return undefined;
    const message = this.out.take();
    this.#sentBytes += message.length;
    return message;
  }

  /** It has taken in so much. False: it was not sent that. */
  saw(bytes: number): boolean {
    if (bytes < this.#seenBytes || bytes > this.#sentBytes) return false;
    this.#seenBytes = bytes;
    if (this.#loadedBytes !== undefined && bytes >= this.#loadedBytes) this.state = 'up';
    return true;
  }
}
