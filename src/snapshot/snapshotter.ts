// Takes snapshots when the schedule says so, one at a time; keeps two; trims the log.
//
// The log is kept from the older snapshot on, so that the start can fall back to it; before there are two, all of it.
//
// A failure (a full disk, a failed sync) concerns only the unfinished file, which nothing relies on: it is removed,
// reported, and tried again later. That is unlike the log, where a failed write ends the process (a full disk is waited for): there something was
// promised. A bug (an assertion) is fatal here too.

import { join } from 'node:path';
import { within } from '../io/clock.ts';
import { DiskError } from '../io/disk.ts';
import { listSnapshots, snapshotPath } from './snapshot-folder.ts';
import { SnapshotSchedule, type SnapshotScheduleLimits } from './snapshot-schedule.ts';
import { type SnapshotResult, type SnapshotSubject, takeSnapshot } from './snapshot-taking.ts';
import type { WrittenPiece } from './snapshot-writer.ts';

const KEPT_COUNT = 2;
/** Pauses between the writes of a snapshot, in times of their duration: so that others get most of the disk, */
const PAUSE_SHARE = 7;
/** … while more than half of what is written was logged meanwhile, */
const PAUSE_SHARE_HURRIED = 3;
/** … and while more was logged than is written. */
const PAUSE_SHARE_OVERTAKEN = 1;
/** No more is written unless it is in a hurry, or relieves a full disk: also a fast disk is shared with others, and gathering takes its part of each turn. */
const BYTES_PER_MS_MAX = (32 << 20) / 1000;
/** The part of the time at an orderly end that is left for removing what is given up. */
const REMOVAL_SHARE = 1 / 10;
/** Bytes of a snapshot for each key and each change, beside their records. */
const ROW_BYTES = 24;
const CHANGE_BYTES = 32;

export interface SnapshotterObserver {
  /** One sync of the file under way. */
  onSync(durationSeconds: number): void;
  onTaken(result: SnapshotResult): void;
  /** The next try is in `retryMs`. */
  onFailed(error: DiskError, retryMs: number): void;
}

export interface SnapshotterOptions {
  readonly subject: SnapshotSubject;
  readonly limits: SnapshotScheduleLimits;
  /** Left free for the log when a snapshot is begun. */
  readonly freeBytesMin: number;
  /** Bytes of the log behind the loaded snapshot. */
  readonly replayedBytes: number;
  /** The last batch in the snapshot that was loaded; 0 when none was. */
  readonly loadedSequence: number;
  readonly observer: SnapshotterObserver;
  readonly onFatal: (error: unknown) => void;
}

export class Snapshotter {
  readonly #subject: SnapshotSubject;
  readonly #observer: SnapshotterObserver;
  readonly #onFatal: (error: unknown) => void;
  readonly #schedule: SnapshotSchedule;
  readonly #freeBytesMin: number;
  /** Sequences of the good ones, the newest first; of those before the loaded one nothing has to be known. */
  #kept: number[];
  #running: Promise<void> | undefined;
  #isAborted = false;
  /** The disk has little room: writers wait for what a snapshot lets go of. */
  #isRelief = false;
  #isClosing = false;
  #durableWaiters: { readonly sequence: number; readonly resolve: () => void }[] = [];

