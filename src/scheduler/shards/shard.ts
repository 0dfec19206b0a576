// A shard: some of the nodes and the pods on them, arranged for the classes of pods that the sequencer asks about. A core: messages in, messages out
// (shard-message.ts). It decides nothing, and holds nothing that the sequencer has not: who loses it can make another one.
//
//   NODE, POD … ─► ClusterState of its nodes ─► ClassIndex for each INDEX
//   QUESTION    ─► ANSWER: groups, counts, and the best nodes of each
//
// Limits: LISTED_MAX nodes listed in an answer, but one for each group in any case; FAILURES_MAX kinds of failures, then all indexes are made anew.

import { ByteReader, WireError } from '../../base/byte-reader.ts';
import { ByteWriter } from '../../base/byte-writer.ts';
import { ClassIndex } from '../kernel/class-index.ts';
import { ClusterState, type SweepUsers } from '../kernel/cluster-state.ts';
import { FailureTable } from '../kernel/failure-table.ts';
import { StateSweeper } from '../kernel/state-sweeper.ts';
import { HOSTNAME } from '../kernel/topology.ts';
import type { NamespaceObject } from '../model/cluster-objects.ts';
import { partOf, partText } from './model-text.ts';
import * as wire from './shard-message.ts';
import { readCount, readLength, readText, writeText } from './shard-message.ts';
import { type NodeParts, nodeOf, type PodParts, podOf, ShapeTable } from './shard-model.ts';
import { type OrderParts, ShardSource } from './shard-source.ts';

const LISTED_MAX = 16_384;
const FAILURES_MAX = 2_000;

interface Arranged {
  readonly parts: OrderParts;
  source: ShardSource | undefined;
  index: ClassIndex | undefined;
}

interface KnownNode {
  readonly name: string;
  readonly shape: number;
}

export class Shard {
  /** Of the sequencer that has begun; 0: none has. */
  epoch = 0;
  readonly #epochLeast: number;
  readonly #out = new ByteWriter();
  readonly #reader = new ByteReader();
  #cluster = new ShardCluster();
  #seenBytes = 0;

  /** `epoch`: of the newest sequencer that is known here; one before it is refused. */
  constructor(epoch = 0) {
    this.#epochLeast = epoch;
    this.#out.varint(wire.HELLO);
    this.#out.varint(wire.VERSION);
  }

  /** Throws for what is none, or of another version or an epoch that is over: it is of no more use then. */
  receive(message: Uint8Array): void {
    const reader = this.#reader;
    reader.reset(message, 0, message.length);
    while (reader.hasMore) this.#take(readCount(reader), reader);
    this.#seenBytes += message.length;
    this.#out.varint(wire.SEEN);
    this.#out.varint(this.#seenBytes);
  }

  /** What there is to be said; undefined: nothing. */
  take(): Uint8Array | undefined {
    return this.#out.position === 0 ? undefined : this.#out.take();
  }

  #take(operation: number, reader: ByteReader): void {
    const cluster = this.#cluster;
    if (operation !== wire.BEGIN && this.epoch === 0) throw new WireError('nothing has begun');
    switch (operation) {
      case wire.BEGIN:
        this.#begin(readCount(reader), readCount(reader));
        return;
      case wire.QUESTION:
        cluster.answer(reader, this.#out);
        return;
      default:
        cluster.take(operation, reader);
    }
  }

  #begin(version: number, epoch: number): void {
    if (version !== wire.VERSION) throw new WireError(`version ${version} is not ${wire.VERSION}`);
    const least = Math.max(1, this.#epochLeast, this.epoch);
    if (epoch < least) throw new WireError(`epoch ${epoch} is over: ${least} has begun`);
    this.epoch = epoch;
    this.#cluster = new ShardCluster();
  }
}

