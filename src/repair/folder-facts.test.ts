// What a folder holds, by the names and sizes of its files alone.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { segmentName } from '../journal/segment.ts';
import { SimulatedClock } from '../testing/clock.ts';
import { SimulatedDisk } from '../testing/disk.ts';
import { Random } from '../testing/random.ts';
import { type FolderFacts, folderFacts } from './folder-facts.ts';

class Folder {
  readonly clock = new SimulatedClock();
  readonly disk = new SimulatedDisk({ clock: this.clock, random: new Random(1) });

  async with(files: Readonly<Record<string, Uint8Array>>): Promise<this> {
    for (const name of ['wal', 'snap']) await this.disk.ensureDirectory(`/data/${name}`);
    for (const [name, bytes] of Object.entries(files)) this.disk.place(`/data/${name}`, bytes);
    return this;
  }

  async facts(): Promise<FolderFacts | undefined> {
    const facts = await this.clock.runUntil(folderFacts(this.disk, '/data'));
    assert.deepEqual(this.disk.openPaths, []);
    return facts;
  }
}

const segment = (sequence: number): string => `wal/${segmentName(sequence)}`;
const snapshot = (sequence: number): string => `snap/${sequence.toString(16).padStart(16, '0')}.snap`;
const bytesOf = (size: number, format = 3): Uint8Array => Buffer.alloc(size).map((_, at) => (at === 8 ? format : 0));

test('a folder without segments and snapshots is none of ours, one with either is', async () => {
  assert.equal(await (await new Folder().with({ 'wal/x': bytesOf(1), 'snap/y': bytesOf(1) })).facts(), undefined);
  assert.equal((await (await new Folder().with({ [segment(1)]: bytesOf(64) })).facts())?.segments.length, 1);
  assert.equal((await (await new Folder().with({ [snapshot(1)]: bytesOf(64) })).facts())?.snapshots.length, 1);
});

test('each file has its size and its format, if it is long enough to say it', async () => {
  const folder = await new Folder().with({
    [segment(1)]: bytesOf(12, 2),
    [segment(5)]: bytesOf(11),
    [segment(9)]: bytesOf(0),
  });
  const facts = await folder.facts();
  assert.deepEqual(
    facts?.segments.map(({ bytes, format }) => [bytes, format]),
    [
      [12, 2],
      [11, undefined],
      [0, undefined],
    ],
  );
  assert.equal(facts?.logBytes, 23);
});

test('a start reads the log from the segment of the batch behind the newest snapshot on', async () => {
  const segments = { [segment(1)]: bytesOf(100), [segment(10)]: bytesOf(20), [segment(20)]: bytesOf(3) };
  for (const [sequences, behindBytes] of [
    [[], 123],
    [[8], 123],
    [[9], 23],
    [[9, 19], 3],
    [[18, 9], 23],
    [[500], 3],
  ] as const) {
    const snapshots = Object.fromEntries(sequences.map((sequence) => [snapshot(sequence), bytesOf(64)]));
    const facts = await (await new Folder().with({ ...segments, ...snapshots })).facts();
    assert.deepEqual([facts?.logBytes, facts?.behindBytes], [123, behindBytes], `${sequences}`);
  }
  const late = await (await new Folder().with({ [segment(10)]: bytesOf(20) })).facts();
  assert.equal(late?.behindBytes, 20, 'also where the beginning is missing');
});

test('what is unfinished, kept for later, of a repair, and not ours is told apart', async () => {
  const folder = await new Folder().with({
    [segment(1)]: bytesOf(64),
    [`${segment(2)}.new`]: bytesOf(1),
    [`${segment(3)}.spare`]: bytesOf(1),
    [`${snapshot(2)}.new`]: bytesOf(1),
    'notes.spare': bytesOf(1),
    // The simulated disk lists files only.
    'repair-20260101T000000Z': bytesOf(1),
    'repair-20260102T000000Z': bytesOf(1),
  });
  for (const day of [1, 2]) await folder.disk.ensureDirectory(`/data/repair-2026010${day}T000000Z`);
  folder.disk.place('/data/repair-20260101T000000Z/report.json', bytesOf(1));
  const facts = await folder.facts();
  assert.deepEqual(facts?.unfinished, [`/data/${segment(2)}.new`, `/data/${snapshot(2)}.new`]);
  assert.deepEqual(facts?.spares, [`/data/${segment(3)}.spare`]);
  assert.deepEqual(facts?.repairs, [
    { path: '/data/repair-20260101T000000Z', isComplete: true },
    { path: '/data/repair-20260102T000000Z', isComplete: false },
  ]);
  assert.deepEqual(facts?.others, ['notes.spare']);
});

test('a file that goes away meanwhile is passed over; one that cannot be opened is a failure', async () => {
  const files = { [segment(1)]: bytesOf(64), [segment(2)]: bytesOf(64) };
  const gone = await new Folder().with(files);
  gone.disk.faults.push({ operation: 'open', pathPart: segmentName(1), times: 1, code: 'ENOENT' });
  assert.equal((await gone.facts())?.segments.length, 1);
  const broken = await new Folder().with(files);
  broken.disk.faults.push({ operation: 'open', pathPart: segmentName(1), times: 1, code: 'EIO' });
  await assert.rejects(broken.facts(), { code: 'EIO' });
});
