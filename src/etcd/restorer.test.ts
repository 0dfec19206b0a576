// Effects of a log made into a state, also where keys and leases are missing that are in no log; and the same up to a revision.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Lessor } from '../lease/lessor.ts';
import { keyValueBytes, writeKeyValueHead, writeKeyValueTail } from '../store/key-value.ts';
import { Store } from '../store/store.ts';
import { RecordingVisitor } from '../testing/journal-fixture.ts';
import { Restorer } from './restorer.ts';
import { RevisionCut } from './revision-cut.ts';

const VALUE = Buffer.from('v');

function pair(key: string, main: number, lease = 0n): Uint8Array {
  const keyBytes = Buffer.from(key);
  const bytes = new Uint8Array(keyValueBytes(keyBytes.length, 1, main, 2, VALUE.length, lease));
  const at = writeKeyValueHead(bytes, 0, keyBytes, 0, keyBytes.length, 1);
  writeKeyValueTail(bytes, at, main, 2, VALUE, 0, VALUE.length, lease);
  return bytes;
}

class Bench {
  readonly store = new Store();
  readonly lessor = new Lessor(this.store, 1);
  nowMs = 1000;
  readonly restorer = new Restorer(this.store, this.lessor, () => this.nowMs);

  put(key: string, main: number, lease = 0n, sub = 0): void {
    const bytes = pair(key, main, lease);
    this.restorer.onPut(sub, bytes, 0, bytes.length);
  }

  delete(key: string, main: number): void {
    this.restorer.onDelete(main, 0, Buffer.from(key), 0, key.length);
  }

  keysOf(id: bigint): number | undefined {
    return this.lessor.find(id)?.keyCount;
  }

  isLive(key: string): boolean {
    const row = this.store.find(Buffer.from(key), 0, key.length);
    return row >= 0 && this.store.isLive(row);
  }
}

test('a key hangs on the lease that its newest pair names, if that is there', () => {
  const bench = new Bench();
  bench.restorer.onLeaseGrant(7n, 60);
  bench.restorer.onLeaseGrant(8n, 60);
  bench.put('a', 5, 7n);
  bench.put('b', 5, 7n, 1);
  assert.deepEqual([bench.keysOf(7n), bench.keysOf(8n)], [2, 0]);
  bench.put('a', 6, 8n);
  assert.deepEqual([bench.keysOf(7n), bench.keysOf(8n)], [1, 1]);
  bench.put('a', 7);
  bench.put('c', 8, 99n);
  assert.deepEqual([bench.keysOf(7n), bench.keysOf(8n)], [1, 0]);
  bench.delete('b', 9);
  assert.equal(bench.keysOf(7n), 0);
  bench.restorer.finish(9, true);
  assert.deepEqual([bench.isLive('a'), bench.isLive('b'), bench.isLive('c')], [true, false, true]);
  assert.equal(bench.store.currentRevision, 9);
});

test('a deletion of what is not there, or not any more, changes nothing', () => {
  const bench = new Bench();
  bench.put('a', 5);
  bench.delete('nothing', 6);
  bench.delete('a', 7);
  bench.delete('a', 8);
  bench.restorer.finish(8, true);
  assert.equal(bench.isLive('a'), false);
  assert.equal(bench.store.currentRevision, 8);
});

test('a lease is granted once, keeps its keys until it is revoked, and is missed by nobody afterwards', () => {
  const bench = new Bench();
  bench.restorer.onLeaseRevoke(7n);
  bench.restorer.onLeaseGrant(7n, 60);
  bench.put('a', 5, 7n);
  bench.restorer.onLeaseGrant(7n, 90);
  assert.deepEqual([bench.lessor.find(7n)?.ttlSeconds, bench.keysOf(7n)], [60, 1]);
  bench.restorer.onLeaseRevoke(7n);
  assert.equal(bench.lessor.find(7n), undefined);
  bench.restorer.onLeaseRevoke(7n);
  bench.put('a', 6);
});

test('leases begin anew when all is restored', () => {
  const bench = new Bench();
  bench.restorer.onLeaseGrant(7n, 60);
  bench.nowMs = 500_000;
  bench.restorer.finish(3, true);
  assert.equal(bench.lessor.find(7n)?.expiryMs, 560_000);
});

test('the counter goes on at the revision asked for; what it skips is compacted after a crash only', () => {
  for (const [isClean, compacted] of [
    [true, -1],
    [false, 20],
  ] as const) {
    const bench = new Bench();
    bench.put('a', 5);
    bench.restorer.finish(20, isClean);
    assert.deepEqual([bench.store.currentRevision, bench.store.compactedRevision], [20, compacted]);
  }
  const exact = new Bench();
  exact.put('a', 5);
  exact.restorer.finish(5, false);
  assert.deepEqual([exact.store.currentRevision, exact.store.compactedRevision], [5, -1], 'nothing is skipped');
});

test('compactions go up only, also beyond what is there', () => {
  const bench = new Bench();
  bench.put('a', 5);
  bench.put('a', 6);
  bench.restorer.onCompact(5);
  assert.deepEqual([bench.store.currentRevision, bench.store.compactedRevision], [6, 5]);
  bench.restorer.onCompact(5);
  bench.restorer.onCompact(4);
  assert.equal(bench.store.compactedRevision, 5);
  bench.restorer.onCompact(6);
  bench.restorer.onCompact(30);
  assert.deepEqual([bench.store.currentRevision, bench.store.compactedRevision], [30, 30]);
});

test('alarms are raised and lowered', () => {
  const { restorer } = new Bench();
  restorer.onAlarm(1, true);
  restorer.onAlarm(2, true);
  restorer.onAlarm(1, false);
  assert.deepEqual([...restorer.alarms], [2]);
});

test('a cut gives what is not behind its revision, and knows what is', () => {
  const visitor = new RecordingVisitor();
  const cut = new RevisionCut(visitor, 6);
  const put = (main: number): void => {
    const bytes = pair('k', main);
    cut.onPut(0, bytes, 0, bytes.length);
  };
  const others = (): void => {
    cut.onLeaseGrant(1n, 60);
    cut.onLeaseRevoke(2n);
    cut.onAlarm(1, true);
  };
  put(5);
  others();
  cut.onCompact(6);
  cut.onCompact(7);
  cut.onDelete(6, 0, Buffer.from('k'), 0, 1);
  assert.deepEqual(
    visitor.lines.splice(0).map((line) => line.replace(/[^ -~]/g, '').slice(0, 12)),
    [
      `put 0 ${Buffer.from(pair('k', 5))
        .toString('latin1')
        .replace(/[^ -~]/g, '')
        .slice(0, 6)}`,
      'grant 1 60',
      'revoke 2',
      'alarm 1 true',
      'compact 6',
      'delete 6 0 k',
    ],
  );
  cut.onDelete(8, 0, Buffer.from('k'), 0, 1);
  assert.equal(cut.newestRevision, 8);
  put(9);
  others();
  cut.onCompact(6);
  assert.deepEqual([visitor.lines, cut.newestRevision], [[], 9]);
});
