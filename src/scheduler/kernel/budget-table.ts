// PodDisruptionBudgets, for preemption: which pods they cover, and whose eviction they would not allow.

import type { BudgetObject } from '../model/cluster-objects.ts';
import { isEmptySelector, matchesLabels } from '../model/label-selector.ts';
import type { ClusterState } from './cluster-state.ts';
import type { PodKind, PodRecord } from './pod-table.ts';

const NONE: readonly BudgetObject[] = [];

export class BudgetTable {
  readonly #state: ClusterState;
  #version = -1;
  #byNamespace = new Map<string, BudgetObject[]>();
  #byKind = new WeakMap<PodKind, readonly BudgetObject[]>();

  constructor(state: ClusterState) {
    this.#state = state;
  }

  /** Puts first the pods whose eviction a budget would not allow once those before them have gone; says how many these are. */
  violatingFirst(pods: PodRecord[]): number {
    this.#refresh();
    if (this.#byNamespace.size === 0) return 0;
    const allowed = new Map<BudgetObject, number>();
    const violating: PodRecord[] = [];
    const others: PodRecord[] = [];
    for (const pod of pods) {
      let violates = false;
      for (const budget of this.#covering(pod.shape.kind)) {
        if (budget.disruptedPods.has(pod.name)) continue;
        const left = (allowed.get(budget) ?? budget.disruptionsAllowed) - 1;
        allowed.set(budget, left);
        if (left < 0) violates = true;
      }
      (violates ? violating : others).push(pod);
    }
    for (let i = 0; i < pods.length; i++) {
      pods[i] = i < violating.length ? violating[i] : others[i - violating.length];
    }
    return violating.length;
  }

  #covering(kind: PodKind): readonly BudgetObject[] {
    let covering = this.#byKind.get(kind);
    if (covering === undefined) {
      const there = kind.labels.size === 0 ? NONE : (this.#byNamespace.get(kind.namespace) ?? NONE);
      covering = there.filter(({ selector }) => matchesLabels(selector, kind.labels));
      this.#byKind.set(kind, covering);
    }
    return covering;
  }

  #refresh(): void {
    if (this.#version === this.#state.budgetVersion) return;
    this.#version = this.#state.budgetVersion;
    this.#byKind = new WeakMap();
    const budgets = [...this.#state.all('PodDisruptionBudget')].filter(({ selector }) => !isEmptySelector(selector));
    this.#byNamespace = Map.groupBy(budgets, ({ namespace }) => namespace);
  }
}
