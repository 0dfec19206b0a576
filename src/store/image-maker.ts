// Makes the image of the store at its current revision (image.ts), in slices, while changes go on.
//
//   walk keys in order ─► records, rows, attachments        each key as it was at the revision: its history says so
//   walk the changes   ─► records (what was replaced), changes
//
// Physical compaction stands still from the start to `close`: everything that can be read at the revision stays where
// it is, rows keep their ids, and only the history grows. The memory taken is one block of each kind, those that are
// ready and not taken yet (at most READY_BLOCKS_MAX), and four bytes a row for the numbers of rows in the image.

import { assert } from '../base/assert.ts';
import type { Compaction } from './compaction.ts';
import {
  IMAGE_ATTACHMENT_BYTES,
  IMAGE_BLOCK_ITEMS,
  IMAGE_BLOCK_ROWS,
  IMAGE_CHANGE_BYTES,
  IMAGE_CREATE,
  IMAGE_DELETION,
  IMAGE_ROW_BYTES,
  type ImageBlock,
  type ImageBlockKind,
} from './image.ts';
import { KeyValueView, keyValueBytes, writeKeyValueHead, writeKeyValueTail } from './key-value.ts';
import { RowPast } from './row-past.ts';
import { KEY_VALUE_BYTES_MAX, RECORD_HEADER_BYTES } from './segments.ts';
import type { StoreParts } from './store-parts.ts';

/** One step of a key or change makes at most three; then the maker waits until they are taken. */
const READY_BLOCKS_MAX = 4;
const MAP_SHIFT = 16;
const MAP_MASK: number = (1 << MAP_SHIFT) - 1;
const ROW_MASK = 0x7fff_ffff;
const UNITS_PER_KEY = 2;
/** So many changes' records are read together. */
const CHANGES_AHEAD = 32;
const BYTES_PER_UNIT = 512;
const NO_VALUE: Uint8Array = new Uint8Array(0);

/** A block that is being filled. */
class OpenBlock {
  readonly kind: ImageBlockKind;
  readonly bytes: Buffer;
  readonly words: Uint32Array;
  used = 0;
  count = 0;
  mainMax = 0;

  constructor(kind: ImageBlockKind, capacity: number) {
    const memory = new ArrayBuffer(capacity);
    this.kind = kind;
    this.bytes = Buffer.from(memory);
    this.words = new Uint32Array(memory);
  }
}

export class ImageMaker {
  readonly revision: number;
  readonly compactedRevision: number;
  readonly hashSeed: number;
  readonly #parts: StoreParts;
  readonly #compaction: Compaction;
  readonly #view = new KeyValueView();
  readonly #past: RowPast;
  #phase: 'keys' | 'changes' | 'done' = 'keys';
  /** Where the walk over the keys goes on. */
  #lower: Uint8Array = NO_VALUE;
  /** By row of the store: its row in the image + 1; 0 = not in it. */
  readonly #imageRows: (Uint32Array | undefined)[] = [];
  #rowCount = 0;
  #changeCount = 0;
  /** The next change to write, and the end of those at the revision. */
  #position: number;
  readonly #positionEnd: number;
  /** Number of the segment being filled. */
  #segment = 1;
  #records: OpenBlock | undefined;
  #rows: OpenBlock | undefined;
  #attachments: OpenBlock | undefined;
  #changes: OpenBlock | undefined;
  readonly #spare: OpenBlock[] = [];
  readonly #ready: OpenBlock[] = [];
  #taken: OpenBlock | undefined;

  constructor(parts: StoreParts, compaction: Compaction, revision: number) {
    this.#parts = parts;
    this.#past = new RowPast(parts);
    this.#compaction = compaction;
    this.revision = revision;
    this.compactedRevision = compaction.revision;
    this.hashSeed = parts.hash.seed;
    this.#position = parts.history.seek(compaction.revision);
    this.#positionEnd = parts.history.tail;
    compaction.hold();
  }

