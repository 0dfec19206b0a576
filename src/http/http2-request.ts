// A request on its way: it waits for a connection, is sent, perhaps sent again, and answered or given up. What becomes of the answer is its kind's
// business (exchange.ts, answer-stream.ts).
//
//   waiting ──sendOn──► sent ──onEnd, onFailure──► over
//      ▲                 │
//      └── not processed ┘     REFUSED_STREAM, or above the last stream of a GOAWAY (RFC 9113 §8.7): RESENDS_MAX times
//
// A connection that is lost may have carried the request out: that is never sent again here.

import type { HeaderField } from '../h2/header-block.ts';
import type { SplitHeaders } from '../h2/prepared-headers.ts';
import { HttpError } from '../io/http-client.ts';
import type { Http2Connection, StreamListener } from './http2-connection.ts';

export const RESENDS_MAX = 3;

/** Where requests wait for a connection. */
export interface RequestQueue {
  /** Sends it now or later, or tells it why not. */
  enqueue(request: Http2Request): void;
  /** The same for one that came back unprocessed: later. */
  enqueueAgain(request: Http2Request): void;
  /** It is given up; does nothing when it does not wait. */
  withdraw(request: Http2Request): void;
}

export interface RequestParts {
  readonly queue: RequestQueue;
  readonly head: SplitHeaders;
  readonly path: string;
  readonly body: Uint8Array | undefined;
}

export abstract class Http2Request implements StreamListener {
  readonly head: SplitHeaders;
  readonly path: string;
  readonly body: Uint8Array | undefined;
  readonly #queue: RequestQueue;
  #connection: Http2Connection | undefined;
  #resends = 0;
  #isOver = false;

  constructor({ queue, head, path, body }: RequestParts) {
    this.#queue = queue;
    this.head = head;
    this.path = path;
    this.body = body;
  }

  /** Whether the server may send on without being told that what came was used: consume() does. */
  get isAutoConsumed(): boolean {
    return true;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Whether it has left: then its end says nothing about what the server has done. */
  get isSent(): boolean {
    return this.#connection !== undefined;
  }

  /** For the queue: the connection can take it. */
  sendOn(connection: Http2Connection): void {
    this.#connection = connection;
    connection.send(this);
  }

  /** Once, unless the request is given up before. */
  protected abstract answered(): void;
  protected abstract failed(error: HttpError): void;
  abstract onResponse(status: number, fields: readonly HeaderField[]): void;
  abstract onData(buffer: Uint8Array, start: number, end: number): void;

  /** Bytes that have come are used, and from now on all are as they come. */
  protected consume(bytes: number): void {
    this.#connection?.consume(this, bytes);
  }

  /** Ends it from this side: neither answered() nor failed() follows. */
  giveUp(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#connection === undefined) this.#queue.withdraw(this);
    else this.#connection.cancel(this);
  }

  /** It has never left. */
  fail(reason: HttpError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.failed(reason);
  }

  onEnd(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.answered();
  }

  onFailure(isUnprocessed: boolean, reason: string): void {
    if (this.#isOver) return;
    if (isUnprocessed && this.#resends < RESENDS_MAX) {
      this.#resends++;
      this.#connection = undefined;
      this.#queue.enqueueAgain(this);
      return;
    }
    this.fail(new HttpError(isUnprocessed ? 'connect' : 'exchange', reason));
  }
}
