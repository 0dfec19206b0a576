// VolumeBinding on nodes: whether the volumes of a pod's claims can be used there, or be found or made for it there, and what is to be done
// for it (Reserve).
//
// Limit of speed: free volumes of a storage class that are not pinned to a hostname make the next pod with a claim of that class look at
// every node again when one of them is taken or comes (storage-objects.ts).

import {
  type ClaimObject,
  objectKey,
  type StorageCapacityObject,
  type StorageClassObject,
  type VolumeObject,
} from '../model/cluster-objects.ts';
import type { FoundVolume, VolumePlan } from '../model/decision.ts';
import { type Labels, matchesLabels } from '../model/label-selector.ts';
import { compareQuantities, UNIT, ZERO } from '../model/quantity.ts';
import { amountOf } from '../model/resources.ts';
import { allowsTopology, canHold, canProvision, isFor, isFreeFor, isReachable } from '../model/volume-match.ts';
import type { ClusterState } from './cluster-state.ts';
import { canonicalText } from './interner.ts';
import type { ReachedByClass } from './storage-objects.ts';
import { HOSTNAME } from './topology.ts';
import type { SortedClaims } from './volume-prefilter.ts';

const ELSEWHERE = "node(s) didn't match PersistentVolume's node affinity";
const NONE_FOUND = "node(s) didn't find available persistent volumes to bind";
const NO_ROOM = 'node(s) did not have enough free storage';
const LOST = 'node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)';

export interface NodeLook {
  readonly name: string;
  readonly labels: Labels;
}

/** A claim that waits for its pod, and what there is for it. Nothing of it is looked up again: another pod's claim may be of the same kind. */
interface DelayedClaim {
  readonly claim: ClaimObject;
  readonly setAside: readonly VolumeObject[];
  readonly free: ReachedByClass<VolumeObject> | undefined;
  /** Undefined where a driver is not asked for the room that it has. */
  readonly room: { readonly capacities: ReachedByClass<StorageCapacityObject> | undefined } | undefined;
  readonly storageClass: StorageClassObject | undefined;
}

export class ClaimBinding {
  readonly #rulesVersion: number;
  readonly #bound: readonly (VolumeObject | undefined)[];
  readonly #boundTexts: readonly string[];
  readonly #delayed: readonly DelayedClaim[];

  constructor(state: ClusterState, { bound, delayed }: SortedClaims) {
    const { storage } = state.volumes;
    this.#rulesVersion = storage.rulesVersion;
    this.#bound = bound.map(({ volumeName }) => state.objects.find('PersistentVolume', volumeName));
    this.#boundTexts = this.#bound.map((volume) => (volume === undefined ? 'lost' : storage.reachOf(volume)));
    this.#delayed = delayed.map((claim) => delayedClaim(state, claim));
  }

