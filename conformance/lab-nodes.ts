/**
 * The lab's nodes and kubelets under a real kube-apiserver and kube-controller-manager, with `k1m schedule`.
 *
 *   node conformance/lab-nodes.ts [--nodes N]      default 20
 *
 * Twice, once with the lab at the store and once with it behind the API server: the nodes are Ready and stay so; a Deployment with a Service and a Job,
 * made by kubectl, run to Ready and Complete; the Deployment is scaled down, its pods and the Job go; the lab's own pods run; after an
 * interruption `k1m lab clean` leaves nothing. Pods are stored alike both times: the spec of those that the lab makes out of manifests, with all that is filled
 * in, and the status that its kubelets write.
 *
 * Exits with 0 when all holds, 1 when something does not.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { EtcdClient } from '../src/client/etcd-client.ts';
import { keyBytes, prefixEnd } from '../src/client/key-range.ts';
import { RealClock } from '../src/io/clock.ts';
import { TcpNetwork } from '../src/io/tcp-network.ts';
import { MessageDecoder } from '../src/kube/message-decoder.ts';
import { readEnvelope } from '../src/kube/stored-object.ts';
import type { ControlPlane } from './kubernetes/control-plane.ts';
import type { JsonObject, KubeClient, KubeObject } from './kubernetes/kube-client.ts';
import * as manifests from './kubernetes/manifests.ts';
import { openPlane } from './kubernetes/open-plane.ts';
import { richPods } from './kubernetes/rich-pods.ts';
import { type Child, Children, k1mProgram } from './lab/child.ts';
import { peerPath, requirePeers } from './lab/peer-path.ts';
import { runMain } from './lab/run-main.ts';
import { until } from './lab/wait.ts';

const endOrder = ['k1m-lab', 'k1m-schedule', 'kube-controller-manager', 'kube-apiserver'];
const replicaCount = 20;
const labPodCount = 50;
const leasesPath = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases';
const interruptedCode = 130;
const wait = { timeoutMs: 60_000, everyMs: 200 };

type Place = 'store' | 'api';

interface Run {
  readonly plane: ControlPlane;
  readonly client: KubeClient;
  readonly store: EtcdClient;
  readonly children: Children;
  readonly nodeCount: number;
  readonly namespace: string;
  /** The flags that say where the lab is. */
  readonly where: readonly string[];
}

function k1m(args: readonly string[]): string {
  return execFileSync(process.execPath, [k1mProgram, ...args], { encoding: 'utf8' });
}

function kubectl({ plane }: Run, input: JsonObject, ...args: string[]): string {
  const access = [`--kubeconfig=${plane.adminConfigPath}`, '--cache-dir=/dev/null'];
  return execFileSync(peerPath('kubectl'), [...access, ...args], { encoding: 'utf8', input: JSON.stringify(input) });
}

function job(name: string): JsonObject {
  const containers = [{ name: 'main', image: 'registry.invalid/sum:1', resources: { requests: { cpu: '100m' } } }];
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name },
    spec: { completions: 6, parallelism: 3, template: { spec: { restartPolicy: 'Never', containers } } },
  };
}

async function labItems({ client }: Run, path: string): Promise<readonly KubeObject[]> {
  const { items } = await client.list(path);
  return items.filter(({ metadata }) => metadata.name.startsWith('lab-'));
}

/** Their number once all are Ready and take pods. */
async function readyNodes(run: Run): Promise<void> {
  await until('the nodes to be Ready', wait, async () => {
    const nodes = await labItems(run, '/api/v1/nodes');
    const ready = nodes.filter(
      (node) =>
        node.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') &&
        !JSON.stringify(node.spec).includes('node.kubernetes.io/'),
    );
    return (nodes.length === run.nodeCount && ready.length === run.nodeCount) || `${ready.length} of ${nodes.length}`;
  });
}

