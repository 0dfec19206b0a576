// The default plugins by name.

import type { FilterPluginName, ScorePluginName } from '../model/scheduler-profile.ts';
import { balancedAllocationScores } from './balanced-allocation.ts';
import { imageLocalityScores } from './image-locality.ts';
import { interPodAffinity } from './inter-pod-affinity.ts';
import { interPodAffinityScores } from './inter-pod-affinity-scores.ts';
import { nodeAffinity, nodeAffinityScores } from './node-affinity.ts';
import { nodeDeclaredFeatures } from './node-declared-features.ts';
import { nodeName } from './node-name.ts';
import { nodePorts } from './node-ports.ts';
import { nodeResourcesFit } from './node-resources-fit.ts';
import { nodeUnschedulable } from './node-unschedulable.ts';
import { nodeVolumeLimits } from './node-volume-limits.ts';
import type { FilterPlugin, ScorePlugin } from './plugin.ts';
import { podTopologySpread } from './pod-topology-spread.ts';
import { podTopologySpreadScores } from './pod-topology-spread-scores.ts';
import { nodeResourcesFitScores } from './resource-scores.ts';
import { taintToleration, taintTolerationScores } from './taint-toleration.ts';
import { volumeBinding } from './volume-binding.ts';
import { volumeRestrictions } from './volume-restrictions.ts';
import { volumeZone } from './volume-zone.ts';

export const FILTERS: Readonly<Record<FilterPluginName, FilterPlugin>> = {
  NodeUnschedulable: nodeUnschedulable,
  NodeName: nodeName,
  TaintToleration: taintToleration,
  NodeAffinity: nodeAffinity,
  NodePorts: nodePorts,
  NodeResourcesFit: nodeResourcesFit,
  VolumeRestrictions: volumeRestrictions,
  NodeVolumeLimits: nodeVolumeLimits,
  VolumeBinding: volumeBinding,
  VolumeZone: volumeZone,
  PodTopologySpread: podTopologySpread,
  InterPodAffinity: interPodAffinity,
  NodeDeclaredFeatures: nodeDeclaredFeatures,
};

export const SCORES: Readonly<Record<ScorePluginName, ScorePlugin>> = {
  TaintToleration: taintTolerationScores,
  NodeAffinity: nodeAffinityScores,
  NodeResourcesFit: nodeResourcesFitScores,
  PodTopologySpread: podTopologySpreadScores,
  InterPodAffinity: interPodAffinityScores,
  NodeResourcesBalancedAllocation: balancedAllocationScores,
  ImageLocality: imageLocalityScores,
};
