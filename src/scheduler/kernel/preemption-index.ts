// Where preemption could make room for a class that fits nowhere, and where at the least cost: kept up to date as the class's index is, so that
// the next pod of the class costs what has changed.
//
//   node that removing pods may help ─► bound that no set of victims beats (victim-bound.ts)
//   bound at the top of the heap ─► what-if (victim-search.ts) ─► exact, or refused
//   exact at the top of the heap ─► the best
//
// So what-ifs are done on nodes that may still win, and on no others; on all of them where none can. When a budget allows more or fewer, the nodes with pods
// that it covers are bounds again, unless it allowed and allows as many as a node has pods; when budgets cover other pods, or counts change that the class's
// topology rules go by, everything is.
//
// Memory: BYTES_A_NODE.

import { assert } from '../../base/assert.ts';
import type { BudgetTable } from './budget-table.ts';
import { CandidateHeap, CandidateKey } from './candidate-heap.ts';
import { capacityFor, grownInts, NO_INTS } from './column.ts';
import type { FailureTable } from './failure-table.ts';
import type { PodClass } from './pod-class.ts';
import type { PodRecord } from './pod-table.ts';
import { type Candidates, NO_VICTIMS_FOUND, noVictimOn } from './preemption.ts';
import { VictimBound } from './victim-bound.ts';
import { VictimSearch } from './victim-search.ts';

const BYTES_A_NODE = 56;
/** Of the nodes: where budgets concern more, all are looked at. */
const COVERED_SHARE_MAX = 0.125;

/** What comes of a node; those above 0 are failures that stay, whichever pods go. */
const NOT_HELPED = 0;
const NO_VICTIMS = -1;
const BROKEN = -2;
const CANDIDATE = -3;

const NONE = -1;

export class PreemptionIndex implements Candidates {
  readonly #class: PodClass;
  readonly #failures: FailureTable;
  readonly #failureOf: (slot: number) => number;
  readonly #search: VictimSearch;
  readonly #bound: VictimBound;
  readonly #heap = new CandidateHeap();
  readonly #key = new CandidateKey();
  #outcomes: Int32Array = NO_INTS;
  /** Nodes by the failure that stays. */
  readonly #refused: number[] = [];
  #withoutVictims = 0;
  /** Upstream's words for nodes that the what-if failed on. */
  readonly #broken = new Map<number, string>();
  /** Changes seen; NONE: it has looked at no node. */
  #seen = NONE;
  #rulesVersion = 0;
  #budgetVersion = 0;
  #coverVersion = 0;
  /** By slot: of the budgets that cover pods of lower priority there (budget-table.ts). */
  #coverBits: Int32Array = NO_INTS;
  readonly #budgets: BudgetTable;
  /** The what-if that was done last. A node at the top of the heap that is exact was tried after its last change. */
  #lastTried: { readonly slot: number; readonly uid: string; readonly victims: readonly PodRecord[] } | undefined;
  /** A node that was looked at for one pod alone, and has to be looked at again. */
  #own = NONE;

  /** `failureOf` says why the class does not fit on a node, with its crowd; 0: it does. */
  constructor(podClass: PodClass, failures: FailureTable, budgets: BudgetTable, failureOf: (slot: number) => number) {
    this.#class = podClass;
    this.#failures = failures;
    this.#failureOf = failureOf;
    this.#budgets = budgets;
    this.#search = new VictimSearch(podClass, budgets);
    this.#bound = new VictimBound(podClass, budgets);
  }

  get bytes(): number {
    return BYTES_A_NODE * this.#outcomes.length;
  }

