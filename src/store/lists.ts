// Growing lists of numbers for scan results; cleared and used again by their owner.

export class AddressList {
  #items: Float64Array = new Float64Array(64);
  length = 0;

  /** The address at `index`; index < length. */
  at(index: number): number {
    return this.#items[index];
  }

  push(address: number): void {
    if (this.length === this.#items.length) {
      const items = new Float64Array(this.length * 2);
      items.set(this.#items);
      this.#items = items;
    }
    this.#items[this.length++] = address;
  }

  clear(): void {
    this.length = 0;
  }
}

export class RowList {
  #items: Uint32Array = new Uint32Array(64);
  length = 0;

  /** The row at `index`; index < length. */
  at(index: number): number {
    return this.#items[index];
  }

  push(row: number): void {
    if (this.length === this.#items.length) {
      const items = new Uint32Array(this.length * 2);
      items.set(this.#items);
      this.#items = items;
    }
    this.#items[this.length++] = row;
  }

  clear(): void {
    this.length = 0;
  }
}
