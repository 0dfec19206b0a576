// The scheduler's kernel alone: pods of templates placed on many nodes, all nodes considered for each, on one core.
//   node bench/kernel.ts [--nodes 1000000] [--pods 1000000] [--templates 1] [--spread] [--replay 0] [--shards 0]
// --spread adds a service for each template, so that the default spread constraints (hostname and zone) score; --feature NAME adds to each
// template one of: anti (required anti-affinity on the hostname), near (required affinity on the zone), zone (hard spread on the zone),
// host (hard spread on the hostname), mixed (preferences of all kinds), daemon (each pod names its node, as those of a DaemonSet do),
// pinned (each selects its node's hostname), numbered (each has a label of its own, as those of a StatefulSet do), claims, disks or bound (volumes: kernel-storage.ts). --unschedulable N has every Nth pod ask for more than any node has; --node-changes N changes a
// node (in turn its taints, its labels, its room) after every Nth pod. --replay N lets the reference decide every Nth pod too. --shards N has
// the indexes of the nodes in N threads.

import { parseArgs } from 'node:util';
import { readClusterObject } from '../src/scheduler/model/cluster-objects.ts';
import { readNode } from '../src/scheduler/model/node-object.ts';
import { NAME_FIELD } from '../src/scheduler/model/node-selector.ts';
import type { PodObject } from '../src/scheduler/model/pod-object.ts';
import { readPod } from '../src/scheduler/model/pod-reader.ts';
import { DEFAULT_PROFILE } from '../src/scheduler/model/scheduler-profile.ts';
import { assumedObjects } from '../src/scheduler/model/volume-plan.ts';
import { BenchStorage } from './kernel-storage.ts';
import { KernelSubject, must } from './kernel-subject.ts';

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '1000000' },
    pods: { type: 'string', default: '1000000' },
    templates: { type: 'string', default: '1' },
    spread: { type: 'boolean', default: false },
    feature: { type: 'string', default: 'plain' },
    unschedulable: { type: 'string', default: '0' },
    'node-changes': { type: 'string', default: '0' },
    replay: { type: 'string', default: '0' },
    shards: { type: 'string', default: '0' },
  },
});
const nodeCount = Number(values.nodes);
const podCount = Number(values.pods);
const templateCount = Number(values.templates);
const replayEvery = Number(values.replay);
const ZONES = 16;

const profile = { ...DEFAULT_PROFILE, preempts: false };
const subject = new KernelSubject(profile, { isReplayed: replayEvery > 0, shards: Number(values.shards) });
const { kernel, reference } = subject;
const apply: KernelSubject['apply'] = (command) => subject.apply(command);

/** Two sizes; every tenth node is tainted. */
function nodeJson(index: number, generation = 0): unknown {
  const isLarge = index % 3 === 0;
  const zone = index % ZONES;
  return {
    metadata: {
      name: `node-${index}`,
      uid: `n${index}`,
      labels: {
        'kubernetes.io/hostname': `node-${index}`,
        'topology.kubernetes.io/zone': `zone-${zone}`,
        'topology.kubernetes.io/region': `region-${zone % 4}`,
        'node.kubernetes.io/instance-type': isLarge ? 'large' : 'small',
        'kubernetes.io/arch': 'amd64',
        'kubernetes.io/os': 'linux',
        ...(generation % 3 === 1 ? { 'example.com/generation': `${generation % 5}` } : {}),
      },
    },
    spec:
      index % 10 === 9 || generation % 3 === 2
        ? { taints: [{ key: 'preempt', value: 'soon', effect: 'PreferNoSchedule' }] }
        : {},
    status: {
      allocatable: {
        cpu: isLarge ? '64' : '32',
        memory: isLarge ? '256Gi' : '128Gi',
        'ephemeral-storage': '100Gi',
        pods: `${110 - (generation % 2)}`,
      },
    },
  };
}

const HOSTNAME = 'kubernetes.io/hostname';
const ZONE = 'topology.kubernetes.io/zone';

function featureOf(template: number): object {
  const labelSelector = { matchLabels: { app: `app-${template}` } };
  const constraint = (topologyKey: string, maxSkew: number): object => ({
    maxSkew,
    topologyKey,
    whenUnsatisfiable: 'DoNotSchedule',
    labelSelector,
  });
  const preferred = (topologyKey: string, weight: number): object => ({
    weight,
    podAffinityTerm: { topologyKey, labelSelector },
  });
  switch (values.feature) {
    case 'anti':
      return {
        affinity: {
          podAntiAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: HOSTNAME, labelSelector }],
          },
        },
      };
    case 'near':
      return {
        affinity: {
          podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: ZONE, labelSelector }] },
        },
      };
    case 'zone':
      return { topologySpreadConstraints: [constraint(ZONE, 1)] };
    case 'host':
      return { topologySpreadConstraints: [constraint(HOSTNAME, 1)] };
    case 'mixed':
      return {
        affinity: {
          nodeAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [
              {
                weight: 20,
                preference: {
                  matchExpressions: [{ key: 'node.kubernetes.io/instance-type', operator: 'In', values: ['large'] }],
                },
              },
            ],
          },
          podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [preferred(ZONE, 30)] },
          podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [preferred(HOSTNAME, 50)] },
        },
      };
    default:
      return {};
  }
}

