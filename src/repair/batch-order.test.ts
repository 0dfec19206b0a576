// Which batches of which run are used, where batches are missing, and where a log ends; by runs drawn as numbers.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../testing/random.ts';
import { type BatchOrder, orderBatches, type PlacedRun } from './batch-order.ts';
import type { BatchRun } from './segment-survey.ts';

/** Batch n names the header CRC 1000 + n − 1 of the one before it, and holds revision 10 n; others by `changed`. */
function run(first: number, last: number, changed: Partial<BatchRun> = {}): PlacedRun {
  const revisions = { firstRevision: 10 * first, lastRevision: 10 * last };
  const epochs = { firstEpoch: 1, lastEpoch: 1 };
  const crcs = { previousCrc: 1000 + first - 1, lastCrc: 1000 + last };
  const place = { offset: 64, bytes: 100, firstSequence: first, lastSequence: last, durableSequence: 0 };
  return { segment: 0, run: { ...place, ...revisions, ...epochs, ...crcs, ...changed } };
}

const rangeOf = ({ run: { firstSequence, lastSequence } }: PlacedRun): string => `${firstSequence}-${lastSequence}`;

function textOf(order: BatchOrder): Record<string, string> {
  const texts = {
    spans: order.spans.map((span) => `${span.first}-${span.last} of ${rangeOf(span)}`),
    gaps: order.gaps.map((gap) => `${gap.first}-${gap.last} ${gap.revisionAbove}..${gap.revisionBelow}`),
    unused: order.unused.map(rangeOf),
    unchained: order.unchained.map(({ first }) => `${first}`),
    misplaced: order.misplaced.map(rangeOf),
    behindEnd: order.behindEnd.map(rangeOf),
    last: [`${order.lastSequence}`],
  };
  return Object.fromEntries(
    Object.entries(texts).flatMap(([name, list]) => (list.length > 0 ? [[name, list.join()]] : [])),
  );
}

const CASES: readonly [name: string, runs: readonly PlacedRun[], start: number, durable: number, expected: object][] = [
  ['no runs at all', [], 5, 0, { last: '4' }],
  ['no runs, and batches that were durable', [], 5, 7, { gaps: '5-7 0..undefined', last: '7' }],
  ['one run', [run(1, 7)], 1, 7, { spans: '1-7 of 1-7', last: '7' }],
  ['a run that begins before the start', [run(1, 7)], 3, 0, { spans: '3-7 of 1-7', last: '7' }],
  ['a run of one batch, the one before the start', [run(4, 4)], 5, 0, { unused: '4-4', last: '4' }],
  ['runs that go on', [run(1, 3), run(4, 6)], 1, 6, { spans: '1-3 of 1-3,4-6 of 4-6', last: '6' }],
  [
    'one batch is missing that was durable',
    [run(1, 3), run(5, 6)],
    1,
    4,
    { spans: '1-3 of 1-3,5-6 of 5-6', gaps: '4-4 30..50', last: '6' },
  ],
  [
    'one batch is missing of which nothing says that it was durable: the log ends there',
    [run(1, 3), run(5, 6)],
    1,
    3,
    { spans: '1-3 of 1-3', behindEnd: '5-6', last: '3' },
  ],
  [
    'two are missing, of which the first was durable: what is behind them is not kept without the second',
    [run(1, 3), run(6, 7)],
    1,
    4,
    { spans: '1-3 of 1-3', gaps: '4-4 30..undefined', behindEnd: '6-7', last: '4' },
  ],
  [
    'what is missing in front, before a batch without a revision',
    [run(4, 4, { firstRevision: 0, lastRevision: 0 }), run(5, 6)],
    2,
    6,
    { spans: '4-4 of 4-4,5-6 of 5-6', gaps: '2-3 0..50', last: '6' },
  ],
  [
    'what is missing at the end, behind a batch without a revision',
    [run(1, 2), run(3, 3, { firstRevision: 0, lastRevision: 0 })],
    1,
    5,
    { spans: '1-2 of 1-2,3-3 of 3-3', gaps: '4-5 20..undefined', last: '5' },
  ],
  ['the same batches twice', [run(1, 5), run(2, 3)], 1, 5, { spans: '1-5 of 1-5', unused: '2-3', last: '5' }],
  ['two that overlap', [run(1, 3), run(2, 5)], 1, 5, { spans: '1-3 of 1-3,4-5 of 2-5', last: '5' }],
  [
    'the longer of two that begin alike',
    [run(1, 3), run(1, 5)],
    1,
    5,
    { spans: '1-5 of 1-5', unused: '1-3', last: '5' },
  ],
  ['the longer one, standing first', [run(1, 5), run(1, 3)], 1, 5, { spans: '1-5 of 1-5', unused: '1-3', last: '5' }],
  [
    'the first of two that are alike',
    [run(1, 3, { bytes: 1 }), run(1, 3)],
    1,
    3,
    { spans: '1-3 of 1-3', unused: '1-3', last: '3' },
  ],
  [
    'the later epoch, though it is shorter',
    [run(1, 5), run(1, 3, { lastEpoch: 2 })],
    1,
    5,
    { spans: '1-3 of 1-3,4-5 of 1-5', last: '5' },
  ],
  [
    'a run that ended before what is looked for is no choice',
    [run(1, 3), run(2, 3, { lastEpoch: 9 }), run(4, 6), run(5, 5, { lastEpoch: 9 })],
    1,
    6,
    { spans: '1-3 of 1-3,4-6 of 4-6', unused: '2-3,5-5', last: '6' },
  ],
  [
    'a batch that does not name the one before it',
    [run(1, 3), run(4, 6, { previousCrc: 7 })],
    1,
    6,
    { spans: '1-3 of 1-3,4-6 of 4-6', unchained: '4', last: '6' },
  ],
  [
    'an epoch that goes back',
    [run(1, 3, { lastEpoch: 3 }), run(4, 6, { firstEpoch: 2 })],
    1,
    6,
    { spans: '1-3 of 1-3,4-6 of 4-6', unchained: '4', last: '6' },
  ],
  [
    'behind a gap, and amid a run, nothing is to be chained',
    [run(1, 3), run(5, 6, { previousCrc: 7 }), run(6, 8, { previousCrc: 7 })],
    1,
    8,
    { spans: '1-3 of 1-3,5-6 of 5-6,7-8 of 6-8', gaps: '4-4 30..50', last: '8' },
  ],
  [
    'a run that goes on behind the part of another that is used',
    [run(1, 6), run(3, 4, { lastEpoch: 2 }), run(7, 8)],
    1,
    8,
    { spans: '1-6 of 1-6,7-8 of 7-8', unused: '3-4', last: '8' },
  ],
  [
    'runs in the wrong order',
    [run(4, 6), run(1, 3)],
    1,
    6,
    { spans: '1-3 of 1-3,4-6 of 4-6', misplaced: '1-3', last: '6' },
  ],
];

