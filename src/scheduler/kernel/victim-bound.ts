// What the victims on a node cost at least, without a what-if: told from the pods of lower priority by one pass over them.
//
//   least victims   room that is lacking / the most that one pod takes, of each resource; 1 at least
//   which ones      those that the what-if would put back last: the least important that budgets allow, then the least important of the others
//
// Invariant: no set of victims has a better key (candidate-heap.ts). Any other one has more violations, or of as many a more important victim, or of the
// same priorities one that started earlier. Where only room is lacking, and pods take the same of it, it is what the what-if finds.

import type { BudgetTable } from './budget-table.ts';
import { type CandidateKey, keyOf } from './candidate-heap.ts';
import type { PodClass } from './pod-class.ts';
import { byImportance, byImportanceAndOrder, type PodRecord, type PodShape } from './pod-table.ts';

export class VictimBound {
  readonly #class: PodClass;
  readonly #budgets: BudgetTable;
  /** Of each resource that the class asks for: what one of the pods takes at most. */
  readonly #most: Float64Array;
  /** The node's pods of lower priority. */
  readonly #lower: PodRecord[] = [];
  readonly #cheapest: PodRecord[] = [];

  constructor(podClass: PodClass, budgets: BudgetTable) {
    this.#class = podClass;
    this.#budgets = budgets;
    this.#most = new Float64Array(podClass.load().amounts.length);
  }

  /** Undefined: there are no pods of lower priority. */
  at(slot: number): CandidateKey | undefined {
    this.#readPods(slot);
    const lower = this.#lower;
    if (lower.length === 0) return undefined;
    const count = Math.max(1, this.#class.victimsAtLeast(slot, this.#most));
    if (!this.#budgets.isEmpty) {
      lower.sort(byImportanceAndOrder);
      const allowed = lower.length - this.#budgets.violatingFirst(lower);
      return keyOf(lower.slice(-count), Math.max(0, count - allowed));
    }
    this.#chooseCheapest(Math.min(count, lower.length));
    return keyOf(this.#cheapest, 0);
  }

  #readPods(slot: number): void {
    const { state, effects, priority } = this.#class;
    const most = this.#most.fill(0);
    const lower = this.#lower;
    let there = 0;
    let seen: PodShape | undefined;
    for (let record = state.firstPodAt(slot); record !== undefined; record = record.next) {
      const { shape } = record;
      if (shape.priority >= priority) continue;
      lower[there++] = record;
      if (shape === seen) continue;
      seen = shape;
      const { amounts } = effects.of(shape);
      for (let i = 0; i < most.length; i++) if (amounts[i] > most[i]) most[i] = amounts[i];
    }
    lower.length = there;
  }

  /** Of those of lower priority, the least important first. By insertion, without a sort of all: as a rule they are few. */
  #chooseCheapest(count: number): void {
    const cheapest = this.#cheapest;
    let size = 0;
    for (const record of this.#lower) {
      let place = size;
      while (place > 0 && byImportance(record, cheapest[place - 1]) > 0) place--;
      if (place === count) continue;
      if (size < count) size++;
      for (let at = size - 1; at > place; at--) cheapest[at] = cheapest[at - 1];
      cheapest[place] = record;
    }
    cheapest.length = count;
  }
}
