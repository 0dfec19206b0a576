import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertRefused, baseAt, IDENTITY, JournalFixture } from '../testing/journal-fixture.ts';
import { CorruptionError, ForeignLogError } from './errors.ts';
import { SEGMENT_HEADER_BYTES } from './format.ts';
import type { JournalIdentity } from './journal.ts';
import { readLog } from './recovery.ts';
import { createSegment } from './segment.ts';

const VALUES = ['alpha', 'beta-beta', 'gamma', 'delta-delta-delta', 'epsilon'];

interface WrittenLog {
  readonly fixture: JournalFixture;
  readonly bytes: Uint8Array;
  /** Where each batch begins, and where the log ends: the OPEN batch, one for each value, CLEAN if asked for. */
  readonly offsets: number[];
}

/** One segment: OPEN, then a batch for each value. */
async function writeLog(options: { isClean?: boolean } = {}): Promise<WrittenLog> {
  const fixture = new JournalFixture();
  const { journal } = await fixture.open();
  const path = fixture.segmentPath();
  const offsets = [SEGMENT_HEADER_BYTES];
  offsets.push(fixture.disk.bytes(path).length);
  for (const [index, value] of VALUES.entries()) {
    await fixture.put(journal, index + 2, value);
    offsets.push(fixture.disk.bytes(path).length);
  }
  if (options.isClean === true) await fixture.close(journal, VALUES.length + 1);
  fixture.disk.kill();
  return { fixture, bytes: fixture.disk.bytes(path), offsets };
}

function linesOf(count: number): string[] {
  return VALUES.slice(0, Math.max(0, count)).map((value) => `put 0 ${value}`);
}

test('a log is replayed in order and goes on after its end', async () => {
  const { fixture } = await writeLog();
  const { journal, recovery } = await fixture.open();
  assert.deepEqual(fixture.visitor.lines, linesOf(5));
  assert.deepEqual(recovery.identity, IDENTITY);
  assert.equal(recovery.isNew, false);
  assert.equal(recovery.isClean, false);
  assert.equal(recovery.revision, 6);
  assert.deepEqual([recovery.batches, recovery.effects], [6, 8]);
  assert.equal(recovery.cut, undefined);
  assert.equal(journal.epoch, 2);
  await fixture.put(journal, 7, 'more');
  fixture.disk.kill();
  await fixture.open();
  assert.deepEqual(fixture.visitor.lines, [...linesOf(5), 'put 0 more']);
});

test('cut anywhere, the log gives the whole batches before the cut and can be written again', async () => {
  const { fixture, bytes, offsets } = await writeLog();
  const path = fixture.segmentPath();
  for (let size = SEGMENT_HEADER_BYTES; size < bytes.length; size++) {
    fixture.disk.place(path, bytes.subarray(0, size));
    const whole = offsets.filter((offset) => offset <= size).length - 1;
    const { journal, recovery } = await fixture.open();
    assert.deepEqual(fixture.visitor.lines, linesOf(whole - 1), `size ${size}`);
    const isCut = !offsets.includes(size);
    assert.deepEqual(recovery.cut?.offset, isCut ? offsets[whole] : undefined);
    assert.deepEqual(recovery.cut?.bytes, isCut ? size - offsets[whole] : undefined);
    await fixture.put(journal, 50, 'after');
    fixture.disk.kill();
    const again = await fixture.open();
    assert.deepEqual(fixture.visitor.lines, [...linesOf(whole - 1), 'put 0 after']);
    assert.equal(again.recovery.cut, undefined);
    fixture.disk.kill();
  }
});

test('a file without a whole segment header is refused', async () => {
  const { fixture, bytes } = await writeLog();
  for (let size = 0; size < SEGMENT_HEADER_BYTES; size++) {
    fixture.disk.place(fixture.segmentPath(), bytes.subarray(0, size));
    await assertRefused(fixture, CorruptionError, /header is cut off/);
  }
});

test('with any byte changed the log is refused, or ends before the batch of that byte', async () => {
  const { fixture, bytes, offsets } = await writeLog();
  const path = fixture.segmentPath();
  const lastBatch = offsets[offsets.length - 2];
  for (let at = 0; at < bytes.length; at++) {
    for (const mask of [1, 0x80, 0xff]) {
      const damaged = bytes.slice();
      damaged[at] ^= mask;
      fixture.disk.place(path, damaged);
      const opened = await fixture.open().catch((error) => error);
      if (at < lastBatch) {
        assert.ok(opened instanceof CorruptionError || opened instanceof ForeignLogError, `byte ${at}: ${opened}`);
        if (opened instanceof CorruptionError && at >= SEGMENT_HEADER_BYTES) {
          assert.equal(opened.offset, offsets.filter((offset) => offset <= at).at(-1));
        }
      } else {
        // Nothing behind the last batch tells that it was whole once: the end is cut there, and that is told.
        assert.equal(opened.recovery.cut?.offset, lastBatch);
        assert.deepEqual(fixture.visitor.lines, linesOf(4));
      }
      fixture.disk.kill();
    }
  }
});

