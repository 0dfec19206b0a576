// `node tests/crash/run.ts --seconds N --seed S`: crash states of logs and of whole servers, for seeds from S on. A failure names
// its seed; the exit code is then 1.

import { parseArgs } from 'node:util';
import { crashJournal } from './journal-crash.ts';
import { crashServer } from './server-crash.ts';

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '10' }, seed: { type: 'string', default: '1' } },
});
const endMs = performance.now() + Number(values.seconds) * 1000;
const totals: Record<string, number> = {};
function add(prefix: string, counts: object): void {
  for (const [name, count] of Object.entries(counts)) {
    totals[`${prefix} ${name}`] = (totals[`${prefix} ${name}`] ?? 0) + Number(count);
  }
}
let failed = 0;
let seed = Number(values.seed);
for (; performance.now() < endMs; seed++) {
  try {
    add('journal', await crashJournal({ seed, steps: 40, statesMax: 200, secondRate: 0.02 }));
    add('server', await crashServer({ seed, statesMax: 12 }));
  } catch (error) {
    failed++;
    process.stdout.write(`seed ${seed} fails: ${error instanceof Error ? error.stack : String(error)}\n`);
  }
}
const summary = Object.entries(totals).map(([name, count]) => `${name} ${count}`);
process.stdout.write(`seeds ${values.seed} to ${seed - 1}, ${failed} failed; ${summary.join(', ')}\n`);
process.exitCode = failed > 0 ? 1 : 0;