/** What one sequencer has told. */
class ShardCluster implements SweepUsers {
  /** Of the change that is being told. */
  #stamp = 0;
  readonly #state = new ClusterState({ stampOf: () => this.#stamp });
  readonly #failures = new FailureTable();
  readonly #announced = new Set<number>();
  readonly #sweeper = new StateSweeper(this.#state, () => this.#state.sweep(this));
  readonly #nodeShapes = new ShapeTable<NodeParts>();
  readonly #podShapes = new ShapeTable<PodParts>();
  /** By the sequencer's slot, and back from the slot here. */
  readonly #nodes = new Map<number, KnownNode>();
  readonly #numbers: number[] = [];
  /** By pod: its shape. */
  readonly #pods = new Map<number, number>();
  /** Slots here. */
  readonly #withheld = new Set<number>();
  readonly #indexes = new Map<number, Arranged>();

  take(operation: number, reader: ByteReader): void {
    switch (operation) {
      case wire.NODE_SHAPE:
        this.#nodeShapes.set(readCount(reader), partOf(readText(reader)) as NodeParts);
        return;
      case wire.NODE:
        this.#setNode(reader);
        return;
      case wire.NODE_GONE:
        this.#removeNode(reader);
        return;
      case wire.WITHHELD:
        this.#withhold(reader);
        return;
      case wire.POD_SHAPE:
        this.#podShapes.set(readCount(reader), partOf(readText(reader)) as PodParts);
        return;
      case wire.POD:
        this.#putPod(reader);
        return;
      case wire.POD_GONE:
        this.#takePod(reader);
        return;
      case wire.NAMESPACE:
        this.#state.apply({ kind: 'object-set', object: partOf(readText(reader)) as NamespaceObject });
        return;
      case wire.NAMESPACE_GONE:
        this.#state.apply({ kind: 'object-deleted', objectKind: 'Namespace', key: readText(reader) });
        return;
      case wire.INDEX: {
        const number = readCount(reader);
        const parts = partOf(readText(reader)) as OrderParts;
        this.#indexes.set(number, { parts, source: undefined, index: undefined });
        return;
      }
      case wire.INDEX_GONE:
        this.#indexes.delete(readCount(reader));
        return;
      case wire.TICK:
        this.#sweeper.tick(readCount(reader));
        return;
      default:
        throw new WireError(`there is no operation ${operation}`);
    }
  }

  /** What follows QUESTION. */
  answer(reader: ByteReader, out: ByteWriter): void {
    const question = readCount(reader);
    const arranged = this.#indexes.get(readCount(reader));
    const listMax = readCount(reader);
    if (arranged === undefined) throw new WireError('it is asked for an index that was not told before');
    const index = this.#freshIndex(arranged);
    this.#announce(index, out);
    out.varint(wire.ANSWER);
    out.varint(question);
    out.varint(index.live.length);
    const most = Math.max(1, Math.min(listMax, Math.floor(LISTED_MAX / Math.max(1, index.live.length))));
    for (const group of index.live) {
      out.varint(index.counts[group]);
      out.varint(Math.min(most, index.counts[group]));
      index.eachOf(group, most, (slot, bucket) => {
        out.varint(this.#numbers[slot]);
        out.varint(bucket);
      });
    }
    const failed = this.#failed(index);
    out.varint(failed.length);
    for (const [failure, count] of failed) {
      out.varint(failure);
      out.varint(count);
    }
  }

  markUsed(round: number): void {
    for (const { source } of this.#indexes.values()) source?.markUsed(round);
  }

  forgetShapes(shapes: readonly number[]): void {
    for (const { source } of this.#indexes.values()) source?.forgetShapes(shapes);
  }

  #freshIndex(arranged: Arranged): ClassIndex {
    if (this.#failures.count > FAILURES_MAX) this.#forgetFailures();
    if (arranged.source?.isOutdated !== false) {
      arranged.source = new ShardSource(this.#state, this.#failures, arranged.parts, {
        withheld: this.#withheld,
        withheldFailure: this.#withheldFailure,
      });
      arranged.index = undefined;
    }
    const { index, source } = arranged;
    if (index !== undefined && index.refresh() === 'fresh') return index;
    arranged.index = new ClassIndex(source);
    return arranged.index;
  }

  /** Of nodes that the sequencer looks at itself. */
  get #withheldFailure(): number {
    return this.#failures.idOf({ plugin: 'NodeName', reasons: ['withheld'], isUnresolvable: false });
  }

  #failed(index: ClassIndex): [number, number][] {
    const withheld = this.#withheldFailure;
    return [...index.failed.entries()].filter(([failure, count]) => count > 0 && failure !== withheld);
  }

