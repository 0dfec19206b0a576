// One segment's bytes, taken apart: runs of good batches, broken parts and what kind of damage they show, and what is behind.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BatchWriter } from '../journal/batch-writer.ts';
import { type SegmentParts, surveySegment } from './segment-survey.ts';

const SEED = 77;
const HEADER = 64;

interface Made {
  readonly sequence: number;
  readonly epoch?: number;
  readonly revision?: number;
  readonly durable?: number;
  readonly previousCrc?: number;
  readonly bytes?: number;
  readonly wallMs?: number;
}

/** Batches in a chain, unless one says otherwise, behind a header. */
class Segment {
  readonly starts: number[] = [];
  readonly crcs: number[] = [];
  block: Uint8Array;

  constructor(batches: readonly Made[], behind: Uint8Array = new Uint8Array(0), headerBytes = HEADER) {
    const pieces: Uint8Array[] = [new Uint8Array(headerBytes).fill(1)];
    for (const made of batches) {
      const { sequence, epoch = 1, revision = 0, durable = 0, bytes = 3, wallMs } = made;
      const batch = new BatchWriter(20_000);
      if (revision > 0) batch.beginRevision(revision, 'fsync');
      if (revision > 0) batch.appendDelete(0, new Uint8Array(bytes).fill(5), 0, bytes);
      else batch.appendMark(sequence * 100);
      if (wallMs !== undefined) batch.appendTime(wallMs);
      const previousCrc = made.previousCrc ?? this.crcs.at(-1) ?? 0;
      this.crcs.push(
        batch.seal({ sequence, epoch, durableSequence: durable, previousCrc, crcSeed: SEED, alignment: 8 }),
      );
      this.starts.push(Buffer.concat(pieces).length);
      pieces.push(batch.view().slice());
    }
    this.block = new Uint8Array(Buffer.concat([...pieces, behind]));
  }

  at(index: number): number {
    return this.starts[index] ?? this.block.length;
  }

  survey(headerBytes: number | undefined = HEADER, firstSequence = 10): SegmentParts {
    return surveySegment(this.block, { crcSeed: SEED, firstSequence, headerBytes });
  }
}

function linesOf({ runs, broken, rest }: SegmentParts): string[] {
  return [
    ...runs.map((run) => `${run.offset}+${run.bytes}: ${run.firstSequence}-${run.lastSequence}`),
    ...broken.map(({ kind, offset, bytes, head }) => `${kind} ${offset}+${bytes} ${head?.sequence ?? '-'}`),
    ...(rest === undefined ? [] : [`${rest.kind} ${rest.offset}`]),
  ];
}

test('a run says what its batches say', () => {
  const segment = new Segment([
    { sequence: 10, durable: 8 },
    { sequence: 11, revision: 50, durable: 9, wallMs: 5000 },
    { sequence: 12, revision: 51, epoch: 2, durable: 7, wallMs: 4000 },
    { sequence: 13, epoch: 3 },
  ]);
  const { runs, counts, namedRevision, times } = segment.survey();
  assert.deepEqual(runs, [
    {
      offset: HEADER,
      bytes: segment.block.length - HEADER,
      firstSequence: 10,
      lastSequence: 13,
      firstRevision: 50,
      lastRevision: 51,
      firstEpoch: 1,
      lastEpoch: 3,
      previousCrc: 0,
      lastCrc: segment.crcs[3],
      durableSequence: 9,
    },
  ]);
  assert.deepEqual(counts, { puts: 0, deletes: 2, others: 4 });
  assert.equal(namedRevision, 1300);
  assert.deepEqual(times, { first: 5000, last: 4000 });
  assert.equal(new Segment([{ sequence: 10 }]).survey().times, undefined);
});

test('a run ends where a batch does not follow the one before it', () => {
  for (const second of [
    { sequence: 12 },
    { sequence: 11, previousCrc: 5 },
    { sequence: 11, epoch: 1 },
    { sequence: 10 },
  ]) {
    const segment = new Segment([
      { sequence: 10, epoch: 2 },
      { epoch: 2, ...second },
    ]);
    const runs = segment.survey().runs.map(({ offset }) => offset);
    assert.deepEqual(runs, [HEADER, segment.at(1)], JSON.stringify(second));
  }
});

