import assert from 'node:assert/strict';
import { test } from 'node:test';
import { datasync, writeAll } from '../io/disk.ts';
import { SimulatedClock } from './clock.ts';
import { SimulatedDisk } from './disk.ts';
import { CRASH_STYLES } from './disk-file.ts';
import { Random } from './random.ts';

function make(seed: number): { clock: SimulatedClock; disk: SimulatedDisk } {
  const clock = new SimulatedClock();
  return { clock, disk: new SimulatedDisk({ clock, random: new Random(seed) }) };
}

test('synced bytes under a synced name survive every crash; others come in many states', async () => {
  const states = new Set<string>();
  for (let seed = 0; seed < 200; seed++) {
    const { clock, disk } = make(seed);
    await clock.runUntil(
      (async () => {
        await disk.ensureDirectory('/d');
        const file = await disk.open('/d/a', 'create');
        await writeAll(file, Buffer.alloc(1000, 'a'), 0);
        await datasync(file);
        await disk.syncDirectory('/d');
        await writeAll(file, Buffer.alloc(1500, 'b'), 1000);
        await writeAll(file, Buffer.alloc(500, 'c'), 2500);
      })(),
    );
    disk.crash();
    const bytes = Buffer.from(disk.bytes('/d/a')).toString('latin1');
    assert.equal(bytes.slice(0, 1000), 'a'.repeat(1000));
    assert.match(bytes, /^[abc\0]*$/);
    states.add(bytes);
  }
  assert.ok(states.size > 10);
  assert.ok([...states].some((bytes) => bytes.endsWith('\0')));
  assert.ok([...states].some((bytes) => /\0c/.test(bytes)));
});

test('names that were not synced happened or not', async () => {
  const states = new Set<string>();
  for (let seed = 0; seed < 60; seed++) {
    const { clock, disk } = make(seed);
    await clock.runUntil(
      (async () => {
        await disk.ensureDirectory('/d');
        await disk.open('/d/a', 'create');
        await disk.syncDirectory('/d');
        await disk.open('/d/b', 'create');
        await disk.rename('/d/a', '/d/c');
      })(),
    );
    disk.crash();
    states.add((await clock.runUntil(disk.list('/d'))).join(' '));
  }
  assert.deepEqual([...states].sort(), ['a', 'a b', 'b c', 'c']);
});

test('a second name is for the same file, counts once, and is no more certain than others', async () => {
  const { clock, disk } = make(1);
  await disk.ensureDirectory('/d');
  await disk.ensureDirectory('/e');
  disk.place('/d/a', Buffer.from('xyz'));
  await clock.runUntil(disk.link('/d/a', '/e/b'));
  await assert.rejects(clock.runUntil(disk.link('/d/a', '/e/b')), { code: 'EEXIST' });
  assert.equal(Buffer.from(disk.bytes('/e/b')).toString(), 'xyz');
  assert.equal(disk.usedBytes(), 3);
  disk.crash('lose');
  assert.deepEqual(await clock.runUntil(disk.list('/e')), []);
});

test('bytes over which a datasync failed are not saved by the next one', async () => {
  const { clock, disk } = make(1);
  await disk.ensureDirectory('/d');
  const file = await clock.runUntil(disk.open('/d/a', 'create'));
  await clock.runUntil(disk.syncDirectory('/d'));
  await clock.runUntil(writeAll(file, Buffer.from('gone'), 0));
  disk.faults.push({ operation: 'datasync', pathPart: '/d/a', times: 1, code: 'EIO' });
  await assert.rejects(clock.runUntil(datasync(file)), { code: 'EIO' });
  await clock.runUntil(datasync(file));
  disk.crash('lose');
  assert.equal(disk.bytes('/d/a').length, 0);
});

test('a crash ends what is under way: nothing of it is reported', async () => {
  for (const style of CRASH_STYLES) {
    const { clock, disk } = make(2);
    await disk.ensureDirectory('/d');
    const file = await clock.runUntil(disk.open('/d/a', 'create'));
    let isReported = false;
    file.write([Buffer.from('x')], 0, () => {
      isReported = true;
    });
    disk.crash(style);
    await clock.runAll();
    assert.equal(isReported, false);
  }
});

test('a Buffer that is filled again after its write leaves what was written as it was', async () => {
  const { clock, disk } = make(1);
  const buffer = Buffer.alloc(100, 'a');
  await clock.runUntil(
    (async () => {
      await disk.ensureDirectory('/d');
      const file = await disk.open('/d/a', 'create');
      await disk.syncDirectory('/d');
      await writeAll(file, buffer, 0);
      buffer.fill('b');
      await datasync(file);
    })(),
  );
  disk.crash();
  assert.equal(Buffer.from(disk.bytes('/d/a')).toString('latin1'), 'a'.repeat(100));
});
