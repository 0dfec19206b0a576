// The log on a disk that takes direct writes. The simulated disk refuses what a kernel would, and what could be lost.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { appendPut, JournalFixture } from '../testing/journal-fixture.ts';
import { Random } from '../testing/random.ts';
import { TRIAL_NAME } from './segment.ts';

const SECTOR = { disk: { directBlock: 512 } };

function tracedWrites(fixture: JournalFixture): string[] {
  const writes: string[] = [];
  fixture.disk.onOperation = (operation) => {
    if (['write', 'writeDurable', 'datasync'].includes(operation)) writes.push(operation);
  };
  return writes;
}

test('each batch takes whole blocks, and a block that was written is not written again', async () => {
  const fixture = new JournalFixture(SECTOR);
  const { journal } = await fixture.open();
  const path = fixture.segmentPath();
  let before = fixture.disk.bytes(path);
  assert.equal(before.length, 1024, 'header and OPEN');
  for (const [index, bytes] of [1, 300, 500, 900, 2000].entries()) {
    await fixture.put(journal, index + 2, 'x'.repeat(bytes));
    const now = fixture.disk.bytes(path);
    assert.equal(now.length % 512, 0);
    assert.deepEqual(now.subarray(0, before.length), before);
    before = now;
  }
  fixture.disk.crash('lose');
  await fixture.open();
  assert.equal(fixture.visitor.lines.length, 5);
});

test('zeros are set down by whole blocks too', async () => {
  const limits = { reserveBytes: 3000, segmentBytesMax: 7000 };
  const fixture = new JournalFixture({ ...SECTOR, limits });
  const { journal } = await fixture.open();
  for (let revision = 2; revision < 30; revision++) await fixture.put(journal, revision, 'x'.repeat(revision * 20));
  assert.equal(fixture.handler.fatal, undefined);
  fixture.disk.crash('lose');
  const { recovery } = await fixture.open();
  assert.equal(recovery.revision, 29);
});

test('a batch larger than its memory goes through the page cache, and those behind it directly again', async () => {
  const fixture = new JournalFixture(SECTOR);
  const { journal } = await fixture.open();
  const writes = tracedWrites(fixture);
  await fixture.put(journal, 2, 'small');
  appendPut(journal, 3, 'x'.repeat(300_000), 'fsync');
  assert.equal(journal.batch.hasGrown, true);
  journal.commit();
  appendPut(journal, 4, 'at once behind it', 'fsync');
  journal.commit();
  await fixture.clock.runAll();
  assert.deepEqual(writes, ['writeDurable', 'write', 'write', 'datasync', 'datasync']);
  await fixture.put(journal, 5, 'later');
  assert.deepEqual(writes.slice(5), ['writeDurable']);
  fixture.disk.crash('lose');
  await fixture.open();
  assert.deepEqual(
    fixture.visitor.lines.map((line) => line.length),
    ['put 0 small', ' '.repeat(300_006), 'put 0 at once behind it', 'put 0 later'].map(({ length }) => length),
  );
});

test('a direct write waits until what went through the page cache is durable', async () => {
  const fixture = new JournalFixture(SECTOR);
  const { journal } = await fixture.open();
  const random = new Random(5);
  for (let revision = 2; revision < 200; revision++) {
    appendPut(journal, revision, 'x'.repeat(random.between(1, 900)), random.chance(0.5) ? 'fsync' : 'buffered');
    if (journal.hasRoom) journal.commit();
    await fixture.clock.pass(random.between(0, 3));
  }
  if (!journal.batch.isEmpty) journal.commit();
  await fixture.clock.runAll();
  assert.equal(fixture.handler.fatal, undefined);
});

test('a log that was moved to another disk goes on there, in a new segment where its blocks do not fit', async () => {
  const fixture = new JournalFixture();
  const lines: string[] = [];
  let revision = 1;
  let segments = 0;
  for (const [block, isNew] of [
    [0, true],
    [512, true],
    [512, false],
    [0, false],
    [4096, true],
    [512, false],
  ] as const) {
    fixture.disk.block = block;
    const { journal } = await fixture.open();
    assert.deepEqual(fixture.visitor.lines, lines, `block ${block}`);
    await fixture.put(journal, ++revision, `on blocks of ${block}`);
    lines.push(`put 0 on blocks of ${block}`);
    fixture.disk.crash('lose');
    const names = await fixture.clock.runUntil(fixture.disk.list(fixture.segmentFolder));
    if (isNew) segments++;
    assert.equal(names.length, segments, `block ${block}: ${names}`);
  }
  await fixture.open();
  assert.deepEqual(fixture.visitor.lines, lines);
});

test('what a start that died has left of its trial is removed', async () => {
  const fixture = new JournalFixture(SECTOR);
  const { journal } = await fixture.open();
  await fixture.close(journal, 1);
  const path = `${fixture.segmentFolder}/${TRIAL_NAME}`;
  fixture.disk.place(path, new Uint8Array(8192));
  await fixture.open();
  assert.equal(fixture.disk.snapshot().has(path), false);
});
