/**
 * Times `etcdctl snapshot save` from k1m and from a real etcd that holds the same, in turn, and says how long k1m's event loop was held.
 *
 *   node bench/snapshot.ts [--keys 650000] [--value-bytes 1000] [--rounds 3] [--folder /dev/shm]
 *
 * Needs etcd, etcdctl and etcdutl (`node conformance/peers.ts`), and four times the size of the snapshot in the folder.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { Children } from '../conformance/lab/child.ts';
import { freePorts } from '../conformance/lab/free-port.ts';
import { peerPath, requirePeers } from '../conformance/lab/peer-path.ts';
import { StoreServer } from '../conformance/lab/subject.ts';

const k1mProgram = join(import.meta.dirname, '..', 'bin', 'k1m.js');
const run = promisify(execFile);

async function metricsOf(server: StoreServer): Promise<(metric: string) => number> {
  const text = await (await fetch(`${server.endpoint}/metrics`)).text();
  return (metric) => Number(new RegExp(`^${metric} (\\S+)$`, 'm').exec(text)?.[1] ?? 'NaN');
}

/** Saves once; says how long it took and what it cost the server. */
async function save(name: string, server: StoreServer, file: string): Promise<string> {
  rmSync(file, { force: true });
  // The longest stall is counted from one scrape to the next.
  const before = await metricsOf(server);
  const startMs = performance.now();
  await run(peerPath('etcdctl'), [`--endpoints=${server.endpoint}`, 'snapshot', 'save', file]);
  const seconds = (performance.now() - startMs) / 1000;
  const after = await metricsOf(server);
  const cpuSeconds = after('process_cpu_seconds_total') - before('process_cpu_seconds_total');
  const residentMib = Math.round(after('process_resident_memory_bytes') / (1 << 20));
  const stallMs = 1000 * after('k1m_event_loop_stall_seconds');
  const stall = Number.isNaN(stallMs) ? '' : `   longest stall ${stallMs.toFixed(1)} ms`;
  return `${name.padEnd(5)} ${seconds.toFixed(2).padStart(6)} s   CPU ${cpuSeconds.toFixed(2)} s   resident ${residentMib} MiB${stall}\n`;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      keys: { type: 'string', default: '650000' },
      'value-bytes': { type: 'string', default: '1000' },
      rounds: { type: 'string', default: '3' },
      folder: { type: 'string', default: '/dev/shm' },
    },
  });
  requirePeers(['etcd', 'etcdctl', 'etcdutl']);
  const folder = mkdtempSync(join(values.folder, 'k1m-snapshot-'));
  const children = new Children(folder);
  try {
    const file = join(folder, 'saved.db');
    const [clientPort = 0, peerPort = 0, otherClientPort = 0, otherPeerPort = 0] = await freePorts(4);
    const k1m = new StoreServer('k1m', children, [clientPort, peerPort], join(folder, 'k1m'));
    await k1m.start();
    const size = ['--keys', values.keys, '--value-bytes', values['value-bytes']];
    const load = ['--duration', '1', '--warmup', '0', '--keep', '--endpoint', k1m.endpoint];
    await run(process.execPath, [k1mProgram, 'bench', 'put', ...size, ...load]);
    await save('k1m', k1m, file);
    const peerUrl = `http://127.0.0.1:${otherPeerPort}`;
    const member = [`--initial-cluster=default=${peerUrl}`, `--initial-advertise-peer-urls=${peerUrl}`];
    await run(peerPath('etcdutl'), ['snapshot', 'restore', file, `--data-dir=${join(folder, 'etcd')}`, ...member]);
    const etcd = new StoreServer('etcd', children, [otherClientPort, otherPeerPort], join(folder, 'etcd'));
    await etcd.start();
    process.stdout.write(`${values.keys} keys, a snapshot of ${statSync(file).size} bytes\n`);
    for (let round = 0; round < Number(values.rounds); round++) {
      process.stdout.write(await save('etcd', etcd, file));
      process.stdout.write(await save('k1m', k1m, file));
    }
  } finally {
    await children.endAll([]);
    rmSync(folder, { recursive: true });
  }
}

await main();
