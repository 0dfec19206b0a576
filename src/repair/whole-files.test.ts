import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedClock } from '../testing/clock.ts';
import { SimulatedDisk } from '../testing/disk.ts';
import { Random } from '../testing/random.ts';
import { WholeFiles } from './whole-files.ts';

const PIECE = 4096;

test('what the disk cannot read is filled, and told as parts; the rest is what is there', async () => {
  const clock = new SimulatedClock();
  const disk = new SimulatedDisk({ clock, random: new Random(1) });
  await disk.ensureDirectory('/data');
  const bytes = Uint8Array.from({ length: 4 * PIECE + 100 }, (_, at) => at % 251);
  disk.place('/data/file', bytes);
  const files = new WholeFiles(disk);
  const fail = (times: number, code = 'EIO'): void =>
    void disk.faults.push({ operation: 'read', pathPart: 'file', times, code });
  assert.deepEqual(Buffer.from(await clock.runUntil(files.read('/data/file'))), Buffer.from(bytes));
  assert.deepEqual(files.unreadable, []);
  // The whole file, then two pieces of it.
  fail(3);
  const read = Buffer.from(await clock.runUntil(files.read('/data/file')));
  assert.deepEqual(files.unreadable, [{ offset: 0, bytes: 2 * PIECE }]);
  assert.ok(read.subarray(0, 2 * PIECE).every((byte) => byte === 0xff));
  assert.deepEqual(read.subarray(2 * PIECE), Buffer.from(bytes).subarray(2 * PIECE));
  // All of it, to the last piece, which is short.
  fail(6);
  await clock.runUntil(files.read('/data/file'));
  assert.deepEqual(files.unreadable, [{ offset: 0, bytes: bytes.length }]);
  await clock.runUntil(files.read('/data/file'));
  assert.deepEqual(files.unreadable, [], 'of the last file');
  for (const times of [0, 1]) {
    if (times > 0) fail(times);
    fail(1, 'EACCES');
    await assert.rejects(clock.runUntil(files.read('/data/file')), { code: 'EACCES' });
  }
  assert.deepEqual(disk.openPaths, []);
});