test('zeros behind the last batch are space set down ahead, a batch that became zeros is a torn one', async () => {
  const { fixture, bytes, offsets } = await writeLog();
  const path = fixture.segmentPath();
  const zeroEnd = new Uint8Array(bytes.length + 5000);
  zeroEnd.set(bytes);
  fixture.disk.place(path, zeroEnd);
  const { recovery } = await fixture.open();
  assert.equal(recovery.cut, undefined);
  assert.equal(recovery.bytes, bytes.length);
  assert.deepEqual(fixture.visitor.lines, linesOf(5));
  fixture.disk.kill();

  const zeroFrom = bytes.slice();
  zeroFrom.fill(0, offsets[5] + 10);
  fixture.disk.place(path, zeroFrom);
  const torn = await fixture.open();
  assert.equal(torn.recovery.cut?.offset, offsets[5]);
  assert.match(torn.recovery.cut?.reason ?? '', /checksum of the batch header/);
  assert.deepEqual(fixture.visitor.lines, linesOf(4));
});

test('a batch of zeros before good ones is damage', async () => {
  const { fixture, bytes, offsets } = await writeLog();
  const damaged = bytes.slice();
  damaged.fill(0, offsets[2], offsets[3]);
  fixture.disk.place(fixture.segmentPath(), damaged);
  const error = await assertRefused(fixture, CorruptionError, /no batch begins here, but later batches are there/);
  assert.equal(error instanceof CorruptionError && error.offset, offsets[2]);
});

test('a batch repeated, left out or out of order is damage', async () => {
  const { fixture, bytes, offsets } = await writeLog();
  const path = fixture.segmentPath();
  const pieces = offsets.slice(0, -1).map((offset, index) => bytes.subarray(offset, offsets[index + 1]));
  const header = bytes.subarray(0, SEGMENT_HEADER_BYTES);
  const arrangements: Record<string, number[]> = {
    repeated: [0, 1, 2, 2, 3, 4, 5],
    'left out': [0, 1, 3, 4, 5],
    'left out before the last': [0, 1, 2, 3, 5],
    'out of order': [0, 1, 3, 2, 4, 5],
    'first repeated': [0, 0, 1, 2, 3],
  };
  for (const [name, order] of Object.entries(arrangements)) {
    fixture.disk.place(path, Buffer.concat([header, ...order.map((index) => pieces[index])]));
    const error = await assertRefused(fixture, CorruptionError, /stands where batch/);
    assert.match(error.message, /later batches/, name);
  }
});

test('an old batch behind the end is cut off', async () => {
  const { fixture, bytes, offsets } = await writeLog();
  const stale = bytes.subarray(offsets[1], offsets[3]);
  fixture.disk.place(fixture.segmentPath(), Buffer.concat([bytes, stale]));
  const { recovery } = await fixture.open();
  assert.equal(recovery.cut?.offset, bytes.length);
  assert.deepEqual(fixture.visitor.lines, linesOf(5));
});

test('a batch that continues another history is not taken, though its number fits', async () => {
  const { fixture, bytes, offsets } = await writeLog();
  const other = new JournalFixture();
  const { journal } = await other.open();
  await other.put(journal, 2, 'ALPHA');
  await other.put(journal, 3, 'beta-beta');
  const otherBytes = other.disk.bytes(other.segmentPath());
  const spliced = Buffer.concat([bytes.subarray(0, offsets[2]), otherBytes.subarray(offsets[2])]);
  fixture.disk.place(fixture.segmentPath(), spliced);
  const { recovery } = await fixture.open();
  assert.match(recovery.cut?.reason ?? '', /does not follow/);
  assert.deepEqual(fixture.visitor.lines, linesOf(1));
});

test('a batch of an earlier epoch behind the end proves no damage', async () => {
  const { fixture, bytes, offsets } = await writeLog();
  const path = fixture.segmentPath();
  fixture.disk.place(path, bytes.subarray(0, offsets[3]));
  await fixture.open();
  fixture.disk.kill();
  const stale = bytes.subarray(offsets[5], offsets[6]);
  fixture.disk.place(path, Buffer.concat([fixture.disk.bytes(path), stale]));
  const { recovery } = await fixture.open();
  assert.equal(recovery.cut?.bytes, stale.length);
  assert.deepEqual(fixture.visitor.lines, linesOf(2));
});

