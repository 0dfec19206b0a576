// PodDisruptionBudgets, for preemption: which pods they cover, and whose eviction they would not allow.

import type { BudgetObject } from '../model/cluster-objects.ts';
import { isEmptySelector, matchesLabels } from '../model/label-selector.ts';
import type { ClusterState } from './cluster-state.ts';
import type { PodKind, PodRecord } from './pod-table.ts';

/** A budget, and what it has left while pods of one node are told apart. */
interface Budget {
  readonly object: BudgetObject;
  left: number;
  /** Of that node. */
  turn: number;
}

const NONE: readonly Budget[] = [];

export class BudgetTable {
  readonly #state: ClusterState;
  #version = -1;
  #byNamespace = new Map<string, Budget[]>();
  #byKind = new WeakMap<PodKind, readonly Budget[]>();
  #turn = 0;
  readonly #violating: PodRecord[] = [];

  constructor(state: ClusterState) {
    this.#state = state;
  }

  get isEmpty(): boolean {
    this.#refresh();
    return this.#byNamespace.size === 0;
  }

  /** Puts first the pods whose eviction a budget would not allow once those before them have gone; says how many these are. */
  violatingFirst(pods: PodRecord[]): number {
    if (this.isEmpty) return 0;
    this.#turn++;
    const violating = this.#violating;
    violating.length = 0;
    let others = 0;
    for (let i = 0; i < pods.length; i++) {
      const pod = pods[i];
      if (this.#violates(pod)) violating.push(pod);
      else pods[others++] = pod;
    }
    const { length } = violating;
    if (length > 0) {
      pods.copyWithin(length, 0, others);
      for (let i = 0; i < length; i++) pods[i] = violating[i];
    }
    return length;
  }

  /** One more has to go: of each budget that covers it. */
  #violates({ shape, name }: PodRecord): boolean {
    let violates = false;
    for (const budget of this.#covering(shape.kind)) {
      if (!budget.object.disruptedPods.has(name) && !this.#spend(budget)) violates = true;
    }
    return violates;
  }

  /** False: it has none left. */
  #spend(budget: Budget): boolean {
    if (budget.turn !== this.#turn) {
      budget.turn = this.#turn;
      budget.left = budget.object.disruptionsAllowed;
    }
    return --budget.left >= 0;
  }

  #covering(kind: PodKind): readonly Budget[] {
    let covering = this.#byKind.get(kind);
    if (covering === undefined) {
      const there = kind.labels.size === 0 ? NONE : (this.#byNamespace.get(kind.namespace) ?? NONE);
      covering = there.filter(({ object }) => matchesLabels(object.selector, kind.labels));
      this.#byKind.set(kind, covering);
    }
    return covering;
  }

  #refresh(): void {
    if (this.#version === this.#state.objects.budgetVersion) return;
    this.#version = this.#state.objects.budgetVersion;
    this.#byKind = new WeakMap();
    const budgets = [...this.#state.objects.all('PodDisruptionBudget')]
      .filter(({ selector }) => !isEmptySelector(selector))
      .map((object) => ({ object, left: 0, turn: 0 }));
    this.#byNamespace = Map.groupBy(budgets, ({ object }) => object.namespace);
  }
}
