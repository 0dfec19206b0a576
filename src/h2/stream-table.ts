// The open streams of a connection by id, and what is remembered of closed ones.
//
// Open streams: open addressing, slot = (id >>> 1) & mask, linear probing, deletion by shifting back; at most half full.
// Ids come in order, so streams of about the same age sit in slots of their own, and an old long-lived one costs a few
// that pass by an extra step. How far from its slot any stream may stand is kept: of thousands that stand side by side, each
// in its slot, one is taken out without a look at the others. Stream objects are pooled.
// Closed streams: a ring by (id >>> 1) & 1023 holds the last id closed in that slot, negative when we reset it (the
// peer may not know yet and go on sending). A slot taken by a later id means: unknown, long ago.

import { Stream } from './stream.ts';

const SLOTS_MIN = 16;
const POOL_MAX = 1024;
const CLOSED_SLOTS = 1024;

/** How a stream that is not open ended: not at all (it never was opened), long ago, properly, or reset by us. */
export type Ending = 'none' | 'unknown' | 'finished' | 'reset';

export class StreamTable {
  #slots: (Stream | null)[] = new Array<Stream | null>(SLOTS_MIN).fill(null);
  #mask: number = SLOTS_MIN - 1;
  #count = 0;
  /** No stream stands further behind its slot. */
  #farthest = 0;
  readonly #pool: Stream[] = [];
  readonly #closed: Int32Array = new Int32Array(CLOSED_SLOTS);

  get count(): number {
    return this.#count;
  }

  find(id: number): Stream | null {
    const slots = this.#slots;
    const mask = this.#mask;
    for (let i = (id >>> 1) & mask; ; i = (i + 1) & mask) {
      const stream = slots[i];
      if (stream === null || stream.id === id) return stream;
    }
  }

  /** A fresh stream under an id that is not in the table. */
  open(id: number, sendWindow: number, receiveWindow: number): Stream {
    if (this.#count * 2 > this.#mask) this.#grow();
    const stream = this.#pool.pop() ?? new Stream();
    stream.id = id;
    stream.isAutoConsumed = true;
    stream.isStallLimited = false;
    stream.stallMs = 0;
    stream.isEnding = false;
    stream.isLocalClosed = false;
    stream.isRemoteClosed = false;
    stream.hasHeaders = false;
    stream.sendWindow = sendWindow;
    stream.receiveWindow = receiveWindow;
    stream.unackedBytes = 0;
    stream.expectedBytes = -1;
    this.#insert(stream);
    this.#count++;
    return stream;
  }

  /** Takes the stream out and back to the pool. Its queue is empty and it is in no list. */
  close(stream: Stream, isReset: boolean): void {
    this.#remove(stream.id);
    this.#count--;
    if (this.#count === 0) this.#farthest = 0;
    this.markClosed(stream.id, isReset);
    stream.id = 0;
    stream.userData = undefined;
    if (this.#pool.length < POOL_MAX) this.#pool.push(stream);
  }

  markClosed(id: number, isReset: boolean): void {
    const slot = (id >>> 1) & (CLOSED_SLOTS - 1);
    if (Math.abs(this.#closed[slot]) <= id) this.#closed[slot] = isReset ? -id : id;
  }

  ending(id: number): Ending {
    const closed = this.#closed[(id >>> 1) & (CLOSED_SLOTS - 1)];
    if (closed === id) return 'finished';
    if (closed === -id) return 'reset';
    return Math.abs(closed) > id ? 'unknown' : 'none';
  }

  /** The open streams at this moment, by id; for rare events. */
  all(): Stream[] {
    return this.select(() => true);
  }

  /** Those of them that are wanted: a pass over the table. */
  select(isWanted: (stream: Stream) => boolean): Stream[] {
    const streams = this.#slots.filter((stream) => stream !== null && isWanted(stream)) as Stream[];
    return streams.sort((a, b) => a.id - b.id);
  }

  #insert(stream: Stream): void {
    const home = (stream.id >>> 1) & this.#mask;
    let i = home;
    while (this.#slots[i] !== null) i = (i + 1) & this.#mask;
    this.#slots[i] = stream;
    this.#farthest = Math.max(this.#farthest, (i - home) & this.#mask);
  }

  #remove(id: number): void {
    const slots = this.#slots;
    const mask = this.#mask;
    let hole = (id >>> 1) & mask;
    while (slots[hole]?.id !== id) hole = (hole + 1) & mask;
    for (let i = (hole + 1) & mask; ((i - hole) & mask) <= this.#farthest; i = (i + 1) & mask) {
      const stream = slots[i];
      if (stream === null) break;
      // It may move back to the hole unless its home lies cyclically in (hole, i].
      const home = (stream.id >>> 1) & mask;
      if (((i - home) & mask) < ((i - hole) & mask)) continue;
      slots[hole] = stream;
      hole = i;
    }
    slots[hole] = null;
  }

  #grow(): void {
    const old = this.#slots;
    this.#mask = old.length * 2 - 1;
    this.#farthest = 0;
    this.#slots = new Array<Stream | null>(old.length * 2).fill(null);
    for (const stream of old) if (stream !== null) this.#insert(stream);
  }
}
