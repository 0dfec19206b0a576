// The journal: one ordered log of batches, each batch the effects of one or more revisions. What is in the
// log survives; the state of the store is what replaying it makes. This file is the contract that every
// engine (local files, PostgreSQL, object storage) keeps, and src/testing/journal-suite.ts asks it of each; `docs/journal.md` draws the bytes.
//
//   caller                         journal
//   batch.beginRevision, append…
//   commit() ── sequence n ──────► sealed: sequence, epoch, CRC, chained to batch n − 1
//                 onWritten(n) ◄── handed to the operating system: survives the death of this process
//                 onDurable(n) ◄── survives a power cut (and, on a replicated engine, the loss of machines)
//
// The caller's duties:
//  1. One revision's effects go into one batch: call commit only between revisions.
//  2. Show a revision to a client only when its class allows: `fsync` after onDurable of its batch, `buffered`
//     after onWritten, `none` when a durable MARK covers its revision (revision-reserve.ts).
//  3. While `hasRoom` is false, or once `batch.isFull`, stop taking commands until the next callback.
//  4. On onFatal end the process. Nothing is reported after it, and what was not reported may be lost or kept.
//
// Invariants: sequences are dense and start at 1; reports are cumulative and never go back, and
// onWritten(n) comes before onDurable(n); what is durable is always a prefix of the log; a writer of an older
// epoch cannot append once a newer epoch's OPEN batch is in the log.

import type { BatchWriter } from './batch-writer.ts';

/** When a write may be shown: see duty 2. The order is from the weakest to the strictest. */
export type Durability = 'none' | 'buffered' | 'fsync';

/** Classes whose effects are in the log. */
export type LoggedDurability = Exclude<Durability, 'none'>;

/** What the journal tells its owner. Never called from inside `commit`. */
export interface JournalHandler {
  /** All batches up to `sequence` are with the operating system. */
  onWritten(sequence: number): void;
  /** All batches up to `sequence` survive what the engine promises to survive. There may be room again. */
  onDurable(sequence: number): void;
  /** The last call: an append, a sync or the fence failed. The process must end. */
  onFatal(error: Error): void;
}

/** Durations for metrics, in seconds; called once for each operation. */
export interface JournalObserver {
  /** From handing a batch's bytes to the operating system until it took them. */
  onWrite(durationSeconds: number, bytes: number): void;
  /** One sync, which made `batches` batches durable. */
  onSync(durationSeconds: number, batches: number): void;
  /** A new segment was begun. */
  onRoll(durationSeconds: number): void;
}

export interface Journal {
  /** The open batch. A different one after each commit: do not keep it. */
  readonly batch: BatchWriter;
  /** False while as many batches are in flight as the limit allows; commit must not be called then. */
  readonly hasRoom: boolean;
  /** The term of this writer; higher than that of every writer before. */
  readonly epoch: number;
  /** The last batch committed, written, durable; 0 when there was none. */
  readonly lastSequence: number;
  readonly writtenSequence: number;
  readonly durableSequence: number;
  /** Bytes committed that are not durable yet. */
  readonly pendingBytes: number;
  /** Bytes committed that are not written yet: they will still take space. */
  readonly unwrittenBytes: number;
  /** When the oldest operation under way was begun, in the clock's milliseconds; infinite when there is none. */
  readonly oldestOperationMs: number;
  /** An operation waits for space: the place of the log is full. It is tried again until there is some. */
  readonly isFull: boolean;
  /** Bytes the log takes at its place: what `trim` could free, and the open segment. */
  readonly storedBytes: number;
  /** Seals the open batch, which must not be empty, and sends it off. Returns its sequence. */
  commit(): number;
  /** Asks for everything committed to be made durable soon, whatever its class (onDurable tells). */
  sync(): void;
  /** Frees whole segments that hold only batches below `sequence`, which the caller no longer needs. */
  trim(sequence: number): Promise<void>;
  /** Whether space that `trim` frees may be kept for batches to come; told false, the journal gives back what it has kept. */
  keepFreed(isAllowed: boolean): Promise<void>;
  /**
   * Makes all that is committed durable and lets go of the log. With `cleanRevision`, the current revision, a
   * CLEAN effect is added, so that the next start goes on at exactly that revision. Rejects when that fails.
   */
  close(cleanRevision: number | undefined): Promise<void>;
}

/** Takes effects in log order. Buffers are valid during the call only. */
export interface JournalVisitor {
  /** buffer[kvStart, kvEnd) is a whole mvccpb.KeyValue; its mod_revision is the main revision. */
  onPut(sub: number, buffer: Uint8Array, kvStart: number, kvEnd: number): void;
  onDelete(main: number, sub: number, buffer: Uint8Array, keyStart: number, keyEnd: number): void;
  onLeaseGrant(id: bigint, ttlSeconds: number): void;
  onLeaseRevoke(id: bigint): void;
  onCompact(revision: number): void;
  /** `alarm` is etcdserverpb.AlarmType. */
  onAlarm(alarm: number, isRaised: boolean): void;
}

/** For those who want to know of a log only whether it is good, or where it ends. */
export const IGNORING_VISITOR: JournalVisitor = {
  onPut: () => {},
  onDelete: () => {},
  onLeaseGrant: () => {},
  onLeaseRevoke: () => {},
  onCompact: () => {},
  onAlarm: () => {},
};

/** Who the log belongs to. */
export interface JournalIdentity {
  readonly clusterId: bigint;
  readonly memberId: bigint;
}

/** A state that holds the first batches of a log, known without them: a snapshot. */
export interface LogBase {
  /** All batches up to it are in the state. */
  readonly sequence: number;
  /** No revision above it may have been shown when that batch was the last. */
  readonly revision: number;
  readonly clusterId: bigint;
  /** Where it was read from, for messages. */
  readonly file: string;
}

/** A batch that is known to have been durable, from elsewhere than the log: a snapshot that is damaged. */
export interface LogFloor {
  readonly sequence: number;
  readonly file: string;
  readonly offset: number;
  /** Why the file itself cannot be used. */
  readonly reason: string;
}

/** What opening a log found. */
export interface Recovery {
  readonly identity: JournalIdentity;
  /** True when the log did not exist before. */
  readonly isNew: boolean;
  /** True when the last writer closed the log with its revision. */
  readonly isClean: boolean;
  /** Where the revision counter goes on: no revision above it has ever been shown. 0 for a new log. */
  readonly revision: number;
  readonly batches: number;
  readonly effects: number;
  readonly bytes: number;
  /** Of the batches that were given to the visitor. */
  readonly replayedBytes: number;
  /** The torn end that was cut off, if there was one. No acknowledged `fsync` write is in it. */
  readonly cut: TailCut | undefined;
}

export interface OpenedJournal {
  readonly journal: Journal;
  readonly recovery: Recovery;
}

export interface TailCut {
  readonly file: string;
  readonly offset: number;
  readonly bytes: number;
  readonly reason: string;
}
