// A growing byte buffer with the primitives of the protobuf wire format (varint, tag, length-delimited).
//
// The buffer is public on purpose: hot encoders write into `buffer` at `position` after one `ensure`.
// Nested messages are written by reserving the length's place: `open()` … `close(mark)`; the length is
// patched in and the body moved only when it needs more than one length byte.

import { copyBytes } from './bytes.ts';

const TWO_32 = 0x1_0000_0000;
/** Below this many bytes a loop beats a call into the runtime. */
const SHORT_TEXT_BYTES_MAX = 64;
/** A writer that is used again keeps no more. */
const KEPT_BYTES_MAX = 64 * 1024;

export class ByteWriter {
  buffer: Uint8Array;
  position = 0;

  constructor(capacityBytes = 256) {
    this.buffer = Buffer.allocUnsafeSlow(capacityBytes);
  }

  /** Makes room for `bytes` more; afterwards buffer[position, position + bytes) may be written. */
  ensure(bytes: number): void {
    const needed = this.position + bytes;
    if (needed <= this.buffer.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.buffer.length * 2));
    grown.set(this.buffer.subarray(0, this.position));
    this.buffer = grown;
  }

  reset(): void {
    this.position = 0;
  }

  /** The bytes written so far; valid until the next write or reset. */
  view(): Uint8Array {
    return this.buffer.subarray(0, this.position);
  }

  /** A copy of the bytes written so far. A short one lies in Node's pool, since an ArrayBuffer of its own costs more than it. */
  copy(): Uint8Array {
    const copied = Buffer.allocUnsafe(this.position);
    copyBytes(copied, 0, this.buffer, 0, this.position);
    return copied;
  }

  /** `copy`, and empty again for the next message; a buffer that one message made very large is given up. */
  take(): Uint8Array {
    const taken = this.copy();
    this.position = 0;
    if (this.buffer.length > KEPT_BYTES_MAX) this.buffer = Buffer.allocUnsafeSlow(KEPT_BYTES_MAX);
    return taken;
  }

  byte(value: number): void {
    this.ensure(1);
    this.buffer[this.position++] = value;
  }

  /** An int64 that fits a double: 0 … 2^53 − 1, or negative (ten bytes, two's complement). */
  varint(value: number): void {
    if (value < 0) {
      this.varint64(BigInt(value));
      return;
    }
    this.ensure(8);
    const buffer = this.buffer;
    let at = this.position;
    while (value >= TWO_32) {
      buffer[at++] = (value % 128) | 128;
      value = Math.floor(value / 128);
    }
    value >>>= 0;
    while (value > 127) {
      buffer[at++] = (value & 127) | 128;
      value >>>= 7;
    }
    buffer[at++] = value;
    this.position = at;
  }

  /** A full 64-bit varint: int64 (negative allowed) or uint64. */
  varint64(value: bigint): void {
    let rest = BigInt.asUintN(64, value);
    this.ensure(10);
    while (rest > 127n) {
      this.buffer[this.position++] = Number(rest & 127n) | 128;
      rest >>= 7n;
    }
    this.buffer[this.position++] = Number(rest);
  }

  bytes(source: Uint8Array, start = 0, end: number = source.length): void {
    this.ensure(end - start);
    copyBytes(this.buffer, this.position, source, start, end);
    this.position += end - start;
  }

  /** Field with a varint value; proto3 leaves out zero. */
  int(tag: number, value: number): void {
    if (value === 0) return;
    this.varint(tag);
    this.varint(value);
  }

  int64(tag: number, value: bigint): void {
    if (value === 0n) return;
    this.varint(tag);
    this.varint64(value);
  }

  bool(tag: number, value: boolean): void {
    if (!value) return;
    this.varint(tag);
    this.byte(1);
  }

  /** Field of bytes; proto3 leaves out an empty one. */
  lengthDelimited(tag: number, source: Uint8Array, start = 0, end: number = source.length): void {
    if (end === start) return;
    this.varint(tag);
    this.varint(end - start);
    this.bytes(source, start, end);
  }

  string(tag: number, value: string): void {
    if (value.length === 0) return;
    const length = Buffer.byteLength(value);
    this.varint(tag);
    this.varint(length);
    this.ensure(length);
    if (length === value.length && length <= SHORT_TEXT_BYTES_MAX) {
      // One byte a character: ASCII. A loop beats making a view and a call into the runtime.
      for (let i = 0; i < length; i++) this.buffer[this.position++] = value.charCodeAt(i);
      return;
    }
    Buffer.from(this.buffer.buffer, this.buffer.byteOffset, this.buffer.length).write(value, this.position);
    this.position += length;
  }

  /** Starts a nested message; give the result to `close`. */
  open(tag: number): number {
    this.varint(tag);
    this.ensure(1);
    this.position++;
    return this.position;
  }

  /** Ends the nested message that `open` started. */
  close(bodyStart: number): void {
    const length = this.position - bodyStart;
    if (length < 128) {
      this.buffer[bodyStart - 1] = length;
      return;
    }
    let extra = 0;
    for (let rest = length; rest > 127; rest = Math.floor(rest / 128)) extra++;
    this.ensure(extra);
    this.buffer.copyWithin(bodyStart + extra, bodyStart, this.position);
    const end = this.position + extra;
    this.position = bodyStart - 1;
    this.varint(length);
    this.position = end;
  }
}
