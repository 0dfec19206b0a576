// What happened in the cluster, and which plugins it can make think again (kube-scheduler 1.36, EventsToRegister of each plugin).

import type { FilterPluginName } from '../model/scheduler-profile.ts';

export type ClusterEvent =
  | 'node-added'
  | 'node-changed'
  | 'node-removed'
  | 'pod-added'
  | 'pod-changed'
  | 'pod-removed'
  | 'object-changed';

const ON_NODES: readonly ClusterEvent[] = ['node-added', 'node-changed'];
const ON_TOPOLOGY: readonly ClusterEvent[] = [
  ...ON_NODES,
  'node-removed',
  'pod-added',
  'pod-changed',
  'pod-removed',
  'object-changed',
];
const ON_ROOM: readonly ClusterEvent[] = [...ON_NODES, 'pod-changed', 'pod-removed'];
const ON_VOLUMES: readonly ClusterEvent[] = [...ON_ROOM, 'object-changed'];

const INTERESTS: Readonly<Record<FilterPluginName, readonly ClusterEvent[]>> = {
  NodeUnschedulable: ON_NODES,
  NodeName: ON_NODES,
  TaintToleration: ON_NODES,
  NodeAffinity: ON_NODES,
  NodePorts: ON_ROOM,
  NodeResourcesFit: ON_ROOM,
  VolumeRestrictions: ON_VOLUMES,
  NodeVolumeLimits: ON_VOLUMES,
  VolumeBinding: ON_VOLUMES,
  VolumeZone: ON_VOLUMES,
  PodTopologySpread: ON_TOPOLOGY,
  InterPodAffinity: ON_TOPOLOGY,
  NodeDeclaredFeatures: ON_NODES,
};

/** Whether the event may help a pod that the plugin refused; any event may where the plugin is not known. */
export function mayHelp(event: ClusterEvent, plugin: string): boolean {
  const interests = INTERESTS[plugin as FilterPluginName] as readonly ClusterEvent[] | undefined;
  return interests === undefined || interests.includes(event);
}
