// The sequencer: the one kernel that decides, with its indexes of the nodes in shards. A core: messages of shards in, decisions and messages to shards out.
//
//   command ─► kernel's state ─┬─► feed of the node's shard (shard-feed.ts)
//                              └─► indexes that are awake: the node is an exception from now on (merged-index.ts)
//   decide ─► kernel ─► merged index ─┬─► decision
//                                     └─► question to every shard; `awaited` until all have answered
//
// The kernel's own state is whole: every counter, every pod, every node. So shards only take work from it, and are never needed: while one of them is
// not there, or has not taken in everything yet, indexes are made here (ClassIndex), which comes to the same decisions. Nothing is decided on a part of the nodes.
//
//   a shard:  gone ─ joined ─► loading ─ it has taken in all that there was ─► up ─ lost, slow or wrong ─► gone
//
// Which shard has a node is told by a hash of its hostname, so that nodes that share one are together.
//
// Limits: those of the indexes that shards know (known-indexes.ts). A shard is lost when it has not taken in UNSEEN_BYTES_MAX, has said nothing for
// SILENCE_MS while it owes something, or has owed an answer for ANSWER_MS_MAX, and longer where it has many nodes. A pod for which TRIES_MAX rounds of
// questions have not sufficed (everything changes meanwhile) is decided without shards.

import { ByteReader, WireError } from '../../base/byte-reader.ts';
import { ClassIndex } from '../kernel/class-index.ts';
import type { ClusterObserver } from '../kernel/cluster-observer.ts';
import type { ClusterState } from '../kernel/cluster-state.ts';
import { Kernel, type Outcome } from '../kernel/kernel.ts';
import type { Freshness, IndexOrder, NodeIndex, RowSource } from '../kernel/node-index.ts';
import type { PodRecord } from '../kernel/pod-table.ts';
import type { ObjectOf } from '../model/cluster-objects.ts';
import type { SchedulerProfile } from '../model/scheduler-profile.ts';
import { type IndexTeller, KnownIndexes } from './known-indexes.ts';
import { type Asked, MergedIndex, type Questioner } from './merged-index.ts';
import {
  SEQUENCER_LIMITS,
  type SequencerFigures,
  type SequencerLimits,
  type SequencerOptions,
} from './sequencer-options.ts';
import type { Answer } from './shard-message.ts';
import * as wire from './shard-message.ts';
import { readAnswer, readCount, readFailure, writeText } from './shard-message.ts';
import { ShardSeat } from './shard-seat.ts';

export const SHARDS_MAX = 64;
const UNSEEN_BYTES_MAX = 512 * 1024 * 1024;
const SILENCE_MS = 3_000;
const ANSWER_MS_MAX = 10_000;
/** More of both for each node of the shard: to make an index takes half a microsecond a node, and nothing can be said meanwhile. */
const PATIENCE_MS_A_NODE = 0.01;
const STANDSTILL_MS = 1_000;
const TRIES_MAX = 16;

interface Question {
  readonly index: MergedIndex;
  readonly askedMs: number;
  /** Shards that have not answered. */
  left: number;
}

export class Sequencer implements ClusterObserver, IndexTeller, Questioner {
  readonly kernel: Kernel;
  readonly limits: SequencerLimits;
  readonly #options: SequencerOptions;
  readonly #state: ClusterState;
  readonly #seats: readonly ShardSeat[];
  readonly #reader = new ByteReader();
  /** By slot. */
  readonly #shardOf: number[] = [];
  readonly #indexes = new KnownIndexes(this);
  readonly #givenUp = new WeakSet<RowSource>();
  readonly #open = new Map<number, Question>();
  /** Rounds of questions in a row that no decision has come of. */
  #tries = 0;
  /** The decision that is on is made without shards. */
  #isHere = false;
  #lastQuestion = 0;
  #standIns = 0;
  #losses = 0;
  /** Of the last tick. */
  #nowMs = 0;

  constructor(profiles: readonly SchedulerProfile[], options: SequencerOptions) {
    const { shardCount, indexBytesMax } = options;
    this.#options = options;
    this.limits = options.limits ?? SEQUENCER_LIMITS;
    const makeIndex = (order: IndexOrder): NodeIndex => this.#makeIndex(order);
    this.kernel = new Kernel(profiles, { indexBytesMax, makeIndex, observer: this });
    this.#state = this.kernel.state;
    this.#seats = Array.from(
      { length: shardCount },
      (_, shard) => new ShardSeat(this.#state, (slot) => this.#shardOf[slot] === shard, this.limits),
    );
  }

  /** Whether every shard is up. */
  get isWhole(): boolean {
    return this.#seats.every(({ state }) => state === 'up');
  }

  get figures(): SequencerFigures {
    const [oldest] = this.#open.values();
    return {
      shards: this.#seats.length,
      shardsUp: this.#seats.filter(({ state }) => state === 'up').length,
      questions: this.#lastQuestion,
      standIns: this.#standIns,
      losses: this.#losses,
      waitingMs: oldest === undefined ? 0 : this.#nowMs - oldest.askedMs,
    };
  }

