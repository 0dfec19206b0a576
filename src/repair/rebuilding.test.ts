import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Journal } from '../journal/journal.ts';
import { keyValueBytes, writeKeyValueHead, writeKeyValueTail } from '../store/key-value.ts';
import { JournalFixture } from '../testing/journal-fixture.ts';
import { planRepair } from './repair.ts';
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
