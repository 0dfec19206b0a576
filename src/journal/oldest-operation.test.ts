// Since when the log's oldest write, sync or new segment is under way: what a stalled disk is found by.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { appendPut, JournalFixture } from '../testing/journal-fixture.ts';

for (const operation of ['writeDurable', 'write', 'datasync', 'rename'] as const) {
  test(`a ${operation} counts from when it was begun`, async () => {
    const fixture = new JournalFixture({ limits: { segmentBytesMax: 400, bufferedLossMsMax: 20 } });
    const { clock, disk } = fixture;
    const { journal } = await fixture.open();
    await fixture.put(journal, 1, 'x'.repeat(150));
    await clock.pass(1_000);
    assert.equal(journal.oldestOperationMs, Number.POSITIVE_INFINITY);
    let begunMs = 0;
    disk.onOperation = (what) => {
      if (what === operation && begunMs === 0) begunMs = clock.nowMs();
    };
    disk.faults.push({ operation, pathPart: '.wal', times: 1, delayMs: 500 });
    appendPut(
      journal,
      2,
      'x'.repeat(operation === 'rename' ? 300 : 10),
      operation === 'writeDurable' || operation === 'rename' ? 'fsync' : 'buffered',
    );
    journal.commit();
    await clock.pass(400);
    assert.ok(begunMs >= 1_000, `${begunMs}`);
    assert.equal(journal.oldestOperationMs, begunMs);
    await clock.pass(1_000);
    assert.equal(journal.oldestOperationMs, Number.POSITIVE_INFINITY);
  });
}
