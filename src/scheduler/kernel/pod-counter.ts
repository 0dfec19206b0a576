// Counters of the pods that a selector matches: by domain of a topology key, or by node.
//
// Of spread constraints only some nodes count (their inclusion), and terminating pods do not.

import { DomainCounter } from './domain-counter.ts';
import type { PodSelector } from './selector-table.ts';
import { SparseCounts } from './sparse-counts.ts';
import type { TopologyKey } from './topology.ts';

/** Which nodes count. `key` says all of it. */
export interface Inclusion {
  readonly key: string;
  includes(slot: number): boolean;
  /** No node has these shapes any more: their numbers will stand for others. */
  forgetShapes(shapes: readonly number[]): void;
}

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
  readonly domains: DomainCounter = new DomainCounter();
  /** By slot, for a counter by node. */
  readonly nodes: SparseCounts = new SparseCounts();
  readonly #inclusion: Inclusion;

  constructor({ selector, topology, inclusion, skipsTerminating }: PodCounterOptions) {
    this.selector = selector;
    this.topology = topology;
    this.skipsTerminating = skipsTerminating;
    this.#inclusion = inclusion;
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
    const domain = this.topology.domainOf[slot];
    if (domain < 0 || !this.#inclusion.includes(slot)) return -1;
    this.domains.add(domain, amount);
    return domain;
  }

  addNode(slot: number): void {
    // Where every node counts, nobody asks which domains exist.
    if (this.#inclusion === EVERY_NODE) return;
    const domain = this.domainAt(slot);
    if (domain >= 0) this.domains.addNode(domain);
  }

  removeNode(slot: number): void {
    if (this.#inclusion === EVERY_NODE) return;
    const domain = this.domainAt(slot);
    if (domain >= 0) this.domains.removeNode(domain);
  }

  forgetShapes(shapes: readonly number[]): void {
    this.#inclusion.forgetShapes(shapes);
  }

  /** The domain that pods of the node count in; −1 where the node does not count. */
  domainAt(slot: number): number {
    const domain = this.topology === undefined ? -1 : this.topology.domainOf[slot];
    return domain >= 0 && this.#inclusion.includes(slot) ? domain : -1;
  }
}
