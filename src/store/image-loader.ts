// Fills an empty store from an image (image.ts), block by block in the image's order. No key is looked up or compared:
//
//   records      become segments as they are
//   rows         become rows; each key goes into a hash table of its final size by its stored hash, or at the end, where the
//                image's hashes are of no use
//   changes      are appended to the history; links between a key's changes follow from their order
//   end          the key tree is built bottom-up
//
// What an image is checked against is the file's business (checksums); here a wrong one is an assertion.

import { assert } from '../base/assert.ts';
import {
  IMAGE_CHANGE_BYTES,
  IMAGE_CREATE,
  IMAGE_DELETION,
  IMAGE_ROW_BYTES,
  IMAGE_SUB_MASK,
  type ImageBlockKind,
} from './image.ts';
import type { StoreParts } from './store-parts.ts';

export class ImageLoader {
  readonly #parts: StoreParts;
  readonly #rowCount: number;
  readonly #hasHashes: boolean;
  #rows = 0;
  liveCount = 0;

  /** `rowCount` is of the whole image. `hasHashes`: its rows have those of base/key-hash.ts under the store's seed. */
  constructor(parts: StoreParts, rowCount: number, hasHashes: boolean) {
    assert(parts.rows.end === 0 && parts.history.tail === 0, 'an image is loaded into an empty store');
    this.#parts = parts;
    this.#rowCount = rowCount;
    this.#hasHashes = hasHashes;
    parts.hash.reserve(rowCount);
  }

  /** Memory to read a block of `bytes` into; `accept` then takes it over. */
  memoryFor(kind: ImageBlockKind, bytes: number): ArrayBuffer | SharedArrayBuffer {
    if (kind === 'records') return this.#parts.memory.allocate(bytes);
    return new ArrayBuffer(bytes);
  }

  /** The block is in memory[0, bytes). Attachments are the caller's. */
  accept(kind: ImageBlockKind, memory: ArrayBuffer | SharedArrayBuffer, count: number, mainMax: number): void {
    if (kind === 'records') this.#parts.segments.adopt(memory, mainMax);
    else if (kind === 'rows') this.#acceptRows(memory, count);
    else if (kind === 'changes') this.#acceptChanges(memory, count);
  }

  /** All blocks are there. */
  finish(): void {
    const { rows, tree } = this.#parts;
    assert(this.#rows === this.#rowCount, 'image: rows');
    if (!this.#hasHashes) this.#hashKeys();
    tree.build(this.#rowCount, (row) => rows.mod(row) !== 0);
  }

  /** The records of all rows are there by now. */
  #hashKeys(): void {
    const { hash, keys } = this.#parts;
    for (let row = 0; row < this.#rowCount; row++) {
      const key = keys.copy(row);
      hash.insert(key, 0, key.length, row);
    }
  }

  #acceptRows(memory: ArrayBuffer | SharedArrayBuffer, count: number): void {
    const { hash, rows } = this.#parts;
    const words = new Uint32Array(memory, 0, count * (IMAGE_ROW_BYTES / 4));
    const doubles = new Float64Array(memory, 0, count * (IMAGE_ROW_BYTES / 8));
    for (let at = 0, double = 0; at < words.length; at += IMAGE_ROW_BYTES / 4, double += IMAGE_ROW_BYTES / 8) {
      const row = rows.allocate();
      const mod = doubles[double + 1];
      rows.setRecord(row, words[at], words[at + 1]);
      rows.setMod(row, mod);
      if (this.#hasHashes) hash.insertTag(words[at + 5], row);
      if (mod !== 0) this.liveCount++;
    }
    this.#rows += count;
  }

  #acceptChanges(memory: ArrayBuffer | SharedArrayBuffer, count: number): void {
    const { history, lives, rows } = this.#parts;
    const words = new Uint32Array(memory, 0, count * (IMAGE_CHANGE_BYTES / 4));
    const doubles = new Float64Array(memory, 0, count * (IMAGE_CHANGE_BYTES / 8));
    for (let at = 0, double = 0; at < words.length; at += IMAGE_CHANGE_BYTES / 4, double += IMAGE_CHANGE_BYTES / 8) {
      const row = words[at];
      const flags = words[at + 1];
      const previousSegment = words[at + 2];
      const previousOffset = words[at + 3];
      const previousMain = doubles[double + 3];
      const isDelete = (flags & IMAGE_DELETION) !== 0;
      const last = rows.hasHistory(row) ? rows.last(row) : -1;
      // Its own record is the row's, until a later change of the key names it as the one replaced.
      const position = history.append(
        row,
        doubles[double + 2],
        flags & IMAGE_SUB_MASK,
        (flags & IMAGE_CREATE) !== 0,
        isDelete ? 0 : rows.segment(row),
        isDelete ? 0 : rows.offset(row),
        previousSegment,
        previousOffset,
        previousMain,
        last,
        false,
      );
      if (last >= 0 && previousSegment !== 0) history.moveOwn(last, previousSegment, previousOffset);
      rows.setLast(row, position);
      if (isDelete || previousMain === 0) lives.push(position);
    }
  }
}
