// The journal on local files: group commit. A write takes all batches waiting, at their offsets. Reports go out in order.
//
//   commit ─► waiting ─┬─► durable write (≤ syncsInFlightMax) ──────────────────────────► durable
//                      └─► write (≤ 1) ─► written ─► sync (≤ syncsInFlightMax) ─► durable
//             the batches' buffers stay in use until they are written; only numbers from there on
//
// Batches of class `fsync` take the upper way, one operation for each group, unless something before them was written and is
// not durable yet: the log must be durable as a prefix, and a durable write covers itself only.
//
// Below, a sync is begun when what was written holds a batch of class `fsync`, when somebody asked, or when `buffered`
// batches have waited half of `bufferedLossMsMax` or fill half of `bufferedLossBytesMax`. When a whole limit is
// reached all the same (a slow disk), `hasRoom` is false: a power cut never takes more than the limits and one batch.
//
// A new segment is begun when the old one is full and all of it is durable (recovery.ts relies on it).
//
// A write or a new segment that finds the disk full waits (full-disk.ts). Every other failure, and that of a sync, is fatal; so is a full
// disk at the start and at the end.

import { assert } from '../base/assert.ts';
import type { Clock, Timer } from '../io/clock.ts';
import type { DiskLock } from '../io/disk.ts';
import { type BatchPlace, BatchWriter } from './batch-writer.ts';
import type { FileJournalLimits, FileJournalOptions } from './file-journal-options.ts';
import { crcSeedOf, FORMAT_VERSION } from './format.ts';
import { FullDisk } from './full-disk.ts';
import type { Journal, JournalHandler, JournalObserver } from './journal.ts';
import { LogProgress, type RunningSync, type RunningWrite, type WaitingBatch } from './log-progress.ts';
import { LogTimer } from './log-times.ts';
import type { SegmentHeader } from './segment.ts';
import { SegmentWriter } from './segment-writer.ts';
import { Waiters } from './waiters.ts';

export class FileJournal implements Journal {
  readonly epoch: number;
  readonly #clock: Clock;
  readonly #handler: JournalHandler;
  readonly #observer: JournalObserver | undefined;
  readonly #limits: FileJournalLimits;
  readonly #lock: DiskLock;
  /** Of the segments to come: what they have in common. */
  readonly #header: Omit<SegmentHeader, 'firstSequence' | 'previousCrc'>;

  /** Durable writes go past the page cache. */
  readonly #isDirect: boolean;
  readonly #place: BatchPlace;
  readonly #times = new LogTimer();
  #open: BatchWriter;
  readonly #free: BatchWriter[];
  readonly #waiting: WaitingBatch[] = [];
  readonly #writes: RunningWrite[] = [];
  readonly #syncs: RunningSync[] = [];
  #timer: Timer | undefined;
  readonly #segments: SegmentWriter;
  #isRolling = false;
  #rollingSinceMs = 0;
  readonly #full: FullDisk;

  readonly #progress: LogProgress;
  /** When the oldest `buffered` batch that no sync covers was committed; infinite when there is none. */
  #bufferedSinceMs: number = Number.POSITIVE_INFINITY;

  #fatal: Error | undefined;
  #isClosing = false;
  readonly #waiters = new Waiters();

