import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AssertionError } from '../base/assert.ts';
import { KeyValueView } from './key-value.ts';
import { SharedMemory } from './memory.ts';
import { Store } from './store.ts';

function put(store: Store, main: number, name: string, value: Uint8Array, sub = 0): number {
  const key = Buffer.from(name);
  return store.put(main, sub, store.find(key, 0, key.length), key, 0, key.length, value, 0, value.length, 0n);
}

function find(store: Store, name: string): number {
  return store.find(Buffer.from(name), 0, Buffer.byteLength(name));
}

function keyValue(store: Store, address: number): Buffer {
  return Buffer.from(store.segmentOf(address).slice(store.kvStart(address), store.kvEnd(address)));
}

function valueText(store: Store, address: number): string {
  const bytes = store.segmentOf(address);
  const view = new KeyValueView().read(bytes, store.kvStart(address), store.kvEnd(address));
  return Buffer.from(bytes.slice(view.valueStart, view.valueEnd)).toString();
}

function finishCompaction(store: Store): void {
  while (!store.compactStep(1000));
}

describe('store, at the edges', () => {
  it('is at revision 1 and compacted at −1 when empty', () => {
    const store = new Store();
    assert.equal(store.currentRevision, 1);
    assert.equal(store.compactedRevision, -1);
    assert.equal(store.count(Buffer.alloc(0), null, 1), 0);
    store.compact(0);
    finishCompaction(store);
    assert.equal(store.compactedRevision, 0);
  });

  it('shows a change to readers of older revisions only as what was there before', () => {
    const store = new Store();
    put(store, 2, 'a', Buffer.from('one'));
    store.commit(2);
    const row = put(store, 3, 'a', Buffer.from('two'));
    put(store, 3, 'b', Buffer.from('new'), 1);
    assert.equal(valueText(store, store.recordAt(row, 2)), 'one');
    assert.equal(store.count(Buffer.alloc(0), null, 2), 1);
    store.delete(3, 2, find(store, 'b'));
    store.commit(3);
    assert.equal(store.count(Buffer.alloc(0), null, 3), 1);
  });

  it('gives the version before the revision when one Txn deletes and puts a key', () => {
    const store = new Store();
    put(store, 2, 'a', Buffer.from('one'));
    store.commit(2);
    store.delete(3, 0, find(store, 'a'));
    put(store, 3, 'a', Buffer.from('two'), 1);
    store.commit(3);
    const second = store.historySeek(3) + 1;
    assert.equal(valueText(store, store.historyPrevious(second)), 'one');
    assert.equal(valueText(store, store.historyRecord(second)), 'two');
    assert.ok(store.historyIsCreate(second));
    store.compact(3);
    finishCompaction(store);
    assert.equal(store.historyPrevious(second), 0);
    assert.equal(valueText(store, store.historyRecord(second)), 'two');
  });

  it('shows a watch from the compacted revision a key that was put and deleted in it', () => {
    const store = new Store({ segmentBytes: 64 });
    put(store, 2, 'a', Buffer.from('seen'));
    store.delete(2, 1, find(store, 'a'));
    store.commit(2);
    store.compact(2);
    finishCompaction(store);
    put(store, 3, 'a', Buffer.from('again'));
    store.commit(3);
    const first = store.historySeek(2);
    assert.equal(valueText(store, store.historyRecord(first)), 'seen');
    assert.equal(store.historyIsDelete(first + 1), true);
  });

  it('forgets history over many chunks', () => {
    const store = new Store();
    const row = put(store, 2, 'a', Buffer.from('old'));
    store.commit(2);
    for (let main = 3; main < 140_000; main++) {
      put(store, main, main % 1000 === 0 ? `born-${main}` : 'b', Buffer.alloc(0));
      store.commit(main);
    }
    put(store, 140_000, 'a', Buffer.from('new'));
    store.commit(140_000);
    const before = store.memoryBytes;
    store.compact(139_999);
    finishCompaction(store);
    assert.equal(valueText(store, store.recordAt(row, 139_999)), 'old');
    assert.equal(valueText(store, store.historyPrevious(store.historySeek(140_000))), 'old');
    assert.equal(store.count(Buffer.from('born-'), Buffer.from('born.'), 139_999), 139);
    assert.equal(store.historyHead, 139_997);
    assert.ok(before - store.memoryBytes > 60_000 * 48);
  });

  it('takes a value out of its own memory, for a put that keeps the value', () => {
    const store = new Store({ segmentBytes: 64 });
    const row = put(store, 2, 'a', Buffer.from('kept over new segments'));
    store.commit(2);
    for (let main = 3; main < 20; main++) {
      const address = store.recordAt(row, main - 1);
      const bytes = store.segmentOf(address);
      const view = new KeyValueView().read(bytes, store.kvStart(address), store.kvEnd(address));
      store.put(main, 0, row, Buffer.from('a'), 0, 1, bytes, view.valueStart, view.valueEnd, 5n);
      store.commit(main);
    }
    assert.equal(valueText(store, store.recordAt(row, 19)), 'kept over new segments');
    assert.equal(store.lease(row), 5n);
    assert.equal(store.version(row), 18);
  });

  it('keeps addresses readable while pinned, though the records were compacted and their segments dropped', () => {
    const store = new Store({ segmentBytes: 256 });
    const row = put(store, 2, 'a', Buffer.alloc(100, 'x'));
    store.commit(2);
    const address = store.recordAt(row, 2);
    store.pin();
    for (let main = 3; main < 30; main++) {
      put(store, main, 'a', Buffer.alloc(100, 'y'));
      store.commit(main);
    }
    store.compact(29);
    finishCompaction(store);
    assert.equal(valueText(store, address), 'x'.repeat(100));
    store.unpin();
    assert.equal(store.segmentOf(address).length, 0);
  });

  it('replays changes to the same bytes, history and hash', () => {
    const store = new Store();
    put(store, 2, 'a', Buffer.from('1'));
    put(store, 2, 'b', Buffer.from('2'), 1);
    store.commit(2);
    put(store, 3, 'a', Buffer.from('3'));
    store.commit(3);
    store.delete(4, 0, find(store, 'b'));
    store.commit(4);
    const replayed = new Store({ memory: new SharedMemory(() => {}) });
    for (let at = store.historyHead; at < store.historyTail; at++) {
      const [main, sub] = [store.historyMain(at), store.historySub(at)];
      if (store.historyIsDelete(at)) replayed.delete(main, sub, find(replayed, 'b'));
      else {
        const bytes = keyValue(store, store.historyRecord(at));
        replayed.restoreRecord(main, sub, bytes, 0, bytes.length);
      }
      if (at + 1 === store.historyTail || store.historyMain(at + 1) !== main) replayed.commit(main);
    }
    assert.equal(hash(replayed, 4), hash(store, 4));
    assert.deepEqual(
      keyValue(replayed, replayed.recordAt(find(replayed, 'a'), 4)),
      keyValue(store, store.recordAt(find(store, 'a'), 4)),
    );
    assert.equal(replayed.historyPrevious(replayed.historySeek(4)) > 0, true);
  });

  it('gives the memory of dead segments back', () => {
    const store = new Store({ segmentBytes: 4096 });
    for (let main = 2; main < 5000; main++) {
      put(store, main, `key-${main % 20}`, Buffer.alloc(300));
      store.commit(main);
    }
    const before = store.memoryBytes;
    store.compact(store.currentRevision);
    finishCompaction(store);
    assert.ok(before - store.memoryBytes > 1_000_000);
    assert.equal(store.historyTail - store.historyHead, 1);
    assert.ok(store.recordBytesLive < 20 * 400);
  });

  it('compacts in slices no larger than asked for', () => {
    const store = new Store();
    for (let main = 2; main < 2000; main++) {
      put(store, main, 'a', Buffer.alloc(0));
      store.commit(main);
    }
    store.compact(1999);
    let slices = 1;
    for (; !store.compactStep(10); slices++) assert.ok(store.compactionPending);
    assert.ok(slices >= 190);
    assert.equal(store.compactionPending, false);
  });

  it('does not compact while a hash is computed, and goes on afterwards', () => {
    const store = new Store();
    put(store, 2, 'a', Buffer.from('1'));
    store.commit(2);
    put(store, 3, 'a', Buffer.from('2'));
    store.commit(3);
    const expected = hash(store, 3);
    const job = store.hashKv(3);
    store.compact(3);
    assert.equal(store.compactStep(1000), false);
    while (!job.step(1));
    assert.equal(job.hash, expected);
    assert.equal(store.compactStep(1000), true);
    const abandoned = store.hashKv(3);
    abandoned.close();
    abandoned.close();
    assert.equal(store.compactStep(1), true);
  });

  it('refuses what its caller must not do', () => {
    const store = new Store();
    const row = put(store, 2, 'a', Buffer.from('1'));
    assert.throws(() => put(store, 2, 'a', Buffer.from('1')), AssertionError);
    assert.throws(() => put(store, 1, 'a', Buffer.from('1')), AssertionError);
    assert.throws(() => store.commit(1), AssertionError);
    store.commit(2);
    assert.throws(() => store.jumpTo(2 ** 53), AssertionError);
    assert.throws(() => store.compact(3), AssertionError);
    store.delete(3, 0, row);
    store.commit(3);
    assert.throws(() => store.delete(4, 0, row), AssertionError);
    assert.throws(() => store.unpin(), AssertionError);
  });
});

