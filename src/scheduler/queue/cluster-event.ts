// What happened in the cluster, and which plugins it can make think again (kube-scheduler 1.36, EventsToRegister of each plugin).

import {
  type ClusterChange,
  NODE_ADDED,
  NODE_FEATURES,
  NODE_GROWN,
  NODE_LABELS,
  NODE_REMOVED,
  NODE_TAINTS,
  OBJECT_CHANGED,
  POD_ADDED,
  POD_LABELS,
  POD_LEAVING,
  POD_REMOVED,
  POD_SCALED_DOWN,
} from '../model/cluster-change.ts';
import type { FilterPluginName } from '../model/scheduler-profile.ts';

export type ClusterEvent =
  | 'node-added'
  | 'node-removed'
  | 'node-grown'
  | 'node-labels'
  | 'node-taints'
  | 'node-features'
  | 'pod-added'
  | 'pod-removed'
  | 'pod-labels'
  | 'pod-scaled-down'
  /** It is on its way out, and still takes its room. */
  | 'pod-leaving'
  /** A namespace, a service, an owner of pods. */
  | 'object-changed'
  /** Of the node that is nominated for a pod: a pod there changed or went, or the node itself. */
  | 'nominated-node-changed'
  | StorageEvent;

/** It concerns volumes, and may set apart pods that were alike. */
export type StorageEvent =
  | 'claim-changed'
  | 'volume-changed'
  | 'storage-class-changed'
  | 'csi-node-changed'
  | 'csi-driver-changed'
  | 'capacity-grown'
  | 'attachment-removed';

const CHANGES: readonly (readonly [ClusterChange, ClusterEvent])[] = [
  [NODE_ADDED, 'node-added'],
  [NODE_REMOVED, 'node-removed'],
  [NODE_GROWN, 'node-grown'],
  [NODE_LABELS, 'node-labels'],
  [NODE_TAINTS, 'node-taints'],
  [NODE_FEATURES, 'node-features'],
  [POD_ADDED, 'pod-added'],
  [POD_REMOVED, 'pod-removed'],
  [POD_LABELS, 'pod-labels'],
  [POD_SCALED_DOWN, 'pod-scaled-down'],
  [POD_LEAVING, 'pod-leaving'],
  [OBJECT_CHANGED, 'object-changed'],
];

export function eventsOf(change: ClusterChange): ClusterEvent[] {
  return CHANGES.filter(([bit]) => (change & bit) !== 0).map(([, event]) => event);
}

const ON_TOPOLOGY: readonly ClusterEvent[] = [
  'node-added',
  'node-removed',
  'node-labels',
  'pod-added',
  'pod-removed',
  'pod-labels',
  'object-changed',
];

/** A pod that waits until room has been made on its nominated node. It is not woken by room elsewhere, which is other pods'. */
export const NOMINATED = 'nominated';
/** A pod whose victims are being deleted. */
export const PREEMPTING = 'preempting';

const INTERESTS: Readonly<Record<FilterPluginName | typeof NOMINATED | typeof PREEMPTING, readonly ClusterEvent[]>> = {
  [NOMINATED]: ['node-added', 'nominated-node-changed'],
  [PREEMPTING]: [],
  NodeUnschedulable: ['node-added', 'node-taints'],
  NodeName: ['node-added'],
  TaintToleration: ['node-added', 'node-taints'],
  NodeAffinity: ['node-added', 'node-labels'],
  NodePorts: ['node-added', 'pod-removed'],
  NodeResourcesFit: ['node-added', 'node-grown', 'pod-removed', 'pod-scaled-down'],
  // A claim for one pod at a time is free again once that pod's node is gone.
  VolumeRestrictions: ['node-added', 'node-removed', 'pod-removed', 'claim-changed'],
  NodeVolumeLimits: [
    'node-added',
    'pod-removed',
    'claim-changed',
    'volume-changed',
    'csi-node-changed',
    'attachment-removed',
  ],
  VolumeBinding: [
    'node-added',
    'node-labels',
    'claim-changed',
    'volume-changed',
    'storage-class-changed',
    'csi-driver-changed',
    'capacity-grown',
  ],
  VolumeZone: ['node-added', 'node-labels', 'claim-changed', 'volume-changed', 'storage-class-changed'],
  // nodeTaintsPolicy leaves out nodes by their taints; pods on their way out are not counted.
  PodTopologySpread: [...ON_TOPOLOGY, 'node-taints', 'pod-leaving'],
  InterPodAffinity: ON_TOPOLOGY,
  NodeDeclaredFeatures: ['node-added', 'node-features'],
};

/** Pods that were refused together may not be alike any more: all of them are to be looked at. */
export function setsApart(event: ClusterEvent): boolean {
  return SETTING_APART.has(event);
}

const SETTING_APART: ReadonlySet<ClusterEvent> = new Set([
  'object-changed',
  'volume-changed',
  'storage-class-changed',
  'csi-driver-changed',
  'capacity-grown',
]);

/** Whether the event may help a pod that the plugin refused; any event may where the plugin is not known. */
export function mayHelp(event: ClusterEvent, plugin: string): boolean {
  const interests = INTERESTS[plugin as FilterPluginName] as readonly ClusterEvent[] | undefined;
  return interests === undefined || interests.includes(event);
}
