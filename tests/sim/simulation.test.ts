import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simulate } from './simulation.ts';

const FIRST = Number(process.env.K1M_SEED ?? 1);
const SEEDS = Number(process.env.K1M_RUNS ?? 16);

test('whatever breaks, what was acknowledged or shown is there, in one order, and watches keep their promises', async () => {
  const totals = {
    calls: 0,
    powerCuts: 0,
    kills: 0,
    cleanEnds: 0,
    stalls: 0,
    cutConnections: 0,
    jumps: 0,
    snapshots: 0,
  };
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const { violations, counts } = await simulate(seed);
    const texts = violations.map(({ promise, text }) => `${promise}: ${text}`);
    assert.deepEqual(texts, [], `repeat it with: node tests/sim/run.ts --seed ${seed}`);
    for (const name of Object.keys(totals) as (keyof typeof totals)[]) totals[name] += counts[name];
  }
  // A simulation in which nothing breaks proves nothing.
  if (SEEDS >= 16) for (const [name, count] of Object.entries(totals)) assert.ok(count >= 3, `${name}: ${count}`);
});

test('the same seed gives the same trace, another seed another', async () => {
  const traces: string[] = [];
  for (const seed of [3, 3, 4]) traces.push((await simulate(seed)).traceHash);
  assert.equal(traces[0], traces[1]);
  assert.notEqual(traces[0], traces[2]);
});
