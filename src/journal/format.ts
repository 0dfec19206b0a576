// The bytes of the log. All integers are little-endian; docs/journal.md draws the same and says why.
//
// Segment: a file `wal/<first sequence, 16 hex digits>.wal`
//   ┌─ segment header ─┬─ batch ─┬─ batch ─┬ … ┬─ nothing, zeros (reserved space), or what the file held before ─┐
//
// Segment header                               Batch header
//    0  8  magic "K1MWAL\r\n"                     0  4  magic "K1MB"
//    8  4  format version                         4  4  header CRC: bytes 8…63
//   12  4  header CRC: bytes 0…11, 16…63          8  4  body CRC: the body with its padding
//   16  8  cluster id                            12  4  header CRC of the batch before
//   24  8  member id                             16  8  sequence: 1 more than the batch before
//   32  8  first sequence                        24  8  epoch: never less than the batch before
//   40  8  epoch of the writer                   32  8  first revision, 0: no revision in it
//   48  4  header CRC of the batch before        40  8  last revision
//   52  4  salt, not 0                           48  8  durable sequence: all batches up to it were
//   56  4  where the first batch begins                 durable before this one was written
//   60  4  zero                                  56  4  body bytes, without padding
//   up to there, zeros                           60  2  flags: 1 = class `fsync`
//                                                62  1  alignment, as a power of 2; 0: 8 bytes
//                                                63  1  zero
// A batch is its header and its body, padded with zeros to a multiple of its alignment. Its CRCs start from a value made of the
// cluster id and the salt: another cluster's batches are never taken for this one's, and nobody who writes values can make one that
// looks like a batch, since the salt is known to the log alone. All segments of a log have the same salt.
//
// Format 2 has no TIME. Format 1 has no salt either (the CRCs start from the cluster id alone), and its first batch begins at byte 64.
//
// Body: effects back to back; a type byte, then varints unless said otherwise
//   1 PUT           sub, length, KeyValue message
//   2 DELETE        main, sub, length, key
//   3 LEASE_GRANT   id (8 bytes), ttl seconds
//   4 LEASE_REVOKE  id (8 bytes)
//   5 COMPACT       revision
//   6 ALARM         alarm type, 1 raised or 0 lowered
//   7 MARK          revision: those up to it may have been shown though they are not in the log
//   8 META          member id (8 bytes), cluster id (8 bytes): the first effect of a log
//   9 OPEN          revision the counter goes on from: the first effect of each epoch
//  10 CLEAN         revision: none above it was shown; true only while it is the last effect of the log
//  11 TIME          wall clock, ms since 1970, when the batch was completed (log-times.ts)

import { crc32 } from 'node:zlib';

export const SEGMENT_MAGIC = 'K1MWAL\r\n';
export const FORMAT_VERSION = 3;
/** From this one on the log says when its batches were completed. */
export const TIMED_FORMAT_VERSION = 3;
export const UNSALTED_FORMAT_VERSION = 1;
/** The fields of a segment header, and all of it where nothing asks for more. */
export const SEGMENT_HEADER_BYTES = 64;

export const BATCH_MAGIC = 0x424d_314b;
export const BATCH_HEADER_BYTES = 64;
/** Every batch begins at a multiple of it. */
export const BATCH_ALIGNMENT_BYTES = 8;
/** The largest that a batch may be padded to, and a segment header may take. */
export const ALIGNMENT_BYTES_MAX = 4096;
/** A batch must fit a signed 32-bit offset with room to spare. */
export const BATCH_BYTES_LIMIT = 0x4000_0000;

/** Offsets in the batch header. */
export const AT_HEADER_CRC = 4;
export const AT_BODY_CRC = 8;
export const AT_PREVIOUS_CRC = 12;
export const AT_SEQUENCE = 16;
export const AT_EPOCH = 24;
export const AT_FIRST_REVISION = 32;
export const AT_LAST_REVISION = 40;
export const AT_DURABLE_SEQUENCE = 48;
export const AT_BODY_BYTES = 56;
export const AT_FLAGS = 60;
export const AT_ALIGNMENT = 62;

export const FLAG_FSYNC = 1;

export const PUT = 1;
export const DELETE = 2;
export const LEASE_GRANT = 3;
export const LEASE_REVOKE = 4;
export const COMPACT = 5;
export const ALARM = 6;
export const MARK = 7;
export const META = 8;
export const OPEN = 9;
export const CLEAN = 10;
export const TIME = 11;

/** From the start of a batch to the start of what follows it. `alignment` is a power of 2. */
export function paddedBytes(bytes: number, alignment: number): number {
  return (bytes + alignment - 1) & -alignment;
}

/** CRC of bytes [start, end), going on from `seed`. */
export function crcOf(buffer: Uint8Array, start: number, end: number, seed: number): number {
  return crc32(buffer.subarray(start, end), seed);
}

/** What the CRCs of a log's batches start from; `salt` is 0 in format 1. */
export function crcSeedOf(clusterId: bigint, salt: number): number {
  const bytes = Buffer.alloc(salt === 0 ? 8 : 12);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, clusterId));
  if (salt !== 0) bytes.writeUInt32LE(salt, 8);
  return crc32(bytes);
}

export function readUint32(buffer: Uint8Array, at: number): number {
  return (buffer[at] | (buffer[at + 1] << 8) | (buffer[at + 2] << 16) | (buffer[at + 3] << 24)) >>> 0;
}

export function writeUint32(buffer: Uint8Array, at: number, value: number): void {
  buffer[at] = value;
  buffer[at + 1] = value >>> 8;
  buffer[at + 2] = value >>> 16;
  buffer[at + 3] = value >>> 24;
}

/** A uint64 as a double; inexact from 2^53 on, which no valid field reaches. */
export function readUint64(buffer: Uint8Array, at: number): number {
  return readUint32(buffer, at) + readUint32(buffer, at + 4) * 0x1_0000_0000;
}

/** Writes a whole number from 0 to 2^53 − 1. */
export function writeUint64(buffer: Uint8Array, at: number, value: number): void {
  writeUint32(buffer, at, value >>> 0);
  writeUint32(buffer, at + 4, Math.floor(value / 0x1_0000_0000));
}

/** An id of 64 bits, in two's complement. */
export function readId(buffer: Uint8Array, at: number): bigint {
  return BigInt.asIntN(64, (BigInt(readUint32(buffer, at + 4)) << 32n) | BigInt(readUint32(buffer, at)));
}

export function writeId(buffer: Uint8Array, at: number, id: bigint): void {
  const unsigned = BigInt.asUintN(64, id);
  writeUint32(buffer, at, Number(unsigned & 0xffff_ffffn));
  writeUint32(buffer, at + 4, Number(unsigned >> 32n));
}
