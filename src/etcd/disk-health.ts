// The disk of the data, as the server sees it: whether it answers, and whether it has room. What follows from that is decided by
// those who ask: the engine (writes), the lease service (expiry), /readyz, the snapshotter.

import type { Clock } from '../io/clock.ts';
import { type Disk, DiskError } from '../io/disk.ts';
import type { Journal } from '../journal/journal.ts';
import type { EngineSpace } from './engine.ts';
import type { MetricDefiner } from './metric-definer.ts';
import { SpaceWatch } from './space-watch.ts';
import { StallWatch } from './stall-watch.ts';

export interface DiskLimits {
  /** An operation of the log that takes longer makes the disk a stalled one. */
  readonly stallMsMax: number;
  /** With less free than this, writes that add are refused. */
  readonly reserveBytes: number;
}

/** For the operator to know. */
export interface DiskNotices {
  onDiskStalled(stalledMs: number, isFull: boolean): void;
  onDiskAnswered(stalledMs: number): void;
  onSpaceLow(freeBytes: number, reserveBytes: number): void;
  onSpaceEnough(freeBytes: number): void;
  onSpaceUnknown(error: DiskError): void;
}

export interface DiskHealthOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly folder: string;
  readonly limits: DiskLimits;
  readonly journal: Journal;
  readonly notices: DiskNotices;
}

export class DiskHealth implements EngineSpace {
  readonly #options: DiskHealthOptions;
  readonly #space: SpaceWatch;
  readonly #stalls: StallWatch;

  constructor(options: DiskHealthOptions) {
    const { disk, clock, folder, limits, journal, notices } = options;
    this.#options = options;
    this.#space = new SpaceWatch({
      disk,
      folder,
      reserveBytes: limits.reserveBytes,
      unwrittenBytes: () => journal.unwrittenBytes + journal.batch.bytes,
      onLow: (freeBytes) => notices.onSpaceLow(freeBytes, limits.reserveBytes),
      onEnough: (freeBytes) => notices.onSpaceEnough(freeBytes),
      // A file that could not be removed is gone with the next start.
      onLooked: (isPlenty) => void journal.keepFreed(isPlenty).catch(() => {}),
      onFailed: (error) => notices.onSpaceUnknown(error),
    });
    this.#stalls = new StallWatch({
      oldestOperationMs: () => journal.oldestOperationMs,
      nowMs: () => clock.nowMs(),
      defer: (callback) => clock.defer(callback),
      stallMsMax: limits.stallMsMax,
      onStalled: (stalledMs) => notices.onDiskStalled(stalledMs, journal.isFull),
      onAnswered: (stalledMs) => notices.onDiskAnswered(stalledMs),
    });
  }

  get isLow(): boolean {
    return this.#space.isLow;
  }

  get isSpent(): boolean {
    return this.#space.isSpent;
  }

  hasRoom(bytes: number): boolean {
    return this.#space.hasRoom(bytes);
  }

  /** What is not asked for, and need not happen now, must wait: the log would not take it. */
  get isHeldBack(): boolean {
    return this.#stalls.isStalled || this.isSpent;
  }

  /** Why writes get no answer; undefined when they do. */
  get stallReason(): string | undefined {
    if (!this.#stalls.isStalled) return undefined;
    const seconds = (this.#stalls.stalledMs / 1000).toFixed(1);
    return `the disk ${this.#options.journal.isFull ? 'is full' : 'does not answer'}, for ${seconds} s now`;
  }

  /** Before anything is served: the first look. A file system that is not to be asked is told, and taken for one with room. */
  async open(): Promise<void> {
    await this.#space.look().catch((error: unknown) => {
      if (!(error instanceof DiskError)) throw error;
    });
  }

  /** The log wrote bytes. */
  onWritten(bytes: number): void {
    this.#space.onWritten(bytes);
  }

  tick(): void {
    this.#stalls.tick();
    this.#space.tick(this.#options.clock.nowMs());
  }

  defineMetrics(definer: MetricDefiner): void {
    const stalls = this.#stalls;
    const space = this.#space;
    definer.gauge('k1m_disk_stalled', '1 while the disk of the log does not answer.', () => (stalls.isStalled ? 1 : 0));
    definer.gauge('k1m_disk_stall_seconds', 'How long it has not answered; 0 while it does.', () => {
      return stalls.stalledMs / 1000;
    });
    definer.counter('k1m_disk_stalls_total', 'How often it did not answer in time.', () => stalls.count);
    definer.gauge('k1m_disk_free_bytes', 'Free for the data, less what is on its way there.', () => space.freeBytes);
    definer.gauge('k1m_disk_reserve_bytes', 'Free bytes below which writes that add are refused.', () => {
      return this.#options.limits.reserveBytes;
    });
    definer.gauge('k1m_disk_low', '1 while there is less.', () => (space.isLow ? 1 : 0));
  }
}
