// Files of a log as a survey meets them: foreign ones, what a repair left, headers that are damaged or unreadable, and the highest numbers in all of them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CorruptionError } from '../journal/errors.ts';
import { SEGMENT_HEADER_BYTES } from '../journal/format.ts';
import { encodeSegmentHeader, type SegmentHeader } from '../journal/segment.ts';
import { IDENTITY, JournalFixture, SALT } from '../testing/journal-fixture.ts';
import type { Finding } from './damage.ts';
import type { SurveyedSnapshot } from './snapshot-survey.ts';
import { isLeftByRepair, isWhole, type Survey, surveyFolder } from './survey.ts';

/** Five batches of revisions 2 to 6 in segments of two, and the OPEN batches of two starts. */
async function log(): Promise<JournalFixture> {
  const fixture = new JournalFixture({ limits: { segmentBytesMax: 400 } });
  for (const revisions of [
    [2, 3, 4],
    [5, 6],
  ]) {
    const { journal } = await fixture.open();
    for (const revision of revisions) await fixture.put(journal, revision, 'x'.repeat(150));
    fixture.disk.kill();
  }
  return fixture;
}

async function survey(fixture: JournalFixture): Promise<Survey> {
  const surveyed = await fixture.clock.runUntil(surveyFolder(fixture.disk, '/data'));
  assert.deepEqual(fixture.disk.openPaths, []);
  return surveyed;
}

function findingsOf({ findings }: Survey): string[] {
  return findings.map(({ kind, file, offset, bytes, reason }) => {
    return `${kind} ${file.slice(file.lastIndexOf('/') + 1)} ${offset}+${bytes}: ${reason}`;
  });
}

function header(changed: Partial<SegmentHeader>): Uint8Array {
  const common = { format: 3, identity: IDENTITY, firstSequence: 100, epoch: 9, previousCrc: 0, salt: SALT };
  return encodeSegmentHeader({ ...common, headerBytes: SEGMENT_HEADER_BYTES, ...changed });
}

test('of a whole log the last numbers are known, and whose it is', async () => {
  const found = await survey(await log());
  assert.deepEqual(findingsOf(found), []);
  assert.ok(isWhole(found));
  assert.deepEqual(found.identity, IDENTITY);
  // Batch 1 and 5 are OPEN.
  assert.deepEqual([found.sequence, found.epoch, found.revision], [7, 2, 6]);
  assert.equal(found.durableSequence, 6, 'as the last batch says of those before it');
  assert.deepEqual(
    [found.cut, found.cutBatches, found.refusal, found.base],
    [undefined, undefined, undefined, undefined],
  );
});

test('an empty folder has nothing, and nothing is wrong with it', async () => {
  const found = await survey(new JournalFixture());
  assert.deepEqual([found.sequence, found.epoch, found.revision, found.durableSequence], [0, 0, 0, 0]);
  assert.deepEqual([found.identity, found.segments, found.findings], [undefined, [], []]);
});

test('a segment that holds nothing yet says how far the log had come', async () => {
  const fixture = await log();
  fixture.disk.place(fixture.segmentPath(100), header({ previousCrc: 5 }));
  const found = await survey(fixture);
  assert.deepEqual([found.sequence, found.epoch, found.durableSequence], [100, 9, 99]);
});

test('a damaged batch whose header is good counts with its numbers', async () => {
  const fixture = await log();
  const path = [...fixture.disk.snapshot().keys()].sort().at(-1) ?? '';
  const bytes = fixture.disk.bytes(path);
  bytes[bytes.lastIndexOf(0x78)] ^= 1;
  fixture.disk.place(path, bytes);
  const found = await survey(fixture);
  assert.deepEqual([found.sequence, found.epoch, found.revision], [7, 2, 6]);
});

test('files that are not of the log are told, files of the log that hold nothing are not', async () => {
  const fixture = await log();
  for (const name of ['notes', '0000000000000009.wal.new', '0000000000000009.wal.spare'])
    fixture.disk.place(`${fixture.segmentFolder}/${name}`, Buffer.from('x'));
  const found = await survey(fixture);
  assert.match(findingsOf(found).join(), /^foreign notes 0\+\S+: .*is not a file of the log; move it away$/);
  assert.equal(found.findings.length, 1);
  assert.ok(!isWhole(found));
});

test('a segment of another cluster, or of a newer format, is foreign', async () => {
  for (const [changed, says] of [
    [
      { identity: { ...IDENTITY, clusterId: 5n } },
      /^foreign 0{14}64\.wal 0\+\S+: it belongs to another cluster than the files before it/,
    ],
    [
      { identity: { ...IDENTITY, clusterId: 5n }, previousCrc: 0 },
      /^foreign 0{14}64\.wal 0\+\S+: it belongs to another cluster than the files before it/,
    ],
    [{ format: 4 }, /^foreign 0{14}64\.wal 0\+\S+: .*has format 4/],
  ] as const) {
    const fixture = await log();
    fixture.disk.place(fixture.segmentPath(100), header({ previousCrc: 3, ...changed }));
    const found = await survey(fixture);
    assert.ok(
      findingsOf(found).some((line) => says.test(line)),
      `${findingsOf(found)}`,
    );
    assert.ok(found.refusal !== undefined);
    assert.ok(!found.findings.some(({ kind }) => kind === 'leftover'), 'nothing that a repair would remove');
  }
});

