// Affinity terms of the pods that are on nodes, and in which domains the pods are that hold them: what they say of a pod
// to be placed is then a look at its domain. Terms that say the same are one.

import type { AffinityTerm, PodAffinity, PodObject, WeightedAffinityTerm } from '../model/pod-object.ts';
import { DomainCounter } from './domain-counter.ts';
import { canonicalText } from './interner.ts';
import type { SelectorTable } from './selector-table.ts';
import type { TopologyKey } from './topology.ts';

export type HeldTermRole = 'required-anti' | 'required' | 'preferred' | 'preferred-anti';

export interface HeldTerm {
  readonly role: HeldTermRole;
  /** Of preferred terms; 0 for others. */
  readonly weight: number;
  readonly term: AffinityTerm;
  readonly topology: TopologyKey;
  /** Pods that hold it, by domain. */
  readonly holders: DomainCounter;
}

export class HeldTermTable {
  /** In the order in which they were first met. */
  readonly terms: HeldTerm[] = [];
  readonly #byText = new Map<string, HeldTerm>();
  readonly #topologyOf: (key: string) => TopologyKey;
  readonly #selectors: SelectorTable;

  constructor(topologyOf: (key: string) => TopologyKey, selectors: SelectorTable) {
    this.#topologyOf = topologyOf;
    this.#selectors = selectors;
  }

  /** Those of a pod. */
  of({ affinity, antiAffinity }: PodObject): HeldTerm[] {
    return [
      ...this.#ofKind(affinity, 'required', 'preferred'),
      ...this.#ofKind(antiAffinity, 'required-anti', 'preferred-anti'),
    ];
  }

  #ofKind(affinity: PodAffinity, required: HeldTermRole, preferred: HeldTermRole): HeldTerm[] {
    return [
      ...affinity.required.map((term) => this.#hold(term, required, 0)),
      ...affinity.preferred.map((term: WeightedAffinityTerm) => this.#hold(term, preferred, term.weight)),
    ];
  }

  #hold(term: AffinityTerm, role: HeldTermRole, weight: number): HeldTerm {
    const { selector, topologyKey, namespaces, namespaceSelector } = term;
    const text = canonicalText([role, weight, topologyKey, selector, namespaces, namespaceSelector]);
    let held = this.#byText.get(text);
    if (held === undefined) {
      held = { role, weight, term, topology: this.#topologyOf(topologyKey), holders: new DomainCounter() };
      this.#byText.set(text, held);
      this.terms.push(held);
      this.#selectors.mention(selector);
    }
    return held;
  }
}
