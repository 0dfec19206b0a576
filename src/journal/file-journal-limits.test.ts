// Where the log stops taking batches, when it makes them durable, in which order it begins segments, and what it tells of all that.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { appendPut, commitPut, JournalFixture } from '../testing/journal-fixture.ts';

test('as many batches of the class fsync wait for a sync as may be in flight', async () => {
  const limits = { inFlightBatchesMax: 3, bufferedLossMsMax: 60_000 };
  const fixture = new JournalFixture({ limits });
  const { journal } = await fixture.open();
  // Behind one of the class buffered they are written, which frees their memory, and a sync must make them durable.
  commitPut(journal, 1, 'buffered');
  await fixture.clock.pass(1);
  fixture.disk.faults.push({ operation: 'datasync', pathPart: '.wal', times: 9, delayMs: 1000 });
  let revision = 1;
  while (journal.hasRoom && revision < 20) {
    commitPut(journal, ++revision);
    await fixture.clock.pass(1);
  }
  assert.equal(fixture.handler.written, 2 + revision - 1);
  // The first one's sync covers what is before it; its urgency counts from there.
  assert.ok(journal.lastSequence - journal.durableSequence <= 4, `${revision}`);
  assert.equal(journal.hasRoom, false);
  await fixture.clock.runAll();
  assert.equal(journal.hasRoom, true);
});

test('buffered batches stop to the millisecond, and to the byte', async () => {
  const aged = new JournalFixture({ limits: { bufferedLossMsMax: 100 } });
  const { journal } = await aged.open();
  aged.disk.faults.push({ operation: 'datasync', pathPart: '.wal', times: 9, delayMs: 1000 });
  commitPut(journal, 1, 'buffered');
  await aged.clock.pass(99);
  assert.equal(journal.hasRoom, true);
  await aged.clock.pass(1);
  assert.equal(journal.hasRoom, false);

  const bytes = journal.pendingBytes;
  for (const [bufferedLossBytesMax, hasRoom] of [
    [bytes + 1, true],
    [bytes, false],
  ] as const) {
    const filled = new JournalFixture({ limits: { bufferedLossMsMax: 60_000, bufferedLossBytesMax } });
    const opened = await filled.open();
    filled.disk.faults.push({ operation: 'datasync', pathPart: '.wal', times: 9, delayMs: 1000 });
    commitPut(opened.journal, 1, 'buffered');
    await filled.clock.pass(1);
    assert.equal(opened.journal.hasRoom, hasRoom, `${bufferedLossBytesMax}`);
  }
});

test('buffered batches are synced when half of their time is over, each time anew', async () => {
  const fixture = new JournalFixture({ limits: { bufferedLossMsMax: 200 } });
  const { journal } = await fixture.open();
  for (let revision = 1; revision <= 3; revision++) {
    commitPut(journal, revision, 'buffered');
    await fixture.clock.pass(99);
    assert.equal(fixture.handler.durable, revision === 1 ? 0 : revision);
    await fixture.clock.pass(10);
    assert.equal(fixture.handler.durable, revision + 1);
    await fixture.clock.pass(500);
  }
});

test('half of the bytes that may be lost begin a sync, to the byte', async () => {
  const probe = new JournalFixture({ limits: { bufferedLossMsMax: 60_000 } });
  const { journal } = await probe.open();
  commitPut(journal, 1, 'buffered');
  const bytes = journal.pendingBytes;
  for (const [half, durable] of [
    [bytes, 2],
    [bytes + 1, 0],
  ] as const) {
    const limits = { bufferedLossMsMax: 60_000, bufferedLossBytesMax: 2 * half };
    const fixture = new JournalFixture({ limits });
    const opened = await fixture.open();
    commitPut(opened.journal, 1, 'buffered');
    await fixture.clock.pass(100);
    assert.equal(fixture.handler.durable, durable, `${half}`);
  }
});

test('an orderly end syncs at once, and takes what was appended and not committed', async () => {
  const fixture = new JournalFixture({ limits: { bufferedLossMsMax: 60_000 } });
  const { journal } = await fixture.open();
  commitPut(journal, 1, 'buffered');
  await fixture.clock.pass(1);
  appendPut(journal, 2, 'not committed', 'buffered');
  const startMs = fixture.clock.nowMs();
  await fixture.close(journal, undefined);
  assert.ok(fixture.clock.nowMs() - startMs < 1000);
  fixture.disk.crash('lose');
  await fixture.open();
  assert.deepEqual(fixture.visitor.lines, ['put 0 value 1', 'put 0 not committed']);
});

test('batches that are written together do not reach beyond the end of a segment', async () => {
  const fixture = new JournalFixture({ limits: { segmentBytesMax: 620, inFlightBatchesMax: 8 } });
  const { journal } = await fixture.open();
  fixture.disk.faults.push({ operation: 'writeDurable', pathPart: '.wal', times: 1, delayMs: 50 });
  for (let revision = 1; revision <= 8; revision++) {
    appendPut(journal, revision, 'x'.repeat(150), 'fsync');
    journal.commit();
  }
  await fixture.clock.runAll();
  const sizes = [...fixture.disk.snapshot().keys()].map((path) => fixture.disk.bytes(path).length);
  assert.ok(sizes.length >= 4, `${sizes}`);
  for (const size of sizes) assert.ok(size <= 620, `${sizes}`);
});

