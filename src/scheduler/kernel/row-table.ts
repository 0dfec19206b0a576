// Rows of groups to their numbers.

const NONE = -1;

/** Rows to their numbers, dense from 0: open addressing over the rows themselves. */
export class RowTable {
  #slots = new Int32Array(256).fill(NONE);
  #hashes: number[] = [];

  /** The number of the row in `rows`; the next one where it is not there, which is then to be appended. */
  find(row: Int32Array, rows: Int32Array): number {
    const hash = hashOf(row);
    let mask = this.#slots.length - 1;
    let place = hash & mask;
    for (let number = this.#slots[place]; number !== NONE; number = this.#slots[place]) {
      if (this.#hashes[number] === hash && isAt(row, rows, number * row.length)) return number;
      place = (place + 1) & mask;
    }
    const number = this.#hashes.length;
    this.#hashes.push(hash);
    if (this.#hashes.length * 2 > this.#slots.length) {
      this.#slots = new Int32Array(this.#slots.length * 2).fill(NONE);
      mask = this.#slots.length - 1;
      for (let i = 0; i <= number; i++) this.#insert(i, mask);
    } else this.#slots[place] = number;
    return number;
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
