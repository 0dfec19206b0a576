// gRPC on one HTTP/2 connection, server side: turns headers and data into calls, and answers into frames.
//
// The hot path is a unary request that arrives whole in one DATA frame with END_STREAM: its header block's memo
// names the method, the handler reads the message where it lies in the receive buffer, and the reply is written
// in one go by respondUnary. Everything else goes through ServerCall.receive.
//
// Such requests run when all that were read together are there, in their order: first each method is given a hint of what comes
// (`MethodEntry.hint`), so that the waits for memory of many requests overlap. Whatever else happens on the connection finds that they
// have run.
//
// `stream.userData` is the RequestHead until a unary call runs, then the ServerCall.

import { CANCELLED, DEADLINE_EXCEEDED, INTERNAL, StatusError, UNAVAILABLE } from '../api/errors.ts';
import { WireError } from '../base/byte-reader.ts';
import { EMPTY_BYTES } from '../base/bytes.ts';
import { Connection } from '../h2/connection.ts';
import type { ConnectionHandler } from '../h2/connection-handler.ts';
import type { ConnectionOptions } from '../h2/connection-options.ts';
import type { HeaderBlock } from '../h2/header-block.ts';
import { PreparedHeaders } from '../h2/prepared-headers.ts';
import type { DataSource } from '../h2/send-queue.ts';
import type { Stream } from '../h2/stream.ts';
import type { Deadlines } from './deadlines.ts';
import type { MessageMemory } from './message-memory.ts';
import { decompress, messagePrefixError } from './message-prefix.ts';
import type { MethodEntry, Registry } from './registry.ts';
import { type Refusal, RequestHead } from './request-head.ts';
import { ReplySource, ServerCall } from './server-call.ts';
import { OK_FIELDS, RESPONSE_FIELDS, refusalFields, statusFields } from './status-fields.ts';
import { UnaryBatch } from './unary-batch.ts';

const PREFIX_BYTES = 5;

/** A plain HTTP request that came over HTTP/2 (health checks, metrics). Bodies are ignored. */
export type HttpHandler = (request: HttpRequest, reply: (response: HttpResponse) => void) => void;

export interface HttpRequest {
  readonly method: string;
  /** Path with query. */
  readonly target: string;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

export interface ServerConnectionOptions {
  readonly h2: ConnectionOptions;
  readonly registry: Registry;
  readonly deadlines: Deadlines;
  /** Of requests in pieces; shared by connections. */
  readonly memory: MessageMemory;
  readonly http: HttpHandler;
  /** Longest request message, without its prefix; beyond it RESOURCE_EXHAUSTED. */
  readonly messageBytesMax: number;
  /** Now, in monotonic milliseconds; cheap. */
  readonly nowMs: () => number;
  /** A handler threw something that is not a StatusError: a bug, which must end the process. */
  readonly onBug: (error: unknown) => void;
  /** The connection has something to send, and is not just receiving; called once until `flushed`. */
  readonly onDirty: (connection: ServerConnection) => void;
}

export class ServerConnection implements ConnectionHandler {
  readonly h2: Connection;
  readonly deadlines: Deadlines;
  readonly memory: MessageMemory;
  readonly #registry: Registry;
  readonly #http: HttpHandler;
  readonly #messageBytesMax: number;
  readonly #nowMs: () => number;
  readonly #onBug: (error: unknown) => void;
  // Prepared for each connection, so that their encoding stays valid.
  readonly #responseHeaders = new PreparedHeaders(RESPONSE_FIELDS);
  readonly #okTrailers = new PreparedHeaders(OK_FIELDS);
  readonly #onDirty: (connection: ServerConnection) => void;
  #isDirty = false;
  readonly #batch = new UnaryBatch();
  /** The one made last. */
  #head: RequestHead | undefined;

  constructor(options: ServerConnectionOptions) {
    this.h2 = new Connection('server', options.h2, this);
    this.deadlines = options.deadlines;
    this.memory = options.memory;
    this.#registry = options.registry;
    this.#http = options.http;
    this.#messageBytesMax = options.messageBytesMax;
    this.#nowMs = options.nowMs;
    this.#onBug = options.onBug;
    this.#onDirty = options.onDirty;
  }

