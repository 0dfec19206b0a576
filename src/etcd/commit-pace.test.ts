import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CommitPace } from './commit-pace.ts';

const DELAY_MS = 0.4;

/** A pace that has seen many commits, each of so many writes, so far apart; the last one at the time that is returned. */
function seen(writes: number, apartMs: number): { readonly pace: CommitPace; readonly lastMs: number } {
  const pace = new CommitPace(DELAY_MS);
  let lastMs = 0;
  for (let i = 0; i < 40; i++) {
    lastMs += apartMs;
    pace.committed(writes, lastMs);
  }
  return { pace, lastMs };
}

describe('the pace of commits', () => {
  it('lets frequent writes gather, a part of the delay at a time, until the delay is over', () => {
    const { pace, lastMs } = seen(2, 0.1);
    assert.equal(pace.waitMs(1, lastMs + 0.1), DELAY_MS / 4);
    assert.ok(Math.abs(pace.waitMs(1, lastMs + 0.35) - 0.05) < 1e-9);
    assert.equal(pace.waitMs(1, lastMs + DELAY_MS), 0);
  });

  it('does not keep rare writes waiting', () => {
    const { pace, lastMs } = seen(1, 0.2);
    assert.equal(pace.waitMs(1, lastMs + 0.1), 0);
  });

  it('does not keep a batch waiting that has as many writes as the largest of late', () => {
    const { pace, lastMs } = seen(10, 0.5);
    assert.ok(pace.waitMs(9, lastMs + 0.1) > 0);
    assert.equal(pace.waitMs(10, lastMs + 0.1), 0);
  });

  it('forgets a burst', () => {
    const { pace, lastMs } = seen(10, 0.1);
    for (let i = 1; i <= 16; i++) pace.committed(1, lastMs + i * 10);
    assert.equal(pace.waitMs(0, lastMs + 160.1), 0);
  });

  it('keeps nobody waiting before it has seen enough, or with no delay', () => {
    const young = new CommitPace(DELAY_MS);
    young.committed(100, 1);
    assert.equal(young.waitMs(1, 1), 0);
    const none = new CommitPace(0);
    for (let i = 0; i < 40; i++) none.committed(100, i * 0.01);
    assert.equal(none.waitMs(1, 0.4), 0);
  });
});
