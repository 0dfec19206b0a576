// Segment files: names, headers (drawn in format.ts), and how a segment is begun.
//
//   created as <name>.wal.new, or <old>.wal.spare renamed to it ─► header, durable ─► renamed to <name>.wal ─► folder synced
//     ─► the first batch may be written
//
// A segment is a new file, or one that an earlier segment had (spare-segments.ts). Its header is durable before it has its name: a file
// named `.wal` always has a whole header that is its own, unless the disk damaged it. The others are removed by the next start.

import { dirname, join } from 'node:path';
import { equalBytes } from '../base/bytes.ts';
import { type Disk, type DiskFile, datasync, writeAll } from '../io/disk.ts';
import { CorruptionError, ForeignLogError } from './errors.ts';
import {
  ALIGNMENT_BYTES_MAX,
  crcOf,
  FORMAT_VERSION,
  readId,
  readUint32,
  readUint64,
  SEGMENT_HEADER_BYTES,
  SEGMENT_MAGIC,
  writeId,
  writeUint32,
  writeUint64,
} from './format.ts';
import type { JournalIdentity } from './journal.ts';

const NAME = /^([0-9a-f]{16})\.wal$/;
const SPARE_ENDING = '.spare';
/** Not of the log yet, or no longer. */
const UNUSED_NAME = /^[0-9a-f]{16}\.wal\.(new|spare)$/;

const AT_VERSION = 8;
const AT_CRC = 12;
const AT_CLUSTER_ID = 16;
const AT_MEMBER_ID = 24;
const AT_FIRST_SEQUENCE = 32;
const AT_EPOCH = 40;
const AT_PREVIOUS_CRC = 48;
const AT_SALT = 52;
const AT_HEADER_BYTES = 56;

const MAGIC: Uint8Array = Buffer.from(SEGMENT_MAGIC, 'latin1');

export interface SegmentHeader {
  readonly format: number;
  readonly identity: JournalIdentity;
  readonly firstSequence: number;
  readonly epoch: number;
  /** Header CRC of the batch before the first one; 0 when there is none. */
  readonly previousCrc: number;
  /** 0 in format 1. */
  readonly salt: number;
  /** Where the first batch begins. */
  readonly headerBytes: number;
}

export function segmentName(firstSequence: number): string {
  return `${firstSequence.toString(16).padStart(16, '0')}.wal`;
}

/** The first sequence of the segment with this file name; undefined when it is not a segment's name. */
export function sequenceOfName(name: string): number | undefined {
  const match = NAME.exec(name);
  return match === null ? undefined : Number.parseInt(match[1], 16);
}

/** Where a file may be made to try out the file system of the log. */
export const TRIAL_NAME = '0000000000000000.wal.new';

/** A name of the journal's own, of a file that holds nothing of the log. */
export function isUnusedName(name: string): boolean {
  return UNUSED_NAME.test(name);
}

export function isSpareName(name: string): boolean {
  return isUnusedName(name) && name.endsWith(SPARE_ENDING);
}

/** The name of a segment's file while it waits to be another segment. */
export function spareName(segment: string): string {
  return `${segment}${SPARE_ENDING}`;
}

export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const bytes = Buffer.alloc(header.headerBytes);
  bytes.set(MAGIC);
  writeUint32(bytes, AT_VERSION, header.format);
  writeId(bytes, AT_CLUSTER_ID, header.identity.clusterId);
  writeId(bytes, AT_MEMBER_ID, header.identity.memberId);
  writeUint64(bytes, AT_FIRST_SEQUENCE, header.firstSequence);
  writeUint64(bytes, AT_EPOCH, header.epoch);
  writeUint32(bytes, AT_PREVIOUS_CRC, header.previousCrc);
  if (header.format > 1) {
    writeUint32(bytes, AT_SALT, header.salt);
    writeUint32(bytes, AT_HEADER_BYTES, header.headerBytes);
  }
  writeUint32(bytes, AT_CRC, headerCrc(bytes));
  return bytes;
}

