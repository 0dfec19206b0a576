// The frame layout of RFC 9113 §4.1 and its numbers.
//
//   length (24) | type (8) | flags (8) | R (1) stream id (31) | payload (length bytes)

import { writeUint32 } from '../base/bytes.ts';

export const FRAME_HEADER_BYTES = 9;
export const FRAME_BYTES_MIN_MAX = 16_384;
export const FRAME_BYTES_MAX_MAX = 16_777_215;

export const DATA = 0;
export const HEADERS = 1;
export const PRIORITY = 2;
export const RST_STREAM = 3;
export const SETTINGS = 4;
export const PUSH_PROMISE = 5;
export const PING = 6;
export const GOAWAY = 7;
export const WINDOW_UPDATE = 8;
export const CONTINUATION = 9;

export const FLAG_END_STREAM = 0x1;
export const FLAG_ACK = 0x1;
export const FLAG_END_HEADERS = 0x4;
export const FLAG_PADDED = 0x8;
export const FLAG_PRIORITY = 0x20;

export const STREAM_ID_MAX = 0x7fff_ffff;
export const WINDOW_BYTES_MAX = 0x7fff_ffff;
export const DEFAULT_WINDOW_BYTES = 65_535;

/** The five bytes before a gRPC message: compressed flag and length. */
export const MESSAGE_PREFIX_BYTES = 5;

/** What a client sends first (RFC 9113 §3.4). */
export const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

export function writeFrameHeader(
  target: Uint8Array,
  at: number,
  length: number,
  type: number,
  flags: number,
  id: number,
): void {
  target[at] = length >>> 16;
  target[at + 1] = length >>> 8;
  target[at + 2] = length;
  target[at + 3] = type;
  target[at + 4] = flags;
  target[at + 5] = id >>> 24;
  target[at + 6] = id >>> 16;
  target[at + 7] = id >>> 8;
  target[at + 8] = id;
}

/** Flag 0 (not compressed) and the length of the message that follows. */
export function writeMessagePrefix(target: Uint8Array, at: number, messageBytes: number): void {
  target[at] = 0;
  writeUint32(target, at + 1, messageBytes);
}

export function readUint32(source: Uint8Array, at: number): number {
  return ((source[at] << 24) | (source[at + 1] << 16) | (source[at + 2] << 8) | source[at + 3]) >>> 0;
}

/** A stream id or window increment: the reserved bit is ignored. */
export function readUint31(source: Uint8Array, at: number): number {
  return ((source[at] & 0x7f) << 24) | (source[at + 1] << 16) | (source[at + 2] << 8) | source[at + 3];
}