  constructor(options: SnapshotterOptions) {
    const { subject, limits, replayedBytes, loadedSequence } = options;
    this.#subject = subject;
    this.#observer = options.observer;
    this.#onFatal = options.onFatal;
    this.#freeBytesMin = options.freeBytesMin;
    this.#schedule = new SnapshotSchedule(limits, replayedBytes, subject.clock.nowMs());
    this.#kept = loadedSequence > 0 ? [loadedSequence] : [];
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** The last batch in the newest good snapshot; 0 when there is none. */
  get newestSequence(): number {
    return this.#kept.at(0) ?? 0;
  }

  /** Log since the newest snapshot: what a start would have to replay. */
  get logBytes(): number {
    return this.#schedule.logBytes;
  }

  /** At the start: makes the folder and removes what a crash left behind. Rejects with DiskError. */
  async open(): Promise<void> {
    const { disk, folder } = this.#subject;
    await disk.ensureDirectory(folder);
    await this.#removeUnfinished();
  }

  /** The journal wrote bytes. */
  onLogged(bytes: number): void {
    this.#schedule.logged(bytes);
  }

  onDurable(sequence: number): void {
    if (this.#durableWaiters.length === 0) return;
    const waiters = this.#durableWaiters;
    this.#durableWaiters = waiters.filter((waiter) => waiter.sequence > sequence);
    for (const waiter of waiters) if (waiter.sequence <= sequence) waiter.resolve();
  }

  /** Called from time to time: begins a snapshot when one is due. */
  tick(): void {
    this.#isRelief = false;
    if (this.#running !== undefined || this.#isAborted) return;
    if (this.#schedule.isDue(this.#stateBytes, this.#subject.clock.nowMs())) this.#start();
  }

  /**
   * Called from time to time instead of `tick` while the disk has little room: begins a snapshot where the log can be cut off
   * behind it, or behind the next. One that is under way already makes haste too.
   */
  relieve(): void {
    this.#isRelief = true;
    if (this.#running !== undefined || this.#isAborted) return;
    const { journal, clock } = this.#subject;
    if (this.#schedule.isReliefDue(this.#stateBytes, journal.storedBytes, clock.nowMs())) this.#start();
  }

  /** Takes one now, unless one is under way; resolves when it is over, well or not. */
  async take(): Promise<void> {
    if (this.#running === undefined) this.#start();
    await this.#running;
  }

  /**
   * Before an orderly end: waits for the snapshot under way, or takes one if the next start gains by it, for `timeMsMax`
   * at most; it is given up a little earlier, so that its file can be removed. Where the disk does not answer that is left to the
   * next start. No more are taken.
   */
  async close(timeMsMax: number): Promise<void> {
    const { clock } = this.#subject;
    this.#isClosing = true;
    if (this.#running === undefined && this.#schedule.isWorthIt(this.#stateBytes)) this.#start();
    const abort = clock.setTimer(timeMsMax * (1 - REMOVAL_SHARE), () => {
      this.#isAborted = true;
    });
    await within(clock, timeMsMax, this.#running);
    abort.cancel();
    this.#isAborted = true;
  }

  /** About what a snapshot of the present state would take. */
  get #stateBytes(): number {
    const { store } = this.#subject;
    const changes = store.historyTail - store.historyHead;
    return store.recordBytesLive + ROW_BYTES * store.liveKeyCount + CHANGE_BYTES * changes;
  }

  #start(): void {
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  async #run(): Promise<void> {
    let logBytes = 0;
    try {
      await this.#checkRoom();
      const result = await takeSnapshot({
        subject: this.#subject,
        onCaptured: () => {
          logBytes = this.#schedule.started();
        },
        onSync: (seconds) => this.#observer.onSync(seconds),
        pauseMs: (piece) => this.#pauseMs(piece),
        durable: (sequence) => this.#durable(sequence),
        isAborted: () => this.#isAborted,
        newestSequence: this.newestSequence,
      });
      if (result === undefined) return;
      logBytes = 0;
      await this.#keep(result);
    } catch (error) {
      if (!(error instanceof DiskError)) {
        this.#onFatal(error);
        return;
      }
      this.#observer.onFailed(error, this.#schedule.failed(logBytes, this.#subject.clock.nowMs()));
    } finally {
      // A failure to remove what is left is met again, and reported, at the next snapshot.
      await this.#removeUnfinished().catch(() => {});
    }
  }

  #pauseMs({ bytes, tookMs, bytesWritten }: WrittenPiece): number {
    if (this.#isClosing) return 0;
    const { logBytes } = this.#schedule;
    if (logBytes > bytesWritten) return tookMs * PAUSE_SHARE_OVERTAKEN;
    if (logBytes * 2 > bytesWritten) return tookMs * PAUSE_SHARE_HURRIED;
    return Math.max(tookMs * PAUSE_SHARE, this.#isRelief ? 0 : bytes / BYTES_PER_MS_MAX - tookMs);
  }

  async #checkRoom(): Promise<void> {
    const { disk, folder } = this.#subject;
    await this.#removeUnfinished();
    const neededBytes = this.#stateBytes + this.#freeBytesMin;
    const freeBytes = await disk.freeBytes(folder);
    if (freeBytes >= neededBytes) return;
    const message = `${freeBytes} bytes are free, a snapshot beside the log needs ${neededBytes}`;
    throw new DiskError('write', folder, Object.assign(new Error(message), { code: 'ENOSPC' }));
  }

  #durable(sequence: number): Promise<void> {
    return new Promise((resolve) => {
      this.#durableWaiters.push({ sequence, resolve });
    });
  }

  /** A new good snapshot: all but it and the one before go, and the log that neither needs. */
  async #keep(result: SnapshotResult): Promise<void> {
    const { disk, folder, journal } = this.#subject;
    this.#kept = [result.sequence, ...this.#kept].slice(0, KEPT_COUNT);
    this.#schedule.succeeded();
    this.#observer.onTaken(result);
    if (this.#isAborted) return;
    const { sequences } = await listSnapshots(disk, folder);
    const surplus = sequences.filter((sequence) => !this.#kept.includes(sequence));
    for (const sequence of surplus) await disk.unlink(snapshotPath(folder, sequence));
    if (surplus.length > 0) await disk.syncDirectory(folder);
    if (this.#kept.length === KEPT_COUNT) await journal.trim(this.#kept[KEPT_COUNT - 1] + 1);
  }

  async #removeUnfinished(): Promise<void> {
    const { disk, folder } = this.#subject;
    const { unfinished } = await listSnapshots(disk, folder);
    for (const name of unfinished) await disk.unlink(join(folder, name));
    if (unfinished.length > 0) await disk.syncDirectory(folder);
  }
}
