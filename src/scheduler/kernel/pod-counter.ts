// Counters of the pods that a selector matches: by domain of a topology key, or by node.
//
// Of spread constraints only some nodes count (their inclusion), and terminating pods do not.

import { DomainCounter } from './domain-counter.ts';
import type { DomainNodes, Inclusion } from './domain-nodes.ts';
import type { PodSelector } from './selector-table.ts';
import { SparseCounts } from './sparse-counts.ts';
import type { TopologyKey } from './topology.ts';

export const EVERY_NODE: Inclusion = { key: '', includes: () => true, forgetShapes: () => undefined };

export interface PodCounterOptions {
  readonly selector: PodSelector;
  /** Undefined: by node. */
  readonly topology: TopologyKey | undefined;
  readonly inclusion: Inclusion;
  readonly skipsTerminating: boolean;
}

export class PodCounter {
  readonly selector: PodSelector;
  /** When it was last used. */
  round = 0;
  readonly topology: TopologyKey | undefined;
  readonly skipsTerminating: boolean;
  readonly domains: DomainCounter;
  /** By slot, for a counter by node. */
  readonly nodes: SparseCounts = new SparseCounts();
  readonly #domainNodes: DomainNodes | undefined;

  /** `domainNodes`: of the topology and inclusion; undefined where every node counts, or it is counted by node. */
  constructor({ selector, topology, skipsTerminating }: PodCounterOptions, domainNodes: DomainNodes | undefined) {
    this.selector = selector;
    this.topology = topology;
    this.skipsTerminating = skipsTerminating;
    this.#domainNodes = domainNodes;
    this.domains = new DomainCounter(domainNodes);
  }

  /** By node: pods of the selector there. */
  onNode(slot: number): number {
    return this.nodes.at(slot);
  }

  /** So many pods come to the node, or leave it. Returns the domain whose count changed, −1 for none. */
  add(slot: number, amount: number, isTerminating: boolean): number {
    if (isTerminating && this.skipsTerminating) return -1;
    if (this.topology === undefined) {
      this.nodes.add(slot, amount);
      return -1;
    }
    const domain = this.domainAt(slot);
    if (domain >= 0) this.domains.add(domain, amount);
    return domain;
  }

  /** The domain that pods of the node count in; −1 where the node does not count. */
  domainAt(slot: number): number {
    if (this.#domainNodes !== undefined) return this.#domainNodes.domainAt(slot);
    return this.topology === undefined ? -1 : this.topology.domainOf[slot];
  }
}
