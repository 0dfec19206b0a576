// The nodes, in columns: one slot a node, used again after the node has gone.
//
// What many nodes have in common (labels without the hostname, taints, images, features) is their shape, kept once, until it is swept away
// when no node has it any more; its number is used again. What pods of a node ask for is summed up here; the pods themselves are the kernel's.
//
// A resource that no node has and no pod on a node asks for takes no memory but its name, whoever may ask for it.
//
// Amounts are doubles: whole numbers, exact to 2^53 (model/resources.ts).

import { assert } from '../../base/assert.ts';
import { type Labels, NO_LABELS } from '../model/label-selector.ts';
import type { NodeObject } from '../model/node-object.ts';
import { capacityFor, grownFloats, grownInts, NO_FLOATS, NO_INTS } from './column.ts';
import { canonicalText } from './interner.ts';
import type { SweepRounds } from './sweep-rounds.ts';
import { HOSTNAME } from './topology.ts';

export interface NodeShape {
  /** Says all of it. */
  readonly text: string;
  nodeCount: number;
  /** Without kubernetes.io/hostname. */
  readonly labels: Labels;
  readonly taints: NodeObject['taints'];
  readonly isUnschedulable: boolean;
  readonly declaredFeatures: ReadonlySet<string>;
  readonly imageNames: ReadonlySet<string>;
}

const NO_SHAPE: NodeShape = {
  text: '',
  nodeCount: 0,
  labels: NO_LABELS,
  taints: [],
  isUnschedulable: false,
  declaredFeatures: new Set(),
  imageNames: new Set(),
};

/** One resource of all nodes: what they have and what their pods have asked for. */
export class ResourceColumn {
  capacity: Float64Array = NO_FLOATS;
  requested: Float64Array = NO_FLOATS;
  /** When it was last used. */
  round = 0;
  /** False: both columns are the one of zeros that unused resources share. */
  isUsed: boolean;

  constructor(isUsed = false) {
    this.isUsed = isUsed;
  }

  grow(length: number, zeros: Float64Array): void {
    this.capacity = this.isUsed ? grownFloats(this.capacity, length) : zeros;
    this.requested = this.isUsed ? grownFloats(this.requested, length) : zeros;
  }

  /** Before anything but 0 is written to it. */
  use(): void {
    if (this.isUsed) return;
    this.isUsed = true;
    this.grow(this.capacity.length, NO_FLOATS);
  }

