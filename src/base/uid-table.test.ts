import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { propertyRuns } from '../testing/property-runs.ts';
import { type UidEntry, UidTable } from './uid-table.ts';

class Entry implements UidEntry {
  uidSlot = -1;
}

function numbered(number: number): string {
  return `01234567-89ab-4cde-8f01-${String(number).padStart(12, '0')}`;
}

const ODD = [
  '00000000-0000-0000-0000-000000000000',
  '7B0C4F2A-6d1e-4a53-8c90-000000000002',
  '7b0c4f2a-6d1e-4a53-8c90-00000000000g',
  '7b0c4f2a06d1e-4a53-8c90-000000000001',
  '7b0c4f2a-6d1e-4a53-8c90-0000000000ſ1',
  '7b0c4f2a-6d1e-4a53-8c90-00000000001',
  'uid-web-0',
  '\ud800',
  '\udfff',
  '',
];

/** The same with a text for each. */
class Pair {
  readonly table = new UidTable<Entry>();
  readonly twin = new Map<string, Entry>();

  add(uid: string): void {
    if (this.table.get(uid) !== undefined) return;
    const entry = new Entry();
    this.table.add(uid, entry);
    this.twin.set(uid, entry);
  }

  delete(uid: string): void {
    const entry = this.twin.get(uid);
    assert.equal(this.table.delete(uid), this.twin.delete(uid));
    if (entry !== undefined) assert.equal(entry.uidSlot, -1);
    assert.equal(this.table.get(uid), undefined);
  }

  check(): void {
    const { table, twin } = this;
    assert.equal(table.size, twin.size);
    assert.deepEqual(new Set(table.entries), new Set(twin.values()));
    for (const [uid, entry] of twin) {
      assert.equal(table.get(uid), entry);
      assert.equal(table.uidOf(entry), uid);
    }
  }
}

test('a table of uids is what a map would be', () => {
  const uid = fc.oneof(
    { weight: 5, arbitrary: fc.nat(150).map(numbered) },
    { weight: 5, arbitrary: fc.uuid() },
    { weight: 2, arbitrary: fc.constantFrom(...ODD) },
  );
  const step = fc.oneof(
    { weight: 8, arbitrary: fc.record({ kind: fc.constant('add' as const), uid }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('delete' as const), uid }) },
    { weight: 8, arbitrary: fc.record({ kind: fc.constant('delete nth' as const), nth: fc.nat() }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('add many' as const), from: fc.nat(1000) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete many' as const), nth: fc.nat() }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200, size: 'max' }), (steps) => {
      const pair = new Pair();
      for (const next of steps) {
        const uids = [...pair.twin.keys()];
        if (next.kind === 'add') pair.add(next.uid);
        else if (next.kind === 'delete') pair.delete(next.uid);
        else if (next.kind === 'delete nth') pair.delete(uids[next.nth % uids.length] ?? 'nobody');
        else if (next.kind === 'add many') for (let i = 0; i < 200; i++) pair.add(numbered(next.from + i));
        else for (const [i, one] of uids.entries()) if (i % 8 !== next.nth % 8) pair.delete(one);
        assert.equal(pair.table.size, pair.twin.size);
      }
      pair.check();
    }),
    propertyRuns(100, process.env),
  );
});

test('an entry is in one table, and a uid is of one entry', () => {
  const table = new UidTable<Entry>();
  const entry = new Entry();
  table.add(numbered(1), entry);
  assert.throws(() => table.add(numbered(2), entry), /an entry is in one table/);
  assert.throws(() => table.add(numbered(1), new Entry()), /a uid is of one entry/);
  table.add('odd', new Entry());
  assert.throws(() => table.add('odd', new Entry()), /a uid is of one entry/);
  table.delete(numbered(1));
  assert.throws(() => table.uidOf(entry), /an entry that is in the table/);
});

test('numbered uids are spread over the table', () => {
  const table = new UidTable<Entry>();
  const count = 200_000;
  const startMs = performance.now();
  for (let i = 0; i < count; i++) table.add(numbered(i), new Entry());
  for (let i = 0; i < count; i++) assert.equal(table.get(numbered(i)), table.entries[i]);
  for (let i = 0; i < count; i++) assert(table.delete(numbered(i)));
  // Uids that met in a few places would take minutes.
  assert(performance.now() - startMs < 20_000);
});
