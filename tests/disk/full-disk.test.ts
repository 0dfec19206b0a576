// A disk without room: what is refused and what goes on, and that it is over without a restart.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as m from '../../src/api/messages.ts';
import * as methods from '../../src/api/methods.ts';
import { put } from '../compat/requests.ts';
import { DiskBench } from './disk-fixture.ts';

const KIB = 1 << 10;
const MIB = 1 << 20;
const RESERVE_BYTES = MIB;
const NO_SPACE = 'etcdserver: mvcc: database space exceeded';

/** Puts keys until one is refused; how many were taken. */
async function fill(bench: DiskBench): Promise<number> {
  for (let count = 0; ; count++) {
    const answer = await bench.call(methods.put, put(`f${count}`, 'x'.repeat(64 * KIB))).catch(String);
    if (typeof answer !== 'string') continue;
    assert.equal(answer, `StatusError: ${NO_SPACE}`);
    return count;
  }
}

async function alarms(bench: DiskBench): Promise<number[]> {
  return (await bench.call(methods.alarm, {})).alarms.map(({ alarm }) => alarm);
}

function free(bench: DiskBench): number {
  return bench.server.disk.capacityBytes - bench.server.disk.usedBytes();
}

async function openWithRoom(bytes: number, changes = {}): Promise<DiskBench> {
  const bench = await DiskBench.open(1, { diskLimits: { stallMsMax: 500, reserveBytes: RESERVE_BYTES }, ...changes });
  bench.server.disk.capacityBytes = bench.server.disk.usedBytes() + bytes;
  await bench.pass(1_100);
  return bench;
}

describe('a full disk', () => {
  it('raises NOSPACE before it is full, keeps what frees and reads going, and is over by itself', async () => {
    const bench = await openWithRoom(4 * MIB);
    await bench.call(methods.leaseGrant, { ID: 6n, TTL: 600 });
    await bench.call(methods.put, put('leased', '1', { lease: 6n }));
    const count = await fill(bench);
    assert.ok(count >= 30, `${count}`);
    // The zeros set down ahead are in what is used.
    assert.ok(free(bench) >= RESERVE_BYTES - 256 * KIB && free(bench) < 2 * RESERVE_BYTES, `${free(bench)}`);
    assert.deepEqual(await alarms(bench), [m.ALARM_NOSPACE]);
    assert.match(bench.http('/health').body, /ALARM NOSPACE/);
    assert.equal(bench.http('/readyz').status, 200);
    assert.equal(await bench.metric('k1m_disk_low'), 1);
    assert.equal(await bench.refusal(methods.leaseGrant, { ID: 7n, TTL: 600 }), NO_SPACE);
    assert.equal((await bench.keys()).length, count + 1);
    await bench.remove('f0');
    await bench.call(methods.leaseRevoke, { ID: 6n });
    const { header } = await bench.call(methods.range, { key: Buffer.from('f1') });
    await bench.call(methods.compact, { revision: header?.revision ?? 0 });
    const { memberId } = bench.server.server.identity;
    const disarm = { action: m.ALARM_DEACTIVATE, memberID: memberId, alarm: m.ALARM_NOSPACE };
    assert.deepEqual((await bench.call(methods.alarm, disarm)).alarms, [], 'not while there is no room');
    assert.deepEqual(await alarms(bench), [m.ALARM_NOSPACE]);
    bench.server.disk.capacityBytes += 4 * MIB;
    await bench.pass(300);
    assert.deepEqual(await alarms(bench), []);
    assert.deepEqual(bench.notes.lines, ['low', 'enough']);
    await bench.put('again');
    await bench.close();
    await bench.server.start();
    assert.equal((await bench.keys()).length, count);
    await bench.close();
  });

  it('does not end an alarm that the quota raised', async () => {
    const bench = await DiskBench.open(2, { quotaBytes: 8 * MIB });
    bench.server.disk.capacityBytes = bench.server.disk.usedBytes() + 64 * MIB;
    await fill(bench);
    assert.deepEqual(bench.notes.lines, []);
    bench.server.disk.capacityBytes = bench.server.disk.usedBytes();
    await bench.pass(1_100);
    bench.server.disk.capacityBytes += 64 * MIB;
    await bench.pass(1_100);
    assert.deepEqual(bench.notes.lines, ['low', 'enough']);
    assert.deepEqual(await alarms(bench), [m.ALARM_NOSPACE]);
    assert.equal(await bench.refusal(methods.put, put('x')), NO_SPACE);
    await bench.close();
  });

  it('that others fill to the last byte ends no server: all that is logged is refused, expiry waits', async () => {
    const bench = await openWithRoom(4 * MIB);
    await bench.call(methods.leaseGrant, { ID: 6n, TTL: 3 });
    await bench.call(methods.put, put('leased', '1', { lease: 6n }));
    bench.server.disk.capacityBytes = bench.server.disk.usedBytes();
    await bench.pass(1_100);
    assert.equal(await bench.refusal(methods.deleteRange, { key: Buffer.from('leased') }), NO_SPACE);
    await bench.pass(4_000);
    assert.deepEqual(await bench.keys(), ['leased']);
    bench.server.disk.capacityBytes += 4 * MIB;
    await bench.pass(500);
    assert.deepEqual(await bench.keys(), []);
    await bench.close();
  });

  it('found by a write of the log makes it wait, is told, and loses nothing', async () => {
    const bench = await openWithRoom(4 * MIB);
    await bench.put('a');
    bench.server.disk.capacityBytes = bench.server.disk.usedBytes();
    const writes = [0, 1, 2].map((i) => bench.begin(methods.put, put(`b${i}`, 'x'.repeat(300 * KIB))));
    await bench.pass(900);
    assert.ok(bench.notes.lines.includes('stalled, full'), bench.notes.lines.join());
    assert.match(bench.http('/readyz').body, /the disk is full, for/);
    assert.deepEqual(await bench.keys(), ['a']);
    bench.server.disk.capacityBytes += 8 * MIB;
    await bench.pass(1_000);
    const answered = writes.filter(({ outcome }) => outcome === 'answered').length;
    assert.ok(answered > 0);
    bench.server.crash('lose');
    await bench.server.start();
    assert.equal((await bench.keys()).length, answered + 1);
    await bench.close();
  });

  it('gets room from deletes and a compaction: snapshots let go of the log', async () => {
    const bench = await openWithRoom(8 * MIB, { segmentBytesMax: MIB });
    for (let i = 0; i < 9; i++) await bench.put(`e${i}`);
    const count = await fill(bench);
    assert.ok(count > 60);
    await bench.remove('f', 'g');
    // What the compacted revision itself replaced is kept.
    await bench.remove('e0');
    const { header } = await bench.call(methods.range, { key: Buffer.from('f1') });
    await bench.call(methods.compact, { revision: header?.revision ?? 0 });
    // The second snapshot lets go of the log before the first; something has to be logged between them.
    for (let i = 1; i < 9 && bench.notes.lines.at(-1) === 'low'; i++) {
      await bench.pass(10_000);
      await bench.remove(`e${i}`);
    }
    assert.equal(bench.notes.lines.at(-1), 'enough');
    await bench.put('again');
    await bench.close();
  });
});
