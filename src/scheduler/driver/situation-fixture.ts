// What the situations of wake-ups.test.ts are made of: nodes, pods and other objects, as commands.

import type { ClusterKind } from '../model/cluster-objects.ts';
import { boundTo, type ClusterCommand } from '../model/command.ts';
import { readNode } from '../model/node-object.ts';
import { mustRead, objectSet, podSet } from '../model/plan-fixture.ts';
import { PROFILES } from '../model/profile-fixture.ts';
import type { FilterPluginName } from '../model/scheduler-profile.ts';
import type { ClusterEvent } from '../queue/cluster-event.ts';

/** A pod that finds no place, and what lets it in, with nothing to wake it but one interest of one plugin (cluster-event.ts). */
export type Situation = readonly [
  name: string,
  event: ClusterEvent,
  before: readonly ClusterCommand[],
  waits: PodSet,
  then: ClusterCommand,
];

export type Situations = Readonly<Partial<Record<FilterPluginName, readonly Situation[]>>>;

export type PodSet = ClusterCommand & { readonly kind: 'pod-set' };

export const HOST = 'kubernetes.io/hostname';
export const ZONE = 'topology.kubernetes.io/zone';
export const ROOM = { cpu: '4', memory: '8Gi', pods: '10' };

export function node(
  name: string,
  more: { zone?: string; room?: object; spec?: object; status?: object } = {},
): ClusterCommand {
  const metadata = { name, labels: { [HOST]: name, ...(more.zone === undefined ? {} : { [ZONE]: more.zone }) } };
  const status = { allocatable: { ...ROOM, ...more.room }, ...more.status };
  return { kind: 'node-set', node: mustRead(readNode({ metadata, spec: more.spec ?? {}, status })) };
}

export function pod(name: string, spec: object = {}, metadata: object = {}): PodSet {
  const containers = [{ name: 'c', image: 'i' }];
  const whole = { namespace: 'default', name, uid: name, ...metadata };
  return podSet({
    metadata: whole,
    spec: { schedulerName: PROFILES[0].schedulerName, containers, ...spec },
    status: {},
  });
}

/** Of the namespace `default`. */
export function object(kind: ClusterKind, name: string, fields: object, metadata: object = {}): ClusterCommand {
  return objectSet(kind, { metadata: { namespace: 'default', name, ...metadata }, ...fields });
}

export function on(nodeName: string, { pod: waiting }: PodSet): PodSet {
  return { kind: 'pod-set', pod: boundTo(waiting, nodeName) };
}

export const gone = ({ pod: { uid } }: PodSet): ClusterCommand => ({ kind: 'pod-deleted', uid });
export const nodeGone = (name: string): ClusterCommand => ({ kind: 'node-deleted', name });