  /** Awaited: to be asked again at `onAnswered`, before any other pod. */
  decide(uid: string): Outcome {
    for (;;) {
      const asked = this.#lastQuestion;
      this.#isHere = this.#tries >= TRIES_MAX;
      const outcome = this.#tryDecide(uid);
      this.#isHere = false;
      if (outcome.kind !== 'awaited') {
        this.#tries = 0;
        return outcome;
      }
      const isOpen = this.#open.size > 0;
      // Who comes before the answer has begun no other round.
      if (!isOpen || this.#lastQuestion !== asked) this.#tries++;
      // What was given up meanwhile is made here the next time.
      if (isOpen) return outcome;
    }
  }

  #tryDecide(uid: string): Outcome {
    try {
      return this.kernel.tryDecide(uid);
    } catch (error) {
      if (!(error instanceof DistrustError)) throw error;
      // What classes have taken from it, or were about to.
      this.kernel.forgetClasses();
      return this.kernel.tryDecide(uid);
    }
  }

  /** Whether indexes are in the shards. */
  get mayAsk(): boolean {
    return this.isWhole && !this.#isHere;
  }

  /** To be called ten times a second or so. */
  tick(nowMs: number): void {
    const isSecond = Math.floor(nowMs / 1000) !== Math.floor(this.#nowMs / 1000);
    // Who has stood still itself has not listened, and has taken later times for earlier ones.
    const stoodStill = nowMs - this.#nowMs > STANDSTILL_MS;
    this.#nowMs = nowMs;
    for (const [shard, seat] of this.#seats.entries()) {
      if (seat.state === 'gone') continue;
      if (stoodStill || !seat.owes) seat.waitFrom(nowMs);
      const problem = stoodStill ? undefined : this.#lateness(seat);
      if (problem !== undefined) this.lost(shard, problem);
      else if (isSecond) this.#tell(seat, wire.TICK, Math.floor(nowMs));
      this.#flush(shard, seat);
    }
  }

  #lateness({ unseenBytes, heardMs, owesSinceMs, feed }: ShardSeat): string | undefined {
    const patienceMs = PATIENCE_MS_A_NODE * feed.nodeCount;
    if (unseenBytes > UNSEEN_BYTES_MAX) return `it has not taken in ${unseenBytes} bytes`;
    const silentMs = Math.round(this.#nowMs - heardMs);
    if (silentMs > SILENCE_MS + patienceMs) return `it has said nothing for ${silentMs} ms`;
    const waitingMs = Math.round(this.#nowMs - (owesSinceMs ?? this.#nowMs));
    return waitingMs > ANSWER_MS_MAX + patienceMs ? `it has not answered for ${waitingMs} ms` : undefined;
  }

  /** There is a new shard that knows nothing. */
  joined(shard: number): void {
    const seat = this.#seats[shard];
    seat.join(this.#options.epoch, this.#nowMs);
    this.#flush(shard, seat);
  }

  lost(shard: number, reason: string): void {
    const seat = this.#seats[shard];
    if (seat.state === 'gone') return;
    seat.leave();
    this.#losses++;
    this.#indexes.releaseAll();
    this.#open.clear();
    this.#options.onLost(shard, reason);
    this.#options.onAnswered();
  }

  /** What is to be sent to the shard; undefined: nothing. */
  take(shard: number): Uint8Array | undefined {
    return this.#seats[shard].take();
  }

  receive(shard: number, message: Uint8Array): void {
    const seat = this.#seats[shard];
    if (seat.state === 'gone') return;
    seat.heardMs = this.#nowMs;
    const reader = this.#reader;
    reader.reset(message, 0, message.length);
    const openBefore = this.#open.size;
    try {
      while (reader.hasMore) this.#hear(shard, readCount(reader), reader);
    } catch (error) {
      if (!(error instanceof WireError || error instanceof SyntaxError)) throw error;
      this.lost(shard, `it has said what cannot be read: ${error.message}`);
      return;
    }
    this.#flush(shard, seat);
    if (this.#open.size < openBefore) this.#options.onAnswered();
  }

  #hear(shard: number, operation: number, reader: ByteReader): void {
    const seat = this.#seats[shard];
    switch (operation) {
      case wire.HELLO: {
        const version = readCount(reader);
        if (version !== wire.VERSION) throw new WireError(`version ${version} is not ${wire.VERSION}`);
        return;
      }
      case wire.FAILURE:
        seat.failures.set(readCount(reader), readFailure(reader));
        return;
      case wire.ANSWER:
        this.#answer(shard, readAnswer(reader, seat.failures));
        return;
      case wire.SEEN:
        if (!seat.saw(readCount(reader))) throw new WireError('it has seen what it was not sent');
        seat.load();
        return;
      default:
        throw new WireError(`there is no operation ${operation}`);
    }
  }

  #answer(shard: number, answer: Answer): void {
    const { question } = answer;
    if (!this.#seats[shard].owed.delete(question)) throw new WireError(`it was not asked question ${question}`);
    const asked = this.#open.get(question);
    // The answer of another one is missing for good.
    if (asked === undefined) return;
    if (--asked.left === 0) this.#open.delete(question);
    const problem = asked.index.answered(shard, answer);
    if (problem !== undefined) throw new WireError(`question ${question}: ${problem}`);
  }

  #tell(seat: ShardSeat, operation: number, ...fields: readonly number[]): void {
    seat.out.varint(operation);
    for (const field of fields) seat.out.varint(field);
  }

  #flush(shard: number, seat: ShardSeat): void {
    if (seat.out.position > 0) this.#options.onOutput(shard);
  }

  // IndexTeller

  indexKnown(number: number, text: string): void {
    for (const seat of this.#seats) {
      this.#tell(seat, wire.INDEX, number);
      writeText(seat.out, text);
    }
  }

  indexGone(number: number): void {
    for (const seat of this.#seats) this.#tell(seat, wire.INDEX_GONE, number);
  }

  // Questioner

  ask(index: MergedIndex, listMax: number): Asked | undefined {
    if (!this.mayAsk) return undefined;
    const number = this.#indexes.numberOf(index, this.#state.nodes.count);
    if (number === undefined) {
      this.giveUp(index.order);
      return undefined;
    }
    const question = ++this.#lastQuestion;
    const nodeCounts = this.#seats.map(({ feed }) => feed.nodeCount);
    for (const slot of this.withheld()) nodeCounts[this.#shardOf[slot]]--;
    this.#open.set(question, { index, askedMs: this.#nowMs, left: this.#seats.length });
    for (const [shard, seat] of this.#seats.entries()) {
      seat.owed.set(question, this.#nowMs);
      this.#tell(seat, wire.QUESTION, question, number, listMax);
      this.#flush(shard, seat);
    }
    this.#indexes.wake(index);
    return { question, nodeCounts };
  }

  giveUp({ source }: IndexOrder): void {
    this.#givenUp.add(source);
  }

  *withheld(): Generator<number> {
    const { nominations, nodes } = this.#state;
    for (const name of nominations.nodeNames) {
      const slot = nodes.slotOf(name);
      if (slot !== undefined) yield slot;
    }
  }

  shardOf(slot: number): number {
    return slot < this.#state.nodes.end ? this.#shardOf[slot] : -1;
  }

  distrust(shard: number, reason: string): never {
    this.lost(shard, reason);
    throw new DistrustError(reason);
  }

  // ClusterObserver

  nodeWillChange(slot: number): void {
    this.#indexes.nodeWillChange(slot);
  }

  nodeSet(slot: number): void {
    const { nodes } = this.#state;
    const shard = this.#shardFor(nodes.hostnames[slot] ?? nodes.names[slot]);
    const before = this.#shardOf[slot];
    if (before !== undefined && before !== shard) this.#seats[before].feed.nodeGone(slot);
    this.#shardOf[slot] = shard;
    this.#indexes.nodeSet(slot);
    this.#seats[shard].feed.nodeSet(slot);
    this.#fed(shard);
  }

  nodeGone(slot: number): void {
    const shard = this.#shardOf[slot];
    this.#seats[shard].feed.nodeGone(slot);
    this.#fed(shard);
  }

  podPut(record: PodRecord): void {
    const shard = this.#shardOf[record.slot];
    this.#seats[shard].feed.podPut(record);
    this.#fed(shard);
  }

  podTaken(record: PodRecord): void {
    const shard = this.#shardOf[record.slot];
    this.#seats[shard].feed.podTaken(record);
    this.#fed(shard);
  }

  nominationsChanged(slot: number): void {
    const shard = this.#shardOf[slot];
    this.#seats[shard].feed.nominationsChanged(slot);
    this.#fed(shard);
  }

  namespaceChanged(name: string, namespace: ObjectOf<'Namespace'> | undefined): void {
    for (const [shard, { state, feed }] of this.#seats.entries()) {
      if (state === 'gone') continue;
      feed.namespaceChanged(name, namespace);
      this.#fed(shard);
    }
  }

  #fed(shard: number): void {
    const seat = this.#seats[shard];
    if (seat.isFull) this.#options.onOutput(shard);
  }

  /** By a hash of the text, in equal ranges. */
  #shardFor(text: string): number {
    let hash = 0x811c9dc5;
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    // The upper bits of numbered names are much alike without it.
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    return Math.floor((((hash ^ (hash >>> 13)) >>> 0) / 0x1_0000_0000) * this.#seats.length);
  }

  #makeIndex(order: IndexOrder): NodeIndex {
    const isHere = this.#givenUp.has(order.source);
    if (this.mayAsk && !isHere) return new MergedIndex(order, this);
    this.#standIns++;
    return isHere ? new ClassIndex(order.source) : new StandInIndex(order.source, () => this.mayAsk);
  }
}

/** The decision that is on goes by what a shard has said that is not so. */
class DistrustError extends Error {}

/** An index made here as long as shards cannot be asked. */
class StandInIndex extends ClassIndex {
  readonly #isOver: () => boolean;

  constructor(source: RowSource, isOver: () => boolean) {
    super(source);
    this.#isOver = isOver;
  }

  override refresh(): Freshness {
    return this.#isOver() ? 'outdated' : super.refresh();
  }
}
