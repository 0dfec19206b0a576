import assert from 'node:assert/strict';
import { test } from 'node:test';
import { appendPut, baseAt, JournalFixture } from '../testing/journal-fixture.ts';
import { Random } from '../testing/random.ts';
import { IGNORING_VISITOR } from './journal.ts';
import { type CompletedBatch, MomentSearch, TIME_INTERVAL_MS } from './log-times.ts';
import { readLog } from './recovery.ts';

const RUNS = Number(process.env.K1M_RUNS ?? 200);

/** The batches of a log, as it tells of them. */
async function batchesOf({ disk, clock, segmentFolder }: JournalFixture, base = 0): Promise<CompletedBatch[]> {
  const batches: CompletedBatch[] = [];
  const onBatch = (batch: CompletedBatch): void => void batches.push(batch);
  const from = base === 0 ? {} : { base: baseAt(base) };
  await clock.runUntil(readLog({ disk, folder: segmentFolder, visitor: IGNORING_VISITOR, onBatch, ...from }));
  return batches;
}

test('a second has one time, of the first batch in it; a clock that was set, and a start, have their own', async () => {
  const fixture = new JournalFixture();
  const startMs = fixture.clock.wallMs();
  let { journal } = await fixture.open();
  const putAt = async (revision: number, sinceStartMs: number): Promise<void> => {
    fixture.clock.stepWall(startMs + sinceStartMs - fixture.clock.wallMs());
    await fixture.put(journal, revision, 'x');
  };
  await putAt(2, 999);
  await putAt(3, 1000);
  await putAt(4, 1999.9);
  await putAt(5, 90_000.7);
  await putAt(6, 89_999.9);
  await putAt(7, 90_500);
  await fixture.close(journal, 7);
  const written = await fixture.open();
  ({ journal } = written);
  assert.equal(written.recovery.isClean, true, 'CLEAN stands behind the time of its batch');
  await putAt(8, -5);
  fixture.disk.kill();
  const times = (await batchesOf(fixture)).map(({ lastRevision, wallMs, isTimed }) => {
    assert.ok(isTimed);
    return [lastRevision, wallMs === undefined ? undefined : wallMs - startMs];
  });
  assert.deepEqual(times.slice(0, 7), [
    [0, 0],
    [2, undefined],
    [3, 1000],
    [4, undefined],
    [5, 90_000],
    [6, 89_999],
    [7, undefined],
  ]);
  const [clean, open, last] = times.slice(7);
  assert.deepEqual(clean, [0, undefined]);
  assert.ok(open[0] === 0 && open[1] !== undefined, 'a start tells its time');
  assert.deepEqual(last, [8, -5]);
});

test('a time belongs to no class: a batch of the class buffered stays one', async () => {
  const fixture = new JournalFixture();
  const { journal } = await fixture.open();
  fixture.clock.stepWall(5_000);
  appendPut(journal, 2, 'x', 'buffered');
  const { batch } = journal;
  journal.commit();
  assert.equal(batch.durability, 'buffered');
  await fixture.clock.runAll();
  assert.notEqual((await batchesOf(fixture)).at(-1)?.wallMs, undefined);
});

test('what an orderly end makes durable has its time too', async () => {
  const fixture = new JournalFixture();
  const { journal } = await fixture.open();
  fixture.clock.stepWall(5_000);
  appendPut(journal, 2, 'in the open batch', 'fsync');
  const wallMs = Math.floor(fixture.clock.wallMs());
  await fixture.close(journal, 2);
  assert.deepEqual((await batchesOf(fixture)).at(-1), { lastRevision: 2, wallMs, isTimed: true });
});

/** Batches as a log would tell of them, and when each was completed; the wall clock is set now and then. */
function randomHistory(random: Random): { batches: CompletedBatch[]; trueMs: number[] } {
  const batches: CompletedBatch[] = [];
  const trueMs: number[] = [];
  let wallMs = 10_000;
  let lastMs = Number.NEGATIVE_INFINITY;
  for (let revision = 1; revision <= 30; revision++) {
    wallMs += random.between(0, random.chance(0.2) ? 5_000 : 600);
    if (random.chance(0.1)) wallMs = Math.max(0, wallMs + random.between(-4_000, 4_000));
    const isTold = wallMs < lastMs || wallMs >= lastMs + TIME_INTERVAL_MS;
    if (isTold) lastMs = wallMs;
    batches.push({ lastRevision: revision, wallMs: isTold ? wallMs : undefined, isTimed: true });
    trueMs.push(wallMs);
  }
  return { batches, trueMs };
}

