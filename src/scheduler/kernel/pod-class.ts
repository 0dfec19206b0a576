// Pods that every node is the same for: they are decided on together. A class has what was worked out from the first of them, and an
// index of the nodes that is kept up to date.

import type { PodObject } from '../model/pod-object.ts';
import type { FilterPluginName, SchedulerProfile } from '../model/scheduler-profile.ts';
import type { PodSpread } from './class-keys.ts';
import type { ClusterState } from './cluster-state.ts';
import type { FailureTable } from './failure-table.ts';
import { clashesAt, RoomCheck, RoomScore } from './node-fit.ts';
import { CrowdTable, EffectTable, NodeLoad } from './node-load.ts';
import { NodeVerdicts, placeOf, type Verdict } from './node-verdict.ts';
import type { TopologyKey } from './topology.ts';
import { TopologyFailures } from './topology-failures.ts';
import { KEYS_PLACE, LATE_PLACE, TopologyRules, TRAIT_PLACE } from './topology-rules.ts';
import { VolumeCheck } from './volume-check.ts';
import { doesBear } from './volume-users.ts';

/** A filter refuses the node. */
export interface Refusal {
  /** Its number in the table of failures. */
  readonly failure: number;
  /** The filter's place in the profile. */
  readonly place: number;
}

export class PodClass {
  readonly profile: SchedulerProfile;
  readonly priority: number;
  verdicts: NodeVerdicts;
  readonly score: RoomScore;
  readonly images: readonly string[];
  readonly containerCount: number;
  readonly state: ClusterState;
  readonly topologyFailures: TopologyFailures;
  readonly rules: TopologyRules;
  readonly effects: EffectTable;
  readonly crowds: CrowdTable;
  readonly #pod: PodObject;
  readonly #room: RoomCheck;
  readonly #roomPlace: number;
  /** By the number of the failure. */
  readonly #refusals: (Refusal | undefined)[] = [];
  readonly #ports: Refusal;
  /** Of the first filter that looks at topology. */
  readonly #topologyPlace: number;
  /** Late refusals by their numbers in rows; few, since a node's reasons are few. */
  late: Refusal[] = [NO_REFUSAL];
  readonly #failures: FailureTable;
  /** Undefined for a class without volumes. */
  readonly #volumes: VolumeCheck | undefined;
  #noLoad: NodeLoad;
  /** Of the node that is being looked at. */
  #crowd: NodeLoad;

