// Memory that is never zero when it is used again, and of which nothing is left when it was given back: whoever reads on, or trusts
// memory to be empty, finds bytes that are wrong.

import type { StoreMemory } from './memory.ts';

const LEFT = 0xa5;

export class UsedMemory implements StoreMemory {
  readonly #spare: (ArrayBuffer | SharedArrayBuffer)[] = [];

  allocate(bytes: number): ArrayBuffer {
    return new ArrayBuffer(bytes);
  }

  allocateUsed(bytes: number): ArrayBuffer | SharedArrayBuffer {
    const at = this.#spare.findIndex(({ byteLength }) => byteLength === bytes);
    if (at >= 0) return this.#spare.splice(at, 1)[0];
    const memory = this.allocate(bytes);
    new Uint8Array(memory).fill(LEFT);
    return memory;
  }

  giveBack(memory: ArrayBuffer | SharedArrayBuffer): void {
    new Uint8Array(memory).fill(LEFT);
    this.#spare.push(memory);
  }

  dropped(): void {}

  trim(): void {}
}
