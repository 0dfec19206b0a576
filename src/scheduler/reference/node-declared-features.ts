// NodeDeclaredFeatures: a pod that needs something of the kubelet fits where the kubelet says that it has it.

import { type Cycle, type PreFilter, ready, SKIP, unresolvable } from './plugin.ts';

export function nodeDeclaredFeatures({ pod }: Cycle): PreFilter {
  if (pod.neededFeatures.size === 0) return SKIP;
  return ready(({ node }) =>
    [...pod.neededFeatures].every((feature) => node.declaredFeatures.has(feature))
      ? undefined
      : unresolvable("node(s) didn't match Pod's required features"),
  );
}