  /** Says all that nodes could tell apart about it, but for what their labels pin down and the change ring names. */
  key(): string {
    const delayed = this.#delayed.map((one) => this.#keyOf(one));
    return JSON.stringify([this.#boundTexts.filter((text) => text !== ''), delayed]);
  }

  #keyOf({ claim, setAside, free, room }: DelayedClaim): string {
    const { selectedNode, storageClass, request, volumeMode, attributesClass, accessModes, selector } = claim;
    const parts: unknown[] = [selectedNode, storageClass, this.#rulesVersion, free?.version];
    if (free !== undefined || setAside.length > 0) {
      parts.push(volumeMode, attributesClass, accessModes, canonicalText(selector), canonicalText(setAside));
    }
    if (room !== undefined) parts.push(room.capacities?.version ?? 'no room');
    // Also the order in which claims take volumes.
    if (parts.length > 4) parts.push(canonicalText(request));
    return JSON.stringify(parts);
  }

  /** Whether nodes differ by their names or hostnames. */
  get isByNode(): boolean {
    if (this.#bound.some(looksAtHostname)) return true;
    return this.#delayed.some(({ claim, setAside, free, room, storageClass }) => {
      const terms = storageClass?.allowedTopologies ?? [];
      return (
        claim.selectedNode !== undefined ||
        terms.some(({ expressions }) => expressions.some(({ key }) => key === HOSTNAME)) ||
        (free?.hostnameCount ?? 0) + (room?.capacities?.hostnameCount ?? 0) > 0 ||
        setAside.some(looksAtHostname)
      );
    });
  }

  /** Another number when what was said of a node may be another now. */
  get changeCount(): number {
    let count = 0;
    for (const { free, room } of this.#delayed) {
      count += (free?.index.changeCount ?? 0) + (room?.capacities?.index.changeCount ?? 0);
    }
    return count;
  }

  /** Why the node is refused, maybe several reasons; none where it is not. */
  reasonsAt(node: NodeLook): readonly string[] {
    const where = this.#boundReason(node.labels);
    const plan = this.#plan(node);
    const free = typeof plan === 'string' ? plan : undefined;
    if (where === undefined && free === undefined) return NO_REASONS;
    return [ELSEWHERE, NONE_FOUND, NO_ROOM, LOST].filter((reason) => reason === where || reason === free);
  }

  /** For a node that is not refused; undefined where nothing is to be done. */
  planAt(node: NodeLook): VolumePlan | undefined {
    if (this.#delayed.length === 0) return undefined;
    const plan = this.#plan(node);
    return typeof plan === 'string' ? undefined : plan;
  }

  /** The first claim that does not suit tells the reason. */
  #boundReason(labels: Labels): string | undefined {
    for (const volume of this.#bound) {
      if (volume === undefined) return LOST;
      if (!isReachable(volume, labels)) return ELSEWHERE;
    }
    return undefined;
  }

  #plan(node: NodeLook): VolumePlan | string {
    const isElsewhere = ({ claim: { selectedNode } }: DelayedClaim): boolean =>
      selectedNode !== undefined && selectedNode !== node.name;
    if (this.#delayed.some(isElsewhere)) return NONE_FOUND;
    const toProvision = this.#delayed.filter(({ claim }) => claim.selectedNode !== undefined);
    const toFind = this.#delayed.filter(({ claim }) => claim.selectedNode === undefined);
    // The small ones first, so that they do not take the large volumes.
    if (toFind.length > 1) toFind.sort((a, b) => compareQuantities(a.claim.request ?? ZERO, b.claim.request ?? ZERO));
    const found: FoundVolume[] = [];
    const taken = new Set<string>();
    for (const one of toFind) {
      const volume = findVolume(one, node.labels, taken);
      if (volume === undefined) toProvision.push(one);
      else {
        taken.add(volume.name);
        found.push({ claimKey: objectKey(one.claim), volumeName: volume.name });
      }
    }
    for (const one of toProvision) {
      const reason = provisionReason(one, node.labels);
      if (reason !== undefined) return reason;
    }
    return { found, provisioned: toProvision.map(({ claim }) => objectKey(claim)) };
  }
}

const NO_REASONS: readonly string[] = [];

function delayedClaim(state: ClusterState, claim: ClaimObject): DelayedClaim {
  const { storage } = state.volumes;
  const storageClass = state.objects.find('StorageClass', claim.storageClass);
  const tracksCapacity = state.objects.find('CSIDriver', storageClass?.provisioner ?? '')?.tracksCapacity === true;
  return {
    claim,
    setAside: [...storage.setAsideFor(objectKey(claim))].filter((volume) => isFor(volume, claim)),
    free: storage.freeVolumes(claim.storageClass),
    room: tracksCapacity ? { capacities: storage.capacities(claim.storageClass) } : undefined,
    storageClass,
  };
}

/** A volume set aside for the claim, else the smallest that suits. */
function findVolume(
  { claim, setAside, free }: DelayedClaim,
  labels: Labels,
  taken: ReadonlySet<string>,
): VolumeObject | undefined {
  for (const volume of setAside) {
    if (volume.storageClass !== claim.storageClass || taken.has(volume.name)) continue;
    if (canHold(volume, claim)) return isReachable(volume, labels) ? volume : undefined;
  }
  let smallest: VolumeObject | undefined;
  for (const volume of free?.index.at(labels) ?? []) {
    if (taken.has(volume.name) || !canHold(volume, claim) || !isFreeFor(volume, claim)) continue;
    if (smallest !== undefined && compareQuantities(volume.capacity, smallest.capacity) >= 0) continue;
    if (isReachable(volume, labels)) smallest = volume;
  }
  return smallest;
}

function provisionReason({ claim, room, storageClass }: DelayedClaim, labels: Labels): string | undefined {
  if (storageClass === undefined || !canProvision(storageClass)) return NONE_FOUND;
  if (!allowsTopology(storageClass, labels)) return NONE_FOUND;
  if (room === undefined || claim.request === undefined) return undefined;
  const wanted = amountOf(claim.request, UNIT);
  for (const { bytes, nodes } of room.capacities?.index.at(labels) ?? []) {
    if (bytes !== undefined && bytes >= wanted && nodes !== undefined && matchesLabels(nodes, labels)) return undefined;
  }
  return NO_ROOM;
}

function looksAtHostname(volume: VolumeObject | undefined): boolean {
  const terms = volume?.nodeSelector?.terms ?? [];
  return terms.some(({ expressions }) => expressions.some(({ key }) => key === HOSTNAME));
}
