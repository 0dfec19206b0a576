import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Waiters } from './waiters.ts';

test('who has been told is not asked again, and the others are', async () => {
  const waiters = new Waiters();
  const asked: string[] = [];
  const until = (name: string, isReached: () => boolean): Promise<void> =>
    waiters.until(() => {
      asked.push(name);
      return isReached();
    });
  let isLate = false;
  const early = until('early', () => true);
  const late = until('late', () => isLate);
  waiters.wake(undefined);
  await early;
  isLate = true;
  waiters.wake(undefined);
  await late;
  waiters.wake(undefined);
  assert.deepEqual(asked, ['late', 'early', 'late']);
});

test('a failure is told to all who wait, and to nobody twice', async () => {
  const waiters = new Waiters();
  const failed = [waiters.until(() => false), waiters.until(() => true)].map((waiting) =>
    assert.rejects(waiting, /no/),
  );
  waiters.wake(new Error('no'));
  await Promise.all(failed);
});
