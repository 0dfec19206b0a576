// The claims of a pod, and upstream's words when one is not as it should be.

import type { ClaimObject, ObjectLookup } from './cluster-objects.ts';
import type { PodObject } from './pod-object.ts';
import type { PodVolume } from './pod-volume.ts';

/** What of a pod its claims go by. */
export type ClaimUser = Pick<PodObject, 'namespace' | 'name' | 'uid'>;

export function claimNotFound(name: string): string {
  return `persistentvolumeclaim ${JSON.stringify(name)} not found`;
}

/** `namespace/name` of the volume's claim. */
export function claimKeyOf({ namespace }: ClaimUser, claimName: string): string {
  return `${namespace}/${claimName}`;
}

export function claimOf(objects: ObjectLookup, pod: ClaimUser, { claimName }: PodVolume): ClaimObject | undefined {
  return claimName === undefined ? undefined : objects.find('PersistentVolumeClaim', claimKeyOf(pod, claimName));
}

/** Why the claim of an ephemeral volume is not the pod's, undefined when it is. */
export function ownershipProblem(pod: ClaimUser, claim: ClaimObject): string | undefined {
  if (claim.controller?.uid === pod.uid) return undefined;
  const claimKey = `${claim.namespace}/${claim.name}`;
  return `PVC ${claimKey} was not created for pod ${pod.namespace}/${pod.name} (pod is not owner)`;
}

/** pvc and pv are bound to each other, and both sides know. */
export function isFullyBound({ volumeName, isBindCompleted }: ClaimObject): boolean {
  return volumeName !== '' && isBindCompleted;
}