  get isZero(): boolean {
    return !this.isUsed || (this.capacity.every((amount) => amount === 0) && this.requested.every((sum) => sum === 0));
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
  /** When the node or one of its pods last changed: the later, the larger. Of equally good nodes the one that changed last is taken. */
  stamps: Float64Array = NO_FLOATS;
  /** Σ of what pods ask for with defaults for what they do not name: for NodeResourcesFit's scores. */
  scoredMilliCpu: Float64Array = NO_FLOATS;
  scoredMemory: Float64Array = NO_FLOATS;
  readonly milliCpu: ResourceColumn = new ResourceColumn(true);
  readonly memory: ResourceColumn = new ResourceColumn(true);
  readonly ephemeralStorage: ResourceColumn = new ResourceColumn(true);
  /** By number; NO_SHAPE where it is not given. */
  readonly shapes: NodeShape[] = [];
  readonly #rounds: SweepRounds;
  readonly #scalars = new Map<string, ResourceColumn>();
  readonly #slots = new Map<string, number>();
  readonly #shapeIds = new Map<string, number>();
  /** Of nodes that say by an object that they are alike: making the text costs more than all else. */
  readonly #shapeTexts = new WeakMap<object, string>();
  /** Shapes that have lost their last node, and may have got another one since. */
  #emptied: number[] = [];
  readonly #freeShapes: number[] = [];
  readonly #free: number[] = [];
  #capacity = 0;
  #zeros: Float64Array = NO_FLOATS;

  constructor(rounds: SweepRounds) {
    this.#rounds = rounds;
  }

  get shapeCount(): number {
    return this.#shapeIds.size;
  }

  get resourceCount(): number {
    return this.#scalars.size;
  }

  slotOf(name: string): number | undefined {
    return this.#slots.get(name);
  }

  shapeAt(slot: number): NodeShape {
    return this.shapes[this.shapeIds[slot]];
  }

  /** Of all nodes. */
  *slots(): Generator<number> {
    for (let slot = 0; slot < this.end; slot++) if (!this.isFree(slot)) yield slot;
  }

  /** Whether the node is of the shape, and has the hostname, that the one at the slot has. */
  isAlike(slot: number, node: NodeObject): boolean {
    return this.shapeIds[slot] === this.#shapeOf(node) && this.hostnames[slot] === node.labels.get(HOSTNAME);
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

  /** What the node has of other resources than CPUs, memory and ephemeral storage. */
  scalarsAt(slot: number): Map<string, number> {
    const scalars = new Map<string, number>();
    for (const [name, { capacity }] of this.#scalars) if (capacity[slot] !== 0) scalars.set(name, capacity[slot]);
    return scalars;
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
      column.grow(this.#capacity, this.#zeros);
      this.#scalars.set(name, column);
      this.#rounds.changed();
    }
    column.round = this.#rounds.current;
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
    this.#giveShape(slot, this.#shapeOf(node));
    this.podsMax[slot] = node.podsMax;
    const { allocatable } = node;
    this.milliCpu.capacity[slot] = allocatable.milliCpu;
    this.memory.capacity[slot] = allocatable.memory;
    this.ephemeralStorage.capacity[slot] = allocatable.ephemeralStorage;
    for (const name of allocatable.scalars.keys()) this.resource(name).use();
    for (const [name, column] of this.#scalars) {
      if (column.isUsed) column.capacity[slot] = allocatable.scalars.get(name) ?? 0;
    }
    return slot;
  }

  /** No pod is on it: sums beyond 2^53 may have left something. */
  clearSums(slot: number): void {
    for (const column of [this.milliCpu, this.memory, this.ephemeralStorage]) column.requested[slot] = 0;
    for (const column of this.#scalars.values()) if (column.isUsed) column.requested[slot] = 0;
    this.scoredMilliCpu[slot] = 0;
    this.scoredMemory[slot] = 0;
  }

  /** No pod is on it any more. */
  remove(slot: number): void {
    assert(this.podCounts[slot] === 0, 'a node is removed with its pods');
    this.#slots.delete(this.names[slot]);
    this.names[slot] = '';
    this.hostnames[slot] = undefined;
    this.#giveShape(slot, -1);
    for (const column of this.#scalars.values()) if (column.isUsed) column.capacity[slot] = 0;
    this.count--;
    this.#free.push(slot);
  }

  /** Frees shapes that no node has; who remembers anything by their numbers is to forget it. */
  sweepShapes(): number[] {
    const dropped = [...new Set(this.#emptied)].filter((id) => this.shapes[id].nodeCount === 0);
    this.#emptied = [];
    for (const id of dropped) {
      this.#shapeIds.delete(this.shapes[id].text);
      this.shapes[id] = NO_SHAPE;
      this.#freeShapes.push(id);
    }
    return dropped;
  }

  /** Once classes have marked theirs: drops resources that no node has and no pod on a node asks for. */
  sweepResources(): void {
    for (const [name, column] of this.#scalars) {
      if (this.#rounds.isOver(column.round) && column.isZero) this.#scalars.delete(name);
    }
  }

  #giveShape(slot: number, id: number): void {
    const before = this.shapeIds[slot];
    if (id >= 0) this.shapes[id].nodeCount++;
    if (before >= 0 && --this.shapes[before].nodeCount === 0) {
      this.#emptied.push(before);
      this.#rounds.changed();
    }
    this.shapeIds[slot] = id;
  }

  #shapeOf(node: NodeObject): number {
    const { shape } = node;
    const text = shape === undefined ? undefined : this.#shapeTexts.get(shape);
    const known = text === undefined ? undefined : this.#shapeIds.get(text);
    if (known !== undefined) return known;
    const id = this.#readShape(node);
    if (shape !== undefined) this.#shapeTexts.set(shape, this.shapes[id].text);
    return id;
  }

  #readShape(node: NodeObject): number {
    const labels = new Map(node.labels);
    labels.delete(HOSTNAME);
    const { taints, isUnschedulable, declaredFeatures } = node;
    const imageNames = new Set(node.images.flatMap(({ names }) => names));
    const parts = { labels, taints, isUnschedulable, declaredFeatures, imageNames };
    const text = canonicalText(parts);
    let id = this.#shapeIds.get(text);
    if (id === undefined) {
      id = this.#freeShapes.pop() ?? this.shapes.length;
      this.#shapeIds.set(text, id);
      this.shapes[id] = { text, nodeCount: 0, ...parts };
    }
    return id;
  }

  #grow(): void {
    const length = capacityFor(this.end);
    this.#capacity = length;
    this.#zeros = grownFloats(NO_FLOATS, length);
    this.shapeIds = grownInts(this.shapeIds, length, -1);
    this.podsMax = grownFloats(this.podsMax, length);
    this.podCounts = grownInts(this.podCounts, length);
    this.stamps = grownFloats(this.stamps, length);
    this.scoredMilliCpu = grownFloats(this.scoredMilliCpu, length);
    this.scoredMemory = grownFloats(this.scoredMemory, length);
    for (const column of [this.milliCpu, this.memory, this.ephemeralStorage, ...this.#scalars.values()]) {
      column.grow(length, this.#zeros);
    }
  }
}
