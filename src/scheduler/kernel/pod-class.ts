// Pods that every node is the same for: they are decided on together. A class has what was worked out from the first of them, and an
// index of the nodes that is kept up to date.

import type { PodObject } from '../model/pod-object.ts';
import type { FilterPluginName, SchedulerProfile } from '../model/scheduler-profile.ts';
import type { PodSpread } from './class-keys.ts';
import type { ClusterState } from './cluster-state.ts';
import type { FailureTable } from './failure-table.ts';
import { portsClash, RoomCheck, RoomScore } from './node-fit.ts';
import { NodeVerdicts, placeOf } from './node-verdict.ts';
import { TopologyRules } from './topology-rules.ts';
import { VolumeCheck } from './volume-check.ts';
import { doesBear } from './volume-users.ts';

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
  readonly #portsPlace: number;
  readonly #portsFailure: number;
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
    this.#portsPlace = pod.hostPorts.length === 0 ? Number.POSITIVE_INFINITY : placeOf(profile, 'NodePorts');
    const plugin: FilterPluginName = 'NodePorts';
    const reasons = ["node(s) didn't have free ports for the requested pod ports"];
    this.#portsFailure = failures.idOf({ plugin, reasons });
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

  /** Why the node is refused, whatever its topology, by the first filter that does; 0: it is not. */
  failureAt(slot: number): number {
    const failure = this.#plainFailureAt(slot);
    if (this.#volumes === undefined) return failure;
    return this.#volumes.failureBefore(this.#placeOf(failure, slot), slot) || failure;
  }

  /** No node has them any more: their numbers will stand for others. */
  forgetShapes(shapes: readonly number[]): void {
    this.verdicts.forgetShapes(shapes);
    this.#volumes?.forgetShapes(shapes);
  }

  /** An error that a filter met on a node; `failed`: nodes by the number of the failure. */
  errorIn(failed: readonly number[]): number | undefined {
    if (this.#volumes === undefined) return undefined;
    for (const failure of this.#volumes.errors) if ((failed[failure] ?? 0) > 0) return failure;
    return undefined;
  }

  /** The place in the profile of the filter that refuses the node; infinite where none does. */
  #placeOf(failure: number, slot: number): number {
    const verdict = this.verdicts.at(slot);
    if (failure === verdict.failure) return verdict.place;
    return placeOf(this.profile, this.#failures.at(failure).plugin);
  }

  /** The same without filters of volumes. */
  #plainFailureAt(slot: number): number {
    const { failure, place } = this.verdicts.at(slot);
    const portsPlace = this.#portsPlace;
    const roomPlace = this.#roomPlace;
    const failsPorts = portsPlace < place && portsClash(this.state, slot, this.#pod.hostPorts);
    if (failsPorts && portsPlace < roomPlace) return this.#portsFailure;
    if (roomPlace < place) {
      const short = this.#room.failureAt(slot);
      if (short !== 0) return short;
    }
    return failsPorts ? this.#portsFailure : failure;
  }

  /** The node's row (topology-rules.ts). */
  rowAt(slot: number, row: Int32Array): void {
    const { keys, hostFigures } = this.rules;
    row[0] = this.verdicts.at(slot).trait;
    for (let i = 0; i < keys.length; i++) row[1 + i] = keys[i].domainOf[slot];
    for (let i = 0; i < hostFigures.length; i++) {
      const { topology, place, at } = hostFigures[i];
      row[place] = at(topology.domainOf[slot], slot);
    }
  }
}
