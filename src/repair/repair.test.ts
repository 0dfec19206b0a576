// A repair of a small folder, step by step: what is planned, what is there afterwards, also after a power cut, and what is refused.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readState } from '../etcd/state-opening.ts';
import { RealClock } from '../io/clock.ts';
import { FileDisk } from '../io/file-disk.ts';
import { segmentName } from '../journal/segment.ts';
import { baseAt, JournalFixture } from '../testing/journal-fixture.ts';
import { planRepair, type RepairPlan, repairFolder, tidyRepair, UnrepairableError } from './repair.ts';
import { repairReport } from './repair-report.ts';
import { snapshotHead } from './snapshot-survey.ts';
import { isWhole, type Survey, surveyFolder } from './survey.ts';

/** Batches 1 to 6, of which batch 4 is damaged. */
async function damagedLog(): Promise<JournalFixture> {
  const fixture = new JournalFixture();
  const { journal } = await fixture.open();
  for (let revision = 2; revision <= 6; revision++) {
    journal.batch.beginRevision(revision, 'fsync');
    journal.batch.appendDelete(0, Buffer.from(`key ${revision}`), 0, 5);
    journal.batch.appendLeaseGrant(BigInt(revision), 60);
    journal.commit();
    await fixture.clock.runAll();
  }
  fixture.disk.kill();
  const bytes = fixture.disk.bytes(fixture.segmentPath());
  bytes[Buffer.from(bytes).indexOf('key 4') + 4] ^= 0x40;
  fixture.disk.place(fixture.segmentPath(), bytes);
  await fixture.disk.ensureDirectory('/data/snap');
  return fixture;
}

function plan(fixture: JournalFixture, bump = 100): Promise<RepairPlan> {
  const { clock, disk } = fixture;
  return clock.runUntil(surveyFolder(disk, '/data').then((survey) => planRepair(disk, survey, bump)));
}

async function repaired(fixture: JournalFixture): Promise<{ keptIn: string; snapshot: string }> {
  const planned = await plan(fixture);
  assert.ok(planned.kind === 'rebuild');
  const done = await fixture.clock.runUntil(repairFolder(fixture.disk, fixture.clock, planned));
  assert.deepEqual(fixture.disk.openPaths, []);
  return done;
}

function filesOf(fixture: JournalFixture): string[] {
  return [...fixture.disk.snapshot().keys()].filter((path) => !path.includes('repair-')).sort();
}

const SNAPSHOT = '/data/snap/0000000000000007.snap';
const SEGMENT = `/data/wal/${segmentName(8)}`;

test('a whole log has nothing to be repaired', async () => {
  const fixture = new JournalFixture();
  await fixture.open();
  fixture.disk.kill();
  assert.equal((await plan(fixture)).kind, 'none');
});

test('what is made anew goes above all that the folder names', async () => {
  const planned = await plan(await damagedLog());
  assert.ok(planned.kind === 'rebuild');
  assert.deepEqual([planned.sequence, planned.epoch, planned.revision], [7, 2, 106]);
  const { losses, lastRevision, batches } = planned.state;
  assert.deepEqual([batches, lastRevision], [5, 6]);
  assert.deepEqual(
    losses.losses.map(({ sequences }) => sequences),
    [{ first: 4, last: 4 }],
  );
  // As the damaged batch reads; so the list of the loss is not complete.
  assert.deepEqual(
    losses.keys.map(({ key }) => Buffer.from(key).toString()),
    ['key t'],
  );
  assert.deepEqual(
    losses.losses.map(({ isListComplete, isUnproven }) => [isListComplete, isUnproven]),
    [[false, false]],
  );
});

