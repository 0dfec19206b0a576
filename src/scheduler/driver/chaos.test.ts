import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { simulateChaos } from './chaos-fixture.ts';

const RUNS = Number(process.env.K1M_RUNS ?? 40);
const SEED = Number(process.env.K1M_SEED ?? 1);

describe('two schedulers under chaos', () => {
  it('bind each pod once, overcommit no node, and break no required constraint', async () => {
    const totals: Record<string, number> = {};
    for (let seed = SEED; seed < SEED + RUNS; seed++) {
      const { violations, counts, leaders, waiting } = await simulateChaos(seed);
      const repeat = `repeat it with: K1M_RUNS=1 K1M_SEED=${seed} node --test src/scheduler/driver/chaos.test.ts`;
      assert.deepEqual(violations, [], repeat);
      assert.deepEqual(waiting, [], repeat);
      for (const [name, count] of Object.entries({ ...counts, leaders })) totals[name] = (totals[name] ?? 0) + count;
    }
    if (RUNS > 40) process.stdout.write(`${RUNS} seeds from ${SEED}: ${JSON.stringify(totals)}\n`);
    assert.ok(totals.leaders > RUNS, 'nobody took over');
  });
});
