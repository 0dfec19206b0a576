// What is known by a uid: a map from uids to entries that keeps no texts, for millions of entries. A uid is a UUID nearly always; its 16 bytes lie in a column,
// and its text is made when somebody asks for it.
//
//   entries  without gaps: the last one moves to where one has left. Each knows its place here (uidSlot), which others do not hold on to
//   uids     16 bytes by slot; zeros: it is no UUID in its one form (uuid.ts), and lies as text in #odd
//   places   2^n, linear probing: a slot + 1, 0 is free. At most half of them are taken. Odd ones are in none
//
// Columns double when they are full and are halved when a quarter is in use, and places with them: what a burst has taken is given back.
//
// The hash has no secret in it: uids are random, made by API servers, which take none from their clients. Those that are numbered are spread as well.
// Limit: 2^26 entries (asserted).

import { assert } from './assert.ts';
import { avalanche } from './avalanche.ts';
import { readUuid, UUID_BYTES, uuidText } from './uuid.ts';

const CAPACITY_MIN = 64;
const CAPACITY_MAX = 2 ** 26;
const UID_WORDS = UUID_BYTES / 4;
/** Places for each slot, a power of two: half of them are free at least. */
const PLACES_A_SLOT = 2;

/** What may be in a table, in one at most. */
export interface UidEntry {
  /** The table's to write; −1: it is in none. */
  uidSlot: number;
}

export class UidTable<E extends UidEntry> {
  readonly #entries: E[] = [];
  #bytes = new Uint8Array(CAPACITY_MIN * UUID_BYTES);
  /** The same as words. */
  #words = new Int32Array(this.#bytes.buffer);
  #places = new Int32Array(CAPACITY_MIN * PLACES_A_SLOT);
  readonly #odd = new Map<string, E>();
  readonly #oddTexts = new Map<E, string>();
  /** The UUID that was read last. */
  readonly #scratch = new Uint8Array(UUID_BYTES);
  readonly #wanted = new Int32Array(this.#scratch.buffer);

  get size(): number {
    return this.#entries.length;
  }

  /** In no order; valid until `add` or `delete`. */
  get entries(): readonly E[] {
    return this.#entries;
  }

