// Pods (or weights) by topology domain, kept exact while pods come and go, with the least count of the domains that exist (domain-nodes.ts).
//
//   counts         what is in the domain
//   #byCount[v]    how many existing domains have the value v, above 0: so the least one is known at any time. The others have 0.

import { capacityFor, grownInts, NO_INTS } from './column.ts';
import type { DomainNodes } from './domain-nodes.ts';
import { SparseCounts } from './sparse-counts.ts';

export class DomainCounter {
  readonly counts: SparseCounts = new SparseCounts();
  /** Σ of all values. */
  total = 0;
  /** Undefined where nobody asks which domains exist. */
  readonly #nodes: DomainNodes | undefined;
  #version = 0;
  #byCount: Int32Array = NO_INTS;
  /** Existing domains with a value above 0. */
  #filled = 0;
  /** No existing domain has a value between 0 and this one. */
  #lowest = 1;

  /** Nothing is counted yet. */
  constructor(nodes?: DomainNodes) {
    this.#nodes = nodes;
    nodes?.counters.add(this);
  }

  /** Grows with every change. */
  get version(): number {
    return this.#version + (this.#nodes?.version ?? 0);
  }

  /** Domains that exist. */
  get domainCount(): number {
    return this.#nodes?.count ?? 0;
  }

  /** `domain` ≥ 0. Values never go below 0 where `least` is asked for. */
  add(domain: number, amount: number): void {
    this.#version++;
    const before = this.counts.add(domain, amount);
    this.total += amount;
    if (this.#nodes?.exists(domain) !== true) return;
    this.#uncount(before);
    this.#count(before + amount);
  }

  domainCame(domain: number): void {
    this.#count(this.counts.at(domain));
  }

  domainWent(domain: number): void {
    this.#uncount(this.counts.at(domain));
  }

  /** It is counted no longer. */
  close(): void {
    this.#nodes?.counters.delete(this);
  }

  /** 0 for a domain that is not known. */
  at(domain: number): number {
    return this.counts.at(domain);
  }

  /** The smallest value of a domain that exists; there is one. */
  get least(): number {
    if (this.domainCount > this.#filled) return 0;
    while (this.#lowest < this.#byCount.length - 1 && this.#byCount[this.#lowest] === 0) this.#lowest++;
    return this.#lowest;
  }

  /** What `least` would be if one existing domain that has `value` had `amount` more. */
  leastWith(value: number, amount: number): number {
    const { least } = this;
    let others = least;
    if (value === least && this.#having(least) === 1) {
      others++;
      while (others < this.#byCount.length && this.#byCount[others] === 0) others++;
      if (others >= this.#byCount.length) return value + amount;
    }
    return Math.min(others, value + amount);
  }

  /** Existing domains with the value. */
  #having(value: number): number {
    return value === 0 ? this.domainCount - this.#filled : this.#byCount[value];
  }

  #count(value: number): void {
    if (value <= 0) return;
    if (value >= this.#byCount.length) this.#byCount = grownInts(this.#byCount, capacityFor(value + 1));
    this.#byCount[value]++;
    this.#filled++;
    if (value < this.#lowest) this.#lowest = value;
  }

  #uncount(value: number): void {
    if (value <= 0) return;
    this.#byCount[value]--;
    this.#filled--;
  }
}
