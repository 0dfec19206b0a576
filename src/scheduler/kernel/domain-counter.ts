// Pods (or weights) by topology domain, kept exact while pods come and go, with the least count of the domains that count.
//
//   counts         what is in the domain
//   #nodes[d]      nodes of the domain that count; a domain without any does not exist for `least`
//   #byCount[v]    how many existing domains have the value v: so the least one is known at any time

import { capacityFor, grownInts, NO_INTS } from './column.ts';
import { SparseCounts } from './sparse-counts.ts';

export class DomainCounter {
  readonly counts: SparseCounts = new SparseCounts();
  /** Σ of all values. */
  total = 0;
  /** Domains that exist. */
  domainCount = 0;
  /** Grows with every change. */
  version = 0;
  #nodes: Int32Array = NO_INTS;
  #byCount: Int32Array = NO_INTS;
  #least = 0;

  /** `domain` ≥ 0. Values never go below 0 where `least` is asked for. */
  add(domain: number, amount: number): void {
    this.version++;
    const before = this.counts.add(domain, amount);
    this.total += amount;
    if (domain < this.#nodes.length && this.#nodes[domain] > 0) {
      this.#uncount(before);
      this.#count(before + amount);
    }
  }

  addNode(domain: number): void {
    this.version++;
    if (domain >= this.#nodes.length) this.#nodes = grownInts(this.#nodes, capacityFor(domain + 1));
    if (this.#nodes[domain]++ > 0) return;
    this.domainCount++;
    this.#count(this.counts.at(domain));
  }

  removeNode(domain: number): void {
    this.version++;
    if (--this.#nodes[domain] > 0) return;
    this.domainCount--;
    this.#uncount(this.counts.at(domain));
  }

  /** 0 for a domain that is not known. */
  at(domain: number): number {
    return this.counts.at(domain);
  }

  /** The smallest value of a domain that exists; there is one. */
  get least(): number {
    while (this.#byCount[this.#least] === 0 && this.#least < this.#byCount.length - 1) this.#least++;
    return this.#least;
  }

  /** What `least` would be if one existing domain that has `value` had `amount` more. */
  leastWith(value: number, amount: number): number {
    const { least } = this;
    let others = least;
    if (value === least && this.#byCount[least] === 1) {
      others++;
      while (others < this.#byCount.length && this.#byCount[others] === 0) others++;
      if (others >= this.#byCount.length) return value + amount;
    }
    return Math.min(others, value + amount);
  }

  #count(value: number): void {
    if (value >= this.#byCount.length) this.#byCount = grownInts(this.#byCount, capacityFor(value + 1));
    this.#byCount[value]++;
    if (value < this.#least) this.#least = value;
  }

  #uncount(value: number): void {
    this.#byCount[value]--;
  }
}