  constructor(
    state: ClusterState,
    failures: FailureTable,
    pod: PodObject,
    profile: SchedulerProfile,
    only: ReadonlySet<string> | undefined,
    spread: PodSpread,
  ) {
    this.state = state;
    this.profile = profile;
    this.priority = pod.priority;
    this.images = pod.images;
    this.containerCount = pod.containerCount;
    this.#pod = pod;
    this.verdicts = new NodeVerdicts(state, failures, pod, profile, only);
    this.rules = new TopologyRules(state, pod, profile, spread);
    this.#room = new RoomCheck(state, failures, pod, profile);
    this.#roomPlace = placeOf(profile, 'NodeResourcesFit');
    const plugin: FilterPluginName = 'NodePorts';
    const reasons = ["node(s) didn't have free ports for the requested pod ports"];
    const portsPlace = pod.hostPorts.length === 0 ? Number.POSITIVE_INFINITY : placeOf(profile, plugin);
    this.#ports = { failure: failures.idOf({ plugin, reasons, isUnresolvable: false }), place: portsPlace };
    this.#topologyPlace = Math.min(placeOf(profile, 'PodTopologySpread'), placeOf(profile, 'InterPodAffinity'));
    this.score = new RoomScore(state, pod, profile);
    this.#failures = failures;
    if (pod.volumes.some(doesBear)) this.#volumes = new VolumeCheck(state, failures, pod, profile);
    this.topologyFailures = new TopologyFailures(failures, this);
    this.effects = new EffectTable(this.rules, this.#room, pod.hostPorts);
    this.crowds = new CrowdTable();
    this.#noLoad = this.load();
    this.#crowd = this.load();
  }

  /** What it uses of the state's tables gets the round. */
  markUsed(round: number): void {
    this.rules.markUsed(round);
    this.#room.markUsed(round);
    this.score.markUsed(round);
  }

  /** From now on what it makes of nodes is numbered as it is for the other one, which differs in labels and topology rules only. */
  seeLike({ verdicts, late }: PodClass): void {
    this.verdicts = verdicts;
    this.late = late;
  }

  /** No node has them any more: their numbers will stand for others. */
  forgetShapes(shapes: readonly number[]): void {
    this.verdicts.forgetShapes(shapes);
    this.#volumes?.forgetShapes(shapes);
  }

  /** Numbers of failures that were errors of a filter. */
  get errors(): ReadonlySet<number> {
    return this.#volumes?.errors ?? NO_ERRORS;
  }

  /**
   * Why the node is refused, whatever its topology, before anything looks at that; 0 where it is not, and `row` is the node's then
   * (topology-rules.ts). With the pods that the node is nominated for, and without them.
   */
  judge(slot: number, row: Int32Array): number {
    const crowd = this.#crowdOn(slot);
    const verdict = this.verdicts.at(slot);
    const plain = this.#refusalAt(slot, this.#noLoad, verdict);
    const first = crowd === undefined ? plain : this.#refusalAt(slot, crowd, verdict);
    if (first !== undefined && first.place < this.#topologyPlace) return first.failure;
    const { keys, hostFigures, crowdPlace } = this.rules;
    if (crowdPlace >= 0) row[crowdPlace] = crowd === undefined ? 0 : this.#crowdNumber(crowd, first ?? NO_REFUSAL);
    else if (crowd !== undefined && first !== undefined) return first.failure;
    this.#fillAlike(slot, row, keys, plain);
    for (let i = 0; i < hostFigures.length; i++) {
      const { topology, place, at } = hostFigures[i];
      row[place] = at(topology.domainOf[slot], slot);
    }
    return 0;
  }

  /**
   * The same for all classes that differ in labels, priority and topology rules only: of the row, what does not depend on these. Not for
   * nodes that are nominated for pods.
   */
  judgeAlike(slot: number, row: Int32Array, keys: readonly TopologyKey[]): number {
    const refusal = this.#refusalAt(slot, this.#noLoad, this.verdicts.at(slot));
    if (refusal !== undefined && refusal.place < this.#topologyPlace) return refusal.failure;
    this.#fillAlike(slot, row, keys, refusal);
    return 0;
  }

  #fillAlike(slot: number, row: Int32Array, keys: readonly TopologyKey[], refusal: Refusal | undefined): void {
    row[TRAIT_PLACE] = this.verdicts.at(slot).trait;
    row[LATE_PLACE] = refusal === undefined ? 0 : this.#lateOf(refusal);
    for (let i = 0; i < keys.length; i++) row[KEYS_PLACE + i] = keys[i].domainOf[slot];
  }

  get width(): number {
    return this.rules.width;
  }

  /** Nothing on no node yet. */
  load(): NodeLoad {
    return new NodeLoad(this.rules, this.#room.askedCount);
  }

  /**
   * Adds the pods that the node is nominated for and that the class has to leave room to: those of at least its priority, but for
   * the one with that uid. False where there are none.
   */
  addCrowd(slot: number, load: NodeLoad, exceptUid: string): boolean {
    const { nominations, nodes } = this.state;
    let isCrowded = false;
    for (const { uid, priority, shape, volumes } of nominations.on(nodes.names[slot])) {
      if (priority < this.priority || uid === exceptUid) continue;
      load.add(this.effects.of(shape), volumes, 1);
      isCrowded = true;
    }
    return isCrowded;
  }

  /**
   * Why the node is refused with that load, by any filter; 0: it is not. The filters alone are asked: one that is looked at for itself, as it
   * is nominated or victims are looked for, need not be one of the nodes that the pod names.
   */
  failureWith(slot: number, load: NodeLoad): number {
    const verdict = this.verdicts.alone(slot);
    return this.topologyFailures.ofNode(slot, load, this.#refusalAt(slot, load, verdict) ?? NO_REFUSAL);
  }

  /** Why one pod of the class does not fit on the node that is nominated for it; 0: it does. Its own nomination is not in its way. */
  failureAlone(slot: number, uid: string): number {
    const crowd = this.#crowd.reset(slot);
    const crowded = this.addCrowd(slot, crowd, uid) ? this.failureWith(slot, crowd) : 0;
    return crowded !== 0 ? crowded : this.failureWith(slot, this.#noLoad);
  }

  /** How many pods have to go at least for room, where none takes more than these amounts; 0 where no filter looks at room. */
  victimsAtLeast(slot: number, most: Float64Array): number {
    return this.#roomPlace === Number.POSITIVE_INFINITY ? 0 : this.#room.victimsAtLeast(slot, most);
  }

  #crowdOn(slot: number): NodeLoad | undefined {
    const { nominations, nodes } = this.state;
    if (nominations.size === 0 || nominations.on(nodes.names[slot]).length === 0) return undefined;
    const crowd = this.#crowd.reset(slot);
    return this.addCrowd(slot, crowd, '') ? crowd : undefined;
  }

  #crowdNumber(crowd: NodeLoad, refusal: Refusal): number {
    const id = this.crowds.idOf(crowd, refusal);
    if (this.crowds.at(id)?.load === crowd) this.#crowd = this.load();
    return id;
  }

  /** The first filter that refuses, those that look at topology left out. */
  #refusalAt(slot: number, load: NodeLoad, verdict: Verdict): Refusal | undefined {
    const refusal = this.#plainRefusalAt(slot, load, verdict);
    if (this.#volumes === undefined) return refusal;
    const failure = this.#volumes.failureBefore(refusal?.place ?? Number.POSITIVE_INFINITY, slot, load);
    return failure === 0 ? refusal : this.#refusalOf(failure);
  }

  /** The same without filters of volumes. */
  #plainRefusalAt(slot: number, { pods, clashes, amounts }: NodeLoad, verdict: Verdict): Refusal | undefined {
    const { place } = verdict;
    const { place: portsPlace } = this.#ports;
    const failsPorts = portsPlace < place && clashesAt(this.state, slot, this.#pod.hostPorts) + clashes > 0;
    if (failsPorts && portsPlace < this.#roomPlace) return this.#ports;
    if (this.#roomPlace < place) {
      const short = this.#room.failureAt(slot, pods, amounts);
      if (short !== 0) return this.#refusalOf(short);
    }
    if (failsPorts) return this.#ports;
    return verdict.failure === 0 ? undefined : verdict;
  }

  #refusalOf(failure: number): Refusal {
    let refusal = this.#refusals[failure];
    if (refusal === undefined) {
      refusal = { failure, place: placeOf(this.profile, this.#failures.at(failure).plugin) };
      this.#refusals[failure] = refusal;
    }
    return refusal;
  }

  #lateOf({ failure, place }: Refusal): number {
    const known = this.late.findIndex((other) => other.failure === failure && other.place === place);
    return known >= 0 ? known : this.late.push({ failure, place }) - 1;
  }
}

/** No refusal has this place: it is behind all filters. */
const NO_REFUSAL: Refusal = { failure: 0, place: Number.POSITIVE_INFINITY };

const NO_ERRORS: ReadonlySet<number> = new Set();
