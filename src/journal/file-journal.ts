// The journal on local files: group commit. Batches are written at their offsets, one write at a time that
// takes all batches waiting; syncs run beside the writes, up to `syncsInFlightMax`, each for all that was written
// when it began. Reports go out in order.
//
//   commit ─► waiting ─► write (≤ 1) ─► written ─► sync (≤ syncsInFlightMax) ─► durable
//             buffers stay in use here             only numbers from here on
//
// A sync is begun when what was written holds a batch of class `fsync`, when somebody asked, or when `buffered`
// batches have waited half of `bufferedLossMsMax` or fill half of `bufferedLossBytesMax`. When a whole limit is
// reached all the same (a slow disk), `hasRoom` is false: a power cut never takes more than the limits and one batch.
//
// A new segment is begun when the old one is full and all of it is durable (recovery.ts relies on it).

import { join } from 'node:path';
import { assert } from '../base/assert.ts';
import type { Clock, Timer } from '../io/clock.ts';
import type { Disk, DiskFile, DiskLock } from '../io/disk.ts';
import { type BatchPlace, BatchWriter } from './batch-writer.ts';
import { SEGMENT_HEADER_BYTES } from './format.ts';
import type { Journal, JournalHandler, JournalIdentity, JournalObserver } from './journal.ts';
import type { StoredSegment } from './recovery.ts';
import { createSegment, segmentName } from './segment.ts';

export interface FileJournalLimits {
  /** A batch this large is full. */
  readonly batchBytesMax: number;
  /** Batches committed whose class is not satisfied yet. At the limit `hasRoom` is false. */
  readonly inFlightBatchesMax: number;
  readonly syncsInFlightMax: number;
  /** A segment is not continued beyond this; a larger batch gets one of its own. */
  readonly segmentBytesMax: number;
  /** What a power cut may take of the class `buffered`: age and size of what is not durable. */
  readonly bufferedLossMsMax: number;
  readonly bufferedLossBytesMax: number;
}

export const FILE_JOURNAL_LIMITS: FileJournalLimits = {
  batchBytesMax: 1 << 20,
  inFlightBatchesMax: 4,
  syncsInFlightMax: 2,
  segmentBytesMax: 64 << 20,
  bufferedLossMsMax: 200,
  bufferedLossBytesMax: 32 << 20,
};

/** Where an opened log ends. */
export interface FileJournalStart {
  readonly identity: JournalIdentity;
  readonly epoch: number;
  readonly sequence: number;
  readonly previousCrc: number;
  readonly crcSeed: number;
  readonly segments: readonly StoredSegment[];
  /** The last segment, open for writing, and its end. */
  readonly file: DiskFile;
  readonly position: number;
}

export interface FileJournalOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly handler: JournalHandler;
  readonly observer: JournalObserver | undefined;
  readonly limits: FileJournalLimits;
  /** The folder of the segments. */
  readonly folder: string;
  readonly lock: DiskLock;
  readonly start: FileJournalStart;
}

/** A batch between commit and the end of its write. */
interface WaitingBatch {
  readonly batch: BatchWriter;
  readonly sequence: number;
  readonly previousCrc: number;
  readonly committedMs: number;
}

/** What becomes durable when it ends. */
interface RunningSync {
  readonly sequence: number;
  /** Of all batches since the start. */
  readonly writtenBytes: number;
  /** When the oldest `buffered` batch it covers was committed; infinite when there is none. */
  readonly bufferedSinceMs: number;
  readonly startedMs: number;
  isDone: boolean;
}

interface Waiter {
  readonly isReached: () => boolean;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class FileJournal implements Journal {
  readonly epoch: number;
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #handler: JournalHandler;
  readonly #observer: JournalObserver | undefined;
  readonly #limits: FileJournalLimits;
  readonly #folder: string;
  readonly #lock: DiskLock;
  readonly #identity: JournalIdentity;

  readonly #place: BatchPlace;
  #open: BatchWriter;
  readonly #free: BatchWriter[] = [];
  readonly #waiting: WaitingBatch[] = [];
  #isWriting = false;
  readonly #syncs: RunningSync[] = [];
  #timer: Timer | undefined;

  readonly #segments: StoredSegment[];
  #file: DiskFile;
  #position: number;
  #isRolling = false;

  #lastSequence: number;
  #writtenSequence: number;
  #syncingSequence: number;
  #durableSequence: number;
  /** The last batch that must be made durable without delay. */
  #urgentSequence: number;
  /** Bytes of all batches since the start, by how far they are. */
  #committedBytes = 0;
  #writtenBytes = 0;
  #syncingBytes = 0;
  #durableBytes = 0;
  /** When the oldest `buffered` batch that no sync covers was committed; infinite when there is none. */
  #bufferedSinceMs: number = Number.POSITIVE_INFINITY;

  #fatal: Error | undefined;
  #isClosing = false;
  readonly #waiters: Waiter[] = [];

  constructor(options: FileJournalOptions) {
    const { start, limits } = options;
    this.#disk = options.disk;
    this.#clock = options.clock;
    this.#handler = options.handler;
    this.#observer = options.observer;
    this.#limits = limits;
    this.#folder = options.folder;
    this.#lock = options.lock;
    this.#identity = start.identity;
    this.epoch = start.epoch;
    this.#place = {
      sequence: start.sequence,
      epoch: start.epoch,
      durableSequence: start.sequence,
      previousCrc: start.previousCrc,
      crcSeed: start.crcSeed,
    };
    this.#segments = start.segments.map((segment) => ({ ...segment }));
    this.#file = start.file;
    this.#position = start.position;
    this.#lastSequence = start.sequence;
    this.#writtenSequence = start.sequence;
    this.#syncingSequence = start.sequence;
    this.#durableSequence = start.sequence;
    this.#urgentSequence = start.sequence;
    this.#open = new BatchWriter(limits.batchBytesMax);
    for (let i = 0; i < limits.inFlightBatchesMax; i++) this.#free.push(new BatchWriter(limits.batchBytesMax));
  }

