// One key that is changed again and again while long jobs look at all keys: no step of theirs walks past more changes than it has units.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { History } from './history.ts';
import { Store } from './store.ts';

const CHANGES = 20_000;
const UNITS = 100;

function put(store: Store, name: string, value: string): void {
  const key = Buffer.from(name);
  const bytes = Buffer.from(value);
  const main = store.currentRevision + 1;
  const row = store.find(key, 0, key.length);
  store.put(main, 0, row, key, 0, key.length, bytes, 0, bytes.length, 0n);
  store.commit(main);
}

function filled(): Store {
  const store = new Store({ hashSeed: 7 });
  for (const name of ['a', 'b', 'c']) put(store, name, 'before');
  return store;
}

/** Steps until `isDone`, with more changes between; asserts what each step walks. */
function play(store: Store, step: () => boolean): void {
  for (let i = 0; i < CHANGES; i++) put(store, 'b', `${i}`);
  const { previousEntry } = History.prototype;
  let walked = 0;
  let total = 0;
  History.prototype.previousEntry = function count(position): number {
    walked++;
    return previousEntry.call(this, position);
  };
  try {
    for (let isDone = false; !isDone; total += walked) {
      put(store, 'b', 'again');
      walked = 0;
      isDone = step();
      assert.ok(walked <= UNITS, `${walked} changes in one step`);
    }
  } finally {
    History.prototype.previousEntry = previousEntry;
  }
  assert.ok(total >= CHANGES, `${total} changes walked in all`);
}

describe('a key that is changed all the time', () => {
  it('does not hold up the image of a store', () => {
    const store = filled();
    const maker = store.image();
    let rows = 0;
    play(store, () => {
      maker.step(UNITS);
      for (let block = maker.take(); block !== undefined; block = maker.take()) {
        if (block.kind === 'rows') rows += block.count;
        const text = Buffer.from(block.bytes).toString('latin1');
        if (block.kind === 'records') assert.equal(text.split('before').length - 1, 3);
      }
      return maker.isDone;
    });
    assert.equal(rows, 3);
  });

  it('does not hold up a hash', () => {
    const store = filled();
    const job = store.hashKv(store.currentRevision);
    const calm = filled();
    const expected = calm.hashKv(calm.currentRevision);
    while (!expected.step(UNITS));
    play(store, () => job.step(UNITS));
    assert.equal(job.hash, expected.hash);
  });

  it('does not hold up the list of all versions', () => {
    const store = filled();
    store.compact(store.currentRevision);
    while (!store.compactStep(UNITS));
    const list = store.listVersions(store.currentRevision);
    play(store, () => list.step(UNITS));
    assert.equal(list.count, 3);
    list.close();
  });
});