test('another cluster, a newer format and foreign files are refused by name', async () => {
  const { fixture, bytes } = await writeLog();
  await assertRefused(fixture, ForeignLogError, /belongs to cluster edcba98765432.*not to 5$/, { clusterId: 5n });
  const foreign = { ...baseAt(1), clusterId: 5n };
  await assertRefused(fixture, ForeignLogError, /^base belongs to cluster 5, the log to edcba/, { base: foreign });

  const newer = bytes.slice();
  newer[8] = 4;
  fixture.disk.place(fixture.segmentPath(), newer);
  await assertRefused(fixture, ForeignLogError, /has format 4; this program reads up to 3/);

  fixture.disk.place(fixture.segmentPath(), bytes);
  fixture.disk.place(`${fixture.segmentFolder}/notes.txt`, Buffer.from('mine'));
  await assertRefused(fixture, ForeignLogError, /notes.txt is not a file of the log/);
});

test('an unfinished segment creation is removed', async () => {
  const { fixture } = await writeLog();
  fixture.disk.place(`${fixture.segmentPath(7)}.new`, Buffer.from('half a header'));
  await fixture.open();
  assert.deepEqual(fixture.visitor.lines, linesOf(5));
  assert.equal(fixture.disk.snapshot().has(`${fixture.segmentPath(7)}.new`), false);
});

/** What a repair makes before its snapshot. */
async function leaveSegment(
  { disk, clock, segmentFolder }: JournalFixture,
  firstSequence: number,
  identity: JournalIdentity = IDENTITY,
): Promise<void> {
  const common = { format: 1, salt: 0, headerBytes: SEGMENT_HEADER_BYTES };
  const header = { ...common, identity, firstSequence, epoch: 9, previousCrc: 0 };
  const file = await clock.runUntil(createSegment(disk, segmentFolder, header, false));
  await file.close();
}

test('the empty segment of an interrupted repair is passed over and removed, unless it is all there is', async () => {
  const { fixture, offsets } = await writeLog();
  await leaveSegment(fixture, 100);
  await fixture.open();
  assert.deepEqual(fixture.visitor.lines, linesOf(5));
  assert.deepEqual(await fixture.clock.runUntil(fixture.disk.list(fixture.segmentFolder)), ['0000000000000001.wal']);
  fixture.disk.kill();

  // A refusal is the one that it was.
  const path = fixture.segmentPath();
  const bytes = fixture.disk.bytes(path);
  bytes[offsets[2] + 70] ^= 1;
  fixture.disk.place(path, bytes);
  const before = await assertRefused(fixture, CorruptionError, /but later batches are there/);
  await leaveSegment(fixture, 100);
  assert.equal((await assertRefused(fixture, CorruptionError, /./)).message, before.message);

  fixture.disk.remove(path);
  await assertRefused(fixture, CorruptionError, /the log begins at batch 100, but batch 1 is needed/);
  // With the snapshot that it goes on from it is the log.
  await fixture.open({ base: baseAt(99) });
  assert.deepEqual(fixture.visitor.lines, []);
});

test("another cluster's empty segment is refused and stays, also where the state before it is in a snapshot", async () => {
  const { fixture } = await writeLog();
  await leaveSegment(fixture, 100, { ...IDENTITY, clusterId: 5n });
  await assertRefused(fixture, ForeignLogError, /0{14}64\.wal belongs to cluster 5, unlike the log before it/);
  await assertRefused(fixture, ForeignLogError, /0{14}64\.wal belongs to cluster 5/, { base: baseAt(3) });
  fixture.disk.remove(fixture.segmentPath());
  await assertRefused(fixture, ForeignLogError, /^base belongs to cluster edcb.*, the log to 5$/, { base: baseAt(3) });
});

test('after a clean end the counter goes on exactly, after a crash from the mark', async () => {
  const fixture = new JournalFixture();
  const first = await fixture.open();
  first.journal.batch.appendMark(1000);
  await fixture.put(first.journal, 2, 'shown');
  await fixture.close(first.journal, 17);
  const second = await fixture.open();
  assert.equal(second.recovery.isClean, true);
  assert.equal(second.recovery.revision, 17);
  second.journal.batch.appendMark(1017);
  await fixture.put(second.journal, 18, 'shown too');
  fixture.disk.crash('keep');
  const third = await fixture.open();
  assert.equal(third.recovery.isClean, false);
  assert.equal(third.recovery.revision, 1017);
  fixture.disk.crash('keep');
  assert.equal((await fixture.open()).recovery.revision, 1017);
});

test('what later batches tell to have been durable is known to the byte', async () => {
  const { fixture, offsets } = await writeLog();
  const { disk, segmentFolder: folder } = fixture;
  const found = await fixture.clock.runUntil(readLog({ disk, folder, visitor: fixture.visitor }));
  // The last batch was written when all before it were durable.
  assert.equal(found.provenBytes, offsets.at(-2));
  await fixture.open();
  const written: string[] = [];
  fixture.disk.onOperation = (operation) => void written.push(operation);
  await fixture.clock.runUntil(readLog({ disk, folder, visitor: fixture.visitor }));
  assert.ok(!written.includes('write'), 'reading writes nothing');
});
