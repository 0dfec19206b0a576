// A model of Linux's errseq and every order of events in it: syncs begin, pages fail, syncs look at what failed, are reported.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SYNC_DESCRIPTORS, SyncDescriptors } from './sync-descriptors.ts';

interface Sync {
  /** The errors of the file when it began: those that come later may be of its pages. */
  readonly errorsBefore: number;
  isOver: boolean;
}

/** A file whose write-back fails now and then. */
class ErrorModel {
  #errors = 0;
  /** How far each descriptor was told. */
  readonly #told = new Map<number, number>();
  readonly #running: { readonly sync: Sync; readonly descriptor: number }[] = [];
  readonly #descriptors: SyncDescriptors;
  readonly began: Sync[] = [];

  constructor(descriptors: readonly number[]) {
    this.#descriptors = new SyncDescriptors(descriptors);
  }

  begin(): void {
    this.#descriptors.take((descriptor) => {
      const sync = { errorsBefore: this.#errors, isOver: false };
      this.began.push(sync);
      this.#running.push({ sync, descriptor });
    });
  }

  pageFails(): void {
    this.#errors++;
  }

  /** One of those that run looks for errors. Undefined: none runs. */
  end(choice: number): { readonly isHidden: boolean } | undefined {
    if (this.#running.length === 0) return undefined;
    const [{ sync, descriptor }] = this.#running.splice(choice % this.#running.length, 1);
    const isTold = (this.#told.get(descriptor) ?? 0) < this.#errors;
    this.#told.set(descriptor, this.#errors);
    sync.isOver = true;
    const concernsIt = this.#errors > sync.errorsBefore;
    this.#descriptors.give(descriptor);
    return { isHidden: concernsIt && !isTold };
  }
}

/** Whether an error that may concern a sync can be told to another one instead. */
function hidesAnError(descriptors: readonly number[], events: readonly number[]): boolean {
  const model = new ErrorModel(descriptors);
  for (const event of events) {
    if (event % 3 === 0) model.begin();
    else if (event % 3 === 1) model.pageFails();
    else if (model.end(Math.trunc(event / 3))?.isHidden) return true;
  }
  while (true) {
    const end = model.end(0);
    if (end === undefined) break;
    if (end.isHidden) return true;
  }
  assert(model.began.every(({ isOver }) => isOver));
  return false;
}

test('every sync is told of each write-back error that happened while it ran', () => {
  const descriptors = Array.from({ length: SYNC_DESCRIPTORS }, (_, index) => index);
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 30 }), { maxLength: 40 }), (events) => {
      assert(!hidesAnError(descriptors, events));
    }),
  );
});

test('the model sees the error that two syncs through one descriptor hide', () => {
  // Both begin, a page fails, both look: the same number twice is the same descriptor in two hands.
  assert(hidesAnError([7, 7], [0, 0, 1, 2, 2]));
  assert(!hidesAnError([7, 8], [0, 0, 1, 2, 2]));
});

test('what finds all descriptors in use gets the next one that is given back, in order', () => {
  const descriptors = new SyncDescriptors([3, 4]);
  const taken: string[] = [];
  for (const name of ['a', 'b', 'c', 'd']) descriptors.take((descriptor) => taken.push(`${name} ${descriptor}`));
  assert.deepEqual(taken, ['a 4', 'b 3']);
  descriptors.give(3);
  descriptors.give(4);
  assert.deepEqual(taken, ['a 4', 'b 3', 'c 3', 'd 4']);
  descriptors.give(4);
  descriptors.take((descriptor) => taken.push(`e ${descriptor}`));
  assert.equal(taken.at(-1), 'e 4');
});
