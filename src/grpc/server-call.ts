// One call on the server, from its headers to its trailers.
//
// A unary call ends by exactly one of reply and fail; a streaming one by end or fail. After that, or after the peer
// gave up, all sending is a no-op, so that a handler which answers late needs no check.
//
// Incoming messages may be cut anywhere by DATA frames: `#incoming` gathers one; most arrive whole and never need it.

import { INTERNAL, StatusError, UNKNOWN } from '../api/errors.ts';
import { copyBytes } from '../base/bytes.ts';
import type { DataSource } from '../h2/send-queue.ts';
import type { Stream } from '../h2/stream.ts';
import { COMPRESSED } from './message-prefix.ts';
import type { CallListener, MethodEntry } from './registry.ts';
import type { RequestHead } from './request-head.ts';
import type { ServerConnection } from './server-connection.ts';

const PREFIX_BYTES = 5;

/** A reply that is produced while it is sent. */
export abstract class ReplySource implements DataSource {
  abstract readonly isDone: boolean;
  abstract read(room: Uint8Array): Uint8Array | null;
  /** Nobody will read on. */
  abstract abandon(): void;
}

/** A message that arrives in pieces. */
class IncomingMessage {
  readonly prefix: Uint8Array = new Uint8Array(PREFIX_BYTES);
  prefixBytes = 0;
  /** Its memory, which may be larger. */
  message: Uint8Array | undefined;
  /** How long it is, and how much of it is there. */
  messageBytes = 0;
  receivedBytes = 0;
  /** The one message that the call has is there. */
  isComplete = false;
}

export class ServerCall {
  readonly connection: ServerConnection;
  readonly head: RequestHead;
  readonly entry: MethodEntry;
  listener: CallListener | undefined = undefined;
  deadlineBucket = -1;
  deadlinePlace = 0;
  #stream: Stream | undefined;
  #hasSentHeaders = false;
  #incoming: IncomingMessage | undefined;

  constructor(connection: ServerConnection, stream: Stream, head: RequestHead, entry: MethodEntry) {
    this.connection = connection;
    this.#stream = stream;
    this.head = head;
    this.entry = entry;
  }

  /** The call has not ended: an answer would still be sent. */
  get isOpen(): boolean {
    return this.#stream !== undefined;
  }

  /** Bytes of replies that wait for the peer's windows. */
  get queuedBytes(): number {
    return this.#stream === undefined ? 0 : this.#stream.queuedBytes;
  }

  /** Ends a unary call with its message. From 4 KiB on the bytes are referenced and must never change again. */
  reply(message: Uint8Array, start: number, end: number): void {
    const stream = this.#finish(0);
    if (stream === undefined) return;
    this.entry.messagesSent++;
    this.connection.respond(stream, message, start, end);
  }

  /**
   * Ends a unary call with a message that is produced while it is sent. `bytes` is its exact length. The source is
   * abandoned when the peer goes away before it has been read, also when it has gone already.
   */
  replyFrom(source: ReplySource, bytes: number): void {
    const stream = this.#finish(0);
    if (stream === undefined) {
      source.abandon();
      return;
    }
    this.entry.messagesSent++;
    stream.userData = source;
    this.connection.respondFrom(stream, source, bytes);
  }

