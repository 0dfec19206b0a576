// Findings from segments and the order of their batches, both given.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SegmentHeader } from '../journal/segment.ts';
import { baseAt, IDENTITY } from '../testing/journal-fixture.ts';
import { orderBatches } from './batch-order.ts';
import { logFindings } from './log-findings.ts';
import type { BatchRun, BrokenPart, SegmentParts } from './segment-survey.ts';
import type { SurveyedSegment } from './survey.ts';

const HEADER = { format: 3, identity: IDENTITY, firstSequence: 1, epoch: 1, previousCrc: 0, salt: 7, headerBytes: 64 };

/** Batch n takes 100 bytes and holds revision 10 n; it names the header CRC n − 1. */
function run(offset: number, first: number, last: number, changed: Partial<BatchRun> = {}): BatchRun {
  const sequences = { firstSequence: first, lastSequence: last };
  const revisions = { firstRevision: 10 * first, lastRevision: 10 * last };
  const rest = { firstEpoch: 1, lastEpoch: 1, previousCrc: first - 1, lastCrc: last, durableSequence: 0 };
  return { offset, bytes: 100 * (last - first + 1), ...sequences, ...revisions, ...rest, ...changed };
}

function part(offset: number, sequence?: number, changed: Partial<BrokenPart> = {}): BrokenPart {
  const revisions = sequence === undefined ? undefined : { first: 10 * sequence, last: 10 * sequence };
  const head = sequence === undefined ? undefined : { sequence, epoch: 1, durableSequence: 0, revisions };
  return { kind: 'flipped', offset, bytes: 100, reason: 'why', head, ...changed };
}

function segment(
  firstSequence: number,
  bytes: number,
  parts: Partial<SegmentParts>,
  header: SegmentHeader | undefined = HEADER,
): SurveyedSegment {
  const counts = { puts: 0, deletes: 0, others: 0 };
  const all = { runs: [], broken: [], rest: undefined, counts, namedRevision: 0, times: undefined, ...parts };
  return { file: `s${firstSequence}`, firstSequence, bytes, header, headerError: undefined, crcSeed: 0, parts: all };
}

function findings(segments: readonly SurveyedSegment[], durable: number, base = 0): string[] {
  const placed = segments.flatMap(({ parts }, index) => parts.runs.map((each) => ({ run: each, segment: index })));
  const order = orderBatches(placed, base === 0 ? (segments.at(0)?.firstSequence ?? 1) : base + 1, durable);
  const found = logFindings({ walFolder: 'wal', segments, order, base: base === 0 ? undefined : baseAt(base) });
  const range = (of: { first: number; last: number } | undefined): string =>
    of === undefined ? '-' : `${of.first}..${of.last}`;
  return found.map(({ kind, file, offset, bytes, sequences, revisions, isDamage }) => {
    return `${kind} ${file} ${offset}+${bytes} ${range(sequences)} ${range(revisions)}${isDamage ? '' : ' no damage'}`;
  });
}

test('a whole log has none', () => {
  assert.deepEqual(
    findings([segment(1, 364, { runs: [run(64, 1, 3)] }), segment(4, 264, { runs: [run(64, 4, 5)] })], 4),
    [],
  );
});

test('a broken part in a gap is what is missing; its own header counts, else what is around it', () => {
  const around = { runs: [run(64, 1, 1), run(264, 3, 3)] };
  assert.deepEqual(findings([segment(1, 364, { ...around, broken: [part(164, 2)] })], 2), [
    'flipped s1 164+100 2..2 20..20',
  ]);
  assert.deepEqual(findings([segment(1, 364, { ...around, broken: [part(164)] })], 2), [
    'flipped s1 164+100 2..2 11..29',
  ]);
  const first = segment(1, 264, { broken: [part(64)], runs: [run(164, 2, 2)] });
  assert.deepEqual(findings([first], 1), ['flipped s1 64+100 1..1 1..19']);
});

