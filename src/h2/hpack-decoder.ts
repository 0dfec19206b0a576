// Decodes field sections (RFC 7541) and keeps the decoder's dynamic table.
//
// Table: a ring of fields, the newest at (#insertCount − 1) & mask; index 62 is the newest. A field object is made
// once, when it is inserted, and handed out at every reference.
// Memo: a section of indexed fields only (every byte ≥ 0x80) leaves the table alone, so while the table is the
// same the same bytes mean the same section: they get the same DecodedBlock. #memos is a direct-mapped cache by a
// hash of the bytes; `version` counts table changes.
// Every error is a ConnectionError(COMPRESSION_ERROR): the tables of both sides would differ from here on.

import { equalBytes } from '../base/bytes.ts';
import { DecodedBlock } from './decoded-block.ts';
import { COMPRESSION_ERROR, ConnectionError } from './error-code.ts';
import { huffmanDecode, huffmanDecodedBytesMax } from './huffman.ts';
import { STATIC_COUNT, STATIC_FIELDS } from './static-table.ts';
import { FIELD_OVERHEAD_BYTES, TableField } from './table-field.ts';

const MEMO_SLOTS = 16;
const MEMO_BYTES_MAX = 64;
/** Integers above this are refused: no index or length comes near. */
const INTEGER_MAX = 0x0fff_ffff;
const DEFAULT_TABLE_BYTES = 4096;

/** Buffer's own method, left out of its type: toString without the dispatch on the encoding's name. */
interface Latin1Buffer extends Buffer {
  latin1Slice(start: number, end: number): string;
}

interface Memo {
  readonly bytes: Uint8Array;
  readonly version: number;
  readonly block: DecodedBlock;
}

export class HpackDecoder {
  readonly #listBytesMax: number;
  /** The most that a size update may ask for, and what the encoder has chosen. */
  #limitBytes: number;
  #capacityBytes = DEFAULT_TABLE_BYTES;
  #isUpdateOwed = false;
  #ring: TableField[];
  #mask: number;
  #insertCount = 0;
  #count = 0;
  #usedBytes = 0;
  #version = 0;
  readonly #memos: (Memo | undefined)[] = new Array<Memo | undefined>(MEMO_SLOTS).fill(undefined);
  #scratch: Latin1Buffer = allocate(256);
  /** Where the integer or string just read ended. */
  #at = 0;

