// Reads a database file page by page, trusting nothing: every offset and count is checked before it is followed, no page is
// visited twice, keys must ascend, and what is wrong is told as CorruptionError(file, offset, reason). bbolt has no checksum
// but that of its meta pages, so a value that changed is not noticed here; a snapshot's trailing hash notices it.
//
// Memory: blocks of the file (see block-cache.ts), one bit a page, and a path through the tree. A page with overflow is
// read whole: at most `LARGE_PAGE_BYTES_MAX`.

import { compareBytes } from '../base/bytes.ts';
import { CorruptionError } from '../journal/errors.ts';
import { BlockCache, type RandomAccess } from './block-cache.ts';
import {
  BUCKET_HEADER_BYTES,
  META_BYTES,
  type Meta,
  PAGE_BRANCH,
  PAGE_FREELIST,
  PAGE_HEADER_BYTES,
  PAGE_LEAF,
  PAGE_META,
  readMeta,
} from './page-format.ts';
import { BranchPage, LeafPage } from './page-view.ts';

const PAGE_BYTES_MIN = 1024;
const PAGE_BYTES_MAX = 65_536;
/** bbolt's own limit of a value is 2 GiB; etcd's requests are a few MiB. */
export const LARGE_PAGE_BYTES_MAX = 0x4000_0000;
/** A tree of pages of 1 KiB with two children each cannot be deeper in a file of 2^53 bytes. */
const DEPTH_MAX = 48;

export interface Bucket {
  readonly name: Uint8Array;
  /** Offset of the name's element in the file, for messages. */
  readonly offset: number;
  readonly rootPage: number;
  /** The whole leaf when `rootPage` is 0. */
  readonly inline: Buffer | undefined;
}

interface Step {
  readonly branch: BranchPage;
  index: number;
  /** All keys below are less; undefined: no limit. */
  readonly upper: Uint8Array | undefined;
}

export class BoltReader {
  readonly meta: Meta;
  readonly #file: RandomAccess;
  readonly #cache: BlockCache;
  /** A bit for each page that was visited or is free. */
  readonly #visited: Uint8Array;

  /** Rejects with CorruptionError, or with what the file's `read` rejects with. */
  static async open(file: RandomAccess): Promise<BoltReader> {
    const meta = await findMeta(file);
    const reader = new BoltReader(file, meta);
    if (meta.freelistPage !== undefined) await reader.#readFreelist(meta.freelistPage);
    return reader;
  }

  private constructor(file: RandomAccess, meta: Meta) {
    this.#file = file;
    this.meta = meta;
    this.#cache = new BlockCache(file);
    this.#visited = new Uint8Array(Math.ceil(meta.pageCount / 8));
    this.#visited[0] |= 3;
  }

  /** Bytes of the file that the database uses. */
  get bytes(): number {
    return this.meta.pageCount * this.meta.pageBytes;
  }

  /** The buckets by name. Once. */
  async buckets(): Promise<Bucket[]> {
    const buckets: Bucket[] = [];
    for await (const leaf of this.#walk(this.meta.rootPage)) {
      for (let i = 0; i < leaf.count; i++) {
        const offset = leaf.fileOffset + leaf.keyStart(i);
        if (!leaf.isBucket(i)) throw this.#damaged(offset, 'the root holds something that is no bucket');
        buckets.push(this.#bucketAt(leaf, i));
      }
    }
    return buckets;
  }

  /** The bucket's leaves in the order of keys. Once for each bucket. A leaf is valid until the next is asked for. */
  async *leaves(bucket: Bucket): AsyncGenerator<LeafPage> {
    if (bucket.inline === undefined) {
      yield* this.#walk(bucket.rootPage);
      return;
    }
    const leaf = this.#leafOf(bucket.inline, 0, bucket.inline.length, bucket.offset);
    if (leaf.count > 0) {
      this.#checkOrder(leaf, undefined, undefined);
      yield leaf;
    }
  }

  async *#walk(root: number): AsyncGenerator<LeafPage> {
    const path: Step[] = [];
    let last: Uint8Array | undefined;
    let page = root;
    let upper: Uint8Array | undefined;
    for (;;) {
      const view = await this.#read(page);
      if (view instanceof BranchPage) {
        if (path.length === DEPTH_MAX) throw this.#damaged(view.fileOffset, 'the tree of pages is too deep');
        path.push({ branch: view, index: 0, upper });
      } else if (view.count > 0) {
        this.#checkOrder(view, last, upper);
        last = view.copyKey(view.count - 1);
        yield view;
      } else if (path.length > 0) throw this.#damaged(view.fileOffset, 'a leaf is empty');
      while (path.length > 0 && path[path.length - 1].index === path[path.length - 1].branch.count) path.pop();
      const step = path.at(-1);
      if (step === undefined) return;
      page = step.branch.child(step.index++);
      upper = step.index < step.branch.count ? step.branch.copyKey(step.index) : step.upper;
    }
  }

