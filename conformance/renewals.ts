/**
 * Measures what the renewals of node leases through a real kube-apiserver cost the store: on etcd, then on k1m, both on
 * the disk with fsync, the same load on each.
 *
 *   node conformance/renewals.ts                 --leases 1000 --connections 64 --warmup 10 --seconds 10
 *
 * Each connection renews leases one after the other: PUT of the Lease object with the resourceVersion of the last answer.
 * The store's CPU is its process_cpu_seconds_total before and after, behind a warm-up under the same load: a store renews for
 * months, and what its first seconds take (compilers, caches) is another figure. Exits with 0, or 1 when a request failed.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { KubeClient, KubeObject } from './kubernetes/kube-client.ts';
import { openPlane } from './kubernetes/open-plane.ts';
import { Children } from './lab/child.ts';
import { requirePeers } from './lab/peer-path.ts';
import type { SubjectName } from './lab/subject.ts';

const leasesPath = '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases';

interface Load {
  readonly leaseCount: number;
  readonly connectionCount: number;
  readonly warmupSeconds: number;
  readonly seconds: number;
}

interface Measured {
  readonly renewals: number;
  readonly perSecond: number;
  readonly storeMicros: number;
}

async function cpuSeconds(endpoint: string): Promise<number> {
  const text = await (await fetch(`${endpoint}/metrics`)).text();
  const match = /^process_cpu_seconds_total (\S+)$/m.exec(text);
  if (match === null) throw new Error(`${endpoint}/metrics has no process_cpu_seconds_total`);
  return Number(match[1]);
}

/** Renews its share of the leases in turn until told to stop. */
async function renewInTurn(
  client: KubeClient,
  leases: KubeObject[],
  state: { done: number; isOver: boolean },
): Promise<void> {
  for (let at = 0; !state.isOver; at = (at + 1) % leases.length) {
    const lease = leases[at];
    const spec = { ...(lease.spec as object), renewTime: new Date().toISOString().replace('Z', '000Z') };
    leases[at] = await client.send<KubeObject>('PUT', `${leasesPath}/${lease.metadata.name}`, {
      body: { ...lease, spec } as never,
    });
    state.done++;
  }
}

async function makeLease(client: KubeClient, index: number): Promise<KubeObject> {
  const name = `renewed-${String(index).padStart(5, '0')}`;
  return client.create(leasesPath, {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name },
    spec: { holderIdentity: name, leaseDurationSeconds: 40, renewTime: '2026-01-01T00:00:00.000000Z' },
  });
}

async function measure(client: KubeClient, endpoint: string, load: Load): Promise<Measured> {
  const shares: KubeObject[][] = Array.from({ length: load.connectionCount }, () => []);
  for (let i = 0; i < load.leaseCount; i++) shares[i % load.connectionCount].push(await makeLease(client, i));
  const state = { done: 0, isOver: false };
  const work = shares.filter((share) => share.length > 0).map((share) => renewInTurn(client, share, state));
  const all = Promise.all(work);
  await Promise.race([all, new Promise((resolve) => setTimeout(resolve, load.warmupSeconds * 1000))]);
  const cpuBefore = await cpuSeconds(endpoint);
  const doneBefore = state.done;
  const startMs = performance.now();
  await Promise.race([all, new Promise((resolve) => setTimeout(resolve, load.seconds * 1000))]);
  const renewals = state.done - doneBefore;
  const seconds = (performance.now() - startMs) / 1000;
  const storeMicros = ((await cpuSeconds(endpoint)) - cpuBefore) * (1e6 / renewals);
  state.isOver = true;
  await all;
  return { renewals, perSecond: renewals / seconds, storeMicros };
}

async function runOn(name: SubjectName, folder: string, load: Load): Promise<Measured> {
  mkdirSync(folder, { recursive: true });
  const children = new Children(folder);
  try {
    const users = ['system:kube-controller-manager', 'system:kube-scheduler'].map((user) => ({ name: user }));
    const { plane, subject } = await openPlane({ children, folder, store: name, users });
    const measured = await measure(plane.client, subject.endpoint, load);
    plane.client.close();
    return measured;
  } finally {
    for (const problem of await children.endAll(['kube-apiserver'])) process.stdout.write(`${problem}\n`);
  }
}

function print(name: string, { renewals, perSecond, storeMicros }: Measured): void {
  const rate = perSecond.toFixed(0).padStart(6);
  process.stdout.write(
    `${name.padEnd(5)} ${rate} renewals/s  store CPU ${storeMicros.toFixed(1)} µs each  (${renewals})\n`,
  );
}

const { values } = parseArgs({
  options: {
    leases: { type: 'string', default: '1000' },
    connections: { type: 'string', default: '64' },
    warmup: { type: 'string', default: '10' },
    seconds: { type: 'string', default: '10' },
  },
});
try {
  requirePeers(['etcd', 'kube-apiserver']);
  const load = {
    leaseCount: Number(values.leases),
    connectionCount: Number(values.connections),
    warmupSeconds: Number(values.warmup),
    seconds: Number(values.seconds),
  };
  const folder = mkdtempSync(join(tmpdir(), 'k1m-renewals-'));
  const etcd = await runOn('etcd', join(folder, 'etcd'), load);
  print('etcd', etcd);
  const k1m = await runOn('k1m', join(folder, 'k1m'), load);
  print('k1m', k1m);
  rmSync(folder, { recursive: true });
  process.stdout.write(`store CPU: 1/${(etcd.storeMicros / k1m.storeMicros).toFixed(1)} of etcd's\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
