import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FolderLockedError } from '../io/disk.ts';
import { appendPut, JournalFixture } from '../testing/journal-fixture.ts';
import { Random } from '../testing/random.ts';
import type { Journal, LoggedDurability } from './journal.ts';
import { RevisionReserve } from './revision-reserve.ts';

function commitPut(journal: Journal, revision: number, durability: LoggedDurability = 'fsync'): number {
  appendPut(journal, revision, `value ${revision}`, durability);
  return journal.commit();
}

test('a batch is reported written, then durable, never from inside commit', async () => {
  const fixture = new JournalFixture();
  const { journal } = await fixture.open();
  assert.deepEqual(fixture.handler.reports, []);
  assert.equal(commitPut(journal, 1), 2);
  assert.deepEqual(fixture.handler.reports, []);
  await fixture.clock.runAll();
  assert.deepEqual(fixture.handler.reports, ['written 2', 'durable 2']);
  assert.equal(journal.pendingBytes, 0);
});

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

test('there is no room while as many batches as allowed wait for their class', async () => {
  const fixture = new JournalFixture({ limits: { inFlightBatchesMax: 3 } });
  const { journal } = await fixture.open();
  let committed = 0;
  while (journal.hasRoom) commitPut(journal, ++committed);
  assert.equal(committed, 3);
  assert.throws(() => journal.commit(), /without room/);
  await fixture.clock.runAll();
  assert.ok(journal.hasRoom);
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

test('a buffered batch is reported when written and made durable within the time allowed', async () => {
  const fixture = new JournalFixture({ limits: { bufferedLossMsMax: 100 } });
  const { journal } = await fixture.open();
  commitPut(journal, 1, 'buffered');
  await fixture.clock.pass(49);
  assert.deepEqual(fixture.handler.reports, ['written 2']);
  await fixture.clock.pass(2);
  assert.deepEqual(fixture.handler.reports, ['written 2', 'durable 2']);
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

test('sync asks for buffered batches at once', async () => {
  const fixture = new JournalFixture();
  const { journal } = await fixture.open();
  commitPut(journal, 1, 'buffered');
  journal.sync();
  await fixture.clock.pass(1);
  assert.deepEqual(fixture.handler.reports, ['written 2', 'durable 2']);
});

test('close makes everything durable, also the open batch, and lets others in', async () => {
  const fixture = new JournalFixture();
  const { journal } = await fixture.open();
  commitPut(journal, 1, 'buffered');
  appendPut(journal, 2, 'in the open batch', 'buffered');
  await fixture.close(journal, 2);
  fixture.disk.crash('lose');
  const { recovery } = await fixture.open();
  assert.deepEqual(fixture.visitor.lines, ['put 0 value 1', 'put 0 in the open batch']);
  assert.equal(recovery.revision, 2);
  assert.ok(recovery.isClean);
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

interface Committed {
  readonly lines: string[];
  readonly lastRevision: number;
}

/** Commits at random until a random end of power or process; returns what was promised by then. */
async function run(fixture: JournalFixture, journal: Journal, start: number): Promise<RunResult> {
  const { random, clock, handler } = fixture;
  const base = journal.lastSequence;
  const batches: Committed[] = [];
  const reserve = new RevisionReserve(start, 4);
  let revision = start;
  let lines: string[] = [];
  let shownRelaxed = start;
  const fsyncShare = random.pick([0.5, 0.9, 1]);
  for (let steps = random.between(5, 60); steps > 0; steps--) {
    if (random.chance(0.7)) {
      revision++;
      const value = `${revision}:${'v'.repeat(random.between(0, random.chance(0.1) ? 3000 : 120))}`;
      const durability = random.chance(fsyncShare) ? 'fsync' : 'buffered';
      appendPut(journal, revision, value, durability);
      lines.push(`put 0 ${value}`);
      const mark = reserve.markFor(revision);
      if (mark > 0) {
        journal.batch.appendMark(mark);
        reserve.appended(mark, journal.lastSequence + 1);
      }
    }
    if (!journal.batch.isEmpty && journal.hasRoom && random.chance(0.8)) {
      journal.commit();
      batches.push({ lines, lastRevision: revision });
      lines = [];
    }
    await clock.pass(random.between(0, 4));
    reserve.durable(journal.durableSequence);
    const written = batches[handler.written - base - 1];
    if (written !== undefined && reserve.mayShow(written.lastRevision)) shownRelaxed = written.lastRevision;
  }
  return { batches, durable: handler.durable - base, written: handler.written - base, shownRelaxed };
}

interface RunResult {
  readonly batches: Committed[];
  readonly durable: number;
  readonly written: number;
  /** The highest revision that was shown before it was durable. */
  readonly shownRelaxed: number;
}

async function crashTwin(seed: number): Promise<void> {
  const fixture = new JournalFixture({
    seed,
    disk: { latencyMsMax: 6, directBlock: [0, 512, 4096][seed % 3] },
    limits: {
      batchBytesMax: 600,
      segmentBytesMax: 9000,
      bufferedLossMsMax: 20,
      reserveBytes: seed % 2 === 0 ? 0 : 700,
    },
  });
  const logged: string[] = [];
  let { journal, recovery } = await fixture.open();
  for (let round = 0; round < 4; round++) {
    const { batches, durable, written, shownRelaxed } = await run(fixture, journal, recovery.revision);
    const isPowerCut = fixture.random.chance(0.75);
    if (isPowerCut) fixture.disk.crash();
    else fixture.disk.kill();
    ({ journal, recovery } = await fixture.open());
    const kept = fixture.visitor.lines.slice(logged.length);
    assert.deepEqual(fixture.visitor.lines.slice(0, logged.length), logged, 'what was there before');
    const possible = batches.map((_, count) => batches.slice(0, count + 1).flatMap((batch) => batch.lines));
    const promised = isPowerCut ? durable : written;
    const keptBatches = [[], ...possible].findLastIndex((lines) => lines.length === kept.length);
    assert.ok(keptBatches >= promised, `${keptBatches} batches kept, ${promised} promised`);
    assert.deepEqual(kept, [[], ...possible][keptBatches], 'whole batches in order');
    assert.ok(recovery.revision >= shownRelaxed, 'no revision comes twice');
    logged.push(...kept);
  }
}

test('whatever a crash keeps, what was durable is there and the rest is a prefix in order', async () => {
  const runs = Number(process.env.K1M_RUNS ?? 150);
  const first = Number(process.env.K1M_SEED ?? new Random(20_260_101).uint32());
  for (let seed = first; seed < first + runs; seed++) {
    try {
      await crashTwin(seed);
    } catch (error) {
      throw new Error(`replay with K1M_SEED=${seed} K1M_RUNS=1`, { cause: error });
    }
  }
});
