// What would make room for pods that fit nowhere: for each shape of node, how much larger it would have to be, or how many more of it
// would be enough.
//
//   shape = nodes with the same allocatable resources, taints and group labels; one of them stands for all
//   an empty node of the shape, alone, without topology rules ─► too small, by how much · kept away, by what · so many pods fit
//   so many more of it on the cluster, tried on the kernel ─► the least number that all pods fit with
//
// Empty means without any pod, also without those of DaemonSets.
//
// Limits: SHAPES_MAX shapes, those of most nodes; DECISIONS_MAX decisions to find the least number, beyond which it is not looked for.

import type { Kernel } from '../kernel/kernel.ts';
import { HOSTNAME } from '../kernel/topology.ts';
import type { NodeObject } from '../model/node-object.ts';
import { namedNodes } from '../model/node-selector.ts';
import type { PodObject } from '../model/pod-object.ts';
import { amountNamed } from '../model/resources.ts';
import type { SchedulerProfile } from '../model/scheduler-profile.ts';
import { ReferenceScheduler } from '../reference/reference-scheduler.ts';
import type { ClusterSnapshot } from './cluster-snapshot.ts';
import { groupOf, place } from './placing.ts';
import { refusalDetail, shortagesOn } from './refusal-detail.ts';

const SHAPES_MAX = 10;
const DECISIONS_MAX = 200_000;

export interface Remedy {
  /** The values of the group labels. */
  readonly group: string;
  readonly node: NodeObject;
  /** Nodes of this shape that are there. */
  readonly nodeCount: number;
  /** What an empty node lacks for one pod; empty when one fits. */
  readonly missing: readonly { readonly resource: string; readonly by: number }[];
  /** Why an empty node does not come into question at all; '' when it does. */
  readonly refusal: string;
  /** Pods that fit on an empty node. */
  readonly podsPerNode: number;
  /** So many more of it are enough for all; undefined: however many there are, or it was not looked for. */
  readonly nodesNeeded: number | undefined;
}

export interface Shortage {
  /** With all that could be placed; as before when this returns. */
  readonly kernel: Kernel;
  readonly snapshot: ClusterSnapshot;
  readonly profiles: readonly SchedulerProfile[];
  /** At least one; the first stands for all where one is looked at. */
  readonly pods: readonly PodObject[];
  readonly groupLabels: readonly string[];
}

export function remediesFor(shortage: Shortage): Remedy[] {
  const { snapshot, groupLabels, pods } = shortage;
  // Other nodes do not help a pod that names its own.
  if (namedNodes(pods[0].requiredNodes.selector?.terms ?? []) !== undefined) return [];
  const shapes = Map.groupBy(snapshot.nodes.values(), (node) => shapeKey(node, groupLabels));
  return [...shapes.values()]
    .sort((a, b) => b.length - a.length)
    .slice(0, SHAPES_MAX)
    .map((nodes) => remedyOf(shortage, nodes));
}

function shapeKey(node: NodeObject, groupLabels: readonly string[]): string {
  const { milliCpu, memory, ephemeralStorage, scalars } = node.allocatable;
  const taints = node.isUnschedulable ? [] : node.taints;
  return JSON.stringify([
    groupOf(node, groupLabels),
    node.podsMax,
    milliCpu,
    memory,
    ephemeralStorage,
    [...scalars],
    taints,
  ]);
}

function remedyOf(shortage: Shortage, nodes: readonly NodeObject[]): Remedy {
  const [pod] = shortage.pods;
  const model = withoutCordon(nodes.find(({ isUnschedulable }) => !isUnschedulable) ?? nodes[0]);
  const alone = judgeAlone(shortage, model, pod);
  const fits = alone.missing.length === 0 && alone.refusal === '';
  return {
    group: groupOf(model, shortage.groupLabels),
    node: model,
    nodeCount: nodes.length,
    ...alone,
    podsPerNode: fits ? podsOn(model, pod) : 0,
    nodesNeeded: fits ? nodesNeeded(shortage, model) : undefined,
  };
}

