import assert from 'node:assert/strict';
import { it } from 'node:test';
import { BatchWriter } from '../journal/batch-writer.ts';
import { BATCH_HEADER_BYTES } from '../journal/format.ts';
import { LossBook, type LostPart } from './loss-book.ts';

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

const SEED = 5;
const AT = 4096;

/** A segment's bytes with batches from byte 4096 on, each of one revision, made by `fills`. */
function blockOf(
  fills: readonly ((batch: BatchWriter) => void)[],
  alignment = 8,
): { block: Uint8Array; starts: number[] } {
  const batches: Uint8Array[] = [Buffer.alloc(AT, 0xee)];
  const starts: number[] = [];
  for (const [index, fill] of fills.entries()) {
    const batch = new BatchWriter(1000);
    batch.beginRevision(5 + index, 'fsync');
    fill(batch);
    const sequence = index + 2;
    batch.seal({ sequence, epoch: 1, durableSequence: 1, previousCrc: 0, crcSeed: SEED, alignment });
    starts.push(Buffer.concat(batches).length);
    batches.push(batch.view().slice());
  }
  const block = new Uint8Array(Buffer.concat(batches));
  return { block, starts };
}

const deletes =
  (...keys: readonly string[]) =>
  (batch: BatchWriter): void => {
    for (const [sub, key] of keys.entries()) batch.appendDelete(sub, Buffer.from(key), 0, key.length);
  };

function lostOf(block: Uint8Array, book: LossBook, end: number = block.length): LostPart {
  const part = { kind: 'flipped', offset: AT, bytes: end - AT, reason: 'why', head: undefined } as const;
  return book.lose({ file: 'f', crcSeed: SEED, block }, part, { first: 5, last: 9 });
}

function outcomeOf({ changes, isReadToEnd, isCertain }: LostPart): readonly unknown[] {
  return [changes, isReadToEnd, isCertain];
}

it('is certain of a batch whose header alone is damaged', () => {
  for (const alignment of [8, 512, 4096]) {
    const { block } = blockOf([deletes('a', 'b')], alignment);
    block[AT + 20] ^= 1;
    const book = new LossBook();
    assert.equal(book.hasLosses, false);
    assert.deepEqual(outcomeOf(lostOf(block, book)), [2, true, true], `${alignment}`);
    assert.deepEqual(listed(book), ['a', 'b']);
    assert.deepEqual(
      book.keys.map(({ change, revision }) => `${change} ${revision}`),
      ['delete 5', 'delete 5'],
    );
  }
});

it('reads a batch whose body is damaged, and is not certain of it', () => {
  const { block } = blockOf([deletes('a', 'b')]);
  // In the key itself: all can be read.
  block[block.lastIndexOf(0x62)] = 0x63;
  const book = new LossBook();
  assert.deepEqual(outcomeOf(lostOf(block, book)), [2, true, false]);
  assert.deepEqual(listed(book), ['a', 'c']);
});

it('reads up to what makes no sense', () => {
  const { block } = blockOf([deletes('a', 'b')]);
  // The type of the second effect.
  block[block.lastIndexOf(0x61) + 1] = 77;
  const book = new LossBook();
  assert.deepEqual(outcomeOf(lostOf(block, book)), [1, false, false]);
  assert.deepEqual(listed(book), ['a']);
});

it('reads several batches that are lost with one part, and is not certain of where they begin', () => {
  const { block, starts } = blockOf([deletes('a'), deletes('b'), deletes('c', 'd')]);
  const book = new LossBook();
  assert.deepEqual(outcomeOf(lostOf(block, book)), [4, true, false]);
  assert.deepEqual(listed(book), ['a', 'b', 'c', 'd']);
  const two = new LossBook();
  assert.deepEqual(outcomeOf(lostOf(block, two, starts[2])), [2, true, false]);
  block[starts[1]] ^= 1;
  const first = new LossBook();
  assert.deepEqual(outcomeOf(lostOf(block, first)), [1, false, false], 'nothing begins there');
  assert.deepEqual(listed(first), ['a']);
});

it('reads nothing where there is no room for a header, or bytes behind a body that are not its padding', () => {
  const { block } = blockOf([deletes('a')]);
  assert.deepEqual(outcomeOf(lostOf(block, new LossBook(), AT + 63)), [0, false, false]);
  const behind = new Uint8Array(Buffer.concat([block, Buffer.alloc(16, 1)]));
  const book = new LossBook();
  assert.deepEqual(outcomeOf(lostOf(behind, book)), [1, false, false]);
  const short = new Uint8Array(Buffer.concat([block, Buffer.from('K1MB'), Buffer.alloc(20)]));
  assert.deepEqual(outcomeOf(lostOf(short, new LossBook())), [1, false, false]);
});

it('knows which leases were granted, revoked or only named, until a good batch says what they are', () => {
  const book = new LossBook();
  const { block } = blockOf([
    (batch) => {
      batch.appendLeaseGrant(7n, 60);
      batch.appendLeaseRevoke(-3n);
      batch.appendLeaseGrant(20n, 60);
    },
  ]);
  assert.deepEqual(outcomeOf(lostOf(block, book)), [0, true, true]);
  book.leaseMissing(5n);
  book.leaseMissing(7n);
  const leases = (): string[] => book.leases.map(({ lease, change }) => `${lease} ${change}`);
  assert.deepEqual(leases(), ['-3 revoked', '5 unknown', '7 granted', '20 granted']);
  book.leaseKnown(7n);
  book.leaseKnown(-3n);
  assert.deepEqual(leases(), ['5 unknown', '20 granted']);

  const good = new LossBook();
  const body = block.subarray(AT + BATCH_HEADER_BYTES);
  assert.equal(good.loseGood(body, 0, 9 + 1 + 9 + 9 + 1), true);
  assert.deepEqual(
    good.leases.map(({ lease, change }) => `${lease} ${change}`),
    ['-3 revoked', '7 granted', '20 granted'],
  );
});

it('has losses when one was added', () => {
  const book = new LossBook();
  book.add({
    sequences: { first: 1, last: 1 },
    revisions: undefined,
    isUnproven: false,
    parts: [],
    isListComplete: true,
  });
  assert.equal(book.hasLosses, true);
});
