// Random histories of clusters for tests of schedulers that count as they go: nodes that come, change and go, pods that
// arrive, move, are relabelled, terminate, finish and go, other objects that change, and pods to be placed in between.
//
// Nodes are those of two plans with the same names, so that a change is from one plan's node to the other's.

import fc from 'fast-check';
import { objectKey } from './cluster-objects.ts';
import type { ClusterCommand } from './command.ts';
import { readNode } from './node-object.ts';
import {
  type BoundPod,
  type ClusterPlan,
  clusterPlan,
  commandsOf,
  type JsonFields,
  mustRead,
  objectSet,
  type PlanSize,
  podSet,
} from './plan-fixture.ts';
import type { PodObject } from './pod-object.ts';

/** `schedule`: the pod is new; whoever plays the history sets it, asks for a decision, and applies what comes of it. */
export type HistoryStep = ClusterCommand | { readonly kind: 'schedule'; readonly pod: PodObject };

const CHANGES = [
  'schedule',
  'schedule',
  'schedule',
  'schedule',
  'node changes',
  'node goes',
  'node is back',
  'pod arrives',
  'pod goes',
  'pod is relabelled',
  'pod terminates',
  'pod finishes',
  'nomination',
  'nomination goes',
  'object changes',
  'object goes',
] as const;

interface Choice {
  readonly change: (typeof CHANGES)[number];
  readonly index: number;
}

/** The cluster first, then at most `stepsMax` changes, about a quarter of them pods to be placed. */
export function clusterHistory(stepsMax: number, size?: PlanSize): fc.Arbitrary<HistoryStep[]> {
  const choice = fc.record({ change: fc.constantFrom(...CHANGES), index: fc.nat(99) });
  return fc
    .record({
      plan: clusterPlan(size),
      other: clusterPlan(size),
      choices: fc.array(choice, { maxLength: stepsMax, size: 'max' }),
    })
    .map(({ plan, other, choices }) => [
      ...commandsOf(plan),
      ...choices.flatMap((one, at) => stepsOf(one, at, { plan, other })),
    ]);
}

function stepsOf(
  { change, index }: Choice,
  at: number,
  plans: { plan: ClusterPlan; other: ClusterPlan },
): HistoryStep[] {
  const { plan, other } = plans;
  const pick = <T>(items: readonly T[], make: (item: T) => HistoryStep): HistoryStep[] =>
    items.length === 0 ? [] : [make(items[index % items.length])];
  switch (change) {
    case 'schedule':
      return pick([...plan.pending, ...other.pending], (json) => ({ kind: 'schedule', pod: again(json, at) }));
    case 'node changes':
      return pick(other.nodes, (json) => ({ kind: 'node-set', node: mustRead(readNode(json)) }));
    case 'node is back':
      return pick(plan.nodes, (json) => ({ kind: 'node-set', node: mustRead(readNode(json)) }));
    case 'node goes':
      return pick(plan.nodes, (json) => ({ kind: 'node-deleted', name: mustRead(readNode(json)).name }));
    case 'pod arrives':
      return pick(other.bound, ({ pod }) => podSet(pod));
    case 'pod goes':
      return pick(plan.bound, ({ pod }) => ({ kind: 'pod-deleted', uid: podSet(pod).pod.uid }));
    case 'pod is relabelled':
      return pick(plan.bound, ({ pod }) => relabelled(pod, index));
    case 'pod terminates':
      return pick(plan.bound, ({ pod }) => withMetadata(pod, { deletionTimestamp: '2023-11-15T00:00:00Z' }));
    case 'pod finishes':
      return pick(plan.bound, finished);
    case 'nomination':
      return pick([...plan.nominated, ...other.nominated], podSet);
    case 'nomination goes':
      return pick(plan.nominated, (json) => ({ kind: 'pod-deleted', uid: podSet(json).pod.uid }));
    case 'object changes':
      return pick(other.objects, ({ kind, object }) => objectSet(kind, object));
    case 'object goes':
      return pick(plan.objects, ({ kind, object }) => {
        const { object: read } = objectSet(kind, object);
        return { kind: 'object-deleted', objectKind: kind, key: objectKey(read) };
      });
  }
}

function withMetadata(pod: JsonFields, more: JsonFields): HistoryStep {
  return podSet({ ...pod, metadata: { ...(pod.metadata as JsonFields), ...more } });
}

function relabelled(pod: JsonFields, index: number): HistoryStep {
  const app = ['a', 'b', 'c'][index % 3];
  return withMetadata(pod, { labels: { app, tier: index % 2 === 0 ? 'x' : 'y' } });
}

function finished({ pod }: BoundPod): HistoryStep {
  return podSet({ ...pod, status: { ...(pod.status as JsonFields), phase: 'Succeeded' } });
}

/** The same pod under another name, so that a plan's pod is placed more than once. */
function again(json: JsonFields, at: number): PodObject {
  const metadata = json.metadata as JsonFields;
  const name = `${metadata.name}-${at}`;
  return podSet({ ...json, metadata: { ...metadata, name, uid: `${metadata.namespace}-${name}` } }).pod;
}
