// What every engine of the journal has to keep (src/journal/journal.ts), as one suite: an engine is given to it as a bench, a place where a
// log may be, with what can happen there. What is particular to an engine, as files are to the log on local files, has tests of its own.
//
// Sequence 1 is the OPEN batch of the first start, of which the handler hears nothing.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Journal, LogBase, OpenedJournal } from '../journal/journal.ts';
import { RevisionReserve } from '../journal/revision-reserve.ts';
import type { SimulatedClock } from './clock.ts';
import { appendPut, commitPut, type RecordingHandler, type RecordingVisitor } from './journal-fixture.ts';
import type { Random } from './random.ts';

export interface JournalBench {
  readonly clock: SimulatedClock;
  readonly random: Random;
  /** Of the last opening. */
  readonly handler: RecordingHandler;
  readonly visitor: RecordingVisitor;
  open(opening?: { readonly base?: LogBase }): Promise<OpenedJournal>;
  close(journal: Journal, cleanRevision: number | undefined): Promise<void>;
  /** The process dies: what was written stays. */
  kill(): void;
  /** The power goes: of what is not durable anything may stay. */
  cutPower(): void;
  /** The next append that is written, or made durable, fails. */
  failAppend(): void;
  /** For so long the place of the log does not answer. */
  stall(ms: number): void;
}

/** Limits that a bench's engine is given, where it has them. */
export const SUITE_LIMITS = { inFlightBatchesMax: 3, bufferedLossMsMax: 100, batchBytesMax: 600 } as const;

/** `seeds`: of the crash stories; a bench is made for each. */
export function testJournal(name: string, benchOf: (seed: number) => JournalBench, seeds: readonly number[]): void {
  test(`${name}: a batch is reported written, then durable, never from inside commit`, () =>
    reportsInOrder(benchOf(1)));
  test(`${name}: there is room for so many batches on their way`, () => endsRoom(benchOf(2)));
  test(`${name}: a buffered batch is written first, and durable in time, or when asked`, () =>
    defersBuffered(benchOf(3)));
  test(`${name}: after a failure there is nothing but the failure`, () => failsOnce(benchOf(4)));
  test(`${name}: an orderly end makes all durable, also the open batch, and keeps the revision`, () =>
    closes(benchOf(5)));
  test(`${name}: every effect comes back in order, and what a base holds does not`, () => replays(benchOf(6)));
  test(`${name}: a start has an epoch above all before, and shuts those out`, () => fences(benchOf(7)));
  test(`${name}: after a crash the revision goes on from the mark`, () => keepsMark(benchOf(8)));
  test(`${name}: what is trimmed is not needed with a base, and is asked for without one`, () => trims(benchOf(9)));
  test(`${name}: whatever a crash keeps, what was durable is there and the rest is a prefix in order`, async () => {
    for (const seed of seeds) {
      try {
        await survivesCrashes(benchOf(seed));
      } catch (error) {
        throw new Error(`replay with K1M_SEED=${seed} K1M_RUNS=1`, { cause: error });
      }
    }
  });
}

async function reportsInOrder(bench: JournalBench): Promise<void> {
  const { journal } = await bench.open();
  assert.deepEqual(bench.handler.reports, []);
  assert.equal(commitPut(journal, 1), 2);
  assert.equal(commitPut(journal, 2), 3);
  assert.deepEqual(bench.handler.reports, []);
  assert.ok(journal.pendingBytes > 0);
  await bench.clock.runAll();
  const { reports } = bench.handler;
  for (const sequence of [2, 3]) {
    // One report may stand for several batches.
    const written = reports.findIndex((report) => numberOf(report, 'written') >= sequence);
    const durable = reports.findIndex((report) => numberOf(report, 'durable') >= sequence);
    assert.ok(written >= 0 && written < durable, reports.join(', '));
  }
  assert.deepEqual([journal.lastSequence, journal.writtenSequence, journal.durableSequence], [3, 3, 3]);
  assert.deepEqual([journal.pendingBytes, journal.unwrittenBytes], [0, 0]);
  assert.equal(journal.oldestOperationMs, Number.POSITIVE_INFINITY);
}

