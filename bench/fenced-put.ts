// What it costs a binding at the store to compare the leader's Lease as well: conditional puts by our client to `k1m serve` in a process of its own, without
// and with the second comparison in turn.
//   node bench/fenced-put.ts [--puts 100000] [--rounds 3] [--folder DIR]
// Printed: µs of CPU a put, of the store and of the client, the least of the rounds.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { EtcdClient } from '../src/client/etcd-client.ts';
import { keyBytes } from '../src/client/key-range.ts';
import { RealClock } from '../src/io/clock.ts';
import { TcpNetwork } from '../src/io/tcp-network.ts';
import { Command, freePort } from './command.ts';

const { values } = parseArgs({
  options: {
    puts: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '3' },
    folder: { type: 'string', default: tmpdir() },
  },
});
const PODS = 1000;
const POD_BYTES = 1700;
const IN_FLIGHT = 256;

const folder = mkdtempSync(join(values.folder, 'k1m-fence-'));
const endpoint = `http://127.0.0.1:${await freePort()}`;
const urls = [`--listen-client-urls=${endpoint}`, `--advertise-client-urls=${endpoint}`];
const store = new Command(['serve', `--data-dir=${join(folder, 'data')}`, ...urls]);
process.on('exit', () => {
  store.kill();
  rmSync(folder, { recursive: true, force: true });
});
await store.line('ready to serve');

const client = new EtcdClient({ network: new TcpNetwork(), clock: new RealClock(), endpoints: [endpoint] });
const value = Buffer.alloc(POD_BYTES, 1);
const revisions: number[] = [];
const keys = Array.from({ length: PODS }, (_, i) => keyBytes(`/registry/pods/default/pod-${i}`));
for (const key of keys) revisions.push((await client.put(key, value)).header?.revision ?? 0);
const leaseKey = keyBytes('/registry/leases/kube-system/kube-scheduler');
const fence = { key: leaseKey, modRevision: (await client.put(leaseKey, Buffer.alloc(400, 1))).header?.revision ?? 0 };

function cpuMicros(): { store: number; client: number } {
  const { user, system } = process.cpuUsage();
  return { store: store.cpuSeconds * 1e6, client: user + system };
}

/** Each worker has pods of its own. A put that is lost is made again at the version that it was lost to. */
async function round(isFenced: boolean): Promise<{ store: number; client: number }> {
  const puts = Number(values.puts);
  const before = cpuMicros();
  const work = async (worker: number): Promise<void> => {
    const own = keys.map((_, i) => i).filter((i) => i % IN_FLIGHT === worker);
    for (let done = 0; done < puts / IN_FLIGHT; done++) {
      const pod = own[done % own.length];
      const put = { key: keys[pod], value, modRevision: revisions[pod], fence: isFenced ? fence : undefined };
      const { kind } = await client.putIfUnchanged(put);
      if (kind === 'done') revisions[pod] = 0;
      revisions[pod] ||= (await client.range({ key: keys[pod], keys_only: true })).kvs[0].mod_revision;
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, (_, worker) => work(worker)));
  const after = cpuMicros();
  return { store: (after.store - before.store) / puts, client: (after.client - before.client) / puts };
}

await round(false);
const least = { plain: { store: Infinity, client: Infinity }, fenced: { store: Infinity, client: Infinity } };
for (let i = 0; i < Number(values.rounds); i++) {
  for (const kind of ['plain', 'fenced'] as const) {
    const { store, client } = await round(kind === 'fenced');
    least[kind] = { store: Math.min(least[kind].store, store), client: Math.min(least[kind].client, client) };
  }
}
for (const [kind, { store, client }] of Object.entries(least)) {
  process.stdout.write(
    `${kind.padEnd(7)} store ${store.toFixed(2)} µs, client ${client.toFixed(2)} µs a put and a read\n`,
  );
}
client.close();
await store.end();
