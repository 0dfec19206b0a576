// Which pods of one node would have to go for a pod of a class (DefaultPreemption, SelectVictimsOnNode): all of lower priority are taken away, and
// put back one by one, the most important first, as long as the pod still fits.

import type { BudgetTable } from './budget-table.ts';
import type { NodeLoad } from './node-load.ts';
import type { PodClass } from './pod-class.ts';
import { byImportance, type PodRecord, sortByImportanceAndOrder } from './pod-table.ts';

export interface VictimsOnNode {
  /** Most important first. None: the pod fits as soon as it is looked at again, which preemption takes for an error. */
  readonly victims: readonly PodRecord[];
  /** Of budgets. */
  readonly violations: number;
}

export class VictimSearch {
  readonly #class: PodClass;
  readonly #budgets: BudgetTable;
  /** Of pods that are taken away, and of those that the node is nominated for. */
  readonly #load: NodeLoad;
  readonly #crowd: NodeLoad;

  constructor(podClass: PodClass, budgets: BudgetTable) {
    this.#class = podClass;
    this.#budgets = budgets;
    this.#load = podClass.load();
    this.#crowd = podClass.load();
  }

  /** Or the number of the failure that stays when all pods of lower priority have gone; there are such. */
  on(slot: number, exceptUid: string): VictimsOnNode | number {
    const { state, priority } = this.#class;
    const lower: PodRecord[] = [];
    this.#load.reset(slot);
    this.#crowd.reset(slot);
    for (let record = state.firstPodAt(slot); record !== undefined; record = record.next) {
      if (record.shape.priority >= priority) continue;
      lower.push(record);
      this.#move(record, -1);
    }
    const isCrowded = this.#class.addCrowd(slot, this.#crowd, exceptUid);
    const failure = this.#failure(slot, isCrowded);
    if (failure !== 0) return failure;
    sortByImportanceAndOrder(lower);
    const violating = this.#budgets.violatingFirst(lower);
    const victims: PodRecord[] = [];
    let violations = 0;
    for (let i = 0; i < lower.length; i++) {
      this.#move(lower[i], 1);
      if (this.#failure(slot, isCrowded) === 0) continue;
      this.#move(lower[i], -1);
      victims.push(lower[i]);
      if (i < violating) violations++;
    }
    if (violating > 0) victims.sort(byImportance);
    return { victims, violations };
  }

  #move({ shape, volumes }: PodRecord, sign: 1 | -1): void {
    const effect = this.#class.effects.of(shape);
    this.#load.add(effect, volumes, sign);
    this.#crowd.add(effect, volumes, sign);
  }

  #failure(slot: number, isCrowded: boolean): number {
    const crowded = isCrowded ? this.#class.failureWith(slot, this.#crowd) : 0;
    return crowded !== 0 ? crowded : this.#class.failureWith(slot, this.#load);
  }
}
