import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RoomScale } from './room-scale.ts';

const score = fc.integer({ min: 0, max: 100 });
const weight = fc.oneof(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 90, max: 200 }), fc.nat(2 ** 31 - 1));

test('buckets are in the order of the weighted sums, say the sums, and are few', () => {
  fc.assert(
    fc.property(weight, weight, fc.array(fc.tuple(score, score), { minLength: 2, maxLength: 20 }), (a, b, pairs) => {
      const scale = new RoomScale(a, b);
      assert.ok(scale.most <= 20_000);
      for (const [first, second] of pairs) {
        const bucket = scale.bucketOf(first, second);
        assert.ok(bucket >= 0 && bucket <= scale.most);
        assert.equal(scale.sumOf(bucket), a * first + b * second);
        for (const [left, right] of pairs) {
          const sums = Math.sign(a * first + b * second - (a * left + b * right));
          assert.equal(Math.sign(bucket - scale.bucketOf(left, right)), sums);
        }
      }
    }),
    { numRuns: 60 },
  );
});
