// The bytes of a snapshot file. All integers are little-endian; docs/snapshots.md draws the same and says why.
//
//   ┌─ header 128 B ─┬─ block ─┬─ block ─┬ … ┬─ index, 32 B a block ─┬─ trailer 64 B ─┐
//
// Header                                         Trailer
//    0  8  magic "K1MSNAP\n"                        0  8  magic "K1MSNEND"
//    8  4  format version                           8  8  where the index begins
//   12  4  CRC: bytes 0…11, 16…127                 16  4  blocks
//   16  8  cluster id                              20  4  CRC of the index
//   24  8  member id                               24  8  keys, deleted ones included
//   32  8  sequence: the last batch in it          32  8  changes
//   40  8  epoch of its writer                     40  8  leases
//   48  8  revision                                48  8  bytes of the file
//   56  8  compacted revision + 1                  56  4  CRC of the header, again
//   64  8  compaction asked for + 1                60  4  CRC: bytes 0…59
//   72  8  revision mark
//   80  4  seed of the key hashes                Index entry
//   84  4  alarms: bit n = AlarmType n              0  4  kind
//   88  8  wall clock, ms since 1970                4  4  items in the block
//   96 32  zero                                     8  8  where the block begins
//                                                  16  4  bytes of the block
//                                                  20  4  CRC of the block
//                                                  24  8  highest main revision, of records
//
// Blocks lie back to back in the order of the index, with nothing between. Their CRCs and those of index and trailer start
// from the header's, so that parts of another file are never taken for this one's. Every byte is under a checksum, and the
// trailer stands for all of them: it covers the index, which covers the blocks.

import { equalBytes } from '../base/bytes.ts';
import { CorruptionError, ForeignLogError } from '../journal/errors.ts';
import { crcOf, readId, readUint32, readUint64, writeId, writeUint32, writeUint64 } from '../journal/format.ts';
import type { JournalIdentity } from '../journal/journal.ts';

/** In format 1, which is read still, hashes of keys are of another kind, and of no use. */
export const SNAPSHOT_FORMAT_VERSION = 2;
const FORMAT_OF_HASHES = 2;
export const HEADER_BYTES = 128;
export const TRAILER_BYTES = 64;
export const INDEX_ENTRY_BYTES = 32;
export const LEASE_BYTES = 16;

const HEADER_MAGIC: Uint8Array = Buffer.from('K1MSNAP\n', 'latin1');
const TRAILER_MAGIC: Uint8Array = Buffer.from('K1MSNEND', 'latin1');

/** By the number that stands for them in the index. */
const KINDS = ['none', 'leases', 'records', 'rows', 'attachments', 'changes'] as const;
export type BlockKind = Exclude<(typeof KINDS)[number], 'none'>;

export interface SnapshotHeader {
  readonly identity: JournalIdentity;
  /** The last batch whose effects are in it; it was durable before the file got its name. */
  readonly sequence: number;
  readonly epoch: number;
  readonly revision: number;
  /** Everything below it is gone; −1 when nothing was compacted. */
  readonly compactedRevision: number;
  /** The highest compaction that the batches ask for; the loader does it. */
  readonly compactTarget: number;
  /** Revisions up to it may have been shown without being in the log. */
  readonly revisionMark: number;
  readonly hashSeed: number;
  /** Rows have their keys' hashes under the seed (base/key-hash.ts). */
  readonly hasHashes: boolean;
  readonly alarms: ReadonlySet<number>;
  readonly wallMs: number;
}

export interface IndexEntry {
  readonly kind: BlockKind;
  readonly count: number;
  readonly position: number;
  readonly bytes: number;
  readonly crc: number;
  readonly mainMax: number;
}

export interface SnapshotCounts {
  readonly rows: number;
  readonly changes: number;
  readonly leases: number;
}

export interface SnapshotTrailer extends SnapshotCounts {
  readonly indexPosition: number;
  readonly blocks: number;
  readonly indexCrc: number;
}

/** The header and its CRC: of format 1 where there are no hashes. Another version is for tests. */
export function encodeHeader(
  header: SnapshotHeader,
  version: number = header.hasHashes ? SNAPSHOT_FORMAT_VERSION : 1,
): { bytes: Uint8Array; crc: number } {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.set(HEADER_MAGIC);
  writeUint32(bytes, 8, version);
  writeId(bytes, 16, header.identity.clusterId);
  writeId(bytes, 24, header.identity.memberId);
  writeUint64(bytes, 32, header.sequence);
  writeUint64(bytes, 40, header.epoch);
  writeUint64(bytes, 48, header.revision);
  writeUint64(bytes, 56, header.compactedRevision + 1);
  writeUint64(bytes, 64, header.compactTarget + 1);
  writeUint64(bytes, 72, header.revisionMark);
  writeUint32(bytes, 80, header.hashSeed);
  let alarms = 0;
  for (const alarm of header.alarms) alarms |= 1 << alarm;
  writeUint32(bytes, 84, alarms);
  writeUint64(bytes, 88, Math.max(0, Math.floor(header.wallMs)));
  const crc = headerCrc(bytes);
  writeUint32(bytes, 12, crc);
  return { bytes, crc };
}

