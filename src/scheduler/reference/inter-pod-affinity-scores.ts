// InterPodAffinity, score: preferred terms of the incoming pod, and preferred and required terms of those there.

import { NO_LABELS } from '../model/label-selector.ts';
import type { AffinityTerm, PodObject } from '../model/pod-object.ts';
import { matchesTerm, resolved } from './affinity-terms.ts';
import type { NodeState } from './cluster.ts';
import { leastOf, mostOf } from './normalisation.ts';
import type { Cycle } from './plugin.ts';

/** Topology key, topology value, sum of weights. */
type Table = Map<string, Map<string, number>>;

export function interPodAffinityScores(cycle: Cycle, feasible: readonly NodeState[]): number[] | undefined {
  const { pod, profile } = cycle;
  const prefers = pod.affinity.preferred.length + pod.antiAffinity.preferred.length > 0;
  if (profile.affinity.ignorePreferredTermsOfExistingPods && !prefers) return undefined;
  const table = weightsOf(cycle);
  if (table.size === 0) return undefined;
  const raw = feasible.map(({ node }) => {
    let sum = 0;
    for (const [key, values] of table) {
      const value = node.labels.get(key);
      if (value !== undefined) sum += values.get(value) ?? 0;
    }
    return sum;
  });
  const least = leastOf(raw);
  const range = mostOf(raw) - least;
  // In this order of operations: it is not the same as 100 × (raw − least) / range.
  return raw.map((score) => (range === 0 ? 0 : Math.trunc(100 * ((score - least) / range))));
}

function weightsOf(cycle: Cycle): Table {
  const { pod, cluster, nodes } = cycle;
  const own = {
    preferred: pod.affinity.preferred.map((term) => resolved(term, cluster)),
    avoided: pod.antiAffinity.preferred.map((term) => resolved(term, cluster)),
  };
  const hardWeight = cycle.profile.affinity.hardPodAffinityWeight;
  const namespaceLabels = cluster.namespaceLabels(pod.namespace);
  const table: Table = new Map();
  const add = (term: AffinityTerm, { node }: NodeState, weight: number): void => {
    const value = node.labels.get(term.topologyKey);
    if (value === undefined) return;
    const values = table.get(term.topologyKey) ?? new Map<string, number>();
    table.set(term.topologyKey, values.set(value, (values.get(value) ?? 0) + weight));
  };
  const count = (other: PodObject, state: NodeState): void => {
    for (const term of own.preferred) if (matchesTerm(term, other, NO_LABELS)) add(term, state, term.weight);
    for (const term of own.avoided) if (matchesTerm(term, other, NO_LABELS)) add(term, state, -term.weight);
    const { affinity, antiAffinity } = other;
    if (hardWeight > 0) {
      for (const term of affinity.required) if (matchesTerm(term, pod, namespaceLabels)) add(term, state, hardWeight);
    }
    for (const term of affinity.preferred) if (matchesTerm(term, pod, namespaceLabels)) add(term, state, term.weight);
    for (const term of antiAffinity.preferred) {
      if (matchesTerm(term, pod, namespaceLabels)) add(term, state, -term.weight);
    }
  };
  for (const state of nodes) for (const other of state.pods) count(other, state);
  return table;
}
