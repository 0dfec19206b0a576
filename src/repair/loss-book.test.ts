import assert from 'node:assert/strict';
import { it } from 'node:test';
import { BatchWriter } from '../journal/batch-writer.ts';
import { BATCH_HEADER_BYTES } from '../journal/format.ts';
import { LossBook } from './loss-book.ts';

/** The body of a batch that deletes keys. */
function bodyOf(keys: readonly string[]): Uint8Array {
  const batch = new BatchWriter(1000);
  batch.beginRevision(5, 'fsync');
  for (const [sub, key] of keys.entries()) batch.appendDelete(sub, Buffer.from(key), 0, key.length);
  const { bytes } = batch;
  batch.seal({ sequence: 1, epoch: 1, durableSequence: 0, previousCrc: 0, crcSeed: 0, alignment: 8 });
  return Uint8Array.from(batch.view().subarray(BATCH_HEADER_BYTES, bytes));
}

function listed(book: LossBook): string[] {
  return book.keys.map(({ key }) => Buffer.from(key).toString());
}

it('lists uncertain keys in the order of their bytes, until a good batch says what they are', () => {
  const book = new LossBook();
  const body = bodyOf(['b', 'c', 'a']);
  assert.equal(book.loseGood(body, 0, body.length), true);
  assert.deepEqual(listed(book), ['a', 'b', 'c']);
  book.keyKnown(Buffer.from('xbx'), 1, 2);
  assert.deepEqual(listed(book), ['a', 'c']);
});

it('says that the list is not complete when it has no room for a key that is not in it', () => {
  const book = new LossBook(2);
  const [two, again, three] = [bodyOf(['a', 'b']), bodyOf(['b', 'a']), bodyOf(['c', 'a'])];
  assert.equal(book.loseGood(two, 0, two.length), true);
  assert.equal(book.loseGood(again, 0, again.length), true, 'known already');
  assert.equal(book.loseGood(three, 0, three.length), false);
  assert.deepEqual(listed(book), ['a', 'b']);
});
