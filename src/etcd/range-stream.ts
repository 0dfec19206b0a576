// One RangeStream call (etcd 3.7): the result at one revision in messages of about a mebibyte; only the last one has
// header, more and count. The next message is made when the peer has taken most of those before.

import { compacted } from '../api/errors.ts';
import type { ServerCall } from '../grpc/server-call.ts';
import type { Engine } from './engine.ts';
import type { RangeOp } from './operations.ts';
import { RangeQuery } from './range-query.ts';
import { ReplyWriter } from './reply-writer.ts';

const MESSAGE_BYTES = 1 << 20;
/** No further message while this much waits on the stream. */
const QUEUE_BYTES_MAX = 4 << 20;

export class RangeStream {
  readonly #call: ServerCall;
  readonly #engine: Engine;
  readonly #op: RangeOp;
  readonly #query: RangeQuery;
  readonly #revision: number;
  readonly #headerRevision: number;
  readonly #writer: ReplyWriter;
  #isCollected = false;
  #next = 0;
  #isClosed = false;
  /** The peer has to take something before the next step. */
  isWaiting = false;

  /** `op`'s bytes are the stream's own. */
  constructor(call: ServerCall, engine: Engine, op: RangeOp, revision: number) {
    this.#call = call;
    this.#engine = engine;
    this.#op = op;
    this.#revision = revision;
    this.#headerRevision = engine.visibleRevision;
    this.#query = new RangeQuery(engine.store, op, revision);
    this.#writer = new ReplyWriter(engine.identity);
    engine.store.pin();
  }

  /** A piece of work; true when there is nothing to do now. */
  step(units: number): boolean {
    this.isWaiting = false;
    if (this.#isClosed) return true;
    if (!this.#isCollected) {
      if (this.#engine.store.compactedRevision > this.#revision) {
        this.close();
        this.#call.fail(compacted());
        return true;
      }
      this.#isCollected = this.#query.step(units);
      return false;
    }
    if (this.#call.queuedBytes > QUEUE_BYTES_MAX) {
      this.isWaiting = true;
      return true;
    }
    this.#sendMessage();
    return this.#isClosed;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#engine.store.unpin();
  }

  #sendMessage(): void {
    const writer = this.#writer;
    const { store } = this.#engine;
    const { addresses } = this.#query;
    const first = this.#next;
    let bytes = 0;
    let end = first;
    while (end < addresses.length && bytes < MESSAGE_BYTES) {
      const address = addresses.at(end++);
      bytes += store.kvEnd(address) - store.kvStart(address);
    }
    const isLast = end === addresses.length;
    writer.reset();
    const body = writer.open(0x0a);
    if (isLast) writer.header(this.#headerRevision);
    for (let i = first; i < end; i++) {
      if (this.#op.isKeysOnly) writer.keyOnly(0x12, store, addresses.at(i));
      else writer.keyValue(0x12, store, addresses.at(i));
    }
    if (isLast) {
      writer.bool(0x18, this.#query.hasMore);
      writer.int(0x20, this.#query.count);
    }
    writer.close(body);
    this.#next = end;
    const message = writer.copy();
    this.#call.send(message, 0, message.length);
    if (!isLast) return;
    this.close();
    this.#call.end();
  }
}
