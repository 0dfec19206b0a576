// The bytes of a bbolt database file (go.etcd.io/bbolt, file format version 2); docs/bolt.md draws the same. All integers
// are little-endian. A file is pages of one size; a page may go on over the `overflow` pages behind it.
//
// Page header, 16 B            Meta, 64 B, behind the header of pages 0 and 1      Element, 16 B each, behind the header
//    0  8  page id                0  4  magic                                      leaf            branch
//    8  2  flags: what it is      4  4  version, 2                                  0 4 flags       0 4 position
//   10  2  count of elements      8  4  page bytes                                  4 4 position    4 4 key bytes
//   12  4  overflow pages        12  4  flags                                       8 4 key bytes   8 8 child page
//                                16  8  root bucket: its root page                 12 4 value bytes
// Bucket header, 16 B            24  8  root bucket: sequence                      position: from the element's start to
//    0  8  root page; 0 = the    32  8  freelist page, all ones: none kept         its key; the value follows the key
//          bucket's only leaf    40  8  high water: pages in use end here
//          follows, "inline"     48  8  transaction id; the page is id mod 2
//    8  8  sequence              56  8  FNV-64a of bytes 0…55

export const PAGE_HEADER_BYTES = 16;
export const ELEMENT_BYTES = 16;
export const META_BYTES = 64;
export const BUCKET_HEADER_BYTES = 16;

export const PAGE_BRANCH = 0x01;
export const PAGE_LEAF = 0x02;
export const PAGE_META = 0x04;
export const PAGE_FREELIST = 0x10;

/** Flag of a leaf element whose value is a bucket. */
export const ELEMENT_BUCKET = 0x01;

export const META_MAGIC = 0xed0c_daed;
export const META_VERSION = 2;

/** The freelist page's number when no freelist is kept in the file. */
export const NO_FREELIST = 0xffff_ffff_ffff_ffffn;

/** bbolt's limits. */
export const KEY_BYTES_MAX = 32_768;
export const ELEMENT_COUNT_MAX = 0xffff;

const CHECKSUM_AT = 56;
const FNV_OFFSET = 0xcbf2_9ce4_8422_2325n;
const FNV_PRIME = 0x100_0000_01b3n;

/** What a meta page says. Page numbers are doubles: a file has fewer than 2^53 bytes. */
export interface Meta {
  readonly pageBytes: number;
  readonly rootPage: number;
  /** Undefined: no freelist is kept. */
  readonly freelistPage: number | undefined;
  readonly pageCount: number;
  readonly transaction: bigint;
}

export function writePageHeader(
  target: Buffer,
  at: number,
  id: number,
  flags: number,
  count: number,
  overflow: number,
): void {
  target.writeBigUInt64LE(BigInt(id), at);
  target.writeUInt16LE(flags, at + 8);
  target.writeUInt16LE(count, at + 10);
  target.writeUInt32LE(overflow, at + 12);
}

/** Writes the meta struct, not the header of its page. */
export function writeMeta(target: Buffer, at: number, meta: Meta): void {
  target.writeUInt32LE(META_MAGIC, at);
  target.writeUInt32LE(META_VERSION, at + 4);
  target.writeUInt32LE(meta.pageBytes, at + 8);
  target.writeUInt32LE(0, at + 12);
  target.writeBigUInt64LE(BigInt(meta.rootPage), at + 16);
  target.writeBigUInt64LE(0n, at + 24);
  target.writeBigUInt64LE(meta.freelistPage === undefined ? NO_FREELIST : BigInt(meta.freelistPage), at + 32);
  target.writeBigUInt64LE(BigInt(meta.pageCount), at + 40);
  target.writeBigUInt64LE(meta.transaction, at + 48);
  target.writeBigUInt64LE(fnv64a(target, at, at + CHECKSUM_AT), at + CHECKSUM_AT);
}

/** Reads a meta struct; a string says why it is not one. */
export function readMeta(source: Buffer, at: number): Meta | string {
  if (source.readUInt32LE(at) !== META_MAGIC) return 'it is not a bbolt database';
  const version = source.readUInt32LE(at + 4);
  if (version !== META_VERSION) return `bbolt format version ${version} is not known`;
  if (source.readBigUInt64LE(at + CHECKSUM_AT) !== fnv64a(source, at, at + CHECKSUM_AT)) {
    return 'the checksum of the meta page is wrong';
  }
  const freelist = source.readBigUInt64LE(at + 32);
  return {
    pageBytes: source.readUInt32LE(at + 8),
    rootPage: Number(source.readBigUInt64LE(at + 16)),
    freelistPage: freelist === NO_FREELIST ? undefined : Number(freelist),
    pageCount: Number(source.readBigUInt64LE(at + 40)),
    transaction: source.readBigUInt64LE(at + 48),
  };
}

/** FNV-1a over bytes [start, end), 64 bits. */
export function fnv64a(source: Uint8Array, start: number, end: number): bigint {
  let hash = FNV_OFFSET;
  for (let i = start; i < end; i++) hash = BigInt.asUintN(64, (hash ^ BigInt(source[i])) * FNV_PRIME);
  return hash;
}
