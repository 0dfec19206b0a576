// A short run of every load of `k1m bench` against a server of its own, and of pods placed in a small cluster (cluster.ts): that they work, not how fast.
//
//   node bench/smoke.ts        exits with 1 at the first load that fails

import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const LOADS = ['put', 'renew', 'get', 'list', 'count', 'watch', 'mixed'];
/** Pods of several templates, some of which fit nowhere, while nodes change. */
const CLUSTER = ['--nodes=200', '--pods=1000', '--deployments=20', '--unschedulable=10', '--node-changes=200'];
const LOAD_MS_MAX = 60_000;
const binary = join(import.meta.dirname, '../bin/k1m.js');
const url = 'http://127.0.0.1:0';

function started(child: ReturnType<typeof spawn>): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const endpoint = /http:\/\/\S+(?=\n)/.exec(text);
      if (endpoint !== null) resolve(endpoint[0]);
    });
    child.on('exit', (code) => reject(new Error(`k1m serve ended with ${code}`)));
  });
}

const folder = mkdtempSync(join(tmpdir(), 'k1m-smoke-'));
const server = spawn(
  process.execPath,
  [binary, 'serve', '--data-dir', folder, '--listen-client-urls', url, '--advertise-client-urls', url],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
try {
  const endpoint = await started(server);
  for (const load of LOADS) {
    process.stdout.write(`bench ${load}\n`);
    const args = [binary, 'bench', load, '--endpoint', endpoint, '--duration', '2'];
    const { status } = spawnSync(process.execPath, args, { stdio: 'inherit', timeout: LOAD_MS_MAX });
    if (status !== 0) {
      process.stderr.write(`k1m bench ${load} failed with ${status}\n`);
      process.exitCode = 1;
      break;
    }
  }
} finally {
  server.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}
if (process.exitCode === undefined) {
  process.stdout.write(`cluster ${CLUSTER.join(' ')}\n`);
  const args = [join(import.meta.dirname, 'cluster.ts'), ...CLUSTER];
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit', timeout: LOAD_MS_MAX });
  if (status !== 0) {
    process.stderr.write(`${args.join(' ')} failed with ${status}\n`);
    process.exitCode = 1;
  }
}
