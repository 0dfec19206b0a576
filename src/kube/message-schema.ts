// The messages of Kubernetes objects, from the text of `message-table.ts`. A field there is
//
//   NUMBER:NAME:KIND FLAG     2:containers:[]Container!
//
//   KIND   string, bool, int, bytes; a message's name; Time, MicroTime, Quantity, IntOrString, FieldsV1, RawExtension, which are something else in
//          JSON than in protobuf; [] before it: a list; {}: a map of strings to it
//   FLAG   what Go's two encodings make of a value that is not set:
//            none   written to protobuf, left out of JSON (omitempty; of structs JSON has {})
//            !      written to both
//            ~      written to protobuf, left out of JSON also when it is a struct (omitzero)
//            ?      a pointer: written to neither; when set, to both, also if it is zero
//            ^      a struct whose fields are its owner's in JSON (inline)
//
// Messages do not contain themselves: whoever walks them nests as deep as the table.

import { assert } from '../base/assert.ts';
import { MESSAGE_TABLE } from './message-table.ts';

export const STRING = 0;
export const BOOL = 1;
export const INT = 2;
export const BYTES = 3;
export const MESSAGE = 4;
export const TIME = 5;
export const MICRO_TIME = 6;
export const QUANTITY = 7;
export const INT_OR_STRING = 8;
/** Bytes that are JSON: FieldsV1, RawExtension. */
export const JSON_BYTES = 9;

const KINDS: ReadonlyMap<string, number> = new Map([
  ['string', STRING],
  ['bool', BOOL],
  ['int', INT],
  ['bytes', BYTES],
  ['Time', TIME],
  ['MicroTime', MICRO_TIME],
  ['Quantity', QUANTITY],
  ['IntOrString', INT_OR_STRING],
  ['FieldsV1', JSON_BYTES],
  ['RawExtension', JSON_BYTES],
]);

export interface Field {
  readonly number: number;
  /** In JSON; '' when inline. */
  readonly name: string;
  readonly kind: number;
  /** Of kind MESSAGE; else undefined. */
  readonly message: Message | undefined;
  readonly isList: boolean;
  readonly isMap: boolean;
  readonly isPointer: boolean;
  /** In JSON even when it is empty. */
  readonly isAlways: boolean;
  readonly isOmittedZero: boolean;
  readonly isInline: boolean;
}

export interface Message {
  readonly name: string;
  /** In order of their numbers, as they are written. */
  readonly fields: readonly Field[];
  /** By number. */
  readonly byNumber: readonly (Field | undefined)[];
  /** Those that JSON has even when they are missing. */
  readonly always: readonly Field[];
}

const FIELD = /^(\d+):([^:]*):(\[\]|\{\})?([A-Za-z0-9]+)([!~?^]?)$/;

/** Messages are read from the table when first asked for. Fields named in `leftOut` ("ObjectMeta.managedFields") are as if unknown. */
export class MessageSchema {
  readonly #messages = new Map<string, Message>();
  readonly #leftOut: ReadonlySet<string>;

  constructor(leftOut: readonly string[] = []) {
    this.#leftOut = new Set(leftOut);
  }

  /** Undefined for a kind that is not in the table. */
  find(name: string): Message | undefined {
    return Object.hasOwn(MESSAGE_TABLE, name) ? this.#message(name) : undefined;
  }

  #message(name: string): Message {
    const known = this.#messages.get(name);
    if (known !== undefined) return known;
    const fields = MESSAGE_TABLE[name]
      .split(' ')
      .filter((text) => text !== '')
      .map((text) => this.#field(text))
      .filter((field) => !this.#leftOut.has(`${name}.${field.name}`));
    const byNumber: (Field | undefined)[] = [];
    for (const field of fields) byNumber[field.number] = field;
    const always = fields.filter(({ isAlways }) => isAlways);
    const message = { name, fields, byNumber, always };
    this.#messages.set(name, message);
    return message;
  }

  #field(text: string): Field {
    const parts = FIELD.exec(text);
    assert(parts !== null, `the table has a field ${text}`);
    const [, number, name, shape, kindName, flag] = parts;
    const kind = KINDS.get(kindName) ?? MESSAGE;
    return {
      number: Number(number),
      name,
      kind,
      message: kind === MESSAGE ? this.#message(kindName) : undefined,
      isList: shape === '[]',
      isMap: shape === '{}',
      isPointer: flag === '?',
      isAlways: flag === '!',
      isOmittedZero: flag === '~',
      isInline: flag === '^',
    };
  }
}

/** All fields of the message but these, as a schema leaves them out. */
export function fieldsBeside(message: string, wanted: readonly string[]): readonly string[] {
  const { fields = [] } = new MessageSchema().find(message) ?? {};
  return fields.filter(({ name }) => !wanted.includes(name)).map(({ name }) => `${message}.${name}`);
}
