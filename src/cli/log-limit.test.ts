import assert from 'node:assert/strict';
import { it } from 'node:test';
import { SimulatedClock } from '../testing/clock.ts';
import { LogLimit } from './log-limit.ts';

it('a log gets twenty lines of a kind in ten seconds, and how many it did not get', async () => {
  const clock = new SimulatedClock();
  const limit = new LogLimit(clock);
  const lines: string[] = [];
  for (let i = 0; i < 100; i++) limit.tell('pods', `bad pod ${i}`, (text) => lines.push(text));
  limit.tell('nodes', 'bad node', (text) => lines.push(text));
  assert.equal(lines.length, 21);
  assert.deepEqual(lines.slice(19), ['bad pod 19', 'bad node']);
  await clock.pass(10_000);
  limit.tell('pods', 'bad pod 100', (text) => lines.push(text));
  limit.tell('nodes', 'bad node', (text) => lines.push(text));
  assert.deepEqual(lines.slice(21), ['80 lines like the ones before were left out', 'bad pod 100', 'bad node']);
});