function hash(store: Store, revision: number): number {
  const job = store.hashKv(revision);
  while (!job.step(100));
  return job.hash;
}

/** A store of one key, and what its memory was asked for. */
class Rewriting {
  readonly store: Store;
  /** Blocks that were made. */
  allocations = 0;
  collections = 0;
  #main = 2;

  constructor() {
    const memory = new SharedMemory(() => this.collections++);
    const { allocate } = memory;
    memory.allocate = (bytes) => {
      this.allocations++;
      return allocate(bytes);
    };
    this.store = new Store({ segmentBytes: 1 << 20, memory });
  }

  /** Writes so many versions, each with its number, and compacts all but the last. Some 1,100 bytes each. */
  rewrite(count: number): void {
    const value = Buffer.alloc(1000, 'x');
    for (const end = this.#main + count; this.#main < end; this.#main++) {
      value.writeUInt32LE(this.#main);
      put(this.store, this.#main, 'a', value);
      this.store.commit(this.#main);
    }
    this.store.compact(this.#main - 1);
    finishCompaction(this.store);
  }

  get address(): number {
    return this.store.recordAt(find(this.store, 'a'), this.store.currentRevision);
  }
}

describe('shared memory', () => {
  it('is used again once a compaction has freed it', () => {
    const rewriting = new Rewriting();
    rewriting.rewrite(70_000);
    const { allocations, store } = rewriting;
    for (let round = 0; round < 4; round++) rewriting.rewrite(60_000);
    assert.equal(rewriting.allocations, allocations);
    assert.equal(rewriting.collections, 0);
    const start = store.kvStart(rewriting.address);
    const view = new KeyValueView().read(store.segmentOf(rewriting.address), start, store.kvEnd(rewriting.address));
    assert.equal(
      Buffer.from(store.segmentOf(rewriting.address).buffer).readUInt32LE(view.valueStart),
      store.currentRevision,
    );
  });

  it('is let go of when nothing needed it between two trims; from 64 MiB on that is worth a collection', () => {
    const rewriting = new Rewriting();
    rewriting.rewrite(80_000);
    rewriting.store.trimMemory();
    assert.equal(rewriting.collections, 0, 'it may be needed yet');
    rewriting.rewrite(79_000);
    rewriting.store.trimMemory();
    assert.equal(rewriting.collections, 0, 'nearly all of it was');
    rewriting.store.trimMemory();
    assert.equal(rewriting.collections, 1);
    const { allocations } = rewriting;
    rewriting.rewrite(10_000);
    assert.notEqual(rewriting.allocations, allocations);
  });

  it('is made ready ahead from the second block on, and used when it is ready', () => {
    const asked: { readonly memory: SharedArrayBuffer; readonly done: () => void }[] = [];
    const memory = new SharedMemory(
      () => {},
      (block, done) => asked.push({ memory: block, done }),
    );
    memory.allocateUsed(100);
    assert.equal(asked.length, 0);
    memory.allocateUsed(100);
    assert.equal(asked.length, 1);
    assert.notEqual(memory.allocateUsed(100), asked[0].memory, 'it is not ready');
    assert.equal(asked.length, 1, 'one at a time');
    asked[0].done();
    memory.allocateUsed(200);
    assert.equal(memory.allocateUsed(100), asked[0].memory);
    assert.equal(asked.length, 2, 'the one behind it');
    memory.giveBack(memory.allocateUsed(100));
    memory.allocateUsed(100);
    asked[1].done();
    memory.trim();
    memory.trim();
    assert.notEqual(memory.allocateUsed(100), asked[1].memory, 'it was let go of');
    assert.equal(asked.length, 2, 'the first since the last trim');
  });

  it('is not used again where it was lent', () => {
    const rewriting = new Rewriting();
    const { store } = rewriting;
    rewriting.rewrite(1);
    const start = store.kvStart(rewriting.address);
    const end = store.kvEnd(rewriting.address);
    const lent = store.lendSegmentOf(rewriting.address).subarray(start, end);
    const before = Buffer.from(lent);
    for (let round = 0; round < 3; round++) rewriting.rewrite(3_000);
    assert.deepEqual(Buffer.from(lent), before);
  });
});
