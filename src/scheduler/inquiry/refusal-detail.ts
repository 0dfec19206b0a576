// What a refusal leaves unsaid, found out from the node and the pod: which taint, which label, how much is missing.

import { isMet, matchesLabels, selectorOfPairs } from '../model/label-selector.ts';
import { matchesNodeSelector } from '../model/node-selector.ts';
import type { PodObject } from '../model/pod-object.ts';
import { amountNamed } from '../model/resources.ts';
import { isTolerated } from '../model/toleration.ts';
import type { NodeState } from '../reference/cluster.ts';
import type { PluginRefusal } from '../reference/filtering.ts';
import { requestedOn } from '../reference/node-resources-fit.ts';

/** How much of a resource a pod asks for, and what is left of it on a node. */
export interface Shortage {
  readonly resource: string;
  readonly asked: number;
  readonly free: number;
}

/** The taint or the label that is to blame; '' where there is no one thing. Nodes of one detail are told together. */
export function refusalDetail({ plugin }: PluginRefusal, pod: PodObject, { node }: NodeState): string {
  if (plugin === 'TaintToleration') {
    const taint = node.taints.find(
      (one) => (one.effect === 'NoSchedule' || one.effect === 'NoExecute') && !isTolerated(pod.tolerations, one),
    );
    return taint === undefined ? '' : `${taint.key}${taint.value === '' ? '' : `=${taint.value}`}:${taint.effect}`;
  }
  if (plugin !== 'NodeAffinity') return '';
  const { pairs, selector } = pod.requiredNodes;
  for (const [key, value] of pairs) {
    if (!matchesLabels(selectorOfPairs(new Map([[key, value]])), node.labels)) {
      return `nodeSelector ${key}=${value}, the node has ${labelText(node.labels.get(key))}`;
    }
  }
  if (selector === undefined || matchesNodeSelector(selector, node)) return '';
  const [term, ...others] = selector.terms;
  const failing =
    others.length === 0 ? term?.expressions.find((requirement) => !isMet(requirement, node.labels)) : undefined;
  if (failing === undefined) return '';
  const { key, operator, values } = failing;
  return `${key} ${operator} [${values.join(' ')}], the node has ${labelText(node.labels.get(key))}`;
}

function labelText(value: string | undefined): string {
  return value === undefined ? 'no such label' : JSON.stringify(value);
}

const INSUFFICIENT = 'Insufficient ';

/** What the reasons of NodeResourcesFit speak of; the number of pods among it. */
export function shortagesOn({ plugin, reasons }: PluginRefusal, pod: PodObject, state: NodeState): Shortage[] {
  if (plugin !== 'NodeResourcesFit') return [];
  return reasons.map((reason) => {
    if (!reason.startsWith(INSUFFICIENT)) {
      return { resource: 'pods', asked: 1, free: state.node.podsMax - state.pods.length };
    }
    const resource = reason.slice(INSUFFICIENT.length);
    const free = amountNamed(state.node.allocatable, resource) - requestedOn(state, resource);
    return { resource, asked: amountNamed(pod.requests.toFit, resource), free };
  });
}
