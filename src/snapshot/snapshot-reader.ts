// Reads one snapshot file: header, trailer and index first, so that everything is known of the blocks before the first is
// read; then the blocks in order, several reads ahead of the one that is being taken.

import type { Disk, DiskFile } from '../io/disk.ts';
import { CorruptionError } from '../journal/errors.ts';
import { crcOf } from '../journal/format.ts';
import {
  decodeHeader,
  decodeIndexEntry,
  decodeTrailer,
  HEADER_BYTES,
  INDEX_ENTRY_BYTES,
  type IndexEntry,
  type SnapshotHeader,
  type SnapshotTrailer,
  TRAILER_BYTES,
} from './format.ts';

/** Blocks read ahead. */
const READ_AHEAD_MAX = 4;

export interface BlockTaker {
  /** Memory of at least the block's size, from its start. */
  memoryFor(entry: IndexEntry): ArrayBuffer | SharedArrayBuffer;
  /** The block is in memory and good. */
  take(entry: IndexEntry, memory: ArrayBuffer | SharedArrayBuffer): void;
}

export class SnapshotReader {
  readonly path: string;
  readonly header: SnapshotHeader;
  readonly trailer: SnapshotTrailer;
  readonly bytes: number;
  readonly #file: DiskFile;
  readonly #entries: readonly IndexEntry[];
  readonly #crcSeed: number;

  private constructor(file: DiskFile, bytes: number, head: SnapshotHead) {
    this.path = file.path;
    this.header = head.header;
    this.trailer = head.trailer;
    this.bytes = bytes;
    this.#file = file;
    this.#entries = head.entries;
    this.#crcSeed = head.crcSeed;
  }

  /** Rejects with CorruptionError, ForeignLogError (a newer format) or DiskError. */
  static async open(disk: Disk, path: string): Promise<SnapshotReader> {
    const file = await disk.open(path, 'read');
    try {
      const bytes = await file.size();
      return new SnapshotReader(file, bytes, await readHead(file, bytes));
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  /** Gives all blocks to `taker`, in order. Rejects with CorruptionError or DiskError. */
  async readAll(taker: BlockTaker, onProgress: (bytesDone: number) => void): Promise<void> {
    const ahead: Promise<ArrayBuffer | SharedArrayBuffer>[] = [];
    for (let i = 0; i < this.#entries.length; i++) {
      while (ahead.length < READ_AHEAD_MAX && i + ahead.length < this.#entries.length) {
        const entry = this.#entries[i + ahead.length];
        const reading = this.#read(entry, taker.memoryFor(entry));
        // Whoever throws below leaves this read behind; its own failure then is of no interest.
        reading.catch(() => {});
        ahead.push(reading);
      }
      const entry = this.#entries[i];
      const memory = await ahead.shift();
      if (memory === undefined) break;
      const crc = crcOf(new Uint8Array(memory), 0, entry.bytes, this.#crcSeed);
      if (crc !== entry.crc) {
        throw new CorruptionError(
          this.path,
          entry.position,
          `the checksum of block ${i} (${entry.kind}) does not match`,
        );
      }
      taker.take(entry, memory);
      onProgress(entry.position + entry.bytes);
    }
  }

  async #read<M extends ArrayBuffer | SharedArrayBuffer>(entry: IndexEntry, memory: M): Promise<M> {
    const target = new Uint8Array(memory, 0, entry.bytes);
    const bytes = await this.#file.read(target, entry.position);
    if (bytes < entry.bytes) throw new CorruptionError(this.path, entry.position + bytes, 'the snapshot is cut off');
    return memory;
  }
}

interface SnapshotHead {
  readonly header: SnapshotHeader;
  readonly trailer: SnapshotTrailer;
  readonly entries: readonly IndexEntry[];
  readonly crcSeed: number;
}

async function readHead(file: DiskFile, fileBytes: number): Promise<SnapshotHead> {
  const { path } = file;
  const { header, crc } = decodeHeader(path, await readPart(file, 0, HEADER_BYTES));
  const trailerAt = fileBytes - TRAILER_BYTES;
  if (trailerAt < HEADER_BYTES) throw new CorruptionError(path, fileBytes, 'the snapshot is cut off');
  const trailer = decodeTrailer(path, await readPart(file, trailerAt, TRAILER_BYTES), fileBytes, crc);
  const { indexPosition, blocks, indexCrc } = trailer;
  const indexBytes = blocks * INDEX_ENTRY_BYTES;
  const index = await readPart(file, indexPosition, indexBytes);
  if (index.length < indexBytes || crcOf(index, 0, indexBytes, crc) !== indexCrc) {
    throw new CorruptionError(path, indexPosition, 'the checksum of the snapshot index does not match');
  }
  const entries: IndexEntry[] = [];
  for (let i = 0; i < blocks; i++) {
    const entry = decodeIndexEntry(index, i * INDEX_ENTRY_BYTES);
    if (entry === undefined) {
      throw new CorruptionError(path, indexPosition + i * INDEX_ENTRY_BYTES, 'a block of this kind is unknown');
    }
    entries.push(entry);
  }
  return { header, trailer, entries, crcSeed: crc };
}

async function readPart(file: DiskFile, position: number, bytes: number): Promise<Uint8Array> {
  const target = Buffer.alloc(bytes);
  return target.subarray(0, await file.read(target, position));
}
