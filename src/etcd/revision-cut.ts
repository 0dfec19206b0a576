// Gives a log's effects on up to one revision, and nothing of what came behind the last change at or below it: the state as it was
// then.

import type { JournalVisitor } from '../journal/journal.ts';
import { KeyValueView } from '../store/key-value.ts';

export class RevisionCut implements JournalVisitor {
  readonly revision: number;
  /** Of all changes seen, also those behind the cut. */
  newestRevision = 0;
  readonly #visitor: JournalVisitor;
  readonly #view = new KeyValueView();

  constructor(visitor: JournalVisitor, revision: number) {
    this.#visitor = visitor;
    this.revision = revision;
  }

  onPut(sub: number, buffer: Uint8Array, kvStart: number, kvEnd: number): void {
    this.newestRevision = this.#view.readHead(buffer, kvStart).modRevision;
    if (this.#isWanted) this.#visitor.onPut(sub, buffer, kvStart, kvEnd);
  }

  onDelete(main: number, sub: number, buffer: Uint8Array, keyStart: number, keyEnd: number): void {
    this.newestRevision = main;
    if (this.#isWanted) this.#visitor.onDelete(main, sub, buffer, keyStart, keyEnd);
  }

  onLeaseGrant(id: bigint, ttlSeconds: number): void {
    if (this.#isWanted) this.#visitor.onLeaseGrant(id, ttlSeconds);
  }

  onLeaseRevoke(id: bigint): void {
    if (this.#isWanted) this.#visitor.onLeaseRevoke(id);
  }

  onCompact(revision: number): void {
    if (this.#isWanted && revision <= this.revision) this.#visitor.onCompact(revision);
  }

  onAlarm(alarm: number, isRaised: boolean): void {
    if (this.#isWanted) this.#visitor.onAlarm(alarm, isRaised);
  }

  get #isWanted(): boolean {
    return this.newestRevision <= this.revision;
  }
}
