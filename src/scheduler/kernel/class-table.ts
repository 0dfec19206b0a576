// Classes of pods and their indexes of the nodes, as many as there is memory for.
//
// A class is made from the first pod that needs it. When nodes are to be compared for it (pods that name their node need no comparison: node-pin.ts), there
// are two ways to have them in groups, with the same result:
//
//   shared   the index of its view, which all classes of the view keep up to date together, with the class's exceptions laid over it
//            for each decision: costs a little for each change of a node since the view was last used, and for each exception
//   own      an index of its own: costs a little for each change of a node since the class was last used
//
// A class begins with the shared one, and changes over when the other one would have saved more than a pass over the nodes, which is what it costs to make.
// So one template that fills a cluster has an index of its own, and thousands that take turns share those of their views.
//
// Limit: indexBytesMaxFor (node-index.ts) for all classes and indexes. Beyond it those go that were not used for longest, but never what is in use;
// what comes again is made anew, in a pass over the nodes. What was not used for CLASS_IDLE_MS goes, too.

import type { PodObject } from '../model/pod-object.ts';
import type { SchedulerProfile } from '../model/scheduler-profile.ts';
import { BudgetTable } from './budget-table.ts';
import { ClassIndex } from './class-index.ts';
import { ClassKeys } from './class-keys.ts';
import type { ClusterState, SweepUsers } from './cluster-state.ts';
import type { Failure, FailureTable } from './failure-table.ts';
import { type IndexMaker, type IndexOrder, indexBytesMaxFor, type NodeIndex } from './node-index.ts';
import { ExceptionMarks, OverlaidGroups } from './overlaid-groups.ts';
import { Picker } from './pick.ts';
import { PodClass } from './pod-class.ts';
import { PreemptionIndex } from './preemption-index.ts';
import { SharedView } from './shared-view.ts';
import { VictimSearch } from './victim-search.ts';
import { doesBear } from './volume-users.ts';

const CLASS_IDLE_MS = 300_000;
/** What a class takes beside its index, about. */
const CLASS_BYTES = 4_096;
/** What it costs, about, to look at a node anew, and to take an exception into account: in the same unit. */
const LOOK_COST = 16;
const EXCEPTION_COST = 3;
/** To make an index, for each node. */
const MAKING_COST = 10;

interface Entry {
  readonly podClass: PodClass;
  readonly order: IndexOrder;
  /** Undefined for classes with volumes: they are not alike. */
  readonly view: SharedView | undefined;
  picker: Picker | undefined;
  /** Made when there are exceptions. */
  overlaid: OverlaidGroups | undefined;
  /** Made when a pod of the class fits nowhere. */
  preemption: PreemptionIndex | undefined;
  /** Whether the picker's groups are the class's own index. */
  isOwn: boolean;
  /** What the shared groups have cost more than an own index would have. */
  lean: number;
  /** Changes of nodes up to the last use. */
  changesSeen: number;
  usedMs: number;
  /** Larger for the one that was used later. */
  turn: number;
  bytes: number;
}

export interface ClassTableOptions {
  /** Undefined: the usual limit. */
  readonly bytesMax: number | undefined;
  /** Makes indexes of classes without volumes. Undefined: on this thread. */
  readonly makeIndex: IndexMaker | undefined;
}

export class ClassTable implements SweepUsers {
  readonly #state: ClusterState;
  readonly #failures: FailureTable;
  readonly #bytesMax: number | undefined;
  readonly #makeIndex: IndexMaker;
  readonly #keys: ClassKeys;
  readonly #budgets: BudgetTable;
  /** By key, the one used last at the end. */
  readonly #entries = new Map<string, Entry>();
  /** By key, the one used last at the end. */
  readonly #views = new Map<string, SharedView>();
  /** At the end of each. */
  #lastEntry: Entry | undefined;
  #lastView: SharedView | undefined;
  readonly #marks = new ExceptionMarks();
  #bytes = 0;
  #turn = 0;
  #mentionVersion = 0;
  /** As of the last dropIdle. */
  #nowMs = 0;

  constructor(state: ClusterState, failures: FailureTable, { bytesMax, makeIndex }: ClassTableOptions) {
    this.#state = state;
    this.#failures = failures;
    this.#bytesMax = bytesMax;
    this.#makeIndex = makeIndex ?? (({ source }) => new ClassIndex(source));
    this.#keys = new ClassKeys(state);
    this.#budgets = new BudgetTable(state);
  }

  get count(): number {
    return this.#entries.size;
  }

  get tableSizes(): Readonly<Record<string, number>> {
    return {
      classes: this.count,
      views: this.#views.size,
      classParts: this.#keys.partCount,
      spreads: this.#keys.spreadCount,
    };
  }

