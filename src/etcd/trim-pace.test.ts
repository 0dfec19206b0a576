import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TrimPace } from './trim-pace.ts';

/** Ticks each 100 ms from `fromMs` to `toMs`; the times at which it trims. */
function trims(
  pace: TrimPace,
  fromMs: number,
  toMs: number,
  revisionAt: (nowMs: number) => number,
  isWorking = false,
): number[] {
  const times: number[] = [];
  for (let nowMs = fromMs; nowMs <= toMs; nowMs += 100)
    if (pace.tick(revisionAt(nowMs), isWorking, nowMs)) times.push(nowMs);
  return times;
}

test('a store that is written to is trimmed once a minute', () => {
  assert.deepEqual(
    trims(new TrimPace(0), 100, 130_000, (nowMs) => nowMs),
    [60_000, 120_000],
  );
});

test('so is one that nobody writes to while a compaction or a snapshot works', () => {
  assert.deepEqual(
    trims(new TrimPace(0), 100, 130_000, () => 7, true),
    [60_000, 120_000],
  );
});

test('a quiet one is trimmed each second', () => {
  const pace = new TrimPace(0);
  trims(pace, 100, 5_000, (nowMs) => nowMs);
  assert.deepEqual(
    trims(pace, 5_100, 8_500, () => 5_000),
    [6_000, 7_000, 8_000],
  );
});