  /** Keys ascend within the leaf, after `last` and below `upper`. */
  #checkOrder(leaf: LeafPage, last: Uint8Array | undefined, upper: Uint8Array | undefined): void {
    const { buffer } = leaf;
    for (let i = 0; i < leaf.count; i++) {
      const start = leaf.keyStart(i);
      const end = leaf.keyEnd(i);
      const isAfter =
        i > 0
          ? compareBytes(buffer, leaf.keyStart(i - 1), leaf.keyEnd(i - 1), buffer, start, end) < 0
          : last === undefined || compareBytes(last, 0, last.length, buffer, start, end) < 0;
      if (!isAfter) throw this.#damaged(leaf.fileOffset + start, 'a key is out of order');
    }
    const end = leaf.count - 1;
    if (upper === undefined) return;
    if (compareBytes(buffer, leaf.keyStart(end), leaf.keyEnd(end), upper, 0, upper.length) >= 0) {
      throw this.#damaged(leaf.fileOffset + leaf.keyStart(end), 'a key is not below its branch');
    }
  }

  #bucketAt(leaf: LeafPage, index: number): Bucket {
    const name = leaf.copyKey(index);
    const start = leaf.valueStart(index);
    const bytes = leaf.valueEnd(index) - start;
    const offset = leaf.fileOffset + start;
    if (bytes < BUCKET_HEADER_BYTES) throw this.#damaged(offset, 'a bucket is cut off');
    const rootPage = Number(leaf.buffer.readBigUInt64LE(start));
    if (rootPage !== 0) return { name, offset, rootPage, inline: undefined };
    const inline = Buffer.from(leaf.buffer.subarray(start + BUCKET_HEADER_BYTES, start + bytes));
    return { name, offset: offset + BUCKET_HEADER_BYTES, rootPage, inline };
  }

  async #read(id: number): Promise<LeafPage | BranchPage> {
    const { pageBytes, pageCount } = this.meta;
    const offset = id * pageBytes;
    if (id < 2 || id >= pageCount) throw this.#damaged(0, `page ${id} is outside of the file`);
    const head = this.#cache.get(offset, pageBytes) ?? (await this.#cache.load(offset, pageBytes));
    const flags = head.buffer.readUInt16LE(head.start + 8);
    const overflow = head.buffer.readUInt32LE(head.start + 12);
    if (Number(head.buffer.readBigUInt64LE(head.start)) !== id)
      throw this.#damaged(offset, 'a page has another number');
    if (overflow >= pageCount - id) throw this.#damaged(offset, 'a page goes on outside of the file');
    const bytes = (overflow + 1) * pageBytes;
    if (bytes > LARGE_PAGE_BYTES_MAX) throw this.#damaged(offset, `a page has ${bytes} bytes`);
    for (let page = id; page <= id + overflow; page++) this.#visit(page, offset);
    const { buffer, start } = overflow === 0 ? head : await this.#cache.load(offset, bytes);
    if (flags === PAGE_LEAF) return this.#leafOf(buffer, start, start + bytes, offset);
    if (flags !== PAGE_BRANCH) throw this.#damaged(offset, `a page has flags ${flags}`);
    const branch = new BranchPage(buffer.subarray(start, start + bytes), offset);
    const wrong = branch.wrong();
    if (wrong !== undefined) throw this.#damaged(offset, wrong);
    return branch;
  }

  #leafOf(buffer: Buffer, start: number, end: number, offset: number): LeafPage {
    const leaf = new LeafPage(buffer.subarray(start, end), offset);
    const wrong = leaf.wrong();
    if (wrong !== undefined) throw this.#damaged(offset, wrong);
    return leaf;
  }

  async #readFreelist(id: number): Promise<void> {
    const { pageBytes, pageCount } = this.meta;
    const offset = id * pageBytes;
    if (id < 2 || id >= pageCount) throw this.#damaged(0, `the freelist page ${id} is outside of the file`);
    const { buffer, start } = await this.#cache.load(offset, pageBytes);
    const overflow = buffer.readUInt32LE(start + 12);
    const isFreelist = buffer.readUInt16LE(start + 8) === PAGE_FREELIST;
    if (!isFreelist || Number(buffer.readBigUInt64LE(start)) !== id || overflow >= pageCount - id) {
      throw this.#damaged(offset, 'the freelist page is none');
    }
    for (let page = id; page <= id + overflow; page++) this.#visit(page, offset);
    const bytes = (overflow + 1) * pageBytes;
    if (bytes > LARGE_PAGE_BYTES_MAX) throw this.#damaged(offset, `a page has ${bytes} bytes`);
    const whole = await this.#cache.load(offset, bytes);
    let count = whole.buffer.readUInt16LE(whole.start + 10);
    let at = whole.start + PAGE_HEADER_BYTES;
    // A count that does not fit its two bytes stands in front of the list.
    if (count === 0xffff) {
      count = Number(whole.buffer.readBigUInt64LE(at));
      at += 8;
    }
    if (count * 8 > whole.start + bytes - at) throw this.#damaged(offset, 'the freelist is cut off');
    for (let i = 0; i < count; i++) {
      const free = Number(whole.buffer.readBigUInt64LE(at + i * 8));
      if (free < 2 || free >= pageCount) throw this.#damaged(offset, `the free page ${free} is outside of the file`);
      this.#visit(free, offset);
    }
  }

  /** No page has two uses; so every walk ends. */
  #visit(page: number, offset: number): void {
    const bit = 1 << (page & 7);
    if ((this.#visited[page >>> 3] & bit) !== 0) throw this.#damaged(offset, `page ${page} is in use twice`);
    this.#visited[page >>> 3] |= bit;
  }

  #damaged(offset: number, reason: string): CorruptionError {
    return new CorruptionError(this.#file.path, offset, reason);
  }
}

