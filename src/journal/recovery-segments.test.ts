// Logs of several segments, and logs that go on from a base.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertRefused, baseAt, commitPut, IDENTITY, JournalFixture, SALT } from '../testing/journal-fixture.ts';
import { BatchReader } from './batch-reader.ts';
import { BatchWriter } from './batch-writer.ts';
import { CorruptionError, ForeignLogError } from './errors.ts';
import { BATCH_HEADER_BYTES, crcSeedOf, FORMAT_VERSION, SEGMENT_HEADER_BYTES } from './format.ts';
import { IGNORING_VISITOR, type LogBase } from './journal.ts';
import { logBegin, readLog } from './recovery.ts';
import { decodeSegmentHeader, encodeSegmentHeader, type SegmentHeader } from './segment.ts';

/** Three segments or more, of several batches each; batch 1 is OPEN, batch n puts revision n. */
async function writeSegments(lastRevision = 11): Promise<{ fixture: JournalFixture; starts: number[] }> {
  const fixture = new JournalFixture({ limits: { segmentBytesMax: 400 } });
  const { journal } = await fixture.open();
  for (let revision = 2; revision <= lastRevision; revision++)
    await fixture.put(journal, revision, `value ${revision}`);
  fixture.disk.kill();
  const names = [...fixture.disk.snapshot().keys()].sort();
  assert.ok(names.length >= 3);
  return { fixture, starts: names.map((name) => Number.parseInt(name.slice(-20, -4), 16)) };
}

test('a log of several segments is replayed whole, and may begin late when that is asked for', async () => {
  const { fixture, starts } = await writeSegments();
  const expected = Array.from({ length: 10 }, (_, index) => `put 0 value ${index + 2}`);
  await fixture.open();
  assert.deepEqual(fixture.visitor.lines, expected);
  fixture.disk.kill();

  const { journal } = await fixture.open();
  await fixture.clock.runUntil(journal.trim(starts[1] + 1));
  assert.deepEqual([...fixture.disk.snapshot().keys()].sort()[0], fixture.segmentPath(starts[1]));
  fixture.disk.kill();
  await assertRefused(fixture, CorruptionError, /but batch 1 is needed; no good snapshot/);
  const base = baseAt(starts[1] - 2);
  await assertRefused(fixture, CorruptionError, /but batch \d+ is needed; that is what follows base/, { base });
  await fixture.open({ base: baseAt(starts[1]) });
  // Batch 1 is OPEN, batch n puts revision n.
  assert.deepEqual(fixture.visitor.lines, expected.slice(starts[1] - 1));
});

test('what a base holds is not applied again, and segments that it holds whole are not read', async () => {
  const { fixture, starts } = await writeSegments();
  const rotten = Buffer.from('rotten, but not needed');
  fixture.disk.place(fixture.segmentPath(starts[0]), rotten);
  const { clock, disk, segmentFolder: folder } = fixture;
  const { segments } = await clock.runUntil(readLog({ disk, folder, visitor: IGNORING_VISITOR, base: baseAt(9) }));
  assert.equal(segments[0].bytes, rotten.length, 'it takes its room');
  const { recovery, journal } = await fixture.open({ base: baseAt(9, 1000) });
  assert.deepEqual(fixture.visitor.lines, ['put 0 value 10', 'put 0 value 11']);
  assert.equal(recovery.revision, 1000);
  assert.equal(journal.epoch, 2);
  assert.ok(journal.storedBytes > recovery.bytes);
});

test('a base at the very end of the log goes on in the next epoch', async () => {
  const { fixture } = await writeSegments();
  const { recovery, journal } = await fixture.open({ base: baseAt(11) });
  assert.deepEqual([recovery.replayedBytes, journal.epoch, journal.lastSequence], [0, 2, 12]);
  assert.deepEqual(fixture.visitor.lines, []);
});

test('a base newer than the end of the log is refused', async () => {
  const { fixture, starts } = await writeSegments();
  const newer = /^base is newer than the log: it holds batch 12, and \/data\/wal ends at batch 11/;
  await assertRefused(fixture, ForeignLogError, newer, { base: baseAt(12) });
  const last = fixture.segmentPath(starts.at(-1) ?? 0);
  const bytes = fixture.disk.bytes(last);
  fixture.disk.place(last, bytes.subarray(0, bytes.length - 3));
  await assertRefused(fixture, CorruptionError, /but base holds batches up to 11/, { base: baseAt(11) });
  for (const start of starts) fixture.disk.remove(fixture.segmentPath(start));
  await assertRefused(fixture, ForeignLogError, /ends at batch 0/, { base: baseAt(11) });
});