  /** Brings it up to date. The class fits on no node. */
  refresh(): void {
    const { state, rules } = this.#class;
    const { nodes, changes } = state;
    const { budgetVersion } = state.objects;
    if (nodes.end > this.#outcomes.length) {
      this.#outcomes = grownInts(this.#outcomes, capacityFor(nodes.end));
      this.#coverBits = grownInts(this.#coverBits, capacityFor(nodes.end));
      this.#heap.grow(nodes.end);
    }
    const { coverVersion } = this.#budgets;
    const isKnown = this.#rulesVersion === rules.version && this.#coverVersion === coverVersion;
    if (this.#seen !== NONE && isKnown && changes.reaches(this.#seen) && this.#lookAtCovered()) {
      for (; this.#seen < changes.count; this.#seen++) this.#look(changes.at(this.#seen));
      if (this.#own !== NONE) this.#look(this.#own);
    } else {
      this.#heap.beginFill();
      for (let slot = 0; slot < nodes.end; slot++) this.#look(slot);
      this.#heap.endFill();
      this.#seen = changes.count;
      this.#rulesVersion = rules.version;
      this.#coverVersion = coverVersion;
    }
    this.#budgetVersion = budgetVersion;
    this.#own = NONE;
  }

  /** Until the next refresh the node is as the pod sees it that it is nominated for, with the reason why it does not fit there. */
  lookFor(uid: string, slot: number, failure: number): void {
    this.#own = slot;
    this.#judge(slot, failure);
    if (this.#outcomes[slot] === CANDIDATE) this.#try(slot, uid);
  }

  /** The slot of the best node; −1: there is none. */
  best(): number {
    const heap = this.#heap;
    while (heap.size > 0) {
      const { top } = heap;
      if (heap.isExact(top)) return top;
      this.#try(top, '');
    }
    return NONE;
  }

  victimsOn(slot: number, uid: string): readonly PodRecord[] {
    const last = this.#lastTried;
    if (last?.slot === slot && last.uid === uid) return last.victims;
    const found = this.#search.on(slot, uid);
    assert(typeof found !== 'number', 'the best node is a candidate');
    return found.victims;
  }

  /** Nodes by reason, once there is no candidate. */
  refusals(): Map<string, number> {
    const reasons = new Map<string, number>();
    if (this.#withoutVictims > 0) reasons.set(NO_VICTIMS_FOUND, this.#withoutVictims);
    for (const [failure, count] of this.#refused.entries()) {
      if (count === undefined || count === 0) continue;
      for (const reason of this.#failures.at(failure).reasons) reasons.set(reason, (reasons.get(reason) ?? 0) + count);
    }
    return reasons;
  }

  get refusedCount(): number {
    return this.#refused.reduce((sum, count) => sum + count, this.#withoutVictims);
  }

  get error(): string | undefined {
    // Of several the one of the first slot, however they were found.
    const [first] = [...this.#broken.keys()].sort((a, b) => a - b);
    return first === undefined ? undefined : this.#broken.get(first);
  }

  /** Looks at the nodes that budgets concern which have changed what they allow; false: they are so many that all are to be looked at. */
  #lookAtCovered(): boolean {
    const { state } = this.#class;
    if (this.#budgetVersion === state.objects.budgetVersion) return true;
    const { bits, least } = this.#budgets.changesSince(this.#budgetVersion);
    if (bits === 0) return true;
    const { nodes } = state;
    const slots: number[] = [];
    const slotsMax = COVERED_SHARE_MAX * nodes.end;
    for (let slot = 0; slot < nodes.end; slot++) {
      if ((this.#coverBits[slot] & bits) === 0 || nodes.podCounts[slot] <= least) continue;
      if (slots.push(slot) > slotsMax) return false;
    }
    for (const slot of slots) this.#look(slot);
    return true;
  }

  #look(slot: number): void {
    if (this.#class.state.nodes.isFree(slot)) this.#become(slot, NOT_HELPED);
    else this.#judge(slot, this.#failureOf(slot));
  }

  #judge(slot: number, failure: number): void {
    if (failure === 0 || this.#failures.at(failure).isUnresolvable) {
      this.#become(slot, NOT_HELPED);
      return;
    }
    const bound = this.#bound.at(slot);
    this.#coverBits[slot] = this.#bound.coverBits;
    this.#become(slot, bound === undefined ? NO_VICTIMS : CANDIDATE);
    if (bound !== undefined) this.#heap.set(slot, bound, false, this.#stampOf(slot));
  }

  /** The what-if. */
  #try(slot: number, uid: string): void {
    const found = this.#search.on(slot, uid);
    if (typeof found === 'number') {
      const { isError, reasons } = this.#failures.at(found);
      if (isError === true) this.#fail(slot, reasons.join(', '));
      else this.#become(slot, found);
    } else if (found.victims.length === 0) {
      this.#fail(slot, noVictimOn(this.#class.state.nodes.names[slot]));
    } else {
      this.#lastTried = { slot, uid, victims: found.victims };
      this.#heap.set(slot, this.#key.set(found.victims, found.violations), true, this.#stampOf(slot));
    }
  }

  #stampOf(slot: number): number {
    return this.#class.state.nodes.stamps[slot];
  }

  #fail(slot: number, text: string): void {
    this.#become(slot, BROKEN);
    this.#broken.set(slot, text);
  }

  #become(slot: number, outcome: number): void {
    const before = this.#outcomes[slot];
    if (before > 0) this.#refused[before]--;
    else if (before === NO_VICTIMS) this.#withoutVictims--;
    else if (before === BROKEN) this.#broken.delete(slot);
    else if (before === CANDIDATE && outcome !== CANDIDATE) this.#heap.remove(slot);
    this.#outcomes[slot] = outcome;
    if (outcome > 0) this.#refused[outcome] = (this.#refused[outcome] ?? 0) + 1;
    else if (outcome === NO_VICTIMS) this.#withoutVictims++;
  }
}
