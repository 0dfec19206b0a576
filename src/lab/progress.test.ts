import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { it } from 'node:test';
import { SimulatedClock } from '../testing/clock.ts';
import { Progress } from './progress.ts';

for (const isTTY of [false, true]) {
  it(`progress without an end is a line each five seconds ${isTTY ? 'on a terminal, too' : ''}`, async () => {
    const clock = new SimulatedClock();
    const stream = Object.assign(new PassThrough(), { isTTY });
    const progress = new Progress(clock, stream);
    const startMs = clock.nowMs();
    progress.start('renewed', 0, () => (clock.nowMs() - startMs) / 100);
    await clock.pass(10_500);
    progress.stop();
    await clock.pass(10_000);
    assert.equal(String(stream.read()), 'renewed: 50, 10/s\nrenewed: 100, 10/s\n');
  });
}
