// One HTTP/2 connection of a client: requests become streams, and what comes on a stream is told to its listener.
//
// `stream.userData` is the StreamListener while there is one. Requests made in one turn of the event loop go out together: flushLater().

import { Connection } from '../h2/connection.ts';
import type { ConnectionHandler } from '../h2/connection-handler.ts';
import type { ConnectionOptions } from '../h2/connection-options.ts';
import { CANCEL, errorCodeName, REFUSED_STREAM } from '../h2/error-code.ts';
import { type HeaderBlock, type HeaderField, headerValue } from '../h2/header-block.ts';
import type { SplitHeaders } from '../h2/prepared-headers.ts';
import type { Stream } from '../h2/stream.ts';

export interface StreamListener {
  readonly head: SplitHeaders;
  readonly path: string;
  readonly body: Uint8Array | undefined;
  /** False: the server may send no more than a window until consume(). */
  readonly isAutoConsumed: boolean;
  onResponse(status: number, fields: readonly HeaderField[]): void;
  /** The bytes are valid during the call only. */
  onData(buffer: Uint8Array, start: number, end: number): void;
  /** The last call: the answer is whole. */
  onEnd(): void;
  /** The last call instead. `isUnprocessed`: the server has not looked at the request, and it may be sent again. */
  onFailure(isUnprocessed: boolean, reason: string): void;
}

export interface Http2ConnectionOptions {
  readonly h2: ConnectionOptions;
  /** Calls back soon, once for each call. */
  readonly defer: (callback: () => void) => void;
  /** The server's SETTINGS are there: requests may be sent. */
  readonly onReady: () => void;
  /** A stream has ended, or the server allows another number of them. */
  readonly onRoom: () => void;
  /** No new requests from now on: the server is leaving, or the connection is over. Called once. */
  readonly onUnusable: (reason: string) => void;
}

export class Http2Connection implements ConnectionHandler {
  readonly h2: Connection;
  readonly #options: Http2ConnectionOptions;
  readonly #streams = new Map<StreamListener, Stream>();
  /** Sends what there is; the driver's, once there is one. */
  #flush: (() => void) | undefined;
  #isFlushDue = false;
  #isReady = false;
  #isUnusable = false;
  /** Their connection is over; why is said last. */
  readonly #lost: StreamListener[] = [];

  constructor(options: Http2ConnectionOptions) {
    this.#options = options;
    this.h2 = new Connection('client', options.h2, this);
  }

  get canSend(): boolean {
    return this.#isReady && !this.#isUnusable && this.h2.canOpenStream;
  }

  setFlush(flush: () => void): void {
    this.#flush = flush;
  }

  /** Where canSend. */
  send(listener: StreamListener): void {
    const { head, path, body } = listener;
    const stream = this.h2.openStream(head, [{ name: ':path', value: path }], body === undefined);
    if (stream === null) {
      listener.onFailure(true, 'the connection takes no more requests');
      return;
    }
    stream.userData = listener;
    stream.isAutoConsumed = listener.isAutoConsumed;
    this.#streams.set(listener, stream);
    if (body !== undefined) this.h2.sendData(stream, body, 0, body.length, true);
    if (this.h2.isUsedUp) this.retire();
    this.flushLater();
  }

  /** Bytes that have come are used, and from now on all are as they come. */
  consume(listener: StreamListener, bytes: number): void {
    const stream = this.#streams.get(listener);
    if (stream === undefined) return;
    stream.isAutoConsumed = true;
    this.h2.consumed(stream, bytes);
    this.flushLater();
  }

  /** The listener hears nothing more. */
  cancel(listener: StreamListener): void {
    const stream = this.#streams.get(listener);
    if (stream === undefined) return;
    this.#forget(stream, listener);
    this.h2.reset(stream, CANCEL);
    this.flushLater();
  }

  /** Takes no new requests; ends when those under way have. */
  retire(): void {
    this.#becomeUnusable('retired');
    this.h2.shutdown();
    this.flushLater();
  }

  flushLater(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    this.#options.defer(() => {
      this.#isFlushDue = false;
      this.#flush?.();
    });
  }

  // For the connection's core.

  onHeaders(stream: Stream, block: HeaderBlock, endStream: boolean): void {
    const listener = listenerOf(stream);
    if (listener === undefined) return;
    listener.onResponse(Number(headerValue(block.fields, ':status')), block.fields);
    if (endStream) this.#end(stream, listener);
  }

  onTrailers(stream: Stream): void {
    const listener = listenerOf(stream);
    if (listener !== undefined) this.#end(stream, listener);
  }

  onData(stream: Stream, buffer: Uint8Array, start: number, end: number, endStream: boolean): void {
    const listener = listenerOf(stream);
    if (listener === undefined) return;
    if (end > start) listener.onData(buffer, start, end);
    // It may have been cancelled meanwhile.
    if (endStream && stream.userData === listener) this.#end(stream, listener);
  }

  onReset(stream: Stream, errorCode: number): void {
    const listener = listenerOf(stream);
    if (listener === undefined) return;
    this.#forget(stream, listener);
    if (this.h2.isClosed) this.#lost.push(listener);
    else {
      const isUnprocessed = errorCode === REFUSED_STREAM && !stream.hasHeaders;
      listener.onFailure(isUnprocessed, `the request was ended: ${errorCodeName(errorCode)}`);
    }
  }

  onSettings(): void {
    if (this.#isReady) this.#options.onRoom();
    else {
      this.#isReady = true;
      this.#options.onReady();
    }
  }

  onGoaway(_lastStreamId: number, errorCode: number, debug: Uint8Array): void {
    const text = debug.length === 0 ? '' : `: ${Buffer.from(debug).toString('latin1')}`;
    this.#becomeUnusable(`the server is leaving: ${errorCodeName(errorCode)}${text}`);
  }

  onDrain(): void {}
  onBatchEnd(): void {}
  onPingAck(): void {}

  onClose(_errorCode: number, reason: string): void {
    this.#becomeUnusable(reason);
    for (const listener of this.#lost.splice(0)) listener.onFailure(false, `the connection was lost: ${reason}`);
  }

  #end(stream: Stream, listener: StreamListener): void {
    this.#forget(stream, listener);
    // The server may answer before it has had all of the request: the rest is not sent.
    if (!stream.isLocalClosed) this.h2.reset(stream, CANCEL);
    listener.onEnd();
  }

  #forget(stream: Stream, listener: StreamListener): void {
    stream.userData = undefined;
    this.#streams.delete(listener);
    this.#options.onRoom();
  }

  #becomeUnusable(reason: string): void {
    if (this.#isUnusable) return;
    this.#isUnusable = true;
    this.#options.onUnusable(reason);
  }
}

function listenerOf(stream: Stream): StreamListener | undefined {
  // Only listeners are put there.
  return stream.userData as StreamListener | undefined;
}
