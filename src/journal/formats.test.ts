// Logs of the formats before, and logs whose files had been segments before.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { appendPut, baseAt, IDENTITY, JournalFixture, SALT } from '../testing/journal-fixture.ts';
import { BatchWriter } from './batch-writer.ts';
import { CorruptionError } from './errors.ts';
import { crcSeedOf, readUint32 } from './format.ts';
import { IGNORING_VISITOR, type Journal } from './journal.ts';
import type { CompletedBatch } from './log-times.ts';
import { readLog } from './recovery.ts';
import { decodeSegmentHeader, encodeSegmentHeader } from './segment.ts';

interface OldLog {
  readonly fixture: JournalFixture;
  readonly bytes: Uint8Array;
}

/** As an older format was written: two segments, OPEN and a batch for each of the revisions 2 to 5; the second one is empty if asked for. */
function writeOldLog(isLastEmpty: boolean, format = 1): OldLog {
  const fixture = new JournalFixture();
  const segments: Uint8Array[][] = [];
  const salt = format === 1 ? 0 : SALT;
  let previousCrc = 0;
  const begin = (firstSequence: number): void => {
    const header = { format, identity: IDENTITY, firstSequence, epoch: 1, previousCrc, salt, headerBytes: 64 };
    segments.push([encodeSegmentHeader(header)]);
  };
  begin(1);
  for (let sequence = 1; sequence <= 5; sequence++) {
    const batch = new BatchWriter(1000);
    if (sequence === 1) {
      batch.appendMeta(IDENTITY);
      batch.appendOpen(1);
    } else {
      batch.beginRevision(sequence, 'fsync');
      batch.appendPut(0, Buffer.from(`old ${sequence}`), 0, 5);
    }
    if (sequence === 4 && !isLastEmpty) begin(4);
    const crcSeed = crcSeedOf(IDENTITY.clusterId, salt);
    previousCrc = batch.seal({ sequence, epoch: 1, durableSequence: sequence - 1, previousCrc, crcSeed, alignment: 8 });
    segments[segments.length - 1].push(batch.view());
  }
  if (isLastEmpty) begin(6);
  void fixture.disk.ensureDirectory(fixture.segmentFolder);
  const files = segments.map((pieces) => Buffer.concat(pieces));
  fixture.disk.place(fixture.segmentPath(), files[0]);
  fixture.disk.place(fixture.segmentPath(isLastEmpty ? 6 : 4), files[1]);
  return { fixture, bytes: files[1] };
}

const OLD_LINES = ['put 0 old 2', 'put 0 old 3', 'put 0 old 4', 'put 0 old 5'];

for (const [format, isLastEmpty] of [
  [1, false],
  [1, true],
  [2, false],
  [2, true],
] as const) {
  test(`a log of format ${format} goes on in the present one, its last segment ${isLastEmpty ? '' : 'not '}empty`, async () => {
    const { fixture } = writeOldLog(isLastEmpty, format);
    const { journal, recovery } = await fixture.open();
    assert.deepEqual(fixture.visitor.lines, OLD_LINES);
    assert.deepEqual([recovery.revision, journal.epoch, journal.lastSequence], [5, 2, 6]);
    assert.equal(readUint32(fixture.disk.bytes(fixture.segmentPath(6)), 8), 3);
    await fixture.put(journal, 6, 'new');
    fixture.disk.crash('lose');
    const again = await fixture.open();
    assert.deepEqual(fixture.visitor.lines, [...OLD_LINES, 'put 0 new']);
    assert.equal(again.journal.lastSequence, 8, 'in the same segment');
    await fixture.put(again.journal, 7, 'newer');
    await fixture.clock.runUntil(again.journal.trim(6));
    fixture.disk.crash('lose');
    await fixture.open({ base: baseAt(6) });
    assert.deepEqual(fixture.visitor.lines, ['put 0 new', 'put 0 newer']);
  });
}

test('of a log of format 2 it is known that it tells no times, but for what came since', async () => {
  const { fixture } = writeOldLog(false, 2);
  await fixture.open();
  fixture.disk.kill();
  const { disk, clock, segmentFolder } = fixture;
  const timed: boolean[] = [];
  const onBatch = ({ isTimed }: CompletedBatch): void => void timed.push(isTimed);
  await clock.runUntil(readLog({ disk, folder: segmentFolder, visitor: IGNORING_VISITOR, onBatch }));
  assert.deepEqual(timed, [false, false, false, false, false, true]);
});

