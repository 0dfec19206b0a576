// Key → row, by open addressing: 256 subtables, each growing by itself, so that no growth step moves more than about 1/256 of the keys
// (40,000 at ten million: half a millisecond). With more of them each would be so small that the C library takes it from its heap,
// which keeps what is freed: at three million keys 1024 subtables left 70 MB of holes.
//
//   slot  [u32 tag][u32 row + 1]    row + 1 = 0: empty; tag is the key's whole hash, so that growing reads no keys
//
//   hash  bits 24…31 choose the subtable; in it, bits 0…15 scaled to the number of 16-slot groups choose a group and
//         bits 16…19 a slot in it: the home. A key sits at the first free slot from its home, going round.
//
// A subtable has any multiple of 16 slots and grows by a quarter at a load of 3/4, so the load is between 0.6 and 0.75.
// Deleting moves later keys of the run back, so there are no tombstones. Subtables do not shrink.
// The hash is base/key-hash.ts's, its seed another one in each store. A snapshot holds the tags, so that another hash is another format of snapshots.

import { assert } from '../base/assert.ts';
import { KeyHash } from '../base/key-hash.ts';
import type { RowKeys } from './row-keys.ts';

const SUBTABLE_COUNT = 256;
const SUBTABLE_SHIFT = 24;
const SLOTS_INITIAL = 16;
/** Keys spread over the tables with a deviation of one per cent at 3 million: few of them then exceed 3/4. */
const RESERVED_LOAD = 0.7;

function home(tag: number, slots: number): number {
  return ((Math.imul(tag & 0xffff, slots >>> 4) >>> 16) << 4) | ((tag >>> 16) & 15);
}

export class HashIndex {
  readonly #keys: RowKeys;
  readonly #hash: KeyHash;
  readonly #tables: Uint32Array[] = [];
  readonly #counts: Int32Array = new Int32Array(SUBTABLE_COUNT);
  #memoryBytes = 0;

  constructor(keys: RowKeys, seed: number) {
    this.#keys = keys;
    this.#hash = new KeyHash(seed);
    for (let i = 0; i < SUBTABLE_COUNT; i++) this.#tables.push(this.#newTable(SLOTS_INITIAL));
  }

  get memoryBytes(): number {
    return this.#memoryBytes;
  }

  get seed(): number {
    return this.#hash.seed;
  }

  /** Makes room for `count` keys in an empty index, so that few tables grow while they come. */
  reserve(count: number): void {
    // Rounded down: small tables differ much, and those that need more grow.
    const slots = Math.floor(count / SUBTABLE_COUNT / RESERVED_LOAD / 16) * 16;
    if (slots <= SLOTS_INITIAL) return;
    this.#memoryBytes = 0;
    for (let i = 0; i < SUBTABLE_COUNT; i++) this.#tables[i] = this.#newTable(slots);
  }

  /** What the keys in the index are found by. */
  tagOf(bytes: Uint8Array, start: number, end: number): number {
    return this.#hash.of(bytes, start, end);
  }

  /** Reads where the search for a tag begins; the value is of no use. */
  touch(tag: number): number {
    const table = this.#tables[tag >>> SUBTABLE_SHIFT];
    return table[home(tag, table.length >>> 1) << 1];
  }

  /** The first row with a tag, which may be of another key; −1: there is none. */
  likelyRow(tag: number): number {
    const table = this.#tables[tag >>> SUBTABLE_SHIFT];
    const { length } = table;
    for (let at = home(tag, length >>> 1) << 1; ; ) {
      const entry = table[at + 1];
      if (entry === 0 || table[at] === tag) return entry - 1;
      at += 2;
      if (at === length) at = 0;
    }
  }

  /** The row of a key, or −1. */
  find(bytes: Uint8Array, start: number, end: number): number {
    const tag = this.#hash.of(bytes, start, end);
    const table = this.#tables[tag >>> SUBTABLE_SHIFT];
    const length = table.length;
    for (let at = home(tag, length >>> 1) << 1; ; ) {
      const entry = table[at + 1];
      if (entry === 0) return -1;
      if (table[at] === tag && this.#keys.equals(entry - 1, bytes, start, end)) return entry - 1;
      at += 2;
      if (at === length) at = 0;
    }
  }

  /** Adds a key that `find` does not find. */
  insert(bytes: Uint8Array, start: number, end: number, row: number): void {
    this.insertTag(this.#hash.of(bytes, start, end), row);
  }

  /** As `insert`, for a key known by its hash. */
  insertTag(tag: number, row: number): void {
    const subtable = tag >>> SUBTABLE_SHIFT;
    const slots = this.#tables[subtable].length >>> 1;
    const count = this.#counts[subtable]++;
    if ((count + 1) * 4 > slots * 3) this.#grow(subtable, slots + (((slots >>> 2) + 15) & ~15));
    place(this.#tables[subtable], tag, row + 1);
  }

  /** Removes a key that is present with this row. */
  remove(bytes: Uint8Array, start: number, end: number, row: number): void {
    const tag = this.#hash.of(bytes, start, end);
    const table = this.#tables[tag >>> SUBTABLE_SHIFT];
    const slots = table.length >>> 1;
    let hole = home(tag, slots);
    for (; table[2 * hole + 1] !== row + 1; hole = next(hole, slots)) {
      assert(table[2 * hole + 1] !== 0, 'hash index: row is not there');
    }
    this.#counts[tag >>> SUBTABLE_SHIFT]--;
    for (let at = next(hole, slots); table[2 * at + 1] !== 0; at = next(at, slots)) {
      // A key may move back into the hole unless its home lies behind the hole, going round.
      const wanted = home(table[2 * at], slots);
      const distance = at >= wanted ? at - wanted : at + slots - wanted;
      const gap = at >= hole ? at - hole : at + slots - hole;
      if (distance < gap) continue;
      table[2 * hole] = table[2 * at];
      table[2 * hole + 1] = table[2 * at + 1];
      hole = at;
    }
    table[2 * hole] = 0;
    table[2 * hole + 1] = 0;
  }

  #grow(subtable: number, slots: number): void {
    const old = this.#tables[subtable];
    const table = this.#newTable(slots);
    for (let at = 0; at < old.length; at += 2) if (old[at + 1] !== 0) place(table, old[at], old[at + 1]);
    this.#tables[subtable] = table;
    this.#memoryBytes -= old.byteLength;
  }

  #newTable(slots: number): Uint32Array {
    this.#memoryBytes += slots * 8;
    return new Uint32Array(slots * 2);
  }
}

function next(slot: number, slots: number): number {
  return slot + 1 === slots ? 0 : slot + 1;
}

function place(table: Uint32Array, tag: number, entry: number): void {
  const slots = table.length >>> 1;
  let slot = home(tag, slots);
  while (table[2 * slot + 1] !== 0) slot = next(slot, slots);
  table[2 * slot] = tag;
  table[2 * slot + 1] = entry;
}
