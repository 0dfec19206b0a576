// Protobuf of Kubernetes objects to the same plain objects that their JSON parses to, so that whoever reads objects need not know how they came.
//
// Differs from Go's JSON in nothing that API servers write, but for numbers beyond 2^53, which are rounded as JSON.parse rounds them. Fields that the
// table does not know are passed over. A field that comes twice counts as it came last; lists and maps gather.
//
// Malformed bytes throw WireError; so do FieldsV1 and RawExtensions that are no JSON.

import { ByteReader, WireError } from '../base/byte-reader.ts';
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

export interface PlainObject {
  [field: string]: unknown;
}

const VARINT = 0;
const LENGTH_DELIMITED = 2;
/** The tag of the one field that a Quantity, FieldsV1 or RawExtension has, and of IntOrString.strVal. */
const ONLY = 10;
const STRING_VALUE = 26;
/** IntOrString.type. */
const IS_STRING = 1;
const MILLIS_A_SECOND = 1000;
const NANOS_A_MICRO = 1000;

export class MessageDecoder {
  readonly #schema: MessageSchema;
  readonly #reader = new ByteReader();
  #bytes: Buffer = Buffer.alloc(0);

  /** `leftOut`: fields that nobody here reads, like "ObjectMeta.managedFields". */
  constructor(leftOut: readonly string[] = []) {
    this.#schema = new MessageSchema(leftOut);
  }

  /** Undefined for a kind that the table does not have. */
  decode(kind: string, bytes: Uint8Array, start = 0, end: number = bytes.length): PlainObject | undefined {
    const message = this.#schema.find(kind);
    if (message === undefined) return undefined;
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#reader.reset(bytes, start, end);
    const object: PlainObject = {};
    this.#readInto(object, message);
    this.#bytes = Buffer.alloc(0);
    return object;
  }

