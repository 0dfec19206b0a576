// What both halves of PodTopologySpread count, and where.

import { isEmptySelector, matchesLabels } from '../model/label-selector.ts';
import { matchesRequiredNodes } from '../model/node-selector.ts';
import type { PodObject, SpreadConstraint } from '../model/pod-object.ts';
import { toleratesNode } from '../model/toleration.ts';
import type { NodeState } from './cluster.ts';

/** Whether the nodes that count for this constraint include this one. */
export function isIncluded(constraint: SpreadConstraint, pod: PodObject, { node }: NodeState): boolean {
  if (constraint.honorsAffinity && !matchesRequiredNodes(pod.requiredNodes, node)) return false;
  return !constraint.honorsTaints || toleratesNode(pod.tolerations, node.taints);
}

/** Pods of the namespace that match and are not on their way out. An empty selector counts none. */
export function matchCount({ selector }: SpreadConstraint, namespace: string, { pods }: NodeState): number {
  if (isEmptySelector(selector)) return 0;
  return pods.filter(
    (other) => !other.isTerminating && other.namespace === namespace && matchesLabels(selector, other.labels),
  ).length;
}

export function hasAllKeys(constraints: readonly SpreadConstraint[], { node }: NodeState): boolean {
  return constraints.every(({ topologyKey }) => node.labels.has(topologyKey));
}
