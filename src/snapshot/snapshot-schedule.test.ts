import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SnapshotSchedule } from './snapshot-schedule.ts';

const MIB = 1 << 20;
const LIMITS = { logBytesMin: 64 * MIB, logShare: 0.75 };

/**
 * Bytes written, log and snapshots, over bytes logged, for a load of `perSecond` that goes on for `seconds` on a state
 * that begins at `stateBytes` and keeps `keptShare` of what is logged until it is compacted every `compactSeconds`.
 */
function amplification(load: {
  readonly perSecond: number;
  readonly seconds: number;
  readonly stateBytes: number;
  readonly keptShare: number;
  readonly compactSeconds: number;
}): { amplification: number; logBytesMax: number } {
  const schedule = new SnapshotSchedule(LIMITS, 0, 0);
  let kept = 0;
  let snapshots = 0;
  let logBytesMax = 0;
  for (let second = 1; second <= load.seconds; second++) {
    schedule.logged(load.perSecond);
    kept += load.perSecond * load.keptShare;
    if (second % load.compactSeconds === 0) kept = 0;
    logBytesMax = Math.max(logBytesMax, schedule.logBytes);
    if (!schedule.isDue(load.stateBytes + kept, second * 1000)) continue;
    snapshots += load.stateBytes + kept;
    schedule.started();
    schedule.succeeded();
  }
  return { amplification: 1 + snapshots / (load.perSecond * load.seconds), logBytesMax };
}

describe('the schedule of snapshots', () => {
  const loads = {
    'renewals of a small state, compacted every five minutes': {
      perSecond: 4 * MIB,
      seconds: 3_600,
      stateBytes: 40 * MIB,
      keptShare: 1,
      compactSeconds: 300,
    },
    'renewals beside a large state': {
      perSecond: 10 * MIB,
      seconds: 3_600,
      stateBytes: 3_000 * MIB,
      keptShare: 1,
      compactSeconds: 300,
    },
    'slow renewals': { perSecond: MIB, seconds: 7_200, stateBytes: 400 * MIB, keptShare: 1, compactSeconds: 300 },
    'a state that only grows': {
      perSecond: 20 * MIB,
      seconds: 3_600,
      stateBytes: 0,
      keptShare: 1,
      compactSeconds: 1_000_000,
    },
  };
  for (const [name, load] of Object.entries(loads)) {
    it(`writes at most 2.34 times what is logged: ${name}`, () => {
      const result = amplification(load);
      assert.ok(
        result.amplification > 1.1 && result.amplification <= 1 + 1 / LIMITS.logShare,
        `${result.amplification}`,
      );
    });
  }

  it('bounds the log by the state', () => {
    const { logBytesMax } = amplification(loads['renewals beside a large state']);
    assert.ok(logBytesMax <= 0.75 * (3_000 + 10 * 300) * MIB + 10 * MIB);
  });

  it('takes none for a small log, however small the state', () => {
    const schedule = new SnapshotSchedule(LIMITS, 0, 0);
    schedule.logged(64 * MIB - 1);
    assert.equal(schedule.isDue(1, 1), false);
    schedule.logged(1);
    assert.equal(schedule.isDue(1, 1), true);
  });

  it('counts what a start replayed', () => {
    assert.equal(new SnapshotSchedule(LIMITS, 64 * MIB, 0).isDue(1, 0), true);
  });

  it('takes one in quiet times when a start would gain by it', () => {
    const schedule = new SnapshotSchedule(LIMITS, 30 * MIB, 0);
    assert.equal(schedule.isDue(200 * MIB, 19_999), false);
    assert.equal(schedule.isDue(200 * MIB, 20_000), true);
    assert.equal(schedule.isDue(400 * MIB, 20_000), false);
    schedule.logged(2 * MIB);
    assert.equal(schedule.isDue(200 * MIB, 20_001), false);
    assert.equal(schedule.isDue(200 * MIB, 40_001), true);
  });

  it('goes on from before after a failure, and waits longer after each', () => {
    const schedule = new SnapshotSchedule(LIMITS, 70 * MIB, 0);
    const before = schedule.started();
    schedule.logged(1);
    assert.equal(schedule.failed(before, 0), 30_000);
    assert.equal(schedule.logBytes, 70 * MIB + 1);
    assert.equal(schedule.isDue(1, 29_999), false);
    assert.equal(schedule.isDue(1, 30_000), true);
    const waits = Array.from({ length: 6 }, () => schedule.failed(0, 0));
    assert.deepEqual(waits, [60_000, 120_000, 240_000, 480_000, 600_000, 600_000]);
    schedule.succeeded();
    assert.equal(schedule.isDue(1, 0), true);
    assert.equal(schedule.failed(0, 0), 30_000);
  });

  it('is quiet up to a megabyte in twenty seconds', () => {
    for (const [bytes, isQuiet] of [
      [MIB, true],
      [MIB + 1, false],
    ] as const) {
      const schedule = new SnapshotSchedule(LIMITS, 30 * MIB, 0);
      schedule.logged(bytes);
      assert.equal(schedule.isDue(1, 20_000), isQuiet, `${bytes}`);
      // What was logged before the quiet began does not count again.
      assert.equal(schedule.isDue(1, 40_000), true);
    }
  });

  it('ends a server with one where that is worth it', () => {
    const worth = (logBytes: number, stateBytes: number): boolean =>
      new SnapshotSchedule(LIMITS, logBytes, 0).isWorthIt(stateBytes);
    assert.deepEqual([worth(16 * MIB - 1, 1), worth(16 * MIB, 1)], [false, true]);
    assert.deepEqual([worth(40 * MIB - 1, 400 * MIB), worth(40 * MIB, 400 * MIB)], [false, true]);
    const small = new SnapshotSchedule({ logBytesMin: 100, logShare: 0.75 }, 100, 0);
    assert.equal(small.isWorthIt(1), true);
  });

  it('relieves a disk where the log is a quarter of the state, something was logged, and ten seconds have passed', () => {
    const schedule = new SnapshotSchedule(LIMITS, 0, 0);
    assert.equal(schedule.isReliefDue(400, 1000, 0), false, 'nothing was logged');
    schedule.logged(1);
    assert.equal(schedule.isReliefDue(400, 99, 0), false);
    assert.equal(schedule.isReliefDue(400, 100, 0), true);
    assert.equal(schedule.isReliefDue(400, 100, 9_999), false);
    assert.equal(schedule.isReliefDue(400, 100, 10_000), true);
  });
});
