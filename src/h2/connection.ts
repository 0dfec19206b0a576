// An HTTP/2 connection (RFC 9113) without I/O, in either role.
//
// Bytes go in by receive(), come out by takeOutput(); time comes in by receive and tick. The driver (driver.ts) moves
// both. Nothing here throws because of what the peer sent.
//
// Bytes given to respondUnary, request and sendData: fewer than REFERENCED_BYTES_MIN are copied during the call, more
// are kept by reference and must never change afterwards.

import type { ConnectionHandler } from './connection-handler.ts';
import { type ConnectionOptions, ConnectionStats } from './connection-options.ts';
import type { HeaderField } from './header-block.ts';
import type { PreparedHeaders } from './prepared-headers.ts';
import type { DataSource, HeaderList } from './send-queue.ts';
import type { Stream } from './stream.ts';

export type Role = 'server' | 'client';

/** From this size on, bytes to send are referenced instead of copied. */
export const REFERENCED_BYTES_MIN = 4096;

export class Connection {
  readonly role: Role;
  readonly options: ConnectionOptions;
  readonly stats: ConnectionStats = new ConnectionStats();

  constructor(role: Role, options: ConnectionOptions, handler: ConnectionHandler) {
    this.role = role;
    this.options = options;
    void handler;
  }

  // For the driver.

  /** Takes bytes from the peer; they are read during the call only. */
  receive(chunk: Uint8Array, nowMs: number): void {
    void chunk;
    void nowMs;
  }

  /** Timeouts, keep-alive, abuse windows: about once a second. */
  tick(nowMs: number): void {
    void nowMs;
  }

  /** The bytes to send since the last call, in order; empty when there are none. */
  takeOutput(): Uint8Array[] {
    return [];
  }

  get outputBytes(): number {
    return 0;
  }

  /** The driver tells how many bytes the socket holds; lets sources and queues go on when it is little. */
  setTransportBacklog(bytes: number): void {
    void bytes;
  }

  /** The driver should stop reading from the peer for now. */
  get isReceivePaused(): boolean {
    return false;
  }

  /** Nothing more will be sent after the present output: the driver flushes and ends the transport. */
  get isClosed(): boolean {
    return false;
  }

  /** The transport is gone: open streams get onReset, then onClose. */
  transportClosed(reason: string): void {
    void reason;
  }

  // For the layer above.

  /** Open streams. */
  get streamCount(): number {
    return 0;
  }

  /** Client: whether openStream and request would give a stream now. */
  get canOpenStream(): boolean {
    return false;
  }

  /** Client: how many streams the peer allows at a time. */
  get peerStreamsMax(): number {
    return 0;
  }

  /** Client: starts a request. Null when canOpenStream is false. `extra` fields follow the prepared ones. */
  openStream(headers: HeaderList, extra: readonly HeaderField[] | null, endStream: boolean): Stream | null {
    void headers;
    void extra;
    void endStream;
    return null;
  }

  /**
   * Client: a whole unary gRPC request: HEADERS and one DATA with the five-byte message prefix (uncompressed) and
   * END_STREAM. Null when canOpenStream is false.
   */
  request(
    headers: PreparedHeaders,
    extra: readonly HeaderField[] | null,
    message: Uint8Array,
    start: number,
    end: number,
  ): Stream | null {
    void headers;
    void extra;
    void message;
    void start;
    void end;
    return null;
  }

  /** Server: a whole unary gRPC response: HEADERS, one prefixed message (uncompressed), trailers. */
  respondUnary(
    stream: Stream,
    headers: PreparedHeaders,
    message: Uint8Array,
    start: number,
    end: number,
    trailers: PreparedHeaders,
  ): void {
    void stream;
    void headers;
    void message;
    void start;
    void end;
    void trailers;
  }

  /** Response headers or trailers (endStream: true); wait behind queued data of the stream. */
  sendHeaders(stream: Stream, headers: HeaderList, extra: readonly HeaderField[] | null, endStream: boolean): void {
    void stream;
    void headers;
    void extra;
    void endStream;
  }

  /** Raw DATA bytes: no gRPC prefix is added. */
  sendData(stream: Stream, bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    void stream;
    void bytes;
    void start;
    void end;
    void endStream;
  }

  /** One gRPC message: the five-byte prefix (uncompressed) and the bytes. */
  sendMessage(stream: Stream, message: Uint8Array, start: number, end: number, endStream: boolean): void {
    void stream;
    void message;
    void start;
    void end;
    void endStream;
  }

  /** Raw DATA bytes pulled from a source as windows and the socket allow. What is sent later waits behind it. */
  sendSource(stream: Stream, source: DataSource, endStream: boolean): void {
    void stream;
    void source;
    void endStream;
  }

  /** A source that gave null has bytes again (or is done). */
  wake(stream: Stream): void {
    void stream;
  }

  /** Ends the stream both ways with RST_STREAM; onReset is not called. Nothing happens on a finished stream. */
  reset(stream: Stream, errorCode: number): void {
    void stream;
    void errorCode;
  }

  /** Credits bytes back to the peer of a stream whose isAutoConsumed is false. */
  consumed(stream: Stream, bytes: number): void {
    void stream;
    void bytes;
  }

  /** Sends a PING; the answer comes as onPingAck with the payload (0 … 2^48 − 1). */
  ping(payload: number): void {
    void payload;
  }

  /** Ends the connection at once: GOAWAY, every stream gets onReset, isClosed. */
  goaway(errorCode: number, debug: string): void {
    void errorCode;
    void debug;
  }

  /** Graceful: no new streams; when the open ones have finished, isClosed. */
  shutdown(): void {}
}
