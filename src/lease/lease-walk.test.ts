import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Lessor } from './lessor.ts';

const NO_ROWS = { attachment: () => 0, setAttachment: () => {} };

describe('lease walk', () => {
  it('gives the leases of its beginning, however they come and go meanwhile', () => {
    const ids = fc.array(fc.bigInt({ min: 1n, max: 30n }), { maxLength: 40 });
    fc.assert(
      fc.property(ids, ids, fc.integer({ min: 1, max: 5 }), (before, meanwhile, slots) => {
        const lessor = new Lessor(NO_ROWS, 1);
        // An id that is there is removed, one that is not is granted.
        const toggle = (id: bigint): void => {
          const lease = lessor.find(id);
          if (lease === undefined) lessor.grant(id, Number(id) * 10, 0);
          else lessor.remove(lease);
        };
        for (const id of before) toggle(id);
        const expected = lessor.list().map(({ id, ttlSeconds }) => `${id} ${ttlSeconds}`);
        const walk = lessor.walk();
        for (const id of meanwhile) {
          toggle(id);
          walk.step(slots);
        }
        while (!walk.step(slots));
        const found = walk.leases.map(({ id, ttlSeconds }) => `${id} ${ttlSeconds}`);
        assert.deepEqual(found.sort(), expected.sort());
      }),
    );
  });

  it('hears nothing more when it is closed', () => {
    const lessor = new Lessor(NO_ROWS, 1);
    const lease = lessor.grant(1n, 10, 0);
    const walk = lessor.walk();
    walk.close();
    lessor.remove(lease);
    assert.deepEqual(walk.leases, []);
  });
});
