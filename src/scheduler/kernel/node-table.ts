// The nodes, in columns: one slot a node, used again after the node has gone.
//
// What many nodes have in common (labels without the hostname, taints, images, features) is their shape, kept once. What pods
// of a node ask for is summed up here; the pods themselves are the kernel's.
//
// Amounts are doubles: whole numbers, exact to 2^53 (model/resources.ts).

import { assert } from '../../base/assert.ts';
import type { Labels } from '../model/label-selector.ts';
import type { NodeObject } from '../model/node-object.ts';
import { capacityFor, grownFloats, grownInts, NO_FLOATS, NO_INTS } from './column.ts';
import { canonicalText } from './interner.ts';
import { HOSTNAME } from './topology.ts';

export interface NodeShape {
  readonly id: number;
  /** Without kubernetes.io/hostname. */
  readonly labels: Labels;
  readonly taints: NodeObject['taints'];
  readonly isUnschedulable: boolean;
  readonly declaredFeatures: ReadonlySet<string>;
  readonly imageNames: ReadonlySet<string>;
}

/** One resource of all nodes: what they have and what their pods have asked for. */
export class ResourceColumn {
  capacity: Float64Array = NO_FLOATS;
  requested: Float64Array = NO_FLOATS;

  grow(length: number): void {
    this.capacity = grownFloats(this.capacity, length);
    this.requested = grownFloats(this.requested, length);
  }
}

export class NodeTable {
  /** Slots below it may be in use. */
  end = 0;
  count = 0;
  readonly names: string[] = [];
  /** Undefined where the node lacks the label. */
  readonly hostnames: (string | undefined)[] = [];
  /** −1: the slot is free. */
  shapeIds: Int32Array = NO_INTS;
  podsMax: Float64Array = NO_FLOATS;
  podCounts: Int32Array = NO_INTS;
  /** Σ of what pods ask for with defaults for what they do not name: for NodeResourcesFit's scores. */
  scoredMilliCpu: Float64Array = NO_FLOATS;
  scoredMemory: Float64Array = NO_FLOATS;
  readonly milliCpu: ResourceColumn = new ResourceColumn();
  readonly memory: ResourceColumn = new ResourceColumn();
  readonly ephemeralStorage: ResourceColumn = new ResourceColumn();
  readonly shapes: NodeShape[] = [];
  readonly #scalars = new Map<string, ResourceColumn>();
  readonly #slots = new Map<string, number>();
  readonly #shapeIds = new Map<string, number>();
  readonly #free: number[] = [];
  #capacity = 0;

  slotOf(name: string): number | undefined {
    return this.#slots.get(name);
  }

  shapeAt(slot: number): NodeShape {
    return this.shapes[this.shapeIds[slot]];
  }

  isFree(slot: number): boolean {
    return this.shapeIds[slot] < 0;
  }

  /** The value of a label. */
  labelAt(slot: number, key: string): string | undefined {
    return key === HOSTNAME ? this.hostnames[slot] : this.shapeAt(slot).labels.get(key);
  }

  labelsAt(slot: number): Labels {
    const { labels } = this.shapeAt(slot);
    const hostname = this.hostnames[slot];
    return hostname === undefined ? labels : new Map(labels).set(HOSTNAME, hostname);
  }

  /** By resource name; made when it is first asked for. */
  resource(name: string): ResourceColumn {
    switch (name) {
      case 'cpu':
        return this.milliCpu;
      case 'memory':
        return this.memory;
      case 'ephemeral-storage':
        return this.ephemeralStorage;
    }
    let column = this.#scalars.get(name);
    if (column === undefined) {
      column = new ResourceColumn();
      column.grow(this.#capacity);
      this.#scalars.set(name, column);
    }
    return column;
  }

  /** A new node, or another state of one; returns its slot. */
  set(node: NodeObject): number {
    let slot = this.#slots.get(node.name);
    if (slot === undefined) {
      slot = this.#free.pop() ?? this.end++;
      if (slot >= this.#capacity) this.#grow();
      this.#slots.set(node.name, slot);
      this.names[slot] = node.name;
      this.count++;
    }
    const hostname = node.labels.get(HOSTNAME);
    // One string where the two are equal, as they nearly always are.
    this.hostnames[slot] = hostname === node.name ? node.name : hostname;
    this.shapeIds[slot] = this.#shapeOf(node);
    this.podsMax[slot] = node.podsMax;
    const { allocatable } = node;
    this.milliCpu.capacity[slot] = allocatable.milliCpu;
    this.memory.capacity[slot] = allocatable.memory;
    this.ephemeralStorage.capacity[slot] = allocatable.ephemeralStorage;
    for (const name of allocatable.scalars.keys()) this.resource(name);
    for (const [name, column] of this.#scalars) column.capacity[slot] = allocatable.scalars.get(name) ?? 0;
    return slot;
  }

  /** No pod is on it: sums beyond 2^53 may have left something. */
  clearSums(slot: number): void {
    for (const { requested } of [this.milliCpu, this.memory, this.ephemeralStorage, ...this.#scalars.values()]) {
      requested[slot] = 0;
    }
    this.scoredMilliCpu[slot] = 0;
    this.scoredMemory[slot] = 0;
  }

  /** No pod is on it any more. */
  remove(slot: number): void {
    assert(this.podCounts[slot] === 0, 'a node is removed with its pods');
    this.#slots.delete(this.names[slot]);
    this.names[slot] = '';
    this.hostnames[slot] = undefined;
    this.shapeIds[slot] = -1;
    this.count--;
    this.#free.push(slot);
  }

  #shapeOf(node: NodeObject): number {
    const labels = new Map(node.labels);
    labels.delete(HOSTNAME);
    const { taints, isUnschedulable, declaredFeatures } = node;
    const imageNames = new Set(node.images.flatMap(({ names }) => names));
    const parts = { labels, taints, isUnschedulable, declaredFeatures, imageNames };
    const text = canonicalText(parts);
    let id = this.#shapeIds.get(text);
    if (id === undefined) {
      id = this.shapes.length;
      this.#shapeIds.set(text, id);
      this.shapes.push({ id, ...parts });
    }
    return id;
  }

  #grow(): void {
    const length = capacityFor(this.end);
    this.#capacity = length;
    this.shapeIds = grownInts(this.shapeIds, length, -1);
    this.podsMax = grownFloats(this.podsMax, length);
    this.podCounts = grownInts(this.podCounts, length);
    this.scoredMilliCpu = grownFloats(this.scoredMilliCpu, length);
    this.scoredMemory = grownFloats(this.scoredMemory, length);
    for (const column of [this.milliCpu, this.memory, this.ephemeralStorage, ...this.#scalars.values()]) {
      column.grow(length);
    }
  }
}
