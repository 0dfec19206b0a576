// `node tests/kill/run.ts --kills N --seed S [--folder PATH]`: the real server is killed N times under the load of our client, in
// rounds of 50 on a folder each, and what clients saw is judged. The seed draws what is asked for and how the server
// ends; what happens in between is real, so that a failure need not come again.

import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Random } from '../../src/testing/random.ts';
import { KillRound } from './kill-round.ts';

const KILLS_PER_ROUND = 50;

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    folder: { type: 'string', default: tmpdir() },
  },
});
// The sources are compiled once, not at every start.
process.env.NODE_COMPILE_CACHE ??= join(tmpdir(), 'k1m-kill-compiled');

// The clients' timers do not keep a process alive.
const keepAlive = setInterval(() => {}, 60_000);
const kills = Number(values.kills);
const startedMs = performance.now();
const totals: Record<string, number> = {};
let failed = 0;
for (let done = 0; done < kills; done += KILLS_PER_ROUND) {
  const random = new Random(Number(values.seed) + done);
  const deaths = Math.min(KILLS_PER_ROUND, kills - done);
  const port = random.between(20_000, 32_000);
  const { violations, counts } = await new KillRound({ random, parent: values.folder, port, deaths }).run();
  for (const [name, count] of Object.entries(counts)) totals[name] = (totals[name] ?? 0) + count;
  if (violations.length === 0) continue;
  failed++;
  process.stdout.write(`round of seed ${Number(values.seed) + done} fails:\n`);
  for (const { promise, text } of violations.slice(0, 10))
    process.stdout.write(`  ${promise}: ${text.slice(0, 600).replaceAll('\0', '\\0')}\n`);
}
clearInterval(keepAlive);
const seconds = (performance.now() - startedMs) / 1000;
process.stdout.write(`${kills} deaths in ${seconds.toFixed(0)} s, ${failed} rounds failed\n`);
for (const [name, count] of Object.entries(totals)) process.stdout.write(`  ${name}: ${count}\n`);
process.exitCode = failed > 0 ? 1 : 0;
