// Who keeps something of nodes elsewhere is told of each change of them, one after the other: what feeds the shards (../shards).

import type { ObjectOf } from '../model/cluster-objects.ts';
import type { PodRecord } from './pod-table.ts';

export interface ClusterObserver {
  /** Before anything changes of the node, of its pods, or of what is counted by its hostname. */
  nodeWillChange(slot: number): void;
  /** It has come, or is another one now. Its pods were taken, and are put again. */
  nodeSet(slot: number): void;
  /** It goes, its pods were taken. */
  nodeGone(slot: number): void;
  /** The pod is on the node of its slot. */
  podPut(record: PodRecord): void;
  /** It leaves the node of its slot. */
  podTaken(record: PodRecord): void;
  /** Pods are nominated for the node that were not, or are no more. */
  nominationsChanged(slot: number): void;
  /** Undefined: it is gone. */
  namespaceChanged(name: string, namespace: ObjectOf<'Namespace'> | undefined): void;
}