test('after a repair there is one snapshot and an empty segment, durably; all else is set aside', async () => {
  const fixture = await damagedLog();
  for (const left of ['wal/0000000000000009.wal.new', 'snap/0000000000000009.snap.new'])
    fixture.disk.place(`/data/${left}`, Buffer.from('unfinished'));
  fixture.disk.place('/data/snap/0000000000000001.snap', Buffer.from('no snapshot'));
  const original = fixture.disk.bytes(fixture.segmentPath());
  const { keptIn, snapshot } = await repaired(fixture);
  assert.equal(snapshot, SNAPSHOT);
  fixture.disk.crash('lose');
  assert.deepEqual(filesOf(fixture), [SNAPSHOT, SEGMENT]);
  assert.equal(fixture.disk.bytes(SEGMENT).length, 64);
  assert.deepEqual(fixture.disk.bytes(SEGMENT)[8], 1, 'of format 1');
  assert.deepEqual(fixture.disk.bytes(`${keptIn}/wal/${segmentName(1)}`), original);
  const report = JSON.parse(Buffer.from(fixture.disk.bytes(`${keptIn}/report.json`)).toString());
  assert.equal(report.keptIn, keptIn);
  const { disk } = fixture;
  const state = await fixture.clock.runUntil(
    readState({ disk, folder: '/data', onSnapshotDamaged: () => assert.fail() }),
  );
  assert.deepEqual([state.store.currentRevision, state.store.compactedRevision], [106, 106]);
  assert.deepEqual(
    state.lessor
      .list()
      .map(({ id }) => id)
      .sort(),
    [2n, 3n, 5n, 6n],
  );
  assert.equal((await plan(fixture)).kind, 'none');
});

