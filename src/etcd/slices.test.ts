import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Slices } from './slices.ts';

const SHARE = 1 / 4;

/** Slices on a clock that only steps move; every step takes an eighth of a millisecond. */
class Turns {
  readonly slices: Slices;
  nowMs = 100;
  #turn: (() => void) | undefined;

  constructor(backgroundMsMax = 1) {
    this.slices = new Slices({
      turnMsMax: 3,
      backgroundMsMax,
      backgroundShare: SHARE,
      nowMs: () => this.nowMs,
      defer: (callback) => {
        this.#turn = callback;
      },
      onTurnEnd: () => {},
    });
  }

  readonly step = (): boolean => {
    this.nowMs += 0.125;
    return false;
  };

  /** One turn behind `busyMs` of other work: how long the jobs took. */
  run(busyMs: number): number {
    this.nowMs += busyMs;
    const startMs = this.nowMs;
    this.#turn?.();
    return this.nowMs - startMs;
  }
}

test('the background has a share of what the rest of the turn took', () => {
  const turns = new Turns();
  turns.slices.addBackground(turns.step);
  turns.run(0);
  assert.equal(turns.run(2), 0.5);
  assert.equal(turns.run(1.5), 0.375);
});

test('it does one step in a turn of nothing else, and never more than its limit', () => {
  const turns = new Turns();
  turns.slices.addBackground(turns.step);
  turns.run(0);
  assert.equal(turns.run(0.0625), 0.125);
  assert.equal(turns.run(500), 1);
});

test('jobs that requests wait for have their own time', () => {
  const turns = new Turns();
  turns.slices.add(turns.step);
  turns.slices.addBackground(turns.step);
  turns.run(0);
  // Three milliseconds, and a quarter of them.
  assert.equal(turns.run(0), 3.75);
});
