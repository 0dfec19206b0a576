// The memory that the log is written from: a buffer for each batch that may be open or on its way, and zeros. For direct writes
// (io/direct-writes.ts) each begins at a page.

import { pageAligned } from '../io/direct-writes.ts';
import { batchBufferBytes } from './batch-writer.ts';

const PAGE_BYTES = 4096;

export interface JournalMemoryLimits {
  readonly batchBytesMax: number;
  readonly inFlightBatchesMax: number;
  readonly reserveBytes: number;
}

export interface JournalMemory {
  /** One more than may be on their way. */
  readonly batches: readonly Uint8Array[];
  readonly zeros: Uint8Array;
}

export function plainMemory({ batchBytesMax, inFlightBatchesMax, reserveBytes }: JournalMemoryLimits): JournalMemory {
  const bytes = batchBufferBytes(batchBytesMax);
  return {
    batches: Array.from({ length: inFlightBatchesMax + 1 }, () => Buffer.alloc(bytes)),
    zeros: Buffer.alloc(reserveBytes),
  };
}

/** Undefined when there is none to be had. */
export function alignedMemory(limits: JournalMemoryLimits): JournalMemory | undefined {
  const { batchBytesMax, inFlightBatchesMax, reserveBytes } = limits;
  const bytes = Math.ceil(batchBufferBytes(batchBytesMax) / PAGE_BYTES) * PAGE_BYTES;
  const count = inFlightBatchesMax + 1;
  const all = pageAligned(count * bytes + reserveBytes);
  if (all === undefined) return undefined;
  return {
    batches: Array.from({ length: count }, (_, i) => all.subarray(i * bytes, (i + 1) * bytes)),
    zeros: all.subarray(count * bytes),
  };
}
