/**
 * How fast pods are placed, and at what CPU: kube-scheduler 1.36 and `k1m schedule` in turn on the same real kube-apiserver, with k1m
 * as its store. Nodes and pods are there before the scheduler is started; what is measured is from the first binding to the last.
 *
 *   node conformance/scheduling-rate.ts [--nodes 5000] [--pods 3000] [--feature plain|anti|zone|mixed|preempt] [--rounds 1] [--only k1m,bare]
 *
 * `bare` is what the API server takes of bindings alone: the pods are bound to one node after another by our client, as the scheduler's user and as many at a time, and
 * nobody follows them. Its CPU is this script's.
 *
 * With preempt each node is full of two pods of 16 CPUs, and those to be placed are as large and of a higher priority: one of them has to go
 * for each. Nothing holds them up: their grace period is 0. What is measured then is from the creation of the pods, but for a first one, to the last binding.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { RealClock } from '../src/io/clock.ts';
import { readTextFile } from '../src/io/text-file.ts';
import { openKubeApi } from '../src/kube-api/open-kube-api.ts';
import type { ControlPlane } from './kubernetes/control-plane.ts';
import type { JsonObject, KubeClient } from './kubernetes/kube-client.ts';
import { openPlane } from './kubernetes/open-plane.ts';
import { Children } from './lab/child.ts';
import { requirePeers } from './lab/peer-path.ts';
import { runMain } from './lab/run-main.ts';

const creatorCount = 32;
const pollMs = 250;
const timeoutMs = 420_000;
const podsPath = '/api/v1/namespaces/default/pods';
const hostnameKey = 'kubernetes.io/hostname';
const urgentClass = 'urgent';
const fillingPerNode = 2;
const zoneKey = 'topology.kubernetes.io/zone';

interface Load {
  readonly nodeCount: number;
  readonly podCount: number;
  readonly feature: string;
}

/** Who binds. */
type SubjectName = 'kube-scheduler' | 'k1m' | 'bare';

interface Subject {
  readonly cpuSeconds: number;
  assertRunning(): void;
}

interface Measured {
  readonly podsPerSecond: number;
  readonly microsPerPod: number;
  /** From the start of the process to the first binding. */
  readonly startSeconds: number;
  readonly bound: number;
}

function nodeName(index: number): string {
  return `node-${String(index).padStart(6, '0')}`;
}

function nodeBody(index: number): JsonObject {
  const name = nodeName(index);
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { [hostnameKey]: name, [zoneKey]: `zone-${index % 3}`, 'kubernetes.io/arch': 'amd64' } },
    status: {
      capacity: { cpu: '32', memory: '128Gi', pods: '110' },
      allocatable: { cpu: '32', memory: '128Gi', pods: '110' },
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  };
}

function podBody(index: number, feature: string): JsonObject {
  const labels = { app: 'load' };
  const labelSelector = { matchLabels: labels };
  const term = (topologyKey: string): JsonObject => ({ topologyKey, labelSelector });
  const extras: Readonly<Record<string, JsonObject>> = {
    plain: {},
    anti: { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term(hostnameKey)] } } },
    zone: {
      topologySpreadConstraints: [
        { maxSkew: 1, topologyKey: zoneKey, whenUnsatisfiable: 'DoNotSchedule', labelSelector },
      ],
    },
    preempt: { priorityClassName: urgentClass, containers: [container('16')] },
    mixed: {
      affinity: {
        podAntiAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 50, podAffinityTerm: term(hostnameKey) }],
        },
        podAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 30, podAffinityTerm: term(zoneKey) }],
        },
      },
    },
  };
  const extra = extras[feature];
  if (extra === undefined) throw new Error(`no feature ${feature}: ${Object.keys(extras).join(', ')}`);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `load-${String(index).padStart(6, '0')}`, labels },
    spec: {
      automountServiceAccountToken: false,
      containers: [container('100m')],
      ...extra,
    },
  };
}

function container(cpu: string): JsonObject {
  return { name: 'main', image: 'app:v1', resources: { requests: { cpu, memory: '128Mi' } } };
}

/** A pod that is on a node from the beginning. */
function fillingBody(index: number): JsonObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `filling-${String(index).padStart(6, '0')}`, labels: { app: 'filling' } },
    spec: {
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 0,
      nodeName: nodeName(Math.floor(index / fillingPerNode)),
      containers: [container('16')],
    },
  };
}

/** So many at a time. */
async function createAll(count: number, create: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const creators = Array.from({ length: creatorCount }, async () => {
    while (next < count) await create(next++);
  });
  await Promise.all(creators);
}

/** Pods to be placed that are on a node. */
async function countBound(client: KubeClient): Promise<number> {
  const selectors = 'labelSelector=app%3Dload&fieldSelector=spec.nodeName!%3D';
  const { items, metadata } = await client.list(`${podsPath}?${selectors}&resourceVersion=0`);
  return items.length + (metadata.remainingItemCount ?? 0);
}

/** Our client alone: resolves when all that there is has been bound. */
async function bindAll(plane: ControlPlane, nodeCount: number): Promise<void> {
  const { items } = await plane.client.list(podsPath);
  const api = await openKubeApi({
    kubeconfig: plane.schedulerConfig(),
    environment: {},
    readText: readTextFile,
    clock: new RealClock(),
    chance: Math.random,
    userAgent: 'k1m/bare',
  });
  const outcomes = await Promise.all(
    items.map(({ metadata: { name, uid } }, index) =>
      api.bind({ namespace: 'default', name, uid }, nodeName(index % nodeCount)),
    ),
  );
  const failed = outcomes.find(({ kind }) => kind !== 'bound');
  if (failed !== undefined) throw new Error(`not bound: ${JSON.stringify(failed)}`);
  await api.close();
}

