// kube-apiserver's update of an object it knows: Txn If MOD(key) = revision Then Put(key, value) Else Range(key), keys in
// turn. Each carries the revision that the last answer about the key gave; when the comparison is lost, the Range says
// the revision, and it is counted as a conflict.
//
// The request is encoded once for each length of the revision's varint, with marks that are patched: the name's digits
// wherever they occur (keys, and names inside the value), the revision, and what the value's maker wants changed.

import { COMPARE_EQUAL, Compare, RequestOp, TARGET_MOD, TxnRequest } from '../api/messages.ts';
import * as methods from '../api/methods.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import { EMPTY_BYTES } from '../base/bytes.ts';
import { varintBytes } from '../base/varint.ts';
import type { EtcdClient } from '../client/etcd-client.ts';
import { keyBytes } from '../client/key-range.ts';
import { endsOf, KEY_DIGITS, numbered, writeDigits } from './key-digits.ts';
import type { KeySet } from './key-set.ts';
import type { Load, Slot } from './load.ts';
import { fieldEnd, headerRevision } from './reply-fields.ts';

const TAG_SUCCEEDED = 0x10;
/** A revision is below 2^53. */
const REVISION_BYTES_MAX = 8;

/** How values are made. */
export interface UpdateValue {
  /** The value of the key with this number, `numbered(marks, index)` inside wherever the number occurs. */
  makeValue(index: number): Uint8Array;
  /** What precedes the digits of the number inside values. */
  readonly marks: readonly string[];
  /** Makes the value inside buffer[start, end) differ from the last one, keeping its length. */
  touch(buffer: Uint8Array, start: number, end: number): void;
}

interface Template {
  readonly buffer: Uint8Array;
  /** Where digits are. */
  readonly digitsAt: readonly number[];
  readonly revisionAt: number;
  readonly valueStart: number;
  readonly valueEnd: number;
}

export class UpdateLoad implements Load {
  readonly path: string = methods.txn.path;
  buffer: Uint8Array = EMPTY_BYTES;
  /** `conflicts`: another writer had changed the key; the update was not made. */
  readonly counts = { conflicts: 0 };
  readonly #keys: KeySet;
  readonly #value: UpdateValue;
  /** By the length of the revision. */
  readonly #templates: (Template | undefined)[] = new Array(REVISION_BYTES_MAX + 1).fill(undefined);

  constructor(keys: KeySet, value: UpdateValue) {
    this.#keys = keys;
    this.#value = value;
  }

  setup(client: EtcdClient): Promise<void> {
    return this.#keys.create(client, (index) => this.#value.makeValue(index));
  }

  write(slot: Slot): number {
    const index = this.#keys.takeNext();
    slot.keyIndex = index;
    const revision = this.#keys.revisions[index];
    const length = varintBytes(revision);
    const template = this.#templates[length] ?? this.#prepare(length);
    const { buffer, digitsAt } = template;
    const first = digitsAt[0];
    writeDigits(buffer, first, index);
    for (let i = 1; i < digitsAt.length; i++) {
      const at = digitsAt[i];
      for (let j = 0; j < KEY_DIGITS; j++) buffer[at + j] = buffer[first + j];
    }
    writeVarint(buffer, template.revisionAt, revision);
    this.#value.touch(buffer, template.valueStart, template.valueEnd);
    this.buffer = buffer;
    return buffer.length;
  }

  read(slot: Slot, buffer: Uint8Array, start: number, end: number): void {
    const at = fieldEnd(buffer, start, end);
    if (at < end && buffer[at] === TAG_SUCCEEDED && buffer[at + 1] === 1) {
      this.#keys.revisions[slot.keyIndex] = headerRevision(buffer, start, end);
    } else this.#readConflict(slot, buffer, start, end);
  }

  done(slot: Slot): void {
    this.#keys.release(slot.keyIndex);
  }

  #readConflict(slot: Slot, buffer: Uint8Array, start: number, end: number): void {
    this.counts.conflicts++;
    const response = methods.txn.response.decode(buffer, start, end);
    const kv = response.responses.at(0)?.response_range?.kvs.at(0);
    this.#keys.revisions[slot.keyIndex] = kv?.mod_revision ?? 0;
  }

  #prepare(revisionBytes: number): Template {
    const template = encodeTemplate(this.#keys, this.#value, revisionBytes);
    this.#templates[revisionBytes] = template;
    return template;
  }
}

function encodeTemplate(keys: KeySet, maker: UpdateValue, revisionBytes: number): Template {
  const name = keys.name(0);
  const key = keyBytes(name);
  const value = maker.makeValue(0);
  const revision = revisionBytes === 1 ? 1 : 128 ** (revisionBytes - 1);
  const writer = new ByteWriter();
  const put = { key, value, lease: 0n, prev_kv: false, ignore_value: false, ignore_lease: false };
  TxnRequest.encode(
    {
      compare: [Compare.create({ result: COMPARE_EQUAL, target: TARGET_MOD, key, mod_revision: revision })],
      success: [RequestOp.create({ request_put: put })],
      failure: [RequestOp.create({ request_range: methods.range.request.create({ key }) })],
    },
    writer,
  );
  const buffer = writer.copy();
  const keyEnds = endsOf(buffer, name);
  const valueStart = Buffer.from(buffer.buffer, buffer.byteOffset, buffer.length).indexOf(value);
  const digitsAt = new Set(keyEnds);
  for (const mark of maker.marks) for (const end of endsOf(buffer, numbered(mark, 0))) digitsAt.add(end);
  return {
    buffer,
    digitsAt: [...digitsAt].map((end) => end - KEY_DIGITS),
    // In the comparison mod_revision follows the key: a tag of one byte, then the number.
    revisionAt: keyEnds[0] + 1,
    valueStart,
    valueEnd: valueStart + value.length,
  };
}

function writeVarint(buffer: Uint8Array, at: number, value: number): void {
  let rest = value;
  while (rest > 0x7fff_ffff) {
    buffer[at++] = (rest % 128) | 128;
    rest = Math.floor(rest / 128);
  }
  while (rest > 127) {
    buffer[at++] = (rest & 127) | 128;
    rest >>>= 7;
  }
  buffer[at] = rest;
}
