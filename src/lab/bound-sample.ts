// How long pods take from their creation to being on a node, as a watcher sees it, by a sample: a few runs of pods with consecutive numbers, spread
// over all, the last ones among them. Watching a million would cost more than creating them.

import type { Event } from '../api/messages.ts';
import { LatencyHistogram } from '../bench/latency-histogram.ts';
import type { EtcdClient } from '../client/etcd-client.ts';
import { keyBytes } from '../client/key-range.ts';
import type { Watch } from '../client/watch.ts';
import type { Clock } from '../io/clock.ts';
import { formOf } from '../kube/stored-object.ts';
import { readPodHead } from '../kube/stored-pod.ts';

const RUNS_MAX = 64;
const RUN_PODS_MAX = 64;
const POLL_MS = 20;

/** Pods with numbers from `start` up to, not including, `end`. */
interface Run {
  readonly start: number;
  readonly end: number;
}

export interface BoundSampleOptions {
  readonly clock: Clock;
  readonly start: number;
  readonly end: number;
  readonly keyOf: (index: number) => string;
  /** When the pod was sent. */
  readonly sentMs: (index: number) => number;
}

export class BoundSample {
  readonly latency: LatencyHistogram = new LatencyHistogram();
  /** Pods of the sample, and those seen on a node. */
  readonly size: number;
  bound = 0;
  /** By the clock; 0: none yet. */
  lastBoundMs = 0;
  readonly #options: BoundSampleOptions;
  readonly #runs: readonly Run[];
  readonly #isBound = new Set<string>();
  #watches: readonly Watch[] = [];
  /** Why the store no longer tells of a part of the sample. */
  #cutOff: Error | undefined;

  constructor(options: BoundSampleOptions) {
    this.#options = options;
    this.#runs = runsOf(options.start, options.end);
    this.size = this.#runs.reduce((sum, { start, end }) => sum + end - start, 0);
  }

  /** Resolves when the store watches. */
  async start(client: EtcdClient): Promise<void> {
    const made = this.#runs.map(({ start, end }) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      const { keyOf } = this.#options;
      const watch = client.watch(
        { key: keyBytes(keyOf(start)), rangeEnd: keyBytes(keyOf(end)) },
        {
          onCreated: () => resolve(),
          onEvents: (events) => {
            for (const event of events) this.#onEvent(event);
          },
          onEnd: (error) => {
            this.#cutOff ??= error;
            resolve();
          },
        },
      );
      return { watch, promise };
    });
    this.#watches = made.map(({ watch }) => watch);
    await Promise.all(made.map(({ promise }) => promise));
  }

  /** Resolves when every pod of the sample is on a node, or the signal has come. Rejects when the store no longer tells of them. */
  async whole(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (this.bound < this.size && !signal.aborted) {
      if (this.#cutOff !== undefined) throw this.#cutOff;
      await new Promise<void>((resolve) => {
        clock.setTimer(POLL_MS, resolve);
      });
    }
  }

  close(): void {
    for (const watch of this.#watches) watch.cancel();
  }

  #onEvent({ kv }: Event): void {
    if (kv === undefined || formOf(kv.value) !== 'protobuf') return;
    const key = Buffer.from(kv.key).toString();
    if (this.#isBound.has(key) || readPodHead(kv.value).nodeName === '') return;
    this.#isBound.add(key);
    this.bound++;
    this.lastBoundMs = this.#options.clock.nowMs();
    const index = Number(/(\d+)$/.exec(key)?.[1]);
    this.latency.record(this.lastBoundMs - this.#options.sentMs(index));
  }
}

function runsOf(start: number, end: number): readonly Run[] {
  const pods = end - start;
  const runs = Math.min(RUNS_MAX, Math.ceil(pods / RUN_PODS_MAX));
  return Array.from({ length: runs }, (_, run) => {
    const runEnd = start + Math.floor((pods * (run + 1)) / runs);
    return { start: Math.max(start + Math.floor((pods * run) / runs), runEnd - RUN_PODS_MAX), end: runEnd };
  });
}