function numberOf(report: string, kind: string): number {
  return report.startsWith(`${kind} `) ? Number(report.slice(kind.length)) : 0;
}

async function endsRoom(bench: JournalBench): Promise<void> {
  const { journal } = await bench.open();
  let committed = 0;
  while (journal.hasRoom) commitPut(journal, ++committed);
  assert.equal(committed, SUITE_LIMITS.inFlightBatchesMax);
  assert.throws(() => journal.commit(), /without room/);
  await bench.clock.runAll();
  assert.ok(journal.hasRoom);
}

async function defersBuffered(bench: JournalBench): Promise<void> {
  const { journal } = await bench.open();
  commitPut(journal, 1, 'buffered');
  await bench.clock.pass(SUITE_LIMITS.bufferedLossMsMax / 4);
  assert.deepEqual(bench.handler.reports, ['written 2']);
  await bench.clock.pass(SUITE_LIMITS.bufferedLossMsMax);
  assert.deepEqual(bench.handler.reports, ['written 2', 'durable 2']);
  commitPut(journal, 2, 'buffered');
  journal.sync();
  await bench.clock.pass(SUITE_LIMITS.bufferedLossMsMax / 4);
  assert.equal(bench.handler.durable, 3);

  bench.stall(10_000);
  const startMs = bench.clock.nowMs();
  for (let revision = 3; journal.hasRoom; revision++) {
    commitPut(journal, revision, 'buffered');
    await bench.clock.pass(1);
    assert.ok(
      bench.clock.nowMs() <= startMs + SUITE_LIMITS.bufferedLossMsMax + 10,
      'what a power cut takes has its limit',
    );
  }
  await bench.clock.runAll();
  assert.ok(journal.hasRoom);
}

async function failsOnce(bench: JournalBench): Promise<void> {
  const { journal } = await bench.open();
  commitPut(journal, 1);
  await bench.clock.runAll();
  bench.handler.reports.length = 0;
  bench.failAppend();
  commitPut(journal, 2);
  commitPut(journal, 3);
  await bench.clock.runAll();
  assert.deepEqual(
    bench.handler.reports.map((report) => report.split(' ')[0]),
    ['fatal'],
  );
  assert.equal(journal.hasRoom, false);
  await assert.rejects(bench.close(journal, 3));
}

async function closes(bench: JournalBench): Promise<void> {
  const { journal } = await bench.open();
  commitPut(journal, 1, 'buffered');
  appendPut(journal, 2, 'in the open batch', 'buffered');
  journal.batch.appendMark(1_000);
  await bench.close(journal, 2);
  bench.cutPower();
  const { recovery } = await bench.open();
  assert.deepEqual(bench.visitor.lines, ['put 0 value 1', 'put 0 in the open batch']);
  assert.deepEqual([recovery.revision, recovery.isClean, recovery.isNew], [2, true, false]);
}

async function replays(bench: JournalBench): Promise<void> {
  const { journal, recovery } = await bench.open();
  assert.equal(recovery.isNew, true);
  const key = Buffer.from('a key');
  journal.batch.appendLeaseGrant(-7n, 60);
  const first = commitPut(journal, 1);
  journal.batch.beginRevision(2, 'buffered');
  journal.batch.appendDelete(0, key, 0, key.length);
  journal.batch.appendLeaseRevoke(-7n);
  journal.batch.appendCompact(1);
  journal.batch.appendAlarm(1, true);
  journal.commit();
  journal.sync();
  await bench.clock.runAll();
  bench.cutPower();
  const changes = ['grant -7 60', 'put 0 value 1'];
  const more = ['delete 2 0 a key', 'revoke -7', 'compact 1', 'alarm 1 true'];
  const again = await bench.open();
  assert.deepEqual(bench.visitor.lines, [...changes, ...more]);
  assert.deepEqual(again.recovery.identity, recovery.identity);
  bench.kill();
  const { clusterId } = recovery.identity;
  await bench.open({ base: { sequence: first, revision: 1, clusterId, file: 'base' } });
  assert.deepEqual(bench.visitor.lines, more);
}