function startBare(plane: ControlPlane, nodeCount: number): Subject {
  let failure: unknown;
  bindAll(plane, nodeCount).catch((error: unknown) => {
    failure = error;
  });
  return {
    get cpuSeconds(): number {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
    assertRunning(): void {
      if (failure !== undefined) throw failure;
    },
  };
}

async function measure(
  plane: ControlPlane,
  subject: SubjectName,
  { nodeCount, podCount, feature }: Load,
): Promise<Measured> {
  const { client } = plane;
  await createAll(nodeCount, (index) => client.create('/api/v1/nodes', nodeBody(index)));
  if (feature === 'preempt') {
    const body = { metadata: { name: urgentClass }, value: 1000 };
    await client.create('/apis/scheduling.k8s.io/v1/priorityclasses', body);
    await createAll(nodeCount * fillingPerNode, (index) => client.create(podsPath, fillingBody(index)));
  }
  // Bindings of these come after all has been decided.
  const earlyCount = feature === 'preempt' ? 1 : podCount;
  const create = (index: number): Promise<unknown> => client.create(podsPath, podBody(index, feature));
  await createAll(earlyCount, create);
  const startedMs = performance.now();
  const child: Subject = subject === 'bare' ? startBare(plane, nodeCount) : plane.startUsualScheduler();
  const isUnbound = async (): Promise<number> => {
    child.assertRunning();
    if (performance.now() - startedMs > timeoutMs)
      throw new Error(`not all pods are bound after ${timeoutMs / 1000} s`);
    return (await countBound(client)) - podCount;
  };
  while ((await isUnbound()) === -podCount) await new Promise((resolve) => setTimeout(resolve, pollMs));
  const firstMs = performance.now();
  const cpuBefore = child.cpuSeconds;
  const boundBefore = await countBound(client);
  await createAll(podCount - earlyCount, (index) => create(earlyCount + index));
  while ((await isUnbound()) < 0) await new Promise((resolve) => setTimeout(resolve, pollMs));
  const bound = podCount - boundBefore;
  const seconds = (performance.now() - firstMs) / 1000;
  const cpu = child.cpuSeconds - cpuBefore;
  return {
    podsPerSecond: bound / seconds,
    microsPerPod: (cpu / bound) * 1e6,
    startSeconds: (firstMs - startedMs) / 1000,
    bound,
  };
}

async function runOn(subject: SubjectName, folder: string, load: Load): Promise<Measured> {
  mkdirSync(folder, { recursive: true });
  const children = new Children(folder);
  try {
    const users = ['system:kube-controller-manager', 'system:kube-scheduler'].map((name) => ({ name }));
    const { plane } = await openPlane({
      children,
      folder,
      users,
      ...(subject === 'bare' ? {} : { scheduler: subject }),
      // Other controllers would have to answer these.
      apiServerArgs: ['--disable-admission-plugins=TaintNodesByCondition,ServiceAccount'],
    });
    const measured = await measure(plane, subject, load);
    plane.client.close();
    return measured;
  } finally {
    for (const problem of await children.endAll(['k1m-schedule', 'kube-scheduler', 'kube-apiserver'])) {
      process.stdout.write(`${problem}\n`);
    }
  }
}

const SUBJECTS: readonly SubjectName[] = ['kube-scheduler', 'k1m', 'bare'];

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      nodes: { type: 'string', default: '5000' },
      pods: { type: 'string', default: '3000' },
      feature: { type: 'string', default: 'plain' },
      rounds: { type: 'string', default: '1' },
      only: { type: 'string' },
    },
  });
  requirePeers(['kube-apiserver', 'kube-scheduler']);
  const wanted = values.only?.split(',') ?? SUBJECTS;
  // Pods that displace others have no node to be bound to.
  const canBeBare = values.feature !== 'preempt';
  const subjects = SUBJECTS.filter((name) => wanted.includes(name) && (name !== 'bare' || canBeBare));
  const load = { nodeCount: Number(values.nodes), podCount: Number(values.pods), feature: values.feature };
  const folder = mkdtempSync(join(tmpdir(), 'k1m-scheduling-'));
  for (let round = 0; round < Number(values.rounds); round++) {
    const found = new Map<SubjectName, Measured>();
    for (const subject of subjects) {
      const measured = await runOn(subject, join(folder, `${subject}-${round}`), load);
      found.set(subject, measured);
      const { podsPerSecond, microsPerPod, startSeconds, bound } = measured;
      process.stdout.write(
        `${subject.padEnd(14)} ${podsPerSecond.toFixed(0).padStart(6)} pods/s  CPU ${microsPerPod.toFixed(0).padStart(6)} µs a pod  ` +
          `(${bound} pods; ${startSeconds.toFixed(1)} s from start to the first binding seen)\n`,
      );
    }
    const [theirs, ours, bare] = [found.get('kube-scheduler'), found.get('k1m'), found.get('bare')];
    if (bare !== undefined && ours !== undefined) {
      process.stdout.write(`${(ours.podsPerSecond / bare.podsPerSecond).toFixed(2)} of bare bindings\n`);
    }
    if (theirs === undefined || ours === undefined) continue;
    process.stdout.write(
      `rate ${(ours.podsPerSecond / theirs.podsPerSecond).toFixed(1)} times, CPU 1/${(theirs.microsPerPod / ours.microsPerPod).toFixed(1)}\n`,
    );
  }
  rmSync(folder, { recursive: true });
  return 0;
}

await runMain(main);
