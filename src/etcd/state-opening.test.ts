// Folders that are not opened, and what is let go of then.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CorruptionError, ForeignLogError } from '../journal/errors.ts';
import { segmentName } from '../journal/segment.ts';
import { IDENTITY, JournalFixture, RecordingHandler } from '../testing/journal-fixture.ts';
import { openState, readState } from './state-opening.ts';

function open(fixture: JournalFixture): ReturnType<typeof openState> {
  const { clock, disk } = fixture;
  const opening = openState({
    disk,
    clock,
    random: () => 0.5,
    folder: '/data',
    identity: IDENTITY,
    minimumLeaseTtlSeconds: 1,
    handler: new RecordingHandler(),
    bufferedLossMsMax: 200,
    bufferedLossBytesMax: 1 << 20,
    onSnapshotDamaged: () => {},
    onProgress: () => {},
    collect: () => {},
    salt: 7,
    observer: { onWrite: () => {}, onSync: () => {}, onRoll: () => {} },
  });
  return clock.runUntil(opening);
}

test('a folder with the data of an etcd and without a log of ours is refused, and left as it is', async () => {
  for (const name of ['snap', 'wal']) {
    const fixture = new JournalFixture();
    await fixture.clock.runUntil(fixture.disk.ensureDirectory('/data/member'));
    fixture.disk.place(`/data/member/${name}`, Buffer.from('x'));
    const before = fixture.disk.snapshot();
    await assert.rejects(
      open(fixture),
      (error: Error) => error instanceof ForeignLogError && /data of an etcd/.test(error.message),
    );
    assert.deepEqual(fixture.disk.snapshot(), before);
    // Where a log of ours is there, it has what was acknowledged since.
    await fixture.disk.ensureDirectory('/data/wal');
    fixture.disk.place(`/data/wal/${segmentName(1)}`, Buffer.from('damaged'));
    await assert.rejects(open(fixture), CorruptionError);
  }
  const other = new JournalFixture();
  await other.clock.runUntil(other.disk.ensureDirectory('/data/member'));
  other.disk.place('/data/member/notes', Buffer.from('x'));
  const { journal } = await open(other);
  await other.close(journal, 1);
  const unreadable = new JournalFixture();
  unreadable.disk.faults.push({ operation: 'list', pathPart: '/data/member', times: 1, code: 'EACCES' });
  await assert.rejects(open(unreadable), { code: 'EACCES' });
});

test('a folder whose snapshots cannot be listed is let go of', async () => {
  const fixture = new JournalFixture();
  fixture.disk.faults.push({ operation: 'list', pathPart: '/data/snap', times: 1, code: 'EIO' });
  await assert.rejects(open(fixture), { code: 'EIO' });
  const { journal } = await open(fixture);
  await fixture.close(journal, 1);
});

test('a state is read up to a revision, and the newest one is known all the same', async () => {
  const fixture = new JournalFixture();
  const { journal } = await fixture.open();
  for (let revision = 2; revision <= 4; revision++) {
    journal.batch.beginRevision(revision, 'fsync');
    journal.batch.appendDelete(0, Buffer.from('nothing'), 0, 7);
    journal.batch.appendMark(revision + 10);
    journal.commit();
    await fixture.clock.runAll();
  }
  fixture.disk.kill();
  const { disk } = fixture;
  const read = async (revision?: number): Promise<number[]> => {
    const reading = readState({ disk, folder: '/data', onSnapshotDamaged: () => assert.fail(), revision });
    const { store, newestRevision, bytes } = await fixture.clock.runUntil(reading);
    assert.equal(bytes, fixture.disk.bytes(fixture.segmentPath()).length);
    return [store.currentRevision, store.compactedRevision, newestRevision];
  };
  // After a crash the counter goes on behind the mark, and what is before it is compacted.
  assert.deepEqual(await read(), [14, 14, 14]);
  assert.deepEqual(await read(14), [14, 14, 14]);
  assert.deepEqual(await read(3), [3, -1, 14]);
});