test('the end of an orderly shutdown counts although the base knows a higher mark', async () => {
  const fixture = new JournalFixture();
  const { journal } = await fixture.open();
  journal.batch.appendMark(1000);
  await fixture.put(journal, 2, 'shown');
  await fixture.close(journal, 17);
  assert.equal((await fixture.open({ base: baseAt(2, 1000) })).recovery.revision, 17);
});

test('damage in a segment that is not the last is refused, whatever it is', async () => {
  const { fixture, starts } = await writeSegments();
  const path = fixture.segmentPath(starts[1]);
  const bytes = fixture.disk.bytes(path);
  for (let at = 0; at < bytes.length; at += 3) {
    const damaged = bytes.slice();
    damaged[at] ^= 4;
    fixture.disk.place(path, damaged);
    await assertRefused(fixture, at >= 8 && at < 12 ? ForeignLogError : CorruptionError, /./);
  }
  fixture.disk.place(path, bytes.subarray(0, bytes.length - 8));
  await assertRefused(fixture, CorruptionError, /cut off/);
  fixture.disk.remove(path);
  await assertRefused(fixture, CorruptionError, /ends at batch .* goes on at batch/);
});

test('a segment of another cluster or member in the middle of a log is named as that', async () => {
  const { fixture, starts } = await writeSegments();
  const path = fixture.segmentPath(starts[1]);
  const bytes = fixture.disk.bytes(path);
  const header = decodeSegmentHeader(path, bytes);
  for (const identity of [
    { ...IDENTITY, clusterId: 5n },
    { ...IDENTITY, memberId: 5n },
  ]) {
    const foreign = Buffer.concat([encodeSegmentHeader({ ...header, identity }), bytes.subarray(SEGMENT_HEADER_BYTES)]);
    fixture.disk.place(path, foreign);
    await assertRefused(fixture, ForeignLogError, /belongs to cluster .*, unlike the log before it/);
  }
});

test('reserved space at the end of a segment that is not the last does no harm', async () => {
  const { fixture, starts } = await writeSegments();
  const path = fixture.segmentPath(starts[1]);
  const bytes = fixture.disk.bytes(path);
  const reserved = new Uint8Array(bytes.length + 1000);
  reserved.set(bytes);
  fixture.disk.place(path, reserved);
  const { recovery } = await fixture.open();
  assert.equal(recovery.cut, undefined);
  assert.equal(fixture.visitor.lines.length, 10);
});

test('the first batch of a log is known by the names of its files', async () => {
  const { fixture, starts } = await writeSegments();
  const { clock, disk, segmentFolder } = fixture;
  assert.equal(await clock.runUntil(logBegin(disk, segmentFolder)), 1);
  disk.remove(fixture.segmentPath());
  assert.equal(await clock.runUntil(logBegin(disk, segmentFolder)), starts[1]);
  assert.equal(await clock.runUntil(logBegin(disk, '/nowhere')), undefined);
});

test('reading begins at the segment of the first batch that is needed, and says how far it is', async () => {
  const { fixture, starts } = await writeSegments();
  const { clock, disk, segmentFolder: folder } = fixture;
  const read = async (
    base: LogBase | undefined,
  ): Promise<{ told: string[]; batches: number; replayedBytes: number }> => {
    const told: string[] = [];
    const onProgress = (done: number, count: number): number => told.push(`${done} of ${count}`);
    const found = await clock.runUntil(readLog({ disk, folder, visitor: IGNORING_VISITOR, base, onProgress }));
    assert.deepEqual(disk.openPaths, []);
    return { told, batches: found.batches, replayedBytes: found.replayedBytes };
  };
  const sizes = starts.map((start) => disk.bytes(fixture.segmentPath(start)).length - SEGMENT_HEADER_BYTES);
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  const count = starts.length;
  const progress = (segments: number): string[] =>
    Array.from({ length: segments }, (_, index) => `${index + 1} of ${segments}`);
  assert.deepEqual(await read(undefined), { told: progress(count), batches: 11, replayedBytes: sum(sizes) });
  // The base ends where a segment does: that one is not read any more.
  const [, second, third] = starts;
  const later = await read(baseAt(third - 1));
  assert.deepEqual(later, { told: progress(count - 2), batches: 12 - third, replayedBytes: sum(sizes.slice(2)) });
  const amid = await read(baseAt(second));
  assert.deepEqual([amid.told, amid.batches], [progress(count - 1), 12 - second]);
  assert.ok(amid.replayedBytes > later.replayedBytes && amid.replayedBytes < sum(sizes.slice(1)));
});

