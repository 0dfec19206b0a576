import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crashJournal } from './journal-crash.ts';
import { crashServer } from './server-crash.ts';

const SEED = Number(process.env.K1M_SEED ?? 1);
const RUNS = Number(process.env.K1M_RUNS ?? 3);

test('whatever a power cut leaves of a log, what was acknowledged is there and nothing else', async (context) => {
  let total = 0;
  let reusedTotal = 0;
  for (let seed = SEED; seed < SEED + RUNS; seed++) {
    const { points, states, secondStates, reused } = await crashJournal({
      seed,
      steps: 50,
      statesMax: 30,
      secondRate: 0.01,
    });
    context.diagnostic(`seed ${seed}: ${points} points, ${states} states, ${secondStates} after a second cut`);
    total += states + secondStates;
    reusedTotal += reused;
  }
  assert.ok(total > 500 * RUNS, `${total} states`);
  assert.ok(reusedTotal >= RUNS, `${reusedTotal} segments in files of earlier ones`);
});

test('whatever a power cut leaves of a data folder, the server has what it told its clients', async (context) => {
  for (let seed = SEED; seed < SEED + RUNS / 3; seed++) {
    const { points, states } = await crashServer({ seed, statesMax: 2 });
    context.diagnostic(`seed ${seed}: ${points} points, ${states} states`);
    assert.ok(states > 50);
  }
});