/** Throws CorruptionError, or ForeignLogError for a newer format. */
export function decodeHeader(file: string, bytes: Uint8Array): { header: SnapshotHeader; crc: number } {
  if (bytes.length < HEADER_BYTES) throw new CorruptionError(file, bytes.length, 'the snapshot is cut off');
  if (!equalBytes(bytes, 0, 8, HEADER_MAGIC, 0, 8)) {
    throw new CorruptionError(file, 0, 'it does not begin as a snapshot');
  }
  // The place of version and checksum is the same in all formats: what is damaged is not taken for something newer.
  const crc = readUint32(bytes, 12);
  const version = readUint32(bytes, 8);
  if (crc !== headerCrc(bytes)) {
    throw new CorruptionError(file, 0, 'the checksum of the snapshot header does not match');
  }
  if (version > SNAPSHOT_FORMAT_VERSION) {
    throw new ForeignLogError(file, `has format ${version}; this program reads up to ${SNAPSHOT_FORMAT_VERSION}`);
  }
  const alarms = new Set<number>();
  for (let alarm = 0, bits = readUint32(bytes, 84); alarm < 32; alarm++) if ((bits >>> alarm) & 1) alarms.add(alarm);
  const header = {
    identity: { clusterId: readId(bytes, 16), memberId: readId(bytes, 24) },
    sequence: readUint64(bytes, 32),
    epoch: readUint64(bytes, 40),
    revision: readUint64(bytes, 48),
    compactedRevision: readUint64(bytes, 56) - 1,
    compactTarget: readUint64(bytes, 64) - 1,
    revisionMark: readUint64(bytes, 72),
    hashSeed: readUint32(bytes, 80),
    hasHashes: version >= FORMAT_OF_HASHES,
    alarms,
    wallMs: readUint64(bytes, 88),
  };
  return { header, crc };
}

export function encodeIndexEntry(target: Uint8Array, at: number, entry: IndexEntry): void {
  writeUint32(target, at, KINDS.indexOf(entry.kind));
  writeUint32(target, at + 4, entry.count);
  writeUint64(target, at + 8, entry.position);
  writeUint32(target, at + 16, entry.bytes);
  writeUint32(target, at + 20, entry.crc);
  writeUint64(target, at + 24, entry.mainMax);
}

/** Undefined for a kind that does not exist. */
export function decodeIndexEntry(bytes: Uint8Array, at: number): IndexEntry | undefined {
  const kind = KINDS[readUint32(bytes, at)];
  if (kind === undefined || kind === 'none') return undefined;
  return {
    kind,
    count: readUint32(bytes, at + 4),
    position: readUint64(bytes, at + 8),
    bytes: readUint32(bytes, at + 16),
    crc: readUint32(bytes, at + 20),
    mainMax: readUint64(bytes, at + 24),
  };
}

export function encodeTrailer(trailer: SnapshotTrailer, headerCrc: number): Uint8Array {
  const bytes = Buffer.alloc(TRAILER_BYTES);
  bytes.set(TRAILER_MAGIC);
  writeUint64(bytes, 8, trailer.indexPosition);
  writeUint32(bytes, 16, trailer.blocks);
  writeUint32(bytes, 20, trailer.indexCrc);
  writeUint64(bytes, 24, trailer.rows);
  writeUint64(bytes, 32, trailer.changes);
  writeUint64(bytes, 40, trailer.leases);
  writeUint64(bytes, 48, trailer.indexPosition + trailer.blocks * INDEX_ENTRY_BYTES + TRAILER_BYTES);
  writeUint32(bytes, 56, headerCrc);
  writeUint32(bytes, 60, crcOf(bytes, 0, 60, headerCrc));
  return bytes;
}

/** Reads the trailer of a file of `fileBytes`. Throws CorruptionError. */
export function decodeTrailer(file: string, bytes: Uint8Array, fileBytes: number, headerCrc: number): SnapshotTrailer {
  const at = fileBytes - TRAILER_BYTES;
  if (!equalBytes(bytes, 0, 8, TRAILER_MAGIC, 0, 8)) {
    throw new CorruptionError(file, at, 'the snapshot is incomplete: it does not end as one');
  }
  if (readUint32(bytes, 60) !== crcOf(bytes, 0, 60, headerCrc) || readUint32(bytes, 56) !== headerCrc) {
    throw new CorruptionError(file, at, 'the checksum of the snapshot trailer does not match');
  }
  if (readUint64(bytes, 48) !== fileBytes) {
    throw new CorruptionError(file, at, `the snapshot has ${fileBytes} bytes instead of ${readUint64(bytes, 48)}`);
  }
  return {
    indexPosition: readUint64(bytes, 8),
    blocks: readUint32(bytes, 16),
    indexCrc: readUint32(bytes, 20),
    rows: readUint64(bytes, 24),
    changes: readUint64(bytes, 32),
    leases: readUint64(bytes, 40),
  };
}

function headerCrc(bytes: Uint8Array): number {
  const crc = crcOf(bytes, 0, 12, 0);
  return crcOf(bytes, 16, HEADER_BYTES, crc);
}