  /** Keys in the image so far, deleted ones included. */
  get rowCount(): number {
    return this.#rowCount;
  }

  get changeCount(): number {
    return this.#changeCount;
  }

  /** All blocks have been made and taken. */
  get isDone(): boolean {
    return this.#phase === 'done' && this.#ready.length === 0;
  }

  /** Ends the work, early or not: compaction may go on. */
  close(): void {
    if (this.#phase === 'done' && this.#imageRows.length === 0) return;
    this.#phase = 'done';
    this.#imageRows.length = 0;
    this.#ready.length = 0;
    this.#compaction.release();
  }

  /** Does about `units` of work (0.1 to 0.3 µs each). True when a block is ready, or nothing is left to do. */
  step(units: number): boolean {
    let left = units;
    while (left > 0 && this.#ready.length === 0 && this.#phase !== 'done') {
      left = this.#phase === 'keys' ? this.#stepKeys(left) : this.#stepChanges(left);
    }
    return this.#ready.length > 0 || this.#phase === 'done';
  }

  /** The next block, if one is ready. Its bytes are good until the next call of `take`. */
  take(): ImageBlock | undefined {
    const { segmentBytes } = this.#parts.segments;
    const taken = this.#taken;
    if (taken !== undefined && (taken.kind !== 'records' || taken.bytes.length === segmentBytes))
      this.#spare.push(taken);
    const block = this.#ready.shift();
    this.#taken = block;
    if (block === undefined) return undefined;
    const { kind, count, used, mainMax } = block;
    return { kind, count, bytes: block.bytes.subarray(0, used), mainMax };
  }

  #stepKeys(units: number): number {
    const { tree, keys } = this.#parts;
    let left = units;
    for (tree.seek(this.#lower, 0, this.#lower.length); tree.walkEnd > 0; tree.walkOn()) {
      const end = tree.walkEnd;
      this.#readLeafAhead(end);
      for (let i = tree.walkFrom; i < end; i++) {
        const row = tree.walkRow(i) & ROW_MASK;
        if (left <= 0 || this.#ready.length > 0) {
          this.#lower = keys.copy(row);
          return 0;
        }
        left -= this.#past.walk(row, this.revision, left);
        if (!this.#past.isFound) {
          this.#lower = keys.copy(row);
          return 0;
        }
        left -= UNITS_PER_KEY + this.#addKey(row);
      }
    }
    this.#finish(this.#rows);
    this.#finish(this.#attachments);
    this.#phase = 'changes';
    return left;
  }

  /** Most keys are in the image as they are now. */
  #readLeafAhead(end: number): void {
    const { ahead, tree } = this.#parts;
    for (let i = tree.walkFrom; i < end; i++) ahead.row(tree.walkRow(i) & ROW_MASK);
    for (let i = tree.walkFrom; i < end; i++) ahead.recordOf(tree.walkRow(i) & ROW_MASK);
  }

  /** Writes a key as it was at the revision; returns what that cost. */
  #addKey(row: number): number {
    const { isUnlogged, mod, segment, offset, position } = this.#past;
    if (isUnlogged) return 0;
    if (mod !== 0) return this.#addRow(row, segment, offset, mod);
    // Not there at the revision; it is known only while its deletion can be asked for.
    if (position < 0 || this.#parts.history.main(position) < this.compactedRevision) return 0;
    return this.#addDeleted(row);
  }

  #addRow(row: number, segment: number, offset: number, mod: number): number {
    const { hash, segments } = this.#parts;
    const bytes = segments.recordBytes(segment, offset);
    const records = this.#recordsFor(bytes);
    const at = records.used;
    segments.copyRecord(segment, offset, records.bytes, records.words, at, this.#rowCount, false);
    records.used += bytes;
    if (mod > records.mainMax) records.mainMax = mod;
    const start = at + RECORD_HEADER_BYTES;
    const view = this.#view.read(records.bytes, start, start + segments.keyValueBytes(segment, offset));
    this.#pushRow(row, at, mod, hash.tagOf(records.bytes, view.keyStart, view.keyEnd));
    if (view.lease !== 0n) this.#pushAttachment(this.#rowCount - 1, view.lease);
    this.#flushRows();
    this.#flushJumbo(records);
    return bytes / BYTES_PER_UNIT;
  }

