// PodDisruptionBudgets, for preemption: which pods they cover, and whose eviction they would not allow.
//
//   kind of pods ─► the budgets that cover it, and a bit of each: of as many as BITS budgets one, of more several share one
//
// What a budget allows changes with each pod that comes and goes, which pods it covers hardly ever. So whoever keeps what follows from budgets is told
// by their bits which have changed what they allow, and by `coverVersion` that it is to be found out anew who covers what.

import { type BudgetObject, objectKey } from '../model/cluster-objects.ts';
import { isEmptySelector, matchesLabels } from '../model/label-selector.ts';
import type { ClusterState } from './cluster-state.ts';
import { canonicalText } from './interner.ts';
import type { PodKind, PodRecord } from './pod-table.ts';

const BITS = 31;

/** A budget, and what it has left while pods of one node are told apart. */
interface Budget {
  object: BudgetObject;
  readonly bit: number;
  /** The version of all budgets with which it has changed last. */
  changedAt: number;
  /** What it has allowed at least, as long as it covers what it covers. */
  least: number;
  left: number;
  /** Of that node. */
  turn: number;
}

/** Of a kind of pods. */
interface Cover {
  readonly budgets: readonly Budget[];
  readonly bits: number;
}

/** Budgets that have changed what they allow. */
export interface BudgetChange {
  readonly bits: number;
  /** None has allowed less, before or after. */
  readonly least: number;
}

const NONE: readonly Budget[] = [];

export class BudgetTable {
  readonly #state: ClusterState;
  #version = -1;
  #coverVersion = 0;
  #budgets = new Map<string, Budget>();
  #byNamespace = new Map<string, Budget[]>();
  #byKind = new WeakMap<PodKind, Cover>();
  #turn = 0;
  readonly #violating: PodRecord[] = [];

  constructor(state: ClusterState) {
    this.#state = state;
  }

  get isEmpty(): boolean {
    this.#refresh();
    return this.#budgets.size === 0;
  }

  /** Grows when it may be other pods that budgets cover. */
  get coverVersion(): number {
    this.#refresh();
    return this.#coverVersion;
  }

  /** What has changed since the version of all budgets was that one, and coverVersion what it is. */
  changesSince(version: number): BudgetChange {
    this.#refresh();
    let bits = 0;
    let least = Number.POSITIVE_INFINITY;
    for (const budget of this.#budgets.values()) {
      if (budget.changedAt <= version) continue;
      bits |= budget.bit;
      least = Math.min(least, budget.least);
    }
    return { bits, least };
  }

  /** Of the budgets that cover pods of that kind. */
  bitsOf(kind: PodKind): number {
    this.#refresh();
    return this.#coverOf(kind).bits;
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
    for (const budget of this.#coverOf(shape.kind).budgets) {
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

  #coverOf(kind: PodKind): Cover {
    let cover = this.#byKind.get(kind);
    if (cover === undefined) {
      const there = kind.labels.size === 0 ? NONE : (this.#byNamespace.get(kind.namespace) ?? NONE);
      const budgets = there.filter(({ object }) => matchesLabels(object.selector, kind.labels));
      cover = { budgets, bits: budgets.reduce((bits, { bit }) => bits | bit, 0) };
      this.#byKind.set(kind, cover);
    }
    return cover;
  }

  #refresh(): void {
    const { budgetVersion } = this.#state.objects;
    if (this.#version === budgetVersion) return;
    this.#version = budgetVersion;
    const objects = new Map<string, BudgetObject>();
    for (const object of this.#state.objects.all('PodDisruptionBudget')) {
      if (!isEmptySelector(object.selector)) objects.set(objectKey(object), object);
    }
    if (!this.#areCoveredAlike(objects)) this.#begin(objects);
    else {
      for (const [key, budget] of this.#budgets) {
        const object = objects.get(key) ?? budget.object;
        if (object === budget.object) continue;
        budget.object = object;
        budget.changedAt = budgetVersion;
        budget.least = Math.min(budget.least, object.disruptionsAllowed);
      }
    }
  }

  #areCoveredAlike(objects: ReadonlyMap<string, BudgetObject>): boolean {
    if (objects.size !== this.#budgets.size) return false;
    for (const [key, object] of objects) {
      const known = this.#budgets.get(key)?.object;
      if (known === undefined) return false;
      if (known !== object && canonicalText(known.selector) !== canonicalText(object.selector)) return false;
    }
    return true;
  }

  #begin(objects: ReadonlyMap<string, BudgetObject>): void {
    this.#coverVersion++;
    this.#budgets = new Map();
    for (const [key, object] of objects) {
      const bit = 1 << (this.#budgets.size % BITS);
      const { disruptionsAllowed: least } = object;
      this.#budgets.set(key, { object, bit, changedAt: this.#version, least, left: 0, turn: 0 });
    }
    this.#byNamespace = Map.groupBy(this.#budgets.values(), ({ object }) => object.namespace);
    this.#byKind = new WeakMap();
  }
}
