// ImageLocality: nodes that have the pod's images already, the larger the better, the rarer the less.

import type { NodeState } from './cluster.ts';
import type { Cycle } from './plugin.ts';

const MEBIBYTE = 1024 * 1024;
const LEAST = 23 * MEBIBYTE;
const MOST_PER_CONTAINER = 1000 * MEBIBYTE;

export function imageLocalityScores({ pod, cluster, nodes }: Cycle, feasible: readonly NodeState[]): number[] {
  const most = MOST_PER_CONTAINER * pod.containerCount;
  return feasible.map(({ node }) => {
    const there = new Set(node.images.flatMap(({ names }) => names));
    let sum = 0;
    for (const name of pod.images) {
      const image = there.has(name) ? cluster.image(name) : undefined;
      if (image !== undefined) sum += Math.trunc(image.sizeBytes * (image.nodeCount / nodes.length));
    }
    const within = sum < LEAST ? LEAST : Math.min(sum, most);
    // A pod without containers would score −0.
    return Math.trunc((100 * (within - LEAST)) / (most - LEAST)) + 0;
  });
}
