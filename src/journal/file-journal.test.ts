// What is particular to the log on local files: which operations carry batches, in which order, and what their failures do. What every engine has to keep
// is in journal-suite.test.ts, a full disk in full-disk.test.ts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FolderLockedError } from '../io/disk.ts';
import { appendPut, commitPut, JournalFixture } from '../testing/journal-fixture.ts';

test('one durable write takes all batches that came meanwhile', async () => {
  const fixture = new JournalFixture({ limits: { syncsInFlightMax: 1 } });
  const { journal } = await fixture.open();
  for (let revision = 1; revision <= 4; revision++) commitPut(journal, revision);
  await fixture.clock.runAll();
  assert.deepEqual(fixture.handler.reports, ['written 2', 'durable 2', 'written 5', 'durable 5']);
});

test('one write and one sync take all batches behind one that was only written', async () => {
  const fixture = new JournalFixture({ limits: { syncsInFlightMax: 1 } });
  const { journal } = await fixture.open();
  commitPut(journal, 1, 'buffered');
  for (let revision = 2; revision <= 4; revision++) commitPut(journal, revision);
  await fixture.clock.runAll();
  assert.deepEqual(fixture.handler.reports, ['written 2', 'written 5', 'durable 2', 'durable 5']);
  commitPut(journal, 5);
  await fixture.clock.runAll();
  assert.deepEqual(fixture.handler.reports.slice(4), ['written 6', 'durable 6'], 'the short way again');
});

test('a durable write that ends early is not reported before the one begun earlier', async () => {
  const fixture = new JournalFixture();
  const { journal } = await fixture.open();
  fixture.disk.faults.push({ operation: 'writeDurable', pathPart: '.wal', times: 1, delayMs: 50 });
  commitPut(journal, 1);
  await fixture.clock.pass(10);
  commitPut(journal, 2);
  await fixture.clock.pass(10);
  assert.deepEqual(fixture.handler.reports, []);
  await fixture.clock.runAll();
  assert.deepEqual(fixture.handler.reports, ['written 2', 'durable 2', 'written 3', 'durable 3']);
});

test('a sync that ends early is not reported before the one begun earlier', async () => {
  const fixture = new JournalFixture();
  const { journal } = await fixture.open();
  fixture.disk.faults.push({ operation: 'datasync', pathPart: '.wal', times: 1, delayMs: 50 });
  commitPut(journal, 1, 'buffered');
  journal.sync();
  await fixture.clock.pass(10);
  commitPut(journal, 2);
  await fixture.clock.pass(10);
  assert.deepEqual(fixture.handler.reports, ['written 2', 'written 3']);
  await fixture.clock.runAll();
  assert.deepEqual(fixture.handler.reports.slice(2), ['durable 2', 'durable 3']);
});

for (const operation of ['writeDurable', 'write', 'datasync'] as const) {
  test(`after a failed ${operation} nothing but the failure is reported`, async () => {
    const fixture = new JournalFixture();
    const { journal } = await fixture.open();
    await fixture.put(journal, 1, 'fine');
    fixture.handler.reports.length = 0;
    fixture.disk.faults.push({ operation, pathPart: '.wal', times: 1, code: 'EIO', delayMs: 5 });
    commitPut(journal, 2, operation === 'writeDurable' ? 'fsync' : 'buffered');
    journal.sync();
    await fixture.clock.pass(1);
    commitPut(journal, 3);
    await fixture.clock.runAll();
    const written = operation === 'datasync' ? ['written 3', 'written 4'] : [];
    assert.deepEqual(fixture.handler.reports, [...written, 'fatal EIO']);
    assert.equal(journal.hasRoom, false);
    await assert.rejects(fixture.close(journal, 3), /EIO/);
  });
}