async function workloads(run: Run): Promise<KubeObject> {
  const { client, namespace } = run;
  await client.create('/api/v1/namespaces', manifests.namespace(namespace));
  const deployment = manifests.deployment({ name: 'web', replicaCount, image: 'registry.invalid/web:1' });
  const address = namespace.endsWith('api') ? '10.96.0.81' : '10.96.0.80';
  for (const object of [deployment, manifests.service('web', address), job('sum')]) {
    kubectl(run, object, 'create', `--namespace=${namespace}`, '--filename=-');
  }
  const deploymentPath = `/apis/apps/v1/namespaces/${namespace}/deployments/web`;
  await until('the Deployment to be ready', wait, async () => {
    const { status } = await client.get(deploymentPath);
    return status?.readyReplicas === replicaCount || String(status?.readyReplicas ?? 0);
  });
  await until('its endpoints', wait, async () => {
    const { items } = await client.list(`/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`);
    const ready = items.flatMap(({ endpoints = [] }) => endpoints).filter(({ conditions }) => conditions.ready);
    return ready.length === replicaCount || String(ready.length);
  });
  await until('the Job to be complete', wait, async () => {
    const { status } = await client.get(`/apis/batch/v1/namespaces/${namespace}/jobs/sum`);
    const isComplete = status?.conditions?.some((one) => one.type === 'Complete' && one.status === 'True');
    return isComplete === true || JSON.stringify(status);
  });
  const { items } = await client.list(`/api/v1/namespaces/${namespace}/pods?labelSelector=app%3Dweb`);
  return items[0];
}

async function removal(run: Run): Promise<void> {
  const { client, namespace } = run;
  const pods = async (): Promise<number> => (await client.list(`/api/v1/namespaces/${namespace}/pods`)).items.length;
  await client.patch(`/apis/apps/v1/namespaces/${namespace}/deployments/web/scale`, { spec: { replicas: 5 } });
  // Those of the finished Job stay.
  await until('the Deployment to be scaled', wait, async () => (await pods()) === 5 + 6 || String(await pods()));
  for (const name of ['deployment/web', 'job/sum']) {
    kubectl(run, {}, 'delete', name, `--namespace=${namespace}`, '--wait=false');
  }
  await until('their pods to go', wait, async () => (await pods()) === 0 || String(await pods()));
}

/** The lab's own pods, in a namespace of their own, run. */
async function labPods(run: Run): Promise<void> {
  const { where, namespace } = run;
  const args = ['--template=plain=4,job=1', `--namespace=${namespace}`, '--wait-bound', ...where];
  process.stdout.write(k1m(['lab', 'pods', String(labPodCount), ...args]));
  const ended = labPodCount / 5;
  await until("the lab's pods to run, and to end", wait, async () => {
    const phases = (await labItems(run, `/api/v1/namespaces/${namespace}/pods`)).map(({ status }) => status?.phase);
    const count = (phase: string): number => phases.filter((one) => one === phase).length;
    const isDone = count('Running') === labPodCount - ended && count('Succeeded') === ended;
    return isDone || `${count('Running')} running, ${count('Succeeded')} succeeded of ${phases.length}`;
  });
}

/** Pods of manifests, as they are stored once their containers run: reading them through the API server would fill in what is missing. */
async function manifestPods(run: Run): Promise<unknown[]> {
  const { client, store, namespace, where } = run;
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: richPods });
  const args = ['--start=1000', '--filename=-', `--namespace=${namespace}`, ...where];
  execFileSync(process.execPath, [k1mProgram, 'lab', 'pods', ...args], { encoding: 'utf8', input });
  await until('the pods of manifests to run', wait, async () => {
    const { items } = await client.list(`/api/v1/namespaces/${namespace}/pods?labelSelector=rich`);
    const running = items.filter(({ status }) => status?.phase === 'Running').length;
    return running === richPods.length || `${running} of ${items.length}`;
  });
  const key = keyBytes(`/registry/pods/${namespace}/lab-pod-0001`);
  const { kvs } = await store.range({ key, range_end: prefixEnd(key) });
  assert.equal(kvs.length, richPods.length);
  return kvs.map(({ value }) => {
    const { kind, rawStart, rawEnd } = readEnvelope(value);
    const { metadata, spec, status } = new MessageDecoder().decode(kind, value, rawStart, rawEnd) ?? {};
    const { uid, labels, annotations, generation } = Object(metadata);
    return alike(uid, { labels, annotations, generation, spec, status });
  });
}

