// Whether the disk of the data has room for more: the file system is asked now and then, and what was logged since is subtracted.
//
//   free ≥ reserve          everything is taken
//   free < reserve          low: writes that add are refused, those that free are taken, until free ≥ 5/4 reserve
//   free < reserve / 8      spent: nothing is taken that the log would have to hold
//
// The reserve is what deletes, lease revocations and compactions may still use, and the zeros that a segment sets down ahead; a
// snapshot may use it down to the mark of "spent", so that the log can be cut off behind it (snapshotter.ts).
//
// Our own writes are counted before they are made, so that they cannot run past the mark however fast they are. Those of others
// are seen at the next look.

import { type Disk, DiskError } from '../io/disk.ts';

export interface SpaceWatchOptions {
  readonly disk: Disk;
  readonly folder: string;
  readonly reserveBytes: number;
  /** Computed, and not written yet. */
  readonly unwrittenBytes: () => number;
  readonly onLow: (freeBytes: number) => void;
  readonly onEnough: (freeBytes: number) => void;
  /** After each look: whether there is plenty, NEAR_RESERVES times the reserve. */
  readonly onLooked: (isPlenty: boolean) => void;
  /** The file system was not to be asked; the last figure goes on. */
  readonly onFailed: (error: DiskError) => void;
}

/** Between two looks. */
const LOOK_MS = 1_000;
/** … where there is less than NEAR_RESERVES times the reserve. */
const NEAR_LOOK_MS = 100;
const NEAR_RESERVES = 4;
/** The part of the reserve below which nothing is taken. */
export const SPENT_SHARE: number = 1 / 8;
/** Over the reserve, from which everything is taken again. */
const ENOUGH_SHARE = 5 / 4;

export class SpaceWatch {
  readonly #options: SpaceWatchOptions;
  /** At the last look. */
  #seenBytes: number = Number.POSITIVE_INFINITY;
  /** Written since the last look was begun. */
  #writtenBytes = 0;
  #nextLookMs = 0;
  #isLooking = false;
  #hasFailed = false;
  #isLow = false;

  constructor(options: SpaceWatchOptions) {
    this.#options = options;
  }

  /** Writes that add are refused. */
  get isLow(): boolean {
    return this.#isLow;
  }

  /** Nothing may be logged. */
  get isSpent(): boolean {
    return this.#isLow && this.freeBytes < this.#options.reserveBytes * SPENT_SHARE;
  }

  /** What is free, less what is on its way. Infinite before the first look. */
  get freeBytes(): number {
    return this.#seenBytes - this.#writtenBytes - this.#options.unwrittenBytes();
  }

  /** Whether a write that adds about `bytes` may be taken. */
  hasRoom(bytes: number): boolean {
    if (!this.#isLow && this.freeBytes - bytes < this.#options.reserveBytes) this.#becomeLow();
    return !this.#isLow;
  }

  /** The log wrote bytes. */
  onWritten(bytes: number): void {
    this.#writtenBytes += bytes;
  }

  /** Called from time to time: asks the file system when it is time to, one question at a time. */
  tick(nowMs: number): void {
    if (this.#isLooking || nowMs < this.#nextLookMs) return;
    this.look().then(
      () => {
        this.#nextLookMs = nowMs + (this.#isPlenty ? LOOK_MS : NEAR_LOOK_MS);
      },
      (error: unknown) => {
        // What concerns the disk is told already.
        if (!(error instanceof DiskError)) throw error;
        this.#nextLookMs = nowMs + LOOK_MS;
      },
    );
  }

  /** Asks now. Rejects with DiskError. */
  async look(): Promise<void> {
    const { disk, folder, reserveBytes, onFailed } = this.#options;
    this.#isLooking = true;
    const writtenBefore = this.#writtenBytes;
    try {
      const freeBytes = await disk.freeBytes(folder);
      // What was written meanwhile may be in the figure or not.
      this.#writtenBytes -= writtenBefore;
      this.#seenBytes = freeBytes;
      this.#hasFailed = false;
    } catch (error) {
      if (error instanceof DiskError && !this.#hasFailed) onFailed(error);
      this.#hasFailed = true;
      throw error;
    } finally {
      this.#isLooking = false;
    }
    this.#options.onLooked(this.#isPlenty);
    if (!this.#isLow && this.freeBytes < reserveBytes) this.#becomeLow();
    else if (this.#isLow && this.freeBytes >= reserveBytes * ENOUGH_SHARE) {
      this.#isLow = false;
      this.#options.onEnough(this.freeBytes);
    }
  }

  get #isPlenty(): boolean {
    return this.freeBytes >= NEAR_RESERVES * this.#options.reserveBytes;
  }

  #becomeLow(): void {
    this.#isLow = true;
    this.#options.onLow(this.freeBytes);
  }
}
