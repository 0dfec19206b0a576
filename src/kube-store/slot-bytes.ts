// Bytes by slot, a small number: those of a million objects for a while, with nothing of each on the JavaScript heap. What has gone leaves no holes that
// stay: its memory is given back.
//
//   slab     SLAB_BYTES: records one behind another; one that is longer has a slab of its own
//   record   slot: 4 bytes | length: 4 | revision: 8, a double | bytes, up to a multiple of 8
//   by slot  where its record begins: slab × UNITS + place in units of 8 bytes, and 1 more; 0: it has none
//
// A record whose slot begins elsewhere is dead. A slab without live ones is given back at once. When all take more than twice what lives and two
// slabs, those with the least in them are emptied into the last one.

import { type BytesRange, copyBytes } from '../base/bytes.ts';

const SLAB_BYTES = 1024 * 1024;
const UNIT_BYTES = 8;
const UNITS = SLAB_BYTES / UNIT_BYTES;
const HEAD_BYTES = 16;
const SLOTS_MIN = 64;

class Slab {
  readonly bytes: Buffer;
  readonly words: Uint32Array;
  readonly doubles: Float64Array;
  /** Of its records, in bytes. */
  end = 0;
  live = 0;

  constructor(length: number) {
    const memory = new ArrayBuffer(length);
    this.bytes = Buffer.from(memory);
    this.words = new Uint32Array(memory);
    this.doubles = new Float64Array(memory);
  }

  get length(): number {
    return this.bytes.length;
  }
}

/** A slot's bytes where they lie: valid until `put` or `drop`. */
export interface FoundBytes extends BytesRange {
  readonly bytes: Buffer;
  readonly revision: number;
}

export class SlotBytes {
  /** By number; undefined: it is free. */
  readonly #slabs: (Slab | undefined)[] = [];
  readonly #freeNumbers: number[] = [];
  /** Where records are added. */
  #last = -1;
  #starts = new Uint32Array(SLOTS_MIN);
  /** Of all slabs, and of live records. */
  #slabBytes = 0;
  #liveBytes = 0;

  /** What is kept takes. */
  get liveBytes(): number {
    return this.#liveBytes;
  }

  /** Memory in all, but for four bytes a slot. */
  get slabBytes(): number {
    return this.#slabBytes;
  }

  /** What it would take. */
  static sizeOf(length: number): number {
    return HEAD_BYTES + Math.ceil(length / UNIT_BYTES) * UNIT_BYTES;
  }

  /** Keeps a copy, for a slot that has none. */
  put(slot: number, revision: number, { bytes, start, end }: BytesRange): void {
    if (slot >= this.#starts.length) this.#grow(slot + 1);
    const length = end - start;
    const size = SlotBytes.sizeOf(length);
    const slab = this.#slabFor(size);
    const word = slab.end / 4;
    slab.words[word] = slot;
    slab.words[word + 1] = length;
    slab.doubles[slab.end / UNIT_BYTES + 1] = revision;
    copyBytes(slab.bytes, slab.end + HEAD_BYTES, bytes, start, end);
    this.#starts[slot] = 1 + this.#last * UNITS + slab.end / UNIT_BYTES;
    slab.end += size;
    slab.live += size;
    this.#liveBytes += size;
  }

  find(slot: number): FoundBytes | undefined {
    const start = this.#starts[slot] ?? 0;
    if (start === 0) return undefined;
    const slab = this.#slabs[Math.floor((start - 1) / UNITS)];
    if (slab === undefined) return undefined;
    const at = ((start - 1) % UNITS) * UNIT_BYTES;
    const from = at + HEAD_BYTES;
    const revision = slab.doubles[at / UNIT_BYTES + 1];
    return { bytes: slab.bytes, start: from, end: from + slab.words[at / 4 + 1], revision };
  }

  drop(slot: number): void {
    const start = this.#starts[slot] ?? 0;
    if (start === 0) return;
    this.#starts[slot] = 0;
    const number = Math.floor((start - 1) / UNITS);
    const slab = this.#slabs[number];
    if (slab === undefined) return;
    const at = ((start - 1) % UNITS) * UNIT_BYTES;
    const size = SlotBytes.sizeOf(slab.words[at / 4 + 1]);
    slab.live -= size;
    this.#liveBytes -= size;
    if (slab.live === 0) this.#release(number, slab);
    this.#reclaim();
  }

  /** The last one, with room for a record of that size. */
  #slabFor(size: number): Slab {
    const last = this.#slabs[this.#last];
    if (last !== undefined && last.end + size <= last.length) return last;
    const slab = new Slab(Math.max(SLAB_BYTES, size));
    this.#last = this.#freeNumbers.pop() ?? this.#slabs.length;
    this.#slabs[this.#last] = slab;
    this.#slabBytes += slab.length;
    return slab;
  }

  #release(number: number, slab: Slab): void {
    if (number === this.#last) {
      // It is filled anew.
      if (slab.length === SLAB_BYTES) {
        slab.end = 0;
        return;
      }
      this.#last = -1;
    }
    this.#slabs[number] = undefined;
    this.#freeNumbers.push(number);
    this.#slabBytes -= slab.length;
  }

  #reclaim(): void {
    while (this.#slabBytes > 2 * (this.#liveBytes + SLAB_BYTES)) {
      let emptiest = -1;
      let share = 1;
      for (const [number, slab] of this.#slabs.entries()) {
        if (slab === undefined || number === this.#last || slab.live / slab.length >= share) continue;
        emptiest = number;
        share = slab.live / slab.length;
      }
      const slab = this.#slabs[emptiest];
      if (slab === undefined) return;
      this.#move(emptiest, slab);
    }
  }

  #move(number: number, slab: Slab): void {
    for (let at = 0; at < slab.end; ) {
      const slot = slab.words[at / 4];
      const length = slab.words[at / 4 + 1];
      if (this.#starts[slot] === 1 + number * UNITS + at / UNIT_BYTES) {
        const from = at + HEAD_BYTES;
        this.#liveBytes -= SlotBytes.sizeOf(length);
        this.put(slot, slab.doubles[at / UNIT_BYTES + 1], { bytes: slab.bytes, start: from, end: from + length });
      }
      at += SlotBytes.sizeOf(length);
    }
    this.#release(number, slab);
  }

  #grow(slots: number): void {
    const grown = new Uint32Array(Math.max(slots, 2 * this.#starts.length));
    grown.set(this.#starts);
    this.#starts = grown;
  }
}
