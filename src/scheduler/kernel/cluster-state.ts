// The state of the cluster as scheduling needs it: nodes in columns, pods as records on their nodes, and everything that is
// counted over pods kept exact with each change, so that no decision has to count.
//
// Invariant: a pod is counted exactly where it stands now. Before a node changes, its pods are taken off it, and put on it again
// afterwards; so counters know nothing of labels that change.
//
// What nobody uses any more is swept away in rounds (sweep): a cluster in which all has changed many times takes no more than a new one.
//
// `changes` names each node whose state changed, and those that share a hostname with it. What concerns whole domains is not
// named: it is read when a pod is placed.

import { UidTable } from '../../base/uid-table.ts';
import {
  type ClusterChange,
  NO_CHANGE,
  NODE_ADDED,
  NODE_REMOVED,
  POD_ADDED,
  POD_REMOVED,
} from '../model/cluster-change.ts';
import type { ClusterCommand } from '../model/command.ts';
import { type Labels, NO_LABELS } from '../model/label-selector.ts';
import type { NodeObject } from '../model/node-object.ts';
import type { PodObject } from '../model/pod-object.ts';
import { ChangeRing } from './change-ring.ts';
import type { ClusterObserver } from './cluster-observer.ts';
import { CounterTable } from './counter-table.ts';
import { HeldTermTable } from './held-terms.ts';
import { ImageTable } from './image-table.ts';
import { NodeTable } from './node-table.ts';
import { Nominations } from './nominations.ts';
import type { PodCounter } from './pod-counter.ts';
import { PodParts, type PodRecord, PodShapes, recordOf } from './pod-table.ts';
import { PodsOnNodes } from './pods-on-nodes.ts';
import { SelectorTable } from './selector-table.ts';
import { podChange, roomChange, shapeChange } from './state-change.ts';
import { StateObjects } from './state-objects.ts';
import { SweepRounds } from './sweep-rounds.ts';
import { HOSTNAME, TopologyKey } from './topology.ts';
import { VolumeState } from './volume-state.ts';

/** Who uses what the state keeps (classes). */
export interface SweepUsers {
  /** Each counter, topology key and resource in use gets the round. */
  markUsed(round: number): void;
  /** No node has these shapes any more: their numbers will stand for others. */
  forgetShapes(shapes: readonly number[]): void;
}

export interface ClusterStateOptions {
  readonly observer?: ClusterObserver | undefined;
  /** Of a node that changes; never smaller than one before. Undefined: they are counted. */
  readonly stampOf?: () => number;
}

export class ClusterState {
  readonly rounds: SweepRounds = new SweepRounds();
  readonly nodes: NodeTable = new NodeTable(this.rounds);
  readonly images: ImageTable = new ImageTable();
  readonly changes: ChangeRing = new ChangeRing();
  readonly selectors: SelectorTable = new SelectorTable(this.rounds);
  readonly parts: PodParts = new PodParts(this.rounds);
  readonly heldTerms: HeldTermTable = new HeldTermTable(this.rounds, (key) => this.topology(key), this.selectors);
  readonly shapes: PodShapes = new PodShapes(this.rounds, this.parts, (pod) => this.heldTerms.of(pod));
  readonly objects: StateObjects;
  readonly volumes: VolumeState;
  /** Pods that are to be placed, by uid. */
  readonly pending: Map<string, PodObject> = new Map();
  /** Those of them that a node is nominated for. */
  readonly nominations: Nominations = new Nominations();
  readonly #onNodes = new PodsOnNodes();
  readonly #placed = new UidTable<PodRecord>();
  /** Pods of nodes that are not there, by node name. */
  readonly #homeless = new Map<string, Set<PodRecord>>();
  readonly #topologies = new Map<string, TopologyKey>();
  readonly counters: CounterTable = new CounterTable({
    rounds: this.rounds,
    slots: () => this.nodes.slots(),
    countPods: (counter) => this.#countPlaced(counter),
  });
  readonly #observer: ClusterObserver | undefined;
  readonly #stampOf: () => number;
  /** Of the change that was the last one (NodeTable.stamps). */
  lastStamp = 0;
  #order = 0;

