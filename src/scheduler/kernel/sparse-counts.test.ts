import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { SparseCounts } from './sparse-counts.ts';

describe('sparse counts', () => {
  it('are what was added, as an array and as a map', () => {
    // Places near each other, over a long range, and many at once, so that it changes over both ways.
    const place = fc.oneof(fc.nat(40), fc.nat(5_000));
    const step = fc.oneof(
      fc.record({ places: place.map((one) => [one]), amount: fc.integer({ min: -2, max: 2 }) }),
      fc.record({
        places: fc.nat(4_000).map((from) => Array.from({ length: 500 }, (_, index) => from + index)),
        amount: fc.constantFrom(1, -1),
      }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const counts = new SparseCounts();
        const expected = new Map<number, number>();
        for (const { places, amount } of steps) {
          for (const each of places) {
            const before = expected.get(each) ?? 0;
            assert.equal(counts.add(each, amount), before);
            if (before + amount === 0) expected.delete(each);
            else expected.set(each, before + amount);
          }
          const found: number[] = [];
          counts.forEach((each) => {
            found.push(each);
          });
          assert.deepEqual(new Set(found), new Set(expected.keys()));
          assert.deepEqual([found.length, counts.size], [expected.size, expected.size]);
          for (const each of [0, 40, 4_999, 1_000_000]) assert.equal(counts.at(each), expected.get(each) ?? 0);
        }
      }),
      { numRuns: 60 },
    );
  });
});