/** The newer of the two meta pages that are good. */
async function findMeta(file: RandomAccess): Promise<Meta> {
  const first = await readMetaAt(file, 0);
  if (typeof first !== 'string') {
    const second = await readMetaAt(file, first.pageBytes);
    const isNewer = typeof second !== 'string' && second.transaction > first.transaction;
    return checkSize(file, isNewer ? second : first);
  }
  for (let pageBytes = PAGE_BYTES_MIN; pageBytes <= PAGE_BYTES_MAX; pageBytes *= 2) {
    const second = await readMetaAt(file, pageBytes);
    if (typeof second !== 'string' && second.pageBytes === pageBytes) return checkSize(file, second);
  }
  throw new CorruptionError(file.path, 0, first);
}

async function readMetaAt(file: RandomAccess, offset: number): Promise<Meta | string> {
  const buffer = Buffer.alloc(PAGE_HEADER_BYTES + META_BYTES);
  const bytes = await file.read(buffer, offset);
  if (bytes < buffer.length) return 'it is too short for a bbolt database';
  const meta = readMeta(buffer, PAGE_HEADER_BYTES);
  if (typeof meta === 'string') return meta;
  if (buffer.readUInt16LE(8) !== PAGE_META) return 'it is not a bbolt database';
  const { pageBytes } = meta;
  const isPowerOfTwo = (pageBytes & (pageBytes - 1)) === 0;
  if (pageBytes < PAGE_BYTES_MIN || pageBytes > PAGE_BYTES_MAX || !isPowerOfTwo) return `pages of ${pageBytes} bytes`;
  return meta;
}

function checkSize(file: RandomAccess, meta: Meta): Meta {
  const bytes = meta.pageCount * meta.pageBytes;
  if (bytes <= file.bytes) return meta;
  throw new CorruptionError(file.path, file.bytes, `the file ends here, but the database has ${bytes} bytes`);
}
