/**
 * Our client of the Kubernetes API (src/kube-api) with a real kube-apiserver on `k1m serve`, logged in as system:kube-scheduler.
 *
 *   node conformance/kube-api.ts [--pods N]
 *
 * Every collection is followed; pods are bound, refused, patched and deleted; an event is written and counted again; a lease is made
 * and renewed; the API server is restarted meanwhile; and those are told what is wrong who may not, or cannot connect. At the end
 * what each handler has heard is what a list says.
 *
 * Exits with 0 when all holds, 1 when something does not.
 */
import assert from 'node:assert/strict';
import { subscribe } from 'node:diagnostics_channel';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { RealClock } from '../src/io/clock.ts';
import { readTextFile } from '../src/io/text-file.ts';
import type { JsonObject, KubeApi, ObjectIdentity, ReflectHandler, Reflection } from '../src/kube-api/kube-api.ts';
import { headOf, keyOf, type ObjectHead } from '../src/kube-api/object-head.ts';
import { openKubeApi } from '../src/kube-api/open-kube-api.ts';
import { collectionPath, RESOURCES, type ResourceName } from '../src/kube-api/resource.ts';
import type { ControlPlane } from './kubernetes/control-plane.ts';
import { openPlane } from './kubernetes/open-plane.ts';
import { Children } from './lab/child.ts';
import { freePorts } from './lab/free-port.ts';
import { requirePeers } from './lab/peer-path.ts';
import { runMain } from './lab/run-main.ts';
import { until } from './lab/wait.ts';

const timeoutMs = 30_000;
const namespace = 'default';
/** Admission that other controllers would have to answer. */
const disabledAdmission =
  '--disable-admission-plugins=TaintNodesByCondition,ServiceAccount,StorageObjectInUseProtection';

/** What a handler has heard, checked as it comes. */
class Heard implements ReflectHandler {
  readonly resource: ResourceName;
  readonly objects = new Map<string, ObjectHead>();
  readonly problems: string[] = [];
  readonly nodeNames = new Map<string, unknown>();
  syncs = 0;

  constructor(resource: ResourceName) {
    this.resource = resource;
  }

  onSet(object: JsonObject): void {
    const head = headOf(object);
    assert.ok(head !== undefined);
    const known = this.objects.get(keyOf(head));
    assert.notEqual(known?.resourceVersion, head.resourceVersion, `${keyOf(head)} was told twice`);
    assert.ok(known === undefined || known.uid === head.uid, `${keyOf(head)} was not told deleted`);
    this.objects.set(keyOf(head), head);
    this.nodeNames.set(head.uid, Object(object.spec).nodeName);
  }

  onDeleted(identity: ObjectIdentity): void {
    assert.equal(this.objects.get(keyOf(identity))?.uid, identity.uid);
    this.objects.delete(keyOf(identity));
  }

  onSynced(): void {
    this.syncs++;
  }

  onProblem(text: string): void {
    this.problems.push(text);
  }
}

class Run {
  readonly plane: ControlPlane;
  readonly folder: string;
  readonly ports: { readonly api: number };
  readonly caPath: string;
  readonly token: string;
  readonly podCount: number;

  constructor(plane: ControlPlane, { folder, api, caPath, token, podCount }: RunOptions) {
    this.plane = plane;
    this.folder = folder;
    this.ports = { api };
    this.caPath = caPath;
    this.token = token;
    this.podCount = podCount;
  }

  async api(name: string, { token = this.token, ca = this.caPath, port = this.ports.api } = {}): Promise<KubeApi> {
    const path = join(this.folder, `${name}.kubeconfig`);
    const cluster = { server: `https://127.0.0.1:${port}`, ...(ca === '' ? {} : { 'certificate-authority': ca }) };
    const config = {
      clusters: [{ name: 'k1m', cluster }],
      users: [{ name, user: { token } }],
      contexts: [{ name: 'k1m', context: { cluster: 'k1m', user: name } }],
      'current-context': 'k1m',
    };
    writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
    return openKubeApi({
      kubeconfig: path,
      environment: {},
      readText: readTextFile,
      clock: new RealClock(),
      chance: Math.random,
      userAgent: 'k1m/conformance',
    });
  }

  async createPods(from: number, count: number): Promise<void> {
    const pods = Array.from({ length: count }, (_, i) => `pod-${from + i}`);
    const spec = { containers: [{ name: 'main', image: 'registry.example/app:v1' }] };
    await Promise.all(
      pods.map((name) =>
        this.plane.client.create(`/api/v1/namespaces/${namespace}/pods`, { metadata: { name }, spec }),
      ),
    );
  }

  async identity(name: string): Promise<ObjectHead> {
    const { metadata } = await this.plane.client.get(`/api/v1/namespaces/${namespace}/pods/${name}`);
    return { namespace, name, uid: metadata.uid, resourceVersion: metadata.resourceVersion };
  }
}