function withoutCordon(node: NodeObject): NodeObject {
  const taints = node.taints.filter(({ key }) => key !== 'node.kubernetes.io/unschedulable');
  return { ...node, isUnschedulable: false, taints };
}

function judgeAlone(
  { snapshot, profiles }: Shortage,
  node: NodeObject,
  given: PodObject,
): Pick<Remedy, 'missing' | 'refusal'> {
  const none = { required: [], preferred: [] };
  const pod = { ...given, affinity: none, antiAffinity: none, spreadConstraints: [], volumes: [] };
  // No service either: the default constraints would count nodes of which there is one.
  const scheduler = new ReferenceScheduler(profiles);
  scheduler.apply({ kind: 'node-set', node });
  for (const namespace of snapshot.all('Namespace')) scheduler.apply({ kind: 'object-set', object: namespace });
  scheduler.apply({ kind: 'pod-set', pod });
  const { refusals, feasible, decision } = scheduler.explain(pod.uid, 0);
  if (feasible.length > 0) return { missing: [], refusal: '' };
  const refusal = refusals.get(node.name);
  const state = { node, pods: [] };
  const short = refusal === undefined ? [] : shortagesOn(refusal, pod, state);
  const missing = short.map(({ resource, asked, free }) => ({ resource, by: asked - free }));
  if (missing.length > 0) return { missing, refusal: '' };
  if (refusal === undefined) return { missing, refusal: 'message' in decision ? decision.message : 'it is left alone' };
  const detail = refusalDetail(refusal, pod, state);
  return { missing, refusal: `${refusal.reasons.join(', ')}${detail === '' ? '' : ` (${detail})`}` };
}

function podsOn({ allocatable, podsMax }: NodeObject, { requests }: PodObject): number {
  const names = ['cpu', 'memory', 'ephemeral-storage', ...requests.toFit.scalars.keys()];
  const counts = names.flatMap((name) => {
    const asked = amountNamed(requests.toFit, name);
    return asked > 0 ? [Math.floor(amountNamed(allocatable, name) / asked)] : [];
  });
  return Math.min(podsMax, ...counts);
}

/** The least number, by doubling and then halving the gap. */
function nodesNeeded(shortage: Shortage, model: NodeObject): number | undefined {
  const { pods } = shortage;
  const budget = { left: DECISIONS_MAX };
  // Each pod a node of its own is all that could help.
  let [enough, tooFew] = [1, 0];
  while (!isEnough(shortage, model, enough, budget)) {
    if (enough >= pods.length || budget.left <= 0) return undefined;
    tooFew = enough;
    enough = Math.min(2 * enough, pods.length);
  }
  while (enough - tooFew > 1) {
    const middle = Math.floor((enough + tooFew) / 2);
    if (budget.left <= 0) return undefined;
    if (isEnough(shortage, model, middle, budget)) enough = middle;
    else tooFew = middle;
  }
  return enough;
}

/** Whether all pods fit with so many more nodes. Leaves the kernel as it was. */
function isEnough({ kernel, pods }: Shortage, model: NodeObject, count: number, budget: { left: number }): boolean {
  const names = Array.from({ length: count }, (_, index) => `what-if-${model.name}-${index}`);
  for (const name of names) kernel.apply({ kind: 'node-set', node: copyOf(model, name) });
  const tried: PodObject[] = [];
  let doFit = true;
  for (const pod of pods) {
    tried.push(pod);
    budget.left--;
    doFit = place(kernel, pod).kind === 'bound' && budget.left > 0;
    if (!doFit) break;
  }
  for (const pod of tried) kernel.apply({ kind: 'pod-set', pod });
  for (const name of names) kernel.apply({ kind: 'node-deleted', name });
  return doFit;
}

/** Another node like it. */
export function copyOf(model: NodeObject, name: string): NodeObject {
  const labels = model.labels.has(HOSTNAME) ? new Map([...model.labels, [HOSTNAME, name]]) : model.labels;
  return { ...model, name, uid: name, labels };
}
