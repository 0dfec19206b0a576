// How long pods take from their creation to being on a node, as a watcher sees it, by a sample: a few runs of pods with consecutive numbers, spread
// over all, the last ones among them. Watching a million would cost more than creating them.

import { LatencyHistogram } from '../bench/latency-histogram.ts';
import { type Clock, pause } from '../io/clock.ts';

const RUNS_MAX = 64;
const RUN_PODS_MAX = 64;
const POLL_MS = 20;

/** Pods with numbers from `start` up to, not including, `end`. */
export interface Run {
  readonly start: number;
  readonly end: number;
}

export interface BoundSampleOptions {
  readonly clock: Clock;
  readonly start: number;
  readonly end: number;
  /** When the pod was sent. */
  readonly sentMs: (index: number) => number;
}

export class BoundSample {
  readonly latency: LatencyHistogram = new LatencyHistogram();
  readonly runs: readonly Run[];
  /** Pods of the sample, and those seen on a node. */
  readonly size: number;
  bound = 0;
  /** By the clock; 0: none yet. */
  lastBoundMs = 0;
  readonly #options: BoundSampleOptions;
  readonly #isBound = new Set<number>();
  /** Why nobody tells any more of a part of the sample. */
  #cutOff: Error | undefined;

  constructor(options: BoundSampleOptions) {
    this.#options = options;
    this.runs = sampleRuns(options.start, options.end);
    this.size = this.runs.reduce((sum, { start, end }) => sum + end - start, 0);
  }

  /** The pod of that number is on a node. */
  onBound(index: number): void {
    if (this.#isBound.has(index) || !this.runs.some(({ start, end }) => index >= start && index < end)) return;
    this.#isBound.add(index);
    this.bound++;
    this.lastBoundMs = this.#options.clock.nowMs();
    this.latency.record(this.lastBoundMs - this.#options.sentMs(index));
  }

  onCutOff(error: Error): void {
    this.#cutOff ??= error;
  }

  /** Resolves when every pod of the sample is on a node, or the signal has come. Rejects when nobody tells of them any more. */
  async whole(signal: AbortSignal): Promise<void> {
    while (this.bound < this.size && !signal.aborted) {
      if (this.#cutOff !== undefined) throw this.#cutOff;
      await pause(this.#options.clock, POLL_MS);
    }
  }
}

export function sampleRuns(start: number, end: number): readonly Run[] {
  const pods = end - start;
  const runs = Math.min(RUNS_MAX, Math.ceil(pods / RUN_PODS_MAX));
  return Array.from({ length: runs }, (_, run) => {
    const runEnd = start + Math.floor((pods * (run + 1)) / runs);
    return { start: Math.max(start + Math.floor((pods * run) / runs), runEnd - RUN_PODS_MAX), end: runEnd };
  });
}
