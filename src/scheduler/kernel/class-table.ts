// Classes of pods and their indexes of the nodes, as many as there is memory for.
//
// A class is made from the first pod that needs it, and its index, which takes a pass over all nodes, when nodes are to be compared for it.
// (Pods that name their node need none: node-pin.ts.)
//
// Limit: bytesMax for all of them. Beyond it those go that were not used for longest, but never the one that is in use; what comes again is
// made anew. A class that was not used for CLASS_IDLE_MS goes, too.

import type { PodObject } from '../model/pod-object.ts';
import type { SchedulerProfile } from '../model/scheduler-profile.ts';
import { BudgetTable } from './budget-table.ts';
import { ClassIndex } from './class-index.ts';
import { ClassKeys } from './class-keys.ts';
import type { ClusterState, SweepUsers } from './cluster-state.ts';
import type { FailureTable } from './failure-table.ts';
import { Picker } from './pick.ts';
import { PodClass } from './pod-class.ts';
import { PreemptionIndex } from './preemption-index.ts';
import { VictimSearch } from './victim-search.ts';

const CLASS_IDLE_MS = 300_000;
/** What a class takes beside its index, about. */
const CLASS_BYTES = 4_096;

interface Entry {
  readonly podClass: PodClass;
  picker: Picker | undefined;
  /** Made when a pod of the class fits nowhere. */
  preemption: PreemptionIndex | undefined;
  usedMs: number;
  bytes: number;
}

export class ClassTable implements SweepUsers {
  readonly #state: ClusterState;
  readonly #failures: FailureTable;
  readonly #bytesMax: number;
  readonly #keys: ClassKeys;
  readonly #budgets: BudgetTable;
  /** By key, the one used last at the end. */
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;
  #mentionVersion = 0;
  /** As of the last dropIdle. */
  #nowMs = 0;

  constructor(state: ClusterState, failures: FailureTable, bytesMax: number) {
    this.#state = state;
    this.#failures = failures;
    this.#bytesMax = bytesMax;
    this.#keys = new ClassKeys(state);
    this.#budgets = new BudgetTable(state);
  }

  get count(): number {
    return this.#entries.size;
  }

  get tableSizes(): Readonly<Record<string, number>> {
    return { classes: this.count, classParts: this.#keys.partCount, spreads: this.#keys.spreadCount };
  }

  /** Pods of the same key are decided alike, as things are. */
  keyOf(pod: PodObject, profile: SchedulerProfile): string {
    return this.#keys.keyOf(pod, profile);
  }

  hasHardSpread(pod: PodObject, profile: SchedulerProfile): boolean {
    return this.#keys.spreadOf(pod, profile).hard.length > 0;
  }

  /** The pod's class, with its index up to date. `only`: names of the only nodes that come into question. */
  pickerFor(pod: PodObject, profile: SchedulerProfile, only: ReadonlySet<string> | undefined): Picker {
    const entry = this.#entryFor(pod, profile, only);
    const { picker } = entry;
    if (picker?.index.refresh() === true) return picker;
    const made = new Picker(entry.podClass, new ClassIndex(entry.podClass));
    entry.picker = made;
    this.#weigh(entry);
    return made;
  }

  /** The pod's class. No index is made. */
  classFor(pod: PodObject, profile: SchedulerProfile, only: ReadonlySet<string> | undefined): PodClass {
    return this.#entryFor(pod, profile, only).podClass;
  }

  /** Where preemption may help the class, after pickerFor has found no node for it. */
  preemptionFor(pod: PodObject, profile: SchedulerProfile, only: ReadonlySet<string> | undefined): PreemptionIndex {
    const entry = this.#entryFor(pod, profile, only);
    if (entry.preemption === undefined) {
      const failureOf = (slot: number): number => entry.picker?.failureOf(slot) ?? 0;
      entry.preemption = new PreemptionIndex(entry.podClass, this.#failures, this.#budgets, failureOf);
    }
    entry.preemption.refresh();
    this.#weigh(entry);
    return entry.preemption;
  }

  /** Victims on one node, without an index. */
  victimSearch(podClass: PodClass): VictimSearch {
    return new VictimSearch(podClass, this.#budgets);
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }

  dropIdle(nowMs: number): void {
    this.#nowMs = nowMs;
    for (const [key, { usedMs }] of this.#entries) {
      if (nowMs - usedMs < CLASS_IDLE_MS) break;
      this.#drop(key);
      this.#state.rounds.changed();
    }
  }

  markUsed(round: number): void {
    for (const { podClass } of this.#entries.values()) podClass.markUsed(round);
  }

  forgetShapes(shapes: readonly number[]): void {
    for (const { podClass } of this.#entries.values()) podClass.forgetShapes(shapes);
  }

  sweep(): Generator<void> {
    return this.#keys.sweep();
  }

  #entryFor(pod: PodObject, profile: SchedulerProfile, only: ReadonlySet<string> | undefined): Entry {
    let key = this.#keys.keyOf(pod, profile);
    const { mentionVersion } = this.#state.selectors;
    if (this.#mentionVersion !== mentionVersion) {
      // Pods of one class may be told apart now by a label that nobody had asked for, also this one.
      this.clear();
      this.#mentionVersion = mentionVersion;
      key = this.#keys.keyOf(pod, profile);
    }
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      const spread = this.#keys.spreadOf(pod, profile);
      const podClass = new PodClass(this.#state, this.#failures, pod, profile, only, spread);
      entry = { podClass, picker: undefined, preemption: undefined, usedMs: 0, bytes: 0 };
    } else {
      this.#entries.delete(key);
      if (entry.podClass.refreshRules()) {
        entry.picker = undefined;
        entry.preemption = undefined;
      }
    }
    entry.usedMs = this.#nowMs;
    this.#entries.set(key, entry);
    this.#weigh(entry);
    return entry;
  }

  /** Takes note of what the entry takes now, and drops others if need be. */
  #weigh(entry: Entry): void {
    const bytes = CLASS_BYTES + (entry.picker?.index.bytes ?? 0) + (entry.preemption?.bytes ?? 0);
    this.#bytes += bytes - entry.bytes;
    entry.bytes = bytes;
    for (const key of this.#entries.keys()) {
      if (this.#bytes <= this.#bytesMax || this.#entries.size === 1) return;
      this.#drop(key);
    }
  }

  #drop(key: string): void {
    this.#bytes -= this.#entries.get(key)?.bytes ?? 0;
    this.#entries.delete(key);
  }
}
