// The nodes as one class of pods sees them, arranged so that the best one is found without looking at nodes.
//
//   group = nodes with the same row (topology-rules.ts) that no filter refuses before topology is looked at
//   ├─ bucket 412 ─► node ⇄ node ⇄ node        nodes with the same score of room, the one that changed last first
//   ├─ bucket 411 ─► node
//   └─ …                                        top = the highest that has a node
//
// Everything else that a score depends on (how others score, how many fit, how full domains are) is worked out from the groups when a pod is
// placed (pick.ts). So a change of one node moves one node, and a change of a domain's count moves none.
//
// An index is brought up to date by what the change ring names since it last was. Nodes that do not fit are counted by the reason.
//
// Memory: 16 bytes a node, and 4 × buckets for each group that has nodes. A group that has lost its last one keeps its row and its number; an
// index of which most groups are such is made anew.

import { AssertionError, assert } from '../../base/assert.ts';
import { capacityFor, grownInts, NO_INTS } from './column.ts';
import { sortedByKey } from './key-sort.ts';
import { LiveGroups } from './live-groups.ts';
import { type Freshness, NODE_BYTES, type NodeIndex, type RowSource } from './node-index.ts';
import type { ExceptionMarks } from './overlaid-groups.ts';
import { RowTable } from './row-table.ts';

const NONE = -1;
const FREE = -0x80000000;
/** Of a group without nodes, beside its row, about. */
const GROUP_BYTES = 48;
/** So many groups without nodes are always kept. */
const GROUPS_KEPT = 1_024;

export class ClassIndex implements NodeIndex {
  /** Nodes in each group. */
  readonly counts: number[] = [];
  /** The highest bucket of each group that has a node. */
  readonly tops: number[] = [];
  /** Nodes by the number of the failure that keeps the class from them. */
  readonly failed: number[] = [];
  readonly #source: RowSource;
  readonly width: number;
  readonly #row: Int32Array;
  #groups = new RowTable();
  /** By group, then by bucket: the first node; of a group without nodes NO_INTS. */
  readonly #heads: Int32Array[] = [];
  /** Heads that no group has, all NONE. */
  readonly #spareHeads: Int32Array[] = [];
  #headsCount = 0;
  #isReleased = false;
  readonly #live = new LiveGroups();
  /** By slot: its group, or −1 − failure where it does not fit; FREE where there is no node. */
  #groupOf: Int32Array = NO_INTS;
  #bucketOf: Int32Array = NO_INTS;
  #next: Int32Array = NO_INTS;
  #previous: Int32Array = NO_INTS;
  #seen: number;
  /** Nodes with a later stamp have changed since they were put where they are. */
  #stampSeen = 0;

  constructor(source: RowSource) {
    this.#source = source;
    this.width = source.width;
    this.#row = new Int32Array(this.width);
    const { nodes, changes } = source.state;
    this.#grow(nodes.end);
    this.#lookAtAll();
    this.#seen = changes.count;
    this.#stampSeen = source.state.lastStamp;
  }

  get rows(): Int32Array {
    return this.#groups.rows;
  }

  get live(): readonly number[] {
    return this.#live.list;
  }

  get bytes(): number {
    const { most } = this.#source.score;
    const groupBytes = GROUP_BYTES + 4 * this.width;
    return NODE_BYTES * this.#groupOf.length + this.counts.length * groupBytes + this.#headsCount * 4 * (most + 1);
  }