  constructor({ observer, stampOf }: ClusterStateOptions = {}) {
    this.#observer = observer;
    this.#stampOf = stampOf ?? (() => this.lastStamp + 1);
    this.objects = new StateObjects({
      observer,
      onVolumeObject: (before, after) => this.volumes.objectChanged(before, after),
    });
    this.volumes = new VolumeState({
      objects: this.objects,
      nodes: this.nodes,
      changes: this.changes,
      slotsWithHostname: (hostname) => this.topology(HOSTNAME).slotsWith(hostname),
    });
  }

  /** What it has changed, as far as others may be let in by that. */
  apply(command: ClusterCommand): ClusterChange {
    switch (command.kind) {
      case 'node-set':
        return this.#setNode(command.node);
      case 'node-deleted':
        return this.#deleteNode(command.name);
      case 'pod-set':
        return this.#setPod(command.pod);
      case 'pod-bound':
        return this.#bindPod(command.uid, command.nodeName);
      case 'pod-deleted':
        return this.#forgetPod(command.uid) === undefined ? NO_CHANGE : POD_REMOVED;
      case 'object-set':
        return this.objects.set(command.object);
      case 'object-deleted':
        return this.objects.delete(command.objectKind, command.key);
    }
  }

  /** Made when it is first asked for. */
  topology(name: string): TopologyKey {
    let topology = this.#topologies.get(name);
    if (topology === undefined) {
      topology = new TopologyKey(name);
      const { nodes } = this;
      for (const slot of nodes.slots()) topology.place(slot, nodes.labelAt(slot, name));
      this.#topologies.set(name, topology);
      this.rounds.changed();
    }
    topology.round = this.rounds.current;
    return topology;
  }

