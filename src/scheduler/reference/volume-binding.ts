// VolumeBinding: the pod's volumes can be used on the node, or be found or made for it there.
//
// Not here: in-tree volumes translated to CSI for their node affinity (on nodes whose CSINode carries the annotation of
// migrated plugins).

import { claimNotFound, claimOf, isFullyBound, ownershipProblem } from '../model/claim-lookup.ts';
import { type ClaimObject, objectKey, type StorageClassObject, type VolumeObject } from '../model/cluster-objects.ts';
import type { FoundVolume, VolumePlan } from '../model/decision.ts';
import { matchesLabels } from '../model/label-selector.ts';
import type { NodeObject } from '../model/node-object.ts';
import type { PodObject } from '../model/pod-object.ts';
import { compareQuantities, UNIT, ZERO } from '../model/quantity.ts';
import { amountOf } from '../model/resources.ts';
import { allowsTopology, canHold, canProvision, isFor, isFreeFor, isReachable } from '../model/volume-match.ts';
import type { Cluster } from './cluster.ts';
import { type Cycle, failed, type PreFilter, type Refusal, ready, refused, SKIP, unresolvable } from './plugin.ts';

const ELSEWHERE = "node(s) didn't match PersistentVolume's node affinity";
const NONE_FOUND = "node(s) didn't find available persistent volumes to bind";
const NO_ROOM = 'node(s) did not have enough free storage';
const LOST = 'node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)';

export function volumeBinding({ pod, cluster }: Cycle): PreFilter {
  const claims = claimsOf(pod, cluster);
  if (typeof claims === 'string') return refused(unresolvable(claims));
  if (claims.length === 0) return SKIP;
  const bound: ClaimObject[] = [];
  const delayed: ClaimObject[] = [];
  let hasImmediate = false;
  for (const claim of claims) {
    if (isFullyBound(claim)) {
      bound.push(claim);
      continue;
    }
    const storageClass = cluster.find('StorageClass', claim.storageClass);
    if (storageClass !== undefined && storageClass.isDelayed === undefined) {
      return refused(failed(`VolumeBindingMode not set for StorageClass ${JSON.stringify(claim.storageClass)}`));
    }
    if (storageClass?.isDelayed === true && claim.volumeName === '') delayed.push(claim);
    else hasImmediate = true;
  }
  if (hasImmediate) return refused(unresolvable('pod has unbound immediate PersistentVolumeClaims'));
  return ready(({ node }) => {
    const where = boundReasons(bound, cluster, node);
    const free = planOf(delayed, cluster, node);
    if ('code' in free) return free;
    const more = 'reason' in free ? free.reason : '';
    const reasons = [ELSEWHERE, NONE_FOUND, NO_ROOM, LOST].filter((reason) => where.has(reason) || more === reason);
    return reasons.length === 0 ? undefined : unresolvable(...reasons);
  });
}

/** What is to be done for the pod's claims on a node that passed; undefined where all are bound. */
export function volumePlanOn(pod: PodObject, cluster: Cluster, node: NodeObject): VolumePlan | undefined {
  const claims = claimsOf(pod, cluster);
  if (typeof claims === 'string') return undefined;
  const plan = planOf(
    claims.filter((claim) => !isFullyBound(claim)),
    cluster,
    node,
  );
  if (!('found' in plan)) return undefined;
  return plan.found.length + plan.provisioned.length > 0 ? plan : undefined;
}

/** One for each volume that has one, or why the pod has to wait. */
function claimsOf(pod: PodObject, cluster: Cluster): ClaimObject[] | string {
  const claims: ClaimObject[] = [];
  for (const volume of pod.volumes) {
    if (volume.claimName === undefined) continue;
    const name = JSON.stringify(volume.claimName);
    const claim = claimOf(cluster, pod, volume);
    if (claim === undefined) {
      return volume.isEphemeral
        ? `waiting for ephemeral volume controller to create the persistentvolumeclaim ${name}`
        : claimNotFound(volume.claimName);
    }
    if (claim.isLost) {
      return `persistentvolumeclaim ${name} bound to non-existent persistentvolume ${JSON.stringify(claim.volumeName)}`;
    }
    if (claim.isTerminating) return `persistentvolumeclaim ${name} is being deleted`;
    const problem = volume.isEphemeral ? ownershipProblem(pod, claim) : undefined;
    if (problem !== undefined) return problem;
    claims.push(claim);
  }
  return claims;
}

