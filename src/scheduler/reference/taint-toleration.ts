// TaintToleration: taints that keep pods away filter, those that would rather not have them score.

import { intolerableCount, toleratesNode } from '../model/toleration.ts';
import type { NodeState } from './cluster.ts';
import { scaledFromHighest } from './normalisation.ts';
import { type Cycle, type PreFilter, ready, unresolvable } from './plugin.ts';

export function taintToleration({ pod }: Cycle): PreFilter {
  return ready(({ node }) =>
    toleratesNode(pod.tolerations, node.taints) ? undefined : unresolvable('node(s) had untolerated taint(s)'),
  );
}

export function taintTolerationScores({ pod }: Cycle, feasible: readonly NodeState[]): number[] {
  return scaledFromHighest(feasible.map(({ node }) => intolerableCount(pod.tolerations, node.taints)));
}
