// How far the batches of a log are on their way, by sequence and by bytes since the start; and what is under way.
//
//   start ≤ durable ≤ syncing ≤ written ≤ last

import type { BatchWriter } from './batch-writer.ts';

/** A batch between commit and the beginning of its write. */
export interface WaitingBatch {
  readonly batch: BatchWriter;
  readonly sequence: number;
  readonly previousCrc: number;
  readonly committedMs: number;
}

/** A group of batches that is being written. */
export interface RunningWrite {
  readonly batches: readonly BatchWriter[];
  readonly sequence: number;
  readonly bytes: number;
  readonly isDurable: boolean;
  /** When its first batch was committed. */
  readonly committedMs: number;
  readonly startedMs: number;
  /** It sets down zeros: nothing may be written behind it meanwhile. */
  isReserving: boolean;
  isDone: boolean;
}

/** What becomes durable when it ends. */
export interface RunningSync {
  readonly sequence: number;
  /** Of all batches since the start. */
  readonly writtenBytes: number;
  /** When the oldest `buffered` batch it covers was committed; infinite when there is none. */
  readonly bufferedSinceMs: number;
  readonly startedMs: number;
  isDone: boolean;
}

export class LogProgress {
  /** The last batch of those before; the next one is the OPEN batch. */
  readonly startSequence: number;
  lastSequence: number;
  writtenSequence: number;
  /** Covered by a sync that is under way. */
  syncingSequence: number;
  durableSequence: number;
  /** The last batch written, or being written, that is durable by a sync only. */
  plainSequence: number;
  /** The last batch that must be made durable without delay. */
  urgentSequence: number;
  committedBytes = 0;
  writtenBytes = 0;
  syncingBytes = 0;
  durableBytes = 0;

  constructor(startSequence: number) {
    this.startSequence = startSequence;
    this.lastSequence = startSequence;
    this.writtenSequence = startSequence;
    this.syncingSequence = startSequence;
    this.durableSequence = startSequence;
    this.plainSequence = startSequence;
    this.urgentSequence = startSequence;
  }

  get pendingBytes(): number {
    return this.committedBytes - this.durableBytes;
  }

  get unwrittenBytes(): number {
    return this.committedBytes - this.writtenBytes;
  }

  get unsyncedBytes(): number {
    return this.writtenBytes - this.syncingBytes;
  }

  /** A sync begins, which covers all that is written. */
  beginSync(): void {
    this.syncingSequence = this.writtenSequence;
    this.syncingBytes = this.writtenBytes;
  }

  /** All that was written when it began, up to `sequence` and `bytes`, is durable. */
  endSync(sequence: number, bytes: number): void {
    this.durableSequence = sequence;
    this.durableBytes = bytes;
  }

  /** All that is written is durable: so was what came before this write, and no sync was under way. */
  endDurableWrite(): void {
    this.beginSync();
    this.endSync(this.writtenSequence, this.writtenBytes);
  }
}
