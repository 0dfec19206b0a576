import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedClock } from './clock.ts';

test('timers run in order of time, then of making, each at its own time', () => {
  const clock = new SimulatedClock();
  const ran: string[] = [];
  const note = (name: string) => () => ran.push(`${name}@${clock.nowMs()}`);
  clock.setTimer(5, note('b'));
  clock.setTimer(2, note('a'));
  clock.setTimer(5, note('c'));
  clock.setTimer(9, note('late'));
  clock.setTimer(3, note('cancelled')).cancel();
  clock.defer(note('deferred'));
  clock.advance(7);
  assert.deepEqual(ran, ['deferred@0', 'a@2', 'b@5', 'c@5']);
  assert.equal(clock.nowMs(), 7);
});

test('advance does not run a timer beyond its end when those before it were cancelled', () => {
  const clock = new SimulatedClock();
  let hasRun = false;
  clock.setTimer(1, () => {}).cancel();
  clock.setTimer(100, () => {
    hasRun = true;
  });
  clock.advance(10);
  assert.equal(hasRun, false);
});

test('runUntil steps through promises and timers, and tells when nothing is left', async () => {
  const clock = new SimulatedClock();
  const wait = (ms: number): Promise<void> => new Promise((resolve) => clock.setTimer(ms, resolve));
  const work = async (): Promise<number> => {
    await wait(10);
    await wait(20);
    return clock.nowMs();
  };
  assert.equal(await clock.runUntil(work()), 30);
  await assert.rejects(clock.runUntil(new Promise(() => {})), /nothing is left/);
});
