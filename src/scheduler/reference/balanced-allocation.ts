// NodeResourcesBalancedAllocation: how far the pod makes a node's resources more or less evenly used.

import { amountNamed, isScalarName } from '../model/resources.ts';
import type { NodeState } from './cluster.ts';
import { requestedOn } from './node-resources-fit.ts';
import type { Cycle } from './plugin.ts';

export function balancedAllocationScores(
  { pod, profile }: Cycle,
  feasible: readonly NodeState[],
): number[] | undefined {
  const asked = pod.requests.onNode;
  const names = profile.balancedResources.map(({ name }) => name);
  if (names.every((name) => amountNamed(asked, name) === 0)) return undefined;
  return feasible.map((state) => {
    const counted = names.filter(
      (name) =>
        amountNamed(state.node.allocatable, name) !== 0 && !(isScalarName(name) && amountNamed(asked, name) === 0),
    );
    const fractions = (withPod: boolean): number[] =>
      counted.map((name) => {
        const taken = requestedOn(state, name) + (withPod ? amountNamed(asked, name) : 0);
        return Math.min(1, taken / amountNamed(state.node.allocatable, name));
      });
    return 50 + Math.trunc((50 + balance(fractions(true)) - balance(fractions(false))) / 2);
  });
}

/** 50 for the most uneven use of two resources, 100 for an even one, or for less than two. */
function balance(fractions: readonly number[]): number {
  return Math.trunc((1 - deviation(fractions)) * 100);
}

function deviation(fractions: readonly number[]): number {
  if (fractions.length < 2) return 0;
  if (fractions.length === 2) return Math.abs((fractions[0] - fractions[1]) / 2);
  const mean = fractions.reduce((sum, fraction) => sum + fraction, 0) / fractions.length;
  const squares = fractions.reduce((sum, fraction) => sum + (fraction - mean) * (fraction - mean), 0);
  return Math.sqrt(squares / fractions.length);
}
