// A profile of kube-scheduler: which plugins run where, their weights and arguments, with the defaults of
// KubeSchedulerConfiguration kubescheduler.config.k8s.io/v1 in 1.36. src/scheduler/configuration reads them from a file.

import type { NodeSelector, PreferredNodeTerm } from './node-selector.ts';
import type { SpreadConstraint } from './pod-object.ts';

/** Plugins that filter, in the order of the default profile (MultiPoint). */
export const FILTER_PLUGINS = [
  'NodeUnschedulable',
  'NodeName',
  'TaintToleration',
  'NodeAffinity',
  'NodePorts',
  'NodeResourcesFit',
  'VolumeRestrictions',
  'NodeVolumeLimits',
  'VolumeBinding',
  'VolumeZone',
  'PodTopologySpread',
  'InterPodAffinity',
  'NodeDeclaredFeatures',
] as const;

/** Plugins that score, in the order of the default profile. */
export const SCORE_PLUGINS = [
  'TaintToleration',
  'NodeAffinity',
  'NodeResourcesFit',
  'PodTopologySpread',
  'InterPodAffinity',
  'NodeResourcesBalancedAllocation',
  'ImageLocality',
] as const;

export type FilterPluginName = (typeof FILTER_PLUGINS)[number];
export type ScorePluginName = (typeof SCORE_PLUGINS)[number];

export interface ResourceWeight {
  readonly name: string;
  readonly weight: number;
}

export interface ShapePoint {
  /** 0..100, rising from point to point. */
  readonly utilization: number;
  /** 0..10. */
  readonly score: number;
}

export type ScoringStrategyType = 'LeastAllocated' | 'MostAllocated' | 'RequestedToCapacityRatio';

export interface FitArgs {
  readonly ignoredResources: readonly string[];
  readonly ignoredResourceGroups: readonly string[];
  readonly strategy: ScoringStrategyType;
  readonly resources: readonly ResourceWeight[];
  /** Of RequestedToCapacityRatio; empty for the others. */
  readonly shape: readonly ShapePoint[];
}

export interface SpreadArgs {
  /** System: the built-in defaults. List: `defaults`, which may be empty. */
  readonly defaulting: 'System' | 'List';
  /** Their selectors are made for each pod. */
  readonly defaults: readonly SpreadConstraint[];
}

export interface AffinityArgs {
  /** 0..100: what a required term of an existing pod that matches the incoming one adds to the score. */
  readonly hardPodAffinityWeight: number;
  readonly ignorePreferredTermsOfExistingPods: boolean;
}

export interface NodeAffinityArgs {
  readonly addedRequired: NodeSelector | undefined;
  readonly addedPreferred: readonly PreferredNodeTerm[];
}

export interface PreemptionArgs {
  readonly minCandidateNodesPercentage: number;
  readonly minCandidateNodesAbsolute: number;
}

export interface ScorePlugin {
  readonly name: ScorePluginName;
  /** At least 1; 0 in a configuration stands for 1. */
  readonly weight: number;
}

export interface SchedulerProfile {
  readonly schedulerName: string;
  /** PreFilter and Filter, in order. */
  readonly filters: readonly FilterPluginName[];
  /** PreScore and Score, in order. */
  readonly scores: readonly ScorePlugin[];
  /** DynamicResources is enabled. Pods with claims are left alone; for the others it adds words to what failed. */
  readonly hasDynamicResources: boolean;
  /** DefaultPreemption runs after a failure. */
  readonly preempts: boolean;
  /** 0 to adapt to the number of nodes; undefined to take the configuration's. */
  readonly percentageOfNodesToScore: number | undefined;
  readonly fit: FitArgs;
  /** NodeResourcesBalancedAllocation; weights are 1. */
  readonly balancedResources: readonly ResourceWeight[];
  readonly spread: SpreadArgs;
  readonly affinity: AffinityArgs;
  readonly nodeAffinity: NodeAffinityArgs;
  readonly preemption: PreemptionArgs;
  /** VolumeBinding: seconds to wait until volumes are bound. */
  readonly bindTimeoutSeconds: number;
}

export const DEFAULT_WEIGHTS: Readonly<Record<ScorePluginName, number>> = {
  TaintToleration: 3,
  NodeAffinity: 2,
  NodeResourcesFit: 1,
  PodTopologySpread: 2,
  InterPodAffinity: 2,
  NodeResourcesBalancedAllocation: 1,
  ImageLocality: 1,
};

const CPU_AND_MEMORY: readonly ResourceWeight[] = [
  { name: 'cpu', weight: 1 },
  { name: 'memory', weight: 1 },
];

export const DEFAULT_PROFILE: SchedulerProfile = {
  schedulerName: 'default-scheduler',
  filters: FILTER_PLUGINS,
  scores: SCORE_PLUGINS.map((name) => ({ name, weight: DEFAULT_WEIGHTS[name] })),
  hasDynamicResources: true,
  preempts: true,
  percentageOfNodesToScore: undefined,
  fit: {
    ignoredResources: [],
    ignoredResourceGroups: [],
    strategy: 'LeastAllocated',
    resources: CPU_AND_MEMORY,
    shape: [],
  },
  balancedResources: CPU_AND_MEMORY,
  spread: { defaulting: 'System', defaults: [] },
  affinity: { hardPodAffinityWeight: 1, ignorePreferredTermsOfExistingPods: false },
  nodeAffinity: { addedRequired: undefined, addedPreferred: [] },
  preemption: { minCandidateNodesPercentage: 10, minCandidateNodesAbsolute: 100 },
  bindTimeoutSeconds: 600,
};
