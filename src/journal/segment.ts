// Segment files: names, headers (drawn in format.ts), and creation.
//
// A segment is made under `<name>.new`, its header synced, and only then renamed. So a file named `.wal` always
// has a whole header, unless the disk damaged it, and a `.new` file is an unfinished creation to be removed.

import { join } from 'node:path';
import { equalBytes } from '../base/bytes.ts';
import { type Disk, type DiskFile, datasync, writeAll } from '../io/disk.ts';
import { CorruptionError, ForeignLogError } from './errors.ts';
import {
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
const UNFINISHED_NAME = /^[0-9a-f]{16}\.wal\.new$/;

const AT_VERSION = 8;
const AT_CRC = 12;
const AT_CLUSTER_ID = 16;
const AT_MEMBER_ID = 24;
const AT_FIRST_SEQUENCE = 32;
const AT_EPOCH = 40;
const AT_PREVIOUS_CRC = 48;

const MAGIC: Uint8Array = Buffer.from(SEGMENT_MAGIC, 'latin1');

export interface SegmentHeader {
  readonly identity: JournalIdentity;
  readonly firstSequence: number;
  readonly epoch: number;
  /** Header CRC of the batch before the first one; 0 when there is none. */
  readonly previousCrc: number;
}

export function segmentName(firstSequence: number): string {
  return `${firstSequence.toString(16).padStart(16, '0')}.wal`;
}

/** The first sequence of the segment with this file name; undefined when it is not a segment's name. */
export function sequenceOfName(name: string): number | undefined {
  const match = NAME.exec(name);
  return match === null ? undefined : Number.parseInt(match[1], 16);
}

export function isUnfinishedName(name: string): boolean {
  return UNFINISHED_NAME.test(name);
}

export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  bytes.set(MAGIC);
  writeUint32(bytes, AT_VERSION, FORMAT_VERSION);
  writeId(bytes, AT_CLUSTER_ID, header.identity.clusterId);
  writeId(bytes, AT_MEMBER_ID, header.identity.memberId);
  writeUint64(bytes, AT_FIRST_SEQUENCE, header.firstSequence);
  writeUint64(bytes, AT_EPOCH, header.epoch);
  writeUint32(bytes, AT_PREVIOUS_CRC, header.previousCrc);
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
  return {
    identity: { clusterId: readId(bytes, AT_CLUSTER_ID), memberId: readId(bytes, AT_MEMBER_ID) },
    firstSequence: readUint64(bytes, AT_FIRST_SEQUENCE),
    epoch: readUint64(bytes, AT_EPOCH),
    previousCrc: readUint32(bytes, AT_PREVIOUS_CRC),
  };
}

/** Makes an empty segment; it is durable, header and name, when this resolves. After a failure it may be tried again. */
export async function createSegment(disk: Disk, folder: string, header: SegmentHeader): Promise<DiskFile> {
  const path = join(folder, segmentName(header.firstSequence));
  const file = await disk.open(`${path}.new`, 'create');
  try {
    await writeAll(file, encodeSegmentHeader(header), 0);
    await datasync(file);
    await disk.rename(`${path}.new`, path);
    await disk.syncDirectory(folder);
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