/** The first claim that does not suit tells the reason. */
function boundReasons(claims: readonly ClaimObject[], cluster: Cluster, node: NodeObject): Set<string> {
  for (const { volumeName } of claims) {
    const volume = cluster.find('PersistentVolume', volumeName);
    if (volume === undefined) return new Set([LOST]);
    if (!isReachable(volume, node.labels)) return new Set([ELSEWHERE]);
  }
  return new Set();
}

function planOf(
  claims: readonly ClaimObject[],
  cluster: Cluster,
  node: NodeObject,
): VolumePlan | { readonly reason: string } | Refusal {
  if (claims.some(({ selectedNode }) => selectedNode !== undefined && selectedNode !== node.name)) {
    return { reason: NONE_FOUND };
  }
  const toProvision = claims.filter(({ selectedNode }) => selectedNode !== undefined);
  const toFind = claims.filter(({ selectedNode }) => selectedNode === undefined);
  const found: FoundVolume[] = [];
  const taken = new Set<string>();
  for (const claim of toFind.toSorted((a, b) => compareQuantities(a.request ?? ZERO, b.request ?? ZERO))) {
    const volume = findVolume(claim, cluster, node, taken);
    if (volume === undefined) {
      toProvision.push(claim);
      continue;
    }
    taken.add(volume.name);
    found.push({ claimKey: objectKey(claim), volumeName: volume.name });
  }
  for (const claim of toProvision) {
    const reason = provisionReason(claim, cluster, node);
    if (reason !== undefined) return typeof reason === 'string' ? { reason } : reason;
  }
  return { found, provisioned: toProvision.map(objectKey) };
}

/** A volume set aside for the claim, else the smallest that suits. */
function findVolume(
  claim: ClaimObject,
  cluster: Cluster,
  node: NodeObject,
  taken: ReadonlySet<string>,
): VolumeObject | undefined {
  const ofClass = cluster
    .all('PersistentVolume')
    .filter((volume) => volume.storageClass === claim.storageClass && !taken.has(volume.name))
    .filter((volume) => volume.claim === undefined || isFor(volume, claim))
    .filter((volume) => canHold(volume, claim));
  const setAside = ofClass.find((volume) => isFor(volume, claim));
  if (setAside !== undefined) return isReachable(setAside, node.labels) ? setAside : undefined;
  return ofClass
    .filter((volume) => isFreeFor(volume, claim) && isReachable(volume, node.labels))
    .toSorted((a, b) => compareQuantities(a.capacity, b.capacity))[0];
}

function provisionReason(claim: ClaimObject, cluster: Cluster, node: NodeObject): string | Refusal | undefined {
  const key = `${claim.namespace}/${claim.name}`;
  if (claim.storageClass === '') return failed(`no class for claim ${JSON.stringify(key)}`);
  const storageClass = cluster.find('StorageClass', claim.storageClass);
  if (storageClass === undefined) return failed(`failed to find storage class ${JSON.stringify(claim.storageClass)}`);
  if (!canProvision(storageClass) || !allowsTopology(storageClass, node.labels)) return NONE_FOUND;
  return hasRoom(claim, storageClass, cluster, node) ? undefined : NO_ROOM;
}

/** Only drivers that say so are asked for the room they have. */
function hasRoom(claim: ClaimObject, storageClass: StorageClassObject, cluster: Cluster, node: NodeObject): boolean {
  if (claim.request === undefined) return true;
  if (cluster.find('CSIDriver', storageClass.provisioner)?.tracksCapacity !== true) return true;
  const bytes = amountOf(claim.request, UNIT);
  return cluster
    .all('CSIStorageCapacity')
    .some(
      (capacity) =>
        capacity.storageClass === storageClass.name &&
        capacity.bytes !== undefined &&
        capacity.bytes >= bytes &&
        capacity.nodes !== undefined &&
        matchesLabels(capacity.nodes, node.labels),
    );
}
