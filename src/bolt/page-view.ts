// Leaf and branch pages as they lie in a buffer that begins with the page's header. `wrong` checks what a page says of
// itself against its size; the other methods are only for a page of which it found nothing.

import { ELEMENT_BUCKET, ELEMENT_BYTES, PAGE_HEADER_BYTES, PAGE_LEAF } from './page-format.ts';

abstract class PageView {
  readonly buffer: Buffer;
  /** Of the page, for messages. */
  readonly fileOffset: number;
  readonly count: number;

  constructor(buffer: Buffer, fileOffset: number) {
    this.buffer = buffer;
    this.fileOffset = fileOffset;
    this.count = buffer.length < PAGE_HEADER_BYTES ? 0 : buffer.readUInt16LE(10);
  }

  abstract keyStart(index: number): number;
  abstract keyEnd(index: number): number;

  copyKey(index: number): Uint8Array {
    return Uint8Array.prototype.slice.call(this.buffer, this.keyStart(index), this.keyEnd(index));
  }

  /** What is wrong with the page, or undefined. `bytesOf` is the size of what an element points to. */
  protected wrongWith(bytesOf: (at: number) => number, positionAt: number): string | undefined {
    const { buffer, count } = this;
    if (buffer.length < PAGE_HEADER_BYTES) return 'a page is cut off';
    const dataStart = PAGE_HEADER_BYTES + count * ELEMENT_BYTES;
    if (dataStart > buffer.length) return `a page has ${count} elements`;
    for (let i = 0; i < count; i++) {
      const at = PAGE_HEADER_BYTES + i * ELEMENT_BYTES;
      const start = at + buffer.readUInt32LE(at + positionAt);
      if (start < dataStart || start + bytesOf(at) > buffer.length) return `element ${i} of a page lies outside of it`;
    }
    return undefined;
  }
}

export class LeafPage extends PageView {
  wrong(): string | undefined {
    const { buffer } = this;
    const wrong = this.wrongWith((at) => buffer.readUInt32LE(at + 8) + buffer.readUInt32LE(at + 12), 4);
    return wrong ?? (buffer.readUInt16LE(8) === PAGE_LEAF ? undefined : 'a leaf has other flags');
  }

  keyStart(index: number): number {
    const at = PAGE_HEADER_BYTES + index * ELEMENT_BYTES;
    return at + this.buffer.readUInt32LE(at + 4);
  }

  keyEnd(index: number): number {
    return this.keyStart(index) + this.buffer.readUInt32LE(PAGE_HEADER_BYTES + index * ELEMENT_BYTES + 8);
  }

  /** The value begins where the key ends. */
  valueStart(index: number): number {
    return this.keyEnd(index);
  }

  valueEnd(index: number): number {
    return this.keyEnd(index) + this.buffer.readUInt32LE(PAGE_HEADER_BYTES + index * ELEMENT_BYTES + 12);
  }

  isBucket(index: number): boolean {
    return (this.buffer.readUInt32LE(PAGE_HEADER_BYTES + index * ELEMENT_BYTES) & ELEMENT_BUCKET) !== 0;
  }
}

export class BranchPage extends PageView {
  wrong(): string | undefined {
    if (this.count === 0) return 'a branch is empty';
    return this.wrongWith((at) => this.buffer.readUInt32LE(at + 4), 0);
  }

  keyStart(index: number): number {
    const at = PAGE_HEADER_BYTES + index * ELEMENT_BYTES;
    return at + this.buffer.readUInt32LE(at);
  }

  keyEnd(index: number): number {
    return this.keyStart(index) + this.buffer.readUInt32LE(PAGE_HEADER_BYTES + index * ELEMENT_BYTES + 4);
  }

  child(index: number): number {
    return Number(this.buffer.readBigUInt64LE(PAGE_HEADER_BYTES + index * ELEMENT_BYTES + 8));
  }
}
