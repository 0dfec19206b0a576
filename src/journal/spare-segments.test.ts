import assert from 'node:assert/strict';
import { test } from 'node:test';
import { appendPut, baseAt, JournalFixture } from '../testing/journal-fixture.ts';
import type { Journal } from './journal.ts';

/** Writes batches of one revision each, which fill a segment by two. */
async function fill(fixture: JournalFixture, journal: Journal, first: number, last: number): Promise<void> {
  for (let revision = first; revision <= last; revision++) await fixture.put(journal, revision, 'x'.repeat(150));
}

async function namesOf(fixture: JournalFixture, ending: string): Promise<string[]> {
  const names = await fixture.clock.runUntil(fixture.disk.list(fixture.segmentFolder));
  return names.filter((name) => name.endsWith(ending));
}

const SMALL = { limits: { segmentBytesMax: 620 } };

test('the file of a segment that was trimmed is a later one, and nothing of what it held is seen', async () => {
  const fixture = new JournalFixture(SMALL);
  const { journal } = await fixture.open();
  await fill(fixture, journal, 2, 7);
  await fixture.clock.runUntil(journal.trim(6));
  const spares = await namesOf(fixture, '.spare');
  assert.equal(spares.length, 2);
  await fill(fixture, journal, 8, 8);
  assert.deepEqual(await namesOf(fixture, '.spare'), spares.slice(1), 'the first one is in use');
  const bytes = fixture.disk.bytes(fixture.segmentPath(8));
  assert.ok(bytes.length > 500 && bytes.subarray(300).some((byte) => byte !== 0), 'with what it held before');
  const base = baseAt(5);
  for (const end of ['kill', 'crash'] as const) {
    fixture.disk[end]();
    const { recovery } = await fixture.open({ base });
    assert.equal(fixture.visitor.lines.length, 3);
    assert.equal(recovery.cut, undefined, 'what an earlier segment left is no torn end');
    assert.deepEqual(await namesOf(fixture, '.spare'), [], 'a start removes what it does not know');
  }
});

test('no zeros are set down where a file has its blocks', async () => {
  const fixture = new JournalFixture({ limits: { segmentBytesMax: 2000, reserveBytes: 1000 } });
  const { journal } = await fixture.open();
  await fill(fixture, journal, 2, 11);
  await fixture.clock.runUntil(journal.trim(journal.lastSequence));
  const [spare] = await namesOf(fixture, '.spare');
  const before = fixture.disk.bytes(`${fixture.segmentFolder}/${spare}`);
  let revision = 11;
  while ((await namesOf(fixture, '.spare')).length > 0) await fill(fixture, journal, ++revision, revision);
  const now = fixture.disk.bytes(fixture.segmentPath(journal.lastSequence));
  assert.ok(
    before.subarray(500).some((byte) => byte !== 0),
    'it holds batches there',
  );
  assert.deepEqual(now.subarray(500), before.subarray(500));
});

test('a file is used again only when its old name is durably gone', async () => {
  const fixture = new JournalFixture(SMALL);
  const { journal } = await fixture.open();
  await fill(fixture, journal, 2, 4);
  fixture.disk.faults.push({ operation: 'syncDirectory', pathPart: 'wal', times: 1, delayMs: 1000 });
  const trimmed = journal.trim(4);
  for (let revision = 5; revision <= 8; revision++) {
    appendPut(journal, revision, 'x'.repeat(150), 'fsync');
    journal.commit();
    await fixture.clock.pass(10);
  }
  assert.deepEqual(await namesOf(fixture, '.wal'), [
    '0000000000000004.wal',
    '0000000000000006.wal',
    '0000000000000008.wal',
  ]);
  assert.equal((await namesOf(fixture, '.spare')).length, 1, 'not used yet');
  await fixture.clock.runUntil(trimmed);
  await fill(fixture, journal, 9, 10);
  assert.deepEqual(await namesOf(fixture, '.spare'), []);
});

test('no more files are kept than were needed since the trim before, none beyond the limit, and none when they may not be', async () => {
  const fixture = new JournalFixture({ limits: { segmentBytesMax: 620, spareSegmentsMax: 4 } });
  const { journal } = await fixture.open();
  await fill(fixture, journal, 2, 21);
  await fixture.clock.runUntil(journal.trim(journal.lastSequence));
  assert.equal((await namesOf(fixture, '.spare')).length, 4);
  await fill(fixture, journal, 22, 23);
  await fixture.clock.runUntil(journal.trim(journal.lastSequence));
  assert.equal((await namesOf(fixture, '.spare')).length, 2, 'one segment was begun');
  await fixture.clock.runUntil(journal.keepFreed(false));
  assert.deepEqual(await namesOf(fixture, '.spare'), []);
  await fill(fixture, journal, 24, 29);
  await fixture.clock.runUntil(journal.trim(journal.lastSequence));
  assert.deepEqual(await namesOf(fixture, '.spare'), []);
  await fixture.clock.runUntil(journal.keepFreed(true));
  await fill(fixture, journal, 30, 35);
  await fixture.clock.runUntil(journal.trim(journal.lastSequence));
  assert.ok((await namesOf(fixture, '.spare')).length > 0);
  await fixture.close(journal, 35);
  assert.deepEqual(await namesOf(fixture, '.spare'), [], 'an orderly end leaves none');
});

