// A disk that does not answer for seconds: what goes on, who is told and when, and that nothing is lost.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as m from '../../src/api/messages.ts';
import * as methods from '../../src/api/methods.ts';
import { DurabilityMap } from '../../src/etcd/durability.ts';
import { put, range, watchKeys } from '../compat/requests.ts';
import { DiskBench } from './disk-fixture.ts';

const STALL_MS = 5_000;
/** A simulated answer, both ways. */
const ANSWER_MS_MAX = 50;
/** What goes on a stream may wait for a tick besides, of the client and of the server. */
const TICK_MS = 200;

function stall(bench: DiskBench, operation: 'writeDurable' | 'datasync' | 'write', delayMs = STALL_MS): void {
  bench.server.disk.faults.push({ operation, pathPart: '.wal', times: 1, delayMs });
}

describe('a stalled disk', () => {
  it('is told by log, metric and readyz within 700 ms, not by livez, and is over by itself', async () => {
    const bench = await DiskBench.open(1);
    await bench.put('a');
    stall(bench, 'writeDurable');
    const startedMs = bench.nowMs;
    const write = bench.begin(methods.put, put('b'));
    await bench.pass(400);
    assert.deepEqual(bench.notes.lines, [], 'slow is not stalled');
    assert.equal(bench.http('/readyz').status, 200);
    await bench.pass(300);
    assert.deepEqual(bench.notes.lines, ['stalled']);
    assert.ok(bench.notes.lastMs - startedMs <= 700, 'in time');
    const ready = bench.http('/readyz');
    assert.equal(ready.status, 503);
    assert.match(ready.body, /linearizable_read failed: the disk does not answer, for 0\.[78] s now/);
    assert.equal(bench.http('/livez').status, 200);
    assert.equal(await bench.metric('k1m_disk_stalled'), 1);
    assert.ok((await bench.metric('k1m_disk_stall_seconds')) > 0.6);
    assert.equal(write.outcome, 'waits');
    await bench.pass(STALL_MS);
    assert.equal(write.outcome, 'answered');
    assert.deepEqual(bench.notes.lines, ['stalled', 'answered']);
    assert.equal(bench.http('/readyz').status, 200);
    assert.equal(await bench.metric('k1m_disk_stalled'), 0);
    assert.equal(await bench.metric('k1m_disk_stall_seconds'), 0);
    assert.equal(await bench.metric('k1m_disk_stalls_total'), 1);
    await bench.close();
  });

  it('stops no read, no watch of what is durable, no progress notification and no keep-alive', async () => {
    const bench = await DiskBench.open(2);
    await bench.put('a');
    await bench.call(methods.leaseGrant, { ID: 6n, TTL: 60 });
    const { client } = bench.server;
    const watch = await bench.server.drive(client.stream(methods.watch));
    stall(bench, 'writeDurable');
    const write = bench.begin(methods.put, put('b'));
    const endMs = bench.nowMs + STALL_MS;
    const timed = async <T>(what: Promise<T>, msMax = ANSWER_MS_MAX): Promise<T> => {
      const startedMs = bench.nowMs;
      const result = await bench.server.drive(what);
      assert.ok(bench.nowMs - startedMs < msMax, `${bench.nowMs - startedMs} ms`);
      return result;
    };
    watch.send(m.WatchRequest.create({ create_request: watchKeys({ key: 'a', end: 'z', start_revision: 1 }) }));
    await timed(watch.next());
    const events = await timed(watch.next(), ANSWER_MS_MAX + TICK_MS);
    assert.ok('message' in events);
    assert.equal(events.message.events.length, 1, 'what is durable');
    while (bench.nowMs < endMs - 300) {
      const { kvs } = await timed(client.unary(methods.range, range({ key: 'a', end: 'z' })));
      assert.equal(kvs.length, 1);
      const keepAlive = await timed(client.stream(methods.leaseKeepAlive, { ID: 6n }));
      const kept = await timed(keepAlive.next());
      assert.ok('message' in kept && kept.message.TTL === 60);
      watch.send(m.WatchRequest.create({ progress_request: {} }));
      const progress = await timed(watch.next(), ANSWER_MS_MAX + TICK_MS);
      assert.ok('message' in progress && progress.message.events.length === 0);
      await bench.pass(100);
    }
    assert.equal(write.outcome, 'waits');
    const event = await bench.server.drive(watch.next());
    assert.ok('message' in event);
    assert.deepEqual(Buffer.from(event.message.events[0].kv?.key ?? []), Buffer.from('b'));
    assert.equal(write.outcome, 'answered');
    await bench.close();
  });

  it('expires no lease before the log takes it, and takes back none that a power cut kept', async () => {
    for (const isCut of [false, true]) {
      const bench = await DiskBench.open(3);
      await bench.call(methods.leaseGrant, { ID: 6n, TTL: 3 });
      await bench.call(methods.put, put('k', '1', { lease: 6n }));
      stall(bench, 'writeDurable', 10_000);
      bench.begin(methods.put, put('other'));
      await bench.pass(8_000);
      assert.deepEqual(await bench.keys(), ['k']);
      const { leases } = await bench.call(methods.leaseLeases, {});
      assert.deepEqual(
        leases.map(({ ID }) => ID),
        [6n],
        'nobody is told that it is gone',
      );
      if (isCut) {
        bench.server.crash('lose');
        await bench.server.start();
        assert.deepEqual(await bench.keys(), ['k']);
        await bench.pass(3_500);
        assert.deepEqual(await bench.keys(), []);
      } else {
        await bench.pass(3_000);
        assert.deepEqual(await bench.keys(), ['other']);
      }
      await bench.close();
    }
  });

  it('makes writes wait up to the limit, then refuses them with etcd\'s "too many requests"', async () => {
    const bench = await DiskBench.open(4, { openBytesMax: 1 << 20 });
    await bench.put('a');
    stall(bench, 'writeDurable', 20_000);
    bench.begin(methods.put, put('first'));
    await bench.pass(10);
    const writes = Array.from({ length: 40 }, (_, i) => bench.begin(methods.put, put(`b${i}`, 'x'.repeat(1 << 16))));
    await bench.pass(1_000);
    const refused = writes.filter(({ outcome }) => outcome === 'StatusError: etcdserver: too many requests');
    const waiting = writes.filter(({ outcome }) => outcome === 'waits');
    assert.equal(refused.length + waiting.length, writes.length);
    assert.ok(refused.length >= 5 && waiting.length >= 15, `${refused.length} refused, ${waiting.length} wait`);
    assert.deepEqual(await bench.keys(), ['a']);
    await bench.pass(25_000);
    assert.ok(waiting.every(({ outcome }) => outcome === 'answered'));
    assert.equal((await bench.keys()).length, waiting.length + 2);
    await bench.close();
  });

  it('holds up an orderly end for the time of its snapshot and no longer; the next start removes what is left', async () => {
    const backups = { folder: '/backups', intervalMs: 60_000, keptMax: 3 };
    for (const operation of ['writeDurable', 'write', 'datasync', 'open', 'freeBytes'] as const) {
      const bench = await DiskBench.open(6, { snapshots: { logBytesMin: 100_000, logShare: 9 }, backups });
      const { disk } = bench.server;
      await bench.pass(1_000);
      for (let i = 0; i < 30; i++) await bench.put(`a${i}`, 20_000);
      disk.faults.push({ operation, pathPart: '/snap', times: 100, delayMs: 1_000_000 });
      disk.faults.push({ operation: 'write', pathPart: '/backups', times: 1, delayMs: 1_000_000 });
      await bench.pass(operation === 'open' ? 60_000 : 0);
      const startedMs = bench.nowMs;
      await bench.server.drive(bench.server.server.close());
      const tookMs = bench.nowMs - startedMs;
      assert.ok(tookMs > 9_000 && tookMs <= 14_500, `${operation}: ${tookMs} ms`);
      bench.server.kill();
      disk.faults.length = 0;
      await bench.server.start();
      assert.equal((await bench.keys()).length, 30, operation);
      const names = await bench.server.drive(disk.list('/data/snap'));
      assert.ok(!names.some((name) => name.endsWith('.new')), `${operation}: ${names}`);
      await bench.close();
    }
  });

  it('is found at a sync, a plain write and a new segment too', async () => {
    for (const operation of ['datasync', 'write', 'rename'] as const) {
      const durability = new DurabilityMap(operation === 'rename' ? 'fsync' : 'buffered');
      const bench = await DiskBench.open(5, { segmentBytesMax: 4096, durability });
      bench.server.disk.faults.push({ operation, pathPart: '.wal', times: 1, delayMs: STALL_MS });
      for (let i = 0; i < 6; i++) bench.begin(methods.put, put(`b${i}`, 'x'.repeat(1000)));
      await bench.pass(800);
      assert.deepEqual(bench.notes.lines, ['stalled'], operation);
      await bench.pass(2 * STALL_MS);
      assert.deepEqual(bench.notes.lines, ['stalled', 'answered'], operation);
      await bench.close();
    }
  });
});