  #announce(index: ClassIndex, out: ByteWriter): void {
    for (const [failure] of this.#failed(index)) {
      if (this.#announced.has(failure)) continue;
      this.#announced.add(failure);
      out.varint(wire.FAILURE);
      out.varint(failure);
      writeText(out, partText(this.#failures.at(failure)));
    }
  }

  /** Only indexes know them by their numbers. */
  #forgetFailures(): void {
    this.#failures.clear();
    this.#announced.clear();
    for (const arranged of this.#indexes.values()) {
      arranged.source = undefined;
      arranged.index = undefined;
    }
  }

  #setNode(reader: ByteReader): void {
    const number = readCount(reader);
    this.#stamp = readCount(reader);
    const shape = readCount(reader);
    const isWithheld = reader.bool();
    const podsMax = reader.varint();
    const [milliCpu, memory, ephemeralStorage] = [reader.varint(), reader.varint(), reader.varint()];
    const scalars = new Map<string, number>();
    for (let left = readLength(reader); left > 0; left--) scalars.set(readText(reader), reader.varint());
    const name = readText(reader);
    const hostname = readLength(reader) > 0 ? readText(reader) : undefined;
    const parts = this.#nodeShapes.take(shape);
    const labels = new Map(parts.labels);
    if (hostname !== undefined) labels.set(HOSTNAME, hostname);
    const before = this.#nodes.get(number);
    if (before !== undefined && before.name !== name) throw new WireError(`node ${number} is ${before.name}`);
    this.#nodes.set(number, { name, shape });
    const allocatable = { milliCpu, memory, ephemeralStorage, scalars };
    this.#state.apply({ kind: 'node-set', node: nodeOf(parts, { name, labels, allocatable, podsMax }) });
    if (before !== undefined) this.#nodeShapes.release(before.shape);
    const slot = this.#slotOf(name);
    this.#numbers[slot] = number;
    this.#setWithheld(slot, isWithheld);
  }

  #removeNode(reader: ByteReader): void {
    const number = readCount(reader);
    this.#stamp = readCount(reader);
    const { name, shape } = this.#nodeAt(number);
    this.#withheld.delete(this.#slotOf(name));
    this.#nodes.delete(number);
    this.#state.apply({ kind: 'node-deleted', name });
    this.#nodeShapes.release(shape);
  }

  #withhold(reader: ByteReader): void {
    const { name } = this.#nodeAt(readCount(reader));
    this.#stamp = readCount(reader);
    const slot = this.#slotOf(name);
    this.#setWithheld(slot, reader.bool());
    this.#state.touchNode(slot);
  }

  #setWithheld(slot: number, isWithheld: boolean): void {
    if (isWithheld) this.#withheld.add(slot);
    else this.#withheld.delete(slot);
  }

  #putPod(reader: ByteReader): void {
    const pod = readCount(reader);
    const shape = readCount(reader);
    const node = readCount(reader);
    this.#stamp = readCount(reader);
    if (this.#pods.has(pod)) throw new WireError(`pod ${pod} is there`);
    const { name } = this.#nodeAt(node);
    const parts = this.#podShapes.take(shape);
    this.#pods.set(pod, shape);
    this.#state.apply({ kind: 'pod-set', pod: podOf(parts, String(pod), name) });
  }

  #takePod(reader: ByteReader): void {
    const pod = readCount(reader);
    this.#stamp = readCount(reader);
    const shape = this.#pods.get(pod);
    if (shape === undefined) throw new WireError(`there is no pod ${pod}`);
    this.#pods.delete(pod);
    this.#state.apply({ kind: 'pod-deleted', uid: String(pod) });
    this.#podShapes.release(shape);
  }

  #nodeAt(number: number): KnownNode {
    const node = this.#nodes.get(number);
    if (node === undefined) throw new WireError(`there is no node ${number}`);
    return node;
  }

  #slotOf(name: string): number {
    const slot = this.#state.nodes.slotOf(name);
    if (slot === undefined) throw new WireError(`there is no node ${name}`);
    return slot;
  }
}