  /** The rest of the reader's range. */
  #readInto(object: PlainObject, message: Message): void {
    const reader = this.#reader;
    const { byNumber } = message;
    while (reader.position < reader.end) {
      const tag = reader.tag();
      const field = byNumber[tag >>> 3];
      if (field === undefined) reader.skip(tag);
      else if (field.kind === INT || field.kind === BOOL) this.#readNumber(object, field, tag);
      else {
        if ((tag & 7) !== LENGTH_DELIMITED) throw new WireError(`wrong wire type of ${message.name}.${field.name}`);
        reader.lengthDelimited();
        this.#readValue(object, field);
      }
    }
    for (const field of message.always) {
      if (object[field.name] === undefined) object[field.name] = emptyOf(field);
    }
  }

  #readNumber(object: PlainObject, field: Field, tag: number): void {
    if ((tag & 7) !== VARINT) throw new WireError(`wrong wire type of ${field.name}`);
    const number = this.#reader.varint();
    const value = field.kind === BOOL ? number !== 0 : number;
    if (field.isList) listOf(object, field.name).push(value);
    else if (number !== 0 || field.isPointer || field.isAlways) object[field.name] = value;
    else delete object[field.name];
  }

  /** The length-delimited value that the reader has stepped over. */
  #readValue(object: PlainObject, field: Field): void {
    const { position, end, valueStart, valueEnd } = this.#reader;
    if (field.isMap) this.#readEntry(object, field, valueStart, valueEnd);
    else if (field.isList) listOf(object, field.name).push(this.#value(field, valueStart, valueEnd));
    else if (field.isInline) this.#readInline(object, field, valueStart, valueEnd);
    else {
      const value = this.#value(field, valueStart, valueEnd);
      if (isLeftOut(field, value)) delete object[field.name];
      else object[field.name] = value;
    }
    this.#reader.position = position;
    this.#reader.end = end;
  }

  #readInline(object: PlainObject, field: Field, start: number, end: number): void {
    if (field.message === undefined) throw new WireError(`${field.name} is no message`);
    this.#reader.position = start;
    this.#reader.end = end;
    this.#readInto(object, field.message);
  }

  #readEntry(object: PlainObject, field: Field, start: number, end: number): void {
    const reader = this.#reader;
    reader.position = start;
    reader.end = end;
    let key = '';
    let value: unknown;
    while (reader.position < reader.end) {
      const tag = reader.tag();
      if (tag === 10) key = reader.string();
      else if (tag === 18) {
        reader.lengthDelimited();
        const { position, valueStart, valueEnd } = reader;
        value = this.#value(field, valueStart, valueEnd);
        reader.position = position;
        reader.end = end;
      } else reader.skip(tag);
    }
    const map = mapOf(object, field.name);
    value ??= '';
    // An assignment would set the prototype.
    if (key === '__proto__')
      Object.defineProperty(map, key, { value, enumerable: true, writable: true, configurable: true });
    else map[key] = value;
  }

  #value(field: Field, start: number, end: number): unknown {
    switch (field.kind) {
      case STRING:
        return this.#text(start, end);
      case MESSAGE:
        return this.#message(field, start, end);
      case BYTES:
        return this.#bytes.toString('base64', start, end);
      case QUANTITY:
        return this.#textField(ONLY, start, end);
      case TIME:
      case MICRO_TIME:
        return this.#time(field.kind, start, end);
      case INT_OR_STRING:
        return this.#intOrString(start, end);
      case JSON_BYTES:
        return parse(this.#textField(ONLY, start, end));
      default:
        throw new WireError(`wrong wire type of ${field.name}`);
    }
  }

  #message(field: Field, start: number, end: number): PlainObject {
    const object: PlainObject = {};
    this.#readInline(object, field, start, end);
    return object;
  }

  #text(start: number, end: number): string {
    return start === end ? '' : this.#bytes.toString('utf8', start, end);
  }

  /** The field of a message that has that tag, as text. */
  #textField(wanted: number, start: number, end: number): string {
    const reader = this.#reader;
    reader.position = start;
    reader.end = end;
    let text = '';
    while (reader.position < reader.end) {
      const tag = reader.tag();
      if (tag === wanted) text = reader.string();
      else reader.skip(tag);
    }
    return text;
  }

  /** RFC 3339; null for the zero time. */
  #time(kind: number, start: number, end: number): string | null {
    if (start === end) return null;
    const [seconds, nanos] = this.#twoNumbers(start, end);
    const date = new Date(seconds * MILLIS_A_SECOND);
    if (Number.isNaN(date.getTime())) throw new WireError('a time beyond all calendars');
    const text = date.toISOString().slice(0, -'.000Z'.length);
    if (kind === TIME) return `${text}Z`;
    return `${text}.${String(Math.floor(nanos / NANOS_A_MICRO)).padStart(6, '0')}Z`;
  }

  #twoNumbers(start: number, end: number): [number, number] {
    const reader = this.#reader;
    reader.position = start;
    reader.end = end;
    let first = 0;
    let second = 0;
    while (reader.position < reader.end) {
      const tag = reader.tag();
      if (tag === 8) first = reader.varint();
      else if (tag === 16) second = reader.varint();
      else reader.skip(tag);
    }
    return [first, second];
  }

  #intOrString(start: number, end: number): number | string {
    const [type, number] = this.#twoNumbers(start, end);
    return type === IS_STRING ? this.#textField(STRING_VALUE, start, end) : number;
  }
}

function isLeftOut(field: Field, value: unknown): boolean {
  if (field.isPointer || field.isAlways) return false;
  return value === '' || (value === null && field.isOmittedZero);
}

/** Of a field that JSON always has. */
function emptyOf({ kind, isList, isMap }: Field): unknown {
  if (isList || isMap) return null;
  switch (kind) {
    case STRING:
      return '';
    case BOOL:
      return false;
    case INT:
    case INT_OR_STRING:
      return 0;
    case MESSAGE:
      return {};
    case QUANTITY:
      return '0';
    default:
      return null;
  }
}

function listOf(object: PlainObject, name: string): unknown[] {
  const list = object[name];
  if (Array.isArray(list)) return list;
  const made: unknown[] = [];
  object[name] = made;
  return made;
}

function mapOf(object: PlainObject, name: string): PlainObject {
  const map = object[name];
  // Only maps are put there.
  if (typeof map === 'object' && map !== null) return map as PlainObject;
  const made: PlainObject = {};
  object[name] = made;
  return made;
}

function parse(text: string): unknown {
  if (text === '') return null;
  try {
    return JSON.parse(text);
  } catch {
    throw new WireError('a raw field is no JSON');
  }
}