test('a segment is begun only when all of the one before is durable', async () => {
  const fixture = new JournalFixture({ limits: { segmentBytesMax: 400, bufferedLossMsMax: 60_000 } });
  const { journal } = await fixture.open();
  commitPut(journal, 1, 'buffered');
  await fixture.clock.pass(1);
  const begun: string[] = [];
  fixture.disk.onOperation = (operation) => {
    begun.push(operation);
  };
  fixture.disk.faults.push({ operation: 'datasync', pathPart: '.wal', times: 1, delayMs: 50 });
  appendPut(journal, 2, 'v'.repeat(300), 'fsync');
  journal.commit();
  await fixture.clock.pass(10);
  assert.deepEqual(begun, ['datasync']);
  await fixture.clock.runAll();
  assert.ok(begun.length > 3);
});

test('the oldest of several operations counts', async () => {
  const fixture = new JournalFixture({ limits: { bufferedLossMsMax: 60_000 } });
  const { journal } = await fixture.open();
  const delayed = { pathPart: '.wal', times: 2, delayMs: 500 };
  fixture.disk.faults.push({ operation: 'writeDurable', ...delayed });
  await fixture.clock.pass(10);
  const firstMs = fixture.clock.nowMs();
  commitPut(journal, 1);
  await fixture.clock.pass(100);
  commitPut(journal, 2);
  await fixture.clock.pass(100);
  assert.equal(journal.oldestOperationMs, firstMs);
  await fixture.clock.runAll();

  fixture.disk.faults.push({ operation: 'datasync', ...delayed });
  commitPut(journal, 3, 'buffered');
  await fixture.clock.pass(10);
  const syncMs = fixture.clock.nowMs();
  journal.sync();
  commitPut(journal, 4, 'buffered');
  await fixture.clock.pass(100);
  journal.sync();
  await fixture.clock.pass(100);
  assert.equal(journal.oldestOperationMs, syncMs);
});

test('an observer is told how long writes, syncs and new segments took, and of how much', async () => {
  const told: string[] = [];
  const observer = {
    onWrite: (seconds: number, bytes: number) => told.push(`write ${seconds.toFixed(2)} ${bytes > 0}`),
    onSync: (seconds: number, batches: number) => told.push(`sync ${seconds.toFixed(2)} ${batches}`),
    onRoll: (seconds: number) => told.push(`roll ${seconds.toFixed(2)}`),
  };
  const fixture = new JournalFixture({ limits: { segmentBytesMax: 400, bufferedLossMsMax: 60_000 } });
  const { journal } = await fixture.open({ observer });
  await fixture.clock.pass(5_000);
  told.length = 0;
  fixture.disk.faults.push({ operation: 'writeDurable', pathPart: '.wal', times: 1, delayMs: 50 });
  fixture.disk.faults.push({ operation: 'datasync', pathPart: '.wal', times: 1, delayMs: 250 });
  await fixture.put(journal, 1, 'one');
  commitPut(journal, 2, 'buffered');
  await fixture.clock.pass(1);
  journal.sync();
  await fixture.clock.runAll();
  fixture.disk.faults.push({ operation: 'rename', pathPart: '.wal', times: 1, delayMs: 500 });
  await fixture.put(journal, 3, 'x'.repeat(300));
  assert.deepEqual(told.slice(0, 5), ['write 0.05 true', 'sync 0.05 1', 'write 0.00 true', 'sync 0.25 1', 'roll 0.50']);
});

test('a batch larger than a segment gets one of its own', async () => {
  const fixture = new JournalFixture({ limits: { segmentBytesMax: 400 } });
  const { journal } = await fixture.open();
  for (let revision = 1; revision <= 3; revision++) await fixture.put(journal, revision, 'x'.repeat(1000));
  await fixture.put(journal, 4, 'small');
  const sizes = [...fixture.disk.snapshot().keys()].sort().map((path) => fixture.disk.bytes(path).length);
  assert.equal(sizes.length, 5, `${sizes}`);
  assert.equal(fixture.handler.durable, 5);
});

test('the bytes of a log are those of its files, also after a start', async () => {
  const fixture = new JournalFixture({ limits: { segmentBytesMax: 400 } });
  const first = await fixture.open();
  for (let revision = 1; revision <= 4; revision++) await fixture.put(first.journal, revision, 'x'.repeat(100));
  const total = (): number =>
    [...fixture.disk.snapshot().keys()].reduce((sum, path) => sum + fixture.disk.bytes(path).length, 0);
  assert.equal(first.journal.storedBytes, total());
  fixture.disk.kill();
  const { journal } = await fixture.open();
  assert.equal(journal.storedBytes, total());
});

test('zeros that are set down do not reach beyond the end of a segment', async () => {
  const fixture = new JournalFixture({ limits: { segmentBytesMax: 700, reserveBytes: 2000 } });
  const { journal } = await fixture.open();
  for (let revision = 1; revision <= 5; revision++) await fixture.put(journal, revision, 'x'.repeat(100));
  for (const path of fixture.disk.snapshot().keys()) assert.ok(fixture.disk.bytes(path).length <= 700, path);
});