function templateOf(template: number, cpu = `${100 + (template % 7) * 50}m`): PodObject {
  return must(
    readPod({
      metadata: { namespace: 'default', name: 'template', uid: 'template', labels: { app: `app-${template}` } },
      spec: {
        schedulerName: profile.schedulerName,
        containers: [
          {
            name: 'main',
            image: 'registry.example.com/app:v1',
            resources: { requests: { cpu, memory: `${128 + (template % 5) * 64}Mi` } },
          },
        ],
        ...featureOf(template),
      },
    }),
  );
}

const { requests: HUGE } = templateOf(0, '1000');

await subject.ready();
const startedMs = performance.now();
for (let i = 0; i < nodeCount; i++) apply({ kind: 'node-set', node: must(readNode(nodeJson(i))) });
if (values.spread) {
  for (let i = 0; i < templateCount; i++) {
    const service = { metadata: { namespace: 'default', name: `s${i}` }, spec: { selector: { app: `app-${i}` } } };
    apply({ kind: 'object-set', object: must(readClusterObject('Service', service)) });
  }
}
const storage = new BenchStorage(values.feature, nodeCount, apply);
storage.setUp();
const tooLarge = Number(values.unschedulable);
const changeEvery = Number(values['node-changes']);

/** The pod that comes next. */
function podAt(index: number): PodObject {
  const template = templates[index % templateCount];
  const pod = { ...template, uid: `uid-${index}`, name: `pod-${index}` };
  const node = `node-${(index * 7919) % nodeCount}`;
  if (tooLarge > 0 && index % tooLarge === 0) return { ...pod, requests: HUGE };
  if (values.feature === 'daemon') {
    const field = { key: NAME_FIELD, operator: 'In' as const, values: [node] };
    const terms = [{ expressions: [], fields: [field], problem: undefined }];
    return { ...pod, requiredNodes: { pairs: new Map(), selector: { terms } } };
  }
  if (values.feature === 'numbered') return { ...pod, labels: new Map([...pod.labels, ['index', `${index}`]]) };
  if (values.feature === 'pinned') {
    return { ...pod, requiredNodes: { pairs: new Map([[HOSTNAME, node]]), selector: undefined } };
  }
  return pod;
}

const templates = Array.from({ length: templateCount }, (_, index) => templateOf(index));
await subject.ready();
process.stdout.write(`${nodeCount} nodes set in ${((performance.now() - startedMs) / 1000).toFixed(1)} s\n`);

let placed = 0;
let refused = 0;
let replayed = 0;
let different = 0;
let replayMs = 0;
const beginMs = performance.now();
const beginCpu = process.cpuUsage();
const beginThread = process.threadCpuUsage();
let lastMs = beginMs;
for (let i = 0; i < podCount; i++) {
  const pod = storage.withClaim(podAt(i), i);
  if (changeEvery > 0 && i % changeEvery === 0) {
    const change = i / changeEvery;
    apply({ kind: 'node-set', node: must(readNode(nodeJson((change * 7907) % nodeCount, change))) });
  }
  apply({ kind: 'pod-set', pod });
  const asked = subject.decide(pod.uid);
  const decision = asked instanceof Promise ? await asked : asked;
  if (reference !== undefined && i % replayEvery === 0) {
    const before = performance.now();
    const { best, decision: expected } = reference.explain(pod.uid, 0);
    replayMs += performance.now() - before;
    replayed++;
    const isSame =
      decision.kind === 'bound'
        ? best.includes(decision.node) && expected.kind === 'bound' && expected.score === decision.score
        : decision.kind === expected.kind;
    if (!isSame) different++;
  }
  if (decision.kind !== 'bound') {
    refused++;
    apply({ kind: 'pod-deleted', uid: pod.uid });
    continue;
  }
  placed++;
  const { volumes } = decision;
  // What a driver takes for granted.
  const assumed = volumes === undefined ? [] : assumedObjects(kernel, volumes, decision.node);
  for (const object of assumed) apply({ kind: 'object-set', object });
  apply({ kind: 'pod-bound', uid: pod.uid, nodeName: decision.node });
  if (performance.now() - lastMs > 5000) {
    lastMs = performance.now();
    process.stderr.write(`  ${placed} placed\n`);
  }
}
const seconds = (performance.now() - beginMs - replayMs) / 1000;
const { user, system } = process.cpuUsage(beginCpu);
const cpuSeconds = (user + system) / 1e6;
const thread = process.threadCpuUsage(beginThread);
const threadMicros = (thread.user + thread.system) / podCount;
const { rss, heapUsed } = process.memoryUsage();
process.stdout.write(
  `${placed} placed, ${refused} refused in ${seconds.toFixed(2)} s: ${((seconds * 1e6) / podCount).toFixed(2)} µs a pod, ` +
    `${Math.round(podCount / seconds)} pods/s; CPU ${cpuSeconds.toFixed(2)} s, all threads; the deciding one ${threadMicros.toFixed(2)} µs a pod\n` +
    `resident ${Math.round(rss / 1e6)} MB, heap ${Math.round(heapUsed / 1e6)} MB\n` +
    (replayed > 0 ? `${replayed} decisions replayed by the reference, ${different} differ\n` : ''),
);
process.stdout.write(subject.figures);
subject.close();
process.exitCode = different > 0 ? 1 : 0;
