// The receiving half of a connection: what each frame means in each state (RFC 9113 §5, §6, §8).
//
// A rule broken by the peer is either a ConnectionError, thrown, or a stream error: RST_STREAM, and onReset when the
// layer above knows the stream. Received bytes are credited back when half a window is used: the connection's at once,
// a stream's at once or, without isAutoConsumed, when the layer above says so.
// After each call into the handler a stream is looked at again only if its id is still the same: the handler may have
// finished it.

import { AbuseLimit } from './abuse-limit.ts';
import type { ConnectionHandler } from './connection-handler.ts';
import type { ConnectionOptions, ConnectionStats } from './connection-options.ts';
import type { DecodedBlock } from './decoded-block.ts';
import {
  ConnectionError,
  ENHANCE_YOUR_CALM,
  FLOW_CONTROL_ERROR,
  FRAME_SIZE_ERROR,
  PROTOCOL_ERROR,
  REFUSED_STREAM,
  STREAM_CLOSED,
} from './error-code.ts';
import {
  CONTINUATION,
  DATA,
  DEFAULT_WINDOW_BYTES,
  FLAG_ACK,
  FLAG_END_HEADERS,
  FLAG_END_STREAM,
  FLAG_PADDED,
  FLAG_PRIORITY,
  GOAWAY,
  HEADERS,
  PING,
  PRIORITY,
  PUSH_PROMISE,
  RST_STREAM,
  readUint31,
  readUint32,
  SETTINGS,
  WINDOW_UPDATE,
} from './frame.ts';
import type { FrameSink } from './frame-reader.ts';
import { HeaderAssembly } from './header-assembly.ts';
import { HpackDecoder } from './hpack-decoder.ts';
import type { Sender } from './sender.ts';
import { SETTING_BYTES } from './settings.ts';
import type { Stream } from './stream.ts';
import type { StreamTable } from './stream-table.ts';

/** What the connection does about frames that concern it as a whole. */
export interface ConnectionEvents {
  readonly isStopped: boolean;
  /** Server: streams above the last id are not taken any more. */
  readonly isDraining: boolean;
  /** Client: the next id to be used; lower ones are not idle. */
  readonly nextStreamId: number;
  onSettingsAck(): void;
  /** Throws ConnectionError when the peer pings too often. */
  onPing(): void;
  onPingAck(high: number, low: number): void;
  onGoaway(lastStreamId: number, errorCode: number, debug: Uint8Array): void;
}

export interface ReceiverParts {
  readonly isServer: boolean;
  readonly options: ConnectionOptions;
  readonly stats: ConnectionStats;
  readonly table: StreamTable;
  readonly handler: ConnectionHandler;
  readonly sender: Sender;
  readonly events: ConnectionEvents;
}

const PRIORITY_BYTES = 5;
const PING_BYTES = 8;
const GOAWAY_BYTES_MIN = 8;

export class Receiver implements FrameSink {
  readonly abuse: AbuseLimit;
  /** Server: the highest stream id of the client. */
  lastPeerStreamId = 0;
  /** The peer's first SETTINGS have arrived. */
  hasSettings = false;
  readonly #isServer: boolean;
  readonly #options: ConnectionOptions;
  readonly #stats: ConnectionStats;
  readonly #table: StreamTable;
  readonly #handler: ConnectionHandler;
  readonly #sender: Sender;
  readonly #events: ConnectionEvents;
  readonly #decoder: HpackDecoder;
  readonly #assembly: HeaderAssembly;
  readonly #connectionCreditBytes: number;
  readonly #streamCreditBytes: number;
  #connectionWindow: number;
  #connectionUnackedBytes = 0;
  /** What a new stream of the peer may receive; until it knows our SETTINGS at least the default. */
  #streamWindowBytes: number;
  /** Something other than any frame is due: the first SETTINGS or a CONTINUATION. */
  #isExpecting = true;

