import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { propertyRuns } from '../testing/property-runs.ts';
import { SlotBytes } from './slot-bytes.ts';

const SLAB_BYTES = 1024 * 1024;
const SLOTS = 200;

function put(bytes: SlotBytes, slot: number, text: Buffer, revision: number): void {
  // From the middle of other bytes, which are written over afterwards.
  const around = Buffer.concat([Buffer.from('<<'), text, Buffer.from('>>')]);
  bytes.put(slot, revision, { bytes: around, start: 2, end: 2 + text.length });
  around.fill(0);
}

function found(bytes: SlotBytes, slot: number): { readonly text: Buffer; readonly revision: number } | undefined {
  const at = bytes.find(slot);
  return at === undefined
    ? undefined
    : { text: Buffer.from(at.bytes.subarray(at.start, at.end)), revision: at.revision };
}

test('bytes are what was put, whatever comes and goes, and take no more than twice as much memory and two slabs', () => {
  const step = fc.record({
    // Now and then most of what there is goes.
    dropTo: fc.oneof({ weight: 40, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(SLOTS) }),
    slot: fc.nat(SLOTS),
    length: fc.oneof(
      { weight: 20, arbitrary: fc.nat(80_000) },
      { weight: 5, arbitrary: fc.nat(300) },
      { weight: 1, arbitrary: fc.constantFrom(SLAB_BYTES - 16, SLAB_BYTES, 3 * SLAB_BYTES) },
    ),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 100, maxLength: 400 }), (steps) => {
      const bytes = new SlotBytes();
      const model = new Map<number, { readonly text: Buffer; readonly revision: number }>();
      for (const [index, { dropTo, slot, length }] of steps.entries()) {
        for (let other = 0; other < dropTo; other++) {
          bytes.drop(other);
          model.delete(other);
        }
        const one = { text: Buffer.alloc(length, index), revision: 2 ** 40 + index };
        bytes.drop(slot);
        put(bytes, slot, one.text, one.revision);
        model.set(slot, one);
        const live = [...model.values()].reduce((sum, { text }) => sum + SlotBytes.sizeOf(text.length), 0);
        assert.equal(bytes.liveBytes, live);
        // One more is the slab that the last one may have begun.
        const most = 2 * (live + SLAB_BYTES) + Math.max(SLAB_BYTES, SlotBytes.sizeOf(length));
        assert(bytes.slabBytes <= most, `${bytes.slabBytes} for ${live}`);
      }
      for (let slot = 0; slot <= SLOTS; slot++) assert.deepEqual(found(bytes, slot), model.get(slot));
    }),
    propertyRuns(60, process.env),
  );
});

test('a few that stay do not keep the memory of all that has gone', () => {
  const bytes = new SlotBytes();
  for (let slot = 0; slot < 20_000; slot++) put(bytes, slot, Buffer.alloc(1_000, slot % 251), slot);
  for (let slot = 0; slot < 20_000; slot++) if (slot % 1_000 !== 7) bytes.drop(slot);
  assert(bytes.slabBytes <= 2 * SLAB_BYTES + 2 * bytes.liveBytes, `${bytes.slabBytes}`);
  assert.equal(bytes.liveBytes, 20 * SlotBytes.sizeOf(1_000));
  for (let slot = 7; slot < 20_000; slot += 1_000) {
    assert.deepEqual(found(bytes, slot), { text: Buffer.alloc(1_000, slot % 251), revision: slot });
  }
  assert.equal(found(bytes, 8), undefined);
  assert.equal(found(bytes, -1), undefined);
});
