// The nodes as one class of pods sees them, put together from what shards have answered: what class-index.ts is for all nodes on one thread.
//
//   ask ─► each shard: its groups, how many nodes each has, and the best of them in order ─► base, of the moment of the question
//   a node that changes afterwards ─► taken out of the base (its group is told before it changes), and looked at here: an exception
//
// The row of a group, and its number here, are those of any of its nodes, which is looked at here: so nothing but nodes, buckets and counts goes over
// the wire, and no two sides need the same numbers for anything. A shard may split what is one group here; it must not join what is two.
//
// The best of a group is the best of the shards' lists and the exceptions. Where a list has been used up and the shard has more nodes of the group, nothing is known
// until it is asked again. So a batch of pods is placed with one question, whatever pods are placed in between.
//
//   asleep ─ ask ─► asked ─ all have answered ─► awake ─ a list used up, or exceptionsMax changes ─► asked …
//
// Limits: MergeLimits. What still cannot be told with lists of listMax is given up, and indexed on this thread.

import { assert } from '../../base/assert.ts';
import { LiveGroups } from '../kernel/live-groups.ts';
import type { Freshness, IndexOrder, NodeIndex, RowSource } from '../kernel/node-index.ts';
import type { ExceptionMarks } from '../kernel/overlaid-groups.ts';
import { RowTable } from '../kernel/row-table.ts';
import { type Candidate, type CandidateList, GroupCandidates, isBetter } from './group-candidates.ts';
import { type Exception, MergeExceptions, NOWHERE } from './merge-exceptions.ts';
import type { MergeLimits } from './merge-limits.ts';
import type { Answer } from './shard-message.ts';

/** More than any bucket; a power of two. */
const BUCKETS = 0x1_0000;
/** Nodes of the base whose group is remembered. */
const KNOWN_MAX = 32_768;

const NONE = -1;

export interface Asked {
  readonly question: number;
  /** By shard: nodes that it is to tell of. */
  readonly nodeCounts: readonly number[];
}

/** Whom it asks. */
export interface Questioner {
  /** Undefined: the shards are not all there. Else each will answer, once. */
  ask(index: MergedIndex, listMax: number): Asked | undefined;
  readonly limits: MergeLimits;
  /** Whether there is any use in asking. */
  readonly mayAsk: boolean;
  /** It is to be made on this thread from now on. */
  giveUp(order: IndexOrder): void;
  /** Nodes that the shards have been told to leave out. */
  withheld(): Iterable<number>;
  /** Of a node that is there. */
  shardOf(slot: number): number;
  /** What the shard has said is not so: it is lost, every index is outdated, and the decision that is on is begun anew. Throws. */
  distrust(shard: number, reason: string): never;
}

type State = 'asleep' | 'asked' | 'awake' | 'released';

export class MergedIndex implements NodeIndex {
  readonly width: number;
  readonly counts: number[] = [];
  readonly tops: number[] = [];
  readonly failed: number[] = [];
  readonly order: IndexOrder;
  readonly #source: RowSource;
  readonly #questioner: Questioner;
  readonly #row: Int32Array;
  #state: State = 'asleep';
  #listMax: number;
  #question = NONE;
  /** Shards that have not answered yet, with the number of nodes that they were told of. */
  readonly #awaited = new Map<number, number>();
  /** Something was decided by this base. */
  #isUsed = false;
  #groups = new RowTable();
  readonly #live = new LiveGroups();
  /** By group: its best node; NONE: it is not known. */
  readonly #best: number[] = [];
  readonly #candidates: GroupCandidates[] = [];
  readonly #exceptions = new MergeExceptions();
  /** With those that are withheld from shards. */
  #exceptionsMax = 0;
  readonly #known = new Map<number, number>();
  /** Groups whose best node may be another one. */
  readonly #affected = new Set<number>();

