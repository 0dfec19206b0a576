// What a scheduler keeps of each pod that is its own to place.

import type { PodObject } from '../model/pod-object.ts';

/** A pod that waits for a decision, or for the API to show it on its node. */
export interface OwnPod {
  pod: PodObject;
  resourceVersion: string;
  /** Another one when the pod wants something else than before. */
  template: PodObject;
  /** '' while it waits. */
  assumedNode: string;
  readonly addedMs: number;
  /** Bindings of it that failed. */
  failures: number;
}

/** Nothing that counts on its node is other than it was. */
export function isUnchanged(own: OwnPod, pod: PodObject, template: PodObject): boolean {
  const isSame = own.template === template && own.pod.requests === pod.requests;
  return isSame && !pod.isTerminating && !pod.isFinished;
}
