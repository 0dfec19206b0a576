// The scores of NodeResourcesFit: LeastAllocated, MostAllocated, RequestedToCapacityRatio.
//
// For cpu and memory, what pods do not ask for is counted with a default; other resources count only for pods that ask.

import { hundredths } from '../model/division.ts';
import { amountNamed, isScalarName } from '../model/resources.ts';
import type { FitArgs, ShapePoint } from '../model/scheduler-profile.ts';
import type { NodeState } from './cluster.ts';
import { requestedOn } from './node-resources-fit.ts';
import type { Cycle } from './plugin.ts';

export function nodeResourcesFitScores({ pod, profile }: Cycle, feasible: readonly NodeState[]): number[] {
  return feasible.map((state) => {
    const scored: { readonly score: number; readonly weight: number }[] = [];
    for (const { name, weight } of profile.fit.resources) {
      const asked = amountNamed(pod.requests.toScore, name);
      const capacity = amountNamed(state.node.allocatable, name);
      if (capacity === 0 || (asked === 0 && isScalarName(name))) continue;
      scored.push({ score: resourceScore(profile.fit, takenOn(state, name) + asked, capacity), weight });
    }
    return profile.fit.strategy === 'RequestedToCapacityRatio' ? roundedMean(scored) : mean(scored);
  });
}

function takenOn(state: NodeState, name: string): number {
  switch (name) {
    case 'cpu':
      return state.pods.reduce((sum, { requests }) => sum + requests.onNodeScored.milliCpu, 0);
    case 'memory':
      return state.pods.reduce((sum, { requests }) => sum + requests.onNodeScored.memory, 0);
    default:
      return requestedOn(state, name);
  }
}

function resourceScore({ strategy, shape }: FitArgs, requested: number, capacity: number): number {
  switch (strategy) {
    case 'LeastAllocated':
      return requested > capacity ? 0 : hundredths(capacity - requested, capacity);
    case 'MostAllocated':
      return hundredths(Math.min(requested, capacity), capacity);
    case 'RequestedToCapacityRatio':
      return onShape(shape, requested > capacity ? 100 : hundredths(requested, capacity));
  }
}

type Scored = readonly { readonly score: number; readonly weight: number }[];

function mean(scored: Scored): number {
  const weights = scored.reduce((sum, { weight }) => sum + weight, 0);
  return weights === 0 ? 0 : Math.trunc(scored.reduce((sum, { score, weight }) => sum + score * weight, 0) / weights);
}

/** Resources that score nothing do not count, nor does their weight. */
function roundedMean(scored: Scored): number {
  const counted = scored.filter(({ score }) => score > 0);
  const weights = counted.reduce((sum, { weight }) => sum + weight, 0);
  return weights === 0 ? 0 : Math.round(counted.reduce((sum, { score, weight }) => sum + score * weight, 0) / weights);
}

/** Straight lines between the points, flat outside, in whole numbers; scores are ten times those of the points. */
export function onShape(shape: readonly ShapePoint[], utilization: number): number {
  const index = shape.findIndex((point) => utilization <= point.utilization);
  if (index === 0) return shape[0].score * 10;
  if (index < 0) return (shape.at(-1)?.score ?? 0) * 10;
  const [left, right] = [shape[index - 1], shape[index]];
  const rise = (right.score - left.score) * 10 * (utilization - left.utilization);
  return left.score * 10 + Math.trunc(rise / (right.utilization - left.utilization));
}