test('on a real disk, which makes no folder by itself, folders that are not there are made', async () => {
  const folder = fs.mkdtempSync(join(tmpdir(), 'k1m-repair-'));
  const [disk, clock] = [new FileDisk(), new RealClock()];
  const repair = async (): Promise<string> => {
    const planned = await planRepair(disk, await surveyFolder(disk, folder), 100);
    assert.ok(planned.kind === 'rebuild');
    const { keptIn } = await repairFolder(disk, clock, planned);
    assert.ok(isWhole(await surveyFolder(disk, folder)));
    return keptIn;
  };
  try {
    const damaged = await damagedLog();
    const segment = segmentName(1);
    fs.mkdirSync(join(folder, 'wal'));
    fs.writeFileSync(join(folder, 'wal', segment), damaged.disk.bytes(damaged.segmentPath()));
    const first = await repair();
    assert.deepEqual(fs.readdirSync(first).sort(), ['report.json', 'wal']);
    fs.rmSync(join(folder, 'wal'), { recursive: true });
    const second = await repair();
    assert.deepEqual(fs.readdirSync(second).sort(), ['report.json', 'snap']);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

test('a folder without room for the repaired state is left as it is', async () => {
  const fixture = await damagedLog();
  const planned = await plan(fixture);
  assert.ok(planned.kind === 'rebuild');
  const before = fixture.disk.snapshot();
  fixture.disk.capacityBytes = fixture.disk.usedBytes() + 100;
  const refused = fixture.clock.runUntil(repairFolder(fixture.disk, fixture.clock, planned));
  await assert.rejects(
    refused,
    (error: Error) => error instanceof UnrepairableError && /are free, the repaired state needs/.test(error.message),
  );
  assert.deepEqual(fixture.disk.snapshot(), before);
});

test('a snapshot that cannot be read back is told, and the old files stay', async () => {
  const fixture = await damagedLog();
  const planned = await plan(fixture);
  assert.ok(planned.kind === 'rebuild');
  fixture.disk.faults.push({ operation: 'read', pathPart: 'snap', times: 1, code: 'EIO' });
  await assert.rejects(fixture.clock.runUntil(repairFolder(fixture.disk, fixture.clock, planned)));
  assert.ok(filesOf(fixture).includes(fixture.segmentPath()));
});

test('an empty segment that cannot be read back is told, and the old files stay', async () => {
  const fixture = await damagedLog();
  const planned = await plan(fixture);
  assert.ok(planned.kind === 'rebuild');
  fixture.disk.faults.push({ operation: 'read', pathPart: segmentName(8), times: 1, code: 'EIO' });
  await assert.rejects(fixture.clock.runUntil(repairFolder(fixture.disk, fixture.clock, planned)), { code: 'EIO' });
  assert.ok(filesOf(fixture).includes(fixture.segmentPath()));
});

test('older files are only removed behind the segment that a repair made', async () => {
  const fixture = new JournalFixture({ limits: { segmentBytesMax: 200 } });
  const { journal } = await fixture.open();
  for (let revision = 2; revision <= 6; revision++) await fixture.put(journal, revision, 'x'.repeat(80));
  fixture.disk.kill();
  const { disk, clock } = fixture;
  const survey = await clock.runUntil(surveyFolder(disk, '/data'));
  const [first, second] = survey.segments;
  assert.ok(first.header !== undefined && second.header !== undefined);
  const base = baseAt(second.firstSequence - 1);
  const kindOf = async (changed: Partial<Survey>): Promise<string> =>
    (await planRepair(disk, { ...survey, base, ...changed }, 100)).kind;
  assert.equal(await kindOf({}), 'none', 'it names the batch before it');
  assert.equal(await kindOf({ base: baseAt(1000) }), 'none', 'no segment is behind the snapshot');
  assert.equal(await kindOf({ segments: [first, { ...second, header: undefined }] }), 'none', 'nothing tells');
  const made = { ...second, header: { ...second.header, previousCrc: 0 } };
  assert.equal(await kindOf({ segments: [first, made] }), 'tidy');
});

test('of a folder that needs no repair, or only the end of one, no more is reported than that', async () => {
  const fixture = await damagedLog();
  const planned = await plan(fixture);
  assert.ok(planned.kind === 'rebuild');
  const { survey } = planned;
  const common = { folder: '/data', refusal: survey.refusal };
  assert.deepEqual(repairReport({ kind: 'none', survey }), { ...common, action: 'none' });
  const files = [fixture.segmentPath(), '/data/snap/0000000000000001.snap'];
  const remove = [`wal/${segmentName(1)}`, 'snap/0000000000000001.snap'];
  assert.deepEqual(repairReport({ kind: 'tidy', survey, files }), { ...common, action: 'tidy', remove });
});

test('the old files of a repair that was interrupted are removed by another one', async () => {
  const fixture = await damagedLog();
  const planned = await plan(fixture);
  assert.ok(planned.kind === 'rebuild');
  // The first old file that is to go does not.
  fixture.disk.faults.push({ operation: 'unlink', pathPart: segmentName(1), times: 1, code: 'EIO' });
  await assert.rejects(fixture.clock.runUntil(repairFolder(fixture.disk, fixture.clock, planned)), { code: 'EIO' });
  assert.deepEqual(filesOf(fixture), [SNAPSHOT, fixture.segmentPath(), SEGMENT]);
  fixture.disk.place('/data/snap/0000000000000001.snap', Buffer.from('no snapshot'));
  const tidy = await plan(fixture);
  assert.ok(tidy.kind === 'tidy');
  assert.deepEqual([...tidy.files].sort(), ['/data/snap/0000000000000001.snap', fixture.segmentPath()]);
  await fixture.clock.runUntil(tidyRepair(fixture.disk, tidy));
  fixture.disk.crash('lose');
  assert.deepEqual(filesOf(fixture), [SNAPSHOT, SEGMENT]);
  assert.equal((await plan(fixture)).kind, 'none');
});

test('a folder with something foreign in it, or with nothing good, is not repaired', async () => {
  const foreign = await damagedLog();
  foreign.disk.place('/data/wal/notes', Buffer.from('x'));
  await assert.rejects(plan(foreign), /not repaired while something foreign is in it: \/data\/wal\/notes/);
  const nothing = new JournalFixture();
  await nothing.clock.runUntil(nothing.disk.ensureDirectory(nothing.segmentFolder));
  nothing.disk.place(nothing.segmentPath(), Buffer.alloc(200, 7));
  await assert.rejects(plan(nothing), /has no good snapshot and no good batch/);
  // Either is enough: nobody's batches, and nothing but a name.
  const { disk, clock } = await damagedLog();
  const survey = await clock.runUntil(surveyFolder(disk, '/data'));
  const { order } = survey;
  for (const changed of [{ identity: undefined }, { order: { ...order, spans: [] } }])
    await assert.rejects(planRepair(disk, { ...survey, ...changed }, 100), /has no good snapshot and no good batch/);
});

test('numbers beyond what can be counted are refused', async () => {
  await assert.rejects(plan(await damagedLog(), Number.MAX_SAFE_INTEGER - 5), /too high/);
});

test('batches behind the end that nobody calls durable are lost with what they may have changed', async () => {
  const fixture = new JournalFixture();
  const { journal } = await fixture.open();
  const commit = (revision: number): void => {
    journal.batch.beginRevision(revision, 'fsync');
    journal.batch.appendDelete(0, Buffer.from(`key ${revision}`), 0, 5);
    journal.batch.appendLeaseRevoke(BigInt(revision));
    journal.commit();
  };
  for (const revision of [2, 3]) {
    commit(revision);
    await fixture.clock.runAll();
  }
  // On their way together: none says of another that it was durable.
  for (const revision of [4, 5]) commit(revision);
  await fixture.clock.runAll();
  fixture.disk.kill();
  const bytes = fixture.disk.bytes(fixture.segmentPath());
  // The start is refused for the damage of a durable one.
  for (const key of ['key 2', 'key 4']) bytes[Buffer.from(bytes).indexOf(key) + 4] ^= 0x40;
  fixture.disk.place(fixture.segmentPath(), bytes);
  await fixture.disk.ensureDirectory('/data/snap');
  const planned = await plan(fixture);
  assert.ok(planned.kind === 'rebuild');
  const { losses, lastRevision } = planned.state;
  assert.equal(lastRevision, 3);
  assert.deepEqual(
    losses.losses.map(({ sequences, revisions, isUnproven }) => [sequences, revisions?.first, isUnproven]),
    [
      [{ first: 2, last: 2 }, 1, false],
      [{ first: 4, last: Number.POSITIVE_INFINITY }, 4, true],
    ],
  );
  assert.deepEqual(
    losses.keys.map(({ key }) => Buffer.from(key).toString()),
    ['key 5', 'key r', 'key t'],
  );
  assert.deepEqual(
    losses.leases.map(({ lease, change }) => `${lease} ${change}`),
    ['2 revoked', '4 revoked', '5 revoked'],
  );
});

test('snapshots are surveyed to their last byte, and what is wrong with one is told', async () => {
  const fixture = await damagedLog();
  await repaired(fixture);
  const { disk, clock } = fixture;
  const good = disk.bytes(SNAPSHOT);
  const flipped = Uint8Array.from(good, (byte, at) => (at === 129 ? byte ^ 1 : byte));
  const survey = (): ReturnType<typeof surveyFolder> => clock.runUntil(surveyFolder(disk, '/data'));
  const errorsOf = async (): Promise<string[]> => {
    const { snapshots } = await survey();
    await clock.runAll();
    assert.deepEqual(disk.openPaths, []);
    return snapshots.map(({ sequence, error }) => `${sequence} ${error?.message.replace(/^.*byte /, '') ?? 'good'}`);
  };
  const whole = await survey();
  assert.deepEqual(
    [whole.base?.sequence, whole.base?.revision, whole.refusal, isWhole(whole)],
    [7, 106, undefined, true],
  );
  disk.place('/data/snap/0000000000000009.snap', good);
  assert.deepEqual(await errorsOf(), ['9 0: it holds batch 7, its name says otherwise', '7 good']);
  assert.equal((await survey()).base?.sequence, 7);
  assert.equal(isWhole(await survey()), false);
  disk.remove('/data/snap/0000000000000009.snap');
  disk.place(SNAPSHOT, flipped);
  assert.match((await errorsOf())[0], /^7 128: the checksum of block 0/);
  disk.place(SNAPSHOT, good);
  disk.faults.push({ operation: 'read', pathPart: '.snap', times: 1, code: 'EIO' });
  assert.match((await errorsOf())[0], /^7 0: .*EIO/);
  disk.faults.push({ operation: 'read', pathPart: '.snap', times: 1, code: 'EACCES' });
  await assert.rejects(survey(), { code: 'EACCES' });
  disk.faults.push({ operation: 'open', pathPart: '.snap', times: 1, code: 'EIO' });
  await assert.rejects(survey(), { code: 'EIO' });
});

test('the head of a snapshot tells its revision and its time, if it can be read', async () => {
  const fixture = await damagedLog();
  await repaired(fixture);
  const { disk, clock } = fixture;
  const head = (): ReturnType<typeof snapshotHead> => clock.runUntil(snapshotHead(disk, SNAPSHOT));
  const found = await head();
  assert.equal(found?.revision, 106);
  assert.ok((found?.wallMs ?? 0) > 0);
  assert.deepEqual(disk.openPaths, []);
  disk.faults.push({ operation: 'read', pathPart: '.snap', times: 1, code: 'EIO' });
  assert.equal(await head(), undefined);
  disk.faults.push({ operation: 'read', pathPart: '.snap', times: 1, code: 'EACCES' });
  await assert.rejects(head(), { code: 'EACCES' });
  disk.place(SNAPSHOT, Buffer.from('no snapshot'));
  assert.equal(await head(), undefined);
  assert.deepEqual(disk.openPaths, []);
});