  constructor(order: IndexOrder, questioner: Questioner) {
    this.order = order;
    this.#source = order.source;
    this.#questioner = questioner;
    this.#listMax = questioner.limits.listFirst;
    this.width = order.source.width;
    this.#row = new Int32Array(this.width);
  }

  get isAwake(): boolean {
    return this.#state === 'awake' || this.#state === 'asked';
  }

  get rows(): Int32Array {
    return this.#groups.rows;
  }

  get live(): readonly number[] {
    return this.#live.list;
  }

  get bytes(): number {
    return 4 * this.rows.length + 128 * (this.#exceptions.size + this.#candidates.length) + 32 * this.#known.size;
  }

  refresh(): Freshness {
    if (!this.#questioner.mayAsk) return 'outdated';
    if (this.#state === 'awake') {
      if (this.#lookAtDirty()) {
        this.#isUsed = true;
        return 'fresh';
      }
      if (!this.#wantMore()) return 'outdated';
    } else if (this.#state === 'asleep') this.#ask();
    return this.#state === 'asked' ? 'awaited' : 'outdated';
  }

  release(): void {
    this.#clear('released');
  }

  /** Forgets its base; it is asked for when it is needed again. */
  sleep(): void {
    if (this.isAwake) this.#clear('asleep');
  }

  bestOf(group: number): number {
    return this.#best[group];
  }

  bestExcept(group: number, marks: ExceptionMarks): number {
    if (this.#state !== 'awake') return NONE;
    const best = this.#bestAmong(group, (slot) => !marks.has(slot));
    if (best === NONE) this.#wantMore();
    return best;
  }

  groupOf(slot: number): number {
    return this.#exceptions.get(slot)?.place ?? Math.floor(this.#recall(slot) / BUCKETS);
  }

  bucketAt(slot: number): number {
    return this.#exceptions.get(slot)?.bucket ?? this.#recall(slot) & (BUCKETS - 1);
  }

  /** Of a node of the base: its place × BUCKETS + its bucket. Classes that share the index ask for the same nodes again and again. */
  #recall(slot: number): number {
    let known = this.#known.get(slot);
    if (known === undefined) {
      const place = this.#lookAt(slot);
      if (place >= 0 && this.counts[place] <= 0) {
        this.#questioner.distrust(this.#questioner.shardOf(slot), `node ${slot} is in no group that it has told`);
      }
      known = place * BUCKETS + (place < 0 ? 0 : this.#source.score.at(slot));
      if (this.#known.size >= KNOWN_MAX) this.#known.clear();
      this.#known.set(slot, known);
    }
    return known;
  }

  /** Before anything of it changes. */
  nodeWillChange(slot: number): void {
    if (!this.isAwake || this.#exceptions.mark(slot)) return;
    if (!this.#hasRoom()) return;
    const known = this.#known.get(slot);
    const base = known === undefined ? this.#lookAt(slot) : Math.floor(known / BUCKETS);
    this.#exceptions.add(slot, base);
    if (base >= 0) {
      this.counts[base]--;
      this.#affected.add(base);
    } else this.#addFailed(-1 - base, -1);
  }

  /** After it has; it may be a new one. */
  nodeSet(slot: number): void {
    if (this.isAwake && !this.#exceptions.mark(slot) && this.#hasRoom()) this.#exceptions.add(slot, NOWHERE);
  }

  /** For one more exception; false: it sleeps from now on. */
  #hasRoom(): boolean {
    const hasRoom = this.#exceptions.size < this.#exceptionsMax;
    if (!hasRoom) this.sleep();
    return hasRoom;
  }

  /** What a shard says, as nodes were when it was asked. Returns what is wrong with it. */
  answered(shard: number, answer: Answer): string | undefined {
    // It sleeps by now, or has asked again.
    if (answer.question !== this.#question) return undefined;
    const expected = this.#awaited.get(shard);
    assert(expected !== undefined, 'a shard answers a question once');
    this.#awaited.delete(shard);
    let sum = 0;
    const listed = new Set<number>();
    for (const { count, slots, buckets } of answer.groups) {
      sum += count;
      const group = this.#questioner.shardOf(slots[0]) === shard ? this.#baseOf(slots[0], buckets[0]) : NONE;
      if (group < 0) return `node ${slots[0]} is in no such group`;
      for (const slot of slots) {
        const base = this.#exceptions.get(slot)?.base ?? group;
        const isOwn = this.#questioner.shardOf(slot) === shard;
        if (!isOwn || base !== group || listed.has(slot)) return `node ${slot} is not one of the group`;
        listed.add(slot);
      }
      this.counts[group] += count;
      this.#candidates[group].lists.push({ shard, slots, buckets, next: 0, unlisted: count - slots.length });
      this.#affected.add(group);
    }
    for (const { failure, count } of answer.failures) {
      sum += count;
      this.#addFailed(this.order.failureId(failure), count);
    }
    if (sum !== expected) return `it has counted ${sum} nodes where it was told of ${expected}`;
    if (this.#awaited.size === 0) this.#state = 'awake';
    return undefined;
  }

  #ask(): void {
    this.#clear('asleep');
    const asked = this.#questioner.ask(this, this.#listMax);
    if (asked === undefined) {
      this.release();
      return;
    }
    const { question, nodeCounts } = asked;
    this.#state = 'asked';
    this.#question = question;
    for (const [shard, count] of nodeCounts.entries()) this.#awaited.set(shard, count);
    for (const slot of this.#questioner.withheld()) this.#exceptions.add(slot, NOWHERE);
    this.#exceptionsMax = this.#exceptions.size + this.#questioner.limits.exceptionsMax;
  }

  /** Longer lists; false where that is of no use. */
  #wantMore(): boolean {
    const { listMax, exceptionsMax } = this.#questioner.limits;
    // As long as nothing has changed the answers would be the same.
    const isSame = this.#exceptions.size === this.#exceptionsMax - exceptionsMax;
    if ((isSame || !this.#isUsed) && this.#listMax >= listMax) {
      this.#questioner.giveUp(this.order);
      this.release();
      return false;
    }
    this.#listMax = Math.min(listMax, 4 * this.#listMax);
    this.#ask();
    return true;
  }

  #clear(state: State): void {
    this.#state = state;
    this.#question = NONE;
    this.#isUsed = false;
    this.#groups = new RowTable();
    for (const column of [this.counts, this.tops, this.failed, this.#best]) column.length = 0;
    this.#live.clear();
    this.#candidates.length = 0;
    this.#awaited.clear();
    this.#exceptions.clear();
    this.#known.clear();
    this.#affected.clear();
  }

  /** The group that a listed node was in when the shards were asked; below 0: it was in none, or its bucket was another. */
  #baseOf(slot: number, bucket: number): number {
    if (this.#source.state.nodes.end <= slot) return NONE;
    const exception = this.#exceptions.get(slot);
    if (exception !== undefined) return exception.base;
    if (this.#source.state.nodes.isFree(slot) || this.#source.score.at(slot) !== bucket) return NONE;
    return this.#lookAt(slot);
  }

  /** Where the node belongs, as it is. */
  #lookAt(slot: number): number {
    const failure = this.#source.judge(slot, this.#row);
    return failure === 0 ? this.#groupWith(this.#row) : -1 - failure;
  }

  /** False: of some group it is not known which node is the best. */
  #lookAtDirty(): boolean {
    const { nodes } = this.#source.state;
    this.#exceptions.lookAtDirty((slot, exception) => {
      this.#move(slot, exception, nodes.isFree(slot) ? NOWHERE : this.#lookAt(slot));
    });
    for (const group of this.#affected) if (!this.#settle(group)) return false;
    this.#affected.clear();
    return true;
  }

  #move(slot: number, exception: Exception, place: number): void {
    const { state, score } = this.#source;
    const before = exception.place;
    if (before >= 0) {
      this.#candidates[before].leave(slot);
      this.counts[before]--;
      this.#affected.add(before);
    } else if (before !== NOWHERE) this.#addFailed(-1 - before, -1);
    exception.place = place;
    if (place >= 0) {
      exception.bucket = score.at(slot);
      exception.stamp = state.nodes.stamps[slot];
      this.#candidates[place].join({ slot, bucket: exception.bucket, stamp: exception.stamp });
      this.counts[place]++;
      this.#affected.add(place);
    } else if (place !== NOWHERE) this.#addFailed(-1 - place, 1);
  }

  /** Finds the best node of the group; false: it is not known. */
  #settle(group: number): boolean {
    const isLive = this.counts[group] > 0;
    if (isLive !== this.#live.has(group)) {
      if (isLive) this.#live.add(group);
      else this.#live.remove(group);
    }
    if (!isLive) {
      this.#best[group] = NONE;
      this.tops[group] = NONE;
      return true;
    }
    const candidates = this.#candidates[group];
    let best = candidates.bestMember;
    for (const list of candidates.lists) {
      this.#advance(list, group);
      if (list.next < list.slots.length) best = this.#better(best, list, list.next);
      else if (list.unlisted > 0) return false;
    }
    if (best === undefined) {
      const [list] = candidates.lists;
      assert(list !== undefined, 'a group that has nodes has a best one');
      this.#questioner.distrust(list.shard, 'it has counted more nodes of a group than it has');
    }
    this.#best[group] = best.slot;
    this.tops[group] = best.bucket;
    return true;
  }

  /** To the first node that is no exception, which is looked at before it may be taken. */
  #advance(list: CandidateList, group: number): void {
    const { shard, slots, buckets, next } = list;
    while (list.next < slots.length && this.#exceptions.has(slots[list.next])) list.next++;
    if (list.next === next || list.next === slots.length) return;
    const slot = slots[list.next];
    if (this.#baseOf(slot, buckets[list.next]) !== group) {
      this.#questioner.distrust(shard, `node ${slot} is not as it is listed`);
    }
  }

  /** The same of nodes that are allowed; NONE: it is not known. */
  #bestAmong(group: number, isAllowed: (slot: number) => boolean): number {
    const candidates = this.#candidates[group];
    let best = candidates.bestMemberOf(isAllowed);
    let from: CandidateList | undefined;
    for (const list of candidates.lists) {
      const { slots, unlisted } = list;
      let at = list.next;
      while (at < slots.length && (this.#exceptions.has(slots[at]) || !isAllowed(slots[at]))) at++;
      if (at === slots.length) {
        if (unlisted > 0) return NONE;
        continue;
      }
      const better = this.#better(best, list, at);
      if (better !== best) from = list;
      best = better;
    }
    const isTrue = best !== undefined && (from === undefined || this.#baseOf(best.slot, best.bucket) === group);
    if (best !== undefined && isTrue) return best.slot;
    const [list] = from === undefined ? candidates.lists : [from];
    assert(list !== undefined, 'a group that has nodes left has a best one');
    this.#questioner.distrust(list.shard, 'a group is not as it is listed');
  }

  #better(best: Candidate | undefined, { slots, buckets }: CandidateList, at: number): Candidate {
    const slot = slots[at];
    const stamp = this.#source.state.nodes.stamps[slot];
    const bucket = buckets[at];
    return best !== undefined && !isBetter(bucket, stamp, best) ? best : { slot, bucket, stamp };
  }

  #addFailed(failure: number, count: number): void {
    this.failed[failure] = (this.failed[failure] ?? 0) + count;
  }

  #groupWith(row: Int32Array): number {
    const group = this.#groups.numberOf(row);
    if (group < this.counts.length) return group;
    this.counts.push(0);
    this.tops.push(NONE);
    this.#best.push(NONE);
    this.#candidates.push(new GroupCandidates(group, (slot) => this.#exceptions.get(slot)));
    return group;
  }
}
