import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ArrivalSchedule } from './arrival-schedule.ts';

test('requests are due one after another, and those that were held up keep their time', () => {
  const schedule = new ArrivalSchedule(10);
  schedule.start(1000);
  assert.equal(schedule.due(1000), 1);
  assert.equal(schedule.due(1450), 5);
  assert.deepEqual([schedule.take(), schedule.take()], [1000, 1100]);
  assert.equal(schedule.due(1450), 3);
});

test('of more than may be due the oldest are left out', () => {
  const schedule = new ArrivalSchedule(10, 4);
  schedule.start(0);
  schedule.take();
  assert.equal(schedule.due(10_000), 4);
  assert.deepEqual([schedule.take(), schedule.take()], [9700, 9800]);
  assert.equal(schedule.due(10_000), 2);
  assert.equal(schedule.due(10_300), 4);
  assert.equal(schedule.take(), 10_000);
});
