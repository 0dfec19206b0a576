// Volumes on the way between the API, the kernel and the pods that wait for them.
//
//   API ─► AssumedStorage: what is shown, and what is taken for granted ─► kernel
//      └─► StorageEvents ─► queue: who may try again          └─► VolumeBinder: writes, and waits until claims are bound
//
// Objects of other kinds than volumes and claims go to the kernel as they are.

import type { Clock } from '../../io/clock.ts';
import type { KubeApi } from '../../kube-api/kube-api.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { ClusterKind, ClusterObject } from '../model/cluster-objects.ts';
import type { PodObject } from '../model/pod-object.ts';
import type { SchedulingQueue } from '../queue/scheduling-queue.ts';
import { AssumedStorage } from './assumed-storage.ts';
import { StorageEvents } from './storage-events.ts';
import { VolumeBinder, type VolumesToBind } from './volume-binder.ts';

const STORAGE_KINDS: ReadonlySet<ClusterKind> = new Set([
  'PersistentVolumeClaim',
  'PersistentVolume',
  'StorageClass',
  'CSINode',
  'CSIDriver',
  'CSIStorageCapacity',
  'VolumeAttachment',
]);

/** Whether objects of the kind bear on volumes, and are to be told here. */
export function isStorage(kind: ClusterKind): boolean {
  return STORAGE_KINDS.has(kind);
}

/** What was taken for granted for a pod is free again. */
const GIVEN_BACK = 'volume-changed';

export interface PodVolumesOptions {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly kernel: Kernel;
  readonly queue: SchedulingQueue;
  /** By the clock's nowMs; it may move on. */
  readonly leadsUntilMs: () => number;
  /** `problem`: why they are not bound; undefined when they are. */
  readonly onEnd: (uid: string, nodeName: string, problem: string | undefined) => void;
}

export class PodVolumes {
  readonly #kernel: Kernel;
  readonly #queue: SchedulingQueue;
  readonly #storage: AssumedStorage;
  readonly #events: StorageEvents;
  readonly #binder: VolumeBinder;

  constructor({ api, clock, kernel, queue, leadsUntilMs, onEnd }: PodVolumesOptions) {
    this.#kernel = kernel;
    this.#queue = queue;
    this.#storage = new AssumedStorage((command) => kernel.apply(command));
    this.#events = new StorageEvents(queue);
    this.#binder = new VolumeBinder({
      api,
      clock,
      storage: this.#storage,
      leadsUntilMs,
      labelsOf: (nodeName) => kernel.labelsOf(nodeName),
      onEnd: (uid, nodeName, problem) => {
        if (problem !== undefined) queue.wake(GIVEN_BACK);
        onEnd(uid, nodeName, problem);
      },
    });
  }

  /** Pods whose volumes are being bound. */
  get bindingCount(): number {
    return this.#binder.count;
  }

  /** False: no more pods may be started. */
  get hasRoom(): boolean {
    return this.#binder.hasRoom;
  }

  set(object: ClusterObject, uid: string, resourceVersion: string): void {
    const { kind } = object;
    if (kind === 'PersistentVolumeClaim' || kind === 'PersistentVolume') {
      this.#storage.set({ object, uid, resourceVersion });
      const key = kind === 'PersistentVolume' ? object.name : `${object.namespace}/${object.name}`;
      this.#binder.changed(kind, key);
    } else this.#kernel.apply({ kind: 'object-set', object });
    this.#events.set(object);
  }

  deleted(kind: ClusterKind, key: string): void {
    if (kind === 'PersistentVolumeClaim' || kind === 'PersistentVolume') {
      this.#storage.delete(kind, key);
      this.#binder.changed(kind, key);
    } else this.#kernel.apply({ kind: 'object-deleted', objectKind: kind, key });
    this.#events.deleted(kind, key);
  }

  nodeGone(nodeName: string): void {
    this.#binder.nodeGone(nodeName);
  }

  /** The pod waits for a decision, from now on. */
  podWaits(pod: PodObject): void {
    this.#events.add(pod);
  }

  /** It is gone, or on a node. */
  podLeft(uid: string): void {
    this.#events.remove(uid);
    if (this.#binder.cancel(uid)) this.#queue.wake(GIVEN_BACK);
  }

  bind(what: VolumesToBind): void {
    this.#binder.start(what);
  }

  close(): void {
    this.#binder.close();
  }
}
