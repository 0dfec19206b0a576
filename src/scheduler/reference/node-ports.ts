// NodePorts: a host port is used once per node, protocol and address; 0.0.0.0 is every address.

import type { HostPort } from '../model/pod-object.ts';
import { type Cycle, type PreFilter, ready, SKIP, unschedulable } from './plugin.ts';

export function nodePorts({ pod }: Cycle): PreFilter {
  if (pod.hostPorts.length === 0) return SKIP;
  return ready(({ pods }) => {
    const used = pods.flatMap(({ hostPorts }) => hostPorts);
    const clashes = pod.hostPorts.some((wanted) => used.some((other) => doClash(wanted, other)));
    return clashes ? unschedulable("node(s) didn't have free ports for the requested pod ports") : undefined;
  });
}

const EVERY_ADDRESS = '0.0.0.0';

function doClash(a: HostPort, b: HostPort): boolean {
  if (a.port !== b.port || a.protocol !== b.protocol) return false;
  return a.ip === b.ip || a.ip === EVERY_ADDRESS || b.ip === EVERY_ADDRESS;
}
