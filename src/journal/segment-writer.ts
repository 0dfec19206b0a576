// The segments of a log that is being written: the open one, where its next batch goes, and those before it.
//
//   open segment   │ header │ batch │ batch │ … │ zeros set down ahead, or bytes of an earlier segment │
//                                            position                                             reservedEnd
//
// A segment is begun in a file that an earlier one had, where there is a spare one (spare-segments.ts). In a new file a small
// durable write that would make it grow sets down `reserveBytes` of zeros behind itself, in the same operation. Writes up to
// `reservedEnd` change no metadata, which on ext4 costs more than the bytes. Recovery knows both for what they are, and close
// cuts them off.
//
// A new segment is begun when the caller says so: all of the one before must be durable (recovery.ts relies on it).
//
// A write or a new segment that finds the disk full (ENOSPC) gives the spare files back and is tried again (full-disk.ts). That is
// safe, because all of its bytes are written anew at the same place, and nothing was said of them. It does not hold for a sync.

import type { Disk, DiskFile } from '../io/disk.ts';
import { type FullDisk, isFull } from './full-disk.ts';
import type { JournalMemory } from './journal-memory.ts';
import type { StoredSegment } from './recovery.ts';
import { createSegment, reuseSegment, type SegmentHeader, segmentName } from './segment.ts';
import { SpareSegments } from './spare-segments.ts';

export interface SegmentLimits {
  /** A segment is not continued beyond this; a larger batch gets one of its own. */
  readonly segmentBytesMax: number;
  /** Zeros that a small durable write sets down behind itself; 0 for none. */
  readonly reserveBytes: number;
  /** Files of segments that are kept to be the next ones, at most. */
  readonly spareSegmentsMax: number;
}

export interface SegmentWriterStart {
  readonly segments: readonly StoredSegment[];
  /** The last batch. */
  readonly sequence: number;
  /** The last segment, open for writing, and its end. */
  readonly file: DiskFile;
  readonly position: number;
  readonly headerBytes: number;
  /** What batches are padded to a multiple of. */
  readonly alignment: number;
  /** Durable writes go past the page cache; the alignment is the disk's block then. */
  readonly isDirect: boolean;
  readonly memory: JournalMemory;
}

type Done = (error: Error | undefined) => void;
type Attempt = (done: Done) => void;

/** What counts as small: behind more, the zeros would cost more than they save. */
const RESERVING_WRITE_BYTES_MAX: number = 16 << 10;

export class SegmentWriter {
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #limits: SegmentLimits;
  readonly #full: FullDisk;
  readonly #zeros: Uint8Array;
  readonly #alignment: number;
  readonly #isDirect: boolean;
  readonly #segments: StoredSegment[];
  readonly #spares: SpareSegments;
  /** The first segment that this writer may have begun. */
  readonly #firstOwn: number;
  #file: DiskFile;
  #position: number;
  /** Up to here the file has its blocks. */
  #reservedEnd = 0;
  #headerBytes: number;
  /** A segment is removed, and the folder not synced since. */
  #isRemovalOwed = false;

  /** `folder` is that of the segments. */
  constructor(disk: Disk, folder: string, limits: SegmentLimits, start: SegmentWriterStart, full: FullDisk) {
    this.#disk = disk;
    this.#folder = folder;
    this.#limits = limits;
    this.#full = full;
    this.#zeros = start.memory.zeros;
    this.#alignment = start.alignment;
    this.#isDirect = start.isDirect;
    this.#segments = start.segments.map((segment) => ({ ...segment }));
    this.#spares = new SpareSegments(disk, folder, limits.spareSegmentsMax);
    this.#firstOwn = start.sequence + 1;
    this.#file = start.file;
    this.#position = start.position;
    this.#headerBytes = start.headerBytes;
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
    return position === this.#headerBytes || position + bytes <= this.#limits.segmentBytesMax;
  }

