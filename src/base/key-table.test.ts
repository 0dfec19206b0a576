import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { KeyTable } from './key-table.ts';

const RUNS = Number(process.env.K1M_RUNS ?? 30);

test('a table of keys is what a map would be', () => {
  const key = fc.oneof(
    fc.nat(300).map((number) => `default/pod-${number}`),
    fc.string({ maxLength: 12, unit: 'binary' }),
    fc.constantFrom('', 'ä', 'x'.repeat(5000)),
  );
  const step = fc.record({ kind: fc.constantFrom('add', 'add', 'add', 'remove', 'find'), key });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 600, size: 'max' }), (steps) => {
      const table = new KeyTable(1);
      const twin = new Map<string, number>();
      for (const { kind, key: text } of steps) {
        const bytes = Buffer.concat([Buffer.of(1, 2, 3), Buffer.from(text)]);
        const slot = table.find(bytes, 3, bytes.length);
        assert.equal(slot, twin.get(text) ?? -1);
        if (kind === 'add' && slot < 0) {
          const added = table.add(bytes, 3, bytes.length);
          assert(![...twin.values()].includes(added));
          twin.set(text, added);
        } else if (kind === 'remove' && slot >= 0) {
          table.remove(slot);
          twin.delete(text);
          assert(!table.has(slot));
        }
        assert.equal(table.size, twin.size);
      }
      for (const [text, slot] of twin) {
        assert.equal(table.textAt(slot), text);
        assert(slot < table.end);
      }
    }),
    { numRuns: RUNS },
  );
});

test('numbered names are spread over the table', () => {
  const table = new KeyTable(1);
  const count = 200_000;
  const bytes = (i: number): Buffer => Buffer.from(`default/lab-pod-${String(i).padStart(7, '0')}`);
  const startMs = performance.now();
  for (let i = 0; i < count; i++) assert.equal(table.add(bytes(i), 0, 23), i);
  for (let i = 0; i < count; i++) assert.equal(table.find(bytes(i), 0, 23), i);
  // Names that met in a few places would take minutes.
  assert(performance.now() - startMs < 20_000);
});