  /** Outdated when it has missed too much, or most of its groups have lost their nodes. */
  refresh(): Freshness {
    const { nodes, changes } = this.#source.state;
    if (this.#isReleased || !changes.reaches(this.#seen) || this.counts.length > GROUPS_KEPT + 4 * this.live.length)
      return 'outdated';
    this.#grow(nodes.end);
    for (; this.#seen < changes.count; this.#seen++) this.#look(changes.at(this.#seen));
    this.#stampSeen = this.#source.state.lastStamp;
    return 'fresh';
  }

  release(): void {
    this.#isReleased = true;
    this.#groupOf = NO_INTS;
    this.#bucketOf = NO_INTS;
    this.#next = NO_INTS;
    this.#previous = NO_INTS;
    for (const list of [this.#heads, this.#spareHeads, this.counts, this.tops, this.failed]) list.length = 0;
    this.#live.clear();
    this.#groups = new RowTable();
    this.#headsCount = 0;
  }

  bestOf(group: number): number {
    return this.#heads[group][this.tops[group]];
  }

  /** The best nodes of the group, the best first, so many at most. */
  eachOf(group: number, most: number, visit: (slot: number, bucket: number) => void): void {
    const heads = this.#heads[group];
    let left = Math.min(most, this.counts[group]);
    for (let bucket = this.tops[group]; bucket >= 0 && left > 0; bucket--) {
      for (let slot = heads[bucket]; slot !== NONE && left > 0; slot = this.#next[slot], left--) visit(slot, bucket);
    }
  }

  bestExcept(group: number, marks: ExceptionMarks): number {
    const heads = this.#heads[group];
    for (let bucket = this.tops[group]; bucket >= 0; bucket--) {
      for (let slot = heads[bucket]; slot !== NONE; slot = this.#next[slot]) if (!marks.has(slot)) return slot;
    }
    throw new AssertionError('a group that has nodes left has one that is no exception');
  }

  groupOf(slot: number): number {
    return this.#groupOf[slot];
  }

  bucketAt(slot: number): number {
    return this.#bucketOf[slot];
  }

  #grow(length: number): void {
    const before = this.#groupOf.length;
    if (length <= before) return;
    const capacity = capacityFor(length);
    this.#groupOf = grownInts(this.#groupOf, capacity, FREE);
    this.#bucketOf = grownInts(this.#bucketOf, capacity);
    this.#next = grownInts(this.#next, capacity);
    this.#previous = grownInts(this.#previous, capacity);
  }

  /** Of an index without nodes. Those that fit are put into their buckets in the order in which they changed. */
  #lookAtAll(): void {
    const { nodes } = this.#source.state;
    const fitting = new Int32Array(nodes.end);
    let count = 0;
    for (let slot = 0; slot < nodes.end; slot++) {
      if (nodes.isFree(slot)) continue;
      const failure = this.#source.judge(slot, this.#row);
      if (failure !== 0) {
        this.#refuse(slot, failure);
        continue;
      }
      this.#groupOf[slot] = this.#groupWith(this.#row);
      this.#bucketOf[slot] = this.#source.score.at(slot);
      fitting[count++] = slot;
    }
    for (const slot of sortedByKey(fitting.subarray(0, count), nodes.stamps)) {
      this.#join(slot, this.#groupOf[slot], this.#bucketOf[slot]);
    }
  }

  #refuse(slot: number, failure: number): void {
    this.#groupOf[slot] = -1 - failure;
    this.failed[failure] = (this.failed[failure] ?? 0) + 1;
  }

  /** Puts the node where it belongs now. */
  #look(slot: number): void {
    const { nodes } = this.#source.state;
    const before = this.#groupOf[slot];
    if (nodes.isFree(slot)) {
      this.#leave(slot, before);
      this.#groupOf[slot] = FREE;
      return;
    }
    const failure = this.#source.judge(slot, this.#row);
    if (failure !== 0) {
      if (before === -1 - failure) return;
      this.#leave(slot, before);
      this.#refuse(slot, failure);
      return;
    }
    const group = this.#groupWith(this.#row);
    const bucket = this.#source.score.at(slot);
    if (group === before && bucket === this.#bucketOf[slot]) {
      // It is where it belongs, unless it has changed since and others have been put before it.
      if (nodes.stamps[slot] <= this.#stampSeen || this.#heads[group][bucket] === slot) return;
    }
    this.#leave(slot, before);
    this.#join(slot, group, bucket);
  }

  #leave(slot: number, group: number): void {
    if (group === FREE) return;
    if (group < 0) {
      this.failed[-1 - group]--;
      return;
    }
    const next = this.#next[slot];
    const previous = this.#previous[slot];
    const bucket = this.#bucketOf[slot];
    const heads = this.#heads[group];
    if (previous === NONE) heads[bucket] = next;
    else this.#next[previous] = next;
    if (next !== NONE) this.#previous[next] = previous;
    if (--this.counts[group] === 0) {
      this.tops[group] = NONE;
      this.#spareHeads.push(heads);
      this.#heads[group] = NO_INTS;
      this.#live.remove(group);
      return;
    }
    let top = this.tops[group];
    while (heads[top] === NONE) top--;
    this.tops[group] = top;
  }

  #join(slot: number, group: number, bucket: number): void {
    if (this.counts[group] === 0) this.#heads[group] = this.#spareHeads.pop() ?? this.#makeHeads();
    const heads = this.#heads[group];
    assert(bucket >= 0 && bucket < heads.length, 'a score of room is within its bounds');
    this.#link(slot, heads, bucket);
    this.#groupOf[slot] = group;
    this.#bucketOf[slot] = bucket;
    if (bucket > this.tops[group]) this.tops[group] = bucket;
    if (this.counts[group]++ === 0) this.#live.add(group);
  }

  /** Behind the nodes that changed later: nearly always there are none. */
  #link(slot: number, heads: Int32Array, bucket: number): void {
    const { stamps } = this.#source.state.nodes;
    const stamp = stamps[slot];
    let previous = NONE;
    let next = heads[bucket];
    while (next !== NONE && stamps[next] > stamp) {
      previous = next;
      next = this.#next[next];
    }
    if (previous === NONE) heads[bucket] = slot;
    else this.#next[previous] = slot;
    this.#next[slot] = next;
    this.#previous[slot] = previous;
    if (next !== NONE) this.#previous[next] = slot;
  }

  #makeHeads(): Int32Array {
    this.#headsCount++;
    return new Int32Array(this.#source.score.most + 1).fill(NONE);
  }

  #groupWith(row: Int32Array): number {
    const group = this.#groups.numberOf(row);
    if (group < this.counts.length) return group;
    this.counts.push(0);
    this.tops.push(NONE);
    this.#heads.push(NO_INTS);
    return group;
  }
}
