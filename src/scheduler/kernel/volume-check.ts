// What a class of pods makes of a node because of its volumes: the filters of VolumeRestrictions, NodeVolumeLimits, VolumeBinding and VolumeZone.
//
// Pods of a class have volumes that mean the same (`key`): each pod of a StatefulSet has a claim of its own, and all want one more
// volume of one driver, reachable from the same nodes. A volume that no pod uses yet counts as one of its driver; one that is in use goes by
// its handle, since it costs nothing where it already is.
//
// Cost: of a node, what it has of volumes in use, where its driver has a limit; VolumeBinding and VolumeZone once for each shape of node,
// unless a selector looks at hostnames.

import { claimKeyOf, claimOf, ownershipProblem } from '../model/claim-lookup.ts';
import type { VolumePlan } from '../model/decision.ts';
import type { PodObject } from '../model/pod-object.ts';
import type { CsiSource, InlineDisk } from '../model/pod-volume.ts';
import type { FilterPluginName, SchedulerProfile } from '../model/scheduler-profile.ts';
import { doClash, isInPlaces, type VolumePlace } from '../model/volume-match.ts';
import { handleKeyOf, NAMELESS_CLAIM, sourceOfClaim } from './attached-volumes.ts';
import { ClaimBinding } from './claim-binding.ts';
import type { ClusterState } from './cluster-state.ts';
import type { FailureTable } from './failure-table.ts';
import { canonicalText } from './interner.ts';
import type { NodeLoad } from './node-load.ts';
import { placeOf } from './node-verdict.ts';
import { HOSTNAME } from './topology.ts';
import { isRefusal, placesOfPod, sharedClaims, sortedClaims } from './volume-prefilter.ts';
import { doesBear, type VolumeUse } from './volume-users.ts';

const IN_USE =
  'node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod';

const EXCEEDED = 'node(s) exceed max volume count';

/** The filter of one plugin. */
interface NodeFilter {
  /** The number of the failure; 0: the node passes. */
  failureAt(slot: number, load: NodeLoad): number;
  forgetShapes?(shapes: readonly number[]): void;
}

/** What the pod's volumes mean; '' for a pod without any that bear on its node. */
export function volumeKeyOf(state: ClusterState, pod: PodObject): string {
  if (!pod.volumes.some(doesBear)) return '';
  const claims = sortedClaims(pod, state);
  return JSON.stringify([
    canonicalText(disksOf(pod)),
    exclusiveKeyOf(state, pod),
    new NewVolumes(state, pod).key,
    isRefusal(claims) ? claims.refusal : new ClaimBinding(state, claims).key(),
    canonicalText(placesOfPod(pod, state)),
  ]);
}

/** What is to be done for the pod's claims before it is bound to the node, which fits; undefined where nothing is. */
export function volumePlanAt(state: ClusterState, pod: PodObject, slot: number): VolumePlan | undefined {
  const claims = sortedClaims(pod, state);
  if (isRefusal(claims)) return undefined;
  const { nodes } = state;
  return new ClaimBinding(state, claims).planAt({ name: nodes.names[slot], labels: nodes.labelsAt(slot) });
}

/**
 * The slot of the only node that the pod's volumes leave it: where a disk of its own is, or where one is being made. Undefined where they leave a choice, or
 * that node is not there.
 */
export function volumePinOf(state: ClusterState, pod: PodObject): number | undefined {
  const claims = sortedClaims(pod, state);
  if (isRefusal(claims)) return undefined;
  const { nodes, volumes } = state;
  const selected = claims.delayed.find(({ selectedNode }) => selectedNode !== undefined)?.selectedNode;
  if (selected !== undefined) return nodes.slotOf(selected);
  for (const { volumeName } of claims.bound) {
    const volume = state.find('PersistentVolume', volumeName);
    const pin = volume === undefined ? undefined : volumes.storage.pinOf(volume);
    if (pin?.key !== HOSTNAME || pin.values.size !== 1) continue;
    const [hostname] = pin.values;
    const slots = [...state.topology(HOSTNAME).slotsWith(hostname ?? '')];
    return slots.length === 1 ? slots[0] : undefined;
  }
  return undefined;
}

