import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { KeyHash } from '../base/key-hash.ts';
import { keyValueBytes, writeKeyValueHead, writeKeyValueTail } from './key-value.ts';
import { PRIVATE_MEMORY } from './memory.ts';
import { RECORD_HEADER_BYTES } from './segments.ts';
import { StoreParts } from './store-parts.ts';

const NO_VALUE = Buffer.alloc(0);

/** Keys in both indexes, without a store around them. */
class Indexes {
  readonly parts = new StoreParts(1 << 16, 7, PRIVATE_MEMORY);
  readonly rows = new Map<string, number>();

  add(name: string): void {
    const { hash, rows, segments, tree } = this.parts;
    const key = Buffer.from(name, 'latin1');
    const offset = segments.append(segments.hot, keyValueBytes(key.length, 2, 2, 1, 0, 0n), 0, 2);
    const target = segments.bytes(segments.lastSegment);
    const at = writeKeyValueHead(target, offset + RECORD_HEADER_BYTES, key, 0, key.length, 2);
    writeKeyValueTail(target, at, 2, 1, NO_VALUE, 0, 0, 0n);
    const row = rows.allocate();
    rows.setRecord(row, segments.lastSegment, offset);
    hash.insert(key, 0, key.length, row);
    tree.insert(row, key, 0, key.length);
    this.rows.set(name, row);
  }

  remove(name: string): void {
    const key = Buffer.from(name, 'latin1');
    const row = this.rows.get(name) ?? -1;
    this.parts.tree.setLive(key, 0, key.length, false);
    this.parts.tree.remove(key, 0, key.length);
    this.parts.hash.remove(key, 0, key.length, row);
    this.parts.rows.free(row);
    this.rows.delete(name);
  }

  find(name: string): number {
    const key = Buffer.from(name, 'latin1');
    return this.parts.hash.find(key, 0, key.length);
  }

  tagOf(name: string): number {
    return this.parts.hash.tagOf(Buffer.from(name, 'latin1'), 0, name.length);
  }

  tagOfRow(row: number): number {
    const key = this.parts.keys.copy(row);
    return this.parts.hash.tagOf(key, 0, key.length);
  }

  /** May be another key's, of the same tag. */
  likely(name: string): number {
    return this.parts.hash.likelyRow(this.tagOf(name));
  }

  rank(name: string): number {
    return this.parts.tree.rank(Buffer.from(name, 'latin1'), 0, name.length);
  }

  walk(from: string): number[] {
    const { tree } = this.parts;
    const rows: number[] = [];
    tree.seek(Buffer.from(from, 'latin1'), 0, from.length);
    for (; tree.walkEnd > 0; tree.walkOn()) {
      for (let i = tree.walkFrom; i < tree.walkEnd; i++) rows.push(tree.walkRow(i) & 0x7fff_ffff);
    }
    return rows;
  }

  check(): void {
    const names = [...this.rows.keys()].sort();
    assert.deepEqual(
      this.walk(''),
      names.map((name) => this.rows.get(name)),
    );
    names.forEach((name, i) => {
      assert.equal(this.find(name), this.rows.get(name));
      const likely = this.likely(name);
      if (likely !== this.rows.get(name)) assert.equal(this.tagOfRow(likely), this.tagOf(name));
      if (i % 7 === 0) assert.equal(this.rank(name), i);
      if (i % 7 === 0) assert.equal(this.rank(`${name}\0`), i + 1);
    });
  }
}

const name = (i: number): string => `/registry/leases/kube-node-lease/node-${String(i).padStart(6, '0')}`;

const HASH = new KeyHash(99);

/** The numbers below `count` in an order that looks random and is always the same. */
function shuffled(count: number): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  return order.sort((a, b) => hashNumber(a) - hashNumber(b));
}

function hashNumber(n: number): number {
  return HASH.of(Uint8Array.of(n & 255, (n >> 8) & 255, (n >> 16) & 255, 1), 0, 4);
}