test('a failure to begin a segment is a failure', async () => {
  const fixture = new JournalFixture({ limits: { segmentBytesMax: 300 } });
  const { journal } = await fixture.open();
  fixture.disk.faults.push({ operation: 'rename', pathPart: '.wal', times: 1, code: 'EIO' });
  for (let revision = 1; revision < 4 && journal.hasRoom; revision++) {
    commitPut(journal, revision);
    await fixture.clock.runAll();
  }
  assert.equal(fixture.handler.reports.at(-1), 'fatal EIO');
});

test('buffered batches stop when what a power cut may take is reached', async () => {
  const limits = { bufferedLossMsMax: 100, bufferedLossBytesMax: 2000 };
  const fixture = new JournalFixture({ limits });
  const { journal } = await fixture.open();
  fixture.disk.faults.push({ operation: 'datasync', pathPart: '.wal', times: 9, delayMs: 1000 });
  let revision = 0;
  while (journal.hasRoom) {
    commitPut(journal, ++revision, 'buffered');
    await fixture.clock.pass(1);
  }
  assert.ok(journal.pendingBytes >= 2000 && journal.pendingBytes < 2200);
  await fixture.clock.pass(1500);
  assert.ok(journal.hasRoom);

  commitPut(journal, ++revision, 'buffered');
  await fixture.clock.pass(101);
  assert.equal(journal.hasRoom, false, 'the age limit is reached');
});

test('a batch of the class fsync that waited behind a sync for a new segment is no buffered one', async () => {
  const fixture = new JournalFixture({ limits: { segmentBytesMax: 400, bufferedLossMsMax: 20 } });
  const { journal } = await fixture.open();
  commitPut(journal, 1, 'buffered');
  await fixture.clock.pass(1);
  // It does not fit: all before it is made durable first, then the segment is begun.
  appendPut(journal, 2, 'v'.repeat(300), 'fsync');
  journal.commit();
  await fixture.clock.pass(1_000);
  assert.equal(journal.durableSequence, journal.lastSequence);
  assert.equal(journal.hasRoom, true);
  await fixture.close(journal, 2);
});

test('what a failed write left in memory alone is on the disk after the next start', async () => {
  for (const operation of ['writeDurable', 'datasync'] as const) {
    const fixture = new JournalFixture();
    const first = await fixture.open();
    await fixture.put(first.journal, 1, 'one');
    const durability = operation === 'datasync' ? 'buffered' : 'fsync';
    fixture.disk.faults.push({ operation, pathPart: '.wal', times: 1, code: 'EIO' });
    await fixture.put(first.journal, 2, 'two', durability);
    assert.ok(fixture.handler.fatal !== undefined);
    // The process ends, the machine goes on: the next one reads what the disk does not have.
    fixture.disk.kill();
    const second = await fixture.open();
    assert.deepEqual(fixture.visitor.lines, ['put 0 one', 'put 0 two']);
    await fixture.put(second.journal, 3, 'three');
    fixture.disk.crash('lose');
    await fixture.open();
    assert.deepEqual(fixture.visitor.lines, ['put 0 one', 'put 0 two', 'put 0 three'], operation);
  }
});

test('a small durable write sets down zeros, those behind it go into them, and close cuts the rest off', async () => {
  const fixture = new JournalFixture({ limits: { reserveBytes: 1000, segmentBytesMax: 4000 } });
  const { journal } = await fixture.open();
  const path = fixture.segmentPath();
  const sizeAfterOpen = fixture.disk.bytes(path).length;
  assert.equal(sizeAfterOpen - journal.storedBytes, 1000);
  await fixture.put(journal, 1, 'x'.repeat(400));
  await fixture.put(journal, 2, 'x'.repeat(300));
  assert.equal(fixture.disk.bytes(path).length, sizeAfterOpen, 'the file did not grow');
  await fixture.put(journal, 3, 'x'.repeat(300));
  assert.equal(fixture.disk.bytes(path).length - journal.storedBytes, 1000);
  await fixture.close(journal, 3);
  assert.equal(fixture.disk.bytes(path).length, journal.storedBytes);
  fixture.disk.crash('keep');
  const { recovery } = await fixture.open();
  assert.ok(recovery.isClean);
  assert.equal(recovery.cut, undefined);
});