  get batch(): BatchWriter {
    return this.#open;
  }

  get lastSequence(): number {
    return this.#lastSequence;
  }

  get writtenSequence(): number {
    return this.#writtenSequence;
  }

  get durableSequence(): number {
    return this.#durableSequence;
  }

  get pendingBytes(): number {
    return this.#committedBytes - this.#durableBytes;
  }

  get storedBytes(): number {
    let bytes = this.#position;
    for (let i = 0; i < this.#segments.length - 1; i++) bytes += this.#segments[i].bytes;
    return bytes;
  }

  get hasRoom(): boolean {
    return !this.#isClosing && this.#fatal === undefined && this.#isBelowLimits();
  }

  commit(): number {
    assert(this.hasRoom, 'commit without room');
    return this.#commit();
  }

  sync(): void {
    this.#urgentSequence = this.#lastSequence;
    this.#startSync();
  }

  async trim(sequence: number): Promise<void> {
    while (this.#segments.length > 1 && this.#segments[1].firstSequence <= sequence) {
      const [oldest] = this.#segments;
      await this.#disk.unlink(join(this.#folder, oldest.name));
      // One by one: were the names to go in another order, a power cut could leave a gap.
      await this.#disk.syncDirectory(this.#folder);
      this.#segments.shift();
    }
  }

  async close(cleanRevision: number | undefined): Promise<void> {
    assert(!this.#isClosing, 'close called twice');
    this.#isClosing = true;
    if (cleanRevision !== undefined || !this.#open.isEmpty) {
      await this.#until(() => this.#isBelowLimits());
      if (cleanRevision !== undefined) this.#open.appendClean(cleanRevision);
      this.#commit();
    }
    this.sync();
    await this.#until(() => this.#durableSequence === this.#lastSequence && !this.#isRolling);
    this.#timer?.cancel();
    await this.#file.close();
    await this.#lock.release();
  }

  #isBelowLimits(): boolean {
    if (this.#free.length === 0) return false;
    if (this.#urgentSequence - this.#durableSequence >= this.#limits.inFlightBatchesMax) return false;
    if (this.pendingBytes >= this.#limits.bufferedLossBytesMax) return false;
    const sinceMs = this.#syncs.length > 0 ? this.#syncs[0].bufferedSinceMs : this.#bufferedSinceMs;
    return sinceMs === Number.POSITIVE_INFINITY || this.#clock.nowMs() - sinceMs < this.#limits.bufferedLossMsMax;
  }

  #commit(): number {
    const batch = this.#open;
    assert(!batch.isEmpty, 'commit of an empty batch');
    const next = this.#free.pop();
    assert(next !== undefined, 'commit without a free batch');
    const place = this.#place;
    const previousCrc = place.previousCrc;
    const sequence = this.#lastSequence + 1;
    place.sequence = sequence;
    place.durableSequence = this.#durableSequence;
    place.previousCrc = batch.seal(place);
    this.#lastSequence = sequence;
    const committedMs = this.#clock.nowMs();
    if (batch.durability === 'fsync') this.#urgentSequence = sequence;
    else this.#bufferedSinceMs = Math.min(this.#bufferedSinceMs, committedMs);
    this.#committedBytes += batch.bytes;
    this.#waiting.push({ batch, sequence, previousCrc, committedMs });
    this.#open = next;
    this.#startWrite();
    return sequence;
  }

  #startWrite(): void {
    if (this.#isWriting || this.#isRolling || this.#waiting.length === 0 || this.#fatal !== undefined) return;
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    let sequence = 0;
    for (const { batch, sequence: next } of this.#waiting) {
      if (!this.#fits(this.#position + bytes, batch.bytes)) break;
      chunks.push(batch.view());
      bytes += batch.bytes;
      sequence = next;
    }
    if (chunks.length === 0) {
      this.#startRoll();
      return;
    }
    this.#isWriting = true;
    const startedMs = this.#clock.nowMs();
    this.#file.write(chunks, this.#position, (error) => {
      this.#isWriting = false;
      if (error !== undefined) {
        this.#fail(error);
        return;
      }
      this.#observer?.onWrite((this.#clock.nowMs() - startedMs) / 1000, bytes);
      this.#onWriteDone(sequence, chunks.length, bytes);
    });
    this.#position += bytes;
  }

  /** Whether a batch may begin at `position`: in an empty segment always. */
  #fits(position: number, bytes: number): boolean {
    return position === SEGMENT_HEADER_BYTES || position + bytes <= this.#limits.segmentBytesMax;
  }

  #onWriteDone(sequence: number, count: number, bytes: number): void {
    if (this.#fatal !== undefined) return;
    for (const { batch } of this.#waiting.splice(0, count)) {
      batch.reset();
      this.#free.push(batch);
    }
    this.#writtenSequence = sequence;
    this.#writtenBytes += bytes;
    this.#startWrite();
    this.#startSync();
    this.#handler.onWritten(sequence);
    this.#wake();
  }

  #startSync(): void {
    if (this.#fatal !== undefined || this.#syncingSequence === this.#writtenSequence) return;
    if (this.#syncs.length >= this.#limits.syncsInFlightMax) return;
    if (!this.#isSyncDue()) {
      this.#timer ??= this.#clock.setTimer(this.#limits.bufferedLossMsMax / 2, () => {
        this.#timer = undefined;
        this.sync();
      });
      return;
    }
    this.#timer?.cancel();
    this.#timer = undefined;
    const sync: RunningSync = {
      sequence: this.#writtenSequence,
      writtenBytes: this.#writtenBytes,
      bufferedSinceMs: this.#bufferedSinceMs,
      startedMs: this.#clock.nowMs(),
      isDone: false,
    };
    this.#syncs.push(sync);
    this.#syncingSequence = sync.sequence;
    this.#syncingBytes = sync.writtenBytes;
    // What is committed and not written yet waits for the next sync.
    this.#bufferedSinceMs = this.#waiting.length > 0 ? this.#waiting[0].committedMs : Number.POSITIVE_INFINITY;
    this.#file.datasync((error) => {
      if (error !== undefined) {
        this.#fail(error);
        return;
      }
      sync.isDone = true;
      this.#onSyncDone();
    });
  }

  #isSyncDue(): boolean {
    if (this.#urgentSequence > this.#syncingSequence) return true;
    return (this.#writtenBytes - this.#syncingBytes) * 2 >= this.#limits.bufferedLossBytesMax;
  }

  /**
   * Syncs are reported in the order they began: an earlier one that fails may be told of the error that also
   * concerns a later one, which then succeeds.
   */
  #onSyncDone(): void {
    while (this.#fatal === undefined && this.#syncs.length > 0 && this.#syncs[0].isDone) {
      const { sequence, writtenBytes, startedMs } = this.#syncs[0];
      this.#syncs.shift();
      const count = sequence - this.#durableSequence;
      this.#durableSequence = sequence;
      this.#durableBytes = writtenBytes;
      this.#observer?.onSync((this.#clock.nowMs() - startedMs) / 1000, count);
      this.#startSync();
      this.#startWrite();
      this.#handler.onDurable(sequence);
      this.#wake();
    }
  }

  /** The next batch needs a new segment: first all before it must be durable. */
  #startRoll(): void {
    const [{ sequence, previousCrc }] = this.#waiting;
    if (this.#durableSequence < sequence - 1) {
      this.#urgentSequence = Math.max(this.#urgentSequence, sequence - 1);
      this.#startSync();
      return;
    }
    this.#isRolling = true;
    const startedMs = this.#clock.nowMs();
    this.#roll(sequence, previousCrc).then(
      () => {
        this.#isRolling = false;
        this.#observer?.onRoll((this.#clock.nowMs() - startedMs) / 1000);
        this.#startWrite();
        this.#wake();
      },
      (error) => this.#fail(error instanceof Error ? error : new Error(String(error))),
    );
  }

  async #roll(firstSequence: number, previousCrc: number): Promise<void> {
    const header = { identity: this.#identity, firstSequence, epoch: this.epoch, previousCrc };
    const file = await createSegment(this.#disk, this.#folder, header);
    await this.#file.close();
    this.#segments[this.#segments.length - 1].bytes = this.#position;
    this.#segments.push({ name: segmentName(firstSequence), firstSequence, bytes: 0 });
    this.#file = file;
    this.#position = SEGMENT_HEADER_BYTES;
  }

  #fail(error: Error): void {
    if (this.#fatal !== undefined) return;
    this.#fatal = error;
    this.#timer?.cancel();
    this.#handler.onFatal(error);
    this.#wake();
  }

  /** Resolves when the condition holds; looked at after every report. */
  #until(isReached: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ isReached, resolve, reject });
      this.#wake();
    });
  }

  #wake(): void {
    for (let i = this.#waiters.length - 1; i >= 0; i--) {
      const waiter = this.#waiters[i];
      if (this.#fatal !== undefined) waiter.reject(this.#fatal);
      else if (waiter.isReached()) waiter.resolve();
      else continue;
      this.#waiters.splice(i, 1);
    }
  }
}
