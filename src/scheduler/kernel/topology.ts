// Topology keys: which domain of a key each node is in. A domain is a value of the label; it has a small number.
//
//   domainOf[slot]   the node's domain, −1 where the node lacks the label
//   nodeCounts[d]    nodes in the domain; the number of one without nodes is used again
//
// For keys with a domain for about every node (kubernetes.io/hostname) the nodes of a domain can be asked for.

import { capacityFor, grownInts, NO_INTS } from './column.ts';

export const HOSTNAME = 'kubernetes.io/hostname';

export class TopologyKey {
  readonly name: string;
  /** When it was last used. */
  round = 0;
  domainOf: Int32Array = NO_INTS;
  nodeCounts: Int32Array = NO_INTS;
  /** Domains that have a number, with nodes or without. */
  domainEnd = 0;
  readonly #domains = new Map<string, number>();
  readonly #values: string[] = [];
  readonly #free: number[] = [];
  /** Slots of domains of hostnames. Domains of one node, the usual case, are in #only. */
  #only: Int32Array = NO_INTS;
  readonly #several = new Map<number, Set<number>>();

  constructor(name: string) {
    this.name = name;
  }

  get isHostname(): boolean {
    return this.name === HOSTNAME;
  }

  /** The node's label has this value now; undefined: it has none. */
  place(slot: number, value: string | undefined): void {
    if (slot >= this.domainOf.length) this.domainOf = grownInts(this.domainOf, capacityFor(slot + 1), -1);
    const before = this.domainOf[slot];
    if (before >= 0) {
      if (this.#values[before] === value) return;
      this.#leave(before, slot);
    }
    this.domainOf[slot] = value === undefined ? -1 : this.#join(value, slot);
  }

  /** Slots of the nodes in a domain of hostnames. */
  slotsOf(domain: number): Iterable<number> {
    return this.#several.get(domain) ?? [this.#only[domain]];
  }

  /** Slots of the nodes with this value of a hostname. */
  slotsWith(value: string): Iterable<number> {
    const domain = this.#domains.get(value);
    return domain === undefined ? [] : this.slotsOf(domain);
  }

  #join(value: string, slot: number): number {
    let domain = this.#domains.get(value);
    if (domain === undefined) {
      domain = this.#free.pop() ?? this.domainEnd++;
      this.#domains.set(value, domain);
      this.#values[domain] = value;
      if (domain >= this.nodeCounts.length) {
        const length = capacityFor(domain + 1);
        this.nodeCounts = grownInts(this.nodeCounts, length);
        if (this.isHostname) this.#only = grownInts(this.#only, length);
      }
    }
    const count = this.nodeCounts[domain]++;
    if (!this.isHostname) return domain;
    if (count === 0) this.#only[domain] = slot;
    else this.#several.set(domain, new Set([...this.slotsOf(domain), slot]));
    return domain;
  }

  #leave(domain: number, slot: number): void {
    const several = this.#several.get(domain);
    if (several !== undefined) {
      several.delete(slot);
      const [left] = several;
      if (several.size === 1 && left !== undefined) {
        this.#only[domain] = left;
        this.#several.delete(domain);
      }
    }
    if (--this.nodeCounts[domain] > 0) return;
    this.#domains.delete(this.#values[domain]);
    this.#free.push(domain);
  }
}
