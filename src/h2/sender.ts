// The sending half of a connection: windows, queues, and who may send next.
//
// A stream whose windows allow it, with nothing queued before, writes at once. Otherwise what it has goes to its queue
// and it into #waiting; pump() lets the waiting streams write a frame each in turn while the connection's window and
// the socket allow. A stream leaves #waiting when its own window or its source is what it waits for; the window
// update or wake() puts it back.
// Sent bytes never exceed connectionWindow or a stream's sendWindow; both may be negative after the peer's SETTINGS.
// END_STREAM closes a stream whose other side is closed; a server's closes it in any case (RFC 9113 §8.1: the rest of
// the request is declined with RST_STREAM NO_ERROR).

import { assert } from '../base/assert.ts';
import { copyBytes, EMPTY_BYTES } from '../base/bytes.ts';
import type { ConnectionHandler } from './connection-handler.ts';
import type { ConnectionOptions, ConnectionStats } from './connection-options.ts';
import { ConnectionError, ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR, NO_ERROR } from './error-code.ts';
import {
  DATA,
  DEFAULT_WINDOW_BYTES,
  FLAG_END_HEADERS,
  FLAG_END_STREAM,
  FRAME_HEADER_BYTES,
  HEADERS,
  MESSAGE_PREFIX_BYTES,
  WINDOW_BYTES_MAX,
  writeFrameHeader,
  writeMessagePrefix,
} from './frame.ts';
import { FrameWriter, REFERENCED_BYTES_MIN } from './frame-writer.ts';
import type { HeaderField } from './header-block.ts';
import { HpackEncoder } from './hpack-encoder.ts';
import { PreparedHeaders } from './prepared-headers.ts';
import {
  type DataSource,
  type HeaderList,
  type QueuedBytes,
  type QueuedSource,
  type QueueItem,
  SendQueue,
} from './send-queue.ts';
import { PeerSettings } from './settings.ts';
import type { Stream } from './stream.ts';
import { StreamList } from './stream-list.ts';
import type { StreamTable } from './stream-table.ts';

/** The most one waiting stream writes before the next one's turn. */
const TURN_BYTES_MAX = 64 * 1024;
const NO_FIELDS: readonly HeaderField[] = [];
const UNARY_OVERHEAD_BYTES = 3 * FRAME_HEADER_BYTES + MESSAGE_PREFIX_BYTES;

export interface SenderParts {
  readonly isServer: boolean;
  readonly options: ConnectionOptions;
  readonly stats: ConnectionStats;
  readonly table: StreamTable;
  readonly handler: ConnectionHandler;
}

export class Sender {
  readonly writer: FrameWriter = new FrameWriter();
  readonly peer: PeerSettings = new PeerSettings();
  connectionWindow: number = DEFAULT_WINDOW_BYTES;
  /** What the socket holds, as the driver told last. */
  backlogBytes = 0;
  readonly #isServer: boolean;
  readonly #options: ConnectionOptions;
  readonly #stats: ConnectionStats;
  readonly #table: StreamTable;
  readonly #handler: ConnectionHandler;
  readonly #encoder: HpackEncoder;
  readonly #waiting: StreamList = new StreamList();
  #isPumping = false;

  constructor(parts: SenderParts) {
    this.#isServer = parts.isServer;
    this.#options = parts.options;
    this.#stats = parts.stats;
    this.#table = parts.table;
    this.#handler = parts.handler;
    this.#encoder = new HpackEncoder(parts.options.encoderTableBytesMax);
  }

  respondUnary(
    stream: Stream,
    headers: PreparedHeaders,
    message: Uint8Array,
    start: number,
    end: number,
    trailers: PreparedHeaders,
  ): void {
    const block = this.#encoder.cached(headers);
    const trailerBlock = this.#encoder.cached(trailers);
    if (block === null || trailerBlock === null || stream.isEnding || !this.#isCopied(stream, end - start)) {
      this.sendHeaders(stream, headers, null, false);
      this.sendMessage(stream, message, start, end, false);
      // An overfull queue has ended the stream.
      if (stream.id !== 0) this.sendHeaders(stream, trailers, null, true);
      return;
    }
    const dataBytes = end - start + MESSAGE_PREFIX_BYTES;
    const output = this.writer.output;
    output.reserve(UNARY_OVERHEAD_BYTES + block.length + end - start + trailerBlock.length);
    const buffer = output.buffer;
    const id = stream.id;
    let at = writeBlock(buffer, output.position, block, FLAG_END_HEADERS, id);
    at = writeMessage(buffer, at, message, start, end, 0, id);
    at = writeBlock(buffer, at, trailerBlock, FLAG_END_HEADERS | FLAG_END_STREAM, id);
    output.position = at;
    this.#countData(stream, dataBytes);
    stream.isEnding = true;
    this.#closeLocal(stream);
  }

