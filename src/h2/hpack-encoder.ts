// Encodes field sections (RFC 7541) and keeps the encoder's dynamic table.
//
// Only fields of PreparedHeaders enter the table, and only while they fit: nothing is ever evicted one by one, so
// once every prepared list has been sent, indices stay as they are and a list is a constant string of bytes.
// `version` counts the table's changes; a PreparedEncoding of another version is made anew.
// When the peer lowers the table's size the table starts again from nothing: the next section opens with the size
// updates 0 and the new size. So it does where split lists have gone on long enough with a literal that an empty table would take: the
// table is full of what was sent before, like tokens that have been renewed.
// Results are views of a scratch buffer or of a cached encoding: valid until the next call, never to be written.

import type { HeaderField } from './header-block.ts';
import { huffmanEncode, huffmanEncodedBytes } from './huffman.ts';
import { type PreparedEncoding, PreparedHeaders, SplitHeaders } from './prepared-headers.ts';
import type { HeaderList } from './send-queue.ts';
import { STATIC_COUNT, staticFieldIndex, staticNameIndex } from './static-table.ts';
import { FIELD_OVERHEAD_BYTES } from './table-field.ts';

const DEFAULT_TABLE_BYTES = 4096;
/** Encodings kept; above it they are dropped and made again. */
const ENCODINGS_MAX = 256;
/** Longer sections are encoded each time: writers may rely on a cached one being small. */
const CACHED_BYTES_MAX = 1024;
/** Sections of split lists with such a literal, until the table starts again. */
const RESTART_SECTIONS = 1000;
/** An encoded integer below 2^32. */
const INTEGER_BYTES_MAX = 6;

export class HpackEncoder {
  readonly #ownBytesMax: number;
  #capacityBytes: number;
  /** The size the peer has last heard of. */
  #announcedBytes = DEFAULT_TABLE_BYTES;
  #isUpdateOwed = false;
  /** A field did not get in that an empty table would take; and how many sections of split lists were sent since. */
  #isOverfull = false;
  #overfullSections = 0;
  /** In order of insertion. */
  #table: HeaderField[] = [];
  #usedBytes = 0;
  #version = 0;
  readonly #encodings = new Map<PreparedHeaders, PreparedEncoding>();
  #scratch: Uint8Array = Buffer.allocUnsafeSlow(512);
  #at = 0;

