import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BatchWriter } from '../journal/batch-writer.ts';
import { crcSeedOf } from '../journal/format.ts';
import { readLog } from '../journal/recovery.ts';
import { encodeSegmentHeader } from '../journal/segment.ts';
import { IDENTITY, JournalFixture, RecordingVisitor, SALT } from '../testing/journal-fixture.ts';
import { Random } from '../testing/random.ts';
import type { Finding } from './damage.ts';
import { isWhole, type Survey, surveyFolder } from './survey.ts';

const RUNS = Number(process.env.K1M_RUNS ?? 400);

interface Log {
  readonly fixture: JournalFixture;
  /** Offsets of the batches in the first segment; batch n begins at offsets[n − 1]. */
  readonly offsets: readonly number[];
}

/** Nine batches of one put each (after the first, which opens the log), two or more to a segment if it is small. */
async function someLog(segmentBytesMax: number, isEnded = true): Promise<Log> {
  const fixture = new JournalFixture({ limits: { segmentBytesMax } });
  const { journal } = await fixture.open();
  const offsets = [64];
  for (let revision = 2; revision <= 10; revision++) {
    offsets.push(fixture.disk.bytes(fixture.segmentPath()).length);
    await fixture.put(journal, revision, `value ${revision} ${'x'.repeat(revision * 10)}`);
  }
  if (isEnded) await fixture.close(journal, 10);
  else fixture.disk.kill();
  return { fixture, offsets };
}

function survey({ fixture }: Log): Promise<Survey> {
  return fixture.clock.runUntil(surveyFolder(fixture.disk, '/data'));
}

function change({ fixture }: Log, edit: (bytes: Uint8Array) => Uint8Array, segment = 1): void {
  const path = fixture.segmentPath(segment);
  fixture.disk.place(path, edit(fixture.disk.bytes(path)));
}

function text({ kind, offset, bytes, sequences, revisions }: Finding): string {
  const range = (of: Finding['sequences']): string => (of === undefined ? '-' : `${of.first}-${of.last}`);
  return `${kind} at ${offset}+${bytes}: ${range(sequences)}, ${range(revisions)}`;
}

const ONE_SEGMENT = 1 << 20;

/** A whole batch of format 1, at each offset from a multiple of 8. */
function forgedBatches(): Uint8Array {
  const batch = new BatchWriter(1000);
  batch.appendMark(1);
  const crcSeed = crcSeedOf(IDENTITY.clusterId, 0);
  batch.seal({ sequence: 3, epoch: 1, durableSequence: 2, previousCrc: 0, crcSeed, alignment: 8 });
  return Buffer.concat(Array.from({ length: 8 }, () => [batch.view(), Buffer.alloc(1)]).flat());
}

/** Of two segments; the second begins with the batch `second`, in which a client wrote those. */
async function logWithForgedBatches() {
  const fixture = new JournalFixture({ limits: { segmentBytesMax: 1200 } });
  const { journal } = await fixture.open();
  await fixture.put(journal, 2, 'x'.repeat(900));
  const forged = forgedBatches();
  journal.batch.beginRevision(3, 'fsync');
  journal.batch.appendPut(0, forged, 0, forged.length);
  const second = journal.commit();
  await fixture.clock.runAll();
  await fixture.put(journal, 4, 'behind it');
  fixture.disk.kill();
  return { log: { fixture, offsets: [] }, second };
}

