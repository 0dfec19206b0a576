import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Slices } from './slices.ts';

const SHARE = 1 / 4;
const PATIENCE_MS = 1_000;

/** Slices on a clock that only steps move; every step takes an eighth of a millisecond. */
class Turns {
  readonly slices: Slices;
  nowMs = 100;
  /** The next step is the last of its job. */
  isLast = false;
  #turn: (() => void) | undefined;

  constructor(backgroundMsMax = 1) {
    this.slices = new Slices({
      turnMsMax: 3,
      backgroundMsMax,
      backgroundShare: SHARE,
      backgroundPatienceMs: PATIENCE_MS,
      nowMs: () => this.nowMs,
      defer: (callback) => {
        this.#turn = callback;
      },
      onTurnEnd: () => {},
    });
  }

  readonly step = (): boolean => {
    this.nowMs += 0.125;
    return this.isLast;
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

test('what goes on for long gets more, up to as much as the rest; what comes after it begins anew', () => {
  const turns = new Turns(10);
  turns.slices.addBackground(turns.step);
  turns.run(0);
  assert.equal(turns.run(4), 1);
  const shares: number[] = [];
  for (let i = 0; i < 6; i++) {
    turns.run(PATIENCE_MS);
    // What comes beside it changes nothing.
    turns.slices.addBackground(() => true);
    shares.push(turns.run(4) / 4);
  }
  assert.deepEqual(shares, [0.5, 0.75, 1, 1, 1, 1]);
  turns.isLast = true;
  turns.run(0);
  turns.isLast = false;
  turns.slices.addBackground(turns.step);
  turns.run(0);
  assert.equal(turns.run(4), 1);
});