  write(chunks: readonly Uint8Array[], bytes: number, done: Done): void {
    const position = this.#position;
    this.#position += bytes;
    this.#untilRoom((ended) => this.#file.write(chunks, position, ended), done);
  }

  /** True when this write also sets down zeros: then nothing may be written until it is done. */
  writeDurable(chunks: readonly Uint8Array[], bytes: number, done: Done): boolean {
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

  sync(done: Done): void {
    this.#file.datasync(done);
  }

  /** Begins a new segment; it is durable when this is done. Nothing is being written, and all that was is durable. */
  roll(header: SegmentHeader, done: Done): void {
    this.#untilRoom((ended) => {
      this.#roll(header).then(
        () => ended(undefined),
        (error) => ended(error instanceof Error ? error : new Error(String(error))),
      );
    }, done);
  }

  async #roll(header: SegmentHeader): Promise<void> {
    const file = await this.#begin(header);
    this.#spares.countBegun();
    const reservedEnd = await file.size();
    await this.#file.close();
    this.#segments[this.#segments.length - 1].bytes = this.#position;
    const { firstSequence } = header;
    this.#segments.push({ name: segmentName(firstSequence), firstSequence, bytes: 0 });
    this.#file = file;
    this.#position = header.headerBytes;
    this.#headerBytes = header.headerBytes;
    this.#reservedEnd = reservedEnd;
  }

  async #begin(header: SegmentHeader): Promise<DiskFile> {
    const spare = this.#spares.take();
    const place = [this.#disk, this.#folder, header, this.#isDirect] as const;
    const reused = spare === undefined ? undefined : await reuseSegment(...place, spare);
    return reused ?? (await createSegment(...place));
  }

  /** Lets go of segments that hold only batches below `sequence`. */
  async trim(sequence: number): Promise<void> {
    while (this.#segments.length > 1 && this.#segments[1].firstSequence <= sequence) {
      // One by one: were the names to go in another order, a power cut could leave a gap.
      await this.#syncRemoval();
      const [oldest] = this.#segments;
      await this.#spares.release(oldest.name, this.#isReusable(oldest));
      this.#segments.shift();
      this.#isRemovalOwed = true;
    }
    await this.#syncRemoval();
    await this.#spares.endTrim();
  }

  /** Of the usual size, and begun by this writer: all that it ever held is this log's, with smaller sequences than all to come. */
  #isReusable({ firstSequence, bytes }: StoredSegment): boolean {
    return firstSequence >= this.#firstOwn && bytes <= this.#limits.segmentBytesMax;
  }

  /** Whether files may be kept that the log needs later. */
  allowSpares(isAllowed: boolean): Promise<void> {
    return this.#spares.allow(isAllowed);
  }

  async #syncRemoval(): Promise<void> {
    if (!this.#isRemovalOwed) return;
    await this.#disk.syncDirectory(this.#folder);
    this.#isRemovalOwed = false;
    this.#spares.confirm();
  }

  /** Nothing is being written. */
  async close(): Promise<void> {
    // Need not be durable: what is there may stay.
    if (this.#reservedEnd > this.#position) await this.#file.truncate(this.#position);
    await this.#file.close();
    await this.#spares.close();
  }

  #untilRoom(attempt: Attempt, done: Done): void {
    attempt((error) => {
      if (!isFull(error) || !this.#full.wait(() => this.#untilRoom(attempt, done))) {
        done(error);
        return;
      }
      // A spare file that stays costs no more than the room it takes.
      this.#spares.allow(false).catch(() => {});
    });
  }

  /** What a durable write of `bytes`, which ends at the position, sets down behind itself. */
  #zeroBytesBehind(bytes: number): number {
    if (this.#position <= this.#reservedEnd || bytes > RESERVING_WRITE_BYTES_MAX) return 0;
    const bytesMax = Math.min(this.#zeros.length, this.#limits.segmentBytesMax - this.#position);
    return Math.max(0, bytesMax & -this.#alignment);
  }
}