test('an empty last segment of format 1 is replaced, and stands in the log once', async () => {
  const { fixture } = writeOldLog(true);
  const { journal } = await fixture.open();
  await fixture.put(journal, 6, 'new');
  await fixture.clock.runUntil(journal.trim(journal.lastSequence));
  const names = await fixture.clock.runUntil(fixture.disk.list(fixture.segmentFolder));
  assert.deepEqual(names, ['0000000000000006.wal']);
  fixture.disk.crash('lose');
  await fixture.open({ base: baseAt(5) });
  assert.deepEqual(fixture.visitor.lines, ['put 0 new']);
});

test('the unfinished end of a log of format 1 is cut, and damage in it is refused', async () => {
  const { fixture, bytes } = writeOldLog(false);
  const path = fixture.segmentPath(4);
  fixture.disk.place(path, bytes.subarray(0, bytes.length - 3));
  const { recovery } = await fixture.open();
  assert.deepEqual(fixture.visitor.lines, OLD_LINES.slice(0, 3));
  assert.equal(recovery.cut?.file, path);
  const damaged = writeOldLog(false);
  const flipped = Uint8Array.from(damaged.bytes);
  flipped[130] ^= 1;
  damaged.fixture.disk.place(path, flipped);
  await assert.rejects(damaged.fixture.open(), CorruptionError);
});

test('a log keeps the salt that it was begun with', async () => {
  const fixture = new JournalFixture({ limits: { segmentBytesMax: 400 } });
  for (let revision = 2; revision < 12; revision++) {
    const { journal } = await fixture.open({ salt: revision });
    await fixture.put(journal, revision, 'x'.repeat(100));
    fixture.disk.kill();
  }
  await fixture.open();
  assert.equal(fixture.visitor.lines.length, 10);
  const paths = [...fixture.disk.snapshot().keys()].filter((path) => path.endsWith('.wal'));
  assert.ok(paths.length > 2);
  for (const path of paths) assert.equal(decodeSegmentHeader(path, fixture.disk.bytes(path)).salt, 2);
});

/** A header of a batch that does not exist, which says that all before it is durable, at each offset from a multiple of 8. */
function forgedValue(salt: number): string {
  const batch = new BatchWriter(1000);
  batch.appendMark(1);
  const crcSeed = crcSeedOf(IDENTITY.clusterId, salt);
  batch.seal({
    sequence: 2 ** 40,
    epoch: 2 ** 40,
    durableSequence: 2 ** 40 - 1,
    previousCrc: 0,
    crcSeed,
    alignment: 8,
  });
  const header = Buffer.from(batch.view());
  return Buffer.concat(Array.from({ length: 8 }, () => [header, Buffer.alloc(1)]).flat()).toString('latin1');
}

for (const salt of [0, SALT + 1, SALT]) {
  const canForge = salt === SALT;
  test(`what a client writes ${canForge ? 'could be' : 'is not'} taken for a batch ${canForge ? 'if it knew the salt' : ''}`, async () => {
    const fixture = new JournalFixture();
    const { journal } = await fixture.open();
    const forged = Buffer.from(forgedValue(salt), 'latin1');
    journal.batch.beginRevision(2, 'fsync');
    journal.batch.appendPut(0, forged, 0, forged.length);
    journal.commit();
    await fixture.clock.runAll();
    fixture.disk.kill();
    const bytes = fixture.disk.bytes(fixture.segmentPath());
    // The batch has not arrived whole.
    fixture.disk.place(fixture.segmentPath(), bytes.subarray(0, bytes.length - 8));
    const opened = await fixture.open().catch((error: unknown) => error);
    assert.equal(opened instanceof CorruptionError, canForge);
  });
}

/** Two batches in a file that was a segment before, and where each begins; behind them is what that left. */
async function reusedSegment(): Promise<{
  fixture: JournalFixture;
  path: string;
  offsets: number[];
  bytes: Uint8Array;
}> {
  const fixture = new JournalFixture({ limits: { segmentBytesMax: 1512 } });
  const { journal } = await fixture.open();
  const put = async (open: Journal, first: number, last: number): Promise<void> => {
    for (let revision = first; revision <= last; revision++) await fixture.put(open, revision, 'x'.repeat(150));
  };
  await put(journal, 2, 8);
  await fixture.clock.runUntil(journal.trim(journal.lastSequence));
  await put(journal, 9, 15);
  const [path] = [...fixture.disk.snapshot().keys()].filter((name) => name.endsWith('.wal')).slice(-1);
  fixture.disk.kill();
  const bytes = fixture.disk.bytes(path);
  const offsets = [64];
  for (;;) {
    const at = offsets[offsets.length - 1];
    if (readUint32(bytes, at + 16) !== Number.parseInt(path.slice(-20, -4), 16) + offsets.length - 1) break;
    offsets.push(at + Math.ceil((64 + readUint32(bytes, at + 56)) / 8) * 8);
  }
  return { fixture, path, offsets, bytes };
}

