import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Journal } from '../journal/journal.ts';
import { keyValueBytes, writeKeyValueHead, writeKeyValueTail } from '../store/key-value.ts';
import { JournalFixture } from '../testing/journal-fixture.ts';
import { rebuildState } from './rebuilding.ts';
import { planRepair, repairFolder } from './repair.ts';
import { surveyFolder } from './survey.ts';

function appendPut(journal: Journal, revision: number, key: string): void {
  const [keyBytes, value] = [Buffer.from(key), Buffer.from(`value ${revision}`)];
  const bytes = new Uint8Array(keyValueBytes(keyBytes.length, revision, revision, 1, value.length, 0n));
  const at = writeKeyValueHead(bytes, 0, keyBytes, 0, keyBytes.length, revision);
  writeKeyValueTail(bytes, at, revision, 1, value, 0, value.length, 0n);
  journal.batch.beginRevision(revision, 'fsync');
  journal.batch.appendPut(0, bytes, 0, bytes.length);
}

/** Batches of a log of one segment, each of the revisions that are given; the first one, OPEN, has none. */
async function logOf(revisions: readonly (number | undefined)[]): Promise<{ fixture: JournalFixture; ends: number[] }> {
  const fixture = new JournalFixture();
  const { journal } = await fixture.open();
  const ends = [fixture.disk.bytes(fixture.segmentPath()).length];
  for (const revision of revisions) {
    if (revision === undefined) journal.batch.appendMark(1);
    else appendPut(journal, revision, `key ${revision}`);
    journal.commit();
    await fixture.clock.runAll();
    ends.push(fixture.disk.bytes(fixture.segmentPath()).length);
  }
  fixture.disk.kill();
  return { fixture, ends };
}

/** `logOf`, damaged in the key of revision 2 and repaired: a snapshot, and an empty segment behind it. */
async function repairedFolder(): Promise<JournalFixture> {
  const { fixture } = await logOf([2, 3, 4, 5, 6]);
  const { disk, clock } = fixture;
  const path = fixture.segmentPath();
  const bytes = disk.bytes(path);
  bytes[Buffer.from(bytes).indexOf('key 2')] ^= 1;
  disk.place(path, bytes);
  await disk.ensureDirectory('/data/snap');
  const plan = await clock.runUntil(surveyFolder(disk, '/data').then((survey) => planRepair(disk, survey, 100)));
  assert.ok(plan.kind === 'rebuild');
  await clock.runUntil(repairFolder(disk, clock, plan));
  return fixture;
}

/** Sequences, first revision, and whether nothing says that they had been durable, of each loss. */
async function lossesOf({ disk, clock }: JournalFixture): Promise<unknown[]> {
  const state = await clock.runUntil(
    surveyFolder(disk, '/data').then((survey) => rebuildState({ disk, survey, revision: 1_000 })),
  );
  return state.losses.losses.map(({ sequences, revisions, isUnproven }) => {
    return [sequences.first, sequences.last, revisions?.first, isUnproven];
  });
}

const UNKNOWN = Number.POSITIVE_INFINITY;

it('tells that an end is unknown where the log does not reach to the snapshot, and only there', async () => {
  const fixture = await repairedFolder();
  const { disk } = fixture;
  const [first, behind] = [fixture.segmentPath(), fixture.segmentPath(8)];
  const header = disk.bytes(behind);
  assert.deepEqual(await lossesOf(fixture), [], 'the snapshot, revision 106, and its segment');
  disk.remove(behind);
  assert.deepEqual(await lossesOf(fixture), [[8, UNKNOWN, 107, false]], 'no log at all');
  disk.place(first, (await logOf([2, 3, 4, 5, 6])).fixture.disk.bytes(first));
  assert.deepEqual(await lossesOf(fixture), [[8, UNKNOWN, 107, false]], 'a log to the batch before');
  disk.place(first, (await logOf([2, 3, 4, 5, 6, 7])).fixture.disk.bytes(first));
  assert.deepEqual(await lossesOf(fixture), [], 'a log to the very batch of the snapshot');
  disk.remove(first);
  header[20] ^= 1;
  disk.place(behind, header);
  assert.deepEqual(await lossesOf(fixture), [[8, UNKNOWN, 107, true]], 'a segment of which nothing is left');
});

