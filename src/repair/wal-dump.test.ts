// What a dump shows of a log: segments, batches and effects within the ranges asked for, damage always, in the order of the files.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JournalFixture } from '../testing/journal-fixture.ts';
import type { NumberRange } from './damage.ts';
import { surveyFolder } from './survey.ts';
import { type DumpTaker, dumpLog } from './wal-dump.ts';

const ALL: NumberRange = { first: 0, last: Number.MAX_SAFE_INTEGER };

/** Batch n deletes key n at revision n; the first opens the log, and one in the middle only grants a lease. Two batches to a segment. */
async function log(): Promise<JournalFixture> {
  const fixture = new JournalFixture({ limits: { segmentBytesMax: 300 } });
  const { journal } = await fixture.open();
  for (let n = 2; n <= 8; n++) {
    if (n === 5) journal.batch.appendLeaseGrant(5n, 60);
    else {
      journal.batch.beginRevision(n, n === 3 ? 'buffered' : 'fsync');
      journal.batch.appendDelete(0, Buffer.from(`${n}`), 0, 1);
    }
    journal.commit();
    await fixture.clock.runAll();
    if (n === 3) journal.sync();
    await fixture.clock.runAll();
  }
  fixture.disk.kill();
  return fixture;
}

async function dump(fixture: JournalFixture, sequences: NumberRange, revisions: NumberRange): Promise<string[]> {
  const lines: string[] = [];
  const add = async (line: string): Promise<void> => void lines.push(line);
  const taker: DumpTaker = {
    onSegment: ({ firstSequence }) => add(`segment ${firstSequence}`),
    onBatch: (_file, batch) =>
      add(`batch ${batch.sequence}${batch.isFsync ? '' : ' buffered'} ${batch.revisions?.first ?? '-'}`),
    onEffect: ({ sequence, isUncertain }, effect) => {
      if (effect.kind === 'time') return undefined;
      return add(`${isUncertain ? 'uncertain ' : ''}${effect.kind} of ${sequence}`);
    },
    onDamage: ({ kind }) => add(`damage: ${kind}`),
    onRest: (_file, { kind }) => add(`rest: ${kind}`),
  };
  const survey = await fixture.clock.runUntil(surveyFolder(fixture.disk, '/data'));
  await fixture.clock.runUntil(dumpLog(fixture.disk, survey, { sequences, revisions }, taker));
  assert.deepEqual(fixture.disk.openPaths, []);
  return lines;
}

const batchLines = (lines: readonly string[]): string => lines.filter((line) => line.startsWith('batch')).join(', ');

test('without a range everything is shown, in the order of the files', async () => {
  const lines = await dump(await log(), ALL, ALL);
  assert.deepEqual(lines.slice(0, 3), ['segment 1', 'batch 1 -', 'meta of 1']);
  assert.equal(
    batchLines(lines),
    'batch 1 -, batch 2 2, batch 3 buffered 3, batch 4 4, batch 5 -, batch 6 6, batch 7 7, batch 8 8',
  );
  assert.equal(lines.filter((line) => line.startsWith('delete of')).length, 6);
  const segments = lines.filter((line) => line.startsWith('segment'));
  assert.ok(segments.length >= 3, `${segments}`);
});

test('a range of batches shows those, and the segments they are in', async () => {
  const fixture = await log();
  const lines = await dump(fixture, { first: 4, last: 6 }, ALL);
  assert.equal(batchLines(lines), 'batch 4 4, batch 5 -, batch 6 6');
  const first = await dump(fixture, { first: 1, last: 1 }, ALL);
  assert.equal(batchLines(first), 'batch 1 -');
  assert.deepEqual(
    first.filter((line) => line.startsWith('segment')),
    ['segment 1'],
  );
  assert.deepEqual(await dump(fixture, { first: 100, last: 200 }, ALL), []);
});

test('a range of revisions shows their batches and their changes, and none that holds no revision', async () => {
  const fixture = await log();
  assert.equal(batchLines(await dump(fixture, ALL, { first: 4, last: 6 })), 'batch 4 4, batch 6 6');
  assert.equal(batchLines(await dump(fixture, ALL, { first: 1, last: 3 })), 'batch 2 2, batch 3 buffered 3');
  assert.equal(batchLines(await dump(fixture, ALL, { first: 2, last: Number.MAX_SAFE_INTEGER })).includes('-'), false);
  assert.equal(
    batchLines(await dump(fixture, ALL, { first: 1, last: Number.MAX_SAFE_INTEGER })).includes('batch 5 -'),
    true,
  );
});

test('an empty segment is shown where no range is asked for', async () => {
  const fixture = await log();
  const names = [...fixture.disk.snapshot().keys()].sort();
  const last = names[names.length - 1];
  // The header alone: the log ends there.
  fixture.disk.place(last, fixture.disk.bytes(last).subarray(0, 64));
  const segments = async (sequences: NumberRange, revisions: NumberRange): Promise<number> =>
    (await dump(fixture, sequences, revisions)).filter((line) => line.startsWith('segment')).length;
  const count = await segments(ALL, ALL);
  assert.equal(await segments({ first: 1, last: 999 }, ALL), count);
  assert.equal(await segments({ first: 2, last: 999 }, ALL), count - 1);
  assert.equal(await segments(ALL, { first: 2, last: 999 }), count - 1);
});

test('damage is shown in its place, whatever the range, with what can be read of it', async () => {
  const fixture = await log();
  const path = fixture.segmentPath();
  const bytes = fixture.disk.bytes(path);
  // The last byte of the key in batch 2.
  bytes[bytes.lastIndexOf(0x32)] ^= 1;
  fixture.disk.place(path, bytes);
  const lines = await dump(fixture, { first: 100, last: 200 }, ALL);
  const damaged = lines.indexOf('damage: flipped');
  assert.ok(damaged > 0, `${lines}`);
  assert.deepEqual(lines.slice(damaged, damaged + 2), ['damage: flipped', 'uncertain delete of 2']);
  const other = await dump(fixture, ALL, { first: 7, last: 7 });
  assert.ok(other.includes('damage: flipped') && !other.includes('uncertain delete of 2'));
});
