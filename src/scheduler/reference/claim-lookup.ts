// The claims of a pod, and upstream's words when one is not as it should be.

import type { ClaimObject } from '../model/cluster-objects.ts';
import type { PodObject } from '../model/pod-object.ts';
import type { PodVolume } from '../model/pod-volume.ts';
import type { Cluster } from './cluster.ts';

export function claimNotFound(name: string): string {
  return `persistentvolumeclaim ${JSON.stringify(name)} not found`;
}

export function claimOf(cluster: Cluster, pod: PodObject, { claimName }: PodVolume): ClaimObject | undefined {
  return claimName === undefined ? undefined : cluster.find('PersistentVolumeClaim', `${pod.namespace}/${claimName}`);
}

/** Why the claim of an ephemeral volume is not the pod's, undefined when it is. */
export function ownershipProblem(pod: PodObject, claim: ClaimObject): string | undefined {
  if (claim.controller?.uid === pod.uid) return undefined;
  const claimKey = `${claim.namespace}/${claim.name}`;
  return `PVC ${claimKey} was not created for pod ${pod.namespace}/${pod.name} (pod is not owner)`;
}