async function renewedLeases(run: Run): Promise<void> {
  const times = async (): Promise<(string | undefined)[]> =>
    (await labItems(run, leasesPath)).map(({ spec }) => spec?.renewTime);
  const before = await times();
  assert.equal(before.length, run.nodeCount);
  await until('every lease to be renewed', wait, async () => {
    const after = await times();
    const renewed = after.filter((time, index) => time !== before[index]).length;
    return renewed === run.nodeCount || String(renewed);
  });
}

async function cleaned(run: Run, lab: Child): Promise<void> {
  await lab.end('SIGINT');
  assert.equal(lab.exitCode, interruptedCode, 'the exit code of an interrupted k1m lab');
  process.stdout.write(k1m(['lab', 'clean', ...run.where]));
  for (const path of ['/api/v1/nodes', '/api/v1/pods', leasesPath]) {
    assert.deepEqual(await labItems(run, path), [], path);
  }
}

/** Without what differs between any two pods: uids, addresses, moments, the node, the name of the token's volume. */
function alike(uid: string, of: unknown): unknown {
  const text = JSON.stringify(of, (key, value) => {
    if (/^(?:ip|hostIP|podIP|containerID|nodeName)$/.test(key)) return '…';
    return typeof value === 'string' && /^\d{4}-\d\d-\d\dT[0-9:.]+Z$/.test(value) ? 'a time' : value;
  });
  return JSON.parse(text.replaceAll(uid, 'UID').replaceAll(/kube-api-access-\w{5}/g, 'TOKEN'));
}

async function runOn(place: Place, base: Omit<Run, 'where' | 'namespace'>, endpoint: string): Promise<unknown> {
  const startMs = Date.now();
  const where = place === 'store' ? [`--endpoint=${endpoint}`] : [`--kubeconfig=${base.plane.adminConfigPath}`];
  const run = { ...base, where, namespace: `work-${place}` };
  const labArgs = ['lab', 'nodes', String(run.nodeCount), '--job-time=2s', ...where];
  const lab = base.children.startK1m('k1m-lab', labArgs);
  await readyNodes(run);
  const pod = await workloads(run);
  await removal(run);
  await labPods(run);
  const manifested = await manifestPods(run);
  await renewedLeases(run);
  await readyNodes(run);
  lab.assertRunning();
  await cleaned(run, lab);
  base.plane.assertRunning();
  process.stdout.write(`lab ${place}: ok, ${((Date.now() - startMs) / 1000).toFixed(1)} s\n`);
  return [alike(pod.metadata.uid, pod.status), ...manifested];
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { nodes: { type: 'string', default: '20' } } });
  requirePeers(['kube-apiserver', 'kube-controller-manager', 'kubectl']);
  const folder = mkdtempSync(join(tmpdir(), 'k1m-lab-nodes-'));
  const children = new Children(folder);
  try {
    const users = [{ name: 'system:kube-controller-manager' }, { name: 'system:kube-scheduler' }];
    const { plane, subject } = await openPlane({ children, folder, users, scheduler: 'k1m-store' });
    plane.startControllers();
    const { client } = plane;
    const store = new EtcdClient({ network: new TcpNetwork(), clock: new RealClock(), endpoints: [subject.endpoint] });
    try {
      const base = { plane, client, store, children, nodeCount: Number(values.nodes) };
      const atStore = await runOn('store', base, subject.endpoint);
      const byApi = await runOn('api', base, subject.endpoint);
      assert.deepEqual(atStore, byApi, 'pods of a lab at the store, and of one behind the API server');
    } finally {
      store.close();
      client.close();
    }
    return 0;
  } finally {
    for (const problem of await children.endAll(endOrder)) process.stdout.write(`${problem}\n`);
    rmSync(folder, { recursive: true, force: true });
  }
}

await runMain(main);
