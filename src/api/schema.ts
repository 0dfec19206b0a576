// A protobuf message as a table of fields, checked against its interface by the compiler; the table gives encoder
// and decoder.
//
//   export interface LeaseGrantRequest { TTL: number; ID: bigint }
//   export const LeaseGrantRequest: MessageType<LeaseGrantRequest> = message({ TTL: int64(1), ID: id64(2) });
//
// proto3 rules: a field at its zero value is not written, unknown fields are stepped over, of a repeated
// occurrence of a scalar the last one counts, repeated numbers are read packed and unpacked and written packed.
// A missing message field is `undefined`. `oneof` is not modelled: its members are plain optional fields
// marked `present`, so that a zero value which was sent can be told from one that was not.
//
// The messages of the hot path (Put, Range, Txn) have decoders of their own in `src/etcd`; this is for all others
// and for the client.

import { ByteReader, WireError } from '../base/byte-reader.ts';
import type { ByteWriter } from '../base/byte-writer.ts';
import { EMPTY_BYTES } from '../base/bytes.ts';

type Kind = 'int64' | 'id64' | 'bool' | 'bytes' | 'string' | 'message';

export interface Field<T> {
  readonly number: number;
  readonly kind: Kind;
  readonly isRepeated: boolean;
  /** Absence is `undefined` instead of the zero value (members of a oneof, messages). */
  readonly isOptional: boolean;
  readonly message: (() => MessageType<object>) | undefined;
  /** Carries the type only; never set. */
  readonly type?: T;
}

type FieldsOf<T> = { readonly [K in keyof T]-?: Field<T[K]> };
type AnyFields = Readonly<Record<string, Field<unknown>>>;

/** Nested messages deeper than this are malformed: it bounds recursion on hostile input. */
export const NESTING_DEPTH_MAX = 100;

function field<T>(number: number, kind: Kind, isOptional = false): Field<T> {
  return { number, kind, isRepeated: false, isOptional, message: undefined };
}

/** int32, int64, uint32 or enum whose values fit a double. */
export const int64 = (number: number): Field<number> => field(number, 'int64');
/** All 64 bits: lease, member and cluster ids. Signed. */
export const id64 = (number: number): Field<bigint> => field(number, 'id64');
export const bool = (number: number): Field<boolean> => field(number, 'bool');
export const bytes = (number: number): Field<Uint8Array> => field(number, 'bytes');
export const string = (number: number): Field<string> => field(number, 'string');
export const presentInt64 = (number: number): Field<number | undefined> => field(number, 'int64', true);
export const presentId64 = (number: number): Field<bigint | undefined> => field(number, 'id64', true);
export const presentBytes = (number: number): Field<Uint8Array | undefined> => field(number, 'bytes', true);

export function nested<T extends object>(
  number: number,
  type: MessageType<T> | (() => MessageType<T>),
): Field<T | undefined> {
  const lazy = typeof type === 'function' ? type : () => type;
  // Which message it is matters to the field's type only; encoding and decoding go through the table.
  return { number, kind: 'message', isRepeated: false, isOptional: true, message: lazy as () => MessageType<object> };
}

export function repeated<T>(of: Field<T>): Field<NonNullable<T>[]> {
  return { number: of.number, kind: of.kind, isRepeated: true, isOptional: false, message: of.message };
}

export function message<T extends object>(fields: FieldsOf<T>): MessageType<T> {
  return new MessageType<T>(fields);
}

type Loose = Record<string, unknown>;

export class MessageType<T extends object> {
  readonly #entries: readonly (readonly [string, Field<unknown>])[];
  readonly #byNumber: Map<number, readonly [string, Field<unknown>]>;

  constructor(fields: FieldsOf<T>) {
    this.#entries = Object.entries(fields as unknown as AnyFields).sort((a, b) => a[1].number - b[1].number);
    this.#byNumber = new Map(this.#entries.map((entry) => [entry[1].number, entry]));
  }

