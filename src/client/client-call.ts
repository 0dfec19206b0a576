// One call on the client, from its request to its outcome.
//
// The listener gets the messages, then exactly one onEnd; after cancel() nothing. When onEnd says isUnprocessed, the
// server has not looked at the call, and it may be repeated whatever it does.

import { INTERNAL, StatusError as Status, type StatusError } from '../api/errors.ts';
import { CANCEL, REFUSED_STREAM } from '../h2/error-code.ts';
import type { HeaderBlock } from '../h2/header-block.ts';
import type { Stream } from '../h2/stream.ts';
import type { ClientConnection } from './client-connection.ts';
import { MessageFormatError, MessageReader } from './message-reader.ts';
import { connectionError, outcomeOf, resetError, responseError } from './outcome.ts';

export interface CallListener {
  /** The bytes are valid during the call only. */
  onMessage(buffer: Uint8Array, start: number, end: number): void;
  /** The last call. */
  onEnd(error: StatusError | undefined, isUnprocessed: boolean): void;
}

export class ClientCall {
  readonly #connection: ClientConnection;
  readonly #listener: CallListener;
  /** From the first bytes on: thousands of calls may wait for theirs. */
  #reader: MessageReader | undefined;
  #stream: Stream | undefined;

  /** For the connection: it makes calls. */
  constructor(connection: ClientConnection, stream: Stream, listener: CallListener) {
    this.#connection = connection;
    this.#stream = stream;
    this.#listener = listener;
  }

  get isOpen(): boolean {
    return this.#stream !== undefined;
  }

  /** Sends one more message; nothing happens on a call that has ended. From 4 KiB on the bytes must never change. */
  send(message: Uint8Array, start: number, end: number): void {
    const stream = this.#stream;
    if (stream === undefined || stream.isEnding) return;
    this.#connection.h2.sendMessage(stream, message, start, end, false);
    this.#connection.flushLater();
  }

  /** Gives the server leave to send `bytes` more; for calls opened with isAutoConsumed false. */
  consumed(bytes: number): void {
    if (this.#stream === undefined) return;
    this.#connection.h2.consumed(this.#stream, bytes);
    this.#connection.flushLater();
  }

  /** Gives up. The listener hears nothing more. */
  cancel(): void {
    const stream = this.#finish();
    if (stream === undefined) return;
    this.#connection.h2.reset(stream, CANCEL);
    this.#connection.flushLater();
  }

  // For the connection.

  onHeaders(block: HeaderBlock, endStream: boolean): void {
    if (endStream) this.#end(outcomeOf(block), false);
    else {
      const error = responseError(block);
      if (error !== undefined) this.#abort(error);
    }
  }

  onData(buffer: Uint8Array, start: number, end: number, endStream: boolean): void {
    this.#reader ??= new MessageReader(this.#connection.spare);
    const reader = this.#reader;
    try {
      reader.receive(buffer, start, end, (message, from, to) => {
        if (this.#stream !== undefined) this.#listener.onMessage(message, from, to);
      });
    } catch (error) {
      if (!(error instanceof MessageFormatError)) throw error;
      this.#abort(new Status(INTERNAL, error.message));
      return;
    }
    // A message counts as consumed when it is whole, which it has to become.
    const stream = this.#stream;
    if (stream?.isAutoConsumed === false) this.#connection.h2.needed(stream, reader.missingBytes);
    if (endStream) this.#end(new Status(INTERNAL, 'server closed the stream without sending trailers'), false);
  }

  onTrailers(block: HeaderBlock): void {
    const error = outcomeOf(block);
    const isCut = error === undefined && this.#reader?.isBetweenMessages === false;
    this.#end(isCut ? new Status(INTERNAL, 'unexpected EOF') : error, false);
  }

  onReset(errorCode: number): void {
    this.#end(resetError(errorCode), errorCode === REFUSED_STREAM);
  }

  onConnectionLost(reason: string): void {
    this.#end(connectionError(reason), false);
  }

  /** The server broke the protocol: we stop listening to it. */
  #abort(error: StatusError): void {
    const stream = this.#stream;
    this.#end(error, false);
    if (stream !== undefined) this.#connection.h2.reset(stream, CANCEL);
  }

  #end(error: StatusError | undefined, isUnprocessed: boolean): void {
    const stream = this.#finish();
    if (stream === undefined) return;
    // The server may answer before we have ended our side: then we do, by a reset.
    if (stream.isRemoteClosed && !stream.isEnding) this.#connection.h2.reset(stream, CANCEL);
    this.#listener.onEnd(error, isUnprocessed);
  }

  #finish(): Stream | undefined {
    const stream = this.#stream;
    this.#stream = undefined;
    this.#reader?.release();
    if (stream !== undefined) stream.userData = undefined;
    return stream;
  }
}
