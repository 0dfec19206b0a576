// Profiles that between them use every argument of the default plugins.

import { EVERYTHING } from './label-selector.ts';
import type { NodeSelectorTerm } from './node-selector.ts';
import type { SpreadConstraint } from './pod-object.ts';
import { DEFAULT_PROFILE, type SchedulerProfile } from './scheduler-profile.ts';

const MOST: SchedulerProfile = {
  ...DEFAULT_PROFILE,
  schedulerName: 'most',
  scores: DEFAULT_PROFILE.scores.map(({ name, weight }) => ({
    name,
    weight: name === 'ImageLocality' ? 5 : name === 'TaintToleration' ? 1 : weight,
  })),
  fit: {
    ...DEFAULT_PROFILE.fit,
    strategy: 'MostAllocated',
    resources: [
      { name: 'cpu', weight: 1 },
      { name: 'memory', weight: 2 },
      { name: 'example.com/gpu', weight: 5 },
    ],
  },
  balancedResources: ['cpu', 'memory', 'example.com/gpu'].map((name) => ({ name, weight: 1 })),
  affinity: { hardPodAffinityWeight: 10, ignorePreferredTermsOfExistingPods: false },
};

/** A default constraint: its selector is made for each pod. */
function byDefault(topologyKey: string, maxSkew: number, isHard: boolean): SpreadConstraint {
  return {
    maxSkew,
    topologyKey,
    isHard,
    selector: EVERYTHING,
    minDomains: 1,
    honorsAffinity: true,
    honorsTaints: false,
  };
}

const RATIO: SchedulerProfile = {
  ...DEFAULT_PROFILE,
  schedulerName: 'ratio',
  fit: {
    ignoredResources: ['example.com/fpga'],
    ignoredResourceGroups: [],
    strategy: 'RequestedToCapacityRatio',
    resources: [
      { name: 'cpu', weight: 3 },
      { name: 'memory', weight: 1 },
      { name: 'ephemeral-storage', weight: 1 },
    ],
    shape: [
      { utilization: 0, score: 0 },
      { utilization: 40, score: 3 },
      { utilization: 70, score: 2 },
      { utilization: 100, score: 10 },
    ],
  },
  spread: {
    defaulting: 'List',
    defaults: [byDefault('topology.kubernetes.io/zone', 2, true), byDefault('kubernetes.io/hostname', 1, false)],
  },
  affinity: { hardPodAffinityWeight: 1, ignorePreferredTermsOfExistingPods: true },
};

function term(key: string, values: readonly string[]): NodeSelectorTerm {
  return { expressions: [{ key, operator: 'In', values }], fields: [], problem: undefined };
}

/** More than what could be told apart by sums. */
const HEAVY: Readonly<Record<string, number>> = { NodeResourcesFit: 100_000, NodeResourcesBalancedAllocation: 77 };

const ADDED: SchedulerProfile = {
  ...DEFAULT_PROFILE,
  schedulerName: 'added',
  preempts: false,
  scores: DEFAULT_PROFILE.scores.map(({ name, weight }) => ({ name, weight: HEAVY[name] ?? weight })),
  spread: { defaulting: 'List', defaults: [] },
  affinity: { hardPodAffinityWeight: 0, ignorePreferredTermsOfExistingPods: false },
  nodeAffinity: {
    addedRequired: { terms: [term('disk', ['ssd', 'hdd'])] },
    addedPreferred: [{ weight: 30, term: term('topology.kubernetes.io/zone', ['zb']) }],
  },
};

export const PROFILES: readonly SchedulerProfile[] = [DEFAULT_PROFILE, MOST, RATIO, ADDED];
