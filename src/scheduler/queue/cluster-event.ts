// What happened in the cluster, and which plugins it can make think again (kube-scheduler 1.36, EventsToRegister of each plugin).

import type { FilterPluginName } from '../model/scheduler-profile.ts';

export type ClusterEvent =
  | 'node-added'
  | 'node-changed'
  | 'node-removed'
  | 'pod-added'
  | 'pod-changed'
  | 'pod-removed'
  /** A namespace, a service, an owner of pods, a budget. */
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

/** A pod that waits until room has been made on its nominated node. It is not woken by room elsewhere, which is other pods'. */
export const NOMINATED = 'nominated';
/** A pod whose victims are being deleted. */
export const PREEMPTING = 'preempting';

const INTERESTS: Readonly<Record<FilterPluginName | typeof NOMINATED | typeof PREEMPTING, readonly ClusterEvent[]>> = {
  [NOMINATED]: ['node-added', 'nominated-node-changed'],
  [PREEMPTING]: [],
  NodeUnschedulable: ON_NODES,
  NodeName: ON_NODES,
  TaintToleration: ON_NODES,
  NodeAffinity: ON_NODES,
  NodePorts: ON_ROOM,
  NodeResourcesFit: ON_ROOM,
  VolumeRestrictions: [...ON_ROOM, 'claim-changed'],
  NodeVolumeLimits: [...ON_ROOM, 'claim-changed', 'volume-changed', 'csi-node-changed', 'attachment-removed'],
  VolumeBinding: [
    ...ON_NODES,
    'claim-changed',
    'volume-changed',
    'storage-class-changed',
    'csi-driver-changed',
    'capacity-grown',
  ],
  VolumeZone: [...ON_NODES, 'claim-changed', 'volume-changed', 'storage-class-changed'],
  PodTopologySpread: ON_TOPOLOGY,
  InterPodAffinity: ON_TOPOLOGY,
  NodeDeclaredFeatures: ON_NODES,
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
