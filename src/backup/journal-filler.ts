// A log filled from elsewhere: effects come in, batches go out, and the filler says when to wait.
//
// A new folder's log is given its identity; with `identity` undefined the folder must have one.

import { assert } from '../base/assert.ts';
import type { Clock } from '../io/clock.ts';
import type { Disk } from '../io/disk.ts';
import { openFileJournal } from '../journal/file-journal-opening.ts';
import type { Journal, JournalHandler, JournalIdentity, JournalVisitor, Recovery } from '../journal/journal.ts';
import type { BackendVisitor } from './backend-reader.ts';

export interface JournalFillerOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly folder: string;
  readonly identity: JournalIdentity;
  /** Told what the log holds already. */
  readonly visitor: JournalVisitor;
}

export class JournalFiller implements BackendVisitor {
  readonly recovery: Recovery;
  readonly #journal: Journal;
  readonly #wakes: Wakes;
  #main = 0;

  static async open(options: JournalFillerOptions): Promise<JournalFiller> {
    const wakes = new Wakes();
    const { journal, recovery } = await openFileJournal({ ...options, handler: wakes });
    return new JournalFiller(journal, recovery, wakes);
  }

  private constructor(journal: Journal, recovery: Recovery, wakes: Wakes) {
    this.#journal = journal;
    this.recovery = recovery;
    this.#wakes = wakes;
  }

  /** For an engine that appends by itself; between two calls of `pause` it is the same one. */
  get journal(): Journal {
    return this.#journal;
  }

  onPut(sub: number, buffer: Uint8Array, kvStart: number, kvEnd: number): void {
    assert(this.#main > 0, 'a revision was begun');
    this.#journal.batch.appendPut(sub, buffer, kvStart, kvEnd);
  }

  onDelete(main: number, sub: number, buffer: Uint8Array, keyStart: number, keyEnd: number): void {
    assert(this.#main === main, 'a deletion is of the revision begun');
    this.#journal.batch.appendDelete(sub, buffer, keyStart, keyEnd);
  }

  onLeaseGrant(id: bigint, ttlSeconds: number): void {
    this.#journal.batch.appendLeaseGrant(id, ttlSeconds);
  }

  onLeaseRevoke(id: bigint): void {
    this.#journal.batch.appendLeaseRevoke(id);
  }

  onCompact(revision: number): void {
    this.#journal.batch.appendCompact(revision);
  }

  onAlarm(alarm: number, isRaised: boolean): void {
    this.#journal.batch.appendAlarm(alarm, isRaised);
  }

  /** What follows is of revision `main`. */
  onRevision(main: number): void {
    this.#main = main;
    this.#journal.batch.beginRevision(main, 'fsync');
  }

  /** Between two revisions: sends a full batch off. A promise when there is something to wait for first. */
  pause(): Promise<void> | undefined {
    if (!this.#journal.batch.isFull) return undefined;
    return this.#commit();
  }

  /** Makes everything so far durable. */
  async flush(): Promise<void> {
    if (!this.#journal.batch.isEmpty) await this.#commit();
    while (this.#journal.durableSequence < this.#journal.lastSequence) {
      this.#journal.sync();
      await this.#wakes.next();
    }
  }

  /** Ends the log in order, with the counter at `revision`; or without a word about it, as after a crash. */
  async close(revision: number | undefined): Promise<void> {
    if (revision !== undefined) await this.flush();
    await this.#journal.close(revision);
  }

  async #commit(): Promise<void> {
    while (!this.#journal.hasRoom) await this.#wakes.next();
    this.#journal.commit();
  }
}

/** Turns the log's reports into promises. */
class Wakes implements JournalHandler {
  #waiters: { resolve: () => void; reject: (error: Error) => void }[] = [];
  #error: Error | undefined;

  next(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#error === undefined) this.#waiters.push({ resolve, reject });
      else reject(this.#error);
    });
  }

  onWritten(): void {
    this.#wake();
  }

  onDurable(): void {
    this.#wake();
  }

  onFatal(error: Error): void {
    this.#error = error;
    for (const { reject } of this.#waiters.splice(0)) reject(error);
  }

  #wake(): void {
    for (const { resolve } of this.#waiters.splice(0)) resolve();
  }
}
