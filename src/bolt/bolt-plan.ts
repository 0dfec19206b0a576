// The first pass over the entries of a new file: sizes only. It gives the page numbers that stand at the beginning of the file,
// so that the second pass (bolt-writer.ts) can stream.
//
//   page 0, 1   meta         3 …   root bucket: a leaf with all bucket names, small buckets inside ("inline")
//   page 2      freelist     then  the pages of each other bucket, in the order of names: children before parents
//
// Limits: as many bucket names as fit a leaf's count; what is inline is at most a quarter of a page each, as in bbolt.

import { assert } from '../base/assert.ts';
import { compareArrays } from '../base/bytes.ts';
import {
  BUCKET_HEADER_BYTES,
  ELEMENT_BYTES,
  ELEMENT_COUNT_MAX,
  KEY_BYTES_MAX,
  PAGE_HEADER_BYTES,
} from './page-format.ts';
import { PageTree } from './page-tree.ts';

export const PAGE_BYTES_DEFAULT = 4096;
export const FREELIST_PAGE = 2;
export const ROOT_PAGE = 3;

export type Entry = readonly [key: Uint8Array, value: Uint8Array];

export interface BucketLayout {
  readonly name: Uint8Array;
  /** Where its pages begin and the number of its root; undefined: it is inline. */
  readonly pages: { readonly first: number; readonly root: number; readonly end: number } | undefined;
  /** What is inline. */
  readonly entries: readonly Entry[];
}

export interface BoltLayout {
  readonly pageBytes: number;
  readonly pageCount: number;
  readonly rootPages: number;
  readonly buckets: readonly BucketLayout[];
}

const IGNORE = { onLeaf: () => {}, onBranch: () => {}, onChild: () => {} };

/** Buckets come in the order of their names, entries in the order of their keys. */
export class BoltPlan {
  readonly #pageBytes: number;
  readonly #buckets: BucketLayout[] = [];
  #name: Uint8Array = new Uint8Array(0);
  #tree: PageTree;
  #entryCount = 0;
  /** Pages of the buckets so far. */
  #pages = 0;

  constructor(pageBytes: number = PAGE_BYTES_DEFAULT) {
    this.#pageBytes = pageBytes;
    this.#tree = new PageTree(pageBytes, 0, IGNORE);
  }

  /** A bucket that is known whole. True when it is inline, so that its entries are not given to the writer again. */
  addBucket(name: Uint8Array, entries: readonly Entry[]): boolean {
    const bytes = leafBytes(entries);
    if (bytes <= this.#pageBytes / 4) {
      this.#push({ name, pages: undefined, entries });
      return true;
    }
    this.begin(name);
    for (const [key, value] of entries) this.add(key.length, value.length);
    this.end();
    return false;
  }

  /** A bucket whose entries come one by one. */
  begin(name: Uint8Array): void {
    this.#name = name;
    this.#tree = new PageTree(this.#pageBytes, this.#pages, IGNORE);
    this.#entryCount = 0;
  }

  add(keyBytes: number, valueBytes: number): void {
    assert(keyBytes > 0 && keyBytes <= KEY_BYTES_MAX, 'size of a key');
    this.#entryCount++;
    this.#tree.add(keyBytes, valueBytes);
  }

  end(): void {
    if (this.#entryCount === 0) {
      this.#push({ name: this.#name, pages: undefined, entries: [] });
      return;
    }
    const first = this.#pages;
    const root = this.#tree.finish();
    this.#pages = this.#tree.nextPage;
    this.#push({ name: this.#name, pages: { first, root, end: this.#pages }, entries: [] });
  }

  finish(): BoltLayout {
    let rootBytes = PAGE_HEADER_BYTES;
    for (const { name, pages, entries } of this.#buckets) {
      rootBytes += ELEMENT_BYTES + name.length + BUCKET_HEADER_BYTES + (pages === undefined ? leafBytes(entries) : 0);
    }
    const rootPages = Math.ceil(rootBytes / this.#pageBytes);
    const base = ROOT_PAGE + rootPages;
    const buckets = this.#buckets.map(({ name, pages, entries }) => {
      const moved = pages && { first: base + pages.first, root: base + pages.root, end: base + pages.end };
      return { name, pages: moved, entries };
    });
    return { pageBytes: this.#pageBytes, pageCount: base + this.#pages, rootPages, buckets };
  }

  #push(bucket: BucketLayout): void {
    const last = this.#buckets.at(-1);
    assert(last === undefined || compareArrays(last.name, bucket.name) < 0, 'buckets come in the order of their names');
    assert(this.#buckets.length < ELEMENT_COUNT_MAX, 'buckets in a file');
    this.#buckets.push(bucket);
  }
}

/** Bytes of a leaf with these entries, header included, without padding. */
export function leafBytes(entries: readonly Entry[]): number {
  let bytes = PAGE_HEADER_BYTES;
  for (const [key, value] of entries) bytes += ELEMENT_BYTES + key.length + value.length;
  return bytes;
}
