// What the journal on local files is opened with: limits, and where the log ends.

import type { Clock } from '../io/clock.ts';
import type { Disk, DiskLock } from '../io/disk.ts';
import type { JournalHandler, JournalIdentity, JournalObserver } from './journal.ts';
import type { SegmentLimits, SegmentWriterStart } from './segment-writer.ts';

export interface FileJournalLimits extends SegmentLimits {
  /** A batch this large is full. */
  readonly batchBytesMax: number;
  /** Batches committed whose class is not satisfied yet. At the limit `hasRoom` is false. */
  readonly inFlightBatchesMax: number;
  /** Syncs, and durable writes. */
  readonly syncsInFlightMax: number;
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
  reserveBytes: 256 << 10,
  spareSegmentsMax: 16,
};

/** Where an opened log ends. */
export interface FileJournalStart extends SegmentWriterStart {
  readonly identity: JournalIdentity;
  readonly epoch: number;
  readonly previousCrc: number;
  readonly salt: number;
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