  /** `tableBytesMax` is our SETTINGS_HEADER_TABLE_SIZE; the default holds as well until it is acknowledged. */
  constructor(tableBytesMax: number, listBytesMax: number) {
    this.#listBytesMax = listBytesMax;
    this.#limitBytes = Math.max(tableBytesMax, DEFAULT_TABLE_BYTES);
    let slots = 16;
    while (slots * FIELD_OVERHEAD_BYTES < this.#limitBytes) slots *= 2;
    this.#mask = slots - 1;
    this.#ring = [];
  }

  /** The peer has acknowledged our SETTINGS_HEADER_TABLE_SIZE; if it shrank, a size update must come next. */
  setLimit(tableBytesMax: number): void {
    this.#limitBytes = tableBytesMax;
    this.#isUpdateOwed = this.#capacityBytes > tableBytesMax;
  }

  get tableBytes(): number {
    return this.#usedBytes;
  }

  decode(buffer: Uint8Array, start: number, end: number): DecodedBlock {
    let hash = end - start;
    let i = start;
    while (i < end && buffer[i] >= 0x80) hash = (Math.imul(hash, 31) + buffer[i++]) | 0;
    if (i < end || end - start > MEMO_BYTES_MAX || this.#isUpdateOwed) return this.#decode(buffer, start, end);
    const slot = (hash ^ (hash >>> 8)) & (MEMO_SLOTS - 1);
    const memo = this.#memos[slot];
    if (memo !== undefined && memo.version === this.#version) {
      if (equalBytes(memo.bytes, 0, memo.bytes.length, buffer, start, end)) return memo.block;
    }
    const block = this.#decode(buffer, start, end);
    this.#memos[slot] = { bytes: Uint8Array.prototype.slice.call(buffer, start, end), version: this.#version, block };
    return block;
  }

  #decode(buffer: Uint8Array, start: number, end: number): DecodedBlock {
    const block = new DecodedBlock();
    let at = start;
    let listBytes = 0;
    if (this.#isUpdateOwed && (at >= end || (buffer[at] & 0xe0) !== 0x20)) fail('a table size update is missing');
    while (at < end) {
      const byte = buffer[at];
      let field: TableField;
      if (byte > 0x80 && byte < 0xff) {
        field = this.#field(byte & 0x7f);
        at++;
      } else if (byte >= 0x80) {
        field = this.#field(this.#integer(buffer, at, end, 0x7f));
        at = this.#at;
      } else if (byte >= 0x40) {
        field = this.#literal(buffer, at, end, 0x3f);
        this.#insert(field);
        at = this.#at;
      } else if (byte >= 0x20) {
        if (block.fields.length > 0 || block.isTooLong) fail('a table size update follows a field');
        this.#resize(this.#integer(buffer, at, end, 0x1f));
        at = this.#at;
        continue;
      } else {
        field = this.#literal(buffer, at, end, 0x0f);
        at = this.#at;
      }
      listBytes += field.sizeBytes;
      if (listBytes <= this.#listBytesMax) block.add(field);
      else block.isTooLong = true;
    }
    return block;
  }

  #field(index: number): TableField {
    if (index <= STATIC_COUNT && index > 0) return STATIC_FIELDS[index];
    const age = index - STATIC_COUNT;
    if (age <= 0 || age > this.#count) fail(`there is no field with index ${index}`);
    return this.#ring[(this.#insertCount - age) & this.#mask];
  }

  /** A literal field of any kind; `mask` covers the bits of the name's index. */
  #literal(buffer: Uint8Array, at: number, end: number, mask: number): TableField {
    const index = this.#integer(buffer, at, end, mask);
    if (index > 0) {
      const namesake = this.#field(index);
      return new TableField(namesake.name, this.#string(buffer, this.#at, end), namesake);
    }
    const name = this.#string(buffer, this.#at, end);
    return new TableField(name, this.#string(buffer, this.#at, end));
  }

  /** An integer whose prefix is the bits of `mask` in the byte at `at` (RFC 7541 §5.1). */
  #integer(buffer: Uint8Array, at: number, end: number, mask: number): number {
    if (at >= end) fail('the field section is cut off');
    let value = buffer[at++] & mask;
    if (value === mask) {
      let multiplier = 1;
      for (;;) {
        if (at >= end) fail('an integer is cut off');
        const byte = buffer[at++];
        value += (byte & 0x7f) * multiplier;
        if (value > INTEGER_MAX || multiplier > INTEGER_MAX) fail('an integer is too large');
        if (byte < 0x80) break;
        multiplier *= 128;
      }
    }
    this.#at = at;
    return value;
  }

  #string(buffer: Uint8Array, start: number, end: number): string {
    const isHuffman = start < end && buffer[start] >= 0x80;
    const length = this.#integer(buffer, start, end, 0x7f);
    const from = this.#at;
    const to = from + length;
    if (to > end) fail('a string is cut off');
    this.#at = to;
    const scratch = this.#room(isHuffman ? huffmanDecodedBytesMax(length) : length);
    if (isHuffman) {
      const decodedEnd = huffmanDecode(buffer, from, to, scratch, 0);
      if (decodedEnd < 0) fail('a string is not valid Huffman code');
      return scratch.latin1Slice(0, decodedEnd);
    }
    for (let i = from, j = 0; i < to; i++, j++) scratch[j] = buffer[i];
    return scratch.latin1Slice(0, length);
  }

  #room(bytes: number): Latin1Buffer {
    if (this.#scratch.length < bytes) this.#scratch = allocate(bytes * 2);
    return this.#scratch;
  }

  #insert(field: TableField): void {
    this.#version++;
    // A field larger than the table empties it (RFC 7541 §4.4).
    this.#evict(this.#capacityBytes - field.sizeBytes);
    if (field.sizeBytes > this.#capacityBytes) return;
    this.#ring[this.#insertCount & this.#mask] = field;
    this.#insertCount++;
    this.#count++;
    this.#usedBytes += field.sizeBytes;
  }

  #resize(bytes: number): void {
    if (bytes > this.#limitBytes) fail('a table size update is above the limit');
    this.#version++;
    this.#isUpdateOwed = false;
    this.#capacityBytes = bytes;
    this.#evict(bytes);
  }

  #evict(bytesMax: number): void {
    while (this.#usedBytes > bytesMax && this.#count > 0) {
      this.#usedBytes -= this.#ring[(this.#insertCount - this.#count) & this.#mask].sizeBytes;
      this.#count--;
    }
  }
}

function allocate(bytes: number): Latin1Buffer {
  // Every Buffer has it; see Latin1Buffer.
  return Buffer.allocUnsafeSlow(bytes) as Latin1Buffer;
}

function fail(message: string): never {
  throw new ConnectionError(COMPRESSION_ERROR, message);
}
