// Key-value pairs where they lie in the answer that they came in: for whoever reads very many of them and keeps little. Nothing is copied and no
// object made for each.

import { INTERNAL, StatusError } from '../api/errors.ts';
import { ByteReader, WireError } from '../base/byte-reader.ts';
import { copyBytes } from '../base/bytes.ts';

const EMPTY = Buffer.alloc(0);
/** Tags. Of RangeResponse: */
const KVS = 0x12;
const MORE = 0x18;
/** Of WatchResponse. */
const EVENTS = 0x5a;
/** Of Event. */
const TYPE = 0x08;
const KV = 0x12;
/** Of KeyValue. */
const KEY = 0x0a;
const MOD_REVISION = 0x18;
const VALUE = 0x2a;
/** Of the header, and of it the revision. */
const HEADER = 0x0a;
const REVISION = 0x18;

const DELETE = 1;
/** Pages of a list differ by less than this part. */
const ROOM_SHARE = 4;

/** One pair, in `bytes`; valid during the call that it is given to. */
export class KvView {
  bytes: Buffer = EMPTY;
  keyStart = 0;
  keyEnd = 0;
  valueStart = 0;
  valueEnd = 0;
  modRevision = 0;
  /** Of an event: the key is gone. */
  isDeleted = false;

  /** A copy that may be kept. */
  valueCopy(): Buffer {
    return Buffer.from(this.value());
  }

  /** It shares the bytes. */
  value(): Buffer {
    return this.bytes.subarray(this.valueStart, this.valueEnd);
  }
}

export type KvVisitor = (kv: KvView) => void;

/** Reads answers one after the other. All methods throw WireError where the bytes are malformed. */
export class KvViews {
  readonly #reader = new ByteReader();
  readonly #view = new KvView();

  /** The events of a WatchResponse, in order; how many there were. */
  events(bytes: Uint8Array, start: number, end: number, visit: KvVisitor): number {
    const reader = this.#reader;
    this.#view.bytes = asBuffer(bytes);
    reader.reset(bytes, start, end);
    let count = 0;
    while (reader.position < end) {
      const tag = reader.tag();
      reader.skip(tag);
      if (tag !== EVENTS) continue;
      count++;
      const next = reader.position;
      this.#readEvent(reader.valueStart, reader.valueEnd);
      visit(this.#view);
      reader.reset(bytes, next, end);
    }
    this.#view.bytes = EMPTY;
    return count;
  }

  /** The pairs of a RangeResponse. */
  pairs(bytes: Uint8Array, visit: KvVisitor): void {
    const reader = this.#reader;
    this.#view.bytes = asBuffer(bytes);
    this.#view.isDeleted = false;
    reader.reset(bytes, 0, bytes.length);
    while (reader.position < bytes.length) {
      const tag = reader.tag();
      reader.skip(tag);
      if (tag !== KVS) continue;
      const next = reader.position;
      this.#readPair(reader.valueStart, reader.valueEnd);
      visit(this.#view);
      reader.reset(bytes, next, bytes.length);
    }
    this.#view.bytes = EMPTY;
  }

  #readEvent(start: number, end: number): void {
    const reader = this.#reader;
    reader.position = start;
    reader.end = end;
    const view = this.#view;
    view.isDeleted = false;
    let kvStart = start;
    let kvEnd = start;
    while (reader.position < end) {
      const tag = reader.tag();
      if (tag === TYPE) view.isDeleted = reader.varint() === DELETE;
      else {
        reader.skip(tag);
        if (tag !== KV) continue;
        kvStart = reader.valueStart;
        kvEnd = reader.valueEnd;
      }
    }
    this.#readPair(kvStart, kvEnd);
  }

  #readPair(start: number, end: number): void {
    const reader = this.#reader;
    reader.position = start;
    reader.end = end;
    const view = this.#view;
    view.keyStart = 0;
    view.keyEnd = 0;
    view.valueStart = 0;
    view.valueEnd = 0;
    view.modRevision = 0;
    while (reader.position < end) {
      const tag = reader.tag();
      if (tag === MOD_REVISION) {
        view.modRevision = reader.varint();
        continue;
      }
      reader.skip(tag);
      if (tag === KEY) {
        view.keyStart = reader.valueStart;
        view.keyEnd = reader.valueEnd;
      } else if (tag === VALUE) {
        view.valueStart = reader.valueStart;
        view.valueEnd = reader.valueEnd;
      }
    }
  }
}

/** An answer to a Range, kept as it came; used for one answer after another, so that its memory is. */
export class RangePage {
  #buffer: Buffer = EMPTY;
  #bytes: Buffer = EMPTY;
  /** At which it was answered. */
  revision = 0;
  /** There are keys behind the last one. */
  hasMore = false;
  /** Undefined: no pair at all. */
  lastKey: Uint8Array | undefined;

  /** Copies the answer. Throws WireError where the bytes are malformed. */
  fill(source: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (length > this.#buffer.length) this.#buffer = Buffer.allocUnsafeSlow(length + length / ROOM_SHARE);
    copyBytes(this.#buffer, 0, source, start, end);
    const bytes = this.#buffer.subarray(0, length);
    this.#bytes = bytes;
    const reader = new ByteReader(bytes);
    const inner = new ByteReader();
    let revision = 0;
    let hasMore = false;
    let lastStart = -1;
    let lastEnd = -1;
    while (reader.hasMore) {
      const tag = reader.tag();
      if (tag === MORE) {
        hasMore = reader.bool();
        continue;
      }
      reader.skip(tag);
      if (tag === KVS) {
        lastStart = reader.valueStart;
        lastEnd = reader.valueEnd;
      } else if (tag === HEADER) {
        inner.reset(bytes, reader.valueStart, reader.valueEnd);
        revision = revisionIn(inner);
      }
    }
    this.revision = revision;
    this.hasMore = hasMore;
    this.lastKey = lastStart < 0 ? undefined : keyIn(bytes, lastStart, lastEnd);
  }

  /** Throws StatusError where a pair is malformed; those before it have been visited. */
  visit(views: KvViews, visit: KvVisitor): void {
    try {
      views.pairs(this.#bytes, visit);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      throw new StatusError(INTERNAL, `malformed response: ${error.message}`);
    }
  }
}

function revisionIn(reader: ByteReader): number {
  let revision = 0;
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === REVISION) revision = reader.varint();
    else reader.skip(tag);
  }
  return revision;
}

function keyIn(bytes: Buffer, start: number, end: number): Uint8Array {
  const reader = new ByteReader(bytes, start, end);
  let key: Uint8Array = EMPTY;
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === KEY) key = reader.bytes();
    else reader.skip(tag);
  }
  return key;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
