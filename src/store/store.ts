// The multi-version store: every key's versions by revision, in typed arrays; no JavaScript object per key at rest.
//
//   hash index ──► row ──► last record (segment, offset)          find, put: O(1)
//   key tree   ──► row     └► last history entry ─► entries before   ranges, counts: O(log n)
//   history    ──► row, replaced record                           watches, old revisions, compaction
//
// The caller decides (conditions, limits, which revision is visible); the store applies. Its duties:
//  1. Changes come with strictly ascending (main, sub), main > currentRevision; then `commit(main)`.
//  2. A revision asked for lies between compactedRevision and currentRevision (or is the main being written).
//  3. Addresses are good until the next `compactStep` or change, or longer under a pin; a row id until its key is gone.
//  4. After `compact`, `compactStep` is called from time to time until it returns true.
//
// An empty store is at revision 1, compacted at −1, as etcd is. Revisions are doubles below 2^53.

import { assert } from '../base/assert.ts';
import { compareArrays, copyBytes } from '../base/bytes.ts';
import { Compaction } from './compaction.ts';
import { HashKvJob } from './hash-kv.ts';
import { SUB_MAX } from './history.ts';
import { ImageLoader } from './image-loader.ts';
import { ImageMaker } from './image-maker.ts';
import { KeyHints } from './key-hints.ts';
import {
  KeyValueView,
  keyValueBytes,
  keyValueKeyBytes,
  keyValueKeyStart,
  writeKeyValueHead,
  writeKeyValueTail,
} from './key-value.ts';
import type { AddressList, RowList } from './lists.ts';
import { PRIVATE_MEMORY, type StoreMemory } from './memory.ts';
import { addressOf, addressOffset, addressSegment, RECORD_HEADER_BYTES, SEGMENT_BYTES_DEFAULT } from './segments.ts';
import { StoreParts } from './store-parts.ts';
import { VersionList } from './version-list.ts';

export interface StoreOptions {
  /** Size of a value segment: a multiple of 4, up to 4 MiB. */
  readonly segmentBytes?: number;
  /** Of segments, rows and history. Private by default. */
  readonly memory?: StoreMemory;
  /** Of the hash of keys, from 0 to 2^32 − 1; a server takes a random one, so that nobody can choose colliding keys. */
  readonly hashSeed?: number;
}

const ROW_MASK = 0x7fff_ffff;
/** Keys a scan may pass over without a result, per result asked for, before it gives the turn back. */
const SCAN_SKIPS_PER_RESULT = 4;
const SCAN_SKIPS_MIN = 256;

export class Store {
  readonly #parts: StoreParts;
  readonly #compaction: Compaction;
  /** Of keys that will be looked up soon: costs less than what the look-ups save, when there are several. */
  readonly hints: KeyHints;
  readonly #view = new KeyValueView();
  #current = 1;
  /** The newest change, committed or not. */
  #newestMain = 1;
  #newestSub = SUB_MAX;
  #liveKeyCount = 0;

