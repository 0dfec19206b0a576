// NodeResourcesFit: enough of everything, and pods still allowed. All that is lacking is told, in this order: pods, cpu,
// memory, ephemeral storage, then the others by name. (Upstream's order of those is that of a Go map; the message sorts.)

import { amountNamed, isExtendedName } from '../model/resources.ts';
import type { NodeState } from './cluster.ts';
import { type Cycle, type PreFilter, type Refusal, ready } from './plugin.ts';

export function nodeResourcesFit({ pod, profile }: Cycle): PreFilter {
  const { ignoredResources, ignoredResourceGroups } = profile.fit;
  const asked = pod.requests.toFit;
  const isIgnored = (name: string): boolean =>
    isExtendedName(name) &&
    (ignoredResources.includes(name) || ignoredResourceGroups.includes(name.slice(0, name.indexOf('/'))));
  const scalars = [...asked.scalars.keys()].filter((name) => !isIgnored(name)).sort();
  return ready((state) => {
    const reasons: string[] = [];
    let canEverFit = true;
    if (state.pods.length + 1 > state.node.podsMax) reasons.push('Too many pods');
    for (const name of ['cpu', 'memory', 'ephemeral-storage', ...scalars]) {
      const amount = amountNamed(asked, name);
      const capacity = amountNamed(state.node.allocatable, name);
      if (amount <= 0 || amount <= capacity - requestedOn(state, name)) continue;
      reasons.push(`Insufficient ${name}`);
      if (amount > capacity) canEverFit = false;
    }
    return reasons.length === 0 ? undefined : refusalOf(reasons, canEverFit);
  });
}

function refusalOf(reasons: readonly string[], canEverFit: boolean): Refusal {
  return { code: canEverFit ? 'unschedulable' : 'unresolvable', reasons };
}

/** What the pods of the node have asked for. */
export function requestedOn({ pods }: NodeState, name: string): number {
  return pods.reduce((sum, pod) => sum + amountNamed(pod.requests.onNode, name), 0);
}
