// NodeAffinity: spec.nodeSelector, node affinity, and the affinity that the profile adds.

import { matchesNodeSelector, matchesRequiredNodes, namedNodes, preferenceOf } from '../model/node-selector.ts';
import { asOne } from '../model/selector-reader.ts';
import type { NodeState } from './cluster.ts';
import { scaledToHighest } from './normalisation.ts';
import { type Cycle, failed, type PreFilter, refused, SKIP, unresolvable } from './plugin.ts';

export function nodeAffinity({ pod, profile }: Cycle): PreFilter {
  const { addedRequired } = profile.nodeAffinity;
  const { pairs, selector } = pod.requiredNodes;
  if (selector === undefined && pairs.size === 0 && addedRequired === undefined) return SKIP;
  const only = namedNodes(selector?.terms ?? []);
  if (only?.size === 0) return refused(unresolvable('pod affinity terms conflict'));
  return {
    kind: 'ready',
    check: {
      refusal: ({ node }) => {
        if (addedRequired !== undefined && !matchesNodeSelector(addedRequired, node)) {
          return unresolvable("node(s) didn't match scheduler-enforced node affinity");
        }
        if (matchesRequiredNodes(pod.requiredNodes, node)) return undefined;
        return unresolvable("node(s) didn't match Pod's node affinity/selector");
      },
    },
    ...(only === undefined ? {} : { only }),
  };
}

export function nodeAffinityScores({ pod, profile }: Cycle, feasible: readonly NodeState[]): number[] | undefined {
  const { addedPreferred } = profile.nodeAffinity;
  if (pod.preferredNodes.length === 0 && addedPreferred.length === 0) return undefined;
  return scaledToHighest(
    feasible.map(({ node }) => preferenceOf(addedPreferred, node) + preferenceOf(pod.preferredNodes, node)),
  );
}

/** Preferred terms that cannot be parsed fail the whole pod, once there is something to score. */
export function nodeAffinityProblem({ pod }: Cycle): ReturnType<typeof failed> | undefined {
  const problems = pod.preferredNodes.flatMap(({ term }, index) =>
    term.problem === undefined ? [] : [`[${index}].${term.problem}`],
  );
  return problems.length === 0 ? undefined : failed(asOne(problems));
}