  /** HEADERS, one message and END_STREAM on a stream just opened. */
  request(
    stream: Stream,
    headers: PreparedHeaders,
    extra: readonly HeaderField[] | null,
    message: Uint8Array,
    start: number,
    end: number,
  ): void {
    const block = extra === null ? this.#encoder.cached(headers) : null;
    if (block === null || !this.#isCopied(stream, end - start)) {
      this.sendHeaders(stream, headers, extra, false);
      this.sendMessage(stream, message, start, end, true);
      return;
    }
    const output = this.writer.output;
    output.reserve(UNARY_OVERHEAD_BYTES + block.length + end - start);
    const id = stream.id;
    const at = writeBlock(output.buffer, output.position, block, FLAG_END_HEADERS, id);
    output.position = writeMessage(output.buffer, at, message, start, end, FLAG_END_STREAM, id);
    this.#countData(stream, end - start + MESSAGE_PREFIX_BYTES);
    stream.isEnding = true;
    this.#closeLocal(stream);
  }

  sendHeaders(stream: Stream, headers: HeaderList, extra: readonly HeaderField[] | null, endStream: boolean): void {
    this.#beginSend(stream, endStream);
    if (stream.queue !== null && !stream.queue.isEmpty) {
      this.#enqueue(stream, { kind: 'headers', headers, extra, endStream });
      return;
    }
    this.#writeHeaders(stream, headers, extra, endStream);
  }

  sendData(stream: Stream, bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    this.#beginSend(stream, endStream);
    if (this.#isClear(stream, end - start) && end - start <= this.writer.frameBytesMax) {
      this.#writeData(stream, bytes, start, end, endStream);
      return;
    }
    this.#enqueueBytes(stream, bytes, start, end, endStream);
  }

  sendMessage(stream: Stream, message: Uint8Array, start: number, end: number, endStream: boolean): void {
    this.#beginSend(stream, endStream);
    const dataBytes = end - start + MESSAGE_PREFIX_BYTES;
    if (this.#isClear(stream, dataBytes)) {
      this.writer.message(stream.id, message, start, end, endStream);
      stream.sendWindow -= dataBytes;
      this.connectionWindow -= dataBytes;
      if (endStream) this.#closeLocal(stream);
      return;
    }
    const isCopied = end - start < REFERENCED_BYTES_MIN;
    const prefix = Buffer.allocUnsafeSlow(isCopied ? dataBytes : MESSAGE_PREFIX_BYTES);
    writeMessagePrefix(prefix, 0, end - start);
    if (isCopied) copyBytes(prefix, MESSAGE_PREFIX_BYTES, message, start, end);
    const isWhole = isCopied || end === start;
    stream.queuedBytes += dataBytes;
    const prefixItem: QueuedBytes = {
      kind: 'bytes',
      bytes: prefix,
      start: 0,
      end: prefix.length,
      endStream: endStream && isWhole,
    };
    this.#queueOf(stream).push(prefixItem);
    if (!isWhole) this.#queueOf(stream).push({ kind: 'bytes', bytes: message, start, end, endStream });
    this.#queued(stream);
  }

  sendSource(stream: Stream, source: DataSource, endStream: boolean): void {
    this.#beginSend(stream, endStream);
    this.#enqueue(stream, { kind: 'source', source, endStream });
  }

  /** Lets a stream with something queued try again. */
  wake(stream: Stream): void {
    if (stream.queue === null || stream.queue.isEmpty) return;
    this.#waiting.add(stream);
    this.pump();
  }

  /** RST_STREAM for an open stream, which is closed by it. */
  reset(stream: Stream, errorCode: number): void {
    this.#stats.resetsSent++;
    this.writer.resetStream(stream.id, errorCode);
    this.close(stream, true);
  }

  /** Resets a stream whose peer asks too much. */
  dismiss(stream: Stream): void {
    const { id } = stream;
    this.#handler.onReset(stream, ENHANCE_YOUR_CALM);
    if (stream.id === id) this.reset(stream, ENHANCE_YOUR_CALM);
  }

  /** Takes the stream out of the table and drops what it had queued. */
  close(stream: Stream, isReset: boolean): void {
    this.#waiting.remove(stream);
    if (stream.queue !== null) stream.queue.clear();
    stream.queuedBytes = 0;
    stream.isDrainOwed = false;
    this.#table.close(stream, isReset);
  }