  /** Pods of the same key are decided alike, as things are. */
  keyOf(pod: PodObject, profile: SchedulerProfile): string {
    return this.#keys.keyOf(pod, profile);
  }

  hasHardSpread(pod: PodObject, profile: SchedulerProfile): boolean {
    return this.#keys.spreadOf(pod, profile).hard.length > 0;
  }

  /** The pod's class, with its index up to date; undefined while that is awaited. `only`: names of the only nodes that come into question. */
  pickerFor(pod: PodObject, profile: SchedulerProfile, only: ReadonlySet<string> | undefined): Picker | undefined {
    const entry = this.#entryFor(pod, profile, only);
    if (entry.view === undefined) return this.#ownPicker(entry);
    this.#lean(entry, entry.view);
    const { count: nodeCount } = this.#state.nodes;
    if (entry.isOwn ? entry.lean < 0 : entry.lean > MAKING_COST * nodeCount) {
      entry.picker = undefined;
      if (!entry.isOwn) return this.#ownPicker(entry);
      entry.isOwn = false;
      entry.lean = 0;
    }
    return entry.isOwn ? this.#ownPicker(entry) : this.#sharedPicker(entry, entry.view);
  }

  /** Takes note of what this decision costs in one way, and in the other. */
  #lean(entry: Entry, view: SharedView): void {
    const { changes, nodes, nominations } = this.#state;
    const looks = Math.min(nodes.count, changes.count - entry.changesSeen);
    entry.changesSeen = changes.count;
    const { exceptionCount } = entry.podClass.rules;
    const nominated = nominations.size === 0 ? 0 : (entry.overlaid?.looseCount ?? nominations.nodeCount);
    const shared = EXCEPTION_COST * exceptionCount + LOOK_COST * (view.looksDue + nominated);
    const lean = entry.lean + shared - LOOK_COST * looks;
    const most = 2 * MAKING_COST * nodes.count;
    entry.lean = Math.max(-most, Math.min(most, lean));
  }

  #ownPicker(entry: Entry): Picker | undefined {
    const { picker, order, podClass, view } = entry;
    let freshness = entry.isOwn && picker !== undefined ? picker.index.refresh() : 'outdated';
    if (freshness === 'outdated') {
      const index = view === undefined ? new ClassIndex(podClass) : this.#makeIndex(order);
      entry.picker = new Picker(podClass, index);
      entry.overlaid = undefined;
      entry.isOwn = true;
      entry.lean = MAKING_COST * this.#state.nodes.count;
      this.#weigh(entry);
      freshness = index.refresh();
    }
    return freshness === 'fresh' ? entry.picker : undefined;
  }

  #sharedPicker(entry: Entry, view: SharedView): Picker | undefined {
    const { podClass } = entry;
    const index = view.freshIndex();
    this.#weighView(view);
    if (index === undefined) return undefined;
    // Without exceptions the view's groups are the class's.
    const isPlain = podClass.rules.hostFigures.length === 0 && this.#state.nominations.size === 0;
    if (!isPlain) entry.overlaid ??= new OverlaidGroups(podClass, view, this.#marks);
    const groups = isPlain ? index : (entry.overlaid ?? index);
    if (entry.picker?.index !== groups) entry.picker = new Picker(podClass, groups);
    const freshness = groups === index ? 'fresh' : groups.refresh();
    this.#weigh(entry);
    return freshness === 'fresh' ? entry.picker : undefined;
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
    this.#clearClasses();
    for (const view of this.#views.values()) this.#dropView(view);
  }

  dropIdle(nowMs: number): void {
    this.#nowMs = nowMs;
    for (const [key, { usedMs }] of this.#entries) {
      if (nowMs - usedMs < CLASS_IDLE_MS) break;
      this.#drop(key);
      this.#state.rounds.changed();
    }
    for (const view of this.#views.values()) {
      if (nowMs - view.usedMs < CLASS_IDLE_MS) break;
      this.#dropView(view);
      this.#state.rounds.changed();
    }
  }

  markUsed(round: number): void {
    for (const { podClass } of this.#entries.values()) podClass.markUsed(round);
    for (const view of this.#views.values()) view.markUsed(round);
  }

  forgetShapes(shapes: readonly number[]): void {
    for (const { podClass } of this.#entries.values()) podClass.forgetShapes(shapes);
    for (const { first } of this.#views.values()) first.forgetShapes(shapes);
  }

  sweep(): Generator<void> {
    return this.#keys.sweep();
  }

  #entryFor(pod: PodObject, profile: SchedulerProfile, only: ReadonlySet<string> | undefined): Entry {
    let key = this.#keys.keyOf(pod, profile);
    const { mentionVersion } = this.#state.selectors;
    if (this.#mentionVersion !== mentionVersion) {
      // Pods of one class may be told apart now by a label that nobody had asked for, also this one.
      this.#clearClasses();
      this.#mentionVersion = mentionVersion;
      key = this.#keys.keyOf(pod, profile);
    }
    let entry = this.#entries.get(key);
    if (entry === undefined || this.#isOutdated(entry)) {
      entry = this.#makeEntry(pod, profile, only);
    }
    if (entry !== this.#lastEntry) this.#putLast(key, entry);
    entry.usedMs = this.#nowMs;
    entry.turn = ++this.#turn;
    this.#weigh(entry);
    return entry;
  }

  #putLast(key: string, entry: Entry): void {
    this.#drop(key);
    this.#entries.set(key, entry);
    entry.bytes = 0;
    this.#lastEntry = entry;
  }

  /** What terms say of the class has changed, or its view was dropped and another one made in its place. */
  #isOutdated({ podClass, view }: Entry): boolean {
    if (podClass.rules.isOutdated) return true;
    const known = view === undefined ? undefined : this.#views.get(view.key);
    return known !== undefined && known !== view;
  }

  #makeEntry(pod: PodObject, profile: SchedulerProfile, only: ReadonlySet<string> | undefined): Entry {
    const spread = this.#keys.spreadOf(pod, profile);
    const podClass = new PodClass(this.#state, this.#failures, pod, profile, only, spread);
    const failureId = (failure: Failure): number => this.#failures.idOf(failure);
    const of = { source: podClass, pod, profile, only, spread };
    const order = { ...of, keys: podClass.rules.keys, isShared: false, failureId };
    const view = pod.volumes.some(doesBear) ? undefined : this.#viewOf(pod, profile, order);
    const { count: changesSeen } = this.#state.changes;
    const unmade = { picker: undefined, overlaid: undefined, preemption: undefined, isOwn: false, lean: 0 };
    return { podClass, order, view, ...unmade, changesSeen, usedMs: 0, turn: 0, bytes: 0 };
  }

  /** The view of the class, which is its first one, or like that. */
  #viewOf(pod: PodObject, profile: SchedulerProfile, order: IndexOrder & { readonly source: PodClass }): SharedView {
    const podClass = order.source;
    const key = this.#keys.viewKeyOf(pod, profile, podClass.rules.keys);
    const known = this.#views.get(key);
    const make = (source: SharedView): NodeIndex => this.#makeIndex({ ...order, source, isShared: true });
    const view = known ?? new SharedView(key, podClass, make);
    if (known === undefined) {
      view.usedMs = this.#nowMs;
      this.#views.set(key, view);
      this.#lastView = view;
    } else podClass.seeLike(known.first);
    return view;
  }

  /** Takes note of what the class takes now, and drops others if need be. */
  #weigh(entry: Entry): void {
    const { isOwn, picker, overlaid, preemption } = entry;
    const indexBytes = isOwn ? (picker?.index.bytes ?? 0) : (overlaid?.bytes ?? 0);
    const bytes = CLASS_BYTES + indexBytes + (preemption?.bytes ?? 0);
    this.#bytes += bytes - entry.bytes;
    entry.bytes = bytes;
    this.#keepWithin();
  }

  /** The same for its view, which may have been dropped while the class had it. */
  #weighView(view: SharedView): void {
    if (view !== this.#lastView) {
      this.#views.delete(view.key);
      this.#views.set(view.key, view);
      this.#lastView = view;
    }
    view.usedMs = this.#nowMs;
    view.turn = ++this.#turn;
    const bytes = view.index?.bytes ?? 0;
    this.#bytes += bytes - view.bytes;
    view.bytes = bytes;
    this.#keepWithin();
  }

  /** Drops what was used longest ago, but for the last class and the last view, which are in use. */
  #keepWithin(): void {
    const bytesMax = this.#bytesMax ?? indexBytesMaxFor(this.#state.nodes.count);
    while (this.#bytes > bytesMax) {
      const [entry] = this.#entries.size > 1 ? this.#entries : [];
      const [view] = this.#views.size > 1 ? this.#views.values() : [];
      if (view !== undefined && (entry === undefined || view.turn < entry[1].turn)) this.#dropView(view);
      else if (entry !== undefined) this.#drop(entry[0]);
      else return;
    }
  }

  #drop(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#bytes -= entry.bytes;
    this.#entries.delete(key);
    if (entry === this.#lastEntry) this.#lastEntry = undefined;
  }

  #dropView(view: SharedView): void {
    this.#bytes -= view.bytes;
    view.bytes = 0;
    view.dropIndex();
    this.#views.delete(view.key);
    if (view.key === this.#lastView?.key) this.#lastView = undefined;
  }

  #clearClasses(): void {
    for (const key of this.#entries.keys()) this.#drop(key);
  }
}
