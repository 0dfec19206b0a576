// The groups of a class, made for one decision from those of its view (shared-view.ts): nodes on which something by hostname is counted for the class (its
// exceptions: they have pods that its rules look at) are taken out of the view's groups, and put into groups of their own by their figures.
//
//   view's group, 1000 nodes ─► group of 997 nodes, figures 0
//                           └─► group of 2 nodes with one pod, group of 1 node with two
//
// Nodes that are nominated for pods are exceptions for every class, and judged for it one by one, with the room that it has to leave to these pods:
// each is a group of its own, or counted by the failure that it has then. Those that are in no group either way, as most are where preemption makes room,
// are settled: they are judged again when the change ring names them. The others are loose, and judged for each decision.
//
// Costs a pass over the view's groups and one over the exceptions that are not settled. For classes with few of these that is less than to keep an index up to date (class-table.ts decides).

import { assert } from '../../base/assert.ts';
import { grownInts, NO_INTS } from './column.ts';
import type { Freshness, Groups, NodeIndex } from './node-index.ts';
import type { PodClass } from './pod-class.ts';
import type { SharedView } from './shared-view.ts';
import { KEYS_PLACE } from './topology-rules.ts';

const NONE = -1;
/** Of a node that is settled, about. */
const SETTLED_BYTES = 96;

/** By slot: whether the node is an exception in the decision that is on. One for all classes. */
export class ExceptionMarks {
  #marks: Int32Array = NO_INTS;
  #current = 0;

