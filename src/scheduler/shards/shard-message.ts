// What a sequencer and a shard say to each other. A message is a row of records; a record is an operation and its fields:
//
//   operation, numbers    varints (protobuf's), whole numbers
//   text                  its length in bytes, then UTF-8
//   part of the model     text (model-text.ts)
//
// Nodes go by the sequencer's slots, pods by the order in which they were told. What many nodes or pods have in common is a shape, told once; both
// sides forget it when the last one that has it goes. `stamp` says when the node changed: of equally good nodes the last one is taken.
//
//   to the shard        fields
//   BEGIN               version, epoch: forget everything
//   NODE_SHAPE          shape, part
//   NODE                node, stamp, shape, whether it is withheld, pods at most, milli-CPUs, memory, ephemeral storage, count of other resources and
//                       name and amount of each, name, count of hostnames (0 or 1), hostname
//   NODE_GONE           node, stamp
//   WITHHELD            node, stamp, whether it is: it is in no answer
//   POD_SHAPE           shape, part
//   POD                 pod, shape, node, stamp
//   POD_GONE            pod, stamp
//   NAMESPACE           part
//   NAMESPACE_GONE      name
//   INDEX               index, part: what nodes are to be arranged for
//   INDEX_GONE          index
//   QUESTION            question, index, nodes to be listed of each group
//   TICK                milliseconds
//
//   from the shard
//   HELLO               version
//   FAILURE             failure, part
//   ANSWER              question; count of groups and of each: nodes in it, count of nodes listed, node and bucket of each; count of failures and of each:
//                       failure, nodes
//   SEEN                bytes of messages that have been taken in, in all
//
// Limits: a message is of MESSAGE_BYTES_MAX at most, a text of TEXT_BYTES_MAX. Whatever breaks the form is refused (WireError), and ends the connection.

import { type ByteReader, WireError } from '../../base/byte-reader.ts';
import type { ByteWriter } from '../../base/byte-writer.ts';
import type { Failure } from '../kernel/failure-table.ts';
import { partOf } from './model-text.ts';

export const VERSION = 1;
export const MESSAGE_BYTES_MAX: number = 16 * 1024 * 1024;
export const TEXT_BYTES_MAX: number = 4 * 1024 * 1024;

export const BEGIN = 1;
export const NODE_SHAPE = 2;
export const NODE = 3;
export const NODE_GONE = 4;
export const WITHHELD = 5;
export const POD_SHAPE = 6;
export const POD = 7;
export const POD_GONE = 8;
export const NAMESPACE = 9;
export const NAMESPACE_GONE = 10;
export const INDEX = 11;
export const INDEX_GONE = 12;
export const QUESTION = 13;
export const TICK = 14;

export const HELLO = 64;
export const FAILURE = 65;
export const ANSWER = 66;
export const SEEN = 67;

/** Nodes of a shard that are alike, as it arranges them. */
export interface AnsweredGroup {
  /** At least one. */
  readonly count: number;
  /** The best of them, at least one, the best first; with their buckets. */
  readonly slots: readonly number[];
  readonly buckets: readonly number[];
}

export interface Answer {
  readonly question: number;
  readonly groups: readonly AnsweredGroup[];
  readonly failures: readonly { readonly failure: Failure; readonly count: number }[];
}

export function writeText(writer: ByteWriter, text: string): void {
  const length = Buffer.byteLength(text);
  writer.varint(length);
  writer.ensure(length);
  const { buffer, position } = writer;
  Buffer.from(buffer.buffer, buffer.byteOffset, buffer.length).write(text, position);
  writer.position += length;
}

export function readText(reader: ByteReader): string {
  const text = reader.string();
  if (reader.valueEnd - reader.valueStart > TEXT_BYTES_MAX) throw new WireError('a text is too long');
  return text;
}

/** A number from 0 on, which counts or numbers something. */
export function readCount(reader: ByteReader): number {
  const value = reader.varint();
  if (!Number.isSafeInteger(value) || value < 0) throw new WireError(`${value} is no count`);
  return value;
}

/** A count of what takes a byte each at least, in the rest of the message. */
export function readLength(reader: ByteReader): number {
  const value = readCount(reader);
  if (value > reader.end - reader.position) throw new WireError(`${value} of something do not fit in the message`);
  return value;
}

/** What follows ANSWER. */
export function readAnswer(reader: ByteReader, failures: ReadonlyMap<number, Failure>): Answer {
  const question = readCount(reader);
  const groups = Array.from({ length: readLength(reader) }, () => readGroup(reader));
  const refused = Array.from({ length: readLength(reader) }, () => {
    const failure = failures.get(readCount(reader));
    if (failure === undefined) throw new WireError('a failure was not told before');
    return { failure, count: readCount(reader) };
  });
  return { question, groups, failures: refused };
}

/** What follows FAILURE and its number. */
export function readFailure(reader: ByteReader): Failure {
  const part = partOf(readText(reader));
  if (!isFailure(part)) throw new WireError('a failure has no plugin or no reasons');
  return part;
}

function isFailure(part: unknown): part is Failure {
  if (typeof part !== 'object' || part === null) return false;
  const { plugin, reasons, isUnresolvable } = part as Partial<Record<keyof Failure, unknown>>;
  const isTold = Array.isArray(reasons) && reasons.every((reason) => typeof reason === 'string');
  return isTold && typeof plugin === 'string' && typeof isUnresolvable === 'boolean';
}

function readGroup(reader: ByteReader): AnsweredGroup {
  const count = readCount(reader);
  const slots: number[] = [];
  const buckets: number[] = [];
  const listed = readLength(reader);
  for (let i = 0; i < listed; i++) {
    slots.push(readCount(reader));
    buckets.push(readCount(reader));
  }
  if (listed === 0 || listed > count) throw new WireError(`${listed} of ${count} nodes are listed`);
  return { count, slots, buckets };
}
