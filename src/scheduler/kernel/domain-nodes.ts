// Which domains of a topology key exist for a spread constraint: those with a node that counts (its inclusion). All counters of the same key and
// inclusion share it, so that a change of a node is taken into account once for all of them, and a new counter need not look at nodes.

import { capacityFor, grownInts, NO_INTS } from './column.ts';
import type { DomainCounter } from './domain-counter.ts';
import type { TopologyKey } from './topology.ts';

/** Which nodes count. `key` says all of it. */
export interface Inclusion {
  readonly key: string;
  includes(slot: number): boolean;
  /** No node has these shapes any more: their numbers will stand for others. */
  forgetShapes(shapes: readonly number[]): void;
}

export class DomainNodes {
  readonly topology: TopologyKey;
  readonly inclusion: Inclusion;
  /** Domains that exist. */
  count = 0;
  /** Grows with every change. */
  version = 0;
  /** Those that are told when a domain comes or goes. */
  readonly counters: Set<DomainCounter> = new Set();
  /** By domain: nodes that count. */
  #nodes: Int32Array = NO_INTS;

  constructor(topology: TopologyKey, inclusion: Inclusion) {
    this.topology = topology;
    this.inclusion = inclusion;
  }

  exists(domain: number): boolean {
    return domain < this.#nodes.length && this.#nodes[domain] > 0;
  }

  /** The domain of a node; −1 where the node does not count. */
  domainAt(slot: number): number {
    const domain = this.topology.domainOf[slot];
    return domain >= 0 && this.inclusion.includes(slot) ? domain : -1;
  }

  addNode(slot: number): void {
    const domain = this.domainAt(slot);
    if (domain < 0) return;
    this.version++;
    if (domain >= this.#nodes.length) this.#nodes = grownInts(this.#nodes, capacityFor(domain + 1));
    if (this.#nodes[domain]++ > 0) return;
    this.count++;
    for (const counter of this.counters) counter.domainCame(domain);
  }

  removeNode(slot: number): void {
    const domain = this.domainAt(slot);
    if (domain < 0) return;
    this.version++;
    if (--this.#nodes[domain] > 0) return;
    this.count--;
    for (const counter of this.counters) counter.domainWent(domain);
  }
}
