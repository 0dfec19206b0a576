// Lists and watches in protobuf (apimachinery pkg/runtime/serializer/protobuf, .../streaming; API concepts, "Kubernetes Protobuf encoding"), cut into objects as
// they arrive. The objects are those that their JSON parses to (src/kube/message-decoder.ts).
//
//   list    "k8s\0"  Unknown { 1: typeMeta, 2: raw, … }   raw = List { 1: metadata, 2: item, 2: item, … }    each item is handed on when its last byte arrives
//   watch   length, 4 bytes, the highest first ─ WatchEvent { 1: type, 2: RawExtension { 1: "k8s\0" Unknown } }, one after another
//
// Limits: an object above `objectBytesMax` is passed over and told of as cut. What frames objects is believed; where it is broken nothing after it
// can be read, and ListError ends the attempt. An object that is broken in itself costs nothing but itself.

import { ByteReader, WireError } from '../base/byte-reader.ts';
import type { MessageDecoder, PlainObject } from '../kube/message-decoder.ts';
import { formOf, MAGIC, readEnvelope } from '../kube/stored-object.ts';
import { ByteQueue } from './byte-queue.ts';
import type { ListPiece, ListStream, MessageRange, WatchPiece, WatchStream } from './collection-stream.ts';
import type { JsonObject } from './kube-api.ts';
import { ListError } from './list-scanner.ts';
import { isObject, keyOf } from './object-head.ts';

export const PROTOBUF = 'application/vnd.kubernetes.protobuf';
/** An API server answers in JSON where it cannot in protobuf. */
export const PROTOBUF_OR_JSON: string = `${PROTOBUF}, application/json`;

/** A tag and a length. */
const HEADER_BYTES_MAX = 20;
/** What a list has beside its items: the type and its metadata. */
const ENVELOPE_BYTES_MAX = 1 << 20;
const FRAME_HEADER_BYTES = 4;
/** A name in a log. */
const NAME_CHARACTERS_MAX = 253;
const UNREADABLE = 'an object that cannot be read';

export function isProtobuf(contentType: string | undefined): boolean {
  return contentType?.startsWith(PROTOBUF) === true;
}

export class ProtobufList implements ListStream {
  readonly #decoder: MessageDecoder;
  readonly #objectBytesMax: number;
  readonly #queue = new ByteQueue();
  readonly #kind: string;
  #hasMagic = false;
  /** Bytes of the list's own message that have not come yet; undefined outside of it. */
  #rawLeft: number | undefined;
  /** Bytes of a value to be passed over. */
  #skipping = 0;
  #metadata: JsonObject | undefined;

  /** Of items of that kind. */
  constructor(decoder: MessageDecoder, kind: string, objectBytesMax: number) {
    this.#decoder = decoder;
    this.#kind = kind;
    this.#objectBytesMax = objectBytesMax;
  }

  push(chunk: Uint8Array): ListPiece[] {
    this.#queue.push(chunk);
    const pieces: ListPiece[] = [];
    while (this.#step(pieces)) {
      // One value after another.
    }
    this.#queue.keep();
    return pieces;
  }

