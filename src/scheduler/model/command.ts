// What a scheduler is told: the state of the cluster's objects, one change at a time, and pods to decide on.
//
// Rules for whoever sends: an object is set whole; setting it again replaces it; deleting what is not there is allowed.
// A pod is set with its nodeName once it is bound, and deleted, or set with isFinished, when it leaves. By the scheduler's own decision it is bound
// (pod-bound): the same as if it, as it was set without a node, were set once more, on the node (boundTo); one that is not to be placed stays as it is. Pods are known by uid, nodes by name, other objects by kind and key.

import type { ClaimObject, ClusterKind, ClusterObject, VolumeObject } from './cluster-objects.ts';
import type { NodeObject } from './node-object.ts';
import type { PodObject } from './pod-object.ts';

export type ClusterCommand =
  | { readonly kind: 'node-set'; readonly node: NodeObject }
  | { readonly kind: 'node-deleted'; readonly name: string }
  | { readonly kind: 'pod-set'; readonly pod: PodObject }
  | { readonly kind: 'pod-bound'; readonly uid: string; readonly nodeName: string }
  | { readonly kind: 'pod-deleted'; readonly uid: string }
  | { readonly kind: 'object-set'; readonly object: ClusterObject }
  | { readonly kind: 'object-deleted'; readonly objectKind: ClusterKind; readonly key: string };

/** The pod as it is once bound to a node. */
export function boundTo(pod: PodObject, nodeName: string): PodObject {
  return { ...pod, nodeName, nominatedNodeName: '' };
}

/** The pod as it is once a node is nominated for it; '' takes that back. */
export function nominatedTo(pod: PodObject, nominatedNodeName: string): PodObject {
  return { ...pod, nominatedNodeName };
}

/** The volume as it is once set aside for the claim. */
export function setAsideFor(volume: VolumeObject, { namespace, name, uid }: ClaimObject): VolumeObject {
  return { ...volume, claim: { namespace, name, uid } };
}

/** The claim as it is once a volume is to be made for it on the node. */
export function selectedOn(claim: ClaimObject, selectedNode: string): ClaimObject {
  return { ...claim, selectedNode };
}
