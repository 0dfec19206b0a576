// InterPodAffinity, filter: required affinity and anti-affinity of the incoming pod, and anti-affinity of those there.
//
// Everything is counted by topology pair (key, value). A node without the key of a term counts for nothing there.

import type { AffinityTerm, PodObject } from '../model/pod-object.ts';
import { matchesResolved, matchesTerm, resolved } from './affinity-terms.ts';
import type { NodeState } from './cluster.ts';
import {
  type Cycle,
  type NodeCheck,
  type PreFilter,
  type Refusal,
  refused,
  SKIP,
  unresolvable,
  unschedulable,
} from './plugin.ts';

export function interPodAffinity(cycle: Cycle): PreFilter {
  const { pod, cluster, nodes } = cycle;
  if (pod.affinityProblem !== '') return refused(unresolvable(`parsing pod: ${pod.affinityProblem}`));
  const check = new AffinityCheck(cycle, {
    affinity: pod.affinity.required.map((term) => resolved(term, cluster)),
    antiAffinity: pod.antiAffinity.required.map((term) => resolved(term, cluster)),
  });
  for (const state of nodes) for (const other of state.pods) check.podMoved(other, state, 1);
  return check.hasNothingToDo ? SKIP : { kind: 'ready', check };
}

interface Terms {
  readonly affinity: readonly AffinityTerm[];
  readonly antiAffinity: readonly AffinityTerm[];
}

class AffinityCheck implements NodeCheck {
  readonly #cycle: Cycle;
  readonly #terms: Terms;
  /** Required anti-affinity terms of pods there that the incoming pod matches. */
  readonly #refusing: PairCounts;
  /** Pods that match all required affinity terms, once for each term. */
  readonly #wanted: PairCounts;
  /** Pods that match a required anti-affinity term, for each such term. */
  readonly #unwanted: PairCounts;

  constructor(
    cycle: Cycle,
    terms: Terms,
    counts: readonly PairCounts[] = [new PairCounts(), new PairCounts(), new PairCounts()],
  ) {
    this.#cycle = cycle;
    this.#terms = terms;
    [this.#refusing, this.#wanted, this.#unwanted] = counts;
  }

  get hasNothingToDo(): boolean {
    return this.#terms.affinity.length === 0 && this.#terms.antiAffinity.length === 0 && this.#refusing.isEmpty;
  }

  copy(): NodeCheck {
    const counts = [this.#refusing, this.#wanted, this.#unwanted].map((count) => count.copy());
    return new AffinityCheck(this.#cycle, this.#terms, counts);
  }

  podMoved(other: PodObject, { node }: NodeState, count: 1 | -1): void {
    const { pod, cluster } = this.#cycle;
    for (const term of other.antiAffinity.required) {
      if (matchesTerm(term, pod, cluster.namespaceLabels(pod.namespace))) this.#refusing.add(term, node, count);
    }
    const { affinity, antiAffinity } = this.#terms;
    if (matchesAll(affinity, other)) for (const term of affinity) this.#wanted.add(term, node, count);
    for (const term of antiAffinity) if (matchesResolved(term, other)) this.#unwanted.add(term, node, count);
  }

  refusal({ node }: NodeState): Refusal | undefined {
    const { affinity, antiAffinity } = this.#terms;
    if (!affinity.every(({ topologyKey }) => node.labels.has(topologyKey)) || !this.#isWantedOn(node)) {
      return unresolvable("node(s) didn't match pod affinity rules");
    }
    if (antiAffinity.some((term) => this.#unwanted.at(term.topologyKey, node) > 0)) {
      return unschedulable("node(s) didn't match pod anti-affinity rules");
    }
    if (!this.#refusing.isEmpty && [...node.labels.keys()].some((key) => this.#refusing.at(key, node) > 0)) {
      return unschedulable("node(s) didn't satisfy existing pods anti-affinity rules");
    }
    return undefined;
  }

  #isWantedOn(node: NodeState['node']): boolean {
    const { affinity } = this.#terms;
    if (affinity.every(({ topologyKey }) => this.#wanted.at(topologyKey, node) > 0)) return true;
    // The first of a group that wants to be together.
    return this.#wanted.isEmpty && matchesAll(affinity, this.#cycle.pod);
  }
}

function matchesAll(terms: readonly AffinityTerm[], pod: PodObject): boolean {
  return terms.every((term) => matchesResolved(term, pod));
}

/** Counts by topology pair; pairs with 0 are not there. */
class PairCounts {
  readonly #counts = new Map<string, number>();

  get isEmpty(): boolean {
    return this.#counts.size === 0;
  }

  copy(): PairCounts {
    const copy = new PairCounts();
    for (const [pair, count] of this.#counts) copy.#counts.set(pair, count);
    return copy;
  }

  at(topologyKey: string, { labels }: NodeState['node']): number {
    const value = labels.get(topologyKey);
    return value === undefined ? 0 : (this.#counts.get(JSON.stringify([topologyKey, value])) ?? 0);
  }

  add({ topologyKey }: AffinityTerm, { labels }: NodeState['node'], count: number): void {
    const value = labels.get(topologyKey);
    if (value === undefined) return;
    const pair = JSON.stringify([topologyKey, value]);
    const sum = (this.#counts.get(pair) ?? 0) + count;
    if (sum === 0) this.#counts.delete(pair);
    else this.#counts.set(pair, sum);
  }
}