  /** Ends the call with an error. */
  fail(error: StatusError): void {
    const stream = this.#finish(error.code);
    if (stream !== undefined) this.connection.sendStatus(stream, this.#hasSentHeaders, error);
  }

  /** Sends one message of a streaming reply. The bytes as in `reply`. */
  send(message: Uint8Array, start: number, end: number): void {
    if (this.#stream === undefined) return;
    this.#open(this.#stream);
    this.entry.messagesSent++;
    this.connection.sendMessage(this.#stream, message, start, end);
  }

  /** Sends the response headers now, so that the peer knows the stream is accepted. */
  open(): void {
    if (this.#stream !== undefined) this.#open(this.#stream);
  }

  /** Ends a streaming call with status OK. */
  end(): void {
    const stream = this.#finish(0);
    if (stream !== undefined) this.connection.sendStatus(stream, this.#hasSentHeaders, undefined);
  }

  // For the connection.

  /** Ends the call with an error that its listener does not know of. */
  abort(error: StatusError): void {
    const stream = this.#finish(error.code);
    if (stream === undefined) return;
    this.connection.sendStatus(stream, this.#hasSentHeaders, error);
    this.listener?.onCancel();
  }

  /** The peer gave up, or the connection is gone. */
  cancel(code: number): void {
    if (this.#finish(code) !== undefined) this.listener?.onCancel();
  }

  /** DATA of this call. */
  receive(buffer: Uint8Array, start: number, end: number, endStream: boolean): void {
    this.#incoming ??= new IncomingMessage();
    const incoming = this.#incoming;
    let at = start;
    while (at < end && this.#stream !== undefined) at = this.#receiveSome(incoming, buffer, at, end);
    if (!endStream || this.#stream === undefined) return;
    const error = this.#endError(incoming);
    if (error !== undefined) this.abort(error);
    else if (this.entry.stream !== undefined) this.listener?.onHalfClose();
    else if (incoming.message !== undefined) {
      this.connection.runUnary(this, incoming.message, 0, incoming.messageBytes);
      this.connection.memory.give(incoming.message);
    }
  }

  /** What is wrong with a request that ends now, in grpc-go's words. */
  #endError({ prefixBytes, isComplete }: IncomingMessage): StatusError | undefined {
    const { hasOneRequest, unary } = this.entry;
    if (unary !== undefined) {
      if (isComplete) return undefined;
      return new StatusError(UNKNOWN, prefixBytes < PREFIX_BYTES ? 'EOF' : 'unexpected EOF');
    }
    if (prefixBytes > 0) return new StatusError(INTERNAL, 'unexpected EOF');
    return hasOneRequest && !isComplete ? cardinalityViolation('no request message from') : undefined;
  }

  /** Returns where the rest begins. What follows the message of a unary call is nothing to us, nor to etcd. */
  #receiveSome(incoming: IncomingMessage, buffer: Uint8Array, start: number, end: number): number {
    if (incoming.isComplete && this.entry.unary !== undefined) return end;
    if (incoming.prefixBytes < PREFIX_BYTES) {
      incoming.prefix[incoming.prefixBytes++] = buffer[start];
      if (incoming.prefixBytes === PREFIX_BYTES) this.#beginMessage(incoming);
      return start + 1;
    }
    const { message } = incoming;
    if (message === undefined) return end;
    const bytes = Math.min(end - start, incoming.messageBytes - incoming.receivedBytes);
    copyBytes(message, incoming.receivedBytes, buffer, start, start + bytes);
    incoming.receivedBytes += bytes;
    if (incoming.receivedBytes === incoming.messageBytes) this.#endMessage(incoming, message);
    return start + bytes;
  }

  #beginMessage(incoming: IncomingMessage): void {
    const { prefix } = incoming;
    const length = prefix[1] * 0x100_0000 + (prefix[2] << 16) + (prefix[3] << 8) + prefix[4];
    const error = this.connection.prefixError(prefix[0], length, this.head.isGzip);
    if (error !== undefined) {
      this.abort(error);
      return;
    }
    if (incoming.isComplete) {
      this.abort(cardinalityViolation('multiple request messages for'));
      return;
    }
    // A stream's listener may keep what it is given.
    incoming.message = this.entry.unary === undefined ? new Uint8Array(length) : this.connection.memory.take(length);
    incoming.messageBytes = length;
    incoming.receivedBytes = 0;
    if (length === 0) this.#endMessage(incoming, incoming.message);
  }

  #endMessage(incoming: IncomingMessage, received: Uint8Array): void {
    incoming.prefixBytes = 0;
    const message = incoming.prefix[0] === COMPRESSED ? this.#decompress(incoming, received) : received;
    if (message === undefined) return;
    incoming.isComplete = this.entry.hasOneRequest;
    if (this.entry.unary !== undefined) return;
    incoming.message = undefined;
    this.connection.deliver(this, message, 0, incoming.messageBytes);
  }

  /** The message in memory of its own; undefined when the call has failed by it. */
  #decompress(incoming: IncomingMessage, received: Uint8Array): Uint8Array | undefined {
    try {
      const message = this.connection.decompress(received.subarray(0, incoming.messageBytes));
      incoming.message = message;
      incoming.messageBytes = message.length;
      return message;
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      this.abort(error);
      return undefined;
    }
  }

  #open(stream: Stream): void {
    if (this.#hasSentHeaders) return;
    this.#hasSentHeaders = true;
    this.connection.sendResponseHeaders(stream);
  }

  /** Ends the call once; undefined when it had ended before. */
  #finish(code: number): Stream | undefined {
    const stream = this.#stream;
    if (stream === undefined) return undefined;
    this.#stream = undefined;
    stream.userData = undefined;
    this.entry.handled[code]++;
    if (this.deadlineBucket >= 0) this.connection.deadlines.remove(this);
    return stream;
  }
}

function cardinalityViolation(what: string): StatusError {
  return new StatusError(INTERNAL, `cardinality violation: received ${what} non-client-streaming RPC`);
}
