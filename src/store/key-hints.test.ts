// Hints change nothing, and no look-up, whatever they are of. What they find: indexes.test.ts.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { Store } from './store.ts';

const KEYS = 300;

function keyOf(index: number): Buffer {
  return Buffer.from(`k${index}`);
}

it('hints of keys that are there, deleted, unknown, or too many leave the store as it is', () => {
  // Segments so small that many a record is their last.
  const store = new Store({ segmentBytes: 128 });
  const value = Buffer.alloc(20, 1);
  for (let index = 0; index < KEYS; index++) {
    const main = store.currentRevision + 1;
    const key = keyOf(index);
    store.put(main, 0, store.find(key, 0, key.length), key, 0, key.length, value, 0, value.length, 0n);
    store.commit(main);
    if (index % 3 !== 0) continue;
    store.delete(main + 1, 0, store.find(key, 0, key.length));
    store.commit(main + 1);
  }
  store.compact(store.currentRevision);
  while (!store.compactStep(100));
  const { currentRevision, memoryBytes } = store;
  for (let from = 0; from < 2 * KEYS; from += 100) {
    for (let index = from; index < from + 100; index++) store.hints.add(keyOf(index), 0, keyOf(index).length);
    store.hints.read();
  }
  store.hints.read();
  assert.equal(store.currentRevision, currentRevision);
  assert.equal(store.memoryBytes, memoryBytes);
  for (let index = 0; index < 2 * KEYS; index++) {
    const row = store.find(keyOf(index), 0, keyOf(index).length);
    assert.equal(row >= 0 && store.isLive(row), index < KEYS && index % 3 !== 0);
  }
});

it('look-ups find the same rows as without hints, however wrong and old these are', () => {
  const anyIndex = fc.nat(11);
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ put: anyIndex }) },
    { weight: 2, arbitrary: fc.record({ remove: anyIndex }) },
    // Frees rows, which the next new keys then have.
    { weight: 2, arbitrary: fc.constant({ compact: true }) },
    { weight: 4, arbitrary: fc.record({ hints: fc.array(anyIndex, { maxLength: 6 }) }) },
    { weight: 4, arbitrary: fc.record({ finds: fc.array(anyIndex, { maxLength: 6 }) }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const hinted = new Store({ segmentBytes: 128 });
      const plain = new Store({ segmentBytes: 128 });
      for (const one of steps) {
        if ('hints' in one) {
          for (const index of one.hints) hinted.hints.add(keyOf(index), 0, keyOf(index).length);
          hinted.hints.read();
        } else if ('finds' in one) {
          for (const index of one.finds) assert.equal(find(hinted, index), find(plain, index));
        } else for (const store of [hinted, plain]) change(store, one);
      }
      for (let index = 0; index < 12; index++) assert.equal(find(hinted, index), find(plain, index));
      assert.equal(find(hinted, ''), -1);
    }),
    { numRuns: 1_000 },
  );
});

function find(store: Store, index: number | ''): number {
  const key = index === '' ? Buffer.alloc(0) : keyOf(index);
  return store.find(key, 0, key.length);
}

function change(store: Store, step: { put: number } | { remove: number } | { compact: boolean }): void {
  const main = store.currentRevision + 1;
  if ('put' in step) {
    const key = keyOf(step.put);
    store.put(main, 0, find(store, step.put), key, 0, key.length, key, 0, 0, 0n);
    store.commit(main);
  } else if ('remove' in step) {
    const row = find(store, step.remove);
    if (row < 0 || !store.isLive(row)) return;
    store.delete(main, 0, row);
    store.commit(main);
  } else if (store.compactedRevision < store.currentRevision) {
    store.compact(store.currentRevision);
    while (!store.compactStep(100));
  }
}
