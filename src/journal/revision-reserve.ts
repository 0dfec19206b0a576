// Revisions never go back over a restart, also where a crash takes the newest writes of a relaxed class.
//
// The counter is reserved ahead in blocks: a MARK effect in the log says "revisions up to here may have been
// shown". After a crash the counter goes on from the mark, after a clean end from the exact revision.
//
//   shown ≤ durable mark < next mark (in the log, not yet durable)
//
// A revision of class `fsync` is in the log before it is shown and needs no mark. One of class `buffered` or `none`
// may be shown only up to the durable mark. The next mark is asked for when half of a block is left, so that
// nobody waits for it in ordinary running.

import { assert } from '../base/assert.ts';

export class RevisionReserve {
  readonly #blockRevisions: number;
  #durableMark: number;
  #appendedMark: number;
  #appendedSequence = 0;

  /** `revision` is where the counter stands at the start; nothing above it is reserved. */
  constructor(revision: number, blockRevisions: number) {
    assert(blockRevisions > 1, 'a block must hold more than one revision');
    this.#blockRevisions = blockRevisions;
    this.#durableMark = revision;
    this.#appendedMark = revision;
  }

  /**
   * Asked after a revision of a relaxed class was made. The mark to append with the next batch, then told to
   * `appended`; 0 when none is needed now.
   */
  markFor(revision: number): number {
    const left = this.#appendedMark - revision;
    const isPending = this.#appendedMark > this.#durableMark;
    if (left >= this.#blockRevisions / 2 || (isPending && left >= 0)) return 0;
    return revision + this.#blockRevisions;
  }

  /** The mark is in batch `sequence`. */
  appended(mark: number, sequence: number): void {
    assert(mark > this.#appendedMark, 'marks must grow');
    this.#appendedMark = mark;
    this.#appendedSequence = sequence;
  }

  /** All batches up to `sequence` are durable. */
  durable(sequence: number): void {
    if (sequence >= this.#appendedSequence) this.#durableMark = this.#appendedMark;
  }

  /** Whether a revision of a relaxed class may be shown. */
  mayShow(revision: number): boolean {
    return revision <= this.#durableMark;
  }

  /** The highest mark that was appended: revisions up to it may be shown one day without being in the log. */
  get appendedMark(): number {
    return this.#appendedMark;
  }

  get durableMark(): number {
    return this.#durableMark;
  }
}
