// `node tests/disk/real/run.ts [--stalls N] [--port N] [--only full|stalled]`: the real server on a real small disk, full and stalled. Needs
// Linux, root, and mkfs.ext4, mount and fsfreeze; without them the same is done by the simulated disk (tests/disk), which says
// nothing about times. Exit code 1: something does not hold; a missed goal for a time is told only.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { proveFullDisk } from './full-disk-proof.ts';
import { whyNoLoopMount } from './loop-mount.ts';
import { proveStalledDisk } from './stalled-disk-proof.ts';

const { values } = parseArgs({
  options: {
    stalls: { type: 'string', default: '3' },
    port: { type: 'string', default: '27389' },
    only: { type: 'string' },
  },
});
const reason = whyNoLoopMount();
if (reason !== undefined) {
  process.stdout.write(`${reason}: a simulated disk instead of a loop mount\n`);
  const tests = join(import.meta.dirname, '..', '*.test.ts');
  process.exitCode = spawnSync(process.execPath, ['--test', tests], { stdio: 'inherit' }).status ?? 1;
} else {
  // The client's timers do not keep a process alive.
  const keepAlive = setInterval(() => {}, 60_000);
  // The mount goes when the process ends, by these too.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));
  const port = Number(values.port);
  const problems: string[] = [];
  if (values.only !== 'stalled') problems.push(...(await proveFullDisk(port)));
  if (values.only !== 'full') problems.push(...(await proveStalledDisk(port, Number(values.stalls))));
  clearInterval(keepAlive);
  process.stdout.write(problems.length === 0 ? 'all holds\n' : `${problems.length} do not hold\n`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
