// Files of segments that the log no longer needs, kept to be its next ones.
//
//   <old>.wal ──trim──► <old>.wal.spare ──(folder synced)──► spare ──roll──► <new>.wal
//
// What is gained: their blocks are there already. A write into them changes no metadata, so that no zeros are set down ahead, and
// finds its pages in memory where a RAM disk or the page cache has them. What they hold stays behind the log's end until it is written
// over; recovery tells it from the log by its sequences (docs/journal.md, "Which end is which").
//
// A file is written again only when its old name is durably gone. Until then a power cut may bring the old segment back, which
// must be whole. At most one more is kept than segments were begun between the last two trims, so that a log that is written
// less gives its space back, and never more than `countMax`; none while the disk has little room. With them the log never takes more
// than it took at its longest.

import { join } from 'node:path';
import type { Disk } from '../io/disk.ts';
import { spareName } from './segment.ts';

export class SpareSegments {
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #countMax: number;
  /** Names of files that may be used. */
  readonly #ready: string[] = [];
  /** Of a file whose old name is not durably gone. */
  #released: string | undefined;
  #begunSinceTrim = 0;
  #isAllowed = true;

  constructor(disk: Disk, folder: string, countMax: number) {
    this.#disk = disk;
    this.#folder = folder;
    this.#countMax = countMax;
  }

  /** The name of a file for a segment that is to be begun; undefined when there is none. */
  take(): string | undefined {
    return this.#ready.shift();
  }

  /** A segment was begun, in a spare file or in a new one. */
  countBegun(): void {
    this.#begunSinceTrim++;
  }

  /** Takes a segment out of the log. The folder must be synced before anything else, and `confirm` called. */
  async release(segment: string, isUsable: boolean): Promise<void> {
    const path = join(this.#folder, segment);
    if (!isUsable || !this.#isAllowed || this.#ready.length >= this.#wanted) {
      await this.#disk.unlink(path);
      return;
    }
    const spare = spareName(segment);
    await this.#disk.rename(path, join(this.#folder, spare));
    this.#released = spare;
  }

  /** The folder was synced. */
  confirm(): void {
    if (this.#released !== undefined) this.#ready.push(this.#released);
    this.#released = undefined;
  }

  /** A trim is done: gives back what is not likely to be needed before the next one. */
  async endTrim(): Promise<void> {
    const wanted = this.#isAllowed ? this.#wanted : 0;
    this.#begunSinceTrim = 0;
    await this.#remove(wanted);
  }

  /** Whether any may be kept. */
  async allow(isAllowed: boolean): Promise<void> {
    this.#isAllowed = isAllowed;
    if (!isAllowed) await this.#remove(0);
  }

  async close(): Promise<void> {
    await this.#remove(0);
  }

  get #wanted(): number {
    return Math.min(this.#countMax, this.#begunSinceTrim + 1);
  }

  async #remove(left: number): Promise<void> {
    while (this.#ready.length > left) {
      const name = this.#ready.pop();
      if (name !== undefined) await this.#disk.unlink(join(this.#folder, name));
    }
  }
}
