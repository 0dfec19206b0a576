import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RevisionReserve } from './revision-reserve.ts';

test('nothing relaxed is shown before the first mark is durable', () => {
  const reserve = new RevisionReserve(100, 10);
  assert.equal(reserve.mayShow(101), false);
  assert.equal(reserve.markFor(101), 111);
  reserve.appended(111, 7);
  assert.equal(reserve.markFor(102), 0, 'one is on its way');
  assert.equal(reserve.markFor(111), 0, 'also for the last that it covers');
  assert.equal(reserve.markFor(112), 122);
  reserve.durable(6);
  assert.equal(reserve.mayShow(101), false);
  reserve.durable(7);
  assert.ok(reserve.mayShow(101) && reserve.mayShow(111));
  assert.equal(reserve.mayShow(112), false);
});

test('the next mark is asked for when half of the block is left', () => {
  const reserve = new RevisionReserve(0, 10);
  reserve.appended(reserve.markFor(1), 1);
  reserve.durable(1);
  assert.equal(reserve.markFor(6), 0);
  assert.equal(reserve.markFor(7), 17);
});

test('a jump of revisions beyond the mark on its way asks for another', () => {
  const reserve = new RevisionReserve(0, 10);
  reserve.appended(reserve.markFor(1), 1);
  assert.equal(reserve.markFor(500), 510);
  reserve.appended(510, 2);
  reserve.durable(1);
  assert.equal(reserve.mayShow(500), false);
  reserve.durable(2);
  assert.ok(reserve.mayShow(500));
});

test('whatever is shown is below the mark that a crash at any moment leaves', () => {
  const step = fc.record({ revisions: fc.nat(30), isDurable: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 2, max: 50 }), (steps, block) => {
      const reserve = new RevisionReserve(0, block);
      // The log: the mark in each batch, and how much of it is durable.
      const marks: number[] = [];
      let durableMark = 0;
      let revision = 0;
      for (const { revisions, isDurable } of steps) {
        revision += revisions;
        const mark = reserve.markFor(revision);
        if (mark > 0) reserve.appended(mark, marks.push(mark));
        if (isDurable) {
          durableMark = Math.max(durableMark, ...marks);
          reserve.durable(marks.length);
        }
        assert.equal(reserve.mayShow(durableMark + 1), false);
        if (isDurable) assert.ok(reserve.mayShow(revision));
      }
    }),
    { numRuns: Number(process.env.K1M_RUNS ?? 300) },
  );
});
