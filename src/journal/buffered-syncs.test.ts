// When batches of the class buffered are synced, and how many syncs run.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { appendPut, JournalFixture } from '../testing/journal-fixture.ts';

test('no more syncs run at a time than allowed', async () => {
  const fixture = new JournalFixture();
  const { journal } = await fixture.open();
  fixture.disk.faults.push({ operation: 'datasync', pathPart: '.wal', times: 9, delayMs: 100 });
  let begun = 0;
  fixture.disk.onOperation = (operation) => {
    if (operation === 'datasync') begun++;
  };
  for (let revision = 1; revision <= 4; revision++) {
    appendPut(journal, revision, 'value', 'buffered');
    journal.commit();
    await fixture.clock.pass(5);
    journal.sync();
    await fixture.clock.pass(5);
  }
  assert.equal(begun, 2);
  await fixture.clock.runAll();
  assert.deepEqual([begun, fixture.handler.durable], [3, 5]);
});

test('a sync begins when half of the bytes that may be lost are written', async () => {
  const fixture = new JournalFixture({ limits: { bufferedLossBytesMax: 4_000, bufferedLossMsMax: 60_000 } });
  const { journal } = await fixture.open();
  const value = 'x'.repeat(900);
  const syncs: number[] = [];
  fixture.disk.onOperation = (operation) => {
    if (operation === 'datasync') syncs.push(journal.lastSequence);
  };
  for (let revision = 1; revision <= 3; revision++) {
    appendPut(journal, revision, value, 'buffered');
    journal.commit();
    await fixture.clock.pass(10);
  }
  // Batch 1 is OPEN; three of them are the first to have more than 2,000 bytes.
  assert.deepEqual(syncs, [4]);
  assert.equal(fixture.handler.durable, 4);
});
