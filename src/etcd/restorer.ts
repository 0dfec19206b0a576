// Puts logged effects back into store and leases at start, in log order.

import type { JournalVisitor } from '../journal/journal.ts';
import type { Lessor } from '../lease/lessor.ts';
import { KeyValueView } from '../store/key-value.ts';
import type { Store } from '../store/store.ts';

/** History entries of a compaction removed per effect while restoring, so that memory stays near what is live. */
const COMPACT_UNITS = 1_000_000;

export class Restorer implements JournalVisitor {
  readonly #store: Store;
  readonly #lessor: Lessor;
  readonly #nowMs: () => number;
  readonly #view = new KeyValueView();
  readonly alarms: Set<number>;
  /** The revision being restored; committed when the next one begins. */
  #main = 0;

  /** Store, lessor and alarms hold what is known already, from a snapshot. */
  constructor(store: Store, lessor: Lessor, nowMs: () => number, alarms: Set<number> = new Set()) {
    this.#store = store;
    this.#lessor = lessor;
    this.alarms = alarms;
    this.#nowMs = nowMs;
  }

  onPut(sub: number, buffer: Uint8Array, kvStart: number, kvEnd: number): void {
    const { modRevision, lease } = this.#view.read(buffer, kvStart, kvEnd);
    this.#begin(modRevision);
    const row = this.#store.restoreRecord(modRevision, sub, buffer, kvStart, kvEnd);
    if (lease !== 0n || this.#store.attachment(row) !== 0) this.#lessor.attach(row, this.#lessor.find(lease));
  }

  /** The key may be missing when it belongs to a class that is not in the log. */
  onDelete(main: number, sub: number, buffer: Uint8Array, keyStart: number, keyEnd: number): void {
    const row = this.#store.find(buffer, keyStart, keyEnd);
    if (row < 0 || !this.#store.isLive(row)) return;
    this.#begin(main);
    if (this.#store.attachment(row) !== 0) this.#lessor.attach(row, undefined);
    this.#store.delete(main, sub, row);
  }

  onLeaseGrant(id: bigint, ttlSeconds: number): void {
    if (this.#lessor.find(id) === undefined) this.#lessor.grant(id, ttlSeconds, this.#nowMs());
  }

  onLeaseRevoke(id: bigint): void {
    const lease = this.#lessor.find(id);
    if (lease === undefined) return;
    for (const row of this.#lessor.rows(lease)) this.#lessor.attach(row, undefined);
    this.#lessor.remove(lease);
  }

  onCompact(revision: number): void {
    this.#commit();
    if (revision <= this.#store.compactedRevision) return;
    // The newest revisions may be missing, though they were shown: of relaxed classes, or where a restore skips ahead.
    if (revision > this.#store.currentRevision) this.#store.jumpTo(revision);
    this.#store.compact(revision);
    this.#store.compactStep(COMPACT_UNITS);
  }

  onAlarm(alarm: number, isRaised: boolean): void {
    if (isRaised) this.alarms.add(alarm);
    else this.alarms.delete(alarm);
  }

  /**
   * Ends the replay with the counter at `revision` at least. When that skips revisions that may have been shown and are
   * lost, everything before is compacted, so that watchers and informers start over instead of missing changes.
   */
  finish(revision: number, isClean: boolean): void {
    this.#commit();
    const restored = this.#store.currentRevision;
    if (revision > restored) {
      this.#store.jumpTo(revision);
      if (!isClean) this.#store.compact(revision);
    }
    this.#lessor.renewAll(this.#nowMs());
  }

  #begin(main: number): void {
    if (this.#main !== main) this.#commit();
    this.#main = main;
  }

  #commit(): void {
    if (this.#main > this.#store.currentRevision) this.#store.commit(this.#main);
  }
}
