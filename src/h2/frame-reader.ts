// Cuts the incoming bytes into frames.
//
// Frames that lie whole in a chunk are handed on in place. Of a frame that is cut off, the part that is there is kept
// in #tail, filled up from the next chunk, and handed on from there: at most 9 + frameBytesMax bytes are ever kept.

import { EMPTY_BYTES } from '../base/bytes.ts';
import { ConnectionError, FRAME_SIZE_ERROR, PROTOCOL_ERROR } from './error-code.ts';
import { FRAME_HEADER_BYTES, PREFACE, readUint31 } from './frame.ts';

export interface FrameSink {
  /** The rest of the chunk is of no interest. */
  readonly isStopped: boolean;
  /** A frame's payload is buffer[start, end). */
  onFrame(type: number, flags: number, id: number, buffer: Uint8Array, start: number, end: number): void;
  /** The buffers of the frames so far will be used for others. */
  onBatchEnd(): void;
}

/** A tail that grew above this is given back when it was not needed for a while: large requests cut a frame in nearly every chunk. */
const TAIL_BYTES_KEPT = 4096;

export class FrameReader {
  readonly #sink: FrameSink;
  readonly #frameBytesMax: number;
  #prefaceAt: number;
  #tail: Uint8Array = EMPTY_BYTES;
  #tailBytes = 0;
  /** Since the last `release`. */
  #isTailUsed = false;

  constructor(sink: FrameSink, frameBytesMax: number, isPrefaceExpected: boolean) {
    this.#sink = sink;
    this.#frameBytesMax = frameBytesMax;
    this.#prefaceAt = isPrefaceExpected ? 0 : PREFACE.length;
  }

  /** Throws ConnectionError for a wrong preface or a frame that is too long. */
  receive(chunk: Uint8Array): void {
    let at = 0;
    if (this.#prefaceAt < PREFACE.length) at = this.#readPreface(chunk);
    if (this.#tailBytes > 0) at = this.#fillTail(chunk, at);
    if (at < chunk.length) at = this.#readWhole(chunk, at);
    this.#sink.onBatchEnd();
    if (at < chunk.length && !this.#sink.isStopped) this.#keep(chunk, at, chunk.length);
  }

  /** Called from time to time: a large tail that was not needed since the last call is given back. */
  release(): void {
    if (!this.#isTailUsed && this.#tail.length > TAIL_BYTES_KEPT) this.#tail = EMPTY_BYTES;
    this.#isTailUsed = this.#tailBytes > 0;
  }

  #readPreface(chunk: Uint8Array): number {
    let at = 0;
    while (at < chunk.length && this.#prefaceAt < PREFACE.length) {
      if (chunk[at++] !== PREFACE.charCodeAt(this.#prefaceAt++)) {
        throw new ConnectionError(PROTOCOL_ERROR, 'the connection preface is wrong');
      }
    }
    return at;
  }

  #readWhole(chunk: Uint8Array, from: number): number {
    const sink = this.#sink;
    const end = chunk.length;
    let at = from;
    while (end - at >= FRAME_HEADER_BYTES && !sink.isStopped) {
      const payloadStart = at + FRAME_HEADER_BYTES;
      const payloadEnd = payloadStart + this.#payloadBytes(chunk, at);
      if (payloadEnd > end) break;
      at = payloadEnd;
      sink.onFrame(
        chunk[payloadStart - 6],
        chunk[payloadStart - 5],
        readUint31(chunk, payloadStart - 4),
        chunk,
        payloadStart,
        payloadEnd,
      );
    }
    return at;
  }

  #payloadBytes(buffer: Uint8Array, at: number): number {
    const bytes = (buffer[at] << 16) | (buffer[at + 1] << 8) | buffer[at + 2];
    if (bytes > this.#frameBytesMax) throw new ConnectionError(FRAME_SIZE_ERROR, `a frame of ${bytes} bytes`);
    return bytes;
  }

  /** Completes the frame in the tail, if the chunk is long enough, and hands it on. */
  #fillTail(chunk: Uint8Array, from: number): number {
    let at = from;
    if (this.#tailBytes < FRAME_HEADER_BYTES) {
      const taken = Math.min(FRAME_HEADER_BYTES - this.#tailBytes, chunk.length - at);
      this.#keep(chunk, at, at + taken);
      at += taken;
      if (this.#tailBytes < FRAME_HEADER_BYTES) return at;
    }
    const frameBytes = FRAME_HEADER_BYTES + this.#payloadBytes(this.#tail, 0);
    const taken = Math.min(frameBytes - this.#tailBytes, chunk.length - at);
    this.#keep(chunk, at, at + taken);
    at += taken;
    if (this.#tailBytes < frameBytes) return at;
    const tail = this.#tail;
    this.#tailBytes = 0;
    this.#sink.onFrame(tail[3], tail[4], readUint31(tail, 5), tail, FRAME_HEADER_BYTES, frameBytes);
    return at;
  }

  #keep(chunk: Uint8Array, start: number, end: number): void {
    const bytes = this.#tailBytes + end - start;
    if (bytes > this.#tail.length) this.#growTail(bytes);
    this.#tail.set(chunk.subarray(start, end), this.#tailBytes);
    this.#tailBytes = bytes;
    this.#isTailUsed = true;
  }

  #growTail(bytes: number): void {
    const size = this.#tailBytes >= FRAME_HEADER_BYTES ? FRAME_HEADER_BYTES + this.#payloadBytes(this.#tail, 0) : bytes;
    const grown = Buffer.allocUnsafeSlow(Math.max(size, bytes, 64));
    grown.set(this.#tail.subarray(0, this.#tailBytes));
    this.#tail = grown;
  }
}
