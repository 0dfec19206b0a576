// What the plugins of volumes say of a pod before they look at any node (their PreFilter), from its claims alone.

import { claimNotFound, claimOf, isFullyBound, ownershipProblem } from '../model/claim-lookup.ts';
import type { ClaimObject, ObjectLookup } from '../model/cluster-objects.ts';
import type { PodObject } from '../model/pod-object.ts';
import type { FilterPluginName } from '../model/scheduler-profile.ts';
import { placesOf, type VolumePlace } from '../model/volume-match.ts';
import { NAMELESS_CLAIM } from './attached-volumes.ts';

/** Why the pod goes nowhere. */
export interface PodRefusal {
  readonly refusal: string;
  /** The plugin failed. */
  readonly isError: boolean;
}

export function volumeRefusal(plugin: FilterPluginName, pod: PodObject, objects: ObjectLookup): PodRefusal | undefined {
  let result: object | undefined;
  if (plugin === 'VolumeRestrictions') result = sharedClaims(pod, objects);
  else if (plugin === 'VolumeBinding') result = sortedClaims(pod, objects);
  else if (plugin === 'VolumeZone') result = placesOfPod(pod, objects);
  return result !== undefined && isRefusal(result) ? result : undefined;
}

export function isRefusal(result: object): result is PodRefusal {
  return 'refusal' in result;
}

function refused(refusal: string): PodRefusal {
  return { refusal, isError: false };
}

/** The claims that the pod names itself. */
export function sharedClaims(pod: PodObject, objects: ObjectLookup): ClaimObject[] | PodRefusal {
  const claims: ClaimObject[] = [];
  for (const volume of pod.volumes) {
    if (volume.claimName === undefined || volume.isEphemeral) continue;
    const claim = claimOf(objects, pod, volume);
    if (claim === undefined) return refused(claimNotFound(volume.claimName));
    claims.push(claim);
  }
  return claims;
}

export interface SortedClaims {
  readonly bound: readonly ClaimObject[];
  /** They wait for their pod to be placed. */
  readonly delayed: readonly ClaimObject[];
}

export function sortedClaims(pod: PodObject, objects: ObjectLookup): SortedClaims | PodRefusal {
  const claims: ClaimObject[] = [];
  for (const volume of pod.volumes) {
    if (volume.claimName === undefined) continue;
    const claim = claimOf(objects, pod, volume);
    if (claim === undefined) {
      const name = JSON.stringify(volume.claimName);
      return refused(
        volume.isEphemeral
          ? `waiting for ephemeral volume controller to create the persistentvolumeclaim ${name}`
          : claimNotFound(volume.claimName),
      );
    }
    const problem = claimProblem(claim) ?? (volume.isEphemeral ? ownershipProblem(pod, claim) : undefined);
    if (problem !== undefined) return refused(problem);
    claims.push(claim);
  }
  const bound = claims.filter(isFullyBound);
  const open = claims.filter((claim) => !isFullyBound(claim));
  const modeless = open.find((claim) => isModeless(objects, claim));
  if (modeless !== undefined) {
    const refusal = modelessClass(modeless);
    return { refusal, isError: true };
  }
  const delayed = open.filter(
    ({ storageClass, volumeName }) =>
      volumeName === '' && objects.find('StorageClass', storageClass)?.isDelayed === true,
  );
  return delayed.length < open.length
    ? refused('pod has unbound immediate PersistentVolumeClaims')
    : { bound, delayed };
}

function claimProblem({ name, volumeName, isLost, isTerminating }: ClaimObject): string | undefined {
  const claim = `persistentvolumeclaim ${JSON.stringify(name)}`;
  if (isLost) return `${claim} bound to non-existent persistentvolume ${JSON.stringify(volumeName)}`;
  return isTerminating ? `${claim} is being deleted` : undefined;
}

function isModeless(objects: ObjectLookup, { storageClass }: ClaimObject): boolean {
  const found = objects.find('StorageClass', storageClass);
  return found !== undefined && found.isDelayed === undefined;
}

function modelessClass({ storageClass }: ClaimObject): string {
  return `VolumeBindingMode not set for StorageClass ${JSON.stringify(storageClass)}`;
}

/** The zones and regions that volumes of the pod are bound to. */
export function placesOfPod(pod: PodObject, objects: ObjectLookup): VolumePlace[] | PodRefusal {
  const places: VolumePlace[] = [];
  for (const volume of pod.volumes) {
    if (volume.claimName === undefined || volume.isEphemeral) continue;
    if (volume.claimName === '') return refused(NAMELESS_CLAIM);
    const claim = claimOf(objects, pod, volume);
    if (claim === undefined) return refused(claimNotFound(volume.claimName));
    if (claim.volumeName === '') {
      const problem = unboundProblem(claim, objects);
      if (problem !== undefined) return refused(problem);
      continue;
    }
    const bound = objects.find('PersistentVolume', claim.volumeName);
    if (bound === undefined) return refused(`persistentvolume ${JSON.stringify(claim.volumeName)} not found`);
    places.push(...placesOf(bound));
  }
  return places;
}

function unboundProblem(claim: ClaimObject, objects: ObjectLookup): string | undefined {
  if (claim.storageClass === '') return 'PersistentVolumeClaim had no pv name and storageClass name';
  const storageClass = objects.find('StorageClass', claim.storageClass);
  if (storageClass === undefined) return `storageclass.storage.k8s.io ${JSON.stringify(claim.storageClass)} not found`;
  if (storageClass.isDelayed === undefined) return modelessClass(claim);
  return storageClass.isDelayed ? undefined : 'PersistentVolume had no name';
}