  /** Pods that are there. Most new selectors are of new pods, and find none. */
  #countPlaced(counter: PodCounter): void {
    const kinds = this.shapes.kindsMatching(counter.selector);
    if (kinds.size === 0) return;
    for (const { slot, shape } of this.#placed.entries) {
      if (slot >= 0 && kinds.has(shape.kind)) counter.add(slot, 1, shape.isTerminating);
    }
  }

  /** Those of a namespace that is not known are none. */
  namespaceLabels(name: string): Labels {
    return this.objects.find('Namespace', name)?.labels ?? NO_LABELS;
  }

  /** The others follow by `next`. */
  firstPodAt(slot: number): PodRecord | undefined {
    return this.#onNodes.first(slot);
  }

  podsAt(slot: number): Iterable<PodRecord> {
    return this.#onNodes.at(slot);
  }

  /** A pod that names its node. */
  placedPod(uid: string): PodRecord | undefined {
    return this.#placed.get(uid);
  }

  /** Of a pod that names its node. */
  uidOf(record: PodRecord): string {
    return this.#placed.uidOf(record);
  }

  get tableSizes(): Readonly<Record<string, number>> {
    return {
      podShapes: this.shapes.shapeCount,
      podKinds: this.shapes.kindCount,
      podParts: this.parts.size,
      nodeShapes: this.nodes.shapeCount,
      resources: this.nodes.resourceCount,
      selectors: this.selectors.selectors.length,
      selectorKeys: this.selectors.mentionedKeys.size,
      heldTerms: this.heldTerms.terms.length,
      counters: this.counters.count,
      domainNodes: this.counters.domainNodesCount,
      topologies: this.#topologies.size,
      images: this.images.size,
      volumes: this.volumes.size,
    };
  }

  /** Entries of the tables that grow with what comes, in all. */
  get entryCount(): number {
    const { shapes, parts, nodes, selectors } = this;
    return shapes.shapeCount + shapes.kindCount + parts.size + nodes.shapeCount + selectors.selectors.length;
  }

  /** A round of the sweep; it may be left for a while at each yield. `users` mark what they use, and are told which numbers of node shapes were freed. */
  *sweep(users: SweepUsers): Generator<void> {
    this.rounds.begin();
    yield* this.shapes.sweepShapes();
    this.heldTerms.sweep();
    users.markUsed(this.rounds.current);
    this.counters.sweep();
    this.selectors.sweep();
    for (const [name, { round }] of this.#topologies) if (this.rounds.isOver(round)) this.#topologies.delete(name);
    this.nodes.sweepResources();
    const freed = this.nodes.sweepShapes();
    this.counters.forgetShapes(freed);
    users.forgetShapes(freed);
    yield;
    yield* this.shapes.sweepKinds();
    yield* this.parts.sweep();
  }

  #setNode(node: NodeObject): ClusterChange {
    const { nodes, images } = this;
    const before = nodes.slotOf(node.name);
    if (before !== undefined) this.#willChange(before);
    const ofRoom = before === undefined ? NODE_ADDED : roomChange(nodes, before, node);
    if (before !== undefined && nodes.isAlike(before, node)) {
      // What most updates are: its room and images at most. What is counted of its pods stays.
      images.remove(nodes.shapeAt(before).imageNames);
      nodes.set(node);
      images.add(node.images);
      this.volumes.nodeChanged(before);
      this.#changed(before);
      this.#observer?.nodeSet(before);
      return ofRoom;
    }
    const shapeBefore = before === undefined ? undefined : nodes.shapeAt(before);
    const hostnameBefore = before === undefined ? undefined : nodes.hostnames[before];
    const pods = before === undefined ? [] : this.#clear(before);
    if (before !== undefined) {
      images.remove(nodes.shapeAt(before).imageNames);
      this.counters.removeNode(before);
    }
    const slot = nodes.set(node);
    this.volumes.nodeChanged(slot);
    images.add(node.images);
    for (const topology of this.#topologies.values()) topology.place(slot, nodes.labelAt(slot, topology.name));
    this.counters.addNode(slot);
    this.#changed(slot);
    this.#observer?.nodeSet(slot);
    for (const record of pods) this.#put(record, slot);
    const waiting = this.#homeless.get(node.name);
    this.#homeless.delete(node.name);
    for (const record of waiting ?? []) this.#put(record, slot);
    if (shapeBefore === undefined) return ofRoom;
    return ofRoom | shapeChange(shapeBefore, nodes.shapeAt(slot), hostnameBefore !== nodes.hostnames[slot]);
  }

  #deleteNode(name: string): ClusterChange {
    const { nodes } = this;
    const slot = nodes.slotOf(name);
    if (slot === undefined) return NO_CHANGE;
    this.#willChange(slot);
    const pods = this.#clear(slot);
    this.#observer?.nodeGone(slot);
    this.images.remove(nodes.shapeAt(slot).imageNames);
    this.counters.removeNode(slot);
    for (const topology of this.#topologies.values()) topology.place(slot, undefined);
    this.volumes.nodeChanged(slot);
    nodes.remove(slot);
    for (const record of pods) this.#waitForNode(record);
    this.#changed(slot);
    return NODE_REMOVED;
  }

  #setPod(pod: PodObject): ClusterChange {
    const before = this.#forgetPod(pod.uid);
    const left = before === undefined ? NO_CHANGE : POD_REMOVED;
    if (pod.nodeName === '') {
      this.pending.set(pod.uid, pod);
      if (pod.nominatedNodeName === '' || pod.isFinished) return left;
      this.#nominate(pod.nominatedNodeName, () => this.nominations.add(pod, this.shapes.shapeFor(pod)));
      return left;
    }
    if (pod.isFinished) return left;
    const record = this.#place(pod, pod.nodeName);
    return before?.nodeName === record.nodeName ? podChange(before.shape, record.shape) : left | POD_ADDED;
  }

  #bindPod(uid: string, nodeName: string): ClusterChange {
    const pod = this.pending.get(uid);
    if (pod === undefined) return NO_CHANGE;
    this.#forgetPod(uid);
    if (pod.isFinished) return NO_CHANGE;
    this.#place(pod, nodeName);
    return POD_ADDED;
  }

  #place(pod: PodObject, onNode: string): PodRecord {
    const slot = this.nodes.slotOf(onNode);
    // One string for all pods of a node.
    const nodeName = slot === undefined ? onNode : this.nodes.names[slot];
    const record = recordOf(pod, { nodeName, shape: this.shapes.shapeFor(pod), order: this.#order++ });
    this.#placed.add(pod.uid, record);
    if (slot === undefined) this.#waitForNode(record);
    else this.#put(record, slot);
    return record;
  }

  /** The record that it had on a node. */
  #forgetPod(uid: string): PodRecord | undefined {
    this.pending.delete(uid);
    const nominated = this.nominations.of(uid);
    if (nominated !== undefined) {
      this.#nominate(nominated.nodeName, () => this.nominations.remove(uid));
      this.shapes.release(nominated.shape);
    }
    const record = this.#placed.get(uid);
    if (record === undefined) return undefined;
    this.#placed.delete(uid);
    this.shapes.release(record.shape);
    if (record.slot >= 0) this.#take(record);
    else {
      const waiting = this.#homeless.get(record.nodeName);
      waiting?.delete(record);
      if (waiting?.size === 0) this.#homeless.delete(record.nodeName);
    }
    return record;
  }

  #waitForNode(record: PodRecord): void {
    const waiting = this.#homeless.get(record.nodeName) ?? new Set();
    this.#homeless.set(record.nodeName, waiting.add(record));
  }

  /** Takes all pods off a node. */
  #clear(slot: number): PodRecord[] {
    const records = [...this.podsAt(slot)];
    for (const record of records) this.#take(record);
    return records;
  }

  #put(record: PodRecord, slot: number): void {
    this.#willChange(slot);
    this.#onNodes.put(record, slot);
    this.volumes.put(record, slot);
    this.#count(record, slot, 1);
    this.#observer?.podPut(record);
  }

  #take(record: PodRecord): void {
    const { slot } = record;
    this.#willChange(slot);
    this.volumes.take(record, slot);
    this.#count(record, slot, -1);
    this.#observer?.podTaken(record);
    this.#onNodes.take(record);
  }

  #count({ shape }: PodRecord, slot: number, sign: 1 | -1): void {
    const { nodes } = this;
    const { onNode, onNodeScored } = shape.requests;
    nodes.podCounts[slot] += sign;
    nodes.milliCpu.requested[slot] += sign * onNode.milliCpu;
    nodes.memory.requested[slot] += sign * onNode.memory;
    nodes.ephemeralStorage.requested[slot] += sign * onNode.ephemeralStorage;
    nodes.scoredMilliCpu[slot] += sign * onNodeScored.milliCpu;
    nodes.scoredMemory[slot] += sign * onNodeScored.memory;
    if (onNode.scalars.size > 0) {
      for (const [name, amount] of onNode.scalars) {
        const column = nodes.resource(name);
        column.use();
        column.requested[slot] += sign * amount;
      }
    }
    if (nodes.podCounts[slot] === 0) nodes.clearSums(slot);
    this.#changed(slot);
    for (const selector of shape.kind.matchesOf(this.selectors)) {
      for (const counter of selector.counters) {
        const domain = counter.add(slot, sign, shape.isTerminating);
        if (domain >= 0) this.#touch(counter.topology, domain, slot);
      }
    }
    for (const { topology, holders } of shape.heldTerms) {
      const domain = topology.domainOf[slot];
      if (domain < 0) continue;
      holders.add(domain, sign);
      this.#touch(topology, domain, slot);
    }
  }

  /** Changes what is nominated for the node, which need not be there. */
  #nominate(nodeName: string, change: () => void): void {
    const slot = this.nodes.slotOf(nodeName);
    if (slot !== undefined) this.#willChange(slot);
    change();
    if (slot === undefined) return;
    this.#changed(slot);
    this.#observer?.nominationsChanged(slot);
  }

  /** Something else has changed about the node that bears on what it is taken for. */
  touchNode(slot: number): void {
    this.#changed(slot);
  }

  #changed(slot: number): void {
    this.lastStamp = this.#stampOf();
    this.nodes.stamps[slot] = this.lastStamp;
    this.changes.push(slot);
  }

  #willChange(slot: number): void {
    const observer = this.#observer;
    if (observer === undefined) return;
    observer.nodeWillChange(slot);
    for (const other of this.#sharingHostname(slot)) observer.nodeWillChange(other);
  }

  /** The nodes that share the hostname of one, as far as anything is counted by it. */
  #sharingHostname(slot: number): Iterable<number> {
    const topology = this.#topologies.get(HOSTNAME);
    const domain = topology?.domainOf[slot] ?? -1;
    return topology === undefined || domain < 0 || topology.nodeCounts[domain] === 1 ? [] : topology.slotsOf(domain);
  }

  /** Nodes that share a hostname: what is counted there concerns each of them. */
  #touch(topology: TopologyKey | undefined, domain: number, slot: number): void {
    if (topology === undefined || !topology.isHostname || topology.nodeCounts[domain] === 1) return;
    for (const other of topology.slotsOf(domain)) if (other !== slot) this.changes.push(other);
  }
}