test('behind the end of a file that is used again: its end, a torn one, or damage', async () => {
  const { fixture, path, offsets, bytes } = await reusedSegment();
  const [, second, end] = offsets;
  assert.ok(offsets.length === 3 && bytes.length > end + 500, `${offsets} of ${bytes.length}`);
  const base = baseAt(8);
  const outcome = async (change: (damaged: Uint8Array) => void): Promise<string> => {
    const damaged = Uint8Array.from(bytes);
    change(damaged);
    fixture.disk.place(path, damaged);
    const before = fixture.disk.snapshot();
    const opened = await fixture.open({ base }).catch((error: unknown) => error);
    fixture.disk.kill();
    for (const [name, text] of before) fixture.disk.place(name, Buffer.from(text, 'latin1'));
    if (opened instanceof CorruptionError) return `refused at ${opened.offset}`;
    const { recovery } = opened as Awaited<ReturnType<typeof fixture.open>>;
    return `${fixture.visitor.lines.length} batches, ${recovery.cut === undefined ? 'whole' : `cut at ${recovery.cut.offset}`}`;
  };
  const flip = (at: number): Promise<string> => {
    return outcome((damaged) => {
      damaged[at] ^= 1;
    });
  };
  assert.equal(await outcome(() => {}), '7 batches, whole');
  assert.equal(await flip(end + 90), '7 batches, whole', 'in what an earlier segment left');
  assert.equal(await flip(end - 9), `6 batches, cut at ${second}`, 'a torn body');
  assert.equal(await flip(second + 20), '6 batches, whole', 'a header that never arrived');
  assert.equal(await flip(offsets[0] + 80), 'refused at 64', 'the next one says that it was durable');
  assert.equal(await outcome((all) => all.fill(0, end)), '7 batches, whole', 'zeros');
  assert.equal(await outcome((all) => all.fill(0xff, end)), `7 batches, cut at ${end}`, 'nothing that is known');
});

test('batches behind a torn one are gone for good when the log goes on, in its segment and in the next', async () => {
  const fixture = new JournalFixture({ limits: { segmentBytesMax: 1500 } });
  const { journal } = await fixture.open();
  const path = fixture.segmentPath();
  const torn = fixture.disk.bytes(path).length;
  for (const [revision, length] of [
    [2, 400],
    [3, 100],
  ]) {
    appendPut(journal, revision, 'x'.repeat(length), 'fsync');
    journal.commit();
  }
  await fixture.clock.runAll();
  fixture.disk.kill();
  const bytes = Uint8Array.from(fixture.disk.bytes(path));
  bytes[torn + 100] ^= 1;
  fixture.disk.place(path, bytes);
  const { recovery } = await fixture.open();
  assert.deepEqual([recovery.cut?.offset, recovery.cut?.bytes], [torn, bytes.length - torn], 'both');
  fixture.disk.crash('lose');
  const again = await fixture.open();
  assert.equal(again.recovery.cut, undefined, 'the second one is not met again');
  await fixture.put(again.journal, 2, 'x'.repeat(1400));
  fixture.disk.crash('lose');
  await fixture.open();
  assert.equal(fixture.visitor.lines.length, 1, 'in a segment of its own, and the one before it is good');
});

test('behind the end of a segment that is not the last, batches of an earlier one are none, and its own are damage', async () => {
  const fixture = new JournalFixture({ limits: { segmentBytesMax: 600 } });
  const { journal } = await fixture.open();
  const firsts: number[] = [];
  for (let revision = 2; revision <= 7; revision++) {
    const { size } = fixture.disk.snapshot();
    await fixture.put(journal, revision, 'x'.repeat(300));
    if (fixture.disk.snapshot().size > size) firsts.push(journal.lastSequence);
  }
  fixture.disk.kill();
  const [before, path] = firsts.map((first) => fixture.segmentPath(first));
  const bytes = fixture.disk.bytes(path);
  for (const [name, source, isRefused] of [
    ['of an earlier one', fixture.disk.bytes(before), false],
    ['its own', bytes, true],
  ] as const) {
    fixture.disk.place(path, Buffer.concat([bytes, source.subarray(64)]));
    const opened = await fixture.open().catch((error: unknown) => error);
    fixture.disk.kill();
    assert.equal(opened instanceof CorruptionError && opened.offset === bytes.length, isRefused, name);
    if (!isRefused) assert.equal(fixture.visitor.lines.length, 6);
  }
});
