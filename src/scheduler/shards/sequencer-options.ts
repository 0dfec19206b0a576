// What a sequencer is told, and what it tells of itself.

import type { KernelOptions } from '../kernel/kernel.ts';
import { MERGE_LIMITS, type MergeLimits } from './merge-limits.ts';
import { LOADING_LIMITS, type LoadingLimits } from './shard-seat.ts';

export interface SequencerLimits extends MergeLimits, LoadingLimits {}

export const SEQUENCER_LIMITS: SequencerLimits = { ...MERGE_LIMITS, ...LOADING_LIMITS };

export interface SequencerOptions extends Pick<KernelOptions, 'indexBytesMax'> {
  /** From 1 to SHARDS_MAX (sequencer.ts). */
  readonly shardCount: number;
  /** Larger than that of any sequencer before. */
  readonly epoch: number;
  /** Undefined: the usual ones. */
  readonly limits?: SequencerLimits | undefined;
  /** There is something to be taken for the shard. Not to call back. */
  readonly onOutput: (shard: number) => void;
  /** What was awaited may be decided now. */
  readonly onAnswered: () => void;
  /** The shard is to be made anew: nothing that it says is listened to any more. */
  readonly onLost: (shard: number, reason: string) => void;
}

export interface SequencerFigures {
  readonly shards: number;
  readonly shardsUp: number;
  readonly questions: number;
  /** Indexes that were made here since a shard was missing, or its lists would not do. */
  readonly standIns: number;
  readonly losses: number;
  /** Of the question that has been open for longest. */
  readonly waitingMs: number;
}