describe('a survey of a log', () => {
  it('does not take a batch that a client wrote for the beginning of a segment', async () => {
    const { log, second } = await logWithForgedBatches();
    change(
      log,
      (bytes) => {
        bytes[20] ^= 1;
        bytes[70] ^= 1;
        return bytes;
      },
      second,
    );
    const { segments } = await survey(log);
    assert.deepEqual(
      segments.map(({ crcSeed }) => crcSeed),
      segments.map(() => crcSeedOf(IDENTITY.clusterId, SALT)),
    );
    assert.equal(segments[1].header, undefined);
    assert.deepEqual(
      segments[1].parts.runs.map(({ firstRevision }) => firstRevision),
      [4],
    );
  });

  it('goes by most of the batches where every header is damaged', async () => {
    const { log, second } = await logWithForgedBatches();
    // Of the second segment also the batch around what a client wrote.
    change(log, (bytes) => flip(bytes, 20));
    change(log, (bytes) => flip(flip(bytes, 20), 70), second);
    const { segments, identity } = await survey(log);
    assert.deepEqual(identity, IDENTITY);
    assert.deepEqual(
      segments.map(({ crcSeed, header }) => [crcSeed, header]),
      segments.map(() => [crcSeedOf(IDENTITY.clusterId, SALT), undefined]),
    );
    assert.deepEqual(
      segments[1].parts.runs.map(({ firstRevision }) => firstRevision),
      [4],
    );
  });

  it('reads a log that began in format 1 and went on with a salt, where every header is damaged', async () => {
    const fixture = new JournalFixture();
    const batch = new BatchWriter(1000);
    batch.appendMeta(IDENTITY);
    batch.appendOpen(1);
    batch.beginRevision(2, 'fsync');
    batch.appendPut(0, Buffer.from('old'), 0, 3);
    const crcSeed = crcSeedOf(IDENTITY.clusterId, 0);
    batch.seal({ sequence: 1, epoch: 1, durableSequence: 0, previousCrc: 0, crcSeed, alignment: 8 });
    const header = {
      format: 1,
      identity: IDENTITY,
      firstSequence: 1,
      epoch: 1,
      previousCrc: 0,
      salt: 0,
      headerBytes: 64,
    };
    await fixture.clock.runUntil(fixture.disk.ensureDirectory(fixture.segmentFolder));
    fixture.disk.place(fixture.segmentPath(), Buffer.concat([encodeSegmentHeader(header), batch.view()]));
    const { journal } = await fixture.open();
    await fixture.put(journal, 3, 'x'.repeat(900));
    fixture.disk.kill();
    const log = { fixture, offsets: [] };
    for (const segment of [1, 2]) change(log, (bytes) => flip(bytes, 20), segment);
    const { segments, identity } = await survey(log);
    assert.deepEqual(identity, IDENTITY);
    assert.deepEqual(
      segments.map(({ parts }) => parts.runs.map(({ lastRevision }) => lastRevision)),
      [[2], [3]],
    );
  });

  it('finds a whole one whole, and says what is in it', async () => {
    const log = await someLog(ONE_SEGMENT);
    const found = await survey(log);
    assert.ok(isWhole(found));
    assert.deepEqual(found.findings, []);
    assert.deepEqual(found.identity, IDENTITY);
    assert.equal(found.revision, 10);
    assert.deepEqual(found.segments[0].parts.counts, { puts: 9, deletes: 0, others: 4 });
    assert.deepEqual(found.segments[0].parts.times, { first: 1_700_000_000_000, last: 1_700_000_000_000 });
    assert.deepEqual(
      found.order.spans.map(({ first, last }) => [first, last]),
      [[1, 11]],
    );
  });

  const cases: readonly {
    readonly name: string;
    readonly edit: (bytes: Uint8Array, offsets: readonly number[]) => Uint8Array;
    readonly says: (offsets: readonly number[]) => readonly string[];
    readonly isEnded?: boolean;
  }[] = [
    {
      name: 'a flipped bit in a body',
      edit: (bytes, at) => flip(bytes, at[4] + 70),
      says: (at) => [`flipped at ${at[4]}+${at[5] - at[4]}: 5-5, 5-5`],
    },
    {
      name: 'a flipped bit in a header',
      edit: (bytes, at) => flip(bytes, at[4] + 33),
      says: (at) => [`flipped at ${at[4]}+${at[5] - at[4]}: 5-5, 5-5`],
    },
    {
      name: 'a flipped bit in the segment header',
      edit: (bytes) => flip(bytes, 20),
      says: () => ['header at 0+64: -, -'],
    },
    {
      name: 'zeros over two batches',
      edit: (bytes, at) => Buffer.from(bytes).fill(0, at[3], at[5]),
      says: (at) => [`zero-filled at ${at[3]}+${at[5] - at[3]}: 4-5, 4-5`],
    },
    {
      name: 'zeros to the end, when only the start of a file vouches for what was there',
      edit: (bytes, at) => Buffer.from(bytes).fill(0, at[8]),
      says: () => [],
    },
    {
      name: 'a batch twice',
      edit: (bytes, at) =>
        Buffer.concat([bytes.subarray(0, at[5]), bytes.subarray(at[4], at[5]), bytes.subarray(at[5])]),
      says: (at) => [`duplicated at ${at[5]}+${at[5] - at[4]}: 5-5, 5-5`],
    },
    {
      name: 'two batches in the wrong order',
      edit: (bytes, at) => {
        const [a, b] = [bytes.subarray(at[4], at[5]), bytes.subarray(at[5], at[6])];
        return Buffer.concat([bytes.subarray(0, at[4]), b, a, bytes.subarray(at[6])]);
      },
      says: (at) => [`reordered at ${at[4] + at[6] - at[5]}+${at[5] - at[4]}: 5-5, 5-5`],
    },
    {
      name: 'a batch that is gone',
      edit: (bytes, at) => Buffer.concat([bytes.subarray(0, at[4]), bytes.subarray(at[5])]),
      says: (at) => [`missing at ${at[4]}+0: 5-5, 5-5`],
    },
    {
      name: 'a torn last batch',
      edit: (bytes, at) => bytes.subarray(0, at[9] + 100),
      says: (at) => [`torn at ${at[9]}+100: 10-10, 10-10`],
      isEnded: false,
    },
    {
      name: 'a torn batch before one that came in time',
      edit: (bytes, at) => flip(bytes, at[8] + 70),
      // Batch 10 was written when batch 9 was durable.
      says: (at) => [`flipped at ${at[8]}+${at[9] - at[8]}: 9-9, 9-9`],
      isEnded: false,
    },
  ];
  for (const { name, edit, says, isEnded } of cases) {
    it(`tells ${name}`, async () => {
      const log = await someLog(ONE_SEGMENT, isEnded);
      change(log, (bytes) => edit(bytes, log.offsets));
      const found = await survey(log);
      assert.deepEqual(found.findings.map(text), says(log.offsets));
    });
  }

  it('tells a segment that is gone, one that is cut off, and zeros at the end of an earlier one', async () => {
    for (const damage of ['missing', 'cut-off', 'zero-filled'] as const) {
      const log = await someLog(400);
      const before = await survey(log);
      assert.ok(before.segments.length > 3);
      const [, second, third] = before.segments;
      const { firstSequence, lastSequence, offset } = second.parts.runs[0];
      if (damage === 'missing') log.fixture.disk.remove(second.file);
      if (damage === 'cut-off') change(log, (bytes) => bytes.subarray(0, offset), firstSequence);
      if (damage === 'zero-filled') change(log, (bytes) => Buffer.from(bytes).fill(0, offset), firstSequence);
      const { findings } = await survey(log);
      assert.equal(findings.length, 1);
      const [{ kind, file, bytes, sequences, revisions, reason }] = findings;
      assert.equal(kind, damage === 'missing' ? 'cut-off' : damage);
      assert.equal(file, damage === 'missing' ? before.segments[0].file : second.file);
      assert.deepEqual(sequences, { first: firstSequence, last: lastSequence });
      assert.deepEqual(revisions, { first: firstSequence, last: third.firstSequence - 1 });
      assert.equal(bytes, damage === 'zero-filled' ? second.bytes - offset : 0);
      assert.equal(reason.endsWith(', or segments are gone'), damage !== 'zero-filled', reason);
    }
  });

  it('tells a batch of which the file has only the beginning, up to the end of the file', async () => {
    const log = await someLog(400);
    const [, second] = (await survey(log)).segments;
    const { firstSequence, offset } = second.parts.runs[0];
    change(log, (bytes) => bytes.subarray(0, offset + 100), firstSequence);
    const found = await survey(log);
    const { broken } = found.segments[1].parts;
    assert.deepEqual(
      broken.map((part) => ({
        kind: part.kind,
        offset: part.offset,
        bytes: part.bytes,
        sequence: part.head?.sequence,
      })),
      [{ kind: 'cut-off', offset, bytes: 100, sequence: firstSequence }],
    );
    assert.deepEqual([found.findings[0].kind, found.findings[0].bytes], ['cut-off', 100]);
  });

  it('counts nothing that an earlier segment left, and tells where that stands in the place of durable batches', async () => {
    const fixture = new JournalFixture({ limits: { segmentBytesMax: 1500 } });
    const { journal } = await fixture.open();
    const put = async (first: number, last: number): Promise<void> => {
      for (let revision = first; revision <= last; revision++) await fixture.put(journal, revision, 'x'.repeat(150));
    };
    await put(2, 8);
    await fixture.clock.runUntil(journal.trim(journal.lastSequence));
    await put(9, 15);
    const log = { fixture, offsets: [] };
    const found = await survey(log);
    const { file, firstSequence, parts } = found.segments[found.segments.length - 1];
    assert.deepEqual([parts.runs.length, parts.broken.length, parts.rest?.kind], [1, 0, 'earlier-segment']);
    assert.equal(parts.rest?.offset, parts.runs[0].offset + parts.runs[0].bytes);
    assert.equal(found.cut, undefined);
    assert.ok(found.findings.every((finding) => finding.file !== file));
    const bytes = fixture.disk.bytes(file);
    await put(16, 23);
    fixture.disk.kill();
    const next = (await survey(log)).segments.find((segment) => segment.firstSequence > firstSequence);
    assert.ok(next !== undefined);
    fixture.disk.place(file, bytes);
    const lied = (await survey(log)).findings.filter((finding) => finding.file === file);
    assert.deepEqual(
      lied.map(({ kind, offset, sequences }) => ({ kind, offset, sequences })),
      [
        {
          kind: 'not-written',
          offset: parts.rest.offset,
          sequences: { first: parts.runs[0].lastSequence + 1, last: next.firstSequence - 1 },
        },
      ],
    );
  });

  it('finds damage wherever recovery refuses the log, and the same end where it does not', async () => {
    const counts = { refused: 0, read: 0 };
    for (let seed = 1; seed <= RUNS; seed++) {
      const random = new Random(seed);
      const log = await someLog(random.pick([300, 500, ONE_SEGMENT]), random.chance(0.5));
      const { disk, clock } = log.fixture;
      const paths = [...disk.snapshot().keys()].filter((path) => path.endsWith('.wal'));
      for (let n = random.between(0, 3); n > 0; n--) damage(log, random.pick(paths), random);
      const found = await survey(log);
      const visitor = new RecordingVisitor();
      const reading = readLog({ disk, folder: '/data/wal', visitor });
      const read = await clock.runUntil(
        reading.catch((error: unknown) => (error instanceof Error ? error : undefined)),
      );
      if (read === undefined || read instanceof Error) {
        counts.refused++;
        assert.ok(
          found.findings.some(({ isDamage }) => isDamage),
          `seed ${seed}: refused, but nothing was found`,
        );
      } else {
        counts.read++;
        const end = found.cutBatches === undefined ? found.order.lastSequence : found.cutBatches.first - 1;
        assert.equal(end, read.chain.sequence, `seed ${seed}: another end`);
        assert.ok(
          found.cutBatches === undefined || !isWhole(found),
          `seed ${seed}: good batches are cut off a whole log`,
        );
        assert.deepEqual(found.order.gaps, [], `seed ${seed}`);
        if (read.cut !== undefined) assert.ok(found.findings.length > 0, `seed ${seed}: cut, but nothing was found`);
      }
    }
    assert.ok(counts.refused > RUNS / 10 && counts.read > RUNS / 10, JSON.stringify(counts));
  });
});

function flip(bytes: Uint8Array, at: number): Uint8Array {
  bytes[at] ^= 4;
  return bytes;
}

/** Something that disks do to a file. */
function damage({ fixture }: Log, path: string, random: Random): void {
  const { disk } = fixture;
  const bytes = disk.bytes(path);
  if (bytes.length === 0) return;
  const at = random.between(0, bytes.length - 1);
  const end = Math.min(bytes.length, at + random.pick([8, 64, 512]));
  const kind = random.between(0, 4);
  if (kind === 0) disk.place(path, flip(bytes, at));
  else if (kind === 1) disk.place(path, Buffer.from(bytes).fill(0, at, end));
  else if (kind === 2) disk.place(path, bytes.subarray(0, at));
  else if (kind === 3) disk.place(path, Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)]));
  else disk.place(path, Buffer.concat([bytes.subarray(0, at), bytes.subarray(end), bytes.subarray(at, end)]));
}
