// PodTopologySpread, filter: hard constraints. No topology domain gets more than maxSkew pods above the emptiest one.

import { spreadConstraints } from '../model/default-spread.ts';
import { matchesLabels } from '../model/label-selector.ts';
import type { PodObject, SpreadConstraint } from '../model/pod-object.ts';
import type { NodeState } from './cluster.ts';
import { leastOf } from './normalisation.ts';
import {
  type Cycle,
  failed,
  type NodeCheck,
  type PreFilter,
  type Refusal,
  refused,
  SKIP,
  unresolvable,
  unschedulable,
} from './plugin.ts';
import { hasAllKeys, isIncluded, matchCount } from './spread-counts.ts';

export function podTopologySpread(cycle: Cycle): PreFilter {
  const { pod, nodes } = cycle;
  if (pod.spreadProblem !== '') {
    const what = "get constraints from pod: obtaining pod's hard topology spread constraints";
    return refused(failed(`${what}: ${pod.spreadProblem}`));
  }
  const constraints = spreadConstraints(pod, cycle.profile, cycle.cluster, true);
  if (constraints.length === 0) return SKIP;
  const counts = constraints.map((constraint) => {
    const domains = new Map<string, number>();
    for (const state of nodes) {
      if (!hasAllKeys(constraints, state) || !isIncluded(constraint, pod, state)) continue;
      const domain = state.node.labels.get(constraint.topologyKey) ?? '';
      domains.set(domain, (domains.get(domain) ?? 0) + matchCount(constraint, pod.namespace, state));
    }
    return domains;
  });
  return { kind: 'ready', check: new SpreadCheck(pod, constraints, counts) };
}

class SpreadCheck implements NodeCheck {
  readonly #pod: PodObject;
  readonly #constraints: readonly SpreadConstraint[];
  /** For each constraint: pods by topology domain. Domains without pods are there too. */
  readonly #counts: readonly Map<string, number>[];
  /** The smallest count of each, until one changes. */
  readonly #least: (number | undefined)[] = [];

  constructor(pod: PodObject, constraints: readonly SpreadConstraint[], counts: readonly Map<string, number>[]) {
    this.#pod = pod;
    this.#constraints = constraints;
    this.#counts = counts;
  }

  copy(): NodeCheck {
    const counts = this.#counts.map((domains) => new Map(domains));
    return new SpreadCheck(this.#pod, this.#constraints, counts);
  }

  /** Counts terminating pods and those of an empty selector, which the first count leaves out; as upstream. */
  podMoved(other: PodObject, state: NodeState, count: 1 | -1): void {
    if (other.namespace !== this.#pod.namespace || !hasAllKeys(this.#constraints, state)) return;
    this.#constraints.forEach((constraint, index) => {
      if (!matchesLabels(constraint.selector, other.labels) || !isIncluded(constraint, this.#pod, state)) return;
      const domain = state.node.labels.get(constraint.topologyKey) ?? '';
      this.#least[index] = undefined;
      this.#counts[index].set(domain, (this.#counts[index].get(domain) ?? 0) + count);
    });
  }

  refusal({ node }: NodeState): Refusal | undefined {
    for (const [index, constraint] of this.#constraints.entries()) {
      const domain = node.labels.get(constraint.topologyKey);
      if (domain === undefined) {
        return unresolvable("node(s) didn't match pod topology spread constraints (missing required label)");
      }
      const domains = this.#counts[index];
      this.#least[index] ??= leastOf(domains.values());
      const least = domains.size < constraint.minDomains ? 0 : this.#least[index];
      const self = matchesLabels(constraint.selector, this.#pod.labels) ? 1 : 0;
      if ((domains.get(domain) ?? 0) + self - least > constraint.maxSkew) {
        return unschedulable("node(s) didn't match pod topology spread constraints");
      }
    }
    return undefined;
  }
}
