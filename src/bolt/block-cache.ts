// Reads of a file in blocks, the newest few of which are kept: leaves mostly follow each other, so that one read serves many
// pages. A range is given as a place in a block's buffer; one that is no block's is read on its own.
//
// A buffer given out is never written again, only forgotten.

import { assert } from '../base/assert.ts';

/** A file that does not change while it is read. */
export interface RandomAccess {
  /** For messages. */
  readonly path: string;
  readonly bytes: number;
  /** Fills `target` from `position` on; the result is less than its length only at the end of the file. */
  read(target: Uint8Array, position: number): Promise<number>;
}

export interface BufferPlace {
  readonly buffer: Buffer;
  readonly start: number;
}

const BLOCK_BYTES = 262_144;
const BLOCKS_MAX = 64;

export class BlockCache {
  readonly #file: RandomAccess;
  /** By number; the order of insertion is the order of the last use. */
  readonly #blocks = new Map<number, Buffer>();

  constructor(file: RandomAccess) {
    this.#file = file;
  }

  /** The range, if it is in memory. */
  get(offset: number, bytes: number): BufferPlace | undefined {
    const number = Math.floor(offset / BLOCK_BYTES);
    const block = this.#blocks.get(number);
    const start = offset - number * BLOCK_BYTES;
    return block === undefined || start + bytes > block.length ? undefined : { buffer: block, start };
  }

  /** The range, which lies within the file. */
  async load(offset: number, bytes: number): Promise<BufferPlace> {
    assert(offset >= 0 && offset + bytes <= this.#file.bytes, 'a range of the file');
    const cached = this.get(offset, bytes);
    if (cached !== undefined) return cached;
    const number = Math.floor(offset / BLOCK_BYTES);
    const blockStart = number * BLOCK_BYTES;
    if (offset + bytes > blockStart + BLOCK_BYTES) {
      return { buffer: await this.#read(offset, bytes), start: 0 };
    }
    const block = await this.#read(blockStart, Math.min(BLOCK_BYTES, this.#file.bytes - blockStart));
    this.#blocks.delete(number);
    this.#blocks.set(number, block);
    for (const oldest of this.#blocks.keys()) {
      if (this.#blocks.size <= BLOCKS_MAX) break;
      this.#blocks.delete(oldest);
    }
    return { buffer: block, start: offset - blockStart };
  }

  async #read(offset: number, bytes: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafeSlow(bytes);
    const filled = await this.#file.read(buffer, offset);
    assert(filled === bytes, `${this.#file.path} became shorter while it was read`);
    return buffer;
  }
}