test('each of several gaps has the broken part that is in it', () => {
  const runs = [run(64, 1, 1), run(264, 3, 3), run(464, 5, 5)];
  const [second, fourth] = [part(164, 2), part(364, 4)];
  assert.deepEqual(findings([segment(1, 564, { runs, broken: [second, fourth] })], 4), [
    'flipped s1 164+100 2..2 20..20',
    'flipped s1 364+100 4..4 40..40',
  ]);
});

test('a gap without room for a revision has none', () => {
  const runs = [run(64, 1, 1), run(264, 3, 3, { firstRevision: 11, lastRevision: 11 })];
  assert.deepEqual(findings([segment(1, 364, { runs, broken: [part(164)] })], 2), ['flipped s1 164+100 2..2 -']);
  const one = [run(64, 1, 1), run(264, 3, 3, { firstRevision: 12, lastRevision: 12 })];
  assert.deepEqual(findings([segment(1, 364, { runs: one, broken: [part(164)] })], 2), [
    'flipped s1 164+100 2..2 11..11',
  ]);
});

test('what is missing without a trace is told where it should stand', () => {
  const later = segment(4, 264, { runs: [run(64, 4, 5)] });
  assert.deepEqual(findings([segment(1, 264, { runs: [run(64, 1, 2)] }), later], 5), ['cut-off s1 264+0 3..3 21..39']);
  const zeros = { kind: 'zeros', offset: 264 } as const;
  assert.deepEqual(findings([segment(1, 300, { runs: [run(64, 1, 2)], rest: zeros }), later], 5), [
    'zero-filled s1 264+36 3..3 21..39',
  ]);
  const old = { kind: 'earlier-segment', offset: 264 } as const;
  assert.deepEqual(findings([segment(1, 300, { runs: [run(64, 1, 2)], rest: old }), later], 5), [
    'not-written s1 264+36 3..3 21..39',
  ]);
  const inside = segment(1, 364, { runs: [run(64, 1, 2), run(264, 4, 4)] });
  assert.deepEqual(findings([inside], 4), ['missing s1 264+0 3..3 21..39']);
  assert.deepEqual(findings([later], 5, 1), ['missing s4 0+0 2..3 1..39']);
  assert.deepEqual(findings([], 2), ['missing wal 0+0 1..2 1..Infinity']);
});

test('the end that nobody calls durable is torn, and no damage', () => {
  const torn = segment(1, 364, { runs: [run(64, 1, 2)], broken: [part(264, 3)] });
  assert.deepEqual(findings([torn], 2), ['torn s1 264+100 3..3 21..30 no damage']);
  const headless = segment(1, 364, { runs: [run(64, 1, 2)], broken: [part(264)] });
  assert.deepEqual(findings([headless], 2), ['torn s1 264+100 3..3 - no damage']);
  const behind = segment(1, 464, { runs: [run(64, 1, 2), run(364, 4, 4)], broken: [part(264, 3)] });
  assert.deepEqual(findings([behind], 2), ['torn s1 264+200 3..4 21..40 no damage']);
  const missing = segment(1, 364, { runs: [run(64, 1, 2), run(264, 4, 4)] });
  assert.deepEqual(findings([missing], 2), ['torn s1 264+100 3..4 21..40 no damage']);
  const rest = { kind: 'zeros', offset: 364 } as const;
  assert.deepEqual(findings([segment(1, 500, { runs: [run(64, 1, 2)], broken: [part(264, 3)], rest })], 2), [
    'torn s1 264+100 3..3 21..30 no damage',
  ]);
});