const HEADER: SegmentHeader = {
  format: FORMAT_VERSION,
  identity: IDENTITY,
  firstSequence: 8,
  epoch: 5,
  previousCrc: 77,
  salt: SALT,
  headerBytes: SEGMENT_HEADER_BYTES,
};

/** A log that holds one segment, from batch 8 on: one batch of `epoch`, with a body that may have been spoilt before it was sealed. */
async function segmentOf(epoch: number, spoil: (body: Uint8Array) => void = () => {}): Promise<JournalFixture> {
  const fixture = new JournalFixture();
  const batch = new BatchWriter(1024);
  batch.beginRevision(50, 'fsync');
  batch.appendPut(0, Buffer.from('pair'), 0, 4);
  spoil(batch.view().subarray(BATCH_HEADER_BYTES));
  const place = { sequence: 8, epoch, durableSequence: 7, previousCrc: HEADER.previousCrc, alignment: 8 };
  batch.seal({ ...place, crcSeed: crcSeedOf(IDENTITY.clusterId, SALT) });
  await fixture.clock.runUntil(fixture.disk.ensureDirectory(fixture.segmentFolder));
  fixture.disk.place(fixture.segmentPath(8), Buffer.concat([encodeSegmentHeader(HEADER), batch.view()]));
  return fixture;
}

test('effects that make no sense are damage, although their checksum is good', async () => {
  const base = baseAt(7);
  const good = await segmentOf(5);
  await good.open({ base });
  assert.deepEqual(good.visitor.lines, ['put 0 pair']);
  const unknown = await segmentOf(5, (body) => body.fill(200, 0, 1));
  await assertRefused(unknown, CorruptionError, /at byte 64: effect type 200 is unknown/, { base });
  const long = await segmentOf(5, (body) => body.fill(100, 2, 3));
  await assertRefused(long, CorruptionError, /at byte 64: an effect is cut off/, { base });
});

test('an epoch never goes back, also in a segment that holds nothing yet', async () => {
  const base = baseAt(7);
  const earlier = await segmentOf(4);
  const { recovery } = await earlier.open({ base });
  assert.match(recovery.cut?.reason ?? '', /the epoch goes back from 5 to 4/);
  const fixture = await segmentOf(5);
  fixture.disk.place(fixture.segmentPath(8), encodeSegmentHeader(HEADER));
  const { journal } = await fixture.open({ base });
  assert.equal(journal.epoch, 6);
});

test('of a last segment that is a header only, damaged or of a newer format, the damage before it is told first', async () => {
  for (const [at, own] of [
    [8, ForeignLogError],
    [20, CorruptionError],
  ] as const) {
    const { fixture, starts } = await writeSegments();
    const last = fixture.segmentPath(starts[starts.length - 1]);
    const header = fixture.disk.bytes(last).subarray(0, SEGMENT_HEADER_BYTES);
    header[at] ^= 0x40;
    fixture.disk.place(last, header);
    await assertRefused(fixture, own, /0{15}\w\.wal/);
    fixture.disk.place(fixture.segmentPath(), Buffer.from('no log'));
    await assertRefused(fixture, CorruptionError, /0{15}1\.wal.*cut off/);
  }
});

test('a log whose second segment begins at batch 2 is read from the first one on', async () => {
  const fixture = new JournalFixture({ limits: { segmentBytesMax: 200 } });
  const { journal } = await fixture.open();
  await fixture.put(journal, 2, 'x'.repeat(150));
  fixture.disk.kill();
  assert.ok(fixture.disk.snapshot().has(fixture.segmentPath(2)));
  await fixture.open();
  assert.equal(fixture.visitor.lines.length, 1);
});

