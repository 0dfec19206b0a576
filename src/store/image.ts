// The image of a store at one revision: blocks of memory that a snapshot file holds and that a store is loaded from
// without looking keys up. image-maker.ts makes them, image-loader.ts takes them.
//
// Rows are numbered from 0 in key order; segments from 1 in the order of their blocks. Both are those of the loaded store.
//
//   records       a whole segment (segments.ts), every record in it alive; owner = row, or the number of a change
//   rows          24 bytes each, 65,536 in every block but the last:
//                 +0  u32  segment of its record
//                 +4  u32  … offset
//                 +8  f64  mod revision, 0 = deleted
//                 +16 u32  0
//                 +20 u32  hash of the key (base/key-hash.ts) under the image's seed
//   attachments   12 bytes each: [u32 row][i64 lease], for live rows with a lease; behind the block of their rows
//   changes       32 bytes each, in (main, sub) order, those at the compacted revision C and above:
//                 +0  u32  row
//                 +4  u32  sub revision (bits 0…29), create (30), deletion (31)
//                 +8  u32  the record that it replaced: segment, 0 = none, or nobody can read it (C took it)
//                 +12 u32  … offset
//                 +16 f64  main revision
//                 +24 f64  mod revision of what it replaced, 0 = the key did not exist
//
// What an image holds: each key that was live or whose deletion is at C or above. A live key's row has the version of the
// revision. A deleted key's row has a record of its own that only gives the key; the versions before are with the
// changes that replaced them. A change's own record is not named: it is what the key's next change replaced, or the row's.
//
// Left out: keys whose last change is in no log. A restart takes them with or without an image.

export const IMAGE_ROW_BYTES = 24;
/** Rows in a block. */
export const IMAGE_BLOCK_ROWS: number = 1 << 16;
export const IMAGE_CHANGE_BYTES = 32;
export const IMAGE_ATTACHMENT_BYTES = 12;
/** Changes and attachments in a block. */
export const IMAGE_BLOCK_ITEMS: number = 1 << 16;
export const IMAGE_SUB_MASK = 0x3fff_ffff;
export const IMAGE_CREATE = 0x4000_0000;
export const IMAGE_DELETION = 0x8000_0000;

export type ImageBlockKind = 'records' | 'rows' | 'attachments' | 'changes';

export interface ImageBlock {
  readonly kind: ImageBlockKind;
  /** Rows, attachments or changes; 0 for records. */
  readonly count: number;
  readonly bytes: Uint8Array;
  /** The highest main revision of records. */
  readonly mainMax: number;
}
