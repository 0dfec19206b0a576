// What the victims on a node cost at least, without a what-if: told from the pods of lower priority by one pass over them.
//
//   least victims   room that is lacking / the most that one pod takes, of each resource; 1 at least
//   which ones      those that the what-if would put back last: the least important that budgets allow, then the least important of the others
//
// Invariant: no set of victims has a better key (candidate-heap.ts). Any other one has more violations, or of as many a more important victim, or of the
// same priorities one that started earlier. Where only room is lacking, and pods take the same of it, it is what the what-if finds.

import type { BudgetTable } from './budget-table.ts';
import { CandidateKey } from './candidate-heap.ts';
import type { PodClass } from './pod-class.ts';
import { type PodRecord, type PodShape, sortByImportanceAndOrder, startOf } from './pod-table.ts';

export class VictimBound {
  readonly #class: PodClass;
  readonly #budgets: BudgetTable;
  /** Of each resource that the class asks for: what one of the pods takes at most. */
  readonly #most: Float64Array;
  /** The node's pods of lower priority: records only where there are budgets. */
  #count = 0;
  readonly #priorities: number[] = [];
  readonly #starts: number[] = [];
  readonly #records: PodRecord[] = [];
  /** Of as many of them as have to go, the least important first. */
  readonly #chosenPriorities: number[] = [];
  readonly #chosenStarts: number[] = [];
  #coverBits = 0;
  /** Used again and again: there are as many bounds as nodes. */
  readonly #key = new CandidateKey();

  constructor(podClass: PodClass, budgets: BudgetTable) {
    this.#class = podClass;
    this.#budgets = budgets;
    this.#most = new Float64Array(podClass.load().amounts.length);
  }

  /** Of the budgets that cover pods of lower priority of the node that was asked about last. */
  get coverBits(): number {
    return this.#coverBits;
  }

  /** Undefined: there are no pods of lower priority. Valid until the next call. */
  at(slot: number): CandidateKey | undefined {
    const areBudgets = !this.#budgets.isEmpty;
    this.#readPods(slot, areBudgets);
    if (this.#count === 0) return undefined;
    const least = Math.max(1, this.#class.victimsAtLeast(slot, this.#most));
    if (areBudgets) {
      const lower = this.#records;
      sortByImportanceAndOrder(lower);
      const allowed = lower.length - this.#budgets.violatingFirst(lower);
      return this.#key.set(lower.slice(-least), Math.max(0, least - allowed));
    }
    return this.#cheapest(Math.min(least, this.#count));
  }

  #readPods(slot: number, areBudgets: boolean): void {
    const { state, effects, priority } = this.#class;
    const most = this.#most.fill(0);
    let count = 0;
    let seen: PodShape | undefined;
    this.#records.length = 0;
    this.#coverBits = 0;
    for (let record = state.firstPodAt(slot); record !== undefined; record = record.next) {
      const { shape } = record;
      if (shape.priority >= priority) continue;
      this.#priorities[count] = shape.priority;
      this.#starts[count++] = startOf(record);
      if (areBudgets) this.#records.push(record);
      if (shape === seen) continue;
      seen = shape;
      if (areBudgets) this.#coverBits |= this.#budgets.bitsOf(shape.kind);
      const { amounts } = effects.of(shape);
      for (let i = 0; i < most.length; i++) if (amounts[i] > most[i]) most[i] = amounts[i];
    }
    this.#count = count;
  }

  /** Of that many, chosen by insertion, without a sort of all: as a rule they are few. */
  #cheapest(count: number): CandidateKey {
    const priorities = this.#chosenPriorities;
    const starts = this.#chosenStarts;
    let size = 0;
    for (let i = 0; i < this.#count; i++) {
      const priority = this.#priorities[i];
      const start = this.#starts[i];
      let place = size;
      while (place > 0 && isLessImportant(priority, start, priorities[place - 1], starts[place - 1])) place--;
      if (place === count) continue;
      if (size < count) size++;
      for (let at = size - 1; at > place; at--) {
        priorities[at] = priorities[at - 1];
        starts[at] = starts[at - 1];
      }
      priorities[place] = priority;
      starts[place] = start;
    }
    return this.#key.setSorted(priorities, starts, count);
  }
}

/** Of lower priority, else started later. */
function isLessImportant(priority: number, start: number, otherPriority: number, otherStart: number): boolean {
  return priority === otherPriority ? start > otherStart : priority < otherPriority;
}