test('a file that has another name too is not written again', async () => {
  const fixture = new JournalFixture(SMALL);
  const { journal } = await fixture.open();
  await fill(fixture, journal, 2, 5);
  const kept = fixture.disk.bytes(fixture.segmentPath());
  await fixture.clock.runUntil(fixture.disk.ensureDirectory('/copy'));
  await fixture.clock.runUntil(fixture.disk.link(fixture.segmentPath(), '/copy/1.wal'));
  await fixture.clock.runUntil(journal.trim(4));
  assert.equal((await namesOf(fixture, '.spare')).length, 1);
  await fill(fixture, journal, 6, 9);
  assert.deepEqual(await namesOf(fixture, '.spare'), []);
  assert.deepEqual(fixture.disk.bytes('/copy/1.wal'), kept);
  await fixture.close(journal, 9);
});

test('a full disk gets back what was kept', async () => {
  const fixture = new JournalFixture(SMALL);
  const { journal } = await fixture.open();
  await fill(fixture, journal, 2, 9);
  await fixture.clock.runUntil(journal.trim(journal.lastSequence));
  assert.ok((await namesOf(fixture, '.spare')).length > 1);
  fixture.disk.capacityBytes = fixture.disk.usedBytes();
  await fixture.put(journal, 10, 'x'.repeat(400));
  await fixture.put(journal, 11, 'x'.repeat(400));
  assert.equal(journal.isFull, false);
  assert.deepEqual(await namesOf(fixture, '.spare'), []);
});

test('a file that cannot get the name of a segment is given back', async () => {
  const fixture = new JournalFixture(SMALL);
  const { journal } = await fixture.open();
  await fill(fixture, journal, 2, 5);
  await fixture.clock.runUntil(journal.trim(4));
  assert.equal((await namesOf(fixture, '.spare')).length, 1);
  fixture.disk.faults.push({ operation: 'rename', pathPart: '.spare', times: 1, code: 'ENOSPC' });
  await fill(fixture, journal, 6, 9);
  assert.deepEqual(await namesOf(fixture, '.spare'), []);
  assert.equal(fixture.handler.durable, journal.lastSequence, 'in a new file');
});

test('a file larger than a segment should be is not kept', async () => {
  const fixture = new JournalFixture(SMALL);
  const { journal } = await fixture.open();
  await fill(fixture, journal, 2, 3);
  const large = journal.lastSequence + 1;
  await fixture.put(journal, 4, 'x'.repeat(2000));
  await fill(fixture, journal, 5, 5);
  assert.ok(fixture.disk.bytes(fixture.segmentPath(large)).length > 2000, 'in a segment of its own');
  await fixture.clock.runUntil(journal.trim(journal.lastSequence));
  const spares = await namesOf(fixture, '.spare');
  assert.ok(spares.length > 0);
  const largest = Math.max(...spares.map((name) => fixture.disk.bytes(`${fixture.segmentFolder}/${name}`).length));
  assert.ok(largest <= SMALL.limits.segmentBytesMax, `${largest} bytes`);
});

test('a segment that waits for space counts as one, however often it is tried', async () => {
  const fixture = new JournalFixture(SMALL);
  const { journal } = await fixture.open();
  await fill(fixture, journal, 2, 21);
  await fixture.clock.runUntil(journal.trim(4));
  await fixture.clock.runUntil(journal.keepFreed(false));
  fixture.disk.capacityBytes = fixture.disk.usedBytes();
  appendPut(journal, 22, 'x'.repeat(500), 'fsync');
  journal.commit();
  await fixture.clock.pass(5000);
  assert.equal(journal.isFull, true);
  fixture.disk.capacityBytes = Number.POSITIVE_INFINITY;
  await fixture.clock.runAll();
  await fixture.clock.runUntil(journal.keepFreed(true));
  await fixture.clock.runUntil(journal.trim(journal.lastSequence));
  assert.equal((await namesOf(fixture, '.spare')).length, 2, 'one segment was begun');
});

test('what another start wrote is not used again, down to its last segment', async () => {
  const fixture = new JournalFixture({ limits: { segmentBytesMax: 300 } });
  const first = await fixture.open();
  await fill(fixture, first.journal, 2, 5);
  const lastSequence = first.journal.lastSequence;
  assert.deepEqual((await namesOf(fixture, '.wal')).length, 5, 'each batch has a segment of its own');
  fixture.disk.kill();
  const { journal } = await fixture.open();
  await fill(fixture, journal, 6, 9);
  await fixture.clock.runUntil(journal.trim(lastSequence + 1));
  assert.deepEqual(await namesOf(fixture, '.spare'), []);
  await fixture.clock.runUntil(journal.trim(journal.lastSequence));
  assert.ok((await namesOf(fixture, '.spare')).length > 0);
});

test('to be allowed spare files takes none away', async () => {
  const fixture = new JournalFixture(SMALL);
  const { journal } = await fixture.open();
  await fill(fixture, journal, 2, 9);
  await fixture.clock.runUntil(journal.trim(journal.lastSequence));
  const spares = await namesOf(fixture, '.spare');
  assert.ok(spares.length > 0);
  await fixture.clock.runUntil(journal.keepFreed(true));
  assert.deepEqual(await namesOf(fixture, '.spare'), spares);
});
