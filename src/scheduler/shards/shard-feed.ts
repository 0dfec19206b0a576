// What one shard is told of nodes and pods: all of them that are its own when it is new, a part at a time, then each change as it happens.
//
//   slots:   0 … told … #told … not told yet …      a change of a node that was not told yet is told with the node
//
// Everything is taken from the sequencer's own state, so there is nothing to keep for a shard that has to be made anew.

import type { ByteWriter } from '../../base/byte-writer.ts';
import type { ClusterState } from '../kernel/cluster-state.ts';
import type { NodeShape } from '../kernel/node-table.ts';
import type { PodRecord, PodShape } from '../kernel/pod-table.ts';
import type { ObjectOf } from '../model/cluster-objects.ts';
import { partText } from './model-text.ts';
import * as wire from './shard-message.ts';
import { writeText } from './shard-message.ts';
import { nodePartsOf, podPartsOf, ShapeNumbers } from './shard-model.ts';

export class ShardFeed {
  /** Nodes that were told, and are there. */
  nodeCount = 0;
  readonly #state: ClusterState;
  readonly #out: ByteWriter;
  readonly #isOwn: (slot: number) => boolean;
  /** Those that are not told yet; one that changes meanwhile is told at once, and perhaps again. */
  readonly #namespaces: Iterator<ObjectOf<'Namespace'>>;
  #told = 0;
  readonly #nodeShapes = new ShapeNumbers<NodeShape>();
  readonly #podShapes = new ShapeNumbers<PodShape>();
  /** By slot of the nodes that were told. */
  readonly #shapes = new Map<number, NodeShape>();

  constructor(state: ClusterState, out: ByteWriter, isOwn: (slot: number) => boolean) {
    this.#state = state;
    this.#out = out;
    this.#isOwn = isOwn;
    this.#namespaces = state.objects.all('Namespace')[Symbol.iterator]();
  }

  begin(epoch: number): void {
    this.#out.varint(wire.BEGIN);
    this.#out.varint(wire.VERSION);
    this.#out.varint(epoch);
  }

  /** Tells of namespaces, then so many more slots of those that were there; less where that takes so many bytes. True once all is told. */
  advance(slots: number, bytes: number): boolean {
    const { nodes } = this.#state;
    const most = this.#out.position + bytes;
    while (this.#out.position < most) {
      const { done, value: namespace } = this.#namespaces.next();
      if (done === true) break;
      this.namespaceChanged(namespace.name, namespace);
    }
    const end = Math.min(nodes.end, this.#told + slots);
    while (this.#told < end && this.#out.position < most) {
      const slot = this.#told++;
      if (nodes.isFree(slot) || !this.#isOwn(slot)) continue;
      this.nodeSet(slot);
      for (const record of this.#state.podsAt(slot)) this.podPut(record);
    }
    if (this.#told < nodes.end) return false;
    this.#told = Number.POSITIVE_INFINITY;
    return true;
  }

  nodeSet(slot: number): void {
    if (slot >= this.#told) return;
    const { nodes, nominations } = this.#state;
    const out = this.#out;
    const before = this.#shapes.get(slot);
    if (before === undefined) this.nodeCount++;
    const shape = nodes.shapeAt(slot);
    const { number, isNew } = this.#nodeShapes.take(shape);
    if (before !== undefined) this.#nodeShapes.release(before);
    this.#shapes.set(slot, shape);
    if (isNew) this.#tellShape(wire.NODE_SHAPE, number, nodePartsOf(shape));
    const name = nodes.names[slot];
    out.varint(wire.NODE);
    out.varint(slot);
    out.varint(nodes.stamps[slot]);
    out.varint(number);
    out.byte(nominations.on(name).length > 0 ? 1 : 0);
    out.varint(nodes.podsMax[slot]);
    for (const { capacity } of [nodes.milliCpu, nodes.memory, nodes.ephemeralStorage]) out.varint(capacity[slot]);
    const scalars = nodes.scalarsAt(slot);
    out.varint(scalars.size);
    for (const [resource, amount] of scalars) {
      writeText(out, resource);
      out.varint(amount);
    }
    writeText(out, name);
    const hostname = nodes.hostnames[slot];
    out.varint(hostname === undefined ? 0 : 1);
    if (hostname !== undefined) writeText(out, hostname);
  }

  nodeGone(slot: number): void {
    const shape = this.#shapes.get(slot);
    if (shape === undefined) return;
    this.nodeCount--;
    this.#shapes.delete(slot);
    this.#nodeShapes.release(shape);
    this.#out.varint(wire.NODE_GONE);
    this.#out.varint(slot);
    this.#out.varint(this.#state.lastStamp);
  }

  nominationsChanged(slot: number): void {
    if (slot >= this.#told) return;
    const { nodes, nominations } = this.#state;
    this.#out.varint(wire.WITHHELD);
    this.#out.varint(slot);
    this.#out.varint(nodes.stamps[slot]);
    this.#out.byte(nominations.on(nodes.names[slot]).length > 0 ? 1 : 0);
  }

  podPut({ order, shape, slot }: PodRecord): void {
    if (slot >= this.#told) return;
    const { number, isNew } = this.#podShapes.take(shape);
    if (isNew) this.#tellShape(wire.POD_SHAPE, number, podPartsOf(shape));
    const out = this.#out;
    out.varint(wire.POD);
    out.varint(order);
    out.varint(number);
    out.varint(slot);
    out.varint(this.#state.nodes.stamps[slot]);
  }

  podTaken({ order, shape, slot }: PodRecord): void {
    if (slot >= this.#told) return;
    this.#podShapes.release(shape);
    this.#out.varint(wire.POD_GONE);
    this.#out.varint(order);
    this.#out.varint(this.#state.nodes.stamps[slot]);
  }

  namespaceChanged(name: string, namespace: ObjectOf<'Namespace'> | undefined): void {
    this.#out.varint(namespace === undefined ? wire.NAMESPACE_GONE : wire.NAMESPACE);
    writeText(this.#out, namespace === undefined ? name : partText(namespace));
  }

  #tellShape(operation: number, number: number, parts: object): void {
    this.#out.varint(operation);
    this.#out.varint(number);
    writeText(this.#out, partText(parts));
  }
}