const ORDERS: readonly (readonly [string, (count: number) => number[]])[] = [
  ['ascending', (count) => Array.from({ length: count }, (_, i) => i)],
  ['descending', (count) => Array.from({ length: count }, (_, i) => count - 1 - i)],
  ['random', shuffled],
];

describe('hash index and key tree', () => {
  for (const [order, make] of ORDERS) {
    it(`hold 100,000 keys added in ${order} order, and lose them in another`, () => {
      const count = 100_000;
      const indexes = new Indexes();
      for (const i of make(count)) indexes.add(name(i));
      indexes.check();
      const bytesPerKey = indexes.parts.tree.memoryBytes / count;
      assert.ok(bytesPerKey < (order === 'random' ? 7 : 5), `tree: ${bytesPerKey} bytes a key`);
      assert.ok(indexes.parts.hash.memoryBytes / count < 14);
      const removals = order === 'random' ? ORDERS[0][1](count) : shuffled(count);
      for (const i of removals.slice(0, 99_000)) indexes.remove(name(i));
      indexes.check();
      for (const i of removals.slice(99_000)) indexes.remove(name(i));
      indexes.check();
      for (let i = 0; i < 200; i++) indexes.add(name(i));
      indexes.check();
    });
  }

  it('find keys whose hashes are all in a small part of the range', () => {
    const { hash } = new Indexes().parts;
    const count = 40_000;
    // The upper eight bits take two values, far from the middle; the others differ.
    const tagOf = (row: number): number =>
      0x0300_0000 + (row % 2) * 0x0100_0000 + (Math.imul(row >>> 1, 0x9e37_79b1) & 0xff_ffff);
    for (let row = 0; row < count; row++) hash.insertTag(tagOf(row), row);
    for (let row = 0; row < count; row++) assert.equal(hash.likelyRow(tagOf(row)), row);
    assert.equal(hash.likelyRow(0x8000_0000), -1);
    assert.ok(hash.memoryBytes / count < 14);
  });

  it('lose whole nodes from the middle and take the keys back', () => {
    const indexes = new Indexes();
    for (let i = 0; i < 60_000; i++) indexes.add(name(i));
    for (const [from, to] of [
      [10_000, 30_000],
      [35_000, 50_000],
    ]) {
      for (let i = from; i < to; i++) indexes.remove(name(i));
      indexes.check();
    }
    for (let i = 49_999; i >= 10_000; i--) if (!indexes.rows.has(name(i))) indexes.add(name(i));
    indexes.check();
  });

  it('agree with a map under random additions and removals', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(999), fc.nat(400)), { maxLength: 60, size: 'max' }), (runs) => {
        const indexes = new Indexes();
        for (const [start, length] of runs) {
          for (let i = start; i < start + length; i += 1 + (start % 3)) {
            if (indexes.rows.has(name(i))) indexes.remove(name(i));
            else indexes.add(name(i));
          }
        }
        indexes.check();
      }),
      { numRuns: Math.ceil(Number(process.env.K1M_RUNS ?? 300) / 10) },
    );
  });

  it('find nothing in an empty store', () => {
    const indexes = new Indexes();
    assert.equal(indexes.find('a'), -1);
    assert.equal(indexes.rank('a'), 0);
    assert.deepEqual(indexes.walk(''), []);
  });
});

describe('an index whose keys come and go', () => {
  it('takes no more memory for those that have gone', () => {
    const indexes = new Indexes();
    for (let i = 0; i < 1000; i++) indexes.add(`key ${i}`);
    const { memoryBytes } = indexes.parts.hash;
    for (let i = 0; i < 20_000; i++) {
      indexes.remove(`key ${i}`);
      indexes.add(`key ${i + 1000}`);
    }
    assert.equal(indexes.parts.hash.memoryBytes, memoryBytes);
  });

  it('has nothing in a row of what hung on the key before', () => {
    const { rows } = new Indexes().parts;
    const row = rows.allocate();
    rows.setAttachment(row, 7);
    rows.free(row);
    assert.equal(rows.allocate(), row);
    assert.equal(rows.attachment(row), 0);
  });
});
