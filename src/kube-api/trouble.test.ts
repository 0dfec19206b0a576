import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SimulatedClock } from '../testing/clock.ts';
import { Trouble } from './trouble.ts';

function lab(): { clock: SimulatedClock; told: string[]; trouble: Trouble } {
  const clock = new SimulatedClock();
  const told: string[] = [];
  return { clock, told, trouble: new Trouble(clock, 'bound again', (text) => told.push(text)) };
}

describe('trouble', () => {
  it('is told at first, once a minute, and when it is over', async () => {
    const { clock, told, trouble } = lab();
    for (let i = 0; i < 125; i++) {
      trouble.fail('refused');
      await clock.pass(1000);
    }
    assert.deepEqual(trouble.current, { text: 'refused', sinceMs: 0 });
    trouble.end();
    trouble.end();
    assert.equal(trouble.current, undefined);
    assert.deepEqual(told, ['refused', 'refused (for 60 s now)', 'refused (for 120 s now)', 'bound again after 125 s']);
  });

  it('that somebody else tells of is known, and not told', async () => {
    const { clock, told, trouble } = lab();
    trouble.fail('gone', false);
    await clock.pass(20_000);
    assert.deepEqual(trouble.current, { text: 'gone', sinceMs: 0 });
    trouble.end();
    trouble.fail('gone', false);
    await clock.pass(5000);
    trouble.fail('refused');
    await clock.pass(5000);
    trouble.end();
    assert.deepEqual(told, ['refused', 'bound again after 10 s']);
  });

  it('of many reasons is told every ten seconds', async () => {
    const { clock, told, trouble } = lab();
    for (let i = 0; i < 250; i++) {
      trouble.fail(`pod ${i} is forbidden`);
      await clock.pass(100);
    }
    assert.deepEqual(told, [
      'pod 0 is forbidden',
      'pod 100 is forbidden (for 10 s now)',
      'pod 200 is forbidden (for 20 s now)',
    ]);
  });

  it('that is soon over is told once', async () => {
    const { clock, told, trouble } = lab();
    trouble.fail('cut');
    await clock.pass(2000);
    trouble.end();
    trouble.end();
    assert.deepEqual(told, ['cut']);
  });
});