test('a segment under another name, or that does not name the batch before it, is damage', async () => {
  const { fixture, starts } = await writeSegments();
  const [, second] = starts;
  const path = fixture.segmentPath(second);
  const bytes = fixture.disk.bytes(path);
  const header = decodeSegmentHeader(path, bytes);
  const { previousCrc, epoch } = header;
  assert.equal(epoch, 1);
  for (const changed of [{ previousCrc: previousCrc ^ 1 }, { epoch: 0 }]) {
    const other = encodeSegmentHeader({ ...header, ...changed });
    fixture.disk.place(path, Buffer.concat([other, bytes.subarray(SEGMENT_HEADER_BYTES)]));
    await assertRefused(fixture, CorruptionError, /at byte 0: the segment does not follow the one before it/);
  }
  fixture.disk.remove(path);
  fixture.disk.place(fixture.segmentPath(second + 1), bytes);
  await assertRefused(fixture, CorruptionError, /at byte 0: the segment begins at batch \d+, its name says otherwise/);
});

test('what is missing between segments is told where it stood, if anything is left of it', async () => {
  const { fixture, starts } = await writeSegments(20);
  const path = fixture.segmentPath(starts[0]);
  const bytes = fixture.disk.bytes(path);
  fixture.disk.place(path, bytes.subarray(0, bytes.length - 8));
  await assertRefused(fixture, CorruptionError, /0{15}1\.wal .*the batch is cut off/);
  // Bytes behind a segment that goes on matter where the next one is missing, and not where a later one is.
  assert.ok(starts.length >= 4);
  const behind = Buffer.concat([bytes, Buffer.alloc(64, 7)]);
  fixture.disk.place(path, behind);
  await fixture.open();
  fixture.disk.kill();
  const [second, third] = starts.slice(1).map((start) => fixture.segmentPath(start));
  const kept = fixture.disk.bytes(second);
  fixture.disk.remove(second);
  await assertRefused(fixture, CorruptionError, /0{15}1\.wal is damaged at byte \d+: no batch begins here/);
  fixture.disk.place(second, kept);
  fixture.disk.remove(third);
  await assertRefused(fixture, CorruptionError, /at byte 0: the log ends at batch \d+ and goes on at batch \d+/);
});

test('a log that does not reach what is known to have been durable is refused', async () => {
  const { fixture } = await writeSegments();
  const { clock, disk, segmentFolder: folder } = fixture;
  const read = (sequence: number, base?: LogBase): Promise<unknown> => {
    const floor = { sequence, file: 'snapshot', offset: 5, reason: 'damaged' };
    return clock.runUntil(readLog({ disk, folder, visitor: IGNORING_VISITOR, floor, base }));
  };
  await read(11);
  const says =
    /^snapshot is damaged at byte 5: damaged; it says that batch 12 was durable, and \/data\/wal ends at batch 11/;
  await assert.rejects(read(12), (error: Error) => error instanceof CorruptionError && says.test(error.message));
  await assert.rejects(read(12, baseAt(11)), CorruptionError);
  disk.faults.push({ operation: 'list', pathPart: 'wal', times: 1, code: 'EACCES' });
  await assert.rejects(read(11), { code: 'EACCES' });
});

test('the end of a log that no batch calls durable is known', async () => {
  const provenOf = async ({ clock, disk, segmentFolder: folder }: JournalFixture): Promise<number> =>
    (await clock.runUntil(readLog({ disk, folder, visitor: IGNORING_VISITOR }))).provenBytes;
  const fixture = new JournalFixture({ limits: { bufferedLossMsMax: 60_000 } });
  const { journal } = await fixture.open();
  const path = fixture.segmentPath();
  const ends: number[] = [];
  for (let revision = 2; revision <= 4; revision++) {
    await fixture.put(journal, revision, `value ${revision}`);
    ends.push(fixture.disk.bytes(path).length);
    // The last batch says that all before it were durable; nobody says so of it.
    assert.equal(await provenOf(fixture), ends.at(-2) ?? (await openEnd(fixture)));
  }
});