test('batches that are repeated are a run of their own, and what is behind them another', () => {
  const once = new Segment([{ sequence: 10 }, { sequence: 11 }, { sequence: 12 }, { sequence: 13 }]);
  const part = (from: number, to: number): Uint8Array => once.block.subarray(once.at(from), once.at(to));
  const segment = new Segment([]);
  segment.block = new Uint8Array(Buffer.concat([once.block.subarray(0, once.at(3)), part(1, 3), part(3, 4)]));
  assert.deepEqual(
    segment.survey().runs.map((run) => `${run.firstSequence}-${run.lastSequence}`),
    ['10-12', '11-12', '13-13'],
  );
});

test('a damaged batch is as long as it says where something begins or everything ends there', () => {
  for (const [count, behind] of [
    [3, 0],
    [2, 0],
    [2, 40],
  ] as const) {
    const batches = Array.from({ length: count }, (_, i) => ({ sequence: 10 + i, revision: 5 + i }));
    const segment = new Segment(batches, new Uint8Array(behind));
    const [, at] = segment.starts;
    segment.block[at + 70] ^= 1;
    const end = count === 3 ? segment.at(2) : segment.block.length - behind;
    const lines = linesOf(segment.survey());
    assert.ok(lines.includes(`flipped ${at}+${end - at} 11`), `${lines}`);
    assert.equal(lines.includes(`zeros ${end}`), behind > 0);
    const [{ head, reason }] = segment.survey().broken;
    assert.deepEqual(head, { sequence: 11, epoch: 1, durableSequence: 0, revisions: { first: 6, last: 6 } });
    assert.equal(reason, 'the checksum of the batch body does not match');
  }
});

test('a damaged batch whose own length is believed hides what stands in it, and ends before what an earlier segment left', () => {
  const inner = new Segment([{ sequence: 10 }]).block.subarray(HEADER);
  const old = new Segment([{ sequence: 7 }]).block.subarray(HEADER);
  for (const behind of [new Uint8Array(0), new Uint8Array(40), old, inner]) {
    const segment = new Segment([{ sequence: 10 }, { sequence: 11, revision: 5, bytes: 400 }], behind);
    const [, at] = segment.starts;
    const end = segment.block.length - behind.length;
    // What looks like one of this log stands in the damaged body.
    segment.block.set(inner, at + 128);
    const [part] = segment.survey().broken;
    assert.deepEqual([part.offset, part.bytes, part.head?.sequence], [at, end - at, 11]);
  }
});

test('a batch whose header is damaged reaches to the next one, or to the end', () => {
  for (const index of [0, 1, 2]) {
    const segment = new Segment([{ sequence: 10 }, { sequence: 11 }, { sequence: 12 }]);
    const at = segment.at(index);
    segment.block[at + 20] ^= 1;
    const lines = linesOf(segment.survey());
    assert.ok(lines.includes(`flipped ${at}+${segment.at(index + 1) - at} -`), `${index}: ${lines}`);
  }
});

test('a batch of which the file has only the beginning is cut off, with or without its header', () => {
  const segment = new Segment([{ sequence: 10 }, { sequence: 11, revision: 5, bytes: 200 }]);
  const at = segment.at(1);
  for (const [bytes, expected] of [
    [100, `cut-off ${at}+100 11`],
    [64, `cut-off ${at}+64 11`],
    [30, `flipped ${at}+30 -`],
  ] as const) {
    const cut = new Segment([]);
    cut.block = segment.block.subarray(0, at + bytes);
    assert.deepEqual(linesOf(cut.survey())[1], expected);
  }
});

