// What is set aside before a repair is durable, whole, and nobody else's.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedClock } from '../testing/clock.ts';
import { SimulatedDisk } from '../testing/disk.ts';
import { Random } from '../testing/random.ts';
import { namesIn, setAside, writeReport } from './originals.ts';

const WALL_MS = Date.UTC(2026, 1, 3, 4, 5, 6, 789);
const FOLDER = '/data/repair-20260203T040506Z';
const LARGE: Uint8Array = Buffer.alloc((4 << 20) + 5000, 7).fill(9, 4 << 20);

async function dataFolder(): Promise<{ clock: SimulatedClock; disk: SimulatedDisk }> {
  const clock = new SimulatedClock();
  const disk = new SimulatedDisk({ clock, random: new Random(1) });
  for (const part of ['wal', 'snap']) {
    await disk.ensureDirectory(`/data/${part}`);
    disk.place(`/data/${part}/a`, Buffer.from(`${part} a`));
    disk.place(`/data/${part}/b`, LARGE);
  }
  return { clock, disk };
}

for (const code of [undefined, 'EXDEV', 'EPERM'] as const) {
  test(`all files are there after a power cut, ${code === undefined ? 'as second names' : `as copies for ${code}`}`, async () => {
    const { clock, disk } = await dataFolder();
    if (code !== undefined) disk.faults.push({ operation: 'link', pathPart: '/data/', times: 9, code });
    assert.equal(await clock.runUntil(setAside(disk, '/data', WALL_MS)), FOLDER);
    assert.deepEqual(disk.openPaths, []);
    disk.crash('lose');
    for (const part of ['wal', 'snap']) {
      assert.deepEqual(Buffer.from(disk.bytes(`${FOLDER}/${part}/a`)).toString(), `${part} a`);
      assert.deepEqual(disk.bytes(`${FOLDER}/${part}/b`), Uint8Array.from(LARGE));
    }
  });
}

test('a failure that is no lack of second names is told', async () => {
  const { clock, disk } = await dataFolder();
  disk.faults.push({ operation: 'link', pathPart: '/data/', times: 1, code: 'EIO' });
  await assert.rejects(clock.runUntil(setAside(disk, '/data', WALL_MS)), { code: 'EIO' });
});

test('a data folder without snapshots, or that cannot be listed', async () => {
  const { clock, disk } = await dataFolder();
  assert.equal(await clock.runUntil(namesIn(disk, '/nowhere')), undefined);
  disk.faults.push({ operation: 'list', pathPart: '/data/wal', times: 1, code: 'EACCES' });
  await assert.rejects(clock.runUntil(namesIn(disk, '/data/wal')), { code: 'EACCES' });
});

test('a second repair in the same second has a folder of its own, up to the thousandth', async () => {
  const { clock, disk } = await dataFolder();
  await clock.runUntil(setAside(disk, '/data', WALL_MS));
  assert.equal(await clock.runUntil(setAside(disk, '/data', WALL_MS)), `${FOLDER}-2`);
  assert.equal(await clock.runUntil(setAside(disk, '/data', WALL_MS)), `${FOLDER}-3`);
  for (let number = 4; number < 1000; number++) await disk.ensureDirectory(`${FOLDER}-${number}`);
  assert.equal(await clock.runUntil(setAside(disk, '/data', WALL_MS)), `${FOLDER}-1000`);
  await assert.rejects(clock.runUntil(setAside(disk, '/data', WALL_MS)), /too many folders of this name/);
});

test('a report is whole and durable, or not there', async () => {
  const { clock, disk } = await dataFolder();
  await disk.ensureDirectory(FOLDER);
  await clock.runUntil(writeReport(disk, FOLDER, { losses: 3 }));
  assert.deepEqual(disk.openPaths, []);
  disk.crash('lose');
  assert.equal(Buffer.from(disk.bytes(`${FOLDER}/report.json`)).toString(), '{\n "losses": 3\n}\n');
  disk.faults.push({ operation: 'datasync', pathPart: 'report', times: 1, code: 'EIO' });
  await disk.ensureDirectory('/data/other');
  await assert.rejects(clock.runUntil(writeReport(disk, '/data/other', {})), { code: 'EIO' });
  assert.deepEqual(disk.openPaths, []);
  assert.ok(!(await clock.runUntil(disk.list('/data/other'))).includes('report.json'));
});