for (const [name, runs, start, durable, expected] of CASES) {
  test(`the order of batches: ${name}`, () => {
    assert.deepEqual(textOf(orderBatches(runs, start, durable)), expected);
  });
}

test('of two alike the one that stands first is used', () => {
  const [first, second] = [run(1, 3), run(1, 3)];
  assert.equal(orderBatches([first, second], 1, 3).spans[0].run, first.run);
});

test('whatever runs there are, each batch from the start to the end is used once or missing once', () => {
  for (let seed = 1; seed <= 300; seed++) {
    const random = new Random(seed);
    const runs = Array.from({ length: random.between(0, 6) }, () => {
      const first = random.between(1, 12);
      const epoch = random.between(1, 3);
      return run(first, first + random.between(0, 5), { firstEpoch: epoch, lastEpoch: epoch });
    });
    const start = random.between(1, 4);
    const durable = random.between(0, 14);
    const order = orderBatches(runs, start, durable);
    const has = (sequence: number): boolean =>
      runs.some((one) => one.run.firstSequence <= sequence && one.run.lastSequence >= sequence);
    let end = start - 1;
    for (;;) {
      while (has(end + 1)) end++;
      // The next batch counts if all that is missing before it was durable.
      const next = runs.map(({ run: one }) => one.firstSequence).filter((first) => first > end);
      const gapEnd = Math.min(...next) - 1;
      if (gapEnd > durable) break;
      end = gapEnd;
    }
    end = Math.max(end, durable);
    assert.equal(order.lastSequence, end, `seed ${seed}`);
    for (let sequence = start; sequence <= end; sequence++) {
      const used = order.spans.filter((span) => span.first <= sequence && span.last >= sequence);
      const missing = order.gaps.filter((gap) => gap.first <= sequence && gap.last >= sequence);
      assert.deepEqual(
        [used.length, missing.length],
        has(sequence) ? [1, 0] : [0, 1],
        `seed ${seed}, batch ${sequence}`,
      );
      for (const { run: one } of used) assert.ok(one.firstSequence <= sequence && one.lastSequence >= sequence);
    }
  }
});