  constructor(parts: ReceiverParts) {
    const { options } = parts;
    this.#isServer = parts.isServer;
    this.#options = options;
    this.#stats = parts.stats;
    this.#table = parts.table;
    this.#handler = parts.handler;
    this.#sender = parts.sender;
    this.#events = parts.events;
    this.abuse = new AbuseLimit(options, parts.stats, parts.sender.writer);
    this.#decoder = new HpackDecoder(options.decoderTableBytesMax, options.headerListBytesMax);
    this.#assembly = new HeaderAssembly(options.headerBlockBytesMax, options.continuationFramesMax);
    this.#connectionWindow = Math.max(options.connectionWindowBytes, DEFAULT_WINDOW_BYTES);
    this.#connectionCreditBytes = Math.max(1, this.#connectionWindow >>> 1);
    this.#streamWindowBytes = Math.max(options.streamWindowBytes, DEFAULT_WINDOW_BYTES);
    this.#streamCreditBytes = Math.max(1, options.streamWindowBytes >>> 1);
  }

  get isStopped(): boolean {
    return this.#events.isStopped;
  }

  /** The receive window of a stream opened now. */
  get streamWindowBytes(): number {
    return this.#streamWindowBytes;
  }

  onFrame(type: number, flags: number, id: number, buffer: Uint8Array, start: number, end: number): void {
    this.#stats.framesReceived++;
    if (this.#isExpecting) this.#checkExpected(type, flags, id);
    if (type === DATA) this.#onData(flags, id, buffer, start, end);
    else if (type === HEADERS) this.#onHeaders(flags, id, buffer, start, end);
    else this.#onOther(type, flags, id, buffer, start, end);
  }

  onBatchEnd(): void {
    this.#handler.onBatchEnd();
  }

  #onOther(type: number, flags: number, id: number, buffer: Uint8Array, start: number, end: number): void {
    this.#handler.onBatchEnd();
    switch (type) {
      case WINDOW_UPDATE:
        this.#onWindowUpdate(id, buffer, start, end);
        return;
      case PRIORITY:
        this.#onPriority(id, buffer, start, end);
        return;
      case RST_STREAM:
        this.#onReset(id, buffer, start, end);
        return;
      case SETTINGS:
        this.#onSettings(flags, id, buffer, start, end);
        return;
      case PUSH_PROMISE:
        throw new ConnectionError(PROTOCOL_ERROR, 'PUSH_PROMISE is not enabled');
      case PING:
        this.#onPing(flags, id, buffer, start, end);
        return;
      case GOAWAY:
        this.#onGoaway(id, buffer, start, end);
        return;
      case CONTINUATION:
        this.#onContinuation(flags, id, buffer, start, end);
        return;
      default:
        // Unknown types are ignored (§4.1).
        this.abuse.ignoredFrame();
    }
  }

  /** The layer above has used bytes of a stream that does not credit them by itself. */
  consumed(stream: Stream, bytes: number): void {
    if (stream.id === 0 || stream.isRemoteClosed) return;
    this.#creditStream(stream, bytes);
  }

