// The store and its naive twin: any operations on both, and what both must agree on.

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ModelStore } from '../testing/model-store.ts';
import { AddressList, RowList } from './lists.ts';
import type { Store } from './store.ts';

export const KEYS: readonly string[] = [
  '00',
  '0000',
  '61',
  '6100',
  '610000',
  '61ff',
  '62',
  'ff',
  'ffff',
  '2f72656769737472792f706f64732f61',
  '2f72656769737472792f706f64732f6161',
  '2f72656769737472792f706f64732f62',
  '2f72656769737472792f6c65617365732f61',
  'ab'.repeat(127),
  'ab'.repeat(128),
  `${'ab'.repeat(128)}00`,
  'cd'.repeat(700),
];
const BOUNDS: readonly string[] = [
  '',
  '00',
  '01',
  '61',
  '6100',
  '6101',
  '2f',
  '2f72656769737472792f706f64732f',
  'ff',
  'ffff',
  'fe',
];

type Change =
  | { readonly kind: 'put'; readonly key: number; readonly valueBytes: number; readonly lease: bigint }
  | { readonly kind: 'delete'; readonly key: number };
export type Op =
  | { readonly kind: 'changes'; readonly changes: readonly Change[] }
  | { readonly kind: 'compact'; readonly part: number }
  | { readonly kind: 'step'; readonly units: number }
  | { readonly kind: 'jump'; readonly by: number }
  | { readonly kind: 'attach'; readonly key: number; readonly value: number }
  | {
      readonly kind: 'check';
      readonly part: number;
      readonly lower: string;
      readonly upper: string | null;
      readonly max: number;
    };

const key = fc.nat(KEYS.length - 1);
const change: fc.Arbitrary<Change> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('put' as const),
      key,
      valueBytes: fc.oneof(fc.nat(40), fc.constantFrom(0, 127, 128, 300, 2000)),
      lease: fc.constantFrom(0n, 0n, 1n, -1n, 0x7fff_ffff_ffff_ffffn),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), key }) },
);
const bound = fc.oneof(fc.constantFrom(...BOUNDS), fc.constantFrom(...KEYS));
/** Any operation. */
export const OP: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('changes' as const),
      changes: fc.array(change, { minLength: 1, maxLength: 4 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('compact' as const), part: fc.double({ min: 0, max: 1, noNaN: true }) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('step' as const), units: fc.integer({ min: 1, max: 30 }) }) },
  {
    weight: 1,
    // Revisions of all 53 bits: rows keep them in three parts.
    arbitrary: fc.record({
      kind: fc.constant('jump' as const),
      by: fc.constantFrom(1, 2, 1000, 2 ** 33, 2 ** 44 + 2 ** 31, 2 ** 45),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('attach' as const), key, value: fc.nat(99) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('check' as const),
      part: fc.double({ min: 0, max: 1, noNaN: true }),
      lower: bound,
      upper: fc.option(bound),
      max: fc.integer({ min: 1, max: 9 }),
    }),
  },
);

/** Runs the same changes on both stores and compares what they say. */
export class Twins {
  readonly store: Store;
  readonly model: ModelStore;
  readonly #attachments = new Map<string, number>();

  constructor(store: Store, model: ModelStore = new ModelStore()) {
    this.store = store;
    this.model = model;
  }

  run(op: Op): void {
    if (op.kind === 'changes') this.#change(op.changes);
    else if (op.kind === 'compact') this.#compact(op.part);
    else if (op.kind === 'step') this.store.compactStep(op.units);
    else if (op.kind === 'jump') this.#jump(op.by);
    else if (op.kind === 'attach') this.#attach(KEYS[op.key], op.value);
    else this.check(this.#revision(op.part), op.lower, op.upper, op.max);
  }

  #change(changes: readonly Change[]): void {
    const main = this.store.currentRevision + 1;
    let sub = 0;
    const touched = new Set<number>();
    for (const change of changes) {
      // etcd's Txn cannot put a key twice; delete then put of one key is the one hole in that rule.
      if (touched.has(change.key)) continue;
      touched.add(change.key);
      const name = KEYS[change.key];
      const bytes = Buffer.from(name, 'hex');
      const row = this.store.find(bytes, 0, bytes.length);
      const isLive = this.model.at(name, main) !== undefined;
      if (change.kind === 'put') {
        const value = Buffer.alloc(change.valueBytes, main + sub);
        this.store.put(main, sub, row, bytes, 0, bytes.length, value, 0, value.length, change.lease);
        this.model.put(main, sub, name, value, change.lease);
        if (!isLive) this.#attachments.delete(name);
        sub++;
      } else if (isLive) {
        this.store.delete(main, sub, row);
        this.model.delete(main, sub, name);
        sub++;
      }
    }
    if (sub === 0) return;
    this.store.commit(main);
    this.model.current = main;
  }

