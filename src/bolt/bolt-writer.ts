// Writes a database file front to back into a sink: the second pass over the entries that a BoltPlan has seen.
//
//   const writer = new BoltWriter(layout, sink);            meta pages, freelist, root bucket
//   writer.begin(name); writer.add(key, …, value, …); …     the pages of a bucket that is not inline
//   writer.end();
//   writer.finish();
//
// An entry is held by reference until its page is complete, and is then copied once, into the sink. Memory: one open
// page a level, and the references. The caller gives each entry exactly as in the first pass; page numbers are asserted.

import { assert } from '../base/assert.ts';
import { type BoltLayout, type BucketLayout, type Entry, FREELIST_PAGE, leafBytes, ROOT_PAGE } from './bolt-plan.ts';
import {
  BUCKET_HEADER_BYTES,
  ELEMENT_BUCKET,
  ELEMENT_BYTES,
  META_BYTES,
  PAGE_BRANCH,
  PAGE_FREELIST,
  PAGE_HEADER_BYTES,
  PAGE_LEAF,
  PAGE_META,
  writeMeta,
  writePageHeader,
} from './page-format.ts';
import { PageTree, type PageVisitor } from './page-tree.ts';

/** Takes the file in order. */
export interface ByteSink {
  /** The bytes are good during the call only. */
  write(source: Uint8Array, start: number, end: number): void;
  /** As many zeros. */
  pad(bytes: number): void;
}

/** The transaction of the file; a writer that goes on with it takes the next one. Page 1 holds the one before. */
const TRANSACTION = 2n;

/** Element headers of a page that is being filled, and its keys. */
class Elements {
  #buffer: Buffer = Buffer.alloc(4096);
  #keys: Buffer = Buffer.alloc(4096);
  readonly keyEnds: number[] = [];
  /** Branches: the pages that the keys lead to. */
  readonly children: number[] = [];

  get firstKey(): Uint8Array {
    return this.#keys.subarray(0, this.keyEnds[0]);
  }

  get keys(): Uint8Array {
    return this.#keys;
  }

  addKey(key: Uint8Array, start: number, end: number): void {
    const at = this.keyEnds.at(-1) ?? 0;
    const keyBytes = end - start;
    if (at + keyBytes > this.#keys.length) {
      this.#keys = Buffer.concat([this.#keys], Math.max(this.#keys.length * 2, at + keyBytes));
    }
    for (let i = 0; i < keyBytes; i++) this.#keys[at + i] = key[start + i];
    this.keyEnds.push(at + keyBytes);
  }

  /** The scratch for header and element headers of a page with `count` elements. */
  head(count: number): Buffer {
    const bytes = PAGE_HEADER_BYTES + count * ELEMENT_BYTES;
    if (bytes > this.#buffer.length) this.#buffer = Buffer.alloc(bytes * 2);
    return this.#buffer;
  }

  reset(): void {
    this.keyEnds.length = 0;
    this.children.length = 0;
  }
}

export class BoltWriter implements PageVisitor {
  readonly #layout: BoltLayout;
  readonly #sink: ByteSink;
  #tree: PageTree;
  #bucket: BucketLayout | undefined;
  /** The page that comes next. */
  #page = 0;
  readonly #leaf = new Elements();
  readonly #values: Uint8Array[] = [];
  readonly #valueStarts: number[] = [];
  readonly #valueEnds: number[] = [];
  readonly #branches: Elements[] = [];
  /** By level of the parent: the key under which the page just closed joins it. */
  readonly #closedKeys: Uint8Array[] = [];

  constructor(layout: BoltLayout, sink: ByteSink) {
    this.#layout = layout;
    this.#sink = sink;
    this.#tree = new PageTree(layout.pageBytes, 0, this);
    this.#writeMeta(0, TRANSACTION);
    this.#writeMeta(1, TRANSACTION - 1n);
    this.#writeFreelist();
    this.#writeRoot();
  }