  /** A message with every field at its zero value, then `values`. */
  create(values: Partial<T> = {}): T {
    const result: Loose = {};
    for (const [name, field] of this.#entries) result[name] = zero(field);
    return Object.assign(result, values) as T;
  }

  /** Appends the message's fields; missing ones count as zero. */
  encode(value: Partial<T>, writer: ByteWriter): void {
    const loose = value as Loose;
    for (const [name, field] of this.#entries) {
      const item = loose[name];
      if (item === undefined) continue;
      if (!field.isRepeated) encodeOne(field, item, writer, field.isOptional);
      else if (field.kind === 'int64' || field.kind === 'id64' || field.kind === 'bool') {
        encodePacked(field, item as unknown[], writer);
      } else for (const one of item as unknown[]) encodeOne(field, one, writer, true);
    }
  }

  /** Reads buffer[start, end). Byte fields are copies. Throws WireError when malformed. */
  decode(buffer: Uint8Array, start = 0, end: number = buffer.length, depth = 0): T {
    if (depth > NESTING_DEPTH_MAX) throw new WireError('nested too deep');
    const reader = new ByteReader(buffer, start, end);
    const result = this.create() as Loose;
    while (reader.hasMore) {
      const tag = reader.tag();
      const entry = this.#byNumber.get(Math.floor(tag / 8));
      if (entry === undefined) {
        reader.skip(tag);
        continue;
      }
      decodeField(entry[0], entry[1], tag & 7, reader, result, depth);
    }
    return result as T;
  }
}

function zero(field: Field<unknown>): unknown {
  if (field.isRepeated) return [];
  if (field.isOptional) return undefined;
  switch (field.kind) {
    case 'int64':
      return 0;
    case 'id64':
      return 0n;
    case 'bool':
      return false;
    case 'bytes':
      return EMPTY_BYTES;
    case 'string':
      return '';
    case 'message':
      return undefined;
  }
}

function wireType(kind: Kind): number {
  return kind === 'int64' || kind === 'id64' || kind === 'bool' ? 0 : 2;
}

function encodeOne(field: Field<unknown>, value: unknown, writer: ByteWriter, writesZero: boolean): void {
  const tag = field.number * 8 + wireType(field.kind);
  switch (field.kind) {
    case 'int64':
    case 'id64':
    case 'bool': {
      const isZero = value === 0 || value === 0n || value === false;
      if (isZero && !writesZero) return;
      writer.varint(tag);
      encodeScalar(value, writer);
      return;
    }
    case 'bytes': {
      const content = value as Uint8Array;
      if (content.length === 0 && !writesZero) return;
      writer.varint(tag);
      writer.varint(content.length);
      writer.bytes(content);
      return;
    }
    case 'string':
      if ((value as string).length > 0) writer.string(tag, value as string);
      else if (writesZero) {
        writer.varint(tag);
        writer.varint(0);
      }
      return;
    case 'message': {
      const body = writer.open(tag);
      field.message?.().encode(value as Loose, writer);
      writer.close(body);
      return;
    }
  }
}

function encodeScalar(value: unknown, writer: ByteWriter): void {
  if (typeof value === 'bigint') writer.varint64(value);
  else if (typeof value === 'number') writer.varint(value);
  else writer.byte(value === true ? 1 : 0);
}

function encodePacked(field: Field<unknown>, values: unknown[], writer: ByteWriter): void {
  if (values.length === 0) return;
  const body = writer.open(field.number * 8 + 2);
  for (const value of values) encodeScalar(value, writer);
  writer.close(body);
}

function decodeField(
  name: string,
  field: Field<unknown>,
  wire: number,
  reader: ByteReader,
  result: Loose,
  depth: number,
): void {
  const expected = wireType(field.kind);
  if (wire === 2 && expected === 0 && field.isRepeated) {
    reader.lengthDelimited();
    const packed = new ByteReader(reader.buffer, reader.valueStart, reader.valueEnd);
    while (packed.hasMore) (result[name] as unknown[]).push(decodeScalar(field.kind, packed));
    return;
  }
  if (wire !== expected) {
    // protobuf: a known field with another wire type is treated as unknown.
    reader.skip(field.number * 8 + wire);
    return;
  }
  const value = decodeOne(field, reader, depth);
  if (field.isRepeated) (result[name] as unknown[]).push(value);
  else result[name] = value;
}

function decodeScalar(kind: Kind, reader: ByteReader): unknown {
  if (kind === 'id64') return BigInt.asIntN(64, reader.varint64());
  return kind === 'bool' ? reader.bool() : reader.varint();
}

function decodeOne(field: Field<unknown>, reader: ByteReader, depth: number): unknown {
  switch (field.kind) {
    case 'bytes':
      return reader.bytes();
    case 'string':
      return reader.string();
    case 'message':
      reader.lengthDelimited();
      return field.message?.().decode(reader.buffer, reader.valueStart, reader.valueEnd, depth + 1);
    default:
      return decodeScalar(field.kind, reader);
  }
}
