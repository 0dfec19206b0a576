// Operations that found the disk full, each tried again every RETRY_MS: what is in them was promised to nobody, and reads go on
// meanwhile.

import type { Clock } from '../io/clock.ts';
import { DiskError } from '../io/disk.ts';

const RETRY_MS = 200;

export class FullDisk {
  readonly #clock: Clock;
  readonly #mayWait: () => boolean;
  #waitingCount = 0;

  /** `mayWait`: false where the error is to be told. */
  constructor(clock: Clock, mayWait: () => boolean) {
    this.#clock = clock;
    this.#mayWait = mayWait;
  }

  /** Operations wait for space. */
  get isFull(): boolean {
    return this.#waitingCount > 0;
  }

  /** Calls `again` later and returns true; or returns false: the error is to be told. */
  wait(again: () => void): boolean {
    if (!this.#mayWait()) return false;
    this.#waitingCount++;
    this.#clock.setTimer(RETRY_MS, () => {
      this.#waitingCount--;
      again();
    });
    return true;
  }
}

export function isFull(error: unknown): boolean {
  return error instanceof DiskError && error.code === 'ENOSPC';
}
