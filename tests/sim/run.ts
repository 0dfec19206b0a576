// `node tests/sim/run.ts --seconds N --seed S`: simulations of seeds S, S + 1, … for N seconds. `--seeds N` instead: that many.
// A seed that fails is named with what was broken and the command that repeats it; the exit code is then 1.

import { parseArgs } from 'node:util';
import { type SimulationCounts, simulate } from './simulation.ts';

const { values } = parseArgs({
  options: { seconds: { type: 'string' }, seeds: { type: 'string' }, seed: { type: 'string', default: '1' } },
});
const first = Number(values.seed);
const seedsMax = Number(values.seeds ?? (values.seconds === undefined ? 1 : Number.POSITIVE_INFINITY));
const endMs = performance.now() + Number(values.seconds ?? Number.POSITIVE_INFINITY) * 1000;

const totals: Record<string, number> = {};
let seeds = 0;
let failed = 0;
for (; seeds < seedsMax && performance.now() < endMs; seeds++) {
  const seed = first + seeds;
  const { violations, counts, traceHash } = await simulate(seed).catch((error: unknown) => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { violations: [{ promise: 'simulation', text }], counts: {} as SimulationCounts, traceHash: '' };
  });
  for (const [name, count] of Object.entries(counts)) totals[name] = (totals[name] ?? 0) + count;
  if (seedsMax === 1) process.stdout.write(`trace ${traceHash}\n`);
  if (violations.length === 0) continue;
  failed++;
  process.stdout.write(`seed ${seed} fails; repeat it with: node tests/sim/run.ts --seed ${seed}\n`);
  for (const { promise, text } of violations.slice(0, 5))
    process.stdout.write(`  ${promise}: ${text.slice(0, 600).replaceAll('\0', '\\0')}\n`);
}
const summary = Object.entries(totals).map(([name, count]) => `${name} ${count}`);
process.stdout.write(`${seeds} seeds from ${first}, ${failed} failed; ${summary.join(', ')}\n`);
process.exitCode = failed > 0 ? 1 : 0;