it('loses nothing where only the header of the last segment is damaged', async () => {
  const { fixture } = await logOf([2, 3]);
  const bytes = fixture.disk.bytes(fixture.segmentPath());
  bytes[20] ^= 1;
  fixture.disk.place(fixture.segmentPath(), bytes);
  assert.deepEqual(await lossesOf(fixture), []);
});

it('keeps nothing behind a batch that was never called durable, though one before it was lost too, and names its keys', async () => {
  const { fixture, ends } = await logOf([2, 3]);
  const { disk, clock } = fixture;
  const { journal } = await fixture.open();
  const start = disk.bytes(fixture.segmentPath()).length;
  // On their way together behind batch 4, OPEN: each of them says only of batch 4 and those before that they were durable.
  for (const revision of [4, 5, 6]) {
    appendPut(journal, revision, `key ${revision}`);
    journal.commit();
  }
  await clock.runAll();
  disk.kill();
  const bytes = disk.bytes(fixture.segmentPath());
  // OPEN was durable; batch 5 was not known to be.
  bytes[ends[2] + 70] ^= 1;
  bytes[Buffer.from(bytes).indexOf('key 4', start)] ^= 1;
  disk.place(fixture.segmentPath(), bytes);
  const survey = await clock.runUntil(surveyFolder(disk, '/data'));
  assert.equal(survey.durableSequence, 4);
  const { store, losses } = await clock.runUntil(rebuildState({ disk, survey, revision: 1_000 }));
  assert.equal(store.liveKeyCount, 2, 'keys 2 and 3');
  assert.deepEqual(
    losses.losses.map(({ sequences, isListComplete }) => [sequences, isListComplete]),
    [[{ first: 4, last: UNKNOWN }, false]],
  );
  assert.deepEqual(losses.keys.map(({ key }) => Buffer.from(key).toString()).sort(), ['jey 4', 'key 5', 'key 6']);
});

it('names the batches of another history that a start would cut', async () => {
  const ours = await logOf([2, 3, 4, 5]);
  const other = await logOf([undefined, undefined, undefined, undefined, 6]);
  const path = ours.fixture.segmentPath();
  const { disk, clock } = ours.fixture;
  disk.place(path, Buffer.concat([disk.bytes(path), other.fixture.disk.bytes(path).subarray(other.ends[4])]));
  const survey = await clock.runUntil(surveyFolder(disk, '/data'));
  assert.deepEqual([survey.refusal, survey.cutBatches], [undefined, { first: 6, last: 6 }]);
  assert.equal((await clock.runUntil(planRepair(disk, survey, 100))).kind, 'rebuild');
});

it('does not apply a batch of another history whose revisions were taken, and names its keys', async () => {
  const ours = await logOf([2, 3, 4, 5]);
  // Its batches have the same numbers; the sixth is the next one, but of revision 4.
  const other = await logOf([undefined, undefined, undefined, undefined, 4, 6]);
  const path = ours.fixture.segmentPath();
  const { disk, clock } = ours.fixture;
  const theirs = other.fixture.disk.bytes(path);
  disk.place(path, Buffer.concat([disk.bytes(path), theirs.subarray(other.ends[4])]));
  const plan = await clock.runUntil(surveyFolder(disk, '/data').then((survey) => planRepair(disk, survey, 1_000)));
  assert.ok(plan.kind === 'rebuild');
  const { store, losses } = plan.state;
  assert.deepEqual(
    losses.losses.map(({ sequences, revisions, parts }) => [sequences, revisions, parts.map(({ kind }) => kind)]),
    [[{ first: 6, last: 6 }, { first: 4, last: 4 }, ['unchained']]],
  );
  assert.deepEqual(
    losses.keys.map(({ key, revision }) => [Buffer.from(key).toString(), revision]),
    [['key 4', 4]],
  );
  assert.equal(store.liveKeyCount, 5, 'keys 2 to 5, and 6 of the batch behind it');
  assert.equal(plan.revision, 1_006);
});