  /** Begins the next bucket that is not inline. */
  begin(name: Uint8Array): void {
    const bucket = this.#layout.buckets.find((candidate) => Buffer.compare(candidate.name, name) === 0);
    assert(bucket?.pages !== undefined && bucket.pages.first === this.#page, 'buckets come as they were planned');
    this.#bucket = bucket;
    this.#tree = new PageTree(this.#layout.pageBytes, this.#page, this);
  }

  /** The value must not change before `end`, or the end of its page; the key is copied. */
  add(
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): void {
    this.#tree.add(keyEnd - keyStart, valueEnd - valueStart);
    this.#leaf.addKey(key, keyStart, keyEnd);
    this.#values.push(value);
    this.#valueStarts.push(valueStart);
    this.#valueEnds.push(valueEnd);
  }

  end(): void {
    const root = this.#tree.finish();
    const pages = this.#bucket?.pages;
    assert(pages !== undefined && root === pages.root && this.#page === pages.end, 'entries come as they were planned');
    for (const branch of this.#branches) branch.reset();
  }

  /** The file is complete. */
  finish(): void {
    assert(this.#page === this.#layout.pageCount, 'buckets come as they were planned');
  }

  onLeaf(id: number, count: number, bytes: number, pages: number): void {
    const { keyEnds, keys } = this.#leaf;
    const values = this.#values;
    const starts = this.#valueStarts;
    const ends = this.#valueEnds;
    const head = this.#leaf.head(count);
    writePageHeader(head, 0, id, PAGE_LEAF, count, pages - 1);
    let at = PAGE_HEADER_BYTES;
    let position = count * ELEMENT_BYTES;
    let keyStart = 0;
    for (let i = 0; i < count; i++) {
      const keyBytes = keyEnds[i] - keyStart;
      const valueBytes = ends[i] - starts[i];
      writeLeafElement(head, at, 0, position, keyBytes, valueBytes);
      position += keyBytes + valueBytes - ELEMENT_BYTES;
      at += ELEMENT_BYTES;
      keyStart = keyEnds[i];
    }
    this.#sink.write(head, 0, at);
    keyStart = 0;
    for (let i = 0; i < count; i++) {
      this.#sink.write(keys, keyStart, keyEnds[i]);
      this.#sink.write(values[i], starts[i], ends[i]);
      keyStart = keyEnds[i];
    }
    this.#endPages(bytes, pages);
    this.#closedKeys[0] = Uint8Array.prototype.slice.call(this.#leaf.firstKey);
    this.#leaf.reset();
    values.length = 0;
    starts.length = 0;
    ends.length = 0;
  }

  onBranch(level: number, id: number, count: number, bytes: number, pages: number): void {
    const branch = this.#branches[level];
    const { keyEnds, children } = branch;
    const head = branch.head(count);
    writePageHeader(head, 0, id, PAGE_BRANCH, count, pages - 1);
    let at = PAGE_HEADER_BYTES;
    let position = count * ELEMENT_BYTES;
    let keyStart = 0;
    for (let i = 0; i < count; i++) {
      head.writeUInt32LE(position, at);
      head.writeUInt32LE(keyEnds[i] - keyStart, at + 4);
      head.writeBigUInt64LE(BigInt(children[i]), at + 8);
      position += keyEnds[i] - keyStart - ELEMENT_BYTES;
      at += ELEMENT_BYTES;
      keyStart = keyEnds[i];
    }
    this.#sink.write(head, 0, at);
    this.#sink.write(branch.keys, 0, keyStart);
    this.#endPages(bytes, pages);
    this.#closedKeys[level + 1] = Uint8Array.prototype.slice.call(branch.firstKey);
    branch.reset();
  }

  onChild(level: number, child: number): void {
    if (level === this.#branches.length) this.#branches.push(new Elements());
    const branch = this.#branches[level];
    const key = this.#closedKeys[level];
    branch.addKey(key, 0, key.length);
    branch.children.push(child);
  }

  #endPages(bytes: number, pages: number): void {
    this.#sink.pad(pages * this.#layout.pageBytes - bytes);
    this.#page += pages;
  }

  #writeMeta(page: number, transaction: bigint): void {
    const bytes = PAGE_HEADER_BYTES + META_BYTES;
    const buffer = Buffer.alloc(bytes);
    const { pageBytes, pageCount } = this.#layout;
    writePageHeader(buffer, 0, page, PAGE_META, 0, 0);
    const meta = { pageBytes, rootPage: ROOT_PAGE, freelistPage: FREELIST_PAGE, pageCount, transaction };
    writeMeta(buffer, PAGE_HEADER_BYTES, meta);
    this.#sink.write(buffer, 0, bytes);
    this.#endPages(bytes, 1);
  }

  #writeFreelist(): void {
    const buffer = Buffer.alloc(PAGE_HEADER_BYTES);
    writePageHeader(buffer, 0, FREELIST_PAGE, PAGE_FREELIST, 0, 0);
    this.#sink.write(buffer, 0, PAGE_HEADER_BYTES);
    this.#endPages(PAGE_HEADER_BYTES, 1);
  }

  #writeRoot(): void {
    const { buckets, rootPages } = this.#layout;
    const entries = buckets.map((bucket): Entry => [bucket.name, bucketValue(bucket)]);
    const leaf = leafOf(ROOT_PAGE, entries, ELEMENT_BUCKET, rootPages - 1);
    this.#sink.write(leaf, 0, leaf.length);
    this.#endPages(leaf.length, rootPages);
  }
}

/** A bucket's header and, inline, its only leaf. */
function bucketValue({ pages, entries }: BucketLayout): Uint8Array {
  const header = Buffer.alloc(BUCKET_HEADER_BYTES);
  header.writeBigUInt64LE(BigInt(pages?.root ?? 0), 0);
  return pages === undefined ? Buffer.concat([header, leafOf(0, entries, 0, 0)]) : header;
}

function leafOf(id: number, entries: readonly Entry[], flags: number, overflow: number): Buffer {
  const leaf = Buffer.alloc(leafBytes(entries));
  writePageHeader(leaf, 0, id, PAGE_LEAF, entries.length, overflow);
  let at = PAGE_HEADER_BYTES;
  let data = at + entries.length * ELEMENT_BYTES;
  for (const [key, value] of entries) {
    writeLeafElement(leaf, at, flags, data - at, key.length, value.length);
    leaf.set(key, data);
    leaf.set(value, data + key.length);
    at += ELEMENT_BYTES;
    data += key.length + value.length;
  }
  return leaf;
}

function writeLeafElement(
  target: Buffer,
  at: number,
  flags: number,
  position: number,
  keyBytes: number,
  valueBytes: number,
): void {
  target.writeUInt32LE(flags, at);
  target.writeUInt32LE(position, at + 4);
  target.writeUInt32LE(keyBytes, at + 8);
  target.writeUInt32LE(valueBytes, at + 12);
}