  /** A deleted key: its row needs a record for the key's bytes. */
  #addDeleted(row: number): number {
    const { hash, rows, segments } = this.#parts;
    const source = segments.bytes(rows.segment(row));
    const { keyStart, keyEnd } = this.#view.readHead(source, rows.offset(row) + RECORD_HEADER_BYTES);
    const keyBytes = keyValueBytes(keyEnd - keyStart, 1, 1, 1, 0, 0n);
    assert(keyBytes <= KEY_VALUE_BYTES_MAX, 'record size');
    const bytes = RECORD_HEADER_BYTES + ((keyBytes + 3) & ~3);
    const records = this.#recordsFor(bytes);
    const at = records.used;
    records.words.fill(0, at >>> 2, (at + bytes) >>> 2);
    records.words[at >>> 2] = keyBytes;
    records.words[(at >>> 2) + 1] = this.#rowCount;
    const headEnd = writeKeyValueHead(records.bytes, at + RECORD_HEADER_BYTES, source, keyStart, keyEnd, 1);
    writeKeyValueTail(records.bytes, headEnd, 1, 1, NO_VALUE, 0, 0, 0n);
    records.used += bytes;
    this.#pushRow(row, at, 0, hash.tagOf(source, keyStart, keyEnd));
    this.#flushRows();
    this.#flushJumbo(records);
    return 1;
  }

  #pushRow(row: number, offset: number, mod: number, tag: number): void {
    this.#rows ??= this.#open('rows', IMAGE_BLOCK_ROWS * IMAGE_ROW_BYTES);
    const block = this.#rows;
    const at = block.used >>> 2;
    block.words[at] = this.#segment;
    block.words[at + 1] = offset;
    block.bytes.writeDoubleLE(mod, block.used + 8);
    block.words[at + 4] = 0;
    block.words[at + 5] = tag;
    block.used += IMAGE_ROW_BYTES;
    block.count++;
    this.#rowCount++;
    let chunk = this.#imageRows[row >>> MAP_SHIFT];
    if (chunk === undefined) {
      chunk = new Uint32Array(1 << MAP_SHIFT);
      this.#imageRows[row >>> MAP_SHIFT] = chunk;
    }
    chunk[row & MAP_MASK] = this.#rowCount;
  }

  #flushRows(): void {
    if (this.#rows === undefined || this.#rows.count < IMAGE_BLOCK_ROWS) return;
    this.#finish(this.#rows);
    this.#finish(this.#attachments);
  }

  #pushAttachment(row: number, lease: bigint): void {
    this.#attachments ??= this.#open('attachments', IMAGE_BLOCK_ITEMS * IMAGE_ATTACHMENT_BYTES);
    const block = this.#attachments;
    const at = block.used >>> 2;
    block.words[at] = row;
    block.bytes.writeBigInt64LE(lease, block.used + 4);
    block.used += IMAGE_ATTACHMENT_BYTES;
    block.count++;
  }

  #stepChanges(units: number): number {
    const { history } = this.#parts;
    let left = units;
    for (; this.#position < this.#positionEnd; this.#position++) {
      if (left <= 0 || this.#ready.length > 0) return 0;
      if (this.#position % CHANGES_AHEAD === 0) this.#readChangesAhead();
      const row = history.row(this.#position);
      const imageRow = this.#imageRow(row);
      left -= imageRow === 0 ? 1 : UNITS_PER_KEY + this.#addChange(this.#position, imageRow - 1);
    }
    this.#finish(this.#records);
    this.#finish(this.#changes);
    this.#phase = 'done';
    this.#imageRows.length = 0;
    this.#compaction.release();
    return 0;
  }

  #readChangesAhead(): void {
    const { ahead, history } = this.#parts;
    const end = Math.min(this.#position + CHANGES_AHEAD, this.#positionEnd);
    for (let position = this.#position; position < end; position++) {
      ahead.word(this.#imageRow(history.row(position)));
      if (this.#isPreviousNeeded(position)) {
        ahead.record(history.previousSegment(position), history.previousOffset(position));
      }
    }
  }

  /** The row in the image + 1; 0: it is not in it. */
  #imageRow(row: number): number {
    return this.#imageRows[row >>> MAP_SHIFT]?.[row & MAP_MASK] ?? 0;
  }

  /** What a change at C replaced can be read only if it was made at C too. */
  #isPreviousNeeded(position: number): boolean {
    const { history } = this.#parts;
    const previousMain = history.previousMain(position);
    if (history.previousSegment(position) === 0 || previousMain === 0) return false;
    const main = history.main(position);
    return main > this.compactedRevision || previousMain === main;
  }

  #addChange(position: number, row: number): number {
    const { history, segments } = this.#parts;
    const main = history.main(position);
    const previousMain = history.previousMain(position);
    const segment = history.previousSegment(position);
    let toSegment = 0;
    let toOffset = 0;
    let bytes = 0;
    if (this.#isPreviousNeeded(position)) {
      const offset = history.previousOffset(position);
      bytes = segments.recordBytes(segment, offset);
      const records = this.#recordsFor(bytes);
      toSegment = this.#segment;
      toOffset = records.used;
      segments.copyRecord(segment, offset, records.bytes, records.words, toOffset, this.#changeCount, true);
      records.used += bytes;
      if (previousMain > records.mainMax) records.mainMax = previousMain;
      this.#flushJumbo(records);
    }
    this.#changes ??= this.#open('changes', IMAGE_BLOCK_ITEMS * IMAGE_CHANGE_BYTES);
    const block = this.#changes;
    const at = block.used >>> 2;
    let flags = history.sub(position);
    if (history.isCreate(position)) flags |= IMAGE_CREATE;
    if (history.isDelete(position)) flags |= IMAGE_DELETION;
    block.words[at] = row;
    block.words[at + 1] = flags;
    block.words[at + 2] = toSegment;
    block.words[at + 3] = toOffset;
    block.bytes.writeDoubleLE(main, block.used + 16);
    block.bytes.writeDoubleLE(previousMain, block.used + 24);
    block.used += IMAGE_CHANGE_BYTES;
    block.count++;
    this.#changeCount++;
    if (block.count === IMAGE_BLOCK_ITEMS) this.#finish(block);
    return bytes / BYTES_PER_UNIT;
  }

  /** The records block with room for a record; a record larger than a segment gets one of its own. */
  #recordsFor(bytes: number): OpenBlock {
    const { segmentBytes } = this.#parts.segments;
    if (this.#records !== undefined && this.#records.used + bytes > segmentBytes) this.#finish(this.#records);
    this.#records ??= this.#open('records', Math.max(segmentBytes, bytes));
    return this.#records;
  }

  #flushJumbo(records: OpenBlock): void {
    if (records.used > this.#parts.segments.segmentBytes) this.#finish(records);
  }

  #open(kind: ImageBlockKind, capacity: number): OpenBlock {
    const at = this.#spare.findIndex((block) => block.kind === kind && block.bytes.length === capacity);
    if (at < 0) return new OpenBlock(kind, capacity);
    const [block] = this.#spare.splice(at, 1);
    block.used = 0;
    block.count = 0;
    block.mainMax = 0;
    return block;
  }

  #finish(block: OpenBlock | undefined): void {
    if (block === undefined || block.used === 0) return;
    this.#ready.push(block);
    assert(this.#ready.length <= READY_BLOCKS_MAX, 'image blocks');
    if (block.kind === 'records') {
      this.#records = undefined;
      this.#segment++;
    } else if (block.kind === 'rows') this.#rows = undefined;
    else if (block.kind === 'attachments') this.#attachments = undefined;
    else this.#changes = undefined;
  }
}
