// etcd's write-ahead log (member/wal) read as raft entries; nothing is changed. Source: etcd 3.7 server/storage/wal.
//
//   file    <sequence, 16 hex digits>-<first index, 16 hex digits>.wal, preallocated with zeros
//   frame   8 B little endian: bits 0…55 record bytes, 56…58 padding if bit 63 is set; then the record; 0 = the end
//   record  walpb.Record: 08 type, 10 crc, 1a data; crc is CRC-32C over the data of all records so far, in all files
//   types   1 metadata   2 entry (raftpb.Entry)   3 state (raftpb.HardState)   4 crc that a file goes on from   5 snapshot
//
// An entry replaces that of the same index and all behind it. The last record of the last file may be torn: etcd never said
// that it was there. Everything else that does not fit is CorruptionError.

import { ByteReader, WireError } from '../base/byte-reader.ts';
import { CorruptionError } from '../journal/errors.ts';
import { crc32c } from '../store/crc32c.ts';

const RECORD_ENTRY = 2;
const RECORD_STATE = 3;
const RECORD_CRC = 4;
const FRAME_BYTES = 8;
const SECTOR_BYTES = 512;

export interface RaftEntry {
  readonly index: number;
  /** raftpb.EntryType: 0 = a request. */
  readonly type: number;
  readonly data: Uint8Array;
}

interface Record {
  type: number;
  crc: number;
  dataStart: number;
  dataEnd: number;
}

export class RaftLog {
  /** Those above the index asked for, dense. */
  readonly entries: RaftEntry[] = [];
  /** The highest index known to be committed. */
  commit = 0;
  readonly #after: number;
  #crc = 0;
  readonly #reader = new ByteReader();
  readonly #record: Record = { type: 0, crc: 0, dataStart: 0, dataEnd: 0 };

  /** Entries up to index `after` are not kept. */
  constructor(after: number) {
    this.#after = after;
  }

  /** Files in the order of their names. Throws CorruptionError. */
  read(path: string, content: Buffer, isLast: boolean): void {
    let at = 0;
    while (at + FRAME_BYTES <= content.length) {
      const frame = content.readBigUInt64LE(at);
      if (frame === 0n) return;
      const recordBytes = Number(frame & 0xff_ffff_ffff_ffffn);
      const padBytes = frame >> 63n === 0n ? 0 : Number((frame >> 56n) & 7n);
      const start = at + FRAME_BYTES;
      const end = start + recordBytes;
      const next = end + padBytes;
      if (next > content.length) {
        if (isLast) return;
        throw new CorruptionError(path, at, 'a record goes on behind the end of the file');
      }
      const wrong = this.#readRecord(content, start, end);
      if (wrong !== undefined) {
        if (isLast && isTorn(content, start, next)) return;
        throw new CorruptionError(path, at, wrong);
      }
      at = next;
    }
  }

  #readRecord(content: Buffer, start: number, end: number): string | undefined {
    try {
      this.#decodeRecord(content, start, end);
      const { type, crc, dataStart, dataEnd } = this.#record;
      if (type === RECORD_CRC) {
        if (this.#crc !== 0 && crc !== this.#crc) return 'the checksum that a file goes on from is wrong';
        this.#crc = crc;
        return undefined;
      }
      const sum = crc32c(this.#crc, content, dataStart, dataEnd);
      if (sum !== crc) return 'the checksum of a record is wrong';
      this.#crc = sum;
      if (type === RECORD_ENTRY) return this.#addEntry(content, dataStart, dataEnd);
      if (type === RECORD_STATE) this.#readState(content, dataStart, dataEnd);
      return undefined;
    } catch (error) {
      if (error instanceof WireError) return `a record is malformed: ${error.message}`;
      throw error;
    }
  }

  #decodeRecord(content: Buffer, start: number, end: number): void {
    const reader = this.#reader;
    const record = this.#record;
    reader.reset(content, start, end);
    record.type = 0;
    record.crc = 0;
    record.dataStart = record.dataEnd = start;
    while (reader.hasMore) {
      const tag = reader.tag();
      if (tag === 0x08) record.type = reader.varint();
      else if (tag === 0x10) record.crc = reader.varint() >>> 0;
      else if (tag === 0x1a) {
        reader.lengthDelimited();
        record.dataStart = reader.valueStart;
        record.dataEnd = reader.valueEnd;
      } else reader.skip(tag);
    }
  }

  #addEntry(content: Buffer, start: number, end: number): string | undefined {
    const reader = this.#reader;
    reader.reset(content, start, end);
    let index = 0;
    let type = 0;
    let data = content.subarray(start, start);
    while (reader.hasMore) {
      const tag = reader.tag();
      if (tag === 0x08) type = reader.varint();
      else if (tag === 0x18) index = reader.varint();
      else if (tag === 0x22) {
        reader.lengthDelimited();
        data = content.subarray(reader.valueStart, reader.valueEnd);
      } else reader.skip(tag);
    }
    if (index <= this.#after) {
      // It replaces what was kept as well.
      this.entries.length = 0;
      return undefined;
    }
    const place = index - this.#after - 1;
    if (place > this.entries.length)
      return `entry ${index} follows, but ${this.#after + this.entries.length + 1} is missing`;
    this.entries.length = place;
    this.entries.push({ index, type, data: Uint8Array.prototype.slice.call(data) });
    return undefined;
  }

  #readState(content: Buffer, start: number, end: number): void {
    const reader = this.#reader;
    reader.reset(content, start, end);
    while (reader.hasMore) {
      const tag = reader.tag();
      if (tag === 0x18) this.commit = reader.varint();
      else reader.skip(tag);
    }
  }
}

/** A sector of the record that is all zeros did not reach the disk. */
function isTorn(content: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; ) {
    const sectorEnd = Math.min(at - (at % SECTOR_BYTES) + SECTOR_BYTES, end);
    if (content.subarray(at, sectorEnd).every((byte) => byte === 0)) return true;
    at = sectorEnd;
  }
  return false;
}