interface RunOptions {
  readonly folder: string;
  readonly api: number;
  readonly caPath: string;
  readonly token: string;
  readonly podCount: number;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function checkBinding(run: Run, api: KubeApi, pods: Heard): Promise<void> {
  const heads = [...pods.objects.values()];
  const startedMs = performance.now();
  const outcomes = await Promise.all(heads.map((pod, i) => api.bind(pod, `node-${i % 3}`)));
  const seconds = (performance.now() - startedMs) / 1000;
  assert.deepEqual(new Set(outcomes.map(({ kind }) => kind)), new Set(['bound']));
  await until('all bindings to be heard', { timeoutMs, everyMs: 5 }, () =>
    heads.every(({ uid }, i) => pods.nodeNames.get(uid) === `node-${i % 3}`),
  );
  say(`${heads.length} pods bound in ${seconds.toFixed(2)} s`);
  await run.createPods(run.podCount, 1);
  const pod = await run.identity(`pod-${run.podCount}`);
  const kinds = [
    (await api.bind(heads[0], 'node-2')).kind,
    (await api.bind({ ...pod, uid: 'another' }, 'node-1')).kind,
    (await api.bind({ ...pod, resourceVersion: '1' }, 'node-1')).kind,
    (await api.bind({ ...pod, name: 'nobody' }, 'node-1')).kind,
    (await api.bind({ ...pod, name: 'Not A Name' }, 'node-1')).kind,
  ];
  assert.deepEqual(kinds, ['conflict', 'gone', 'conflict', 'gone', 'gone']);
}

async function checkWrites(run: Run, api: KubeApi, pods: Heard): Promise<void> {
  const pod = await run.identity(`pod-${run.podCount}`);
  const condition = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/3 nodes' } as const;
  const patched = await api.patchPodStatus(pod, { conditions: [condition], nominatedNodeName: 'node-1' });
  assert.equal(patched.kind, 'done');
  const read = await api.read('pods', pod);
  assert.equal(read.kind, 'found');
  const { conditions, nominatedNodeName } = read.kind === 'found' ? Object(read.object.status) : {};
  assert.equal(nominatedNodeName, 'node-1');
  assert.equal(conditions.find(({ type }: { type: string }) => type === 'PodScheduled').reason, 'Unschedulable');
  assert.equal((await api.patchPodStatus(pod, { nominatedNodeName: '' })).kind, 'conflict', 'of an older version');
  const { resourceVersion: _, ...anyVersion } = pod;
  assert.equal((await api.patchPodStatus(anyVersion, { nominatedNodeName: '' })).kind, 'done');
  const { kind } = await api.patchPodStatus({ ...anyVersion, uid: 'another' }, { nominatedNodeName: 'node-2' });
  assert.notEqual(kind, 'done');
  const event = await api.createEvent({
    regarding: { ...pod, apiVersion: 'v1', kind: 'Pod' },
    type: 'Warning',
    reason: 'FailedScheduling',
    action: 'Scheduling',
    note: '0/3 nodes are available.',
    reportingController: 'default-scheduler',
    reportingInstance: 'default-scheduler-host',
  });
  assert.equal(event.kind, 'done', JSON.stringify(event));
  const sent = event.kind === 'done' ? event.object : {};
  const { name } = Object(sent.metadata);
  const { metadata: _meta, ...kept } = await run.plane.client.get(
    `/apis/events.k8s.io/v1/namespaces/${namespace}/events/${name}`,
  );
  // What went as protobuf is what its JSON says; what the API server adds is deprecated fields.
  const { metadata: _sent, ...fields } = sent;
  assert.deepEqual({ ...kept, ...fields }, kept);
  const counted = await api.updateEventSeries({ namespace, name }, 2);
  assert.equal(counted.kind, 'done', JSON.stringify(counted));
  assert.equal((await api.deletePod({ ...pod, uid: 'another' })).kind, 'gone');
  assert.equal((await api.deletePod(pod)).kind, 'done');
  await until('the deletion to be heard', { timeoutMs, everyMs: 5 }, () => !pods.objects.has(keyOf(pod)));
  assert.equal((await api.deletePod(pod)).kind, 'gone');
}

async function checkLease(api: KubeApi): Promise<void> {
  const lease = { namespace: 'kube-system', name: 'kube-scheduler' };
  const time = new Date().toISOString().replace('Z', '000Z');
  const spec = {
    holderIdentity: 'a',
    leaseDurationSeconds: 15,
    acquireTime: time,
    renewTime: time,
    leaseTransitions: 0,
  };
  assert.equal((await api.readLease(lease)).kind, 'gone');
  const created = await api.createLease(lease, spec);
  assert.equal(created.kind, 'done', JSON.stringify(created));
  assert.equal((await api.createLease(lease, spec)).kind, 'conflict');
  const version = created.kind === 'done' ? (headOf(created.object)?.resourceVersion ?? '') : '';
  assert.equal((await api.updateLease(lease, { ...spec, holderIdentity: 'b' }, version)).kind, 'done');
  assert.deepEqual((await api.updateLease(lease, spec, version)).kind, 'conflict');
}

async function checkRefusals(run: Run, strangerToken: string): Promise<void> {
  const pod = { ...(await run.identity('pod-0')) };
  const expectText = async (name: string, options: object, text: RegExp): Promise<void> => {
    const api = await run.api(name, options);
    const outcome = await api.bind(pod, 'node-0');
    assert.match('text' in outcome ? `${outcome.kind}: ${outcome.text}` : outcome.kind, text);
    await api.close();
  };
  await expectText('stranger', { token: strangerToken }, /^refused: not allowed to create pods\/binding/);
  await expectText('nobody', { token: 'wrong' }, /^refused: the API server does not accept the credentials/);
  await expectText('trustless', { ca: '' }, /^unreachable: .*certificate/);
  const [port = 0] = await freePorts(1);
  await expectText('astray', { port }, /^unreachable: .*ECONNREFUSED/);
  const stranger = await run.api('stranger', { token: strangerToken });
  const problems = await stranger.accessProblems();
  assert.ok(problems.some(({ verb, resource }) => verb === 'watch' && resource === 'csinodes.storage.k8s.io'));
  await stranger.close();
}

async function checkAgreement(run: Run, heard: readonly Heard[]): Promise<void> {
  for (const { resource, objects } of heard) {
    await until(`${resource} to agree with a list`, { timeoutMs: timeoutMs * 2, everyMs: 100 }, async () => {
      const { items } = await run.plane.client.list(collectionPath(resource));
      const listed = items.map(
        ({ metadata }) => `${metadata.namespace ?? ''} ${metadata.name} ${metadata.resourceVersion}`,
      );
      const told = [...objects.values()].map((head) => `${head.namespace} ${head.name} ${head.resourceVersion}`);
      return listed.sort().join() === told.sort().join() ? true : `${listed.length} listed, ${told.length} told`;
    });
  }
}

async function check(run: Run, strangerToken: string): Promise<void> {
  let otherConnections = 0;
  subscribe('undici:client:connected', () => otherConnections++);
  for (let i = 0; i < 3; i++) await run.plane.client.create('/api/v1/nodes', { metadata: { name: `node-${i}` } });
  await run.createPods(0, run.podCount);
  const api = await run.api('scheduler');
  const version = await api.readVersion();
  assert.match(version.kind === 'found' ? String(version.object.gitVersion) : '', /^v1\.36\./);
  assert.deepEqual(await api.accessProblems(), []);
  const resources = Object.keys(RESOURCES).filter((name) => name !== 'events' && name !== 'leases') as ResourceName[];
  const heard = resources.map((resource) => new Heard(resource));
  const reflections = heard.map((handler): Reflection => api.reflect(handler.resource, handler));
  await until('all collections', { timeoutMs, everyMs: 5 }, () => reflections.every(({ isSynced }) => isSynced));
  const pods = heard[resources.indexOf('pods')];
  assert.equal(pods.objects.size, run.podCount);
  say(`${resources.length} collections followed`);
  await checkBinding(run, api, pods);
  await checkWrites(run, api, pods);
  await checkLease(api);
  await checkRefusals(run, strangerToken);
  say('refusals, writes and leases answered as they should');

  await run.plane.stopApiServer();
  assert.match((await api.bind([...pods.objects.values()][0], 'node-0')).kind, /^(unreachable|unknown)$/);
  await run.plane.startApiServer();
  await run.createPods(run.podCount + 1, 20);
  // A watch waits by its backoff, up to half a minute.
  await until('new pods after the restart', { timeoutMs: timeoutMs * 2 }, () =>
    pods.objects.size === run.podCount + 20 ? true : `${pods.objects.size} pods; ${pods.problems.join('; ')}`,
  );
  await checkAgreement(run, heard);
  assert.deepEqual(new Set(heard.map(({ syncs }) => syncs)), new Set([1]));
  say(`after a restart of the API server all collections agree with lists; first problem told: ${pods.problems[0]}`);
  assert.equal(otherConnections, 0, 'all was said over HTTP/2, by our own client');
  await api.close();
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { pods: { type: 'string', default: '1200' } } });
  requirePeers(['kube-apiserver']);
  const folder = mkdtempSync(join(tmpdir(), 'k1m-kube-api-'));
  const children = new Children(folder);
  try {
    const { plane, credentials, port } = await openPlane({
      children,
      folder,
      users: [{ name: 'system:kube-scheduler' }, { name: 'stranger' }],
      apiServerArgs: [disabledAdmission],
    });
    try {
      const { caPath, tokens } = credentials;
      const token = tokens.get('system:kube-scheduler') ?? '';
      const run = new Run(plane, { folder, api: port, caPath, token, podCount: Number(values.pods) });
      await check(run, tokens.get('stranger') ?? '');
    } finally {
      plane.client.close();
    }
  } finally {
    await children.endAll(['kube-apiserver']);
  }
  rmSync(folder, { recursive: true });
  return 0;
}

await runMain(main);
