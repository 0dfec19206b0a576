// The filters that look at topology (PodTopologySpread and InterPodAffinity), in the profile's order, and those that come behind them.

import type { FailureTable } from './failure-table.ts';
import { placeOf } from './node-verdict.ts';
import type { PodClass } from './pod-class.ts';
import { LATE_PLACE } from './topology-rules.ts';

export class TopologyFailures {
  readonly #class: PodClass;
  readonly #spreadPlace: number;
  readonly #affinityPlace: number;
  readonly #missingKey: number;
  readonly #skewed: number;
  readonly #notWanted: number;
  readonly #unwanted: number;
  readonly #refused: number;

  constructor(failures: FailureTable, podClass: PodClass) {
    this.#class = podClass;
    this.#spreadPlace = placeOf(podClass.profile, 'PodTopologySpread');
    this.#affinityPlace = placeOf(podClass.profile, 'InterPodAffinity');
    const spread = (reason: string): number => failures.idOf({ plugin: 'PodTopologySpread', reasons: [reason] });
    const affinity = (reason: string): number => failures.idOf({ plugin: 'InterPodAffinity', reasons: [reason] });
    this.#missingKey = spread("node(s) didn't match pod topology spread constraints (missing required label)");
    this.#skewed = spread("node(s) didn't match pod topology spread constraints");
    this.#notWanted = affinity("node(s) didn't match pod affinity rules");
    this.#unwanted = affinity("node(s) didn't match pod anti-affinity rules");
    this.#refused = affinity("node(s) didn't satisfy existing pods anti-affinity rules");
  }

  /** The number of the failure of the nodes with this row; 0: they pass. */
  of(rows: Int32Array, start: number): number {
    const { failure, place } = this.#class.late[rows[start + LATE_PLACE]];
    if (this.#spreadPlace < this.#affinityPlace) {
      const skewed = this.#spreadPlace < place ? this.#spreadFailure(rows, start) : 0;
      if (skewed !== 0) return skewed;
    }
    const repelled = this.#affinityPlace < place ? this.#affinityFailure(rows, start) : 0;
    if (repelled !== 0) return repelled;
    if (this.#affinityPlace < this.#spreadPlace) {
      const skewed = this.#spreadPlace < place ? this.#spreadFailure(rows, start) : 0;
      if (skewed !== 0) return skewed;
    }
    return failure;
  }

  #spreadFailure(rows: Int32Array, start: number): number {
    for (const { figure, counter, self, maxSkew, minDomains } of this.#class.rules.hard) {
      const count = figure.read(rows, start);
      if (count < 0) return this.#missingKey;
      const least = counter.domainCount < minDomains ? 0 : counter.least;
      if (count + self - least > maxSkew) return this.#skewed;
    }
    return 0;
  }

  #affinityFailure(rows: Int32Array, start: number): number {
    const { wanted, unwanted, refusing } = this.#class.rules;
    if (wanted.length > 0 && !this.#isWanted(rows, start)) return this.#notWanted;
    for (const figure of unwanted) if (figure.read(rows, start) > 0) return this.#unwanted;
    for (const figure of refusing) if (figure.read(rows, start) > 0) return this.#refused;
    return 0;
  }

  #isWanted(rows: Int32Array, start: number): boolean {
    const { wanted, wantsItself } = this.#class.rules;
    let areThere = true;
    for (const { figure } of wanted) {
      const count = figure.read(rows, start);
      if (count < 0) return false;
      if (count === 0) areThere = false;
    }
    if (areThere) return true;
    // The first of a group that wants to be together.
    return wantsItself && wanted.every(({ counter }) => counter.total === 0);
  }
}