  constructor(tableBytesMax: number) {
    this.#ownBytesMax = tableBytesMax;
    this.#capacityBytes = Math.min(tableBytesMax, DEFAULT_TABLE_BYTES);
    this.#isUpdateOwed = this.#capacityBytes !== DEFAULT_TABLE_BYTES;
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. */
  setPeerLimit(bytes: number): void {
    const capacity = Math.min(bytes, this.#ownBytesMax);
    if (capacity === this.#capacityBytes) return;
    this.#capacityBytes = capacity;
    this.#startAgain();
  }

  #startAgain(): void {
    this.#table = [];
    this.#usedBytes = 0;
    this.#version++;
    this.#isUpdateOwed = true;
    this.#isOverfull = false;
    this.#overfullSections = 0;
  }

  /** The section of a prepared list. */
  encode(headers: PreparedHeaders): Uint8Array {
    const known = headers.encoding;
    if (known !== null && known.owner === this && known.version === this.#version && !this.#isUpdateOwed) {
      return known.bytes;
    }
    const cached = this.cached(headers);
    if (cached !== null) return cached;
    this.#at = 0;
    this.#append(headers);
    return this.#scratch.subarray(0, this.#at);
  }

  /** The cached section of a prepared list, or null when `encode` would have to change the table. */
  cached(headers: PreparedHeaders): Uint8Array | null {
    const known = headers.encoding;
    if (known !== null && known.owner === this && known.version === this.#version && !this.#isUpdateOwed) {
      return known.bytes;
    }
    const other = this.#encodings.get(headers);
    if (other === undefined || other.version !== this.#version || this.#isUpdateOwed) return null;
    headers.encoding = other;
    return other.bytes;
  }

  /** A section of prepared fields (or plain ones) and further ones that are not worth a place in the table. */
  encodeWith(headers: HeaderList, extra: readonly HeaderField[]): Uint8Array {
    this.#at = 0;
    if (headers instanceof SplitHeaders) {
      if (this.#isOverfull && this.#overfullSections++ >= RESTART_SECTIONS) this.#startAgain();
      this.#append(headers.front);
      for (let i = 0; i < extra.length; i++) this.#writePlain(extra[i]);
      this.#append(headers.back);
      return this.#scratch.subarray(0, this.#at);
    }
    if (headers instanceof PreparedHeaders) this.#append(headers);
    else {
      this.#writeUpdates();
      for (const field of headers) this.#writePlain(field);
    }
    for (let i = 0; i < extra.length; i++) this.#writePlain(extra[i]);
    return this.#scratch.subarray(0, this.#at);
  }

  /** Writes a prepared list behind what is in the scratch buffer. */
  #append(headers: PreparedHeaders): void {
    const known = this.cached(headers);
    if (known !== null) {
      this.#ensure(known.length);
      this.#scratch.set(known, this.#at);
      this.#at += known.length;
      return;
    }
    const start = this.#at;
    const version = this.#version;
    const isUpdateOwed = this.#isUpdateOwed;
    this.#writeUpdates();
    for (const field of headers.fields) this.#writeInserting(field);
    const isReusable = !isUpdateOwed && version === this.#version && this.#at - start <= CACHED_BYTES_MAX;
    if (!isReusable) return;
    if (this.#encodings.size >= ENCODINGS_MAX) this.#encodings.clear();
    const bytes = Uint8Array.prototype.slice.call(this.#scratch, start, this.#at);
    const encoding = { owner: this, version, bytes };
    this.#encodings.set(headers, encoding);
    headers.encoding = encoding;
  }

  #writeUpdates(): void {
    if (!this.#isUpdateOwed) return;
    this.#isUpdateOwed = false;
    // Down to nothing first: this side's table is empty, so the peer's has to be.
    if (this.#capacityBytes > 0) this.#writeInteger(0x20, 0x1f, 0);
    this.#writeInteger(0x20, 0x1f, this.#capacityBytes);
    this.#announcedBytes = this.#capacityBytes;
  }

  #writeInserting(field: HeaderField): void {
    const index = this.#indexOf(field);
    if (index > 0) {
      this.#writeInteger(0x80, 0x7f, index);
      return;
    }
    const sizeBytes = field.name.length + field.value.length + FIELD_OVERHEAD_BYTES;
    if (this.#usedBytes + sizeBytes > this.#announcedBytes) {
      this.#isOverfull ||= sizeBytes <= this.#announcedBytes;
      this.#writeLiteral(0x00, 0x0f, field);
      return;
    }
    this.#writeLiteral(0x40, 0x3f, field);
    this.#table.push(field);
    this.#usedBytes += sizeBytes;
    this.#version++;
  }

  /** Fields that change with every request: without Huffman code, which costs both sides more than it saves. */
  #writePlain(field: HeaderField): void {
    const nameIndex = staticNameIndex(field.name);
    const index = nameIndex === 0 ? 0 : staticFieldIndex(field.name, field.value);
    if (index > 0) {
      this.#writeInteger(0x80, 0x7f, index);
      return;
    }
    this.#writeInteger(0x00, 0x0f, nameIndex);
    if (nameIndex === 0) this.#writeRaw(field.name);
    this.#writeRaw(field.value);
  }

  #indexOf(field: HeaderField): number {
    const index = staticFieldIndex(field.name, field.value);
    if (index > 0) return index;
    const table = this.#table;
    for (let i = 0; i < table.length; i++) {
      if (table[i].name === field.name && table[i].value === field.value) return STATIC_COUNT + table.length - i;
    }
    return 0;
  }

  #writeLiteral(pattern: number, mask: number, field: HeaderField): void {
    const nameIndex = staticNameIndex(field.name);
    this.#writeInteger(pattern, mask, nameIndex);
    if (nameIndex === 0) this.#writeString(field.name);
    this.#writeString(field.value);
  }

  #writeString(value: string): void {
    const encodedBytes = huffmanEncodedBytes(value);
    if (encodedBytes < value.length) {
      this.#writeInteger(0x80, 0x7f, encodedBytes);
      this.#ensure(encodedBytes);
      this.#at = huffmanEncode(value, this.#scratch, this.#at);
      return;
    }
    this.#writeRaw(value);
  }

  #writeRaw(value: string): void {
    const length = value.length;
    this.#writeInteger(0x00, 0x7f, length);
    this.#ensure(length);
    const scratch = this.#scratch;
    const at = this.#at;
    for (let i = 0; i < length; i++) scratch[at + i] = value.charCodeAt(i);
    this.#at = at + length;
  }

  #writeInteger(pattern: number, mask: number, value: number): void {
    this.#ensure(INTEGER_BYTES_MAX);
    if (value < mask) {
      this.#scratch[this.#at++] = pattern | value;
      return;
    }
    this.#scratch[this.#at++] = pattern | mask;
    let rest = value - mask;
    while (rest > 127) {
      this.#scratch[this.#at++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    this.#scratch[this.#at++] = rest;
  }

  #ensure(bytes: number): void {
    if (this.#at + bytes <= this.#scratch.length) return;
    const grown = Buffer.allocUnsafeSlow((this.#at + bytes) * 2);
    grown.set(this.#scratch.subarray(0, this.#at));
    this.#scratch = grown;
  }
}
