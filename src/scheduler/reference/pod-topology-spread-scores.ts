// PodTopologySpread, score: soft constraints. Domains with fewer pods score more; each key weighs by its domains.

import { spreadConstraints } from '../model/default-spread.ts';
import { hundredths } from '../model/division.ts';
import { naturalLogarithm } from '../model/natural-logarithm.ts';
import type { SpreadConstraint } from '../model/pod-object.ts';
import type { NodeState } from './cluster.ts';
import { leastOf, mostOf } from './normalisation.ts';
import type { Cycle } from './plugin.ts';
import { hasAllKeys, isIncluded, matchCount } from './spread-counts.ts';

const HOSTNAME = 'kubernetes.io/hostname';

export function podTopologySpreadScores(cycle: Cycle, feasible: readonly NodeState[]): number[] | undefined {
  const { pod, profile } = cycle;
  const constraints = spreadConstraints(pod, cycle.profile, cycle.cluster, false);
  if (constraints.length === 0) return undefined;
  // With the system's defaults, a node without a zone is still spread by hostname.
  const needsAllKeys = pod.spreadConstraints.length > 0 || profile.spread.defaulting !== 'System';
  const isIgnored = (state: NodeState): boolean => needsAllKeys && !hasAllKeys(constraints, state);
  const scored = feasible.filter((state) => !isIgnored(state));
  const domains = constraints.map((constraint) => countDomains(cycle, constraint, scored, isIgnored));
  const raw = scored.map((state) => {
    let sum = 0;
    for (const [index, constraint] of constraints.entries()) {
      const domain = state.node.labels.get(constraint.topologyKey);
      if (domain === undefined) continue;
      const isHost = constraint.topologyKey === HOSTNAME;
      const count = isHost ? matchCount(constraint, pod.namespace, state) : (domains[index].get(domain) ?? 0);
      const size = isHost ? scored.length : domains[index].size;
      sum += count * naturalLogarithm(size + 2) + (constraint.maxSkew - 1);
    }
    return Math.round(sum);
  });
  const [most, least] = [mostOf(raw, 0), leastOf(raw)];
  const normalised = (score: number): number => (most === 0 ? 100 : hundredths(most + least - score, most));
  const final = new Map(scored.map((state, index) => [state, normalised(raw[index])]));
  return feasible.map((state) => final.get(state) ?? 0);
}

/**
 * Pods by domain, of the domains that scored nodes are in; pods of all nodes that are included count. A node without the
 * key is in a domain without name, which adds to the number of domains and to nothing else.
 */
function countDomains(
  { pod, nodes }: Cycle,
  constraint: SpreadConstraint,
  scored: readonly NodeState[],
  isIgnored: (state: NodeState) => boolean,
): Map<string, number> {
  const domainOf = ({ node }: NodeState): string => node.labels.get(constraint.topologyKey) ?? '';
  const counts = new Map(scored.map((state) => [domainOf(state), 0]));
  for (const state of nodes) {
    const before = counts.get(domainOf(state));
    if (before === undefined || isIgnored(state) || !isIncluded(constraint, pod, state)) continue;
    counts.set(domainOf(state), before + matchCount(constraint, pod.namespace, state));
  }
  return counts;
}
