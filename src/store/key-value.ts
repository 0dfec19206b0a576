// The bytes of one version of a key: a marshalled mvccpb.KeyValue, in the exact form that etcd's marshaller gives
// (fields in number order, proto3 zero values left out), so that replies, events, hashes and snapshots copy them.
//
//   0a  keyLength  key          1 key             never empty
//   10  varint                  2 create_revision > 0
//   18  varint                  3 mod_revision    > 0
//   20  varint                  4 version         > 0
//   2a  valueLength value       5 value           left out when empty
//   30  varint                  6 lease           int64, left out when 0
//
// The reading functions trust the bytes: they are only for KeyValues that this file wrote.
// Revisions and versions are doubles below 2^53; a lease uses all 64 bits.

import { copyBytes } from '../base/bytes.ts';
import { varintBytes } from '../base/varint.ts';

const TAG_KEY = 0x0a;
const TAG_CREATE_REVISION = 0x10;
const TAG_MOD_REVISION = 0x18;
const TAG_VERSION = 0x20;
const TAG_VALUE = 0x2a;
const TAG_LEASE = 0x30;
const TWO_28 = 0x1000_0000;

function leaseBytes(lease: bigint): number {
  let bytes = 1;
  for (let rest = BigInt.asUintN(64, lease) >> 7n; rest !== 0n; rest >>= 7n) bytes++;
  return bytes;
}

function writeVarint(target: Uint8Array, at: number, value: number): number {
  while (value >= TWO_28) {
    target[at++] = (value % 128) | 128;
    value = Math.floor(value / 128);
  }
  let rest = value | 0;
  while (rest > 127) {
    target[at++] = (rest & 127) | 128;
    rest >>>= 7;
  }
  target[at++] = rest;
  return at;
}

/** The size of the KeyValue that head and tail write. */
export function keyValueBytes(
  keyBytes: number,
  createRevision: number,
  modRevision: number,
  version: number,
  valueBytes: number,
  lease: bigint,
): number {
  let bytes = 4 + varintBytes(keyBytes) + keyBytes;
  bytes += varintBytes(createRevision) + varintBytes(modRevision) + varintBytes(version);
  if (valueBytes !== 0) bytes += 1 + varintBytes(valueBytes) + valueBytes;
  if (lease !== 0n) bytes += 1 + leaseBytes(lease);
  return bytes;
}

/** Writes the first fields of a KeyValue, which all versions in one life of a key share; returns where they end. */
export function writeKeyValueHead(
  target: Uint8Array,
  at: number,
  key: Uint8Array,
  keyStart: number,
  keyEnd: number,
  createRevision: number,
): number {
  target[at] = TAG_KEY;
  at = writeVarint(target, at + 1, keyEnd - keyStart);
  copyBytes(target, at, key, keyStart, keyEnd);
  at += keyEnd - keyStart;
  target[at] = TAG_CREATE_REVISION;
  return writeVarint(target, at + 1, createRevision);
}

/** Writes the fields behind the head. Arguments are flat because this is the hot path. */
export function writeKeyValueTail(
  target: Uint8Array,
  at: number,
  modRevision: number,
  version: number,
  value: Uint8Array,
  valueStart: number,
  valueEnd: number,
  lease: bigint,
): void {
  target[at] = TAG_MOD_REVISION;
  at = writeVarint(target, at + 1, modRevision);
  target[at] = TAG_VERSION;
  at = writeVarint(target, at + 1, version);
  if (valueEnd !== valueStart) {
    target[at] = TAG_VALUE;
    at = writeVarint(target, at + 1, valueEnd - valueStart);
    copyBytes(target, at, value, valueStart, valueEnd);
    at += valueEnd - valueStart;
  }
  if (lease !== 0n) {
    target[at++] = TAG_LEASE;
    let rest = BigInt.asUintN(64, lease);
    while (rest > 127n) {
      target[at++] = Number(rest & 127n) | 128;
      rest >>= 7n;
    }
    target[at] = Number(rest);
  }
}

/** One decoded KeyValue; reused, so that decoding makes no objects. Offsets are into the buffer given to `read`. */
export class KeyValueView {
  keyStart = 0;
  keyEnd = 0;
  createRevision = 0;
  /** Where the create revision ends: the end of what `writeKeyValueHead` writes. */
  headEnd = 0;
  modRevision = 0;
  version = 0;
  valueStart = 0;
  valueEnd = 0;
  lease = 0n;
  #position = 0;

  /** Decodes bytes[start, end). */
  read(bytes: Uint8Array, start: number, end: number): this {
    this.readHead(bytes, start);
    let at = this.#position;
    this.valueStart = at;
    this.valueEnd = at;
    if (at < end && bytes[at] === TAG_VALUE) {
      const length = this.#varint(bytes, at + 1);
      this.valueStart = this.#position;
      at = this.valueStart + length;
      this.valueEnd = at;
    }
    this.lease = at < end && bytes[at] === TAG_LEASE ? readLease(bytes, at + 1) : 0n;
    return this;
  }

  /** Decodes key, create and mod revision and version only. */
  readHead(bytes: Uint8Array, start: number): this {
    const length = this.#varint(bytes, start + 1);
    this.keyStart = this.#position;
    this.keyEnd = this.keyStart + length;
    this.createRevision = this.#varint(bytes, this.keyEnd + 1);
    this.headEnd = this.#position;
    this.modRevision = this.#varint(bytes, this.#position + 1);
    this.version = this.#varint(bytes, this.#position + 1);
    return this;
  }

  #varint(bytes: Uint8Array, at: number): number {
    let byte = bytes[at++];
    let value = byte & 127;
    for (let shift = 7; byte > 127 && shift < 28; shift += 7) {
      byte = bytes[at++];
      value |= (byte & 127) << shift;
    }
    for (let multiplier = TWO_28; byte > 127; multiplier *= 128) {
      byte = bytes[at++];
      value += (byte & 127) * multiplier;
    }
    this.#position = at;
    return value;
  }
}

function readLease(bytes: Uint8Array, at: number): bigint {
  let value = 0n;
  let shift = 0n;
  for (;;) {
    const byte = bytes[at++];
    value |= BigInt(byte & 127) << shift;
    if (byte < 128) return BigInt.asIntN(64, value);
    shift += 7n;
  }
}

/** Offset of the key of the KeyValue that starts at `start`. */
export function keyValueKeyStart(bytes: Uint8Array, start: number): number {
  let at = start + 1;
  while (bytes[at] > 127) at++;
  return at + 1;
}

/** Length of the key of the KeyValue that starts at `start`. */
export function keyValueKeyBytes(bytes: Uint8Array, start: number): number {
  let byte = bytes[start + 1];
  if (byte < 128) return byte;
  let length = byte & 127;
  let at = start + 2;
  for (let shift = 7; byte > 127; shift += 7) {
    byte = bytes[at++];
    length |= (byte & 127) << shift;
  }
  return length;
}
