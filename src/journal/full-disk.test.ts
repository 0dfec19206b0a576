// What waits for space, and what must not.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { appendPut, commitPut, JournalFixture } from '../testing/journal-fixture.ts';

for (const durability of ['fsync', 'buffered'] as const) {
  test(`a ${durability} batch waits while the disk is full, and is written when there is space again`, async () => {
    const fixture = new JournalFixture();
    const { journal } = await fixture.open();
    await fixture.put(journal, 1, 'fine');
    fixture.handler.reports.length = 0;
    fixture.disk.capacityBytes = fixture.disk.usedBytes() + 100;
    appendPut(journal, 2, 'x'.repeat(600), durability);
    journal.commit();
    const startedMs = fixture.clock.nowMs();
    await fixture.clock.pass(5_000);
    assert.deepEqual(fixture.handler.reports, []);
    assert.equal(journal.isFull, true);
    assert.equal(journal.oldestOperationMs, startedMs);
    assert.ok(journal.unwrittenBytes > 600);
    fixture.disk.capacityBytes = Number.POSITIVE_INFINITY;
    await fixture.clock.pass(1_000);
    assert.deepEqual(fixture.handler.reports, ['written 3', 'durable 3']);
    assert.equal(journal.isFull, false);
    assert.equal(journal.oldestOperationMs, Number.POSITIVE_INFINITY);
    assert.equal(journal.unwrittenBytes, 0);
    await fixture.put(journal, 3, 'behind');
    await fixture.close(journal, 3);
    await fixture.open();
    assert.deepEqual(fixture.visitor.lines, ['put 0 fine', `put 0 ${'x'.repeat(600)}`, 'put 0 behind']);
  });
}

test('a batch that fits where the zeros behind it do not is written without them', async () => {
  const fixture = new JournalFixture({ limits: { reserveBytes: 4096 } });
  const { journal } = await fixture.open();
  await fixture.close(journal, 0);
  fixture.disk.capacityBytes = fixture.disk.usedBytes() + 1000;
  const again = await fixture.open();
  await fixture.put(again.journal, 1, 'small');
  assert.equal(again.journal.isFull, false);
  await fixture.close(again.journal, 1);
});

test('a new segment waits while the disk is full', async () => {
  const fixture = new JournalFixture({ limits: { segmentBytesMax: 300, reserveBytes: 0 } });
  const { journal } = await fixture.open();
  await fixture.put(journal, 1, 'x'.repeat(100));
  fixture.disk.capacityBytes = fixture.disk.usedBytes();
  commitPut(journal, 2, 'fsync');
  await fixture.clock.pass(1_000);
  assert.equal(journal.isFull, true);
  fixture.disk.capacityBytes = Number.POSITIVE_INFINITY;
  await fixture.clock.pass(1_000);
  assert.equal(fixture.handler.reports.at(-1), 'durable 3');
  await fixture.close(journal, 2);
});

test('a full disk is a failure at the start, at the end, and of a sync', async () => {
  const full = new JournalFixture({ disk: { capacityBytes: 100 } });
  await assert.rejects(full.open(), /ENOSPC/);
  const ending = new JournalFixture();
  const { journal } = await ending.open();
  ending.disk.capacityBytes = 0;
  appendPut(journal, 1, 'x'.repeat(300_000), 'fsync');
  await assert.rejects(ending.close(journal, 1), /ENOSPC/);
  const syncing = new JournalFixture();
  const opened = await syncing.open();
  syncing.disk.faults.push({ operation: 'datasync', pathPart: '.wal', times: 1, code: 'ENOSPC' });
  commitPut(opened.journal, 1, 'buffered');
  await syncing.clock.runAll();
  assert.equal(syncing.handler.reports.at(-1), 'fatal ENOSPC');
});
