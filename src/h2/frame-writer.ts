// Writes frames into the output. Knows the frame layout and the peer's frame size; windows and states are the
// sender's business.

import { copyBytes, writeUint32 } from '../base/bytes.ts';
import {
  CONTINUATION,
  DATA,
  FLAG_ACK,
  FLAG_END_HEADERS,
  FLAG_END_STREAM,
  FRAME_BYTES_MIN_MAX,
  FRAME_HEADER_BYTES,
  GOAWAY,
  HEADERS,
  MESSAGE_PREFIX_BYTES,
  PING,
  PREFACE,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
  writeFrameHeader,
  writeMessagePrefix,
} from './frame.ts';
import { Output } from './output.ts';

/**
 * From this size on, bytes to send are referenced instead of copied. What goes out in one piece costs node's socket less than three pieces
 * do, by more than the copy of a few kilobytes takes.
 */
export const REFERENCED_BYTES_MIN: number = 12 << 10;

export class FrameWriter {
  readonly output: Output = new Output();
  /** The peer's SETTINGS_MAX_FRAME_SIZE. */
  frameBytesMax: number = FRAME_BYTES_MIN_MAX;
  /** DATA frames written, for the limit on window updates. */
  dataFrameCount = 0;
  /** HEADERS or DATA were written since somebody set this to false (the ping policy does). */
  hasWrittenStream = false;

  preface(): void {
    this.output.reserve(PREFACE.length);
    const { buffer, position } = this.output;
    for (let i = 0; i < PREFACE.length; i++) buffer[position + i] = PREFACE.charCodeAt(i);
    this.output.position += PREFACE.length;
  }

  headers(id: number, block: Uint8Array, endStream: boolean): void {
    const endFlag = endStream ? FLAG_END_STREAM : 0;
    this.hasWrittenStream = true;
    if (block.length <= this.frameBytesMax) {
      this.#frame(block, 0, block.length, HEADERS, FLAG_END_HEADERS | endFlag, id);
      return;
    }
    this.#frame(block, 0, this.frameBytesMax, HEADERS, endFlag, id);
    for (let at = this.frameBytesMax; at < block.length; at += this.frameBytesMax) {
      const end = Math.min(at + this.frameBytesMax, block.length);
      this.#frame(block, at, end, CONTINUATION, end === block.length ? FLAG_END_HEADERS : 0, id);
    }
  }

  /** One DATA frame of bytes[start, end), at most frameBytesMax. */
  data(id: number, bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    const flags = endStream ? FLAG_END_STREAM : 0;
    this.hasWrittenStream = true;
    this.dataFrameCount++;
    if (end - start < REFERENCED_BYTES_MIN) {
      this.#frame(bytes, start, end, DATA, flags, id);
      return;
    }
    this.#header(end - start, DATA, flags, id, 0);
    this.output.reference(bytes.subarray(start, end));
  }

  /** Where the payload of the next DATA frame may be written, before `dataInRoom` or anything else. */
  room(bytesMax: number): Uint8Array {
    const { output } = this;
    output.reserve(FRAME_HEADER_BYTES + bytesMax);
    const start = output.position + FRAME_HEADER_BYTES;
    return output.buffer.subarray(start, start + bytesMax);
  }

  /** One DATA frame whose payload is the first bytes of the room given last. */
  dataInRoom(id: number, bytes: number, endStream: boolean): void {
    this.hasWrittenStream = true;
    this.dataFrameCount++;
    this.#header(bytes, DATA, endStream ? FLAG_END_STREAM : 0, id, bytes);
    this.output.position += bytes;
  }

  /** DATA frames of one message with its prefix; as many as its size needs. */
  message(id: number, bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    const firstEnd = Math.min(end, start + this.frameBytesMax - MESSAGE_PREFIX_BYTES);
    const frameBytes = firstEnd - start + MESSAGE_PREFIX_BYTES;
    const flags = endStream && firstEnd === end ? FLAG_END_STREAM : 0;
    this.hasWrittenStream = true;
    this.dataFrameCount++;
    const at = this.#header(frameBytes, DATA, flags, id, MESSAGE_PREFIX_BYTES);
    writeMessagePrefix(this.output.buffer, at, end - start);
    this.output.position += MESSAGE_PREFIX_BYTES;
    this.#payload(bytes, start, firstEnd);
    for (let from = firstEnd; from < end; ) {
      const to = Math.min(end, from + this.frameBytesMax);
      this.data(id, bytes, from, to, endStream && to === end);
      from = to;
    }
  }

  resetStream(id: number, errorCode: number): void {
    const at = this.#header(4, RST_STREAM, 0, id, 4);
    writeUint32(this.output.buffer, at, errorCode);
    this.output.position += 4;
  }

  settings(payload: Uint8Array): void {
    this.#frame(payload, 0, payload.length, SETTINGS, 0, 0);
  }

  settingsAck(): void {
    this.#header(0, SETTINGS, FLAG_ACK, 0, 0);
  }

  /** The two halves of the payload. */
  ping(high: number, low: number): void {
    const at = this.#header(8, PING, 0, 0, 8);
    writeUint32(this.output.buffer, at, high);
    writeUint32(this.output.buffer, at + 4, low);
    this.output.position += 8;
  }

  pingAck(buffer: Uint8Array, start: number): void {
    this.#frame(buffer, start, start + 8, PING, FLAG_ACK, 0);
  }

  windowUpdate(id: number, increment: number): void {
    const at = this.#header(4, WINDOW_UPDATE, 0, id, 4);
    writeUint32(this.output.buffer, at, increment);
    this.output.position += 4;
  }

  goaway(lastStreamId: number, errorCode: number, debug: string): void {
    const at = this.#header(8 + debug.length, GOAWAY, 0, 0, 8 + debug.length);
    const { buffer } = this.output;
    writeUint32(buffer, at, lastStreamId);
    writeUint32(buffer, at + 4, errorCode);
    for (let i = 0; i < debug.length; i++) buffer[at + 8 + i] = debug.charCodeAt(i);
    this.output.position += 8 + debug.length;
  }

  #frame(bytes: Uint8Array, start: number, end: number, type: number, flags: number, id: number): void {
    const at = this.#header(end - start, type, flags, id, end - start);
    copyBytes(this.output.buffer, at, bytes, start, end);
    this.output.position += end - start;
  }

  #payload(bytes: Uint8Array, start: number, end: number): void {
    if (end - start >= REFERENCED_BYTES_MIN) {
      this.output.reference(bytes.subarray(start, end));
      return;
    }
    this.output.reserve(end - start);
    copyBytes(this.output.buffer, this.output.position, bytes, start, end);
    this.output.position += end - start;
  }

  /** Writes a frame header with room for `roomBytes` behind it; where they begin. */
  #header(length: number, type: number, flags: number, id: number, roomBytes: number): number {
    const output = this.output;
    output.reserve(FRAME_HEADER_BYTES + roomBytes);
    writeFrameHeader(output.buffer, output.position, length, type, flags, id);
    output.position += FRAME_HEADER_BYTES;
    return output.position;
  }
}