  constructor(options: FileJournalOptions) {
    const { start, limits } = options;
    this.#clock = options.clock;
    this.#handler = options.handler;
    this.#observer = options.observer;
    this.#limits = limits;
    this.#lock = options.lock;
    const { identity, epoch, salt, headerBytes } = start;
    this.#header = { format: FORMAT_VERSION, identity, epoch, salt, headerBytes };
    this.epoch = start.epoch;
    this.#place = {
      sequence: start.sequence,
      epoch: start.epoch,
      durableSequence: start.sequence,
      previousCrc: start.previousCrc,
      crcSeed: crcSeedOf(start.identity.clusterId, start.salt),
      alignment: start.alignment,
    };
    this.#full = new FullDisk(options.clock, () => this.#mayWaitForSpace);
    this.#segments = new SegmentWriter(options.disk, options.folder, limits, start, this.#full);
    this.#progress = new LogProgress(start.sequence);
    const [open, ...free] = start.memory.batches.map((memory) => new BatchWriter(limits.batchBytesMax, memory));
    this.#open = open;
    this.#free = free;
    this.#isDirect = start.isDirect;
  }

  get batch(): BatchWriter {
    return this.#open;
  }

  get lastSequence(): number {
    return this.#progress.lastSequence;
  }

  get writtenSequence(): number {
    return this.#progress.writtenSequence;
  }

  get durableSequence(): number {
    return this.#progress.durableSequence;
  }

  get pendingBytes(): number {
    return this.#progress.pendingBytes;
  }

  get unwrittenBytes(): number {
    return this.#progress.unwrittenBytes;
  }

  get oldestOperationMs(): number {
    const never = Number.POSITIVE_INFINITY;
    const rollingMs = this.#isRolling ? this.#rollingSinceMs : never;
    return Math.min(this.#writes.at(0)?.startedMs ?? never, this.#syncs.at(0)?.startedMs ?? never, rollingMs);
  }

  get isFull(): boolean {
    return this.#full.isFull;
  }

  get storedBytes(): number {
    return this.#segments.storedBytes;
  }

  get hasRoom(): boolean {
    return !this.#isClosing && this.#fatal === undefined && this.#isBelowLimits();
  }

  commit(): number {
    assert(this.hasRoom, 'commit without room');
    assert(!this.#open.isEmpty, 'commit of an empty batch');
    this.#times.stamp(this.#open, this.#clock.wallMs());
    return this.#send();
  }

  sync(): void {
    this.#progress.urgentSequence = this.#progress.lastSequence;
    this.#startSync();
  }

  trim(sequence: number): Promise<void> {
    return this.#segments.trim(sequence);
  }

  keepFreed(isAllowed: boolean): Promise<void> {
    return this.#segments.allowSpares(isAllowed);
  }

  async close(cleanRevision: number | undefined): Promise<void> {
    assert(!this.#isClosing, 'close called twice');
    this.#isClosing = true;
    if (cleanRevision !== undefined || !this.#open.isEmpty) {
      await this.#until(() => this.#isBelowLimits());
      this.#times.stamp(this.#open, this.#clock.wallMs());
      if (cleanRevision !== undefined) this.#open.appendClean(cleanRevision);
      this.#send();
    }
    this.sync();
    await this.#until(() => this.#progress.durableSequence === this.#progress.lastSequence && !this.#isRolling);
    this.#timer?.cancel();
    await this.#segments.close();
    await this.#lock.release();
  }

  #isBelowLimits(): boolean {
    if (this.#free.length === 0) return false;
    if (this.#progress.urgentSequence - this.#progress.durableSequence >= this.#limits.inFlightBatchesMax) return false;
    if (this.pendingBytes >= this.#limits.bufferedLossBytesMax) return false;
    // A sync under way may cover none of the class `buffered`.
    const sinceMs = Math.min(this.#bufferedSinceMs, ...this.#syncs.map((sync) => sync.bufferedSinceMs));
    return sinceMs === Number.POSITIVE_INFINITY || this.#clock.nowMs() - sinceMs < this.#limits.bufferedLossMsMax;
  }

  /** Seals the open batch and sends it off. */
  #send(): number {
    const batch = this.#open;
    const next = this.#free.pop();
    assert(next !== undefined, 'commit without a free batch');
    const place = this.#place;
    const previousCrc = place.previousCrc;
    const sequence = this.#progress.lastSequence + 1;
    place.sequence = sequence;
    place.durableSequence = this.#progress.durableSequence;
    place.previousCrc = batch.seal(place);
    this.#progress.lastSequence = sequence;
    const committedMs = this.#clock.nowMs();
    if (batch.durability === 'fsync') this.#progress.urgentSequence = sequence;
    else this.#bufferedSinceMs = Math.min(this.#bufferedSinceMs, committedMs);
    this.#progress.committedBytes += batch.bytes;
    this.#waiting.push({ batch, sequence, previousCrc, committedMs });
    this.#open = next;
    this.#startWrite();
    return sequence;
  }

  #startWrite(): void {
    while (this.#waiting.length > 0 && this.#fatal === undefined && !this.#isRolling) {
      const isDurable =
        this.#takesDurable(this.#waiting[0].batch) && this.#progress.plainSequence <= this.#progress.durableSequence;
      if (!this.#mayWrite(isDurable)) return;
      const batches = this.#takeGroup(isDurable);
      if (batches.length === 0) {
        if (this.#writes.length === 0) this.#startRoll();
        return;
      }
      this.#write(batches, isDurable);
    }
  }

  /** Memory of its own, which a large batch needs, is not aligned as a direct write has to be. */
  #takesDurable(batch: BatchWriter): boolean {
    return batch.durability === 'fsync' && !(this.#isDirect && batch.hasGrown);
  }

  /** Durable writes may run beside each other, when nothing is set down where the next one goes. */
  #mayWrite(isDurable: boolean): boolean {
    const last = this.#writes.at(-1);
    if (last === undefined) return true;
    return isDurable && last.isDurable && !last.isReserving && this.#writes.length < this.#limits.syncsInFlightMax;
  }

  /** The batches that are written together; none when the next one needs a new segment. */
  #takeGroup(isDurable: boolean): WaitingBatch[] {
    let count = 0;
    let bytes = 0;
    for (; count < this.#waiting.length; count++) {
      const { batch } = this.#waiting[count];
      if (isDurable && !this.#takesDurable(batch)) break;
      if (!this.#segments.fits(bytes, batch.bytes)) break;
      bytes += batch.bytes;
    }
    return this.#waiting.splice(0, count);
  }

  #write(group: readonly WaitingBatch[], isDurable: boolean): void {
    const batches = group.map(({ batch }) => batch);
    const [{ committedMs }] = group;
    const { sequence } = group[group.length - 1];
    const chunks = batches.map((batch) => batch.view());
    const bytes = batches.reduce((sum, batch) => sum + batch.bytes, 0);
    const startedMs = this.#clock.nowMs();
    const state = { isReserving: false, isDone: false };
    const write: RunningWrite = { batches, sequence, bytes, isDurable, committedMs, startedMs, ...state };
    this.#writes.push(write);
    const done = (error: Error | undefined): void => {
      if (error !== undefined) {
        this.#fail(error);
        return;
      }
      write.isDone = true;
      this.#onWriteDone();
    };
    if (isDurable) write.isReserving = this.#segments.writeDurable(chunks, bytes, done);
    else {
      this.#progress.plainSequence = sequence;
      this.#segments.write(chunks, bytes, done);
    }
  }

  /** Writes are reported in the order they began. */
  #onWriteDone(): void {
    while (this.#fatal === undefined && this.#writes.length > 0 && this.#writes[0].isDone) {
      const [write] = this.#writes.splice(0, 1);
      const { sequence, bytes, isDurable } = write;
      for (const batch of write.batches) {
        batch.reset();
        this.#free.push(batch);
      }
      this.#progress.writtenSequence = sequence;
      this.#progress.writtenBytes += bytes;
      const seconds = (this.#clock.nowMs() - write.startedMs) / 1000;
      this.#observer?.onWrite(seconds, bytes);
      if (isDurable) {
        this.#observer?.onSync(seconds, write.batches.length);
        this.#progress.endDurableWrite();
        this.#bufferedSinceMs = this.#oldestUnwrittenMs;
      }
      this.#startWrite();
      this.#startSync();
      this.#handler.onWritten(sequence);
      if (isDurable) this.#handler.onDurable(sequence);
      this.#wake();
    }
  }

  /** When the oldest batch was committed that is not written yet and a sync must make durable; infinite: there is none. */
  get #oldestUnwrittenMs(): number {
    const write = this.#writes.find(({ isDurable }) => !isDurable);
    const waiting = write ?? this.#waiting.find(({ batch }) => batch.durability !== 'fsync');
    return waiting?.committedMs ?? Number.POSITIVE_INFINITY;
  }

  #startSync(): void {
    if (this.#fatal !== undefined || this.#progress.syncingSequence === this.#progress.writtenSequence) return;
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
      sequence: this.#progress.writtenSequence,
      writtenBytes: this.#progress.writtenBytes,
      bufferedSinceMs: this.#bufferedSinceMs,
      startedMs: this.#clock.nowMs(),
      isDone: false,
    };
    this.#syncs.push(sync);
    this.#progress.beginSync();
    this.#bufferedSinceMs = this.#oldestUnwrittenMs;
    this.#segments.sync((error) => {
      if (error !== undefined) {
        this.#fail(error);
        return;
      }
      sync.isDone = true;
      this.#onSyncDone();
    });
  }

  #isSyncDue(): boolean {
    if (this.#progress.urgentSequence > this.#progress.syncingSequence) return true;
    return this.#progress.unsyncedBytes * 2 >= this.#limits.bufferedLossBytesMax;
  }

  /** Syncs are reported in the order they began: a later one says nothing of what an earlier one is to make durable. */
  #onSyncDone(): void {
    while (this.#fatal === undefined && this.#syncs.length > 0 && this.#syncs[0].isDone) {
      const { sequence, writtenBytes, startedMs } = this.#syncs[0];
      this.#syncs.shift();
      const count = sequence - this.#progress.durableSequence;
      this.#progress.endSync(sequence, writtenBytes);
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
    if (this.#progress.durableSequence < sequence - 1) {
      this.#progress.urgentSequence = Math.max(this.#progress.urgentSequence, sequence - 1);
      this.#startSync();
      return;
    }
    this.#isRolling = true;
    this.#rollingSinceMs = this.#clock.nowMs();
    this.#segments.roll({ ...this.#header, firstSequence: sequence, previousCrc }, (error) => {
      if (error !== undefined) {
        this.#fail(error);
        return;
      }
      this.#isRolling = false;
      this.#observer?.onRoll((this.#clock.nowMs() - this.#rollingSinceMs) / 1000);
      this.#startWrite();
      this.#wake();
    });
  }

  /** Somebody may be waiting for the start, and for the end, who has to know that the disk is full. */
  get #mayWaitForSpace(): boolean {
    return (
      !this.#isClosing && this.#fatal === undefined && this.#progress.durableSequence > this.#progress.startSequence
    );
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
    const reached = this.#waiters.until(isReached);
    this.#wake();
    return reached;
  }

  #wake(): void {
    this.#waiters.wake(this.#fatal);
  }
}