/** Reads the header at the start of `bytes`. Throws CorruptionError, or ForeignLogError for a newer format. */
export function decodeSegmentHeader(file: string, bytes: Uint8Array): SegmentHeader {
  if (bytes.length < SEGMENT_HEADER_BYTES) throw new CorruptionError(file, 0, 'the segment header is cut off');
  if (!equalBytes(bytes, 0, MAGIC.length, MAGIC, 0, MAGIC.length)) {
    throw new CorruptionError(file, 0, 'it does not begin as a segment');
  }
  // Before the CRC: a later format may keep it elsewhere.
  const version = readUint32(bytes, AT_VERSION);
  if (version > FORMAT_VERSION) {
    throw new ForeignLogError(file, `has format ${version}; this program reads up to ${FORMAT_VERSION}`);
  }
  if (readUint32(bytes, AT_CRC) !== headerCrc(bytes)) {
    throw new CorruptionError(file, 0, 'the checksum of the segment header does not match');
  }
  const headerBytes = version === 1 ? SEGMENT_HEADER_BYTES : readUint32(bytes, AT_HEADER_BYTES);
  if (headerBytes < SEGMENT_HEADER_BYTES || headerBytes > ALIGNMENT_BYTES_MAX) {
    throw new CorruptionError(file, AT_HEADER_BYTES, `the first batch cannot begin at byte ${headerBytes}`);
  }
  return {
    format: version,
    identity: { clusterId: readId(bytes, AT_CLUSTER_ID), memberId: readId(bytes, AT_MEMBER_ID) },
    firstSequence: readUint64(bytes, AT_FIRST_SEQUENCE),
    epoch: readUint64(bytes, AT_EPOCH),
    previousCrc: readUint32(bytes, AT_PREVIOUS_CRC),
    salt: readUint32(bytes, AT_SALT),
    headerBytes,
  };
}

/**
 * Makes an empty segment; it is durable, header and name, when this resolves. After a failure it may be tried again. `isDirect`: its file
 * is opened for direct writes.
 */
export async function createSegment(
  disk: Disk,
  folder: string,
  header: SegmentHeader,
  isDirect: boolean,
): Promise<DiskFile> {
  const path = join(folder, segmentName(header.firstSequence));
  return await begin(disk, await disk.open(`${path}.new`, 'create', isDirect), path, header);
}

/**
 * As `createSegment`, from a spare file, whose bytes stay behind the header; after a failure it is gone. Undefined, with the file removed, where it
 * has other names too: somebody keeps what it holds.
 */
export async function reuseSegment(
  disk: Disk,
  folder: string,
  header: SegmentHeader,
  isDirect: boolean,
  spare: string,
): Promise<DiskFile | undefined> {
  const path = join(folder, segmentName(header.firstSequence));
  try {
    await disk.rename(join(folder, spare), `${path}.new`);
  } catch (error) {
    // A folder may need space for the name too. The file holds nothing that is needed, and nobody would ask for it again.
    await disk.unlink(join(folder, spare)).catch(() => {});
    throw error;
  }
  const file = await disk.open(`${path}.new`, 'write', isDirect);
  if ((await file.nameCount()) === 1) return await begin(disk, file, path, header);
  await file.close();
  await disk.unlink(`${path}.new`);
  return undefined;
}

/** `file` is the segment's, under the name of one that is being made. */
async function begin(disk: Disk, file: DiskFile, path: string, header: SegmentHeader): Promise<DiskFile> {
  try {
    await writeAll(file, encodeSegmentHeader(header), 0);
    await datasync(file);
    await disk.rename(`${path}.new`, path);
    await disk.syncDirectory(dirname(path));
    return file;
  } catch (error) {
    // What these say matters less than why they are done. Nothing is there to remove when it was renamed.
    await file.close().catch(() => {});
    await disk.unlink(`${path}.new`).catch(() => {});
    throw error;
  }
}

function headerCrc(bytes: Uint8Array): number {
  const crc = crcOf(bytes, 0, AT_CRC, 0);
  return crcOf(bytes, AT_CRC + 4, SEGMENT_HEADER_BYTES, crc);
}
