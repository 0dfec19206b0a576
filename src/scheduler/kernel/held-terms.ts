// Affinity terms of the pods that are on nodes, and in which domains the pods are that hold them: what they say of a pod
// to be placed is then a look at its domain. Terms that say the same are one. One that no shape of pods has any more is swept away.

import { isEmptySelector } from '../model/label-selector.ts';
import type { AffinityTerm, PodAffinity, PodObject, WeightedAffinityTerm } from '../model/pod-object.ts';
import { DomainCounter } from './domain-counter.ts';
import { canonicalText } from './interner.ts';
import type { SelectorTable } from './selector-table.ts';
import type { SweepRounds } from './sweep-rounds.ts';
import type { TopologyKey } from './topology.ts';

export type HeldTermRole = 'required-anti' | 'required' | 'preferred' | 'preferred-anti';

export interface HeldTerm {
  /** Grows from one to the next; from 1 on. */
  readonly id: number;
  /** When it was last used. */
  round: number;
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
  terms: HeldTerm[] = [];
  /** Of the newest term; 0 for none. */
  lastId = 0;
  /** Terms that look at the labels of namespaces. */
  selectingCount = 0;
  readonly #rounds: SweepRounds;
  readonly #byText = new Map<string, HeldTerm>();
  readonly #topologyOf: (key: string) => TopologyKey;
  readonly #selectors: SelectorTable;

  constructor(rounds: SweepRounds, topologyOf: (key: string) => TopologyKey, selectors: SelectorTable) {
    this.#rounds = rounds;
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
      const topology = this.#topologyOf(topologyKey);
      held = { id: ++this.lastId, round: 0, role, weight, term, topology, holders: new DomainCounter() };
      this.#byText.set(text, held);
      this.terms.push(held);
      this.#selectors.mention(selector);
      if (looksAtNamespaces(term)) this.selectingCount++;
    }
    held.round = this.#rounds.current;
    return held;
  }

  /** Once the shapes have marked theirs: drops the others, and marks what these use. */
  sweep(): void {
    for (const [text, { round }] of this.#byText) if (this.#rounds.isOver(round)) this.#byText.delete(text);
    this.terms = [...this.#byText.values()];
    this.selectingCount = 0;
    for (const { topology, term } of this.terms) {
      topology.round = this.#rounds.current;
      this.#selectors.mention(term.selector);
      if (looksAtNamespaces(term)) this.selectingCount++;
    }
  }
}

/** Whether it depends on the labels of a namespace: not when it selects none or all of them. */
export function looksAtNamespaces({ namespaceSelector }: AffinityTerm): boolean {
  return !isEmptySelector(namespaceSelector) && !namespaceSelector.matchesNothing;
}
