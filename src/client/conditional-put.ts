// The transaction that an API server updates an object with, and a scheduler binds a pod with: put if nobody has written the key since, else read it.
// Encoded and read by hand, since there are a million of them.
//
//   If MOD(key) = modRevision [and MOD(fence.key) = fence.modRevision] Then Put(key, value) Else Range(key)

import type { KeyValue } from '../api/messages.ts';
import { TxnResponse } from '../api/messages.ts';
import { ByteReader } from '../base/byte-reader.ts';
import type { ByteWriter } from '../base/byte-writer.ts';
import { varintBytes } from '../base/varint.ts';

/** Tags. Of TxnRequest: */
const COMPARE = 0x0a;
const SUCCESS = 0x12;
const FAILURE = 0x1a;
/** Of Compare; its result is EQUAL, which is 0. */
const TARGET = 0x10;
const COMPARED_KEY = 0x1a;
const MOD_REVISION = 0x30;
const TARGET_MOD = 2;
/** Of RequestOp. */
const RANGE = 0x0a;
const PUT = 0x12;
/** Of RangeRequest and PutRequest. */
const KEY = 0x0a;
const VALUE = 0x12;
/** Of TxnResponse. */
const SUCCEEDED = 0x10;

export interface ConditionalPut {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly modRevision: number;
  /** Another key, nobody may have written either. */
  readonly fence?: { readonly key: Uint8Array; readonly modRevision: number } | undefined;
}

export type PutOutcome =
  | { readonly kind: 'done' }
  /** Somebody else has written it; undefined: it is gone. As it was where it is the fence that somebody has written. */
  | { readonly kind: 'other'; readonly kv: KeyValue | undefined };

const DONE: PutOutcome = { kind: 'done' };

/** Adds the request to an empty writer. */
export function encodeConditionalPut(writer: ByteWriter, { key, value, modRevision, fence }: ConditionalPut): void {
  encodeCompare(writer, key, modRevision);
  if (fence !== undefined) encodeCompare(writer, fence.key, fence.modRevision);
  const put = fieldBytes(key.length) + fieldBytes(value.length);
  writer.varint(SUCCESS);
  writer.varint(fieldBytes(put));
  writer.varint(PUT);
  writer.varint(put);
  encodeBytes(writer, KEY, key);
  encodeBytes(writer, VALUE, value);
  const failure = writer.open(FAILURE);
  const range = writer.open(RANGE);
  writer.lengthDelimited(KEY, key);
  writer.close(range);
  writer.close(failure);
}

/** Also where they are empty, unlike `ByteWriter.lengthDelimited`. */
function encodeBytes(writer: ByteWriter, tag: number, bytes: Uint8Array): void {
  writer.varint(tag);
  writer.varint(bytes.length);
  writer.bytes(bytes);
}

function encodeCompare(writer: ByteWriter, key: Uint8Array, modRevision: number): void {
  const compare = writer.open(COMPARE);
  writer.int(TARGET, TARGET_MOD);
  writer.lengthDelimited(COMPARED_KEY, key);
  writer.varint(MOD_REVISION);
  writer.varint(modRevision);
  writer.close(compare);
}

/** Throws WireError where the answer is malformed. */
export function decodeConditionalPut(buffer: Uint8Array, start: number, end: number): PutOutcome {
  const reader = new ByteReader(buffer, start, end);
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag !== SUCCEEDED) reader.skip(tag);
    else if (reader.bool()) return DONE;
  }
  const { responses } = TxnResponse.decode(buffer, start, end);
  return { kind: 'other', kv: responses.at(0)?.response_range?.kvs.at(0) };
}

/** Of a field whose tag has one byte. */
function fieldBytes(length: number): number {
  return 1 + varintBytes(length) + length;
}
