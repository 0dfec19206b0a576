import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { WaitingWrites } from './waiting-writes.ts';

it('writes wait in their order, and the oldest is left out for one too many, as in an array', () => {
  const step = fc.constantFrom('add', 'add', 'take', 'clear');
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), fc.array(step, { maxLength: 60 }), (max, steps) => {
      const writes = new WaitingWrites<number>(max);
      const twin: number[] = [];
      steps.forEach((name, number) => {
        if (name === 'add') {
          const oldest = twin.length === max ? twin.shift() : undefined;
          twin.push(number);
          assert.equal(writes.add(number), oldest);
        } else if (name === 'take') assert.equal(writes.take(), twin.shift());
        else {
          writes.clear();
          twin.length = 0;
        }
        assert.equal(writes.size, twin.length);
      });
    }),
  );
});
