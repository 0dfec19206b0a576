// Reads single numbers out of replies where they lie, without objects. Every message of the KV service begins with the
// ResponseHeader as field 1; etcd writes fields in ascending order, and the header first.

import { WireError } from '../base/byte-reader.ts';

const TAG_HEADER = 0x0a;
const TAG_HEADER_REVISION = 0x18;

/** The position behind a varint. */
export function skipVarint(buffer: Uint8Array, at: number, end: number): number {
  while (at < end) if (buffer[at++] < 128) return at;
  throw new WireError('unexpected EOF');
}

/** The varint at `at`; beyond 2^53 the nearest double. */
export function varintAt(buffer: Uint8Array, at: number, end: number): number {
  let value = 0;
  let multiplier = 1;
  while (at < end) {
    const byte = buffer[at++];
    value += (byte & 127) * multiplier;
    if (byte < 128) return value;
    multiplier *= 128;
  }
  throw new WireError('unexpected EOF');
}

/** The end of the field whose tag is at `at`. */
export function fieldEnd(buffer: Uint8Array, at: number, end: number): number {
  const wire = buffer[at] & 7;
  const value = skipVarint(buffer, at, end);
  if (wire === 0) return skipVarint(buffer, value, end);
  if (wire !== 2) throw new WireError(`unexpected wire type ${wire}`);
  const body = skipVarint(buffer, value, end) + varintAt(buffer, value, end);
  if (body > end) throw new WireError('unexpected EOF');
  return body;
}

/** Where the header's body begins; the message must begin with the header. */
export function headerStart(buffer: Uint8Array, start: number, end: number): number {
  if (start >= end || buffer[start] !== TAG_HEADER) throw new WireError('no header');
  return skipVarint(buffer, start + 1, end);
}

/** The header's revision; 0 when it has none. */
export function headerRevision(buffer: Uint8Array, start: number, end: number): number {
  const bodyEnd = fieldEnd(buffer, start, end);
  let at = headerStart(buffer, start, end);
  while (at < bodyEnd) {
    if (buffer[at] === TAG_HEADER_REVISION) return varintAt(buffer, at + 1, bodyEnd);
    at = fieldEnd(buffer, at, bodyEnd);
  }
  return 0;
}
