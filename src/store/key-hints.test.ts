// Hints change nothing, whatever they are of. What they find: indexes.test.ts.

import assert from 'node:assert/strict';
import { it } from 'node:test';
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
