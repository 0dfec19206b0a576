import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ModelStore } from '../testing/model-store.ts';
import { IMAGE_ROW_BYTES } from './image.ts';
import type { ImageMaker } from './image-maker.ts';
import { Store } from './store.ts';
import { OP, Twins } from './store-twins-fixture.ts';
import { UsedMemory } from './used-memory-fixture.ts';

/** Of a row in an image. */
const HASH_WORD = 5;
const RUNS = Number(process.env.K1M_RUNS ?? 200);

interface Loaded {
  readonly store: Store;
  /** Row and lease, as the image says. */
  readonly attachments: [number, bigint][];
}

interface TakenBlock {
  readonly kind: Parameters<ReturnType<Store['beginLoad']>['accept']>[0];
  readonly count: number;
  readonly bytes: Uint8Array;
  readonly mainMax: number;
}

/** Copies the blocks that are ready. */
function takeAll(maker: ImageMaker, into: TakenBlock[]): void {
  for (let block = maker.take(); block !== undefined; block = maker.take()) {
    into.push({ ...block, bytes: Uint8Array.prototype.slice.call(block.bytes) });
  }
}

/** `hasHashes` false: as an image whose rows have no hashes that are of use. */
function load(maker: ImageMaker, blocks: readonly TakenBlock[], segmentBytes: number, hasHashes = true): Loaded {
  const store = new Store({ segmentBytes, hashSeed: maker.hashSeed, memory: new UsedMemory() });
  const loader = store.beginLoad(maker.rowCount, hasHashes);
  const attachments: [number, bigint][] = [];
  for (const { kind, count, bytes, mainMax } of blocks) {
    const memory = loader.memoryFor(kind, bytes.length);
    new Uint8Array(memory).set(bytes);
    if (kind === 'rows' && !hasHashes) {
      const words = new Uint32Array(memory);
      for (let row = 0; row < count; row++) words[(row * IMAGE_ROW_BYTES) / 4 + HASH_WORD] = row;
    }
    loader.accept(kind, memory, count, mainMax);
    if (kind !== 'attachments') continue;
    const view = new DataView(memory);
    for (let i = 0; i < count; i++) {
      attachments.push([view.getUint32(i * 12, true), view.getBigInt64(i * 12 + 4, true)]);
    }
  }
  store.endLoad(loader, maker.revision, maker.compactedRevision);
  return { store, attachments };
}

function imageOf(store: Store, segmentBytes: number): Loaded {
  const maker = store.image();
  const blocks: TakenBlock[] = [];
  while (!maker.isDone) {
    maker.step(1_000_000);
    takeAll(maker, blocks);
  }
  return load(maker, blocks, segmentBytes);
}

function copyOf(model: ModelStore): ModelStore {
  const copy = new ModelStore();
  copy.changes.push(...model.changes);
  copy.kept = [...model.kept];
  copy.current = model.current;
  copy.compacted = model.compacted;
  return copy;
}

/** Everything the twins can be asked. */
function checkAll(twins: Twins): void {
  const { current, compacted } = twins.model;
  for (const revision of [current, Math.max(0, compacted), Math.max(0, Math.floor((current + compacted) / 2))]) {
    twins.check(revision, '', null, 100);
  }
}