  onHeaders(stream: Stream, block: HeaderBlock, endStream: boolean): void {
    let head = block.memo as RequestHead | undefined;
    if (head === undefined) {
      head = new RequestHead(block, this.#registry, this.#head);
      block.memo = head;
      this.#head = head;
    }
    if (!head.isGrpc) {
      if (endStream) this.#handleHttp(stream, head);
      else stream.userData = head;
      return;
    }
    const { entry, refusal } = head;
    if (refusal !== undefined) this.#refuse(stream, refusal);
    if (entry === undefined) return;
    entry.started++;
    // Streams of both sides (watches) may be read as slowly as one likes: they hold nothing but a queue with a limit of its own.
    stream.isStallLimited = entry.hasOneRequest;
    if (entry.unary !== undefined && !endStream) {
      stream.userData = head;
      return;
    }
    this.onBatchEnd();
    this.#startCall(stream, head, endStream);
  }

  onData(stream: Stream, buffer: Uint8Array, start: number, end: number, endStream: boolean): void {
    const data = stream.userData;
    if (data instanceof RequestHead) {
      if (endStream && end - start >= PREFIX_BYTES && isWholeMessage(buffer, start, end)) {
        const { entry } = data;
        if (entry?.unary !== undefined && end - start - PREFIX_BYTES <= this.#messageBytesMax) {
          this.#putOff(stream, data, entry, buffer, start + PREFIX_BYTES, end);
          return;
        }
      }
      this.onBatchEnd();
      if (!data.isGrpc) {
        if (endStream) this.#handleHttp(stream, data);
        return;
      }
      const call = this.#startCall(stream, data, false);
      call?.receive(buffer, start, end, endStream);
    } else if (data instanceof ServerCall) {
      this.onBatchEnd();
      data.receive(buffer, start, end, endStream);
    }
  }

  onBatchEnd(): void {
    const batch = this.#batch;
    const { buffer, count } = batch;
    if (count === 0) return;
    if (count > 1) this.#hint(batch);
    batch.count = 0;
    batch.buffer = EMPTY_BYTES;
    for (let i = 0; i < count; i++) {
      const stream = batch.streams[i];
      // One that ran before may have ended the connection.
      if (stream.id !== batch.ids[i]) continue;
      const call = new ServerCall(this, stream, batch.heads[i], batch.entries[i]);
      stream.userData = call;
      this.runUnary(call, buffer, batch.starts[i], batch.ends[i]);
    }
  }

  onTrailers(stream: Stream, _block: HeaderBlock): void {
    // A request's trailers carry nothing in gRPC; they end the request like END_STREAM.
    this.onData(stream, new Uint8Array(0), 0, 0, true);
  }

  onReset(stream: Stream, _errorCode: number): void {
    const call = stream.userData;
    if (call instanceof ServerCall) call.cancel(CANCELLED);
    else if (call instanceof ReplySource) call.abandon();
    else if (call instanceof RequestHead && call.entry !== undefined) call.entry.handled[CANCELLED]++;
  }

  onDrain(stream: Stream): void {
    const call = stream.userData;
    if (call instanceof ServerCall) call.listener?.onDrain();
  }

  onSettings(): void {}
  onGoaway(): void {}
  onPingAck(): void {}
  onClose(): void {}

  /** Its output has been handed to the transport. */
  flushed(): void {
    this.#isDirty = false;
  }

  // For calls.

  /** Runs a unary handler on a whole message. */
  runUnary(call: ServerCall, buffer: Uint8Array, start: number, end: number): void {
    call.entry.messagesReceived++;
    try {
      call.entry.unary?.(call, buffer, start, end);
    } catch (error) {
      this.#failCall(call, error);
    }
    const { timeoutMs } = call.head;
    if (timeoutMs > 0 && call.isOpen && call.deadlineBucket < 0) {
      this.deadlines.add(call, this.#nowMs() + timeoutMs);
    }
  }

  /** Gives a message of a streaming call to its listener. */
  deliver(call: ServerCall, buffer: Uint8Array, start: number, end: number): void {
    call.entry.messagesReceived++;
    try {
      call.listener?.onMessage(buffer, start, end);
    } catch (error) {
      this.#failCall(call, error);
    }
  }

  respond(stream: Stream, message: Uint8Array, start: number, end: number): void {
    this.#touch();
    this.h2.respondUnary(stream, this.#responseHeaders, message, start, end, this.#okTrailers);
  }

  respondFrom(stream: Stream, source: DataSource, bytes: number): void {
    this.#touch();
    const prefix = Buffer.alloc(PREFIX_BYTES);
    prefix.writeUInt32BE(bytes, 1);
    this.h2.sendHeaders(stream, this.#responseHeaders, null, false);
    this.h2.sendData(stream, prefix, 0, PREFIX_BYTES, false);
    this.h2.sendSource(stream, source, false);
    this.h2.sendHeaders(stream, this.#okTrailers, null, true);
  }

  sendResponseHeaders(stream: Stream): void {
    this.#touch();
    this.h2.sendHeaders(stream, this.#responseHeaders, null, false);
  }

  sendMessage(stream: Stream, message: Uint8Array, start: number, end: number): void {
    this.#touch();
    this.h2.sendMessage(stream, message, start, end, false);
  }

  /** Ends the stream with OK (undefined) or an error: as trailers, or as a reply of trailers only. */
  sendStatus(stream: Stream, hasSentHeaders: boolean, error: StatusError | undefined): void {
    this.#touch();
    if (!hasSentHeaders && error !== undefined) {
      this.h2.sendHeaders(stream, this.#responseHeaders, statusFields(error), true);
      return;
    }
    if (!hasSentHeaders) this.h2.sendHeaders(stream, this.#responseHeaders, null, false);
    if (error === undefined) this.h2.sendHeaders(stream, this.#okTrailers, null, true);
    else this.h2.sendHeaders(stream, statusFields(error), null, true);
  }

  prefixError(flag: number, length: number, isGzip: boolean): StatusError | undefined {
    return messagePrefixError(flag, length, this.#messageBytesMax, isGzip);
  }

  /** Throws StatusError. */
  decompress(message: Uint8Array): Uint8Array {
    return decompress(message, this.#messageBytesMax);
  }

  expire(call: ServerCall): void {
    call.abort(new StatusError(DEADLINE_EXCEEDED, 'context deadline exceeded'));
  }

  /** Arguments are flat because this is the hot path. */
  #putOff(stream: Stream, head: RequestHead, entry: MethodEntry, buffer: Uint8Array, start: number, end: number): void {
    const batch = this.#batch;
    if (batch.buffer !== buffer || batch.isFull) {
      this.onBatchEnd();
      batch.buffer = buffer;
    }
    batch.add(stream, head, entry, start, end);
  }

  #hint({ buffer, count, entries, starts, ends }: UnaryBatch): void {
    for (let i = 0; i < count; i++) entries[i].hint?.(buffer, starts[i], ends[i]);
    this.#registry.onHinted();
  }

  #touch(): void {
    if (this.#isDirty || this.h2.isReceiving) return;
    this.#isDirty = true;
    this.#onDirty(this);
  }

  #startCall(stream: Stream, head: RequestHead, endStream: boolean): ServerCall | undefined {
    const { entry } = head;
    if (entry === undefined) return undefined;
    const call = new ServerCall(this, stream, head, entry);
    stream.userData = call;
    try {
      if (entry.stream !== undefined) call.listener = entry.stream(call);
    } catch (error) {
      this.#failCall(call, error);
    }
    if (head.timeoutMs > 0 && call.isOpen) this.deadlines.add(call, this.#nowMs() + head.timeoutMs);
    if (endStream) call.receive(new Uint8Array(0), 0, 0, true);
    return call;
  }

  #failCall(call: ServerCall, error: unknown): void {
    if (error instanceof StatusError) call.abort(error);
    else if (error instanceof WireError) call.abort(malformedRequest(call.entry.unary !== undefined));
    else {
      call.abort(new StatusError(UNAVAILABLE, 'etcdserver: server stopped'));
      this.#onBug(error);
    }
  }

  #refuse(stream: Stream, { httpStatus, error }: Refusal): void {
    if (httpStatus === 200) this.sendStatus(stream, false, error);
    else this.h2.sendHeaders(stream, refusalFields(httpStatus, error), null, true);
    this.#touch();
  }

  #handleHttp(stream: Stream, head: RequestHead): void {
    stream.userData = undefined;
    stream.isStallLimited = true;
    const { id } = stream;
    this.#http({ method: head.httpMethod, target: head.path }, (response) => {
      if (stream.id !== id) return;
      const fields = [{ name: ':status', value: String(response.status) }];
      for (const [name, value] of response.headers) fields.push({ name: name.toLowerCase(), value });
      const body = Buffer.from(response.body);
      this.h2.sendHeaders(stream, fields, null, body.length === 0);
      if (body.length > 0) this.h2.sendData(stream, body, 0, body.length, true);
      this.#touch();
    });
  }
}

/** The DATA payload is exactly one uncompressed message. */
function isWholeMessage(buffer: Uint8Array, start: number, end: number): boolean {
  const length =
    buffer[start + 1] * 0x100_0000 + (buffer[start + 2] << 16) + (buffer[start + 3] << 8) + buffer[start + 4];
  return buffer[start] === 0 && length === end - start - PREFIX_BYTES;
}

/** In the words of grpc-go and its protobuf library, which does not say what is wrong. */
function malformedRequest(isUnary: boolean): StatusError {
  const what = isUnary ? 'error unmarshalling request' : 'failed to unmarshal the received message';
  return new StatusError(INTERNAL, `grpc: ${what}: proto: cannot parse invalid wire-format data`);
}