  end(): JsonObject {
    const isWhole = this.#rawLeft === undefined && this.#queue.length === 0 && this.#skipping === 0;
    if (this.#metadata === undefined || !isWhole) throw new ListError('the list was cut off, or has no metadata');
    return { metadata: this.#metadata };
  }

  /** False when more has to come first. */
  #step(pieces: ListPiece[]): boolean {
    if (!this.#hasMagic) return this.#takeMagic();
    if (this.#skipping > 0) {
      this.#skipping -= this.#queue.skip(this.#skipping);
      return this.#skipping === 0;
    }
    if (this.#rawLeft === 0) {
      this.#rawLeft = undefined;
      return true;
    }
    const header = readHeader(this.#queue.peek(HEADER_BYTES_MAX));
    if (header === undefined) {
      if (this.#queue.length >= HEADER_BYTES_MAX) throw new ListError('the list is not protobuf');
      return false;
    }
    return this.#rawLeft === undefined ? this.#takeOuter(header) : this.#takeInner(header, this.#rawLeft, pieces);
  }

  #takeMagic(): boolean {
    if (this.#queue.length < MAGIC.length) return false;
    if (!this.#queue.take(MAGIC.length).equals(MAGIC)) throw new ListError('the list is not protobuf');
    this.#hasMagic = true;
    return true;
  }

  /** Fields of Unknown. */
  #takeOuter({ field, bytes, length }: Header): boolean {
    this.#queue.skip(bytes);
    if (field === 2) this.#rawLeft = length;
    else this.#skipping = length;
    return true;
  }

  /** Fields of the list. */
  #takeInner({ field, bytes, length }: Header, left: number, pieces: ListPiece[]): boolean {
    if (bytes + length > left) throw new ListError('a value of the list is longer than the list');
    const bytesMax = field === 2 ? this.#objectBytesMax : ENVELOPE_BYTES_MAX;
    if (length > bytesMax) {
      if (field === 1) throw new ListError('the list has too much besides its items');
      pieces.push({ object: undefined, guess: () => UNREADABLE, isCut: true });
      this.#queue.skip(bytes);
      this.#skipping = length;
      this.#rawLeft = left - bytes - length;
      return true;
    }
    if (this.#queue.length < bytes + length) return false;
    this.#queue.skip(bytes);
    const value = this.#queue.take(length);
    this.#rawLeft = left - bytes - length;
    if (field === 1) this.#metadata = decoded(this.#decoder, 'ListMeta', { bytes: value, start: 0, end: length });
    if (field !== 2) return true;
    pieces.push(new ProtobufPiece(this.#decoder, undefined, this.#kind, { bytes: value, start: 0, end: length }));
    return true;
  }
}

export class ProtobufWatch implements WatchStream {
  readonly #decoder: MessageDecoder;
  readonly #objectBytesMax: number;
  readonly #queue = new ByteQueue();
  #skipping = 0;

  constructor(decoder: MessageDecoder, objectBytesMax: number) {
    this.#decoder = decoder;
    this.#objectBytesMax = objectBytesMax;
  }

  push(chunk: Uint8Array): WatchPiece[] {
    this.#queue.push(chunk);
    const pieces: WatchPiece[] = [];
    while (this.#step(pieces)) {
      // One event after another.
    }
    this.#queue.keep();
    return pieces;
  }

  /** False when more has to come first. */
  #step(pieces: WatchPiece[]): boolean {
    if (this.#skipping > 0) this.#skipping -= this.#queue.skip(this.#skipping);
    if (this.#queue.length < FRAME_HEADER_BYTES) return false;

    const length = this.#queue.peek(FRAME_HEADER_BYTES).readUInt32BE();
    if (length > this.#objectBytesMax) {
      pieces.push({ type: undefined, object: undefined, guess: () => UNREADABLE, isCut: true });
      this.#queue.skip(FRAME_HEADER_BYTES);
      this.#skipping = length;
      return true;
    }
    if (this.#queue.length < FRAME_HEADER_BYTES + length) return false;
    this.#queue.skip(FRAME_HEADER_BYTES);
    pieces.push(this.#event(this.#queue.take(length)));
    return true;
  }

  #event(frame: Buffer): WatchPiece {
    try {
      const reader = new ByteReader(frame);
      let type = '';
      let object: Uint8Array | undefined;
      while (reader.hasMore) {
        const tag = reader.tag();
        if (tag === 10) type = reader.string();
        else if (tag === 18) object = extended(reader.view());
        else reader.skip(tag);
      }
      if (object === undefined || formOf(object) !== 'protobuf') return unreadable(type);
      const { kind, rawStart, rawEnd } = readEnvelope(object);
      const bytes = Buffer.from(object.buffer, object.byteOffset, object.length);
      return new ProtobufPiece(this.#decoder, type, kind, { bytes, start: rawStart, end: rawEnd });
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      return unreadable(undefined);
    }
  }
}

/** An object that is decoded when it is asked for. */
class ProtobufPiece implements WatchPiece {
  readonly type: unknown;
  readonly message: MessageRange;
  readonly isCut = false;
  readonly #decoder: MessageDecoder;
  readonly #kind: string;
  #object: JsonObject | undefined;
  #isDecoded = false;

  constructor(decoder: MessageDecoder, type: unknown, kind: string, message: MessageRange) {
    this.#decoder = decoder;
    this.type = type;
    this.#kind = kind;
    this.message = message;
  }

  get object(): JsonObject | undefined {
    if (!this.#isDecoded) {
      this.#isDecoded = true;
      this.#object = decoded(this.#decoder, this.#kind, this.message);
    }
    return this.#object;
  }

  readonly guess = (): string => guessOf(this.object);
}

function unreadable(type: unknown): WatchPiece {
  return { type, object: undefined, guess: () => UNREADABLE, isCut: false };
}

/** What a RawExtension has. */
function extended(bytes: Uint8Array): Uint8Array | undefined {
  const reader = new ByteReader(bytes);
  let object: Uint8Array | undefined;
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 10) object = reader.view();
    else reader.skip(tag);
  }
  return object;
}

/** The object of a body that is one; undefined where it is none. */
export function readProtobufObject(decoder: MessageDecoder, bytes: Uint8Array): JsonObject | undefined {
  try {
    return enveloped(decoder, bytes);
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
}

function enveloped(decoder: MessageDecoder, bytes: Uint8Array): PlainObject | undefined {
  if (formOf(bytes) !== 'protobuf') return undefined;
  const { kind, rawStart, rawEnd } = readEnvelope(bytes);
  return decoder.decode(kind, bytes, rawStart, rawEnd);
}

function decoded(decoder: MessageDecoder, kind: string, { bytes, start, end }: MessageRange): PlainObject | undefined {
  try {
    return decoder.decode(kind, bytes, start, end);
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
}

function guessOf(object: JsonObject | undefined): string {
  const metadata = object?.metadata;
  if (!isObject(metadata)) return UNREADABLE;
  const [namespace, name] = [metadata.namespace, metadata.name].map((text) =>
    typeof text === 'string' ? text.slice(0, NAME_CHARACTERS_MAX) : '',
  );
  return name === '' ? 'an object without a name' : keyOf({ namespace, name });
}

interface Header {
  readonly field: number;
  /** Of the header itself. */
  readonly bytes: number;
  /** Of the value behind it. */
  readonly length: number;
}

/** Of a length-delimited field; undefined when it is not there as a whole. */
function readHeader(bytes: Uint8Array): Header | undefined {
  const reader = new ByteReader(bytes);
  try {
    const tag = reader.tag();
    const length = reader.varint();
    if ((tag & 7) !== 2 || length < 0) throw new ListError('the list is not protobuf');
    return { field: tag >>> 3, bytes: reader.position, length };
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
}
