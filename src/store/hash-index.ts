// Key → row, by open addressing, in up to 256 subtables, each growing by itself, so that no growth step moves more than about 1/256 of the keys
// (40,000 at ten million: half a millisecond). With more of them each would be so small that the C library takes it from its heap,
// which keeps what is freed: at three million keys 1024 subtables left 70 MB of holes. For the same reason there is one at first, which is split
// when it is large: 256 from the start left 45 MB.
//
//   slot  [u32 tag][u32 row + 1]    row + 1 = 0: empty; tag is the key's whole hash, so that growing reads no keys
//
//   hash  bits 24…31 choose a place in the directory of subtables, several neighbours of which may have the same one; in it, bits 0…15
//         scaled to the number of 16-slot groups choose a group and bits 16…19 a slot in it: the home. A key sits at the first
//         free slot from its home, going round.
//
// A subtable has any multiple of 16 slots and grows by a seventh at a load of 0.8, or is split in two, so the load is between 0.7 and 0.8.
// Deleting moves later keys of the run back, so there are no tombstones. Subtables do not shrink.
// The hash is base/key-hash.ts's, its seed another one in each store. A snapshot holds the tags, so that another hash is another format of snapshots.

import { assert } from '../base/assert.ts';
import { KeyHash } from '../base/key-hash.ts';
import type { RowKeys } from './row-keys.ts';

const DIRECTORY_PLACES = 256;
const PLACE_SHIFT = 24;
const SLOTS_INITIAL = 16;
/** 128 KiB. A larger one is split when it is full, while it has several places. */
const SLOTS_SPLIT = 16_384;
/** Of a subtable that is grown or split, and of one that was. */
const FULL_LOAD = 0.8;
const GROWN_LOAD = 0.7;
/** Keys spread over the tables with a deviation of one per cent at 3 million: few of them then exceed FULL_LOAD. */
const RESERVED_LOAD = 0.76;

function home(tag: number, slots: number): number {
  return ((Math.imul(tag & 0xffff, slots >>> 4) >>> 16) << 4) | ((tag >>> 16) & 15);
}

export class HashIndex {
  readonly #keys: RowKeys;
  readonly #hash: KeyHash;
  /** By place. */
  readonly #tables: Uint32Array[];
  /** By place: how many have the same subtable, a power of two; it begins at a multiple of that. */
  readonly #spans: Uint16Array = new Uint16Array(DIRECTORY_PLACES).fill(DIRECTORY_PLACES);
  /** Keys of a subtable, by its first place. */
  readonly #counts: Int32Array = new Int32Array(DIRECTORY_PLACES);
  #memoryBytes = 0;

  constructor(keys: RowKeys, seed: number) {
    this.#keys = keys;
    this.#hash = new KeyHash(seed);
    const table = this.#newTable(SLOTS_INITIAL);
    this.#tables = Array.from({ length: DIRECTORY_PLACES }, () => table);
  }

  get memoryBytes(): number {
    return this.#memoryBytes;
  }

  get seed(): number {
    return this.#hash.seed;
  }

  /** Makes room for `count` keys in an empty index, so that few tables grow while they come. */
  reserve(count: number): void {
    const slots = count / RESERVED_LOAD;
    let span = DIRECTORY_PLACES;
    while (span > 1 && (slots * span) / DIRECTORY_PLACES > SLOTS_SPLIT) span /= 2;
    this.#memoryBytes = 0;
    // Rounded down: small tables differ much, and those that need more grow.
    const each = Math.max(SLOTS_INITIAL, Math.floor((slots * span) / DIRECTORY_PLACES / 16) * 16);
    for (let first = 0; first < DIRECTORY_PLACES; first += span) this.#set(first, span, this.#newTable(each), 0);
  }

  /** What the keys in the index are found by. */
  tagOf(bytes: Uint8Array, start: number, end: number): number {
    return this.#hash.of(bytes, start, end);
  }

  /** Reads where the search for a tag begins; the value is of no use. */
  touch(tag: number): number {
    const table = this.#tables[tag >>> PLACE_SHIFT];
    return table[home(tag, table.length >>> 1) << 1];
  }

  /** The first row with a tag, which may be of another key; −1: there is none. */
  likelyRow(tag: number): number {
    const table = this.#tables[tag >>> PLACE_SHIFT];
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
    const table = this.#tables[tag >>> PLACE_SHIFT];
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
    const place = tag >>> PLACE_SHIFT;
    const slots = this.#tables[place].length >>> 1;
    if (this.#counts[this.#firstOf(place)] >= slots * FULL_LOAD) this.#grow(place);
    this.#counts[this.#firstOf(place)]++;
    enter(this.#tables[place], tag, row + 1);
  }

  /** Removes a key that is present with this row. */
  remove(bytes: Uint8Array, start: number, end: number, row: number): void {
    const tag = this.#hash.of(bytes, start, end);
    const table = this.#tables[tag >>> PLACE_SHIFT];
    const slots = table.length >>> 1;
    let hole = home(tag, slots);
    for (; table[2 * hole + 1] !== row + 1; hole = next(hole, slots)) {
      assert(table[2 * hole + 1] !== 0, 'hash index: row is not there');
    }
    this.#counts[this.#firstOf(tag >>> PLACE_SHIFT)]--;
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

  /** The first place of the subtable that a place has. */
  #firstOf(place: number): number {
    return place & -this.#spans[place];
  }

  #set(first: number, span: number, table: Uint32Array, count: number): void {
    this.#tables.fill(table, first, first + span);
    this.#spans.fill(span, first, first + span);
    this.#counts[first] = count;
  }

  /** Makes room for one more key at least in the subtable of a place. */
  #grow(place: number): void {
    const old = this.#tables[place];
    const span = this.#spans[place];
    const first = this.#firstOf(place);
    if (span === 1 || old.length >>> 1 < SLOTS_SPLIT) this.#rebuild(old, first, span, this.#counts[first]);
    else this.#split(old, first, span / 2);
    this.#memoryBytes -= old.byteLength;
  }

  /** The keys may all be on one side: two subtables of half the size need not have room for them. */
  #split(old: Uint32Array, first: number, span: number): void {
    let upper = 0;
    for (let at = 0; at < old.length; at += 2) {
      if (old[at + 1] !== 0 && old[at] >>> PLACE_SHIFT >= first + span) upper++;
    }
    const lower = this.#counts[first] - upper;
    this.#rebuild(old, first, span, lower);
    this.#rebuild(old, first + span, span, upper);
  }

  /** A new subtable for some places, of those `count` keys of the old one that belong there. */
  #rebuild(old: Uint32Array, first: number, span: number, count: number): void {
    const table = this.#newTable(Math.ceil((count + 1) / GROWN_LOAD / 16) * 16);
    for (let at = 0; at < old.length; at += 2) {
      const place = old[at] >>> PLACE_SHIFT;
      if (old[at + 1] !== 0 && place >= first && place < first + span) enter(table, old[at], old[at + 1]);
    }
    this.#set(first, span, table, count);
  }

  #newTable(slots: number): Uint32Array {
    this.#memoryBytes += slots * 8;
    return new Uint32Array(slots * 2);
  }
}

function next(slot: number, slots: number): number {
  return slot + 1 === slots ? 0 : slot + 1;
}

function enter(table: Uint32Array, tag: number, entry: number): void {
  const slots = table.length >>> 1;
  let slot = home(tag, slots);
  while (table[2 * slot + 1] !== 0) slot = next(slot, slots);
  table[2 * slot] = tag;
  table[2 * slot + 1] = entry;
}
