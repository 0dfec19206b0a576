// An HTTP/2 connection (RFC 9113) without I/O, in either role: the parts put together, and what concerns the
// connection as a whole (start, limits in time, GOAWAY, the end).
//
//   receive ─► FrameReader ─► Receiver ─► ConnectionHandler (the layer above)
//                                │ windows, acknowledgements, resets
//   takeOutput ◄─ Output ◄─ FrameWriter ◄─ Sender ◄─ the layer above
//
// Bytes go in by receive(), come out by takeOutput(); time comes in by receive and tick. The driver (driver.ts) moves
// both. Nothing here throws because of what the peer sent; what the handler throws goes through.
//
// Bytes given to respondUnary, request, sendMessage and sendData: fewer than REFERENCED_BYTES_MIN are copied during the
// call, more are kept by reference and must never change afterwards.
//
// When the connection ends, isClosed turns true first, then every open stream gets onReset, then comes onClose: so
// within onReset isClosed tells a lost connection from a lost stream.

import type { ConnectionHandler } from './connection-handler.ts';
import { type ConnectionOptions, ConnectionStats } from './connection-options.ts';
import {
  CANCEL,
  ConnectionError,
  ENHANCE_YOUR_CALM,
  NO_ERROR,
  REFUSED_STREAM,
  SETTINGS_TIMEOUT,
} from './error-code.ts';
import { DEFAULT_WINDOW_BYTES, STREAM_ID_MAX } from './frame.ts';
import { FrameReader } from './frame-reader.ts';
import type { HeaderField } from './header-block.ts';
import { Liveness } from './liveness.ts';
import type { PreparedHeaders } from './prepared-headers.ts';
import { type ConnectionEvents, Receiver } from './receiver.ts';
import type { DataSource, HeaderList } from './send-queue.ts';
import { Sender } from './sender.ts';
import { encodeSettings } from './settings.ts';
import { canStall, isStalled } from './stall-limit.ts';
import type { Stream } from './stream.ts';
import { StreamTable } from './stream-table.ts';

export { REFERENCED_BYTES_MIN } from './frame-writer.ts';

export type Role = 'server' | 'client';

/** The upper halves of our own pings' payloads; ping() stays below. */
const KEEPALIVE_PING = 0x6b_0001;
const SHUTDOWN_PING = 0x6b_0002;
const USER_PING_HIGH_MAX = 0xffff;
const TWO_32 = 0x1_0000_0000;

export class Connection {
  readonly role: Role;
  readonly options: ConnectionOptions;
  readonly stats: ConnectionStats = new ConnectionStats();
  readonly #handler: ConnectionHandler;
  readonly #table: StreamTable = new StreamTable();
  readonly #sender: Sender;
  readonly #receiver: Receiver;
  readonly #reader: FrameReader;
  readonly #liveness: Liveness;
  #nowMs = 0;
  /** When the connection began; NaN until the first receive or tick. */
  #startMs: number = Number.NaN;
  #nextStreamId = 1;
  #isSettingsAcked = false;
  /** Our GOAWAY with the last id is out: no stream above it is taken. */
  #isDraining = false;
  /** shutdown() was called. */
  #isShuttingDown = false;
  #shutdownMs = 0;
  /** The peer's GOAWAY came. */
  #isPeerLeaving = false;
  #isOver = false;
  #isReceiving = false;
  /** Bytes the socket had taken when it was last seen to make progress, and when that was. */
  #drainedBytes = 0;
  #progressMs = 0;

  constructor(role: Role, options: ConnectionOptions, handler: ConnectionHandler) {
    const isServer = role === 'server';
    const { stats } = this;
    this.role = role;
    this.options = options;
    this.#handler = handler;
    const table = this.#table;
    this.#sender = new Sender({ isServer, options, stats, table, handler });
    const sender = this.#sender;
    const events = this.#events();
    this.#receiver = new Receiver({ isServer, options, stats, table, handler, sender, events });
    this.#reader = new FrameReader(this.#receiver, options.frameBytesMax, isServer);
    this.#liveness = new Liveness(options, stats, sender.writer);
    if (!isServer) sender.writer.preface();
    sender.writer.settings(encodeSettings(options, isServer));
    const moreWindowBytes = options.connectionWindowBytes - DEFAULT_WINDOW_BYTES;
    if (moreWindowBytes > 0) sender.writer.windowUpdate(0, moreWindowBytes);
  }

