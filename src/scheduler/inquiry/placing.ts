// What a what-if and the search for what would help have in common.

import type { Kernel } from '../kernel/kernel.ts';
import type { Decision } from '../model/decision.ts';
import type { NodeObject } from '../model/node-object.ts';
import type { PodObject } from '../model/pod-object.ts';
import { assumedObjects } from '../model/volume-plan.ts';

/** Decides on the pod, and assumes it on its node, with the volumes that it takes. */
export function place(kernel: Kernel, pod: PodObject): Decision {
  const decision = kernel.decide(pod.uid);
  if (decision.kind !== 'bound') return decision;
  const { node, volumes } = decision;
  if (volumes !== undefined) {
    for (const object of assumedObjects(kernel, volumes, node)) kernel.apply({ kind: 'object-set', object });
  }
  kernel.apply({ kind: 'pod-bound', uid: pod.uid, nodeName: node });
  return decision;
}

/** The values of the labels, as one text. */
export function groupOf({ labels }: NodeObject, groupLabels: readonly string[]): string {
  return groupLabels.map((key) => labels.get(key) ?? '(none)').join(' ');
}
