// The counters that classes have asked for, each once, and the domains that exist for them.

import { DomainNodes, type Inclusion } from './domain-nodes.ts';
import { EVERY_NODE, PodCounter, type PodCounterOptions } from './pod-counter.ts';
import type { SweepRounds } from './sweep-rounds.ts';
import type { TopologyKey } from './topology.ts';

export interface CounterTableOptions {
  readonly rounds: SweepRounds;
  /** Slots of all nodes. */
  readonly slots: () => Iterable<number>;
  /** Counts the pods that are there. */
  readonly countPods: (counter: PodCounter) => void;
}

export class CounterTable {
  readonly #options: CounterTableOptions;
  readonly #counters = new Map<string, PodCounter>();
  readonly #domainNodes = new Map<string, DomainNodes>();

  constructor(options: CounterTableOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#counters.size;
  }

  get domainNodesCount(): number {
    return this.#domainNodes.size;
  }

  /** Made, and the pods that are there counted, when it is first asked for. */
  counter(options: PodCounterOptions): PodCounter {
    const { rounds, countPods } = this.#options;
    const { selector, topology, inclusion, skipsTerminating } = options;
    const key = `${selector.id} ${topology?.name ?? ''} ${skipsTerminating} ${inclusion.key}`;
    let counter = this.#counters.get(key);
    if (counter === undefined) {
      const isEvery = topology === undefined || inclusion === EVERY_NODE;
      counter = new PodCounter(options, isEvery ? undefined : this.#domainsOf(topology, inclusion));
      countPods(counter);
      selector.counters.push(counter);
      this.#counters.set(key, counter);
      rounds.changed();
    }
    counter.round = rounds.current;
    return counter;
  }

  /** The node is one now, in the domains where it is. */
  addNode(slot: number): void {
    for (const domains of this.#domainNodes.values()) domains.addNode(slot);
  }

  /** Before it goes, or changes. */
  removeNode(slot: number): void {
    for (const domains of this.#domainNodes.values()) domains.removeNode(slot);
  }

  forgetShapes(shapes: readonly number[]): void {
    for (const { inclusion } of this.#domainNodes.values()) inclusion.forgetShapes(shapes);
  }

  /** Drops those that no class has used; the others keep their selectors and topology keys. */
  sweep(): void {
    const { rounds } = this.#options;
    for (const [key, { round, selector, topology, domains }] of this.#counters) {
      if (rounds.isOver(round)) {
        this.#counters.delete(key);
        domains.close();
        selector.counters = selector.counters.filter((counter) => counter.domains !== domains);
        continue;
      }
      selector.round = rounds.current;
      if (topology !== undefined) topology.round = rounds.current;
    }
    for (const [key, { counters }] of this.#domainNodes) if (counters.size === 0) this.#domainNodes.delete(key);
  }

  #domainsOf(topology: TopologyKey, inclusion: Inclusion): DomainNodes {
    const key = `${topology.name} ${inclusion.key}`;
    let domains = this.#domainNodes.get(key);
    if (domains === undefined) {
      domains = new DomainNodes(topology, inclusion);
      for (const slot of this.#options.slots()) domains.addNode(slot);
      this.#domainNodes.set(key, domains);
    }
    return domains;
  }
}
