// What a scheduler keeps of each pod that is its own to place. There may be a million that wait: until it is a pod's turn no model of its own is made, and what
// the queue keeps of it lies here, too (queue-entry.ts), and its uid in the table's column. With its name and its places in table and heap a pod of a known form takes
// 197 bytes of the JavaScript heap (bench/waiting-pods.ts).

import type { UidEntry, UidTable } from '../../base/uid-table.ts';
import { versionNumber } from '../../kube-api/object-head.ts';
import { nominatedTo } from '../model/command.ts';
import type { PodObject } from '../model/pod-object.ts';
import { QueueEntry } from '../queue/queue-entry.ts';
import { type PodModel, type SharedPod, waitingLike } from './pod-models.ts';

/** Whole numbers up to this one take no memory beside the field that has them. */
const SMALL_MAX = 2 ** 31 - 1;

/** How a pod begins to wait. */
interface Beginning {
  /** The node that is in force; '' for none. */
  readonly nominated: string;
  readonly addedMs: number;
}

/** What only pods have whose turn has come, or that the kernel is told of before. */
class Turn {
  /** As text, which outlasts the pod's being in the table. */
  readonly uid: string;
  /** Made when it is first asked for. */
  pod: PodObject | undefined = undefined;
  assumedNode = '';
  failures = 0;
  isTold = false;

  constructor(uid: string) {
    this.uid = uid;
  }
}

/** A pod that waits for a decision, or for the API to show it on its node. */
export class OwnPod extends QueueEntry implements UidEntry {
  uidSlot = -1;
  /** Where it is known by its uid. */
  readonly #table: UidTable<OwnPod>;
  #name: string;
  #createdSeconds: number;
  #model: PodModel;
  /** As a number where that is small. */
  #version: string | number;
  #nominated: string;
  /** Undefined: its turn has not come yet. */
  #turn: Turn | undefined;
  /** Since when it is to be placed (a gated one is not), in whole milliseconds, which are small. */
  #addedMs: number;

  /** To be added to the table. */
  constructor(table: UidTable<OwnPod>, shared: SharedPod, { nominated, addedMs }: Beginning) {
    super();
    const { name, createdSeconds, kept, resourceVersion } = shared;
    this.#table = table;
    this.#name = name;
    this.#createdSeconds = createdSeconds;
    this.#model = kept;
    this.#version = small(resourceVersion);
    this.#nominated = nominated;
    this.#addedMs = Math.floor(addedMs);
  }

  get uid(): string {
    return this.#turnBegun().uid;
  }

  get pod(): PodObject {
    const turn = this.#turnBegun();
    turn.pod ??= this.#made();
    return turn.pod;
  }

  /** '' while it waits. */
  get assumedNode(): string {
    return this.#turn?.assumedNode ?? '';
  }

  set assumedNode(nodeName: string) {
    this.#turnBegun().assumedNode = nodeName;
  }

  /** Bindings of it that failed. */
  get failures(): number {
    return this.#turn?.failures ?? 0;
  }

  set failures(count: number) {
    this.#turnBegun().failures = count;
  }

  /** The kernel knows it as it is, as far as that counts. */
  get isTold(): boolean {
    return this.#turn?.isTold ?? false;
  }

  set isTold(isTold: boolean) {
    this.#turnBegun().isTold = isTold;
  }

  get addedMs(): number {
    return this.#addedMs;
  }

  /** The node that is in force; '' for none. */
  get nominatedNodeName(): string {
    return this.#nominated;
  }

  get resourceVersion(): string {
    return String(this.#version);
  }

  /** Another one when the pod wants something else than before. */
  get template(): PodObject {
    return this.#model.template;
  }

  get model(): PodObject {
    return this.#model.pod;
  }

  /** Another state that the API shows. */
  update(shared: SharedPod, nominated: string, nowMs: number): void {
    if (this.model.schedulingGates.length > 0) this.#addedMs = Math.floor(nowMs);
    this.isTold &&= this.countsAs(shared);
    this.#name = shared.name;
    this.#createdSeconds = shared.createdSeconds;
    this.#model = shared.kept;
    this.#version = small(shared.resourceVersion);
    this.#nominated = nominated;
    if (this.#turn !== undefined) this.#turn.pod = undefined;
  }

  /** A pod in that state takes as much of a node, and is to others what it is. */
  countsAs({ template, model }: SharedPod): boolean {
    return this.template === template && this.model.requests === model.requests;
  }

  nominate(nodeName: string): void {
    this.#turnBegun().pod = nominatedTo(this.pod, nodeName);
    this.#nominated = nodeName;
  }

  #turnBegun(): Turn {
    this.#turn ??= new Turn(this.#table.uidOf(this));
    return this.#turn;
  }

  #made(): PodObject {
    const identity = { uid: this.uid, name: this.#name, createdSeconds: this.#createdSeconds };
    const pod = waitingLike(this.#model, identity);
    return pod.nominatedNodeName === this.#nominated ? pod : nominatedTo(pod, this.#nominated);
  }
}

/** Nothing that counts on its node is other than the kernel has it. */
export function isUnchanged(own: OwnPod, shared: SharedPod): boolean {
  const { isTerminating, isFinished } = shared.model;
  return own.isTold && own.countsAs(shared) && !isTerminating && !isFinished;
}

function small(version: string): string | number {
  const number = versionNumber(version);
  return number >= 0 && number <= SMALL_MAX ? number : version;
}
