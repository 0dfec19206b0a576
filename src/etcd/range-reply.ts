// A large RangeResponse, produced while it is sent: nothing but the list of addresses exists of it beforehand.
//
// The store is pinned from `start` until the last byte is read or the reply is abandoned.

import type { ServerIdentity } from '../api/header-writer.ts';
import { copyBytes } from '../base/bytes.ts';
import { varintBytes } from '../base/varint.ts';
import { ReplySource } from '../grpc/server-call.ts';
import type { Store } from '../store/store.ts';
import type { RangeOp } from './operations.ts';
import type { RangeQuery } from './range-query.ts';
import { ReplyWriter } from './reply-writer.ts';

const TAG_KV = 0x12;
/** A value from this size on is sent from the store's memory instead of being copied. */
const REFERENCED_BYTES_MIN = 16 << 10;

/** Bytes of the `kvs` fields of a result, added up in slices. */
export class RangeReplySize {
  bytes = 0;
  #next = 0;

  /** Looks at up to `units` records more; true when all were counted. */
  step(store: Store, query: RangeQuery, units: number): boolean {
    const { addresses } = query;
    const end = Math.min(addresses.length, this.#next + units);
    for (; this.#next < end; this.#next++) {
      const address = addresses.at(this.#next);
      const length = store.kvEnd(address) - store.kvStart(address);
      this.bytes += 1 + varintBytes(length) + length;
    }
    return this.#next === addresses.length;
  }
}

export interface RangeReplyOptions {
  readonly store: Store;
  readonly identity: ServerIdentity;
  readonly op: RangeOp;
  readonly query: RangeQuery;
  readonly headerRevision: number;
  /** Called once, when the reply has been read whole or abandoned. */
  readonly onEnd: () => void;
}

export class RangeReply extends ReplySource {
  readonly #options: RangeReplyOptions;
  /** Header before the pairs, more and count after them. */
  readonly #head: Uint8Array;
  readonly #tail: Uint8Array;
  #next = 0;
  #state: 'head' | 'pairs' | 'tail' | 'done' = 'head';
  /** The rest of a pair that did not fit. */
  #rest: Uint8Array | undefined;
  #isEnded = false;

  constructor(options: RangeReplyOptions) {
    super();
    this.#options = options;
    const writer = new ReplyWriter(options.identity);
    writer.header(options.headerRevision);
    this.#head = writer.copy();
    writer.reset();
    writer.bool(0x18, options.query.hasMore);
    writer.int(0x20, options.query.count);
    this.#tail = writer.copy();
    options.store.pin();
  }

  /** The whole message's size, given that of its pairs. */
  totalBytes(pairBytes: number): number {
    return this.#head.length + pairBytes + this.#tail.length;
  }

  override get isDone(): boolean {
    return this.#state === 'done' && this.#rest === undefined;
  }

  override read(room: Uint8Array): Uint8Array | null {
    if (this.#rest !== undefined) return this.#readRest(room.length);
    let used = 0;
    if (this.#state === 'head') {
      if (room.length < this.#head.length) return this.#cut(this.#head, room.length, 'pairs');
      used = this.#put(room, 0, this.#head);
      this.#state = 'pairs';
    }
    while (this.#state === 'pairs') {
      const next = this.#copyPair(room, used);
      if (next < 0 && used === 0) return this.#large(room.length);
      if (next < 0) return room.subarray(0, used);
      used = next;
    }
    if (this.#state === 'tail') {
      if (room.length - used < this.#tail.length) {
        return used > 0 ? room.subarray(0, used) : this.#cut(this.#tail, room.length, 'done');
      }
      used = this.#put(room, used, this.#tail);
      this.#finish();
    }
    return room.subarray(0, used);
  }

  /** The peer went away. */
  override abandon(): void {
    this.#finish();
  }

  /** Copies the next pair behind `used`; −1 when there is no room for it. */
  #copyPair(room: Uint8Array, used: number): number {
    const { query, store } = this.#options;
    if (this.#next === query.addresses.length) {
      this.#state = 'tail';
      return used;
    }
    const address = query.addresses.at(this.#next);
    const start = store.kvStart(address);
    const end = store.kvEnd(address);
    const needed = 1 + varintBytes(end - start) + end - start;
    if (room.length - used < needed) return -1;
    room[used++] = TAG_KV;
    used = writeLength(room, used, end - start);
    copyBytes(room, used, store.segmentOf(address), start, end);
    this.#next++;
    return used + end - start;
  }

  /** The next pair does not fit although it is the first: it is cut or referenced. */
  #large(bytesMax: number): Uint8Array {
    const { query, store } = this.#options;
    const address = query.addresses.at(this.#next++);
    const start = store.kvStart(address);
    const end = store.kvEnd(address);
    const prefix = Buffer.alloc(1 + varintBytes(end - start));
    prefix[0] = TAG_KV;
    writeLength(prefix, 1, end - start);
    if (end - start >= REFERENCED_BYTES_MIN && prefix.length <= bytesMax) {
      // The socket may hold it when the pin is gone.
      this.#rest = store.lendSegmentOf(address).subarray(start, end);
      return prefix;
    }
    this.#rest = Buffer.concat([prefix, store.segmentOf(address).subarray(start, end)]);
    return this.#readRest(bytesMax);
  }

  #readRest(bytesMax: number): Uint8Array {
    const rest = this.#rest ?? new Uint8Array(0);
    this.#rest = rest.length > bytesMax ? rest.subarray(bytesMax) : undefined;
    const part = rest.subarray(0, bytesMax);
    if (this.#rest === undefined && this.#state === 'done') this.#end();
    return part;
  }

  #cut(bytes: Uint8Array, bytesMax: number, next: 'pairs' | 'done'): Uint8Array {
    this.#rest = bytes;
    this.#state = next;
    return this.#readRest(bytesMax);
  }

  #put(chunk: Uint8Array, at: number, bytes: Uint8Array): number {
    chunk.set(bytes, at);
    return at + bytes.length;
  }

  #finish(): void {
    this.#state = 'done';
    this.#rest = undefined;
    this.#end();
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#options.store.unpin();
    this.#options.onEnd();
  }
}

function writeLength(target: Uint8Array, at: number, length: number): number {
  while (length > 127) {
    target[at++] = (length & 127) | 128;
    length >>>= 7;
  }
  target[at++] = length;
  return at;
}
