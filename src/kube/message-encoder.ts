// Plain objects, as the JSON of Kubernetes objects parses to, to protobuf, byte for byte as Go writes the same object: fields in order of their numbers,
// maps in order of their keys, and what is not a pointer also when it is empty.
//
// What the table does not know is left out, as an API server that does not know a field leaves it out. A value of another type than its field's
// throws a TypeError that names it.

import type { KubeWriter } from './kube-writer.ts';
import type { PlainObject } from './message-decoder.ts';
import {
  BOOL,
  BYTES,
  type Field,
  INT,
  INT_OR_STRING,
  JSON_BYTES,
  MESSAGE,
  type Message,
  MessageSchema,
  MICRO_TIME,
  QUANTITY,
  STRING,
  TIME,
} from './message-schema.ts';

const MILLIS_A_SECOND = 1000;
const IS_INT = 0;
const IS_STRING = 1;

export class MessageEncoder {
  readonly #schema = new MessageSchema();

  /** The message's body. Throws RangeError for a kind that the table does not have. */
  encode(kind: string, object: PlainObject, writer: KubeWriter): void {
    const message = this.#schema.find(kind);
    if (message === undefined) throw new RangeError(`no message ${kind} is known`);
    writeMessage(writer, message, object);
  }
}

function writeMessage(writer: KubeWriter, message: Message, object: PlainObject): void {
  for (const field of message.fields) {
    if (field.isInline) writer.message(field.number, () => writeMessage(writer, messageOf(field), object));
    else writeField(writer, field, object[field.name]);
  }
}

/** The field with its tag, as often as it has to be there. It is none that is inline. Throws TypeError. */
export function writeField(writer: KubeWriter, field: Field, given: unknown): void {
  const value = given ?? undefined;
  if (field.isList) for (const item of listOf(field, value)) writeValue(writer, field, item);
  else if (field.isMap) writeMap(writer, field, value);
  else if (value !== undefined) writeValue(writer, field, value);
  else if (!field.isPointer) writeEmpty(writer, field);
}

function writeValue(writer: KubeWriter, field: Field, value: unknown): void {
  const { number, kind } = field;
  switch (kind) {
    case STRING:
      writer.text(number, stringOf(field, value));
      return;
    case BOOL:
      if (typeof value !== 'boolean') throw wrongType(field, 'a boolean');
      writer.flag(number, value);
      return;
    case INT:
      writer.number(number, intOf(field, value));
      return;
    case BYTES:
      writer.blob(number, Buffer.from(stringOf(field, value), 'base64'));
      return;
    case MESSAGE:
      writer.message(number, () => writeMessage(writer, messageOf(field), objectOf(field, value)));
      return;
    case QUANTITY:
      writer.message(number, () => writer.text(1, typeof value === 'number' ? String(value) : stringOf(field, value)));
      return;
    case TIME:
    case MICRO_TIME:
      writeTime(writer, field, stringOf(field, value));
      return;
    case INT_OR_STRING:
      writer.message(number, () => {
        writer.number(1, typeof value === 'string' ? IS_STRING : IS_INT);
        writer.number(2, typeof value === 'string' ? 0 : intOf(field, value));
        writer.text(3, typeof value === 'string' ? value : '');
      });
      return;
    case JSON_BYTES:
      writer.message(number, () => writer.text(1, JSON.stringify(value)));
      return;
  }
}

/** What Go writes for a value that is not set and is no pointer. */
function writeEmpty(writer: KubeWriter, field: Field): void {
  const { number, kind } = field;
  if (kind === INT || kind === BOOL) writer.number(number, 0);
  else if (kind === MESSAGE) writer.message(number, () => writeMessage(writer, messageOf(field), {}));
  else if (kind === INT_OR_STRING) writeValue(writer, field, 0);
  else if (kind === QUANTITY) writeValue(writer, field, '0');
  // Nil bytes are not written; the zero time is an empty message.
  else if (kind !== BYTES && kind !== JSON_BYTES) writer.text(number, '');
}

function writeMap(writer: KubeWriter, field: Field, value: unknown): void {
  if (value === undefined) return;
  const map = objectOf(field, value);
  const keys = Object.keys(map).map((key) => Buffer.from(key));
  // Go orders strings by their bytes.
  for (const key of keys.sort(Buffer.compare)) {
    const text = key.toString();
    writer.message(field.number, () => {
      writer.text(1, text);
      writeValue(writer, { ...field, number: 2 }, map[text]);
    });
  }
}

function writeTime(writer: KubeWriter, field: Field, text: string): void {
  const millis = Date.parse(text);
  if (Number.isNaN(millis)) throw wrongType(field, 'a time of RFC 3339');
  const seconds = Math.floor(millis / MILLIS_A_SECOND);
  if (field.kind === TIME) writer.time(field.number, seconds);
  else {
    const digits = /\.(\d{1,6})/.exec(text)?.[1] ?? '';
    writer.microTime(field.number, seconds, Number(digits.padEnd(6, '0')));
  }
}

function messageOf({ name, message }: Field): Message {
  if (message === undefined) throw new TypeError(`${name} is no message`);
  return message;
}

function wrongType({ name }: Field, wanted: string): TypeError {
  return new TypeError(`${name}: ${wanted} is expected`);
}

function stringOf(field: Field, value: unknown): string {
  if (typeof value !== 'string') throw wrongType(field, 'a string');
  return value;
}

function intOf(field: Field, value: unknown): number {
  if (typeof value !== 'number' || !Number.isInteger(value)) throw wrongType(field, 'a whole number');
  return value;
}

function objectOf(field: Field, value: unknown): PlainObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrongType(field, 'an object');
  // An object that is no list has fields of unknown values.
  return value as PlainObject;
}

function listOf(field: Field, value: unknown): readonly unknown[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw wrongType(field, 'a list');
  return value;
}