test('zeros in place of a batch, or of a whole sector of one, are told from flipped bits', () => {
  const batches = [{ sequence: 10 }, { sequence: 11, revision: 5, bytes: 3000 }, { sequence: 12 }];
  for (const [from, to, kind] of [
    [0, 8, 'zero-filled'],
    [0, 7, 'flipped'],
    [400, 1600, 'zero-filled'],
    [450, 900, 'flipped'],
  ] as const) {
    const segment = new Segment(batches);
    const at = segment.at(1);
    segment.block.fill(0, at + from, at + to);
    if (from === 0) segment.block[at + 20] ^= 1;
    assert.equal(segment.survey().broken[0].kind, kind, `${from} to ${to}`);
  }
  // The last whole sector of a part counts too, and one that reaches beyond it does not.
  const last = new Segment([{ sequence: 10, revision: 5, bytes: 2048 - 64 - HEADER - 12 }, { sequence: 11 }]);
  assert.equal(last.at(1), 2048);
  last.block.fill(0, 1536, 2048);
  assert.equal(last.survey().broken[0].kind, 'zero-filled');
  const beyond = new Segment([{ sequence: 10, revision: 5, bytes: 2000 }, { sequence: 11 }]);
  beyond.block.fill(0, 1540, 2040);
  assert.equal(beyond.survey().broken[0].kind, 'flipped');
});

test('what an earlier segment left is what is behind, and nothing of it counts', () => {
  const old = new Segment([{ sequence: 7 }, { sequence: 8, revision: 3 }, { sequence: 9 }]);
  const left = old.block.subarray(HEADER);
  const segment = new Segment([{ sequence: 10 }], left);
  const end = segment.block.length - left.length;
  assert.deepEqual(linesOf(segment.survey()), [`${HEADER}+${end - HEADER}: 10-10`, `earlier-segment ${end}`]);
  assert.deepEqual(segment.survey().counts, { puts: 0, deletes: 0, others: 1 });
  // Also where its first batch was written over in part.
  const torn = new Segment([{ sequence: 10 }], left.subarray(24));
  assert.equal(torn.survey().rest?.kind, 'earlier-segment');
  // Where a batch of this segment follows, it is damage.
  const own = new Segment([{ sequence: 11 }]).block.subarray(HEADER);
  const amid = new Segment([{ sequence: 10 }], Buffer.concat([left, own]));
  assert.deepEqual(linesOf(amid.survey()).slice(1), [
    `${end + left.length}+${own.length}: 11-11`,
    `flipped ${end}+${left.length} -`,
  ]);
});

test('bytes that hold no batch at all are damage, zeros are not', () => {
  assert.deepEqual(linesOf(new Segment([], new Uint8Array(100).fill(9)).survey()), [`flipped ${HEADER}+100 -`]);
  assert.deepEqual(linesOf(new Segment([], new Uint8Array(100)).survey()), [`zeros ${HEADER}`]);
  assert.deepEqual(linesOf(new Segment([]).survey()), []);
});

test('without its header a segment begins where a batch of its own stands', () => {
  for (const headerBytes of [64, 512, 4096]) {
    const segment = new Segment([{ sequence: 10 }, { sequence: 11 }], new Uint8Array(0), headerBytes);
    assert.equal(segment.survey(undefined).runs[0]?.offset, headerBytes);
  }
  const older = new Segment([{ sequence: 9 }], new Uint8Array(0), 512);
  assert.equal(older.survey(undefined, 9).runs[0]?.offset, 512);
  assert.deepEqual(older.survey(undefined, 10).runs, []);
});

test('a body whose checksum is good and whose effects make no sense is damage', () => {
  const segment = new Segment([{ sequence: 10 }, { sequence: 11 }]);
  const batch = new BatchWriter(1000);
  batch.appendMark(5);
  batch.view()[64] = 200;
  batch.seal({ sequence: 12, epoch: 1, durableSequence: 0, previousCrc: segment.crcs[1], crcSeed: SEED, alignment: 8 });
  const at = segment.block.length;
  segment.block = new Uint8Array(Buffer.concat([segment.block, batch.view()]));
  const { broken } = segment.survey();
  assert.deepEqual(
    broken.map(({ offset, reason, head }) => [offset, reason, head?.revisions]),
    [[at, 'effect type 200 is unknown', undefined]],
  );
});
