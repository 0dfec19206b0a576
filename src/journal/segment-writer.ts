// The segments of a log that is being written: the open one, where its next batch goes, and those before it.
//
//   open segment   │ header │ batch │ batch │ … │ zeros set down ahead │
//                                            position               reservedEnd
//
// A small durable write that would make the file grow sets down `reserveBytes` of zeros behind itself, in the same
// operation. Those behind it then change no metadata, which on ext4 costs more than the bytes. Recovery knows zeros for what
// they are, and close cuts them off.
//
// A new segment is begun when the caller says so: all of the one before must be durable (recovery.ts relies on it).
//
// A write that finds the disk full (ENOSPC) is asked of the caller: tried again, or an error. To try again is safe, because all of
// its bytes are written anew at the same place, and nothing was said of them. That does not hold for a sync.

import { join } from 'node:path';
import { type Disk, type DiskCallback, DiskError, type DiskFile } from '../io/disk.ts';
import { SEGMENT_HEADER_BYTES } from './format.ts';
import type { StoredSegment } from './recovery.ts';
import { createSegment, type SegmentHeader, segmentName } from './segment.ts';

/** The disk is full: calls `again` later and returns true, or returns false when the error is to be told. */
export type FullHandler = (again: () => void) => boolean;

export interface SegmentLimits {
  /** A segment is not continued beyond this; a larger batch gets one of its own. */
  readonly segmentBytesMax: number;
  /** Zeros that a small durable write sets down behind itself; 0 for none. */
  readonly reserveBytes: number;
}

export interface SegmentWriterStart {
  readonly segments: readonly StoredSegment[];
  /** The last segment, open for writing, and its end. */
  readonly file: DiskFile;
  readonly position: number;
}

type Attempt = (done: DiskCallback) => void;

/** What counts as small: behind more, the zeros would cost more than they save. */
const RESERVING_WRITE_BYTES_MAX: number = 16 << 10;

export class SegmentWriter {
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #limits: SegmentLimits;
  readonly #onFull: FullHandler;
  readonly #zeros: Uint8Array;
  readonly #segments: StoredSegment[];
  #file: DiskFile;
  #position: number;
  #reservedEnd = 0;
  /** A segment is removed, and the folder not synced since. */
  #isRemovalOwed = false;

  /** `folder` is that of the segments. */
  constructor(disk: Disk, folder: string, limits: SegmentLimits, start: SegmentWriterStart, onFull: FullHandler) {
    this.#disk = disk;
    this.#folder = folder;
    this.#limits = limits;
    this.#onFull = onFull;
    this.#zeros = Buffer.alloc(limits.reserveBytes);
    this.#segments = start.segments.map((segment) => ({ ...segment }));
    this.#file = start.file;
    this.#position = start.position;
  }

  /** Of all segments, up to the last batch. */
  get storedBytes(): number {
    let bytes = this.#position;
    for (let i = 0; i < this.#segments.length - 1; i++) bytes += this.#segments[i].bytes;
    return bytes;
  }

  /** Whether a batch may go where `bytes` more have been written: in an empty segment always. */
  fits(bytesBefore: number, bytes: number): boolean {
    const position = this.#position + bytesBefore;
    return position === SEGMENT_HEADER_BYTES || position + bytes <= this.#limits.segmentBytesMax;
  }

  write(chunks: readonly Uint8Array[], bytes: number, done: DiskCallback): void {
    const position = this.#position;
    this.#position += bytes;
    this.#untilRoom((ended) => this.#file.write(chunks, position, ended), done);
  }

  /** True when this write also sets down zeros: then nothing may be written until it is done. */
  writeDurable(chunks: readonly Uint8Array[], bytes: number, done: DiskCallback): boolean {
    const position = this.#position;
    this.#position += bytes;
    const zeroBytes = this.#zeroBytesBehind(bytes);
    const write: Attempt = (ended) => this.#file.writeDurable(chunks, position, ended);
    if (zeroBytes === 0) {
      this.#untilRoom(write, done);
      return false;
    }
    this.#reservedEnd = this.#position + zeroBytes;
    this.#file.writeDurable([...chunks, this.#zeros.subarray(0, zeroBytes)], position, (error) => {
      if (!isFull(error)) {
        done(error);
        return;
      }
      // The batches may fit where the zeros do not.
      this.#reservedEnd = 0;
      this.#untilRoom(write, done);
    });
    return true;
  }

  sync(done: DiskCallback): void {
    this.#file.datasync(done);
  }

  /** Begins a new segment; it is durable when this resolves. Nothing is being written, and all that was is durable. */
  async roll(header: SegmentHeader): Promise<void> {
    const file = await createSegment(this.#disk, this.#folder, header);
    await this.#file.close();
    this.#segments[this.#segments.length - 1].bytes = this.#position;
    const { firstSequence } = header;
    this.#segments.push({ name: segmentName(firstSequence), firstSequence, bytes: 0 });
    this.#file = file;
    this.#position = SEGMENT_HEADER_BYTES;
    this.#reservedEnd = 0;
  }

  /** Removes segments that hold only batches below `sequence`. */
  async trim(sequence: number): Promise<void> {
    while (this.#segments.length > 1 && this.#segments[1].firstSequence <= sequence) {
      // One by one: were the names to go in another order, a power cut could leave a gap.
      await this.#syncRemoval();
      const [oldest] = this.#segments;
      await this.#disk.unlink(join(this.#folder, oldest.name));
      this.#segments.shift();
      this.#isRemovalOwed = true;
    }
    await this.#syncRemoval();
  }

  async #syncRemoval(): Promise<void> {
    if (!this.#isRemovalOwed) return;
    await this.#disk.syncDirectory(this.#folder);
    this.#isRemovalOwed = false;
  }

  /** Nothing is being written. */
  async close(): Promise<void> {
    // Need not be durable: zeros may stay.
    if (this.#reservedEnd > this.#position) await this.#file.truncate(this.#position);
    await this.#file.close();
  }

  #untilRoom(attempt: Attempt, done: DiskCallback): void {
    attempt((error) => {
      if (!isFull(error) || !this.#onFull(() => this.#untilRoom(attempt, done))) done(error);
    });
  }

  /** What a durable write of `bytes`, which ends at the position, sets down behind itself. */
  #zeroBytesBehind(bytes: number): number {
    if (this.#position <= this.#reservedEnd || bytes > RESERVING_WRITE_BYTES_MAX) return 0;
    return Math.max(0, Math.min(this.#zeros.length, this.#limits.segmentBytesMax - this.#position));
  }
}

export function isFull(error: unknown): boolean {
  return error instanceof DiskError && error.code === 'ENOSPC';
}