test('of a torn end it is told which batches are missing, and revisions only where a header names some', () => {
  const unrevised = part(264, 3, { head: { sequence: 3, epoch: 1, durableSequence: 0, revisions: undefined } });
  assert.deepEqual(findings([segment(1, 364, { runs: [run(64, 1, 2)], broken: [unrevised] })], 2), [
    'torn s1 264+100 3..3 - no damage',
  ]);
  assert.deepEqual(findings([segment(1, 164, { broken: [part(64, 1)] })], 0), ['torn s1 64+100 1..1 1..10 no damage']);
  const segments = [segment(1, 364, { runs: [run(64, 1, 2), run(264, 4, 4)] })];
  const order = orderBatches(
    segments[0].parts.runs.map((each) => ({ run: each, segment: 0 })),
    1,
    2,
  );
  const [torn] = logFindings({ walFolder: 'wal', segments, order, base: undefined });
  assert.equal(torn.reason, 'batch 3 is missing; nothing says that it was durable');
});

test('a damaged copy of the last batch, behind it, is damage and no torn end', () => {
  const copied = segment(1, 364, { runs: [run(64, 1, 2)], broken: [part(264, 2)] });
  assert.deepEqual(findings([copied], 1), ['flipped s1 264+100 - -']);
});

test('bytes behind the batches of a file that was used again are none, bytes elsewhere are', () => {
  const next = segment(3, 164, { runs: [run(64, 3, 3)] });
  const runs = [run(64, 1, 2)];
  assert.deepEqual(findings([segment(1, 364, { runs, broken: [part(264)] }), next], 3), [], 'to the end of the file');
  assert.deepEqual(findings([segment(1, 365, { runs, broken: [part(264)] }), next], 3), ['flipped s1 264+100 - -']);
  assert.deepEqual(findings([segment(1, 364, { runs, broken: [part(264, 2)] }), next], 3), ['flipped s1 264+100 - -']);
  const unsalted = { ...HEADER, salt: 0 };
  assert.deepEqual(findings([segment(1, 364, { runs, broken: [part(264)] }, unsalted), next], 3), [
    'flipped s1 264+100 - -',
  ]);
  const amid = { runs: [run(64, 1, 1), run(264, 2, 2)], broken: [part(164)] };
  assert.deepEqual(findings([segment(1, 364, amid), next], 3), ['flipped s1 164+100 - -']);
  const twice = { runs: [run(64, 1, 1), run(264, 2, 2), run(464, 3, 3)], broken: [part(364), part(164)] };
  assert.deepEqual(
    findings([segment(1, 564, twice), segment(4, 164, { runs: [run(64, 4, 4)] })], 4),
    ['flipped s1 164+100 - -', 'flipped s1 364+100 - -'],
    'in the order of the file',
  );
});

test('batches that are there twice, in the wrong place, or that do not follow are told in the order of the files', () => {
  const twice = segment(1, 464, { runs: [run(64, 1, 3), run(364, 2, 2)] });
  assert.deepEqual(findings([twice], 3), ['duplicated s1 364+100 2..2 20..20']);
  const empty = run(364, 2, 2, { firstRevision: 0, lastRevision: 0 });
  assert.deepEqual(findings([segment(1, 464, { runs: [run(64, 1, 3), empty] })], 3), ['duplicated s1 364+100 2..2 -']);
  const moved = [segment(1, 264, { runs: [run(64, 3, 4)] }), segment(3, 264, { runs: [run(64, 1, 2)] })];
  assert.deepEqual(findings(moved, 4), ['reordered s3 64+200 1..2 10..20']);
  const loose = segment(1, 264, { runs: [run(64, 1, 1), run(164, 2, 2, { previousCrc: 9 })] });
  assert.deepEqual(findings([loose], 2), ['unchained s1 164+100 2..2 20..20']);
  const header: SurveyedSegment = {
    ...segment(4, 264, { runs: [run(64, 4, 5, { previousCrc: 9 })] }),
    headerError: 'damaged',
  };
  assert.deepEqual(findings([segment(1, 464, { runs: [run(64, 1, 3), run(364, 2, 2)] }), header], 5), [
    'duplicated s1 364+100 2..2 20..20',
    'header s4 0+64 - -',
    'unchained s4 64+200 4..5 40..50',
  ]);
});