  begin(slotEnd: number): void {
    if (slotEnd > this.#marks.length) this.#marks = grownInts(NO_INTS, 2 * slotEnd);
    this.#current = (this.#current + 1) | 0;
    if (this.#current === 0) {
      this.#marks.fill(0);
      this.#current = 1;
    }
  }

  has(slot: number): boolean {
    return this.#marks[slot] === this.#current;
  }

  /** False where it was there. */
  add(slot: number): boolean {
    if (this.#marks[slot] === this.#current) return false;
    this.#marks[slot] = this.#current;
    return true;
  }
}

/** A nominated node that is in no group, neither with the pods that it is nominated for nor without them. */
interface Settled {
  readonly viewFailure: number;
  readonly failure: number;
}

export class OverlaidGroups implements Groups {
  rows: Int32Array = NO_INTS;
  readonly width: number;
  readonly counts: number[] = [];
  readonly tops: number[] = [];
  readonly live: number[] = [];
  failed: readonly number[] = [];
  readonly #class: PodClass;
  readonly #view: SharedView;
  readonly #marks: ExceptionMarks;
  /** Where the figures by hostname begin in a row. */
  readonly #figuresPlace: number;
  readonly #figures: Int32Array;
  readonly #row: Int32Array;
  /** By slot of a nominated node that is in no group: its failure as the view has it, and as the class has it. */
  readonly #settled = new Map<number, Settled>();
  /** By failure: how many more nodes have it than the view says, for those that are settled. */
  readonly #shifted: number[] = [];
  /** By slot of any other nominated node: its group, or −1 − failure. */
  readonly #loose = new Map<number, number>();
  /** Changes of nodes up to which these are judged, by the view's index that they were judged with. */
  #seen = 0;
  #judgedWith: NodeIndex | undefined;
  /** By group: a node of its highest bucket; NONE where it is to be asked of the view. */
  readonly #best: number[] = [];
  /** By group of the view: the group here, and back. */
  readonly #groupOf: number[] = [];
  readonly #viewGroups: number[] = [];
  /** By group: the next one that was made from the same group of the view. */
  readonly #nextOf: number[] = [];
  /** Groups of the view that have lost nodes to exceptions. */
  readonly #reduced: number[] = [];
  #count = 0;
  #index: NodeIndex | undefined;

  constructor(podClass: PodClass, view: SharedView, marks: ExceptionMarks) {
    this.#class = podClass;
    this.#view = view;
    this.#marks = marks;
    const { rules } = podClass;
    this.width = rules.width;
    this.#figuresPlace = KEYS_PLACE + rules.keys.length;
    this.#figures = new Int32Array(rules.hostFigures.length);
    this.#row = new Int32Array(rules.width);
  }

  get bytes(): number {
    return 4 * this.rows.length + 32 * this.#groupOf.length + SETTLED_BYTES * this.#settled.size;
  }

  /** Nominated nodes that each decision has to look at. */
  get looseCount(): number {
    return this.#loose.size;
  }

  refresh(): Freshness {
    const index = this.#view.freshIndex();
    this.#index = index;
    if (index === undefined) return 'awaited';
    this.#take(index);
    this.#marks.begin(this.#view.state.nodes.end);
    this.#reduced.length = 0;
    this.#followNominated(index);
    this.#placeNominated(index);
    this.#class.rules.eachException((slot) => {
      if (this.#marks.add(slot)) this.#except(index, slot);
    });
    for (const group of this.#reduced) if (!this.#findBest(index, group)) return 'awaited';
    this.live.length = 0;
    for (let group = 0; group < this.#count; group++) if (this.counts[group] > 0) this.live.push(group);
    return 'fresh';
  }

  bestOf(group: number): number {
    const best = this.#best[group];
    if (best !== NONE) return best;
    assert(this.#index !== undefined, 'groups are looked at once they are made');
    return this.#index.bestOf(this.#viewGroups[group]);
  }

  groupOf(slot: number): number {
    assert(this.#index !== undefined, 'groups are looked at once they are made');
    const settled = this.#settled.get(slot);
    if (settled !== undefined) return -1 - settled.failure;
    const loose = this.#loose.get(slot);
    if (loose !== undefined) return loose;
    const viewGroup = this.#index.groupOf(slot);
    if (viewGroup < 0) return viewGroup;
    const group = this.#groupOf[viewGroup];
    return this.#marks.has(slot) ? this.#groupFor(group, slot) : group;
  }

  /** The view's groups, as if there were no exceptions. */
  #take(index: NodeIndex): void {
    const { hostFigures, crowdPlace } = this.#class.rules;
    const { live, rows, width } = index;
    this.#count = live.length;
    this.#ensureRows(live.length);
    for (let group = 0; group < live.length; group++) {
      const viewGroup = live[group];
      const from = viewGroup * width;
      const start = group * this.width;
      for (let i = 0; i < this.#figuresPlace; i++) this.rows[start + i] = rows[from + i];
      const hasHostname = rows[from + width - 1] === 1;
      for (const { place, at } of hostFigures) this.rows[start + place] = hasHostname ? 0 : at(NONE, NONE);
      if (crowdPlace >= 0) this.rows[start + crowdPlace] = 0;
      this.#groupOf[viewGroup] = group;
      this.#viewGroups[group] = viewGroup;
      this.#nextOf[group] = NONE;
      this.counts[group] = index.counts[viewGroup];
      this.tops[group] = index.tops[viewGroup];
      this.#best[group] = NONE;
    }
  }

  /** Looks again at the nominated nodes that have changed. */
  #followNominated(index: NodeIndex): void {
    const { changes, nominations, nodes } = this.#view.state;
    if (index === this.#judgedWith && changes.reaches(this.#seen)) {
      for (; this.#seen < changes.count; this.#seen++) this.#judgeNominated(index, changes.at(this.#seen));
      return;
    }
    this.#settled.clear();
    this.#shifted.length = 0;
    this.#loose.clear();
    for (const name of nominations.nodeNames) {
      const slot = nodes.slotOf(name);
      if (slot !== undefined) this.#judgeNominated(index, slot);
    }
    this.#seen = changes.count;
    this.#judgedWith = index;
  }

  #judgeNominated(index: NodeIndex, slot: number): void {
    const { nominations, nodes } = this.#view.state;
    const before = this.#settled.get(slot);
    if (before !== undefined) {
      this.#shift(before, -1);
      this.#settled.delete(slot);
    }
    this.#loose.delete(slot);
    if (nominations.size === 0 || nodes.isFree(slot) || nominations.on(nodes.names[slot]).length === 0) return;
    const viewGroup = index.groupOf(slot);
    const failure = viewGroup < 0 ? this.#class.judge(slot, this.#row) : 0;
    if (failure === 0) {
      this.#loose.set(slot, NONE);
      return;
    }
    const settled = { viewFailure: -1 - viewGroup, failure };
    this.#shift(settled, 1);
    this.#settled.set(slot, settled);
  }

  #shift({ viewFailure, failure }: Settled, sign: 1 | -1): void {
    const shifted = this.#shifted;
    shifted[viewFailure] = (shifted[viewFailure] ?? 0) - sign;
    shifted[failure] = (shifted[failure] ?? 0) + sign;
  }

  #placeNominated(index: NodeIndex): void {
    this.failed = index.failed;
    if (this.#settled.size === 0 && this.#loose.size === 0) return;
    const failed = [...index.failed];
    this.failed = failed;
    for (const [failure, more] of this.#shifted.entries()) {
      if (more !== undefined && more !== 0) failed[failure] = (failed[failure] ?? 0) + more;
    }
    for (const slot of this.#loose.keys()) {
      this.#marks.add(slot);
      const viewGroup = index.groupOf(slot);
      if (viewGroup < 0) failed[-1 - viewGroup]--;
      else this.#takeOut(index, viewGroup);
      const failure = this.#class.judge(slot, this.#row);
      if (failure !== 0) failed[failure] = (failed[failure] ?? 0) + 1;
      this.#loose.set(slot, failure !== 0 ? -1 - failure : this.#groupOfOne(slot));
    }
  }

  /** With #row as its row. */
  #groupOfOne(slot: number): number {
    const group = this.#count++;
    this.#ensureRows(this.#count);
    this.rows.set(this.#row, group * this.width);
    this.counts[group] = 1;
    this.tops[group] = this.#class.score.at(slot);
    this.#best[group] = slot;
    return group;
  }

  /** One node of the view's group. Returns the group here. */
  #takeOut(index: NodeIndex, viewGroup: number): number {
    const group = this.#groupOf[viewGroup];
    if (this.counts[group] === index.counts[viewGroup]) this.#reduced.push(group);
    this.counts[group]--;
    return group;
  }

  #except(index: NodeIndex, slot: number): void {
    const viewGroup = index.groupOf(slot);
    if (viewGroup < 0) return;
    const from = this.#takeOut(index, viewGroup);
    const group = this.#groupFor(from, slot);
    const bucket = index.bucketAt(slot);
    this.counts[group]++;
    if (bucket < this.tops[group]) return;
    const { stamps } = this.#view.state.nodes;
    if (bucket === this.tops[group] && stamps[slot] < stamps[this.#best[group]]) return;
    this.tops[group] = bucket;
    this.#best[group] = slot;
  }

  /** For a node with its figures that was in the group `from`. */
  #groupFor(from: number, slot: number): number {
    const { hostFigures } = this.#class.rules;
    const figures = this.#figures;
    for (let i = 0; i < figures.length; i++) {
      const { topology, at } = hostFigures[i];
      figures[i] = at(topology.domainOf[slot], slot);
    }
    for (let group = this.#nextOf[from]; group !== NONE; group = this.#nextOf[group]) {
      if (this.#hasFigures(group)) return group;
    }
    const group = this.#count++;
    this.#ensureRows(this.#count);
    const start = group * this.width;
    this.rows.copyWithin(start, from * this.width, from * this.width + this.width);
    this.rows.set(figures, start + this.#figuresPlace);
    this.#nextOf[group] = this.#nextOf[from];
    this.#nextOf[from] = group;
    this.counts[group] = 0;
    this.tops[group] = NONE;
    this.#best[group] = NONE;
    return group;
  }

  #hasFigures(group: number): boolean {
    const start = group * this.width + this.#figuresPlace;
    for (let i = 0; i < this.#figures.length; i++) if (this.rows[start + i] !== this.#figures[i]) return false;
    return true;
  }

  /** Of a group that has lost nodes to exceptions. False: it is not known yet. */
  #findBest(index: NodeIndex, group: number): boolean {
    if (this.counts[group] === 0) return true;
    const slot = index.bestExcept(this.#viewGroups[group], this.#marks);
    if (slot === NONE) return false;
    this.#best[group] = slot;
    this.tops[group] = index.bucketAt(slot);
    return true;
  }

  #ensureRows(groups: number): void {
    if (groups * this.width > this.rows.length) {
      const longer = new Int32Array(2 * groups * this.width);
      longer.set(this.rows);
      this.rows = longer;
    }
  }
}