  /**
   * The peer cannot end what it has begun on such a stream without `bytes` more. It gets them, a window of them at most, ahead of what is
   * consumed: `unackedBytes` goes down by them, below 0 if need be.
   */
  needed(stream: Stream, bytes: number): void {
    if (stream.id === 0 || stream.isRemoteClosed) return;
    const missingBytes = Math.min(bytes, this.#options.streamWindowBytes) - stream.receiveWindow;
    if (missingBytes <= 0) return;
    this.#sender.writer.windowUpdate(stream.id, missingBytes);
    stream.receiveWindow += missingBytes;
    stream.unackedBytes -= missingBytes;
  }

  /** The peer has our SETTINGS: from now on our limits hold. */
  onSettingsAck(): void {
    const change = this.#options.streamWindowBytes - this.#streamWindowBytes;
    this.#decoder.setLimit(this.#options.decoderTableBytesMax);
    if (change === 0) return;
    this.#streamWindowBytes += change;
    for (const stream of this.#table.all()) stream.receiveWindow += change;
  }

  #checkExpected(type: number, flags: number, id: number): void {
    if (!this.hasSettings) {
      if (type !== SETTINGS || (flags & FLAG_ACK) !== 0) {
        throw new ConnectionError(PROTOCOL_ERROR, 'the first frame is not SETTINGS');
      }
      return;
    }
    if (type !== CONTINUATION || id !== this.#assembly.id) {
      throw new ConnectionError(PROTOCOL_ERROR, 'a field section is interrupted');
    }
  }

  #onData(flags: number, id: number, buffer: Uint8Array, start: number, end: number): void {
    const frameBytes = end - start;
    const padBytes = (flags & FLAG_PADDED) === 0 ? 0 : paddingBytes(buffer, start, end);
    const from = (flags & FLAG_PADDED) === 0 ? start : start + 1;
    const to = end - padBytes;
    if (id === 0) throw new ConnectionError(PROTOCOL_ERROR, 'DATA on stream 0');
    this.#takeConnectionWindow(frameBytes);
    const stream = this.#find(id);
    if (stream === null) {
      this.#onClosedStream(id);
      return;
    }
    const endStream = (flags & FLAG_END_STREAM) !== 0;
    const errorCode = this.#dataError(stream, frameBytes, to - from, endStream);
    if (errorCode !== 0) {
      this.#streamError(stream, errorCode);
      return;
    }
    if (endStream) stream.isRemoteClosed = true;
    else {
      if (to === from) this.abuse.emptyDataFrame();
      stream.receiveWindow -= frameBytes;
      this.#creditStream(stream, stream.isAutoConsumed ? frameBytes : frameBytes - (to - from));
    }
    this.#handler.onData(stream, buffer, from, to, endStream);
    if (endStream) this.#closeRemote(stream, id);
  }

