// The hash of all versions up to a revision, as etcd's HashKV computes it (etcd server/storage/mvcc, hash by revision):
// CRC-32C over "key", then for every version in (main, sub) order its revision key and its bytes.
//
//   revision key   revision-key.ts
//   bytes          the marshalled KeyValue; of a deletion, a KeyValue with the key alone
//
// Which versions: every change above the compacted revision C up to the revision asked for (R); of those at or below C,
// the ones that still are their key's version at R. etcd has one exception: if no key at all is live at R, what the
// compaction kept counts: the versions live at C and the deletions at exactly C.
//
// The job works in slices: it gathers the versions at or below C (they have no order of their own once moved), merge
// sorts them, hashes them, then hashes the history. It holds the compaction from the first step to the end or `close`.

import type { Compaction } from './compaction.ts';
import { crc32c } from './crc32c.ts';
import { KeyValueView, keyValueKeyBytes, keyValueKeyStart } from './key-value.ts';
import { TOMBSTONE_KEY_BYTES, writeRevisionKey } from './revision-key.ts';
import { RowPast } from './row-past.ts';
import { addressOffset, addressSegment, RECORD_HEADER_BYTES } from './segments.ts';
import type { StoreParts } from './store-parts.ts';
import { StoreVersionSort } from './store-version-sort.ts';

const BUCKET_NAME: Uint8Array = Buffer.from('key');
const HASH_BYTES_PER_UNIT = 128;

export class HashKvJob {
  readonly #parts: StoreParts;
  readonly #compaction: Compaction;
  readonly revision: number;
  /** The compacted revision when the job started. */
  readonly compactRevision: number;
  #phase: 'gather' | 'gatherCompacted' | 'sort' | 'records' | 'history' | 'done' = 'gather';
  #crc: number = crc32c(0, BUCKET_NAME, 0, BUCKET_NAME.length);
  readonly #sorted: StoreVersionSort;
  #liveCount = 0;
  #cursor = 0;
  readonly #rowEnd: number;
  readonly #view = new KeyValueView();
  readonly #past: RowPast;
  readonly #revisionKey: Uint8Array = new Uint8Array(TOMBSTONE_KEY_BYTES);

  constructor(parts: StoreParts, compaction: Compaction, revision: number) {
    this.#parts = parts;
    this.#sorted = new StoreVersionSort(parts);
    this.#past = new RowPast(parts);
    this.#compaction = compaction;
    this.revision = revision;
    this.compactRevision = compaction.revision;
    this.#rowEnd = parts.rows.end;
    compaction.hold();
  }

  /** The hash; only when `step` has returned true. */
  get hash(): number {
    return this.#crc;
  }

  /** Ends the job early; harmless when it is done. */
  close(): void {
    if (this.#phase === 'done') return;
    this.#phase = 'done';
    this.#compaction.release();
  }

  /** Does about `units` of work (a row, a merged item, 128 hashed bytes); true when done. */
  step(units: number): boolean {
    let left = units;
    while (left > 0 && this.#phase !== 'done') {
      if (this.#phase === 'gather') left = this.#gather(this.revision, left);
      else if (this.#phase === 'gatherCompacted') left = this.#gather(this.compactRevision, left);
      else if (this.#phase === 'sort') {
        left = this.#sorted.step(left);
        if (left > 0) this.#phase = 'records';
      } else if (this.#phase === 'records') left = this.#hashItems(left);
      else left = this.#hashHistory(left);
    }
    return this.#phase === 'done';
  }

  #gather(revision: number, units: number): number {
    const { rows, segments } = this.#parts;
    for (; this.#cursor < this.#rowEnd; this.#cursor++) {
      if (units-- <= 0) return 0;
      if (!rows.isUsed(this.#cursor)) continue;
      units -= this.#past.walk(this.#cursor, revision, units);
      if (!this.#past.isFound) return 0;
      const { address } = this.#past;
      if (address === 0) continue;
      this.#liveCount++;
      const offset = addressOffset(address) + RECORD_HEADER_BYTES;
      const main = this.#view.readHead(segments.bytes(addressSegment(address)), offset).modRevision;
      if (main <= this.compactRevision) this.#sorted.add(main, address);
    }
    this.#cursor = 0;
    if (this.#phase === 'gather' && this.#liveCount === 0) {
      this.#phase = 'gatherCompacted';
      return units;
    }
    if (this.#phase === 'gatherCompacted') this.#sorted.addDeletions(this.compactRevision);
    this.#phase = 'sort';
    return units;
  }

  #hashItems(units: number): number {
    for (; this.#cursor < this.#sorted.count; this.#cursor++) {
      if (units <= 0) return 0;
      const item = this.#sorted.item(this.#cursor);
      if (item < 0) units -= this.#hashDeletion(-1 - item);
      else units -= this.#hashRecord(this.#sorted.main(this.#cursor), this.#sorted.subOf(item), item);
    }
    this.#cursor = this.#parts.history.seek(this.compactRevision + 1);
    this.#phase = 'history';
    return units;
  }

  #hashHistory(units: number): number {
    const { history } = this.#parts;
    for (; this.#cursor < history.tail && history.main(this.#cursor) <= this.revision; this.#cursor++) {
      if (units <= 0) return 0;
      if (history.isDelete(this.#cursor)) units -= this.#hashDeletion(this.#cursor);
      else {
        const address = this.#parts.recordOf(this.#cursor);
        units -= this.#hashRecord(history.main(this.#cursor), history.sub(this.#cursor), address);
      }
    }
    this.close();
    return 0;
  }

  #hashRecord(main: number, sub: number, address: number): number {
    const { segments } = this.#parts;
    const segment = addressSegment(address);
    const start = addressOffset(address) + RECORD_HEADER_BYTES;
    const end = start + segments.keyValueBytes(segment, addressOffset(address));
    this.#hashRevision(main, sub, false);
    this.#crc = crc32c(this.#crc, segments.bytes(segment), start, end);
    return 1 + (end - start) / HASH_BYTES_PER_UNIT;
  }

  #hashDeletion(position: number): number {
    const { history, rows, segments } = this.#parts;
    this.#hashRevision(history.main(position), history.sub(position), true);
    const row = history.row(position);
    const bytes = segments.bytes(rows.segment(row));
    const record = rows.offset(row) + RECORD_HEADER_BYTES;
    // A record starts with the key field, which is all that the KeyValue of a deletion has.
    const keyEnd = keyValueKeyStart(bytes, record) + keyValueKeyBytes(bytes, record);
    this.#crc = crc32c(this.#crc, bytes, record, keyEnd);
    return 1 + (keyEnd - record) / HASH_BYTES_PER_UNIT;
  }

  #hashRevision(main: number, sub: number, isDelete: boolean): void {
    const bytes = writeRevisionKey(this.#revisionKey, main, sub, isDelete);
    this.#crc = crc32c(this.#crc, this.#revisionKey, 0, bytes);
  }
}
