import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { Heap } from './heap.ts';

const RUNS = Number(process.env.K1M_RUNS ?? 500);

it('a heap gives the least item first, whatever was pushed and popped before', () => {
  const anySteps = fc.array(fc.option(fc.integer({ min: 0, max: 20 }), { nil: undefined, freq: 3 }), { maxLength: 80 });
  fc.assert(
    fc.property(anySteps, (steps) => {
      const heap = new Heap<number>((a, b) => a - b);
      const sorted: number[] = [];
      for (const step of steps) {
        assert.equal(heap.peek(), sorted[0]);
        if (step === undefined) assert.equal(heap.pop(), sorted.shift());
        else {
          heap.push(step);
          sorted.push(step);
          sorted.sort((a, b) => a - b);
        }
        assert.equal(heap.size, sorted.length);
      }
      while (sorted.length > 0) assert.equal(heap.pop(), sorted.shift());
      assert.equal(heap.pop(), undefined);
    }),
    { numRuns: RUNS },
  );
});
