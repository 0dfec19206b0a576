// How often pods came into each part of the queue, and why: kube-scheduler's scheduler_queue_incoming_pods_total, with its events' names
// (kube-scheduler 1.36: ClusterEvent.Label, framework/events.go).

import type { ClusterEvent } from './cluster-event.ts';

export type QueuePart = 'active' | 'backoff' | 'unschedulable';

/** What happens to a pod that waits, beside what happens in the cluster. */
export type QueueEvent =
  | 'UnschedulablePodAdd'
  | 'UnschedulablePodUpdate'
  | 'ScheduleAttemptFailure'
  | 'BackoffComplete'
  | 'PopFromBackoffQ'
  | 'UnschedulableTimeout'
  /** One like it was placed. */
  | 'ForceActivate';

const NAMES: Readonly<Record<ClusterEvent, string>> = {
  'node-added': 'NodeAdd',
  'node-removed': 'NodeDelete',
  'node-grown': 'NodeUpdateNodeAllocatable',
  'node-labels': 'NodeUpdateNodeLabel',
  'node-taints': 'NodeUpdateNodeTaint',
  'node-features': 'NodeUpdateNodeDeclaredFeature',
  'pod-added': 'AssignedPodAdd',
  'pod-removed': 'AssignedPodDelete',
  'pod-labels': 'AssignedPodUpdatePodLabel',
  'pod-scaled-down': 'AssignedPodUpdatePodScaleDown',
  'pod-leaving': 'AssignedPodUpdate',
  // Of namespaces, services and owners upstream has no event.
  'object-changed': 'ObjectUpdate',
  'nominated-node-changed': 'AssignedPodDelete',
  'claim-changed': 'PersistentVolumeClaimUpdate',
  'volume-changed': 'PersistentVolumeUpdate',
  'storage-class-changed': 'storage.k8s.io/StorageClassUpdate',
  'csi-node-changed': 'storage.k8s.io/CSINodeUpdate',
  'csi-driver-changed': 'storage.k8s.io/CSIDriverUpdate',
  'capacity-grown': 'storage.k8s.io/CSIStorageCapacityUpdate',
  'attachment-removed': 'storage.k8s.io/VolumeAttachmentDelete',
};

export interface IncomingCount {
  readonly queue: QueuePart;
  readonly event: string;
  readonly count: number;
}

type Cause = ClusterEvent | QueueEvent;
const PARTS: readonly QueuePart[] = ['active', 'backoff', 'unschedulable'];

export class IncomingPods {
  readonly #counts: Readonly<Record<QueuePart, Map<Cause, number>>> = {
    active: new Map(),
    backoff: new Map(),
    unschedulable: new Map(),
  };

  count(queue: QueuePart, cause: Cause): void {
    const counts = this.#counts[queue];
    counts.set(cause, (counts.get(cause) ?? 0) + 1);
  }

  /** One for each queue and name of an event. */
  counts(): IncomingCount[] {
    return PARTS.flatMap((queue) => {
      const byName = new Map<string, number>();
      for (const [cause, count] of this.#counts[queue]) {
        const event = NAMES[cause as ClusterEvent] ?? cause;
        byName.set(event, (byName.get(event) ?? 0) + count);
      }
      return [...byName].map(([event, count]) => ({ queue, event, count }));
    });
  }
}
