// The text of the PodScheduled condition of a pod that fits nowhere (framework.FitError).

import type { Refusal } from './plugin.ts';

/** How many nodes gave which reason. Nodes without a refusal of their own gave those of `absent`. */
export function reasonCounts(
  refusals: ReadonlyMap<string, Refusal>,
  nodeCount: number,
  absent: Refusal | undefined,
): Map<string, number> {
  const counts = new Map<string, number>();
  const add = (reason: string, count: number): unknown => counts.set(reason, (counts.get(reason) ?? 0) + count);
  for (const { reasons } of refusals.values()) for (const reason of reasons) add(reason, 1);
  const rest = nodeCount - refusals.size;
  if (rest > 0) for (const reason of absent?.reasons ?? []) add(reason, rest);
  return counts;
}

/** `0/5 nodes are available: 2 Insufficient cpu, 3 Too many pods.`; sorted as strings, the count first. */
export function fitMessage(nodeCount: number, counts: ReadonlyMap<string, number>): string {
  const parts = [...counts].map(([reason, count]) => `${count} ${reason}`).sort();
  return `0/${nodeCount} nodes are available:${parts.length === 0 ? '' : ` ${parts.join(', ')}.`}`;
}
