// gRPC on one HTTP/2 connection, client side: opens calls and hands what arrives to them.
//
// `stream.userData` is the ClientCall. Calls made in one turn of the event loop go out together: flushLater().

import { assert } from '../base/assert.ts';
import { Connection } from '../h2/connection.ts';
import type { ConnectionHandler } from '../h2/connection-handler.ts';
import type { ConnectionOptions } from '../h2/connection-options.ts';
import type { HeaderBlock, HeaderField } from '../h2/header-block.ts';
import { PreparedHeaders } from '../h2/prepared-headers.ts';
import type { Stream } from '../h2/stream.ts';
import { type CallListener, ClientCall } from './client-call.ts';
import { SpareBuffer } from './message-reader.ts';
import { requestFields } from './request-fields.ts';

export interface ClientConnectionOptions {
  readonly h2: ConnectionOptions;
  readonly authority: string;
  /** Calls back soon, once for each call. */
  readonly defer: (callback: () => void) => void;
  /** The server's SETTINGS are there: calls may be made. */
  readonly onReady: () => void;
  /** No new calls from now on: the server is leaving, or the connection is over. Called once. */
  readonly onUnusable: (reason: string) => void;
}

export interface CallStart {
  readonly path: string;
  readonly extra: readonly HeaderField[] | null;
  readonly listener: CallListener;
  /** False: the server may send no more than the window until ClientCall.consumed is called. */
  readonly isAutoConsumed: boolean;
}

export class ClientConnection implements ConnectionHandler {
  readonly h2: Connection;
  /** For the messages of its calls. */
  readonly spare: SpareBuffer = new SpareBuffer();
  readonly #options: ClientConnectionOptions;
  readonly #headers = new Map<string, PreparedHeaders>();
  /** Sends what there is; the driver's, once there is one. */
  #flush: (() => void) | undefined;
  #isFlushDue = false;
  #isReady = false;
  #isUnusable = false;
  /** Calls that end with the connection, until it says why. */
  readonly #lostCalls: ClientCall[] = [];

  constructor(options: ClientConnectionOptions) {
    this.#options = options;
    this.h2 = new Connection('client', options.h2, this);
  }

  get canCall(): boolean {
    return this.#isReady && !this.#isUnusable && this.h2.canOpenStream;
  }

  setFlush(flush: () => void): void {
    this.#flush = flush;
  }

  /** A call with one request message and no more. Null when the connection takes no new stream now. */
  unary(start: CallStart, message: Uint8Array): ClientCall | null {
    const headers = this.#prepared(start.path);
    const stream = this.h2.request(headers, start.extra, message, 0, message.length);
    return stream === null ? null : this.#begin(stream, start);
  }

  /** A call whose messages follow by ClientCall.send. */
  stream(start: CallStart): ClientCall | null {
    const stream = this.h2.openStream(this.#prepared(start.path), start.extra, false);
    return stream === null ? null : this.#begin(stream, start);
  }

  flushLater(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    this.#options.defer(() => {
      this.#isFlushDue = false;
      this.#flush?.();
    });
  }

  onHeaders(stream: Stream, block: HeaderBlock, endStream: boolean): void {
    callOf(stream)?.onHeaders(block, endStream);
  }

  onTrailers(stream: Stream, block: HeaderBlock): void {
    callOf(stream)?.onTrailers(block);
  }

  onData(stream: Stream, buffer: Uint8Array, start: number, end: number, endStream: boolean): void {
    callOf(stream)?.onData(buffer, start, end, endStream);
  }

  onReset(stream: Stream, errorCode: number): void {
    const call = callOf(stream);
    if (call === undefined) return;
    if (this.h2.isClosed) this.#lostCalls.push(call);
    else call.onReset(errorCode);
  }

  onSettings(): void {
    if (this.#isReady) return;
    this.#isReady = true;
    this.#options.onReady();
  }

  onGoaway(_lastStreamId: number, _errorCode: number, debug: Uint8Array): void {
    this.#becomeUnusable(`the server is leaving: ${Buffer.from(debug).toString('latin1')}`);
  }

  onDrain(): void {}
  onBatchEnd(): void {}
  onPingAck(): void {}

  onClose(_errorCode: number, reason: string): void {
    this.#becomeUnusable(reason);
    for (const call of this.#lostCalls.splice(0)) call.onConnectionLost(reason);
  }

  #becomeUnusable(reason: string): void {
    if (this.#isUnusable) return;
    this.#isUnusable = true;
    this.#options.onUnusable(reason);
  }

  #begin(stream: Stream, start: CallStart): ClientCall {
    const call = new ClientCall(this, stream, start.listener);
    stream.userData = call;
    stream.isAutoConsumed = start.isAutoConsumed;
    if (this.h2.isUsedUp) this.#retire();
    this.flushLater();
    return call;
  }

  /** Calls that are open end here; further ones want another connection. */
  #retire(): void {
    this.#becomeUnusable('its stream ids are used up');
    this.h2.shutdown();
  }

  /** Of this connection alone, so that its encoding stays valid. */
  #prepared(path: string): PreparedHeaders {
    let headers = this.#headers.get(path);
    if (headers === undefined) {
      headers = new PreparedHeaders(requestFields(this.#options.authority, path));
      this.#headers.set(path, headers);
    }
    return headers;
  }
}

function callOf(stream: Stream): ClientCall | undefined {
  const call = stream.userData;
  assert(call === undefined || call instanceof ClientCall, 'a stream that is not of a call');
  return call;
}