export class VolumeCheck {
  /** Numbers of failures that were errors; as many as nodes have had different ones. */
  readonly errors: ReadonlySet<number>;
  /** In the profile's order. */
  readonly #filters: { readonly place: number; readonly filter: NodeFilter }[] = [];

  constructor(state: ClusterState, failures: FailureTable, pod: PodObject, profile: SchedulerProfile) {
    const claims = sortedClaims(pod, state);
    const places = placesOfPod(pod, state);
    const add = (plugin: FilterPluginName, filter: NodeFilter): void => {
      const place = placeOf(profile, plugin);
      if (Number.isFinite(place)) this.#filters.push({ place, filter });
    };
    add('VolumeRestrictions', new Restrictions(state, failures, pod));
    const limits = new Limits(state, failures, pod);
    this.errors = limits.errors;
    add('NodeVolumeLimits', limits);
    // PreFilter has refused pods whose claims are not as they should be.
    if (!isRefusal(claims)) add('VolumeBinding', bindingFilter(state, failures, new ClaimBinding(state, claims)));
    if (!isRefusal(places) && places.length > 0) add('VolumeZone', zoneFilter(state, failures, places));
    this.#filters.sort((a, b) => a.place - b.place);
  }

  /** No node has them any more: their numbers will stand for others. */
  forgetShapes(shapes: readonly number[]): void {
    for (const { filter } of this.#filters) filter.forgetShapes?.(shapes);
  }

  /** Of the first filter that refuses, of those before the place in the profile; 0: none does. */
  failureBefore(place: number, slot: number, load: NodeLoad): number {
    for (const { place: own, filter } of this.#filters) {
      if (own >= place) return 0;
      const failure = filter.failureAt(slot, load);
      if (failure !== 0) return failure;
    }
    return 0;
  }
}

function disksOf({ volumes }: Pick<PodObject, 'volumes'>): InlineDisk[] {
  return volumes.flatMap(({ disk }) => (disk === undefined ? [] : [disk]));
}

/** Claims of the pod that one pod at a time may use. */
interface ExclusiveClaims {
  readonly names: ReadonlySet<string>;
  /** Those of them that a pod on a node uses. */
  readonly inUse: number;
}

function exclusiveClaims(state: ClusterState, pod: PodObject): ExclusiveClaims {
  const claims = sharedClaims(pod, state);
  const exclusive = isRefusal(claims)
    ? []
    : claims.filter(({ accessModes }) => accessModes.includes('ReadWriteOncePod'));
  const names = new Set(exclusive.map(({ name }) => name));
  const isInUse = (name: string): boolean => {
    const users = state.volumes.users.of(claimKeyOf(pod, name));
    return [...users].some(({ volumes }) => volumes !== undefined && exclusiveUses(volumes, new Set([name])) > 0);
  };
  return { names, inUse: [...names].filter(isInUse).length };
}

/** By the name of the claim alone, whatever the namespace of the pod; as upstream. */
function exclusiveUses({ volumes }: VolumeUse, names: ReadonlySet<string>): number {
  return volumes.filter(({ claimName = '', isEphemeral }) => !isEphemeral && names.has(claimName)).length;
}

/** Names only matter where VolumeRestrictions has anything to look at. */
function exclusiveKeyOf(state: ClusterState, pod: PodObject): string {
  const { names, inUse } = exclusiveClaims(state, pod);
  if (inUse === 0 && disksOf(pod).length === 0) return '';
  return names.size === 0 ? '' : JSON.stringify([[...names].sort(), inUse]);
}

/** Volumes of the pods on a node with that load. */
function usesAt(state: ClusterState, slot: number, { volumesAdded, volumesRemoved }: NodeLoad): VolumeUse[] {
  const there = [...state.volumes.users.at(slot)].flatMap(({ volumes }) => volumes ?? []);
  return [...there.filter((use) => !volumesRemoved.has(use)), ...volumesAdded];
}

class Restrictions implements NodeFilter {
  readonly #state: ClusterState;
  readonly #disks: readonly InlineDisk[];
  readonly #exclusive: ExclusiveClaims;
  readonly #clash: number;
  readonly #taken: number;

