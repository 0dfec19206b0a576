// Rows of groups, and from a row to the group's number.

import { capacityFor, grownInts, NO_INTS } from './column.ts';

const NONE = -1;

/** Rows to their numbers, dense from 0: open addressing over the rows themselves. */
export class RowTable {
  /** One after another. */
  rows: Int32Array = NO_INTS;
  #slots = new Int32Array(256).fill(NONE);
  #hashes: number[] = [];

  /** The number of the row, always of the same width: the next one where it was not there. */
  numberOf(row: Int32Array): number {
    const hash = hashOf(row);
    let mask = this.#slots.length - 1;
    let place = hash & mask;
    for (let number = this.#slots[place]; number !== NONE; number = this.#slots[place]) {
      if (this.#hashes[number] === hash && isAt(row, this.rows, number * row.length)) return number;
      place = (place + 1) & mask;
    }
    const number = this.#hashes.length;
    this.#hashes.push(hash);
    this.#append(row, number * row.length);
    if (this.#hashes.length * 2 > this.#slots.length) {
      this.#slots = new Int32Array(this.#slots.length * 2).fill(NONE);
      mask = this.#slots.length - 1;
      for (let i = 0; i <= number; i++) this.#insert(i, mask);
    } else this.#slots[place] = number;
    return number;
  }

  #append(row: Int32Array, start: number): void {
    const end = start + row.length;
    if (end > this.rows.length) this.rows = grownInts(this.rows, capacityFor(end));
    this.rows.set(row, start);
  }

  #insert(number: number, mask: number): void {
    let place = this.#hashes[number] & mask;
    while (this.#slots[place] !== NONE) place = (place + 1) & mask;
    this.#slots[place] = number;
  }
}

function hashOf(row: Int32Array): number {
  let hash = 0;
  for (let i = 0; i < row.length; i++) hash = Math.imul(hash ^ row[i], 0x9e3779b1) ^ (hash >>> 15);
  return (hash ^ (hash >>> 16)) & 0x7fffffff;
}

function isAt(row: Int32Array, rows: Int32Array, start: number): boolean {
  for (let i = 0; i < row.length; i++) if (rows[start + i] !== row[i]) return false;
  return true;
}
