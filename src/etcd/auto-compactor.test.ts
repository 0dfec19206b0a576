import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AutoCompactor, type AutoCompactorOptions } from './auto-compactor.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Ticks every second; one revision a minute. The compactions as [minute, revision]. */
function play(options: AutoCompactorOptions, minutes: number): [number, number][] {
  const startMs = 123_456;
  const compactor = new AutoCompactor(options, startMs);
  const compactions: [number, number][] = [];
  for (let second = 0; second <= minutes * 60; second++) {
    const minute = Math.floor(second / 60);
    const target = compactor.tick(startMs + second * 1_000, minute + 1);
    if (target !== 0) compactions.push([minute, target]);
  }
  return compactions;
}

describe('periodic', () => {
  it('waits for the retention, then compacts as often to the revision of that long ago', () => {
    const compactions = play({ mode: 'periodic', retention: 10 * MINUTE_MS }, 30);
    assert.deepEqual(compactions, [
      [10, 1],
      [20, 11],
      [30, 21],
    ]);
  });

  it('of more than an hour compacts every hour', () => {
    const compactions = play({ mode: 'periodic', retention: 3 * HOUR_MS }, 5 * 60);
    assert.deepEqual(compactions, [
      [180, 1],
      [240, 61],
      [300, 121],
    ]);
  });

  it('does not compact again when nothing was written', () => {
    const compactor = new AutoCompactor({ mode: 'periodic', retention: HOUR_MS }, 0);
    const targets: number[] = [];
    for (let ms = 0; ms <= 5 * HOUR_MS; ms += MINUTE_MS) {
      const target = compactor.tick(ms, 7);
      if (target !== 0) targets.push(target);
    }
    assert.deepEqual(targets, [7]);
  });

  it('never compacts to a revision younger than the retention, however late it is called', () => {
    const compactor = new AutoCompactor({ mode: 'periodic', retention: HOUR_MS }, 0);
    assert.equal(compactor.tick(0, 5), 0);
    assert.equal(compactor.tick(50 * MINUTE_MS, 50), 0);
    assert.equal(compactor.tick(70 * MINUTE_MS, 70), 5);
    assert.equal(compactor.tick(20 * HOUR_MS, 1_200), 70);
  });
});

describe('revision', () => {
  it('keeps so many revisions, every five minutes', () => {
    const compactions = play({ mode: 'revision', retention: 8 }, 20);
    assert.deepEqual(compactions, [
      [10, 3],
      [15, 8],
      [20, 13],
    ]);
  });

  it('does not compact while there are no more than that', () => {
    assert.deepEqual(play({ mode: 'revision', retention: 1_000 }, 60), []);
  });
});