async function fences(bench: JournalBench): Promise<void> {
  const first = await bench.open();
  const { handler } = bench;
  const second = await bench.open().catch((error: unknown) => error);
  if (second instanceof Error) {
    // The engine knows that the first one lives.
    commitPut(first.journal, 1);
    await bench.clock.runAll();
    assert.equal(handler.durable, 2);
    await bench.close(first.journal, undefined);
  } else {
    commitPut(first.journal, 1);
    await bench.clock.runAll();
    assert.ok(handler.fatal !== undefined, 'its batch came too late');
    assert.equal(handler.durable, 0);
    bench.kill();
  }
  const { journal } = await bench.open();
  assert.ok(journal.epoch > first.journal.epoch);
}

async function keepsMark(bench: JournalBench): Promise<void> {
  const { journal } = await bench.open();
  journal.batch.appendMark(1_000);
  commitPut(journal, 1);
  await bench.clock.runAll();
  bench.kill();
  const { recovery } = await bench.open();
  assert.deepEqual([recovery.revision, recovery.isClean], [1_000, false]);
  bench.kill();
  const again = await bench.open();
  assert.deepEqual([again.recovery.revision, again.recovery.isClean], [1_000, false]);
}

async function trims(bench: JournalBench): Promise<void> {
  const { journal, recovery } = await bench.open();
  for (let revision = 1; revision <= 200; revision++) {
    commitPut(journal, revision);
    await bench.clock.runAll();
  }
  const before = journal.storedBytes;
  const sequence = journal.lastSequence - 1;
  await bench.clock.runUntil(journal.trim(sequence + 1));
  assert.ok(journal.storedBytes < before);
  commitPut(journal, 201);
  await bench.clock.runAll();
  bench.cutPower();
  await assert.rejects(bench.open(), /but batch 1 is needed/);
  const { clusterId } = recovery.identity;
  await bench.open({ base: { sequence, revision: 199, clusterId, file: 'base' } });
  assert.deepEqual(bench.visitor.lines, ['put 0 value 200', 'put 0 value 201']);
}

interface Committed {
  readonly lines: string[];
  readonly lastRevision: number;
}

interface RunResult {
  readonly batches: Committed[];
  readonly durable: number;
  readonly written: number;
  /** The highest revision that was shown before it was durable. */
  readonly shownRelaxed: number;
}

/** Commits at random until a random end of power or process; returns what was promised by then. */
async function run(bench: JournalBench, journal: Journal, start: number): Promise<RunResult> {
  const { random, clock, handler } = bench;
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

async function survivesCrashes(bench: JournalBench): Promise<void> {
  const logged: string[] = [];
  let { journal, recovery } = await bench.open();
  for (let round = 0; round < 4; round++) {
    const { batches, durable, written, shownRelaxed } = await run(bench, journal, recovery.revision);
    const isPowerCut = bench.random.chance(0.75);
    if (isPowerCut) bench.cutPower();
    else bench.kill();
    ({ journal, recovery } = await bench.open());
    const kept = bench.visitor.lines.slice(logged.length);
    assert.deepEqual(bench.visitor.lines.slice(0, logged.length), logged, 'what was there before');
    const possible = batches.map((_, count) => batches.slice(0, count + 1).flatMap((batch) => batch.lines));
    const promised = isPowerCut ? durable : written;
    const keptBatches = [[], ...possible].findLastIndex((lines) => lines.length === kept.length);
    assert.ok(keptBatches >= promised, `${keptBatches} batches kept, ${promised} promised`);
    assert.deepEqual(kept, [[], ...possible][keptBatches], 'whole batches in order');
    assert.ok(recovery.revision >= shownRelaxed, 'no revision comes twice');
    logged.push(...kept);
  }
}