  get(uid: string): E | undefined {
    if (!readUuid(uid, this.#scratch)) return this.#odd.get(uid);
    const place = this.#find();
    return place < 0 ? undefined : this.#entries[this.#places[place] - 1];
  }

  /** The uid of an entry that is in the table, as text made anew. */
  uidOf(entry: E): string {
    const slot = entry.uidSlot;
    assert(this.#entries[slot] === entry, 'an entry that is in the table');
    return this.#isOdd(slot) ? (this.#oddTexts.get(entry) ?? '') : uuidText(this.#bytes, slot * UUID_BYTES);
  }

  /** The uid is nobody's yet (asserted). */
  add(uid: string, entry: E): void {
    assert(entry.uidSlot < 0, 'an entry is in one table');
    const slot = this.#entries.length;
    if (slot === this.#capacity) this.#resize(2 * slot);
    if (readUuid(uid, this.#scratch)) {
      assert(this.#find() < 0, 'a uid is of one entry');
      this.#bytes.set(this.#scratch, slot * UUID_BYTES);
      this.#place(slot);
    } else {
      assert(!this.#odd.has(uid), 'a uid is of one entry');
      this.#bytes.fill(0, slot * UUID_BYTES, (slot + 1) * UUID_BYTES);
      this.#odd.set(uid, entry);
      this.#oddTexts.set(entry, uid);
    }
    entry.uidSlot = slot;
    this.#entries.push(entry);
  }

  /** False: nobody is known by it. */
  delete(uid: string): boolean {
    if (readUuid(uid, this.#scratch)) {
      const place = this.#find();
      if (place < 0) return false;
      const slot = this.#places[place] - 1;
      this.#unplace(place);
      this.#leave(slot);
      return true;
    }
    const entry = this.#odd.get(uid);
    if (entry === undefined) return false;
    this.#odd.delete(uid);
    this.#oddTexts.delete(entry);
    this.#leave(entry.uidSlot);
    return true;
  }

  get #capacity(): number {
    return this.#words.length / UID_WORDS;
  }

  /** The place of the UUID that was read last; −1: it has none. */
  #find(): number {
    const [places, words, wanted] = [this.#places, this.#words, this.#wanted];
    const mask = places.length - 1;
    for (let place = hashAt(wanted, 0) & mask; ; place = (place + 1) & mask) {
      const at = (places[place] - 1) * UID_WORDS;
      if (at < 0) return -1;
      if (
        words[at] === wanted[0] &&
        words[at + 1] === wanted[1] &&
        words[at + 2] === wanted[2] &&
        words[at + 3] === wanted[3]
      )
        return place;
    }
  }

  #isOdd(slot: number): boolean {
    const words = this.#words;
    const at = slot * UID_WORDS;
    return (words[at] | words[at + 1] | words[at + 2] | words[at + 3]) === 0;
  }

  /** The first place that holds the number, from where the slot's UUID wants to be: its own by slot + 1, a free one by 0. */
  #placeOf(slot: number, number: number): number {
    const places = this.#places;
    const mask = places.length - 1;
    let place = hashAt(this.#words, slot * UID_WORDS) & mask;
    while (places[place] !== number) place = (place + 1) & mask;
    return place;
  }

  #place(slot: number): void {
    this.#places[this.#placeOf(slot, 0)] = slot + 1;
  }

  /** Moves up what would not be found any more behind a gap. */
  #unplace(from: number): void {
    const places = this.#places;
    const mask = places.length - 1;
    let gap = from;
    for (let place = (gap + 1) & mask; places[place] !== 0; place = (place + 1) & mask) {
      const wanted = hashAt(this.#words, (places[place] - 1) * UID_WORDS) & mask;
      // Whether the gap lies from where it wants to be to where it is, going round.
      if (((place - wanted) & mask) < ((place - gap) & mask)) continue;
      places[gap] = places[place];
      gap = place;
    }
    places[gap] = 0;
  }

  /** The slot, which has no place any more, is the last entry's. */
  #leave(slot: number): void {
    const entries = this.#entries;
    const entry = entries[slot];
    const last = entries.pop();
    if (last !== undefined && last !== entry) {
      if (!this.#isOdd(last.uidSlot)) this.#places[this.#placeOf(last.uidSlot, last.uidSlot + 1)] = slot + 1;
      this.#words.copyWithin(slot * UID_WORDS, last.uidSlot * UID_WORDS, (last.uidSlot + 1) * UID_WORDS);
      entries[slot] = last;
      last.uidSlot = slot;
    }
    entry.uidSlot = -1;
    const capacity = this.#capacity;
    if (capacity > CAPACITY_MIN && 4 * entries.length < capacity) this.#resize(capacity / 2);
  }

  /** To a power of two. */
  #resize(capacity: number): void {
    assert(capacity <= CAPACITY_MAX, 'too many entries');
    const bytes = new Uint8Array(capacity * UUID_BYTES);
    bytes.set(this.#bytes.subarray(0, this.size * UUID_BYTES));
    this.#bytes = bytes;
    this.#words = new Int32Array(bytes.buffer);
    this.#places = new Int32Array(capacity * PLACES_A_SLOT);
    for (let slot = 0; slot < this.size; slot++) if (!this.#isOdd(slot)) this.#place(slot);
  }
}

/** Of the UUID whose words begin there. */
function hashAt(words: Int32Array, at: number): number {
  const upper = Math.imul(words[at], 0x9e37_79b1) ^ words[at + 1];
  const lower = Math.imul(words[at + 2], 0x85eb_ca77) ^ words[at + 3];
  return avalanche(Math.imul(upper ^ (upper >>> 15), 0xc2b2_ae3d) ^ lower);
}
