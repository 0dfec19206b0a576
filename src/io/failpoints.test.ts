import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedClock } from '../testing/clock.ts';
import { SimulatedDisk } from '../testing/disk.ts';
import { Random } from '../testing/random.ts';
import { type DiskFile, datasync, writeAll } from './disk.ts';
import { FailpointDisk, parseFailpoints } from './failpoints.ts';

interface Fixture {
  readonly clock: SimulatedClock;
  readonly disk: SimulatedDisk;
  readonly failing: FailpointDisk;
  readonly deaths: number[];
}

function fixture(text: string): Fixture {
  const clock = new SimulatedClock();
  const random = new Random(1);
  const disk = new SimulatedDisk({ clock, random });
  const deaths: number[] = [];
  const die = (): void => {
    deaths.push(clock.nowMs());
  };
  const failing = new FailpointDisk(disk, parseFailpoints(text), { clock, random: () => random.fraction(), die });
  return { clock, disk, failing, deaths };
}

async function openFile({ clock, failing }: Fixture): Promise<DiskFile> {
  await failing.ensureDirectory('/data/wal');
  return clock.runUntil(failing.open('/data/wal/1.wal', 'create'));
}

test('without a failpoint for them all steps are as on the disk below', async () => {
  const all = fixture('snapshot/before-write=exit');
  const file = await openFile(all);
  await all.clock.runUntil(writeAll(file, Buffer.from('abc'), 0));
  await all.clock.runUntil(datasync(file));
  await all.clock.runUntil(all.failing.rename('/data/wal/1.wal', '/data/wal/2.wal'));
  await all.clock.runUntil(all.failing.syncDirectory('/data/wal'));
  all.disk.crash('lose');
  assert.equal(Buffer.from(all.disk.bytes('/data/wal/2.wal')).toString(), 'abc');
  assert.deepEqual(all.deaths, []);
});

test('a process dies before, during or after a step, and nothing is told of it', async () => {
  const cases = [
    ['journal/before-write=exit', ''],
    ['journal/during-write=exit', 'ab'],
    ['journal/after-write=exit', 'abcd'],
    ['journal/before-durable-write=exit', ''],
    ['journal/during-durable-write=exit', 'ab'],
    ['journal/after-durable-write=exit', 'abcd'],
  ] as const;
  for (const [text, written] of cases) {
    const one = fixture(text);
    const file = await openFile(one);
    let isTold = false;
    const told = (): void => {
      isTold = true;
    };
    if (text.includes('durable')) file.writeDurable([Buffer.from('ab'), Buffer.from('cd')], 0, told);
    else file.write([Buffer.from('ab'), Buffer.from('cd')], 0, told);
    await one.clock.runAll();
    assert.equal(Buffer.from(one.disk.bytes('/data/wal/1.wal')).toString(), written, text);
    assert.deepEqual([isTold, one.deaths.length], [false, 1], text);
  }
});

test('folders have their steps too', async () => {
  for (const step of ['create', 'rename', 'remove', 'sync-folder', 'truncate', 'sync']) {
    const one = fixture(`journal/after-${step}=exit`);
    const work = async (): Promise<void> => {
      const file = await one.failing.open('/data/wal/1.wal', 'create');
      await file.truncate(10);
      await datasync(file);
      await one.failing.rename('/data/wal/1.wal', '/data/wal/2.wal');
      await one.failing.syncDirectory('/data/wal');
      await one.failing.unlink('/data/wal/2.wal');
    };
    await one.failing.ensureDirectory('/data/wal');
    work().catch(() => {});
    await one.clock.runAll();
    assert.equal(one.deaths.length, 1, step);
  }
});

test('a step fails, or takes longer', async () => {
  const failing = fixture('journal/before-sync=error');
  const file = await openFile(failing);
  await assert.rejects(failing.clock.runUntil(datasync(file)), /EIO: failpoint/);
  const slow = fixture('journal/before-sync=stall(500)');
  const other = await openFile(slow);
  await slow.clock.runUntil(datasync(other));
  assert.equal(slow.clock.nowMs(), 500);
});

test('an error is told after the operation has returned, as by a disk', async () => {
  for (const step of ['write', 'durable-write', 'sync']) {
    const one = fixture(`journal/before-${step}=error`);
    const file = await openFile(one);
    const told: string[] = [];
    const done = (error: Error | undefined): void => void told.push(`${error?.message}`);
    if (step === 'write') file.write([Buffer.from('a')], 0, done);
    else if (step === 'sync') file.datasync(done);
    else file.writeDurable([Buffer.from('a')], 0, done);
    assert.deepEqual(told, [], step);
    one.clock.runDeferred();
    assert.deepEqual(told, [`${step} /data/wal/1.wal: EIO: failpoint`]);
  }
});

test('what is no failpoint is refused by name', () => {
  for (const text of ['journal/sometimes-write=exit', 'journal/before-write', 'a=b', 'journal/before-write=exit(2)']) {
    assert.throws(() => parseFailpoints(text), RangeError);
  }
  assert.throws(() => parseFailpoints('journal/during-sync=exit'), /only a write/);
  assert.equal(parseFailpoints(' journal/before-write=exit(0.5) ; snapshot/after-rename=exit;').size, 2);
});
