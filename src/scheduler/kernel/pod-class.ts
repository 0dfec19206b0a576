// Pods that every node is the same for: they are decided on together. A class has what was worked out from the first of them, and an
// index of the nodes that is kept up to date.

import type { PodObject } from '../model/pod-object.ts';
import type { FilterPluginName, SchedulerProfile } from '../model/scheduler-profile.ts';
import type { PodSpread } from './class-keys.ts';
import type { ClusterState } from './cluster-state.ts';
import type { FailureTable } from './failure-table.ts';
import { portsClash, RoomCheck, RoomScore } from './node-fit.ts';
import { NodeVerdicts, placeOf } from './node-verdict.ts';
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
  readonly verdicts: NodeVerdicts;
  readonly score: RoomScore;
  readonly images: readonly string[];
  readonly containerCount: number;
  readonly state: ClusterState;
  rules: TopologyRules;
  readonly #spread: PodSpread;
  readonly #pod: PodObject;
  readonly #room: RoomCheck;
  readonly #roomPlace: number;
  /** By the number of the failure. */
  readonly #refusals: (Refusal | undefined)[] = [];
  readonly #ports: Refusal;
  /** Of the first filter that looks at topology. */
  readonly #topologyPlace: number;
  /** Late refusals by their numbers in rows; few, since a node's reasons are few. */
  readonly late: Refusal[] = [NO_REFUSAL];
  readonly #failures: FailureTable;
  /** Undefined for a class without volumes. */
  readonly #volumes: VolumeCheck | undefined;

  constructor(
    state: ClusterState,
    failures: FailureTable,
    pod: PodObject,
    profile: SchedulerProfile,
    only: ReadonlySet<string> | undefined,
    spread: PodSpread,
  ) {
    this.#spread = spread;
    this.state = state;
    this.profile = profile;
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
    this.#ports = { failure: failures.idOf({ plugin, reasons }), place: portsPlace };
    this.#topologyPlace = Math.min(placeOf(profile, 'PodTopologySpread'), placeOf(profile, 'InterPodAffinity'));
    this.score = new RoomScore(state, pod, profile);
    this.#failures = failures;
    if (pod.volumes.some(doesBear)) this.#volumes = new VolumeCheck(state, failures, pod, profile);
  }

  /** What it uses of the state's tables gets the round. */
  markUsed(round: number): void {
    this.rules.markUsed(round);
    this.#room.markUsed(round);
    this.score.markUsed(round);
  }

  /** Makes the rules anew when what terms say of the class has changed; true: rows have another meaning now. */
  refreshRules(): boolean {
    if (!this.rules.isOutdated) return false;
    this.rules = new TopologyRules(this.state, this.#pod, this.profile, this.#spread);
    return true;
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
   * (topology-rules.ts).
   */
  judge(slot: number, row: Int32Array): number {
    const refusal = this.#refusalAt(slot);
    if (refusal !== undefined && refusal.place < this.#topologyPlace) return refusal.failure;
    const { keys, hostFigures } = this.rules;
    row[TRAIT_PLACE] = this.verdicts.at(slot).trait;
    row[LATE_PLACE] = refusal === undefined ? 0 : this.#lateOf(refusal);
    for (let i = 0; i < keys.length; i++) row[KEYS_PLACE + i] = keys[i].domainOf[slot];
    for (let i = 0; i < hostFigures.length; i++) {
      const { topology, place, at } = hostFigures[i];
      row[place] = at(topology.domainOf[slot], slot);
    }
    return 0;
  }

  /** The first filter that refuses, those that look at topology left out. */
  #refusalAt(slot: number): Refusal | undefined {
    const refusal = this.#plainRefusalAt(slot);
    if (this.#volumes === undefined) return refusal;
    const failure = this.#volumes.failureBefore(refusal?.place ?? Number.POSITIVE_INFINITY, slot);
    return failure === 0 ? refusal : this.#refusalOf(failure);
  }

  /** The same without filters of volumes. */
  #plainRefusalAt(slot: number): Refusal | undefined {
    const verdict = this.verdicts.at(slot);
    const { place } = verdict;
    const { place: portsPlace } = this.#ports;
    const failsPorts = portsPlace < place && portsClash(this.state, slot, this.#pod.hostPorts);
    if (failsPorts && portsPlace < this.#roomPlace) return this.#ports;
    if (this.#roomPlace < place) {
      const short = this.#room.failureAt(slot);
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