  constructor(state: ClusterState, failures: FailureTable, pod: PodObject) {
    this.#state = state;
    this.#disks = disksOf(pod);
    const plugin: FilterPluginName = 'VolumeRestrictions';
    this.#exclusive = exclusiveClaims(state, pod);
    this.#clash = failures.idOf({ plugin, reasons: ['node(s) had no available disk'], isUnresolvable: false });
    this.#taken = failures.idOf({ plugin, reasons: [IN_USE], isUnresolvable: false });
  }

  failureAt(slot: number, load: NodeLoad): number {
    const { names, inUse } = this.#exclusive;
    // The plugin is passed over, in what-ifs as well.
    if (this.#disks.length === 0 && inUse === 0) return 0;
    for (const use of this.#disks.length === 0 ? [] : usesAt(this.#state, slot, load)) {
      const there = disksOf(use);
      if (this.#disks.some((disk) => there.some((other) => doClash(disk, other)))) return this.#clash;
    }
    let users = inUse;
    for (const use of load.volumesAdded) users += exclusiveUses(use, names);
    for (const use of load.volumesRemoved) users -= exclusiveUses(use, names);
    return users > 0 ? this.#taken : 0;
  }
}

/** The CSI volumes that a pod adds to its node. */
class NewVolumes {
  /** Those that no pod uses, by driver. */
  readonly unused = new Map<string, number>();
  /** Those that may be on a node already, each once. */
  readonly used = new Map<string, CsiSource>();
  /** Why they cannot be told: NodeVolumeLimits says so of every node. */
  readonly problem: { readonly text: string; readonly isError: boolean } | undefined;
  /** Whether there is anything to look at. */
  readonly isAny: boolean;

  constructor(state: ClusterState, pod: PodObject) {
    this.isAny = pod.volumes.some(({ claimName, migrated }) => claimName !== undefined || migrated !== undefined);
    this.problem = this.#collect(state, pod);
  }

  get key(): string {
    const { unused, used, problem } = this;
    return this.isAny ? canonicalText([unused, [...used.keys()].sort(), problem?.text]) : '';
  }

  #collect(state: ClusterState, pod: PodObject): NewVolumes['problem'] {
    const unused = new Map<string, CsiSource>();
    for (const volume of pod.volumes) {
      if (volume.claimName === undefined) {
        if (volume.migrated !== undefined) this.used.set(handleKeyOf(volume.migrated), volume.migrated);
        continue;
      }
      if (volume.claimName === '') return { text: NAMELESS_CLAIM, isError: true };
      const claim = claimOf(state, pod, volume);
      if (claim === undefined) {
        const name = `${pod.namespace}/${volume.claimName}`;
        const text = `looking up PVC ${name}: persistentvolumeclaim ${JSON.stringify(volume.claimName)} not found`;
        return { text, isError: false };
      }
      const problem = volume.isEphemeral ? ownershipProblem(pod, claim) : undefined;
      if (problem !== undefined) return { text: problem, isError: true };
      const source = sourceOfClaim(state, claim);
      if (source === undefined) continue;
      const { users, storage } = state.volumes;
      const key = handleKeyOf(source);
      const claimKey = `${claim.namespace}/${claim.name}`;
      const isOnlyHere =
        users.of(claimKey).size === 0 &&
        users.inlineCount(key) === 0 &&
        !state.nominations.useVolume(claimKey) &&
        !state.nominations.useVolume(key) &&
        storage.handleCount(key) <= 1 &&
        (claim.volumeName === '' || storage.claimsNaming(claim.volumeName).size === 1);
      (isOnlyHere ? unused : this.used).set(key, source);
    }
    for (const [key, { driver }] of unused) {
      if (!this.used.has(key)) this.unused.set(driver, (this.unused.get(driver) ?? 0) + 1);
    }
    return undefined;
  }
}

class Limits implements NodeFilter {
  readonly errors = new Set<number>();
  readonly #state: ClusterState;
  readonly #failures: FailureTable;
  readonly #added: NewVolumes;
  readonly #exceeded: number;
  readonly #problem: number;

