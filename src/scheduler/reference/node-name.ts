// NodeName: a pod that names its node fits no other.

import { type Cycle, type PreFilter, ready, unresolvable } from './plugin.ts';

export function nodeName({ pod }: Cycle): PreFilter {
  return ready(({ node }) =>
    pod.nodeName !== '' && pod.nodeName !== node.name
      ? unresolvable("node(s) didn't match the requested node name")
      : undefined,
  );
}
