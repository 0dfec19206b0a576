// The filters that look at topology (PodTopologySpread and InterPodAffinity), in the profile's order, and those that come behind them: for the
// nodes of a group at once, or for one node with more or fewer pods than it has (node-load.ts).

import type { FailureTable } from './failure-table.ts';
import type { NodeLoad } from './node-load.ts';
import { placeOf } from './node-verdict.ts';
import type { PodClass, Refusal } from './pod-class.ts';
import {
  type HardSpread,
  LATE_PLACE,
  type RefusingTerms,
  type UnwantedPods,
  type WantedPods,
} from './topology-rules.ts';

/** Counts by which the filters go; −1 where the node lacks the label. Of unwanted and refusing pods a group only knows whether there are any. */
interface Counts {
  spread(rule: HardSpread): number;
  wanted(rule: WantedPods): number;
  unwanted(rule: UnwantedPods): number;
  refusing(rule: RefusingTerms): number;
}

class GroupCounts implements Counts {
  rows: Int32Array = new Int32Array(0);
  start = 0;

  spread({ figure }: HardSpread): number {
    return figure.read(this.rows, this.start);
  }

  wanted({ figure }: WantedPods): number {
    return figure.read(this.rows, this.start);
  }

  unwanted({ figure }: UnwantedPods): number {
    return figure.read(this.rows, this.start);
  }

  refusing({ figure }: RefusingTerms): number {
    return figure.read(this.rows, this.start);
  }
}

class NodeCounts implements Counts {
  slot = 0;

  spread({ figure, counter }: HardSpread): number {
    const domain = figure.topology.domainOf[this.slot];
    return domain < 0 ? -1 : counter.domains.at(domain);
  }

  wanted({ figure, counter }: WantedPods): number {
    const domain = figure.topology.domainOf[this.slot];
    return domain < 0 ? -1 : counter.at(domain);
  }

  unwanted({ figure, counter }: UnwantedPods): number {
    const domain = figure.topology.domainOf[this.slot];
    return domain < 0 ? -1 : counter.at(domain);
  }

  refusing({ figure, terms }: RefusingTerms): number {
    const domain = figure.topology.domainOf[this.slot];
    if (domain < 0) return -1;
    let count = 0;
    for (const { holders } of terms) count += holders.at(domain);
    return count;
  }
}

export class TopologyFailures {
  readonly #class: PodClass;
  readonly #spreadPlace: number;
  readonly #affinityPlace: number;
  readonly #missingKey: number;
  readonly #skewed: number;
  readonly #notWanted: number;
  readonly #unwanted: number;
  readonly #refused: number;
  readonly #group = new GroupCounts();
  readonly #node = new NodeCounts();

  constructor(failures: FailureTable, podClass: PodClass) {
    this.#class = podClass;
    this.#spreadPlace = placeOf(podClass.profile, 'PodTopologySpread');
    this.#affinityPlace = placeOf(podClass.profile, 'InterPodAffinity');
    const spread = (reason: string, isUnresolvable: boolean): number =>
      failures.idOf({ plugin: 'PodTopologySpread', reasons: [reason], isUnresolvable });
    const affinity = (reason: string, isUnresolvable: boolean): number =>
      failures.idOf({ plugin: 'InterPodAffinity', reasons: [reason], isUnresolvable });
    this.#missingKey = spread("node(s) didn't match pod topology spread constraints (missing required label)", true);
    this.#skewed = spread("node(s) didn't match pod topology spread constraints", false);
    this.#notWanted = affinity("node(s) didn't match pod affinity rules", true);
    this.#unwanted = affinity("node(s) didn't match pod anti-affinity rules", false);
    this.#refused = affinity("node(s) didn't satisfy existing pods anti-affinity rules", false);
  }

  /** The number of the failure of the nodes with this row; 0: they pass, with their crowd and without. */
  ofRow(rows: Int32Array, start: number): number {
    const { rules, crowds, late } = this.#class;
    this.#group.rows = rows;
    this.#group.start = start;
    const crowd = rules.crowdPlace < 0 ? undefined : crowds.at(rows[start + rules.crowdPlace]);
    const crowded = crowd === undefined ? 0 : this.#of(this.#group, crowd.load, crowd.refusal);
    return crowded !== 0 ? crowded : this.#of(this.#group, undefined, late[rows[start + LATE_PLACE]]);
  }

  /** The same for one node with that load; `refusal` is the first by other filters. */
  ofNode(slot: number, load: NodeLoad, refusal: Refusal): number {
    this.#node.slot = slot;
    return this.#of(this.#node, load, refusal);
  }

  #of(counts: Counts, load: NodeLoad | undefined, { failure, place }: Refusal): number {
    if (this.#spreadPlace < this.#affinityPlace) {
      const skewed = this.#spreadPlace < place ? this.#spreadFailure(counts, load) : 0;
      if (skewed !== 0) return skewed;
    }
    const repelled = this.#affinityPlace < place ? this.#affinityFailure(counts, load) : 0;
    if (repelled !== 0) return repelled;
    if (this.#affinityPlace < this.#spreadPlace) {
      const skewed = this.#spreadPlace < place ? this.#spreadFailure(counts, load) : 0;
      if (skewed !== 0) return skewed;
    }
    return failure;
  }

  #spreadFailure(counts: Counts, load: NodeLoad | undefined): number {
    const { hard } = this.#class.rules;
    for (let i = 0; i < hard.length; i++) {
      const { counter, self, maxSkew, minDomains } = hard[i];
      const count = counts.spread(hard[i]);
      if (count < 0) return this.#missingKey;
      const { domains } = counter;
      const more = load === undefined ? 0 : load.spread[i];
      let least = 0;
      if (domains.domainCount >= minDomains) least = more === 0 ? domains.least : domains.leastWith(count, more);
      if (count + more + self - least > maxSkew) return this.#skewed;
    }
    return 0;
  }

  #affinityFailure(counts: Counts, load: NodeLoad | undefined): number {
    const { rules } = this.#class;
    const { wanted, unwanted, refusing } = rules;
    if (load !== undefined && rules.skipsAffinity) return 0;
    if (wanted.length > 0 && !this.#isWanted(counts, load === undefined ? 0 : load.wanted)) return this.#notWanted;
    for (let i = 0; i < unwanted.length; i++) {
      const count = counts.unwanted(unwanted[i]);
      if (count >= 0 && count + (load === undefined ? 0 : load.unwanted[i]) > 0) return this.#unwanted;
    }
    for (let i = 0; i < refusing.length; i++) {
      const count = counts.refusing(refusing[i]);
      if (count >= 0 && count + (load === undefined ? 0 : load.refusing[i]) > 0) return this.#refused;
    }
    return 0;
  }

  #isWanted(counts: Counts, more: number): boolean {
    const { wanted, wantsItself } = this.#class.rules;
    let areThere = true;
    for (const rule of wanted) {
      const count = counts.wanted(rule);
      if (count < 0) return false;
      if (count + more === 0) areThere = false;
    }
    if (areThere) return true;
    // The first of a group that wants to be together.
    return wantsItself && wanted.every(({ counter }) => counter.total + more === 0);
  }
}