  // For the driver.

  /** Takes bytes from the peer; they are read during the call only. */
  receive(chunk: Uint8Array, nowMs: number): void {
    if (this.#isOver) return;
    this.#setTime(nowMs);
    this.#liveness.received(nowMs);
    this.stats.bytesReceived += chunk.length;
    this.#isReceiving = true;
    try {
      this.#reader.receive(chunk);
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      this.#handler.onBatchEnd();
      this.#fail(error.code, error.message);
    } finally {
      this.#isReceiving = false;
    }
  }

  /** Within `receive`, behind which the driver sends what there is. */
  get isReceiving(): boolean {
    return this.#isReceiving;
  }

  /** Timeouts, keep-alive, abuse windows: about once a second. */
  tick(nowMs: number): void {
    this.#setTime(nowMs);
    if (this.#isOver) return;
    this.#receiver.abuse.tick(nowMs);
    const { options } = this;
    const ageMs = nowMs - this.#startMs;
    if (!this.#receiver.hasSettings && ageMs >= options.handshakeMsMax) {
      this.#fail(SETTINGS_TIMEOUT, 'the handshake took too long');
    } else if (!this.#isSettingsAcked && ageMs >= options.settingsAckMsMax) {
      this.#fail(SETTINGS_TIMEOUT, 'SETTINGS were not acknowledged');
    } else if (this.#isStalled()) {
      this.#fail(ENHANCE_YOUR_CALM, 'the peer does not read');
    } else if (this.#isShuttingDown && options.shutdownMsMax > 0 && nowMs - this.#shutdownMs >= options.shutdownMsMax) {
      this.#end(NO_ERROR, 'open streams outlasted the shutdown');
    } else {
      this.#dismissStalled();
      this.#keepAlive();
    }
    this.#sender.writer.output.release();
    this.#reader.release();
  }

  /** The bytes to send since the last call, in order; empty when there are none. Valid until setTransportBacklog(0). */
  takeOutput(): Uint8Array[] {
    const output = this.#sender.writer.output;
    this.stats.bytesSent += output.bytes;
    return output.take();
  }

  get outputBytes(): number {
    return this.#sender.writer.output.bytes;
  }

  /**
   * The driver tells how many bytes of those taken the socket still needs; lets sources and queues go on when it is little. At 0 the
   * memory of what was taken is written again.
   */
  setTransportBacklog(bytes: number): void {
    this.#sender.backlogBytes = bytes;
    if (bytes === 0) this.#sender.writer.output.recycle();
    if (!this.#isOver) this.#sender.pump();
  }

  /** The driver should stop reading from the peer for now. */
  get isReceivePaused(): boolean {
    return this.#sender.backlogBytes + this.outputBytes > this.options.outputBacklogBytesMax;
  }

  /** Nothing more will be sent after the present output: the driver flushes and ends the transport. */
  get isClosed(): boolean {
    if (this.#isOver) return true;
    const isLeaving = this.#isDraining || (this.role === 'client' && (this.#isShuttingDown || this.#isPeerLeaving));
    return isLeaving && this.#table.count === 0;
  }

  /** The transport is gone: open streams get onReset(CANCEL), then onClose. Calls after the first do nothing. */
  transportClosed(reason: string): void {
    if (this.#isOver) return;
    this.#close(this.isClosed ? NO_ERROR : CANCEL, reason);
  }

  // For the layer above.

  /** Open streams. */
  get streamCount(): number {
    return this.#table.count;
  }

  /** Client: whether openStream and request would give a stream now. */
  get canOpenStream(): boolean {
    return (
      !this.#isOver &&
      !this.#isPeerLeaving &&
      !this.#isShuttingDown &&
      this.#table.count < this.#sender.peer.streamsMax &&
      !this.isUsedUp
    );
  }

  /** Client: it takes no more streams, since there are no ids for them. */
  get isUsedUp(): boolean {
    return this.#nextStreamId > this.options.streamIdMax;
  }

  /** Client: how many streams the peer allows at a time. */
  get peerStreamsMax(): number {
    return this.#sender.peer.streamsMax;
  }

  /** Client: starts a request. Null when canOpenStream is false. `extra` fields follow the prepared ones, or stand between split ones. */
  openStream(headers: HeaderList, extra: readonly HeaderField[] | null, endStream: boolean): Stream | null {
    if (!this.canOpenStream) return null;
    const stream = this.#open();
    this.#sender.sendHeaders(stream, headers, extra, endStream);
    return stream;
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
    if (!this.canOpenStream) return null;
    const stream = this.#open();
    this.#sender.request(stream, headers, extra, message, start, end);
    return stream;
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
    this.#sender.respondUnary(stream, headers, message, start, end, trailers);
  }

  /** Response headers or trailers (endStream: true); wait behind queued data of the stream. */
  sendHeaders(stream: Stream, headers: HeaderList, extra: readonly HeaderField[] | null, endStream: boolean): void {
    this.#sender.sendHeaders(stream, headers, extra, endStream);
  }

  /** Raw DATA bytes: no gRPC prefix is added. */
  sendData(stream: Stream, bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    this.#sender.sendData(stream, bytes, start, end, endStream);
  }

  /** One gRPC message: the five-byte prefix (uncompressed) and the bytes. */
  sendMessage(stream: Stream, message: Uint8Array, start: number, end: number, endStream: boolean): void {
    this.#sender.sendMessage(stream, message, start, end, endStream);
  }

  /** Raw DATA bytes pulled from a source as windows and the socket allow. What is sent later waits behind it. */
  sendSource(stream: Stream, source: DataSource, endStream: boolean): void {
    this.#sender.sendSource(stream, source, endStream);
  }

  /** A source that gave null has bytes again (or is done). */
  wake(stream: Stream): void {
    this.#sender.wake(stream);
  }

  /** Ends the stream both ways with RST_STREAM; onReset is not called. Nothing happens on a finished stream. */
  reset(stream: Stream, errorCode: number): void {
    if (stream.id !== 0) this.#sender.reset(stream, errorCode);
  }

  /** Credits bytes back to the peer of a stream whose isAutoConsumed is false. */
  consumed(stream: Stream, bytes: number): void {
    this.#receiver.consumed(stream, bytes);
  }

  /** The peer needs `bytes` to end a message, on such a stream: without them neither side could go on. */
  needed(stream: Stream, bytes: number): void {
    this.#receiver.needed(stream, bytes);
  }

  /** Sends a PING; the answer comes as onPingAck with the payload (0 … 2^48 − 1). */
  ping(payload: number): void {
    if (!this.#isOver) this.#sender.writer.ping(Math.floor(payload / TWO_32), payload % TWO_32);
  }

  /** Ends the connection at once: GOAWAY, every stream gets onReset, onClose. `debug` is ASCII. */
  goaway(errorCode: number, debug: string): void {
    if (!this.#isOver) this.#end(errorCode, debug);
  }

  /**
   * Graceful: no new streams; when the open ones have finished, isClosed. A server first announces it (GOAWAY with the
   * highest id) and takes what the client sent until it knows, which a PING finds out (RFC 9113 §6.8).
   */
  shutdown(): void {
    if (this.#isShuttingDown || this.#isOver) return;
    this.#isShuttingDown = true;
    this.#shutdownMs = this.#nowMs;
    const { writer } = this.#sender;
    if (this.role === 'client') {
      writer.goaway(0, NO_ERROR, '');
      return;
    }
    writer.goaway(STREAM_ID_MAX, NO_ERROR, '');
    writer.ping(SHUTDOWN_PING, 0);
  }

  #setTime(nowMs: number): void {
    this.#nowMs = nowMs;
    if (!Number.isNaN(this.#startMs)) return;
    this.#startMs = nowMs;
    this.#progressMs = nowMs;
    this.#liveness.received(nowMs);
  }

  #open(): Stream {
    const id = this.#nextStreamId;
    this.#nextStreamId += 2;
    this.stats.streamsOpened++;
    return this.#table.open(id, this.#sender.peer.initialWindowBytes, this.#receiver.streamWindowBytes);
  }

  /** What the receiver tells and asks; an object of its own so that it is not part of the public face. */
  #events(): ConnectionEvents {
    const connection = this;
    return {
      get isStopped(): boolean {
        return connection.#isOver;
      },
      get isDraining(): boolean {
        return connection.#isDraining;
      },
      get nextStreamId(): number {
        return connection.#nextStreamId;
      },
      onSettingsAck: () => this.#onSettingsAck(),
      onPing: () => this.#onPing(),
      onPingAck: (high, low) => this.#onPingAck(high, low),
      onGoaway: (lastStreamId, errorCode, debug) => this.#onGoaway(lastStreamId, errorCode, debug),
    };
  }

  #onSettingsAck(): void {
    if (this.#isSettingsAcked) return;
    this.#isSettingsAcked = true;
    this.#receiver.onSettingsAck();
  }

  #onPing(): void {
    if (this.role === 'server') this.#liveness.peerPing(this.#nowMs, this.#table.count);
  }

  #onPingAck(high: number, low: number): void {
    if (high === SHUTDOWN_PING && this.#isShuttingDown) this.#drain();
    else if (high <= USER_PING_HIGH_MAX) this.#handler.onPingAck(high * TWO_32 + low);
  }

  /** The second GOAWAY: from here on it is known which streams were taken. */
  #drain(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    this.#sender.writer.goaway(this.#receiver.lastPeerStreamId, NO_ERROR, '');
  }

  #onGoaway(lastStreamId: number, errorCode: number, debug: Uint8Array): void {
    this.#isPeerLeaving = true;
    if (this.role === 'client') {
      for (const stream of this.#table.all()) {
        const id = stream.id;
        if (id <= lastStreamId) continue;
        this.#handler.onReset(stream, REFUSED_STREAM);
        if (stream.id === id) this.#sender.close(stream, true);
      }
    }
    this.#handler.onGoaway(lastStreamId, errorCode, debug);
  }

  #keepAlive(): void {
    const due = this.#liveness.tick(this.#nowMs, this.#table.count);
    if (due === 'ping') this.#sender.writer.ping(KEEPALIVE_PING, 0);
    else if (due === 'dead') {
      this.stats.deadPeers++;
      this.#end(NO_ERROR, 'the peer does not answer pings');
    }
  }

  /** Whether the socket has taken nothing for outputStallMsMax although there is much to take. */
  #isStalled(): boolean {
    const backlogBytes = this.#sender.backlogBytes + this.outputBytes;
    const drainedBytes = this.stats.bytesSent - this.#sender.backlogBytes;
    if (backlogBytes < this.options.transportBacklogBytesMax || drainedBytes !== this.#drainedBytes) {
      this.#drainedBytes = drainedBytes;
      this.#progressMs = this.#nowMs;
      return false;
    }
    return this.#nowMs - this.#progressMs >= this.options.outputStallMsMax;
  }

  #dismissStalled(): void {
    const nowMs = this.#nowMs;
    const msMax = this.options.streamStallMsMax;
    const isOpen = this.#sender.connectionWindow > 0 && this.#progressMs === nowMs;
    for (const stream of this.#table.select(canStall)) {
      if (!isStalled(stream, { isOpen, nowMs, msMax })) continue;
      this.stats.streamStalls++;
      this.#sender.dismiss(stream);
    }
  }

  /** The peer broke a rule or a limit. */
  #fail(errorCode: number, reason: string): void {
    if (errorCode === ENHANCE_YOUR_CALM) this.stats.limitsExceeded++;
    else if (errorCode === SETTINGS_TIMEOUT) this.stats.handshakeTimeouts++;
    else this.stats.protocolErrors++;
    this.#end(errorCode, reason);
  }

  #end(errorCode: number, reason: string): void {
    if (this.#isOver) return;
    this.#sender.writer.goaway(this.#receiver.lastPeerStreamId, errorCode, reason);
    this.#close(errorCode, reason);
  }

  #close(errorCode: number, reason: string): void {
    this.#isOver = true;
    for (const stream of this.#table.all()) {
      const id = stream.id;
      this.#handler.onReset(stream, errorCode);
      if (stream.id === id) this.#sender.close(stream, true);
    }
    this.#handler.onClose(errorCode, reason);
  }
}