test('the state at a time is never later, and at most a second earlier, than the last batch in the log of then', () => {
  for (let seed = 1; seed <= RUNS; seed++) {
    const random = new Random(seed);
    const { batches, trueMs } = randomHistory(random);
    for (let i = 0; i < 20; i++) {
      const wantedMs = random.between(8_000, 30_000);
      const search = new MomentSearch(wantedMs, undefined);
      for (const batch of batches) search.take(batch);
      const exact = 1 + trueMs.findLastIndex((ms) => ms <= wantedMs);
      const atLeast = 1 + trueMs.findLastIndex((ms) => ms <= wantedMs - TIME_INTERVAL_MS);
      const found = search.found?.revision ?? 0;
      const place = `seed ${seed}, at ${wantedMs}: ${found} of ${atLeast} to ${exact}`;
      assert.ok(found >= atLeast && found <= exact, place);
      if (found > 0) assert.ok(trueMs[found - 1] <= wantedMs, place);
    }
  }
});

test('a clock that was set back over the time: the later one counts, and the one before is told', () => {
  const at = (wantedMs: number): readonly (number | undefined)[] => {
    const search = new MomentSearch(wantedMs, undefined);
    for (const [lastRevision, wallMs] of [
      [1, 10_000],
      [2, 11_000],
      [3, 12_000],
      [4, 10_500],
      [0, 11_500],
      [5, 12_500],
    ]) {
      search.take({ lastRevision, wallMs, isTimed: true });
    }
    return [search.found?.revision, search.found?.earlierRevision, search.firstMs];
  };
  assert.deepEqual(at(9_999), [undefined, undefined, 10_000]);
  assert.deepEqual(at(10_000), [1, undefined, 10_000]);
  assert.deepEqual(at(11_000), [4, 2, 10_000]);
  assert.deepEqual(at(12_000), [4, undefined, 10_000], 'the clock had not passed it yet when it was set back');
  assert.deepEqual(at(99_999), [5, undefined, 10_000]);
});

test('what an older format left untold counts as not after a time only when a later time is', () => {
  const at = (wantedMs: number): number | undefined => {
    const search = new MomentSearch(wantedMs, { revision: 5, wallMs: 1_000 });
    search.take({ lastRevision: 6, wallMs: undefined, isTimed: false });
    search.take({ lastRevision: 7, wallMs: 60_000, isTimed: true });
    search.take({ lastRevision: 8, wallMs: undefined, isTimed: true });
    return search.found?.revision;
  };
  assert.deepEqual([at(999), at(1_000), at(59_999)], [undefined, 5, 5]);
  assert.deepEqual([at(60_000), at(60_999), at(61_000)], [7, 7, 8]);
});

test('a base is where the search begins', async () => {
  const fixture = new JournalFixture();
  const { journal } = await fixture.open();
  for (let revision = 2; revision <= 5; revision++) {
    fixture.clock.stepWall(2_000);
    await fixture.put(journal, revision, 'x');
  }
  fixture.disk.kill();
  assert.deepEqual(
    (await batchesOf(fixture, 3)).map(({ lastRevision }) => lastRevision),
    [4, 5],
  );
});

test('a clock that stood still, or went on, was not set back', () => {
  for (const again of [2_000, 2_400]) {
    const search = new MomentSearch(2_500, undefined);
    search.take({ lastRevision: 1, wallMs: 2_000, isTimed: true });
    // Up to a second later: not certain.
    search.take({ lastRevision: 2, wallMs: undefined, isTimed: true });
    search.take({ lastRevision: 3, wallMs: again, isTimed: true });
    assert.deepEqual(search.found, { revision: 3, earlierRevision: undefined });
  }
});