test('of an end longer than the places that are kept, and of an empty last segment, nothing is proven', async () => {
  const fixture = new JournalFixture({ limits: { bufferedLossMsMax: 60_000 } });
  const { journal } = await fixture.open();
  const path = fixture.segmentPath();
  const ends = [fixture.disk.bytes(path).length];
  const provenOf = async ({ clock, disk, segmentFolder: folder }: JournalFixture): Promise<number> =>
    (await clock.runUntil(readLog({ disk, folder, visitor: IGNORING_VISITOR }))).provenBytes;
  // Batch 2 and those behind it are written, and no sync has been since batch 1.
  for (let revision = 2; revision <= 1026; revision++) {
    commitPut(journal, revision, 'buffered');
    await fixture.clock.pass(1);
    if (revision === 1025)
      assert.equal(await provenOf(fixture), ends[0], 'the batch behind OPEN is the first of 1,024');
  }
  assert.equal(await provenOf(fixture), 0);

  const small = await writeSegments();
  const last = await small.fixture.clock.runUntil(
    readLog({ disk: small.fixture.disk, folder: small.fixture.segmentFolder, visitor: IGNORING_VISITOR }),
  );
  const { sequence, epoch, crc } = last.chain;
  const header = { format: 3, identity: IDENTITY, salt: SALT, headerBytes: SEGMENT_HEADER_BYTES };
  small.fixture.disk.place(
    small.fixture.segmentPath(sequence + 1),
    encodeSegmentHeader({ ...header, firstSequence: sequence + 1, epoch, previousCrc: crc }),
  );
  assert.equal(await provenOf(small.fixture), 0);
});

/** Where the OPEN batch of a log ends. */
async function openEnd(fixture: JournalFixture): Promise<number> {
  const block = fixture.disk.bytes(fixture.segmentPath());
  const reader = new BatchReader();
  assert.equal(
    reader.readHeader(block, SEGMENT_HEADER_BYTES, block.length, crcSeedOf(IDENTITY.clusterId, SALT)),
    undefined,
  );
  return reader.end;
}

test('a segment whose name was not durable when the process died keeps what is written to it later', async () => {
  const fixture = new JournalFixture({ limits: { segmentBytesMax: 300 } });
  const { journal } = await fixture.open();
  await fixture.put(journal, 2, 'x'.repeat(150));
  fixture.disk.faults.push({ operation: 'syncDirectory', pathPart: 'wal', times: 1, delayMs: 10_000 });
  journal.batch.beginRevision(3, 'fsync');
  journal.batch.appendPut(0, Buffer.from('never written'), 0, 13);
  journal.batch.appendPut(1, Buffer.alloc(150), 0, 150);
  journal.commit();
  await fixture.clock.pass(100);
  fixture.disk.kill();
  const second = await fixture.open();
  await fixture.put(second.journal, 4, 'later');
  fixture.disk.crash('lose');
  await fixture.open();
  assert.equal(fixture.visitor.lines.at(-1), 'put 0 later');
});

test('a long end that nobody calls durable is written again as it was', async () => {
  const fixture = new JournalFixture({ limits: { bufferedLossMsMax: 60_000 } });
  const { journal } = await fixture.open();
  const value = Buffer.alloc(9_000_000, 'long ');
  journal.batch.beginRevision(2, 'buffered');
  journal.batch.appendPut(0, value, 0, value.length);
  journal.commit();
  await fixture.clock.pass(1);
  const before = fixture.disk.bytes(fixture.segmentPath());
  fixture.disk.kill();
  await fixture.open();
  assert.ok(Buffer.from(fixture.disk.bytes(fixture.segmentPath())).subarray(0, before.length).equals(before));
  fixture.disk.crash('lose');
  const { recovery } = await fixture.open();
  assert.deepEqual([recovery.revision, recovery.cut], [2, undefined]);
});

test('a log names its cluster once, and a start that cannot go on with a segment closes it', async () => {
  const fixture = new JournalFixture();
  for (let start = 1; start <= 3; start++) {
    const { journal, recovery } = await fixture.open();
    // META once, then OPEN and TIME of each start.
    assert.equal(recovery.effects, start === 1 ? 0 : 1 + 2 * (start - 1));
    if (start < 3) fixture.disk.kill();
    else await fixture.close(journal, undefined);
  }
  fixture.disk.block = 4096;
  const { journal } = await fixture.open();
  await fixture.close(journal, undefined);
});