test('what a repair left is an empty segment that names no batch before it, and no other', async () => {
  const left = header({});
  for (const [bytes, sequence, isLeft] of [
    [left, 100, true],
    [Buffer.concat([left, Buffer.alloc(1)]), 100, false],
    [header({ previousCrc: 1 }), 100, false],
    [header({ firstSequence: 101 }), 100, true],
  ] as const) {
    const fixture = await log();
    fixture.disk.place(fixture.segmentPath(sequence), bytes);
    const found = await survey(fixture);
    const leftover = findingsOf(found).filter((line) => line.startsWith('leftover'));
    assert.equal(leftover.length, isLeft ? 1 : 0, `${findingsOf(found)}`);
    if (isLeft) assert.match(leftover[0], /^leftover 0{14}64\.wal 0\+64: made by a repair/);
    assert.equal(
      found.segments.some(({ firstSequence }) => firstSequence === 100),
      !isLeft,
    );
  }
  const first = new JournalFixture();
  await first.clock.runUntil(first.disk.ensureDirectory(first.segmentFolder));
  first.disk.place(first.segmentPath(1), header({ firstSequence: 1 }));
  assert.equal((await survey(first)).segments.length, 1, 'the first segment of a log is none');
});

test('only a good snapshot makes the segment behind it the beginning of a log', async () => {
  const fixture = await log();
  fixture.disk.place(fixture.segmentPath(100), header({ previousCrc: 1 }));
  const [segment] = (await survey(fixture)).segments.slice(-1);
  assert.ok(segment.header !== undefined);
  const left = { ...segment, header: { ...segment.header, previousCrc: 0 } };
  const snapshotOf = (sequence: number, isGood: boolean): SurveyedSnapshot => {
    const error = isGood ? undefined : new CorruptionError('snapshot', 0, 'damaged');
    return { path: 'snapshot', sequence, bytes: 0, header: undefined, trailer: undefined, error };
  };
  assert.ok(isLeftByRepair(left, []));
  assert.ok(isLeftByRepair(left, [snapshotOf(98, true), snapshotOf(99, false)]));
  assert.ok(!isLeftByRepair(left, [snapshotOf(98, true), snapshotOf(99, true)]));
  assert.ok(!isLeftByRepair(segment, []));
});

test('whole is what starts and has no damage', async () => {
  const { findings } = await survey(await log());
  const [torn, flipped] = [false, true].map((isDamage) => {
    return {
      kind: 'torn',
      file: 'f',
      offset: 0,
      bytes: 1,
      sequences: undefined,
      revisions: undefined,
      reason: '',
      isDamage,
    };
  }) as [Finding, Finding];
  assert.ok(isWhole({ refusal: undefined, findings: [...findings, torn] }));
  assert.ok(!isWhole({ refusal: undefined, findings: [torn, flipped] }));
  assert.ok(!isWhole({ refusal: 'refused', findings: [] }));
});

test('where the disk fails what recovery reads, nothing is said of the log', async () => {
  const fixture = await log();
  const opens: string[] = [];
  fixture.disk.onOperation = (operation, path) => void opens.push(`${operation} ${path}`);
  await survey(fixture);
  // The last time that the first segment is opened it is by recovery.
  const last = opens.lastIndexOf(`open ${fixture.segmentPath()}`);
  let count = 0;
  fixture.disk.onOperation = () => {
    if (count++ === last) fixture.disk.faults.push({ operation: 'open', pathPart: '/wal/', times: 1, code: 'EMFILE' });
  };
  await assert.rejects(survey(fixture), { code: 'EMFILE' });
});

test('a header that is damaged, of another segment, or that the disk cannot read, is told', async () => {
  const damaged = await log();
  const bytes = damaged.disk.bytes(damaged.segmentPath());
  bytes[20] ^= 1;
  damaged.disk.place(damaged.segmentPath(), bytes);
  assert.match(findingsOf(await survey(damaged))[0], /^header 0{15}1\.wal 0\+64: the checksum of the segment header/);

  const unreadable = await log();
  unreadable.disk.faults.push({ operation: 'read', pathPart: segmentOf(1), times: 1, code: 'EIO' });
  assert.match(
    findingsOf(await survey(unreadable))[0],
    /^header 0{15}1\.wal 0\+64: the disk cannot read the segment header/,
  );

  const refused = await log();
  refused.disk.faults.push({ operation: 'read', pathPart: segmentOf(1), times: 1, code: 'EACCES' });
  await assert.rejects(survey(refused), { code: 'EACCES' });
  const unlisted = await log();
  unlisted.disk.faults.push({ operation: 'list', pathPart: '/wal', times: 1, code: 'EACCES' });
  await assert.rejects(survey(unlisted), { code: 'EACCES' });

  const renamed = await log();
  const content = renamed.disk.bytes(renamed.segmentPath());
  renamed.disk.remove(renamed.segmentPath());
  renamed.disk.place(renamed.segmentPath(2), content);
  const lines = findingsOf(await survey(renamed));
  assert.ok(
    lines.some((line) => /^header .*the segment begins at batch 1, its name says otherwise/.test(line)),
    `${lines}`,
  );
});

function segmentOf(firstSequence: number): string {
  return `${firstSequence.toString(16).padStart(16, '0')}.wal`;
}

test('where every header is damaged, the first effect of a log tells whose it is', async () => {
  for (const [firstType, identity] of [
    [8, IDENTITY],
    [7, undefined],
  ] as const) {
    const fixture = new JournalFixture();
    const { journal } = await fixture.open();
    await fixture.put(journal, 2, 'some value');
    fixture.disk.kill();
    const path = fixture.segmentPath();
    const bytes = fixture.disk.bytes(path);
    bytes[20] ^= 1;
    assert.equal(bytes[SEGMENT_HEADER_BYTES + 64], 8, 'META');
    // With another effect in front its checksum does not match, and nothing is whose it is.
    bytes[SEGMENT_HEADER_BYTES + 64] = firstType;
    fixture.disk.place(path, bytes);
    assert.deepEqual((await survey(fixture)).identity, identity);
  }
});