  /** Stream WINDOW_UPDATE; false when the window overflows. */
  creditStream(stream: Stream, increment: number): boolean {
    if (stream.sendWindow + increment > WINDOW_BYTES_MAX) return false;
    stream.sendWindow += increment;
    this.wake(stream);
    return true;
  }

  /** Connection WINDOW_UPDATE; throws ConnectionError when the window overflows. */
  creditConnection(increment: number): void {
    if (this.connectionWindow + increment > WINDOW_BYTES_MAX) {
      throw new ConnectionError(FLOW_CONTROL_ERROR, "the connection's window overflows");
    }
    this.connectionWindow += increment;
    this.pump();
  }

  /** The peer's SETTINGS payload. Throws ConnectionError. */
  applySettings(buffer: Uint8Array, start: number, end: number): void {
    const { peer } = this;
    const windowBefore = peer.initialWindowBytes;
    peer.apply(buffer, start, end, !this.#isServer);
    this.writer.frameBytesMax = peer.frameBytesMax;
    this.#encoder.setPeerLimit(peer.headerTableBytesLow);
    this.#encoder.setPeerLimit(peer.headerTableBytes);
    const change = peer.initialWindowBytes - windowBefore;
    if (change === 0) return;
    for (const stream of this.#table.all()) {
      stream.sendWindow += change;
      if (stream.sendWindow > WINDOW_BYTES_MAX) {
        throw new ConnectionError(FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE makes a stream's window overflow");
      }
      if (stream.queue !== null && !stream.queue.isEmpty) this.#waiting.add(stream);
    }
    this.pump();
  }

  /** Lets waiting streams write while windows and the socket allow. */
  pump(): void {
    if (this.#waiting.first === null || this.#isPumping) return;
    this.#isPumping = true;
    for (;;) {
      const stream = this.#waiting.first;
      if (stream === null || this.connectionWindow <= 0 || !this.#hasRoom) break;
      this.#waiting.remove(stream);
      if (this.#sendQueued(stream)) this.#waiting.add(stream);
    }
    this.#isPumping = false;
  }

  get #hasRoom(): boolean {
    return this.backlogBytes + this.writer.output.bytes < this.#options.transportBacklogBytesMax;
  }

  /** Whether `bytes` of DATA may be written now. */
  #isClear(stream: Stream, bytes: number): boolean {
    return (
      bytes <= stream.sendWindow &&
      bytes <= this.connectionWindow &&
      (stream.queue === null || stream.queue.isEmpty) &&
      this.#hasRoom
    );
  }

  /** Whether a message may be written now, as a single frame and by copying. */
  #isCopied(stream: Stream, messageBytes: number): boolean {
    return messageBytes < REFERENCED_BYTES_MIN && this.#isClear(stream, messageBytes + MESSAGE_PREFIX_BYTES);
  }

  #beginSend(stream: Stream, endStream: boolean): void {
    assert(stream.id !== 0 && !stream.isEnding, 'sending on a stream that has ended');
    stream.isEnding = endStream;
  }

  #writeHeaders(stream: Stream, headers: HeaderList, extra: readonly HeaderField[] | null, endStream: boolean): void {
    const block =
      extra === null && headers instanceof PreparedHeaders
        ? this.#encoder.encode(headers)
        : this.#encoder.encodeWith(headers, extra ?? NO_FIELDS);
    this.writer.headers(stream.id, block, endStream);
    if (endStream) this.#closeLocal(stream);
  }

