// Memory that batches are written from: large enough, apart from each other, and at pages where direct writes need that.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batchBufferBytes } from './batch-writer.ts';
import { alignedMemory, type JournalMemory, plainMemory } from './journal-memory.ts';

const LIMITS = { batchBytesMax: 5000, inFlightBatchesMax: 3, reserveBytes: 9000 };

test('there is a buffer for each batch that may be on its way, and one for the open one', () => {
  const memories: Record<string, JournalMemory | undefined> = {
    plain: plainMemory(LIMITS),
    aligned: alignedMemory(LIMITS),
  };
  for (const [name, memory] of Object.entries(memories)) {
    assert.equal(memory?.batches.length, 4, name);
    assert.equal(memory?.zeros.length, 9000, name);
    for (const batch of memory?.batches ?? []) assert.ok(batch.length >= batchBufferBytes(5000), name);
    for (const [index, batch] of (memory?.batches ?? []).entries()) batch.fill(index + 1);
    for (const [index, batch] of (memory?.batches ?? []).entries())
      assert.ok(batch.every((byte) => byte === index + 1));
    assert.ok(
      memory?.zeros.every((byte) => byte === 0),
      name,
    );
  }
  const { batches = [], zeros } = memories.aligned ?? {};
  for (const part of [...batches, zeros]) assert.equal((part?.byteOffset ?? -1) % 4096, 0);
});

test('where there is no aligned memory of that size, that is told', () => {
  assert.equal(alignedMemory({ ...LIMITS, reserveBytes: 2 ** 40 }), undefined);
});