  #compact(part: number): void {
    const low = this.model.compacted + 1;
    if (low > this.model.current) return;
    const revision = low + Math.floor(part * (this.model.current - low));
    this.store.compact(revision);
    this.model.compact(revision);
  }

  #jump(by: number): void {
    this.model.current += by;
    this.store.jumpTo(this.model.current);
  }

  #attach(name: string, value: number): void {
    const bytes = Buffer.from(name, 'hex');
    const row = this.store.find(bytes, 0, bytes.length);
    if (row < 0 || !this.store.isLive(row)) return;
    this.store.setAttachment(row, value);
    this.#attachments.set(name, value);
  }

  #revision(part: number): number {
    const low = Math.max(0, this.model.compacted);
    const mains = [
      low,
      this.model.current,
      ...this.model.changes.map((change) => change.main).filter((main) => main >= low),
    ];
    return mains[Math.floor(part * (mains.length - 1))];
  }

  check(revision: number, lower: string, upper: string | null, max: number): void {
    this.#checkKeys(revision);
    this.#checkRange(revision, lower, upper, max);
    this.#checkHistory(revision);
    const job = this.store.hashKv(revision);
    while (!job.step(max));
    assert.equal(job.hash, this.model.hash(revision), `hash at ${revision}`);
  }

  #checkKeys(revision: number): void {
    const { store, model } = this;
    for (const name of KEYS) {
      const bytes = Buffer.from(`ee${name}ee`, 'hex');
      const row = store.find(bytes, 1, bytes.length - 1);
      const now = model.at(name, model.current);
      if (row < 0) {
        assert.equal(now, undefined);
        continue;
      }
      assert.equal(store.isLive(row), now !== undefined);
      assert.equal(store.modRevision(row), now?.main ?? 0);
      assert.equal(store.createRevision(row), now?.createRevision ?? 0);
      assert.equal(store.version(row), now?.version ?? 0);
      if (now !== undefined) assert.equal(store.attachment(row), this.#attachments.get(name) ?? 0);
      assert.equal(this.#keyValue(store.recordAt(row, revision)), model.at(name, revision)?.keyValue);
    }
    assert.equal(store.liveKeyCount, model.range('', null, model.current).length);
  }

  #checkRange(revision: number, lower: string, upper: string | null, max: number): void {
    const { store, model } = this;
    const expected = model.range(lower, upper, revision);
    const upperBytes = upper === null ? null : Buffer.from(upper, 'hex');
    assert.equal(store.count(Buffer.from(lower, 'hex'), upperBytes, revision), expected.length);
    const found: (string | undefined)[] = [];
    const out = new AddressList();
    for (let from: Uint8Array | null = Buffer.from(lower, 'hex'); from !== null; ) {
      out.clear();
      from = store.scan(from, upperBytes, revision, max, out);
      assert.ok(out.length <= max);
      for (let i = 0; i < out.length; i++) found.push(this.#keyValue(out.at(i)));
    }
    assert.deepEqual(
      found,
      expected.map((change) => change.keyValue),
    );
    const rows = new RowList();
    for (let from: Uint8Array | null = Buffer.from(lower, 'hex'); from !== null; ) {
      from = store.scanRows(from, upperBytes, max, rows);
    }
    const live = model.range(lower, upper, model.current).map((change) => change.main);
    assert.deepEqual(
      Array.from({ length: rows.length }, (_, i) => store.modRevision(rows.at(i))),
      live,
    );
  }

  #checkHistory(revision: number): void {
    const { store, model } = this;
    const found: unknown[] = [];
    for (let at = store.historySeek(revision); at < store.historyTail; at++) {
      const keyAddress = store.historyKeyAddress(at);
      const start = store.kvStart(keyAddress);
      const record = store.historyRecord(at);
      const row = store.historyRow(at);
      found.push({
        main: store.historyMain(at),
        sub: store.historySub(at),
        isDelete: store.historyIsDelete(at),
        isCreate: store.historyIsCreate(at),
        key: model.changes.find((change) => this.#hasKey(keyAddress, start, change.key))?.key,
        row: row >= 0,
        keyValue: this.#keyValue(record),
        previous: this.#keyValue(store.historyPrevious(at)),
      });
    }
    const expected = model.history(revision).map((change) => ({
      main: change.main,
      sub: change.sub,
      isDelete: change.isDelete,
      isCreate: change.isCreate,
      key: change.key,
      row: true,
      keyValue: change.isDelete ? undefined : change.keyValue,
      previous: model.previous(change)?.keyValue,
    }));
    assert.deepEqual(found, expected);
  }

  #hasKey(address: number, start: number, name: string): boolean {
    const prefix = Buffer.from(name, 'hex');
    const head = prefix.length < 128 ? [prefix.length] : [(prefix.length & 127) | 128, prefix.length >> 7];
    const expected = Buffer.concat([Buffer.from([0x0a, ...head]), prefix, Buffer.from([0x10])]);
    return expected.equals(this.store.segmentOf(address).subarray(start, start + expected.length));
  }

  #keyValue(address: number): string | undefined {
    if (address === 0) return undefined;
    const segment = this.store.segmentOf(address);
    const end = this.store.kvEnd(address);
    // Snapshots have the padding too: nothing that others left may be in it.
    assert.ok(segment.subarray(end, (end + 3) & ~3).every((byte) => byte === 0));
    return Buffer.from(segment.subarray(this.store.kvStart(address), end)).toString('hex');
  }
}
