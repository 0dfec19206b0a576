// Pods of one template are made of the same objects (driver/pod-templates.ts), so what was worked out of these for one of them holds for all.
// It is remembered for the pod that came last of those with the same labels: templates that come in turn have labels of their own, most often.

import type { Labels } from '../model/label-selector.ts';
import type { PodObject } from '../model/pod-object.ts';

/** Something of each pod that goes by nothing but what `sharesParts` compares, and by the version that is given with it. */
export class ByParts<T> {
  readonly #byLabels = new WeakMap<Labels, { readonly pod: PodObject; readonly version: number; readonly value: T }>();

  /** Undefined where it has to be worked out. */
  of(pod: PodObject, version: number): T | undefined {
    const known = this.#byLabels.get(pod.labels);
    return known !== undefined && known.version === version && sharesParts(known.pod, pod) ? known.value : undefined;
  }

  remember(pod: PodObject, version: number, value: T): void {
    this.#byLabels.set(pod.labels, { pod, version, value });
  }
}

/** They differ at most in name, uid, generation, nodes, times and what their status was told, in volumes and resource claims, and in whether they are finished or held by gates. */
function sharesParts(a: PodObject, b: PodObject): boolean {
  return (
    a.labels === b.labels &&
    a.requests === b.requests &&
    a.namespace === b.namespace &&
    a.schedulerName === b.schedulerName &&
    a.priority === b.priority &&
    a.neverPreempts === b.neverPreempts &&
    a.isTerminating === b.isTerminating &&
    a.isPreempted === b.isPreempted &&
    a.requiredNodes === b.requiredNodes &&
    a.preferredNodes === b.preferredNodes &&
    a.affinity === b.affinity &&
    a.antiAffinity === b.antiAffinity &&
    a.affinityProblem === b.affinityProblem &&
    a.tolerations === b.tolerations &&
    a.spreadConstraints === b.spreadConstraints &&
    a.spreadProblem === b.spreadProblem &&
    a.hostPorts === b.hostPorts &&
    a.images === b.images &&
    a.containerCount === b.containerCount &&
    a.controller === b.controller &&
    a.neededFeatures === b.neededFeatures
  );
}
