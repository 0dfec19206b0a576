// The scheduler's kernel where nothing fits: pods of a high priority come to nodes that are full of others, every node considered for each.
//   node bench/preemption.ts [--nodes 100000] [--pods 1000] [--filling 8] [--cpu 12] [--feature plain] [--budgets 0]
//       [--allowed N] [--budget-changes] [--replay 0]
// --filling pods of 4 CPUs are on each node of 32, of two priorities, started at different times; the others ask for --cpu. --feature anti adds
// required anti-affinity on the hostname; --budgets N a PodDisruptionBudget for each of N labels of those that are there, which allow nothing and one
// pod in turn, or --allowed N; with --budget-changes one of them allows one more or less before each decision.
// First every pod is decided on and nominated; then its victims go and it is bound. --replay N lets the reference decide every Nth pod too.

import { parseArgs } from 'node:util';
import { readClusterObject } from '../src/scheduler/model/cluster-objects.ts';
import { boundTo, nominatedTo } from '../src/scheduler/model/command.ts';
import { readNode } from '../src/scheduler/model/node-object.ts';
import type { PodObject } from '../src/scheduler/model/pod-object.ts';
import { readPod } from '../src/scheduler/model/pod-reader.ts';
import { DEFAULT_PROFILE } from '../src/scheduler/model/scheduler-profile.ts';
import { preference } from '../src/scheduler/reference/default-preemption.ts';
import { KernelSubject, must } from './kernel-subject.ts';

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '100000' },
    pods: { type: 'string', default: '1000' },
    filling: { type: 'string', default: '8' },
    cpu: { type: 'string', default: '12' },
    feature: { type: 'string', default: 'plain' },
    budgets: { type: 'string', default: '0' },
    allowed: { type: 'string' },
    'budget-changes': { type: 'boolean', default: false },
    replay: { type: 'string', default: '0' },
  },
});
const nodeCount = Number(values.nodes);
const podCount = Number(values.pods);
const fillingCount = Number(values.filling);
const budgetCount = Number(values.budgets);
const replayEvery = Number(values.replay);
const ZONES = 16;
const HOSTNAME = 'kubernetes.io/hostname';
const ZONE = 'topology.kubernetes.io/zone';
const START_MS = 1_700_000_000_000;

const subject = new KernelSubject(DEFAULT_PROFILE, { isReplayed: replayEvery > 0 });
const { kernel, reference } = subject;
const apply: KernelSubject['apply'] = (command) => subject.apply(command);

function nodeJson(index: number): unknown {
  const name = `node-${index}`;
  const labels = { [HOSTNAME]: name, [ZONE]: `zone-${index % ZONES}` };
  return {
    metadata: { name, uid: name, labels },
    status: { allocatable: { cpu: '32', memory: '128Gi', pods: '110' } },
  };
}

function template(app: string, cpu: string, priority: number, extra: object): PodObject {
  const containers = [{ name: 'main', image: 'app:v1', resources: { requests: { cpu, memory: '1Gi' } } }];
  return must(
    readPod({
      metadata: { namespace: 'default', name: app, uid: app, labels: { app } },
      spec: { schedulerName: DEFAULT_PROFILE.schedulerName, priority, containers, ...extra },
    }),
  );
}

function featureOf(app: string): object {
  const labelSelector = { matchLabels: { app } };
  switch (values.feature) {
    case 'anti':
      return {
        affinity: {
          podAntiAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: HOSTNAME, labelSelector }],
          },
        },
      };
    default:
      return {};
  }
}

/** Spreads the indexes over `count` values, the same in every run. */
function mixed(index: number, count: number): number {
  return (Math.imul(index, 0x9e3779b1) >>> 8) % count;
}

