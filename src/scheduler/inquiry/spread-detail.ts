// Which hard spread constraint keeps a pod from a node, and by what counts. The counts are PodTopologySpread's own
// (reference/spread-counts.ts), made once for a pod.

import { HOSTNAME } from '../kernel/topology.ts';
import type { ObjectLookup } from '../model/cluster-objects.ts';
import { spreadConstraints } from '../model/default-spread.ts';
import { matchesLabels } from '../model/label-selector.ts';
import type { PodObject, SpreadConstraint } from '../model/pod-object.ts';
import type { SchedulerProfile } from '../model/scheduler-profile.ts';
import type { NodeState } from '../reference/cluster.ts';
import { leastOf } from '../reference/normalisation.ts';
import { hasAllKeys, isIncluded, matchCount } from '../reference/spread-counts.ts';

export class SpreadDetail {
  readonly #pod: PodObject;
  readonly #constraints: readonly SpreadConstraint[];
  /** For each constraint: pods by topology domain. */
  readonly #counts: readonly ReadonlyMap<string, number>[];

  constructor(pod: PodObject, profile: SchedulerProfile, objects: ObjectLookup, states: readonly NodeState[]) {
    this.#pod = pod;
    this.#constraints = pod.spreadProblem === '' ? spreadConstraints(pod, profile, objects, true) : [];
    this.#counts = this.#constraints.map((constraint) => this.#countsOf(constraint, states));
  }

  #countsOf(constraint: SpreadConstraint, states: readonly NodeState[]): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const state of states) {
      if (!hasAllKeys(this.#constraints, state) || !isIncluded(constraint, this.#pod, state)) continue;
      const domain = state.node.labels.get(constraint.topologyKey) ?? '';
      counts.set(domain, (counts.get(domain) ?? 0) + matchCount(constraint, this.#pod.namespace, state));
    }
    return counts;
  }

  /** '' where none keeps it away by these counts. */
  of({ node }: NodeState): string {
    for (const [index, constraint] of this.#constraints.entries()) {
      const { topologyKey, minDomains, maxSkew, selector } = constraint;
      const domain = node.labels.get(topologyKey);
      if (domain === undefined) return `it lacks ${topologyKey}`;
      const counts = this.#counts[index];
      const least = counts.size < minDomains ? 0 : leastOf(counts.values());
      const there = counts.get(domain) ?? 0;
      const self = matchesLabels(selector, this.#pod.labels) ? 1 : 0;
      if (there + self - least <= maxSkew) continue;
      // Nodes are told together, so hostnames cannot be named.
      const where = topologyKey === HOSTNAME ? `a ${HOSTNAME}` : `${topologyKey} ${domain}`;
      const few = counts.size < minDomains ? `, of ${minDomains} domains wanted ${counts.size} are there` : '';
      return `${where} has ${there} of its kind, the least is ${least}, maxSkew ${maxSkew}${few}`;
    }
    return '';
  }
}