  constructor(state: ClusterState, failures: FailureTable, pod: PodObject) {
    this.#state = state;
    this.#failures = failures;
    this.#added = new NewVolumes(state, pod);
    this.#exceeded = this.#failure(EXCEEDED, false);
    const { problem } = this.#added;
    this.#problem = problem === undefined ? 0 : this.#failure(problem.text, problem.isError);
  }

  failureAt(slot: number, load: NodeLoad): number {
    if (!this.#added.isAny || this.#problem !== 0) return this.#problem;
    const { nodes, volumes } = this.#state;
    const limits = volumes.attached.limitsOf(nodes.names[slot]);
    if (limits.size === 0) return 0;
    const isAsIs = load.volumesAdded.size + load.volumesRemoved.size === 0;
    const name = nodes.names[slot];
    const attached = isAsIs
      ? volumes.attached.at(slot, name)
      : volumes.attached.count(usesAt(this.#state, slot, load), name);
    const { handles, counts, problem } = attached;
    if (problem !== undefined) return this.#failure(problem, true);
    for (const [driver, limit] of limits) {
      let added = this.#added.unused.get(driver) ?? 0;
      for (const [key, source] of this.#added.used) if (source.driver === driver && !handles.has(key)) added++;
      if (added > 0 && (counts.get(driver) ?? 0) + added > limit) return this.#exceeded;
    }
    return 0;
  }

  #failure(reason: string, isError: boolean): number {
    const isUnresolvable = reason !== EXCEEDED;
    const failure = this.#failures.idOf({ plugin: 'NodeVolumeLimits', reasons: [reason], isUnresolvable, isError });
    if (isError) this.errors.add(failure);
    return failure;
  }
}

function bindingFilter(state: ClusterState, failures: FailureTable, binding: ClaimBinding): NodeFilter {
  return new LabelFilter(state, {
    judge: (slot, labels) => {
      const reasons = binding.reasonsAt({ name: state.nodes.names[slot], labels });
      return reasons.length === 0 ? 0 : failures.idOf({ plugin: 'VolumeBinding', reasons, isUnresolvable: true });
    },
    isByNode: () => binding.isByNode,
    changeCount: () => binding.changeCount,
  });
}

function zoneFilter(state: ClusterState, failures: FailureTable, places: readonly VolumePlace[]): NodeFilter {
  const reasons = ['node(s) had no available volume zone'];
  const failure = failures.idOf({ plugin: 'VolumeZone', reasons, isUnresolvable: true });
  return new LabelFilter(state, {
    judge: (_, labels) => (isInPlaces(places, labels) ? 0 : failure),
    isByNode: () => false,
    changeCount: () => 0,
  });
}

interface LabelFilterOptions {
  readonly judge: (slot: number, labels: ReadonlyMap<string, string>) => number;
  /** Names or hostnames count. */
  readonly isByNode: () => boolean;
  /** Another number when judgements may be others. */
  readonly changeCount: () => number;
}

/** What goes by a node's labels, looked up once for each shape where that will do. */
class LabelFilter implements NodeFilter {
  readonly #state: ClusterState;
  readonly #options: LabelFilterOptions;
  #byShape: (number | undefined)[] = [];
  #seen = -1;
  #isByNode = false;

  constructor(state: ClusterState, options: LabelFilterOptions) {
    this.#state = state;
    this.#options = options;
  }

  forgetShapes(shapes: readonly number[]): void {
    for (const shape of shapes) this.#byShape[shape] = undefined;
  }

  failureAt(slot: number): number {
    const { nodes } = this.#state;
    const { judge, isByNode, changeCount } = this.#options;
    const count = changeCount();
    if (count !== this.#seen) {
      this.#seen = count;
      this.#byShape = [];
      this.#isByNode = isByNode();
    }
    if (this.#isByNode) return judge(slot, nodes.labelsAt(slot));
    const shape = nodes.shapeIds[slot];
    let failure = this.#byShape[shape];
    if (failure === undefined) {
      failure = judge(slot, nodes.shapeAt(slot).labels);
      this.#byShape[shape] = failure;
    }
    return failure;
  }
}