for (let i = 0; i < nodeCount; i++) apply({ kind: 'node-set', node: must(readNode(nodeJson(i))) });
const labels = Math.max(1, budgetCount);
const there = Array.from({ length: 2 * labels }, (_, i) =>
  template(`filling-${i % labels}`, '4', i < labels ? 0 : 10, {}),
);
for (let i = 0; i < nodeCount * fillingCount; i++) {
  const pod = { ...there[mixed(i, there.length)], uid: `filling-${i}`, name: `filling-${i}` };
  const startedAtMs = START_MS + mixed(i, 1_000_000) * 1000;
  apply({ kind: 'pod-set', pod: boundTo({ ...pod, startedAtMs }, `node-${i % nodeCount}`) });
}
function setBudget(index: number, more = 0): void {
  const disruptionsAllowed = (values.allowed === undefined ? index % 2 : Number(values.allowed)) + more;
  const budget = {
    metadata: { namespace: 'default', name: `budget-${index}` },
    spec: { selector: { matchLabels: { app: `filling-${index}` } } },
    status: { disruptionsAllowed },
  };
  apply({ kind: 'object-set', object: must(readClusterObject('PodDisruptionBudget', budget)) });
}
for (let i = 0; i < budgetCount; i++) setBudget(i);
const wanted = template('high', values.cpu, 1000, featureOf('high'));
process.stdout.write(`${nodeCount} nodes with ${fillingCount} pods each\n`);

let different = 0;
let replayMs = 0;

/** Whether the reference could have taken that node. */
function isAmongBest(uid: string, node: string): boolean {
  const before = performance.now();
  const nowMs = 2 * START_MS;
  const { candidates = [], decision } = reference?.explain(uid, nowMs) ?? {};
  replayMs += performance.now() - before;
  const best = decision?.kind === 'unschedulable' ? decision.preemption?.nominatedNode : undefined;
  const [taken, theirs] = [node, best].map((name) => candidates.find((candidate) => candidate.node === name));
  if (taken === undefined || theirs === undefined) return false;
  return String(preference(taken, nowMs)) === String(preference(theirs, nowMs));
}

const waiting: { readonly pod: PodObject; readonly victims: readonly string[] }[] = [];
let firstMs = 0;
const beginMs = performance.now();
const beginCpu = process.cpuUsage();
for (let i = 0; i < podCount; i++) {
  const pod = { ...wanted, uid: `high-${i}`, name: `high-${i}` };
  apply({ kind: 'pod-set', pod });
  if (values['budget-changes']) setBudget(i % budgetCount, 1 + (Math.floor(i / budgetCount) % 2));
  const decision = kernel.decide(pod.uid);
  if (i === 0) firstMs = performance.now() - beginMs;
  const preemption = decision.kind === 'unschedulable' ? decision.preemption : undefined;
  if (preemption === undefined) throw new Error(`no victims are found: ${JSON.stringify(decision)}`);
  if (replayEvery > 0 && i % replayEvery === 0 && !isAmongBest(pod.uid, preemption.nominatedNode)) different++;
  const nominated = nominatedTo(pod, preemption.nominatedNode);
  apply({ kind: 'pod-set', pod: nominated });
  waiting.push({ pod: nominated, victims: preemption.victims });
}
const decidedMs = performance.now() - beginMs - replayMs;
let victimCount = 0;
for (const { pod, victims } of waiting) {
  for (const uid of victims) apply({ kind: 'pod-deleted', uid });
  victimCount += victims.length;
  const decision = kernel.decide(pod.uid);
  if (decision.kind !== 'bound' || decision.node !== pod.nominatedNodeName) {
    throw new Error(`not bound to its node: ${JSON.stringify(decision)}`);
  }
  apply({ kind: 'pod-set', pod: boundTo(pod, decision.node) });
}
const boundMs = performance.now() - beginMs - replayMs - decidedMs;
const totalMs = decidedMs + boundMs;
const { user, system } = process.cpuUsage(beginCpu);
process.stdout.write(
  `${podCount} pods, ${victimCount} victims: the first ${firstMs.toFixed(0)} ms, ` +
    `all nominated in ${decidedMs.toFixed(0)} ms, bound in ${boundMs.toFixed(0)} ms more: ` +
    `${Math.round((podCount / totalMs) * 1000)} pods/s; CPU ${Math.round((user + system) / 1000)} ms, all threads\n` +
    (replayEvery > 0
      ? `${Math.ceil(podCount / replayEvery)} decisions replayed by the reference, ${different} differ\n`
      : ''),
);
process.exitCode = different > 0 ? 1 : 0;