  #writeData(stream: Stream, bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    this.writer.data(stream.id, bytes, start, end, endStream);
    stream.sendWindow -= end - start;
    this.connectionWindow -= end - start;
    if (endStream) this.#closeLocal(stream);
  }

  #writeInRoom(stream: Stream, bytes: number, endStream: boolean): void {
    this.writer.dataInRoom(stream.id, bytes, endStream);
    stream.sendWindow -= bytes;
    this.connectionWindow -= bytes;
    if (endStream) this.#closeLocal(stream);
  }

  #countData(stream: Stream, bytes: number): void {
    stream.sendWindow -= bytes;
    this.connectionWindow -= bytes;
    this.writer.dataFrameCount++;
    this.writer.hasWrittenStream = true;
  }

  /** END_STREAM is in the output. */
  #closeLocal(stream: Stream): void {
    stream.isLocalClosed = true;
    if (stream.isRemoteClosed) this.close(stream, false);
    else if (this.#isServer) this.reset(stream, NO_ERROR);
  }

  #queueOf(stream: Stream): SendQueue {
    stream.queue ??= new SendQueue();
    return stream.queue;
  }

  #enqueueBytes(stream: Stream, bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    stream.queuedBytes += end - start;
    if (end - start >= REFERENCED_BYTES_MIN) {
      this.#enqueue(stream, { kind: 'bytes', bytes, start, end, endStream });
      return;
    }
    const copy = Buffer.allocUnsafeSlow(end - start);
    copyBytes(copy, 0, bytes, start, end);
    this.#enqueue(stream, { kind: 'bytes', bytes: copy, start: 0, end: copy.length, endStream });
  }

  #enqueue(stream: Stream, item: QueueItem): void {
    this.#queueOf(stream).push(item);
    this.#queued(stream);
  }

  /** Something was put into the queue: the limits, then a try to send. */
  #queued(stream: Stream): void {
    if (stream.queuedBytes > this.#options.streamQueueBytesMax) {
      this.#stats.queueOverflows++;
      this.dismiss(stream);
      return;
    }
    if (stream.queuedBytes > this.#options.streamQueueLowBytes) stream.isDrainOwed = true;
    this.#waiting.add(stream);
    this.pump();
  }

  /** Writes one DATA frame and the headers around it; true when the stream could go on. */
  #sendQueued(stream: Stream): boolean {
    const id = stream.id;
    const queue = this.#queueOf(stream);
    let hasSentData = false;
    for (let item = queue.first; item !== undefined; item = queue.first) {
      if (item.kind === 'headers') {
        queue.shift();
        this.#writeHeaders(stream, item.headers, item.extra, item.endStream);
        if (item.endStream) return false;
        continue;
      }
      if (hasSentData) break;
      const windowBytes = Math.max(0, Math.min(stream.sendWindow, this.connectionWindow));
      const bytesMax = Math.min(windowBytes, this.writer.frameBytesMax, TURN_BYTES_MAX);
      const isSent =
        item.kind === 'bytes' ? this.#sendBytes(stream, item, bytesMax) : this.#sendPulled(stream, item, bytesMax);
      if (!isSent || stream.id !== id) return false;
      hasSentData = true;
      stream.queuedFramesSent++;
    }
    if (stream.isDrainOwed && stream.queuedBytes <= this.#options.streamQueueLowBytes) {
      stream.isDrainOwed = false;
      this.#handler.onDrain(stream);
    }
    return stream.id === id && !queue.isEmpty;
  }

  /** False when the stream's window is what it waits for. */
  #sendBytes(stream: Stream, item: QueuedBytes, bytesMax: number): boolean {
    const { bytes, start } = item;
    const end = Math.min(item.end, start + bytesMax);
    if (end === start && item.end > start) return false;
    const isWhole = end === item.end;
    item.start = end;
    stream.queuedBytes -= end - start;
    if (isWhole) this.#queueOf(stream).shift();
    this.#writeData(stream, bytes, start, end, item.endStream && isWhole);
    return true;
  }

  /** False when the stream's window or the source is what it waits for. */
  #sendPulled(stream: Stream, item: QueuedSource, bytesMax: number): boolean {
    if (bytesMax === 0) return false;
    const id = stream.id;
    const room = this.writer.room(bytesMax);
    const bytes = item.source.read(room);
    if (stream.id !== id) return false;
    const isDone = item.source.isDone;
    if (bytes === null && !isDone) return false;
    const data = bytes ?? EMPTY_BYTES;
    assert(data.length <= bytesMax, 'a source gave more than was asked for');
    if (isDone) this.#queueOf(stream).shift();
    const endStream = isDone && item.endStream;
    if (data.length === 0 && !endStream) return true;
    if (data.buffer === room.buffer) this.#writeInRoom(stream, data.length, endStream);
    else this.#writeData(stream, data, 0, data.length, endStream);
    return true;
  }
}

function writeBlock(target: Uint8Array, at: number, block: Uint8Array, flags: number, id: number): number {
  writeFrameHeader(target, at, block.length, HEADERS, flags, id);
  const start = at + FRAME_HEADER_BYTES;
  copyBytes(target, start, block, 0, block.length);
  return start + block.length;
}

function writeMessage(
  target: Uint8Array,
  at: number,
  message: Uint8Array,
  start: number,
  end: number,
  flags: number,
  id: number,
): number {
  writeFrameHeader(target, at, end - start + MESSAGE_PREFIX_BYTES, DATA, flags, id);
  writeMessagePrefix(target, at + FRAME_HEADER_BYTES, end - start);
  const body = at + FRAME_HEADER_BYTES + MESSAGE_PREFIX_BYTES;
  copyBytes(target, body, message, start, end);
  return body + end - start;
}
