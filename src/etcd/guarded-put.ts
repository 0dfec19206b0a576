// The transaction by which kube-apiserver creates and updates: put a key if its mod revision is still that, else get it. Nearly all
// writes of a cluster have this one form, so it is read in one go, without operations in between.
//
//   0a len ─┬─ 10 02 │ 1a len key │ 30 revision                    compare: MOD of the key EQUAL the revision
//   12 len ─┼─ 12 len ─── 0a len key │ 12 len value │ [18 lease]   success: put of the same key
//  [1a len ─┴─ 0a len ─── 0a len key]                              failure: range of one key
//
// `read` is false for whatever has another form (other fields, another order, an empty key, numbers of unusual length, malformed bytes): that is
// decoded as any other request. What it takes means what the decoder would make of it.

import { TARGET_MOD } from '../api/messages.ts';
import { ByteReader } from '../base/byte-reader.ts';
import { equalBytes } from '../base/bytes.ts';
import { PutOp } from './operations.ts';

/** Request: the compare and the branches. */
const COMPARE = 0x0a;
const SUCCESS = 0x12;
const FAILURE = 0x1a;
/** Operation of a branch. */
const RANGE = 0x0a;
const PUT = 0x12;
const COMPARE_TARGET = 0x10;
const COMPARE_KEY = 0x1a;
const COMPARE_MOD = 0x30;
/** PutRequest, and the first of RangeRequest. */
const KEY = 0x0a;
const VALUE = 0x12;
const LEASE = 0x18;
/** Lengths have up to four bytes, revisions up to seven: less than 2^28 and 2^49. */
const LENGTH_SHIFT_MAX = 21;
const REVISION_MULTIPLIER_MAX: number = 128 ** 6;

export class GuardedPut {
  /** Valid until the next read. */
  readonly put: PutOp = new PutOp();
  /** The mod revision the key must have; 0: there must be none. */
  revision = 0;
  readonly #reader = new ByteReader();
  /** Where the content of the field found last begins. */
  #start = 0;

  /** Takes a TxnRequest. Throws WireError, as the decoder would. */
  read(buffer: Uint8Array, start: number, end: number): boolean {
    this.put.reset(buffer);
    const compareEnd = this.#field(COMPARE, buffer, start, end);
    if (compareEnd < 0 || !this.#readCompare(buffer, this.#start, compareEnd)) return false;
    const successEnd = this.#field(SUCCESS, buffer, compareEnd, end);
    if (successEnd < 0 || !this.#readPut(buffer, this.#start, successEnd)) return false;
    return successEnd === end || this.#isPlainGet(buffer, successEnd, end);
  }

  #readCompare(buffer: Uint8Array, start: number, end: number): boolean {
    if (buffer[start] !== COMPARE_TARGET || buffer[start + 1] !== TARGET_MOD) return false;
    const keyEnd = this.#field(COMPARE_KEY, buffer, start + 2, end);
    if (keyEnd <= this.#start || buffer[keyEnd] !== COMPARE_MOD) return false;
    const { put } = this;
    put.keyStart = this.#start;
    put.keyEnd = keyEnd;
    let at = keyEnd + 1;
    let byte = buffer[at++];
    let revision = byte & 127;
    for (let multiplier = 128; byte > 127 && multiplier <= REVISION_MULTIPLIER_MAX; multiplier *= 128) {
      byte = buffer[at++];
      revision += (byte & 127) * multiplier;
    }
    this.revision = revision;
    return byte < 128 && at === end;
  }

  #readPut(buffer: Uint8Array, start: number, end: number): boolean {
    if (this.#field(PUT, buffer, start, end) !== end) return false;
    const keyEnd = this.#field(KEY, buffer, this.#start, end);
    if (keyEnd < 0) return false;
    const { put } = this;
    if (!equalBytes(buffer, this.#start, keyEnd, buffer, put.keyStart, put.keyEnd)) return false;
    const valueEnd = this.#field(VALUE, buffer, keyEnd, end);
    if (valueEnd < 0) return false;
    put.valueStart = this.#start;
    put.valueEnd = valueEnd;
    return valueEnd === end || this.#readLease(buffer, valueEnd, end);
  }

  #readLease(buffer: Uint8Array, start: number, end: number): boolean {
    if (buffer[start] !== LEASE) return false;
    const reader = this.#reader;
    reader.reset(buffer, start + 1, end);
    this.put.lease = BigInt.asIntN(64, reader.varint64());
    return !reader.hasMore;
  }

  #isPlainGet(buffer: Uint8Array, start: number, end: number): boolean {
    if (this.#field(FAILURE, buffer, start, end) !== end) return false;
    if (this.#field(RANGE, buffer, this.#start, end) !== end) return false;
    return this.#field(KEY, buffer, this.#start, end) === end && this.#start < end;
  }

  /** Where the field ends that begins at `at`, and sets where its content begins; −1: it is another one, or ends behind `end`. */
  #field(tag: number, buffer: Uint8Array, at: number, end: number): number {
    if (buffer[at] !== tag) return -1;
    let byte = buffer[at + 1];
    let length = byte & 127;
    let start = at + 2;
    for (let shift = 7; byte > 127 && shift <= LENGTH_SHIFT_MAX; shift += 7) {
      byte = buffer[start++];
      length |= (byte & 127) << shift;
    }
    if (byte > 127 || start + length > end) return -1;
    this.#start = start;
    return start + length;
  }
}