  /** The stream of a frame, if it is open. One that the peer has ended may be so only until the end of the batch. */
  #find(id: number): Stream | null {
    const stream = this.#table.find(id);
    if (stream === null || !stream.isRemoteClosed) return stream;
    this.#handler.onBatchEnd();
    return this.#table.find(id);
  }

  /** What is wrong with DATA in this state, or 0. */
  #dataError(stream: Stream, frameBytes: number, bytes: number, endStream: boolean): number {
    if (stream.isRemoteClosed) return STREAM_CLOSED;
    if (!stream.hasHeaders) return PROTOCOL_ERROR;
    if (frameBytes > stream.receiveWindow) return FLOW_CONTROL_ERROR;
    if (stream.expectedBytes >= 0) {
      stream.expectedBytes -= bytes;
      if (stream.expectedBytes < 0 || (endStream && stream.expectedBytes > 0)) return PROTOCOL_ERROR;
    }
    return 0;
  }

  #takeConnectionWindow(bytes: number): void {
    if (bytes > this.#connectionWindow) {
      throw new ConnectionError(FLOW_CONTROL_ERROR, "more DATA than the connection's window");
    }
    this.#connectionWindow -= bytes;
    this.#connectionUnackedBytes += bytes;
    if (this.#connectionUnackedBytes < this.#connectionCreditBytes) return;
    this.#sender.writer.windowUpdate(0, this.#connectionUnackedBytes);
    this.#connectionWindow += this.#connectionUnackedBytes;
    this.#connectionUnackedBytes = 0;
  }

  #creditStream(stream: Stream, bytes: number): void {
    stream.unackedBytes += bytes;
    if (stream.unackedBytes < this.#streamCreditBytes) return;
    this.#sender.writer.windowUpdate(stream.id, stream.unackedBytes);
    stream.receiveWindow += stream.unackedBytes;
    stream.unackedBytes = 0;
  }

  /** DATA, HEADERS for a stream that is not open (§5.1, "closed"). */
  #onClosedStream(id: number): void {
    this.#checkNotIdle(id);
    const ending = this.#table.ending(id);
    if (ending === 'finished' && this.#isServer) {
      throw new ConnectionError(STREAM_CLOSED, `a frame on stream ${id}, which has ended`);
    }
    if (ending === 'none') throw new ConnectionError(PROTOCOL_ERROR, `stream ${id} was skipped`);
    // Reset by us, and the peer did not know yet; or too long ago to tell.
    this.abuse.ignoredFrame();
  }

  /** A stream that was never opened takes nothing but what opens it. */
  #checkNotIdle(id: number): void {
    const isIdle = this.#isServer
      ? (id & 1) === 0 || id > this.lastPeerStreamId
      : (id & 1) === 0 || id >= this.#events.nextStreamId;
    if (isIdle) throw new ConnectionError(PROTOCOL_ERROR, `a frame on stream ${id}, which is idle`);
  }

  #onHeaders(flags: number, id: number, buffer: Uint8Array, start: number, end: number): void {
    if (id === 0) throw new ConnectionError(PROTOCOL_ERROR, 'HEADERS on stream 0');
    let from = start;
    let to = end;
    if ((flags & FLAG_PADDED) !== 0) {
      to = end - paddingBytes(buffer, start, end);
      from++;
    }
    let dependsOnItself = false;
    if ((flags & FLAG_PRIORITY) !== 0) {
      if (to - from < PRIORITY_BYTES) throw new ConnectionError(FRAME_SIZE_ERROR, 'HEADERS without its priority');
      dependsOnItself = readUint31(buffer, from) === id;
      from += PRIORITY_BYTES;
    }
    const endStream = (flags & FLAG_END_STREAM) !== 0;
    if ((flags & FLAG_END_HEADERS) !== 0) {
      this.#onSection(id, this.#decoder.decode(buffer, from, to), endStream, dependsOnItself);
      return;
    }
    this.#assembly.open(id, endStream, dependsOnItself);
    this.#assembly.add(buffer, from, to);
    this.#isExpecting = true;
  }

  #onContinuation(flags: number, id: number, buffer: Uint8Array, start: number, end: number): void {
    const assembly = this.#assembly;
    if (assembly.id === 0) throw new ConnectionError(PROTOCOL_ERROR, 'CONTINUATION without HEADERS');
    assembly.add(buffer, start, end);
    if ((flags & FLAG_END_HEADERS) === 0) return;
    const { endStream, dependsOnItself } = assembly;
    const section = assembly.take();
    this.#isExpecting = false;
    this.#onSection(id, this.#decoder.decode(section, 0, section.length), endStream, dependsOnItself);
  }

  #onSection(id: number, block: DecodedBlock, endStream: boolean, dependsOnItself: boolean): void {
    const stream = this.#find(id);
    if (stream === null) {
      if (this.#isServer && id > this.lastPeerStreamId && (id & 1) === 1) {
        this.#onRequest(id, block, endStream, dependsOnItself);
      } else this.#onClosedStream(id);
      return;
    }
    if (stream.isRemoteClosed) this.#streamError(stream, STREAM_CLOSED);
    else if (dependsOnItself) this.#streamError(stream, PROTOCOL_ERROR);
    else if (block.isTooLong) this.#tooLong(id, stream);
    else if (stream.hasHeaders) this.#onTrailers(stream, block, endStream);
    else this.#onResponse(stream, block, endStream);
  }

  #onRequest(id: number, block: DecodedBlock, endStream: boolean, dependsOnItself: boolean): void {
    this.lastPeerStreamId = id;
    if (this.#events.isDraining) {
      // Above the last id of our GOAWAY: the client will try elsewhere (§6.8).
      this.#table.markClosed(id, true);
      this.abuse.ignoredFrame();
      return;
    }
    if (block.isTooLong) {
      this.#tooLong(id, null);
      return;
    }
    if (!block.isRequest || dependsOnItself || (endStream && block.contentLength > 0)) {
      this.#streamErrorById(id, PROTOCOL_ERROR);
      return;
    }
    // Some of them may only wait for the end of the batch.
    if (this.#table.count >= this.#options.concurrentStreamsMax) this.#handler.onBatchEnd();
    if (this.#table.count >= this.#options.concurrentStreamsMax) {
      this.#stats.streamsRefused++;
      this.#stats.resetsSent++;
      this.#sender.writer.resetStream(id, REFUSED_STREAM);
      this.#table.markClosed(id, true);
      return;
    }
    this.#stats.streamsOpened++;
    const stream = this.#table.open(id, this.#sender.peer.initialWindowBytes, this.#streamWindowBytes);
    stream.hasHeaders = true;
    stream.expectedBytes = block.contentLength;
    stream.isRemoteClosed = endStream;
    this.#handler.onHeaders(stream, block, endStream);
  }

  #onResponse(stream: Stream, block: DecodedBlock, endStream: boolean): void {
    const id = stream.id;
    if (!block.isResponse || (block.isInformational && endStream)) {
      this.#streamError(stream, PROTOCOL_ERROR);
      return;
    }
    // 1xx: the response proper comes later.
    if (block.isInformational) {
      this.abuse.ignoredFrame();
      return;
    }
    stream.hasHeaders = true;
    // Without DATA the length is of what a GET would have brought (RFC 9110 §8.6).
    stream.expectedBytes = endStream ? -1 : block.contentLength;
    stream.isRemoteClosed = endStream;
    this.#handler.onHeaders(stream, block, endStream);
    if (endStream) this.#closeRemote(stream, id);
  }

  #onTrailers(stream: Stream, block: DecodedBlock, endStream: boolean): void {
    if (!endStream || !block.isTrailers || stream.expectedBytes > 0) {
      this.#streamError(stream, PROTOCOL_ERROR);
      return;
    }
    const id = stream.id;
    stream.isRemoteClosed = true;
    this.#handler.onTrailers(stream, block);
    this.#closeRemote(stream, id);
  }

  /** The peer's side has ended and the handler knows: the stream is over if ours has ended as well. */
  #closeRemote(stream: Stream, id: number): void {
    if (stream.id === id && stream.isLocalClosed) this.#sender.close(stream, false);
  }

  #tooLong(id: number, stream: Stream | null): void {
    this.#stats.headerListsTooLong++;
    if (stream === null) this.#streamErrorById(id, ENHANCE_YOUR_CALM);
    else this.#streamError(stream, ENHANCE_YOUR_CALM);
  }

  #streamError(stream: Stream, errorCode: number): void {
    const id = stream.id;
    this.abuse.provokedReset();
    this.#handler.onReset(stream, errorCode);
    if (stream.id === id) this.#sender.reset(stream, errorCode);
  }

  /** A stream error before the layer above has seen the stream. */
  #streamErrorById(id: number, errorCode: number): void {
    this.abuse.provokedReset();
    this.#stats.resetsSent++;
    this.#sender.writer.resetStream(id, errorCode);
    this.#table.markClosed(id, true);
  }

  #onPriority(id: number, buffer: Uint8Array, start: number, end: number): void {
    this.abuse.ignoredFrame();
    if (id === 0) throw new ConnectionError(PROTOCOL_ERROR, 'PRIORITY on stream 0');
    const isSized = end - start === PRIORITY_BYTES;
    if (isSized && readUint31(buffer, start) !== id) return;
    const stream = this.#table.find(id);
    const errorCode = isSized ? PROTOCOL_ERROR : FRAME_SIZE_ERROR;
    // RST_STREAM is not allowed for a stream that is idle; nor needed for one that is closed.
    if (stream === null) throw new ConnectionError(errorCode, 'a malformed PRIORITY frame');
    this.#streamError(stream, errorCode);
  }

  #onReset(id: number, buffer: Uint8Array, start: number, end: number): void {
    if (id === 0) throw new ConnectionError(PROTOCOL_ERROR, 'RST_STREAM on stream 0');
    if (end - start !== 4) throw new ConnectionError(FRAME_SIZE_ERROR, `RST_STREAM of ${end - start} bytes`);
    const stream = this.#table.find(id);
    if (stream === null) {
      this.#checkNotIdle(id);
      this.abuse.ignoredFrame();
      return;
    }
    this.abuse.peerReset();
    this.#handler.onReset(stream, readUint32(buffer, start));
    if (stream.id === id) this.#sender.close(stream, false);
  }

  #onSettings(flags: number, id: number, buffer: Uint8Array, start: number, end: number): void {
    if (id !== 0) throw new ConnectionError(PROTOCOL_ERROR, 'SETTINGS on a stream');
    this.abuse.controlFrame();
    if ((flags & FLAG_ACK) !== 0) {
      if (end !== start) throw new ConnectionError(FRAME_SIZE_ERROR, 'SETTINGS acknowledgement with a payload');
      this.#events.onSettingsAck();
      return;
    }
    if ((end - start) % SETTING_BYTES !== 0)
      throw new ConnectionError(FRAME_SIZE_ERROR, `SETTINGS of ${end - start} bytes`);
    this.hasSettings = true;
    this.#isExpecting = false;
    // The acknowledgement goes first: what is sent after it obeys the new values.
    this.#sender.writer.settingsAck();
    this.#sender.applySettings(buffer, start, end);
    this.#handler.onSettings();
  }

  #onPing(flags: number, id: number, buffer: Uint8Array, start: number, end: number): void {
    if (id !== 0) throw new ConnectionError(PROTOCOL_ERROR, 'PING on a stream');
    if (end - start !== PING_BYTES) throw new ConnectionError(FRAME_SIZE_ERROR, `PING of ${end - start} bytes`);
    this.abuse.controlFrame();
    if ((flags & FLAG_ACK) !== 0) {
      this.#events.onPingAck(readUint32(buffer, start), readUint32(buffer, start + 4));
      return;
    }
    this.#sender.writer.pingAck(buffer, start);
    this.#events.onPing();
  }

  #onGoaway(id: number, buffer: Uint8Array, start: number, end: number): void {
    if (id !== 0) throw new ConnectionError(PROTOCOL_ERROR, 'GOAWAY on a stream');
    if (end - start < GOAWAY_BYTES_MIN) throw new ConnectionError(FRAME_SIZE_ERROR, `GOAWAY of ${end - start} bytes`);
    this.abuse.controlFrame();
    this.#events.onGoaway(readUint31(buffer, start), readUint32(buffer, start + 4), buffer.subarray(start + 8, end));
  }

  #onWindowUpdate(id: number, buffer: Uint8Array, start: number, end: number): void {
    if (end - start !== 4) throw new ConnectionError(FRAME_SIZE_ERROR, `WINDOW_UPDATE of ${end - start} bytes`);
    const increment = readUint31(buffer, start);
    this.abuse.windowUpdate();
    if (id === 0) {
      if (increment === 0) throw new ConnectionError(PROTOCOL_ERROR, 'a window increment of 0');
      this.#sender.creditConnection(increment);
      return;
    }
    const stream = this.#table.find(id);
    if (stream === null) {
      this.#checkNotIdle(id);
      return;
    }
    if (increment === 0) this.#streamError(stream, PROTOCOL_ERROR);
    else if (!this.#sender.creditStream(stream, increment)) this.#streamError(stream, FLOW_CONTROL_ERROR);
  }
}

/** The bytes of padding behind the data of a padded frame. Throws ConnectionError when they exceed it. */
function paddingBytes(buffer: Uint8Array, start: number, end: number): number {
  if (end === start) throw new ConnectionError(FRAME_SIZE_ERROR, 'a padded frame without its pad length');
  const bytes = buffer[start];
  if (bytes >= end - start) throw new ConnectionError(PROTOCOL_ERROR, 'more padding than frame');
  return bytes;
}