describe('the image of a store', () => {
  it('loads as the store was at its revision, whatever went on while it was made', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(256, 1024, 65536),
        fc.array(OP, { maxLength: 60, size: 'max' }),
        fc.array(fc.tuple(OP, fc.nat(12)), { maxLength: 20 }),
        fc.array(OP, { maxLength: 30, size: 'max' }),
        fc.boolean(),
        (segmentBytes, before, during, after, hasHashes) => {
          const twins = new Twins(new Store({ segmentBytes, hashSeed: 7, memory: new UsedMemory() }));
          for (const op of before) twins.run(op);
          const model = copyOf(twins.model);
          const maker = twins.store.image();
          const blocks: TakenBlock[] = [];
          for (const [op, units] of during) {
            twins.run(op);
            if (maker.step(units)) takeAll(maker, blocks);
          }
          while (!maker.isDone) {
            maker.step(5);
            takeAll(maker, blocks);
          }
          maker.close();
          assert.equal(maker.revision, model.current);
          const { store, attachments } = load(maker, blocks, segmentBytes, hasHashes);
          const leased = model.range('', null, model.current).filter(({ keyValue }) => /30[0-9a-f]+$/.test(keyValue));
          assert.ok(attachments.length <= leased.length);
          const loaded = new Twins(store, model);
          checkAll(loaded);
          for (const op of after) loaded.run(op);
          checkAll(loaded);
          while (!store.compactStep(7));
          checkAll(loaded);
          while (!twins.store.compactStep(7));
          checkAll(twins);
        },
      ),
      { numRuns: RUNS },
    );
  });

  it('loads into no more memory than the store had, and gives all of it back', () => {
    const store = new Store({ segmentBytes: 4096 });
    const keys = 3_000;
    for (let i = 0; i < keys; i++) put(store, `key ${i}`, 'x'.repeat(50), 0n);
    for (let i = 0; i < keys; i += 3) put(store, `key ${i}`, 'y'.repeat(50), 0n);
    const { store: loaded } = imageOf(store, 4096);
    assert.equal(loaded.recordBytesLive, store.recordBytesLive);
    assert.ok(loaded.memoryBytes <= store.memoryBytes, `${loaded.memoryBytes} over ${store.memoryBytes}`);
    for (const either of [store, loaded]) {
      for (let i = 0; i < keys; i++) remove(either, `key ${i}`);
      put(either, 'last', 'z', 0n);
      either.compact(either.currentRevision);
      while (!either.compactStep(1_000));
    }
    assert.equal(loaded.liveKeyCount, 1);
    assert.equal(loaded.recordBytesLive, store.recordBytesLive);
  });

  it('says which rows hang on which lease', () => {
    const store = new Store();
    put(store, 'b', '1', -5n);
    put(store, 'a', '1', 0n);
    put(store, 'c', '1', 0x7fff_ffff_ffff_ffffn);
    const { store: loaded, attachments } = imageOf(store, 1024);
    assert.deepEqual(attachments, [
      [loaded.find(Buffer.from('b'), 0, 1), -5n],
      [loaded.find(Buffer.from('c'), 0, 1), 0x7fff_ffff_ffff_ffffn],
    ]);
  });

  it('leaves out a key whose last change is in no log, until a logged one follows', () => {
    const store = new Store();
    put(store, 'a', 'logged', 0n);
    put(store, 'b', 'unlogged', 0n);
    store.markUnlogged(store.historyTail - 1, store.historyTail);
    put(store, 'c', 'logged', 0n);
    const maker = store.image();
    // Not part of the image any more, whatever their marks say.
    put(store, 'b', 'logged', 0n);
    put(store, 'c', 'unlogged', 0n);
    store.markUnlogged(store.historyTail - 1, store.historyTail);
    const blocks: TakenBlock[] = [];
    while (!maker.isDone) {
      maker.step(100);
      takeAll(maker, blocks);
    }
    const first = load(maker, blocks, 4096).store;
    assert.deepEqual(present(first), ['a', 'c']);
    assert.equal(first.historyTail - first.historyHead, 2);
    assert.deepEqual(present(imageOf(store, 4096).store), ['a', 'b']);
  });

  it('holds compaction up while it is made, and no longer', () => {
    const store = new Store();
    for (const value of ['1', '2', '3']) put(store, 'a', value, 0n);
    const maker = store.image();
    store.compact(store.currentRevision);
    assert.equal(store.compactStep(1_000), false);
    maker.close();
    maker.close();
    assert.equal(store.compactStep(1_000), true);
  });
});

function put(store: Store, name: string, value: string, lease: bigint): void {
  const key = Buffer.from(name);
  const bytes = Buffer.from(value);
  const main = store.currentRevision + 1;
  const row = store.find(key, 0, key.length);
  store.put(main, 0, row, key, 0, key.length, bytes, 0, bytes.length, lease);
  store.commit(main);
}

function remove(store: Store, name: string): void {
  const key = Buffer.from(name);
  const main = store.currentRevision + 1;
  store.delete(main, 0, store.find(key, 0, key.length));
  store.commit(main);
}

function present(store: Store): string[] {
  return ['a', 'b', 'c'].filter((name) => store.find(Buffer.from(name), 0, 1) >= 0);
}