  constructor(options: StoreOptions = {}) {
    const segmentBytes = options.segmentBytes ?? SEGMENT_BYTES_DEFAULT;
    this.#parts = new StoreParts(segmentBytes, options.hashSeed ?? 0x6b316d, options.memory ?? PRIVATE_MEMORY);
    this.#compaction = new Compaction(this.#parts);
    this.hints = new KeyHints(this.#parts);
  }

  get currentRevision(): number {
    return this.#current;
  }

  get compactedRevision(): number {
    return this.#compaction.revision;
  }

  get liveKeyCount(): number {
    return this.#liveKeyCount;
  }

  /** Bytes of the records that are held for some reader, headers included. */
  get recordBytesLive(): number {
    return this.#parts.segments.liveBytes;
  }

  /** All memory of the store that is in use. */
  get memoryBytes(): number {
    const { hash, history, lives, rows, segments, tree } = this.#parts;
    return (
      segments.memoryBytes +
      rows.memoryBytes +
      hash.memoryBytes +
      tree.memoryBytes +
      history.memoryBytes +
      lives.memoryBytes
    );
  }

  /** Called from time to time: lets go of memory that was not needed since the last call. */
  trimMemory(): void {
    this.#parts.memory.trim();
  }

  // Rows

  /** The row of a key, or −1. The key may be a deleted one: see `isLive`. */
  find(key: Uint8Array, start: number, end: number): number {
    const hinted = this.hints.take(key, start, end);
    return hinted >= 0 ? hinted : this.#parts.hash.find(key, start, end);
  }

  isLive(row: number): boolean {
    return this.#parts.rows.mod(row) !== 0;
  }

  /** 0 when not live. */
  modRevision(row: number): number {
    return this.#parts.rows.mod(row);
  }

  /** 0 when not live. */
  createRevision(row: number): number {
    return this.isLive(row) ? this.#readRow(row).createRevision : 0;
  }

  /** 0 when not live. */
  version(row: number): number {
    return this.isLive(row) ? this.#readRow(row).version : 0;
  }

  /** 0n when not live or without lease. */
  lease(row: number): bigint {
    return this.isLive(row) ? this.#readRow(row).lease : 0n;
  }

  /** What the lease layer left at the row: 0 for a key that is born, kept over puts and the deletion. */
  attachment(row: number): number {
    return this.#parts.rows.attachment(row);
  }

  setAttachment(row: number, value: number): void {
    this.#parts.rows.setAttachment(row, value);
  }

  // Changes

  /**
   * Writes a version of key[keyStart, keyEnd); `row` is what `find` said. The value may lie in a segment of this store.
   * Returns the row. Arguments are flat because this is the hot path.
   */
  put(
    main: number,
    sub: number,
    row: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
    lease: bigint,
  ): number {
    this.#begin(main, sub);
    const { rows, segments } = this.#parts;
    const view = this.#view;
    const keyBytes = keyEnd - keyStart;
    const valueBytes = valueEnd - valueStart;
    if (row < 0 || rows.mod(row) === 0) {
      const bytes = keyValueBytes(keyBytes, main, main, 1, valueBytes, lease);
      const offset = segments.append(segments.hot, bytes, sub, main);
      const segment = segments.lastSegment;
      const target = segments.bytes(segment);
      const headEnd = writeKeyValueHead(target, offset + RECORD_HEADER_BYTES, key, keyStart, keyEnd, main);
      writeKeyValueTail(target, headEnd, main, 1, value, valueStart, valueEnd, lease);
      return this.#setVersion(main, sub, row, segment, offset, key, keyStart, keyEnd, true);
    }
    const oldSegment = rows.segment(row);
    const oldOffset = rows.offset(row);
    view.readHead(segments.bytes(oldSegment), oldOffset + RECORD_HEADER_BYTES);
    const createRevision = view.createRevision;
    const version = view.version + 1;
    const headBytes = view.headEnd - oldOffset - RECORD_HEADER_BYTES;
    const bytes = keyValueBytes(keyBytes, createRevision, main, version, valueBytes, lease);
    const offset = segments.append(segments.hot, bytes, sub, main);
    const segment = segments.lastSegment;
    segments.copyHead(oldSegment, oldOffset, segment, offset, headBytes);
    const at = offset + RECORD_HEADER_BYTES + headBytes;
    writeKeyValueTail(segments.bytes(segment), at, main, version, value, valueStart, valueEnd, lease);
    return this.#setVersion(main, sub, row, segment, offset, key, keyStart, keyEnd, createRevision === main);
  }

  /** Deletes a live key. */
  delete(main: number, sub: number, row: number): void {
    this.#begin(main, sub);
    const { history, lives, rows, segments, tree } = this.#parts;
    const mod = rows.mod(row);
    assert(mod !== 0, 'delete of a key that is not live');
    const segment = rows.segment(row);
    const offset = rows.offset(row);
    const last = rows.hasHistory(row) ? rows.last(row) : -1;
    const isUnlogged = rows.isUnlogged(row);
    const position = history.append(row, main, sub, false, 0, 0, segment, offset, mod, last, isUnlogged);
    segments.ownByHistory(segment, offset, position);
    rows.setLast(row, position);
    rows.setMod(row, 0);
    const bytes = segments.bytes(segment);
    const keyStart = keyValueKeyStart(bytes, offset + RECORD_HEADER_BYTES);
    tree.setLive(bytes, keyStart, keyStart + keyValueKeyBytes(bytes, offset + RECORD_HEADER_BYTES), false);
    lives.push(position);
    this.#liveKeyCount--;
  }

  /** Makes what was written at `main` the current revision. */
  commit(main: number): void {
    assert(main > this.#current && main >= this.#newestMain, 'commit: revisions ascend');
    this.jumpTo(main);
  }

  /** Moves the current revision without a change: at recovery, or where revisions that may have been seen are skipped. */
  jumpTo(revision: number): void {
    assert(revision >= this.#current && revision >= this.#newestMain, 'jump: revisions ascend');
    assert(Number.isSafeInteger(revision), 'revision');
    this.#current = revision;
    if (revision === this.#newestMain) return;
    this.#newestMain = revision;
    this.#newestSub = SUB_MAX;
  }

  /** Replays a put that is known as a whole KeyValue, create revision and version included. Returns the row. */
  restoreRecord(main: number, sub: number, bytes: Uint8Array, start: number, end: number): number {
    this.#begin(main, sub);
    const { segments } = this.#parts;
    const { keyStart, keyEnd, createRevision, modRevision } = this.#view.readHead(bytes, start);
    assert(modRevision === main, 'restored record: mod revision');
    const row = this.find(bytes, keyStart, keyEnd);
    const offset = segments.append(segments.hot, end - start, sub, main);
    const segment = segments.lastSegment;
    copyBytes(segments.bytes(segment), offset + RECORD_HEADER_BYTES, bytes, start, end);
    return this.#setVersion(main, sub, row, segment, offset, bytes, keyStart, keyEnd, createRevision === main);
  }

  // Records

  /** Address of the version of a row's key at `revision`; 0 = it did not exist then. */
  recordAt(row: number, revision: number): number {
    return this.#parts.recordAt(row, revision);
  }

  /** The memory a record is in: a Buffer over a whole segment. */
  segmentOf(address: number): Uint8Array {
    return this.#parts.segments.bytes(addressSegment(address));
  }

  /** As `segmentOf`, for whoever reads on after the record may have gone. */
  lendSegmentOf(address: number): Uint8Array {
    return this.#parts.segments.lend(addressSegment(address));
  }

  /** Where in its segment the record's KeyValue bytes start. */
  kvStart(address: number): number {
    return addressOffset(address) + RECORD_HEADER_BYTES;
  }

  kvEnd(address: number): number {
    const offset = addressOffset(address);
    return offset + RECORD_HEADER_BYTES + this.#parts.segments.keyValueBytes(addressSegment(address), offset);
  }

  /** The record's sub revision. */
  recordSub(address: number): number {
    return this.#parts.segments.sub(addressSegment(address), addressOffset(address));
  }

  /** Until `unpin`, every address known now stays readable. Pins count. */
  pin(): void {
    this.#parts.segments.pin();
  }

  unpin(): void {
    this.#parts.segments.unpin();
  }

  // Ranges: [lower, upper), upper null = no end

  /** How many keys of the range were live at `revision`: O(log keys + births and deaths since). */
  count(lower: Uint8Array, upper: Uint8Array | null, revision: number): number {
    const { history, lives, tree } = this.#parts;
    if (upper !== null && compareArrays(lower, upper) >= 0) return 0;
    const end = upper === null ? this.#liveKeyCount : tree.rank(upper, 0, upper.length);
    let count = end - tree.rank(lower, 0, lower.length);
    for (let i = lives.tail - 1; i >= lives.head; i--) {
      const position = lives.at(i);
      if (position < history.head || history.main(position) <= revision) break;
      if (this.#isRowWithin(history.row(position), lower, upper)) count += history.isDelete(position) ? 1 : -1;
    }
    return count;
  }

  /**
   * Adds to `out`, in key order, the addresses of the versions at `revision`, at most `max`. Returns the key to go on
   * from (as the next `lower`), or null when the range is done. It may stop before `max` when it passes many keys that
   * did not exist at `revision`.
   */
  scan(
    lower: Uint8Array,
    upper: Uint8Array | null,
    revision: number,
    max: number,
    out: AddressList,
  ): Uint8Array | null {
    const { keys, rows, tree } = this.#parts;
    if (upper !== null && compareArrays(lower, upper) >= 0) return null;
    let left = max;
    let skips = Math.max(SCAN_SKIPS_MIN, max * SCAN_SKIPS_PER_RESULT);
    tree.seek(lower, 0, lower.length);
    for (;;) {
      const end = upper === null ? tree.walkEnd : tree.walkEndBelow(upper);
      if (end === 0) return null;
      for (let i = tree.walkFrom; i < end; i++) {
        const word = tree.walkRow(i);
        const row = word & ROW_MASK;
        if (left === 0 || skips === 0) return keys.copy(row);
        let address = 0;
        if (revision < this.#newestMain) address = this.#parts.recordAt(row, revision);
        else if (word >>> 31 === 1) address = addressOf(rows.segment(row), rows.offset(row));
        if (address === 0) skips--;
        else {
          left--;
          out.push(address);
        }
      }
      tree.walkOn();
    }
  }

  /** As `scan`, but adds the rows of the keys that are live now, uncommitted changes included. */
  scanRows(lower: Uint8Array, upper: Uint8Array | null, max: number, out: RowList): Uint8Array | null {
    const { keys, tree } = this.#parts;
    if (upper !== null && compareArrays(lower, upper) >= 0) return null;
    let left = max;
    let skips = Math.max(SCAN_SKIPS_MIN, max * SCAN_SKIPS_PER_RESULT);
    tree.seek(lower, 0, lower.length);
    for (;;) {
      const end = upper === null ? tree.walkEnd : tree.walkEndBelow(upper);
      if (end === 0) return null;
      for (let i = tree.walkFrom; i < end; i++) {
        const word = tree.walkRow(i);
        if (left === 0 || skips === 0) return keys.copy(word & ROW_MASK);
        if (word >>> 31 === 0) skips--;
        else {
          left--;
          out.push(word & ROW_MASK);
        }
      }
      tree.walkOn();
    }
  }

  // History: positions from `historySeek(revision)`, revision ≥ compactedRevision, below `historyTail`

  /** Position of the oldest entry still held; it may be one below the compacted revision. */
  get historyHead(): number {
    return this.#parts.history.head;
  }

  get historyTail(): number {
    return this.#parts.history.tail;
  }

  /** Position of the first change with main ≥ `revision`. */
  historySeek(revision: number): number {
    return this.#parts.history.seek(revision);
  }

  historyMain(position: number): number {
    return this.#parts.history.main(position);
  }

  historySub(position: number): number {
    return this.#parts.history.sub(position);
  }

  historyIsDelete(position: number): boolean {
    return this.#parts.history.isDelete(position);
  }

  /** A put that started the key's life. */
  historyIsCreate(position: number): boolean {
    return this.#parts.history.isCreate(position);
  }

  historyRow(position: number): number {
    return this.#parts.history.row(position);
  }

  /** Address of the version that the change made; 0 for a deletion. */
  historyRecord(position: number): number {
    return this.#parts.recordOf(position);
  }

  /** Address of the key's version at main − 1; 0 when there was none or it is compacted. */
  historyPrevious(position: number): number {
    const { history } = this.#parts;
    const main = history.main(position);
    if (main <= this.#compaction.revision) return 0;
    let first = position;
    // A key can change twice in one revision only by a delete and a put of one Txn; look past all of them.
    for (let i = history.previousEntry(first); i >= 0 && history.main(i) === main; i = history.previousEntry(i))
      first = i;
    const segment = history.previousSegment(first);
    return segment === 0 ? 0 : addressOf(segment, history.previousOffset(first));
  }

  /** An address whose record has the change's key, for deletions too. */
  historyKeyAddress(position: number): number {
    const { history, rows } = this.#parts;
    const row = history.row(position);
    return addressOf(rows.segment(row), rows.offset(row));
  }

  // Compaction and hash

  /** Sets the compacted revision; everything below is as good as gone at once. `compactStep` does the work. */
  compact(revision: number): void {
    assert(revision > this.#compaction.revision && revision <= this.#current, 'compact: out of range');
    this.#compaction.start(revision);
  }

  /** Does about `units` (0.1 to 0.3 µs each) of compaction work; true when nothing is left. Idle during hash jobs. */
  compactStep(units: number): boolean {
    return this.#compaction.step(units);
  }

  get compactionPending(): boolean {
    return this.#compaction.isPending;
  }

  /** A hash job or an image is under way: `compactStep` does nothing. */
  get compactionHeld(): boolean {
    return this.#compaction.isHeld;
  }

  /** Calls back once when `compactStep` can do something again. */
  whenCompactionReleased(callback: () => void): void {
    this.#compaction.whenReleased(callback);
  }

  /** Starts hashing all versions up to `revision`, as etcd's HashKV. The caller runs it to its end or closes it. */
  hashKv(revision: number): HashKvJob {
    assert(revision >= this.#compaction.revision && revision <= this.#current, 'hash: out of range');
    return new HashKvJob(this.#parts, this.#compaction, revision);
  }

  /** Begins a list of all versions that a copy at `revision` has; the caller runs it to its end and closes it. */
  listVersions(revision: number): VersionList {
    assert(revision >= this.#compaction.revision && revision <= this.#current, 'versions: out of range');
    return new VersionList(this.#parts, this.#compaction, revision);
  }

  // Images (image.ts)

  /** The changes at [from, to) of the history, which are their keys' last ones, are in no log. */
  markUnlogged(from: number, to: number): void {
    for (let at = from; at < to; at++) this.#parts.rows.markUnlogged(this.#parts.history.row(at));
  }

  /** Starts an image of the current revision. The caller runs it to its end or closes it. */
  image(): ImageMaker {
    return new ImageMaker(this.#parts, this.#compaction, this.#current);
  }

  /** Starts loading an image of `rowCount` keys into this empty store; `endLoad` ends it. */
  beginLoad(rowCount: number, hasHashes = true): ImageLoader {
    return new ImageLoader(this.#parts, rowCount, hasHashes);
  }

  /** The image was of `revision`, with everything below `compactedRevision` gone. */
  endLoad(loader: ImageLoader, revision: number, compactedRevision: number): void {
    loader.finish();
    this.#liveKeyCount = loader.liveCount;
    this.#compaction.restore(compactedRevision);
    this.jumpTo(revision);
  }

  #begin(main: number, sub: number): void {
    const isNext = main > this.#newestMain || (main === this.#newestMain && sub > this.#newestSub);
    assert(isNext && main > this.#current, 'changes ascend');
    assert(main <= Number.MAX_SAFE_INTEGER && sub <= SUB_MAX, 'revision');
    this.#newestMain = main;
    this.#newestSub = sub;
  }

  /** Makes a record just written the version of its key. */
  #setVersion(
    main: number,
    sub: number,
    row: number,
    segment: number,
    offset: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    isCreate: boolean,
  ): number {
    const { history, rows, segments } = this.#parts;
    if (row < 0) return this.#addRow(main, sub, segment, offset, key, keyStart, keyEnd, isCreate);
    const oldSegment = rows.segment(row);
    const oldOffset = rows.offset(row);
    const oldMod = rows.mod(row);
    const last = rows.hasHistory(row) ? rows.last(row) : -1;
    const previous = oldMod === 0 ? 0 : oldSegment;
    const position = history.append(
      row,
      main,
      sub,
      isCreate,
      segment,
      offset,
      previous,
      oldOffset,
      oldMod,
      last,
      rows.isUnlogged(row),
    );
    segments.ownByRow(segment, offset, row);
    if (oldMod !== 0) segments.ownByHistory(oldSegment, oldOffset, position);
    else {
      this.#revive(row, position, key, keyStart, keyEnd);
      // The record kept for the deleted key's bytes goes, unless the deletion's entry still gives it as the previous one.
      if (!segments.isSuperseded(oldSegment, oldOffset)) segments.release(oldSegment, oldOffset);
    }
    rows.setVersion(row, segment, offset, main, position);
    return row;
  }

  #addRow(
    main: number,
    sub: number,
    segment: number,
    offset: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    isCreate: boolean,
  ): number {
    const { hash, history, lives, rows, segments, tree } = this.#parts;
    const row = rows.allocate();
    const position = history.append(row, main, sub, isCreate, segment, offset, 0, 0, 0, -1, false);
    rows.setVersion(row, segment, offset, main, position);
    segments.ownByRow(segment, offset, row);
    hash.insert(key, keyStart, keyEnd, row);
    tree.insert(row, key, keyStart, keyEnd);
    lives.push(position);
    this.#liveKeyCount++;
    return row;
  }

  /** A deleted key that is still known lives again. */
  #revive(row: number, position: number, key: Uint8Array, keyStart: number, keyEnd: number): void {
    this.#parts.tree.setLive(key, keyStart, keyEnd, true);
    this.#parts.rows.setAttachment(row, 0);
    this.#parts.lives.push(position);
    this.#liveKeyCount++;
  }

  #readRow(row: number): KeyValueView {
    const { rows, segments } = this.#parts;
    const segment = rows.segment(row);
    const start = rows.offset(row) + RECORD_HEADER_BYTES;
    return this.#view.read(segments.bytes(segment), start, start + segments.keyValueBytes(segment, rows.offset(row)));
  }

  #isRowWithin(row: number, lower: Uint8Array, upper: Uint8Array | null): boolean {
    const { keys } = this.#parts;
    if (keys.compare(row, lower, 0, lower.length, 0) > 0) return false;
    return upper === null || keys.compare(row, upper, 0, upper.length, 0) > 0;
  }
}