test('nothing is written beside a write that sets down zeros', async () => {
  const fixture = new JournalFixture({ limits: { reserveBytes: 1000 } });
  const { journal } = await fixture.open();
  await fixture.put(journal, 1, 'x'.repeat(900));
  fixture.disk.faults.push({ operation: 'writeDurable', pathPart: '.wal', times: 1, delayMs: 50 });
  commitPut(journal, 2);
  commitPut(journal, 3);
  await fixture.clock.pass(10);
  fixture.disk.crash('keep');
  const { recovery } = await fixture.open();
  assert.equal(recovery.revision, 2, 'the second one had not begun');
});

test('what an orderly end could not make durable is written again by the next start', async () => {
  const fixture = new JournalFixture();
  const first = await fixture.open();
  await fixture.put(first.journal, 1, 'before');
  fixture.disk.faults.push({ operation: 'writeDurable', pathPart: '.wal', times: 1, code: 'EIO' });
  await assert.rejects(fixture.close(first.journal, 1), /EIO/);
  fixture.disk.kill();
  const second = await fixture.open();
  await fixture.put(second.journal, 2, 'after');
  fixture.disk.crash('lose');
  await fixture.open();
  assert.deepEqual(fixture.visitor.lines, ['put 0 before', 'put 0 after']);
});

test('a sync of other batches does not hide how old those of the class buffered are', async () => {
  const fixture = new JournalFixture({ limits: { bufferedLossMsMax: 200, inFlightBatchesMax: 8 } });
  const { journal } = await fixture.open();
  fixture.disk.faults.push({ operation: 'datasync', pathPart: '.wal', times: 1, delayMs: 5 });
  fixture.disk.faults.push({ operation: 'datasync', pathPart: '.wal', times: 9, delayMs: 60_000 });
  commitPut(journal, 1, 'buffered');
  await fixture.clock.pass(1);
  journal.sync();
  // Written behind it, and covered by two more syncs, which stall.
  commitPut(journal, 2);
  await fixture.clock.pass(10);
  commitPut(journal, 3);
  await fixture.clock.pass(1);
  assert.equal(fixture.handler.durable, 2);
  const startMs = fixture.clock.nowMs();
  for (let revision = 4; journal.hasRoom && fixture.clock.nowMs() < startMs + 2_000; revision++) {
    commitPut(journal, revision, 'buffered');
    await fixture.clock.pass(1);
  }
  assert.ok(!journal.hasRoom && fixture.clock.nowMs() - startMs <= 210, `${fixture.clock.nowMs() - startMs} ms`);
});

test('a trim goes on after one that could not sync the folder', async () => {
  const fixture = new JournalFixture({ limits: { segmentBytesMax: 300 } });
  const { journal } = await fixture.open();
  for (let revision = 1; revision <= 6; revision++) await fixture.put(journal, revision, 'x'.repeat(150));
  const count = (await fixture.clock.runUntil(fixture.disk.list(fixture.segmentFolder))).length;
  fixture.disk.faults.push({ operation: 'syncDirectory', pathPart: 'wal', times: 1, code: 'EIO' });
  await assert.rejects(fixture.clock.runUntil(journal.trim(journal.lastSequence)), { code: 'EIO' });
  await fixture.clock.runUntil(journal.trim(journal.lastSequence));
  const left = await fixture.clock.runUntil(fixture.disk.list(fixture.segmentFolder));
  const segments = left.filter((name) => name.endsWith('.wal'));
  assert.ok(count > 3 && segments.length === 1, `${count} segments, left ${left.join(' ')}`);
});

test('a second opening of the folder is refused', async () => {
  const fixture = new JournalFixture();
  const { journal } = await fixture.open();
  await assert.rejects(fixture.open(), FolderLockedError);
  await fixture.close(journal, undefined);
  await fixture.open();
});
