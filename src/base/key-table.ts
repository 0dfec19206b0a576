// Keys, which are bytes, to small numbers: a hash table that has nothing on the JavaScript heap, for millions of keys.
//
//   table    2^n places, linear probing; a place holds a slot + 1, 0 is free. At most LOAD of them are taken.
//   by slot  hash, where the key lies in `arena`, and its length; FREE: no key has the slot
//   arena    the keys, one behind the other. What deleted ones leave is reclaimed when it is full and mostly that.
//
// A slot is its key's from `add` to `remove`, and another's afterwards. Limit: 4 GiB of keys (asserted).

import { assert } from './assert.ts';
import { copyBytes, equalBytes } from './bytes.ts';
import { KeyHash } from './key-hash.ts';

const PLACES_MIN = 64;
const ARENA_BYTES_MIN = 4096;
/** Of the places. */
const LOAD = 0.6;
const FREE = 0xffff_ffff;

export class KeyTable {
  readonly #hash: KeyHash;
  #places = new Int32Array(PLACES_MIN);
  #hashes = new Uint32Array(PLACES_MIN);
  #starts = new Uint32Array(PLACES_MIN).fill(FREE);
  #lengths = new Uint32Array(PLACES_MIN);
  #arena = Buffer.allocUnsafeSlow(ARENA_BYTES_MIN);
  #arenaEnd = 0;
  /** Of the keys that are there. */
  #keyBytes = 0;
  #free: number[] = [];
  #end = 0;
  #size = 0;

  /** `seed` is a whole number from 0 to 2^32 − 1: a random one where others choose the keys. */
  constructor(seed: number) {
    this.#hash = new KeyHash(seed);
  }

  get size(): number {
    return this.#size;
  }

  /** Slots below it may be in use. */
  get end(): number {
    return this.#end;
  }

  /** The slot of bytes[start, end); −1: there is no such key. */
  find(bytes: Uint8Array, start: number, end: number): number {
    const hash = this.#hash.of(bytes, start, end);
    const mask = this.#places.length - 1;
    for (let place = hash & mask; ; place = (place + 1) & mask) {
      const slot = this.#places[place] - 1;
      if (slot < 0) return -1;
      if (this.#hashes[slot] !== hash) continue;
      const at = this.#starts[slot];
      if (equalBytes(this.#arena, at, at + this.#lengths[slot], bytes, start, end)) return slot;
    }
  }

  /** The slot of a key that is not there yet. */
  add(bytes: Uint8Array, start: number, end: number): number {
    if (this.#size + 1 > LOAD * this.#places.length) this.#growPlaces();
    const slot = this.#free.pop() ?? this.#end++;
    if (slot >= this.#hashes.length) this.#growSlots();
    const length = end - start;
    this.#room(length);
    copyBytes(this.#arena, this.#arenaEnd, bytes, start, end);
    this.#hashes[slot] = this.#hash.of(bytes, start, end);
    this.#starts[slot] = this.#arenaEnd;
    this.#lengths[slot] = length;
    this.#arenaEnd += length;
    this.#keyBytes += length;
    this.#size++;
    this.#place(slot);
    return slot;
  }

  has(slot: number): boolean {
    return slot < this.#end && this.#starts[slot] !== FREE;
  }

  /** The key that has the slot, as UTF-8. */
  textAt(slot: number): string {
    assert(this.has(slot), 'a slot that a key has');
    const at = this.#starts[slot];
    return this.#arena.toString('utf8', at, at + this.#lengths[slot]);
  }

  remove(slot: number): void {
    assert(this.has(slot), 'a slot that a key has');
    this.#unplace(slot);
    this.#starts[slot] = FREE;
    this.#keyBytes -= this.#lengths[slot];
    this.#size--;
    this.#free.push(slot);
  }

  #place(slot: number): void {
    const places = this.#places;
    const mask = places.length - 1;
    let place = this.#hashes[slot] & mask;
    while (places[place] !== 0) place = (place + 1) & mask;
    places[place] = slot + 1;
  }

  /** Moves up what would not be found any more behind a gap. */
  #unplace(slot: number): void {
    const places = this.#places;
    const mask = places.length - 1;
    let gap = this.#hashes[slot] & mask;
    while (places[gap] !== slot + 1) gap = (gap + 1) & mask;
    for (let place = (gap + 1) & mask; places[place] !== 0; place = (place + 1) & mask) {
      const wanted = this.#hashes[places[place] - 1] & mask;
      // Whether the gap lies from where it wants to be to where it is, going round.
      if (((place - wanted) & mask) < ((place - gap) & mask)) continue;
      places[gap] = places[place];
      gap = place;
    }
    places[gap] = 0;
  }

  #growPlaces(): void {
    this.#places = new Int32Array(2 * this.#places.length);
    for (let slot = 0; slot < this.#end; slot++) if (this.has(slot)) this.#place(slot);
  }

  #growSlots(): void {
    const length = 2 * this.#hashes.length;
    const [hashes, starts, lengths] = [this.#hashes, this.#starts, this.#lengths];
    this.#hashes = new Uint32Array(length);
    this.#hashes.set(hashes);
    this.#starts = new Uint32Array(length).fill(FREE);
    this.#starts.set(starts);
    this.#lengths = new Uint32Array(length);
    this.#lengths.set(lengths);
  }

  /** Makes room for so many bytes of a key. */
  #room(bytes: number): void {
    const arena = this.#arena;
    if (this.#arenaEnd + bytes <= arena.length) return;
    const needed = 2 * (this.#keyBytes + bytes);
    assert(needed < FREE, 'keys of less than 4 GiB');
    this.#arena = Buffer.allocUnsafeSlow(Math.max(needed, ARENA_BYTES_MIN));
    let at = 0;
    for (let slot = 0; slot < this.#end; slot++) {
      if (!this.has(slot)) continue;
      const start = this.#starts[slot];
      const length = this.#lengths[slot];
      copyBytes(this.#arena, at, arena, start, start + length);
      this.#starts[slot] = at;
      at += length;
    }
    this.#arenaEnd = at;
  }
}
