import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { LoopMonitor, processUsage } from './process-usage.ts';

it('the monitor tells of a loop that was held, once, whether it was at rest or busy before', async () => {
  const monitor = new LoopMonitor();
  // A look at the loop is a second away at most: at first it is at rest, then busy.
  for (let round = 0; round < 3; round++) {
    await pause(60);
    const startMs = performance.now();
    while (performance.now() - startMs < 500);
    await pause(60);
    assert.ok(monitor.takeLongestSeconds() > 0.4, 'held for half a second, less a sample');
    assert.ok(monitor.takeLongestSeconds() < 0.4, 'not told again');
  }
});

it('the monitor takes no change between rest and work for a stall', async () => {
  const monitor = new LoopMonitor();
  // Until the first look the loop is busy in steps of 20 ms, until the second at rest.
  const untilMs = performance.now() + 1_100;
  while (performance.now() < untilMs) {
    const startMs = performance.now();
    while (performance.now() - startMs < 20);
    await pause(1);
  }
  await pause(1_200);
  assert.ok(monitor.takeLongestSeconds() < 0.5, 'it was at work for a second');
});

const skip = !existsSync('/proc/self/schedstat') && 'no /proc/self/schedstat';

it('the wait for a core is that of the main thread, and is less than the time', { skip }, () => {
  const before = processUsage().coreWaitSeconds;
  const startMs = performance.now();
  while (performance.now() - startMs < 50);
  const seconds = (performance.now() - startMs) / 1000;
  const waited = processUsage().coreWaitSeconds - before;
  assert.ok(waited >= 0 && waited <= seconds, `${waited} of ${seconds} s`);
});
