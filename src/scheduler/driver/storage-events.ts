// Which pods that wait are woken by what happens to volumes and claims (upstream's queueing hints of the volume plugins).
//
// A claim, and a volume that is set aside or bound, concern the pods that name the claim, and nobody else: with a volume made for each of a
// million pods, every other pod would be tried a million times in vain. Free volumes, classes, drivers and capacities may help any pod
// that was refused for its volumes.

import { claimKeyOf } from '../model/claim-lookup.ts';
import { type ClusterKind, type ClusterObject, objectKey } from '../model/cluster-objects.ts';
import type { PodObject } from '../model/pod-object.ts';
import type { StorageEvent } from '../queue/cluster-event.ts';
import type { SchedulingQueue } from '../queue/scheduling-queue.ts';

type Wakeable = Pick<SchedulingQueue, 'wake' | 'wakePods'>;

export class StorageEvents {
  readonly #queue: Wakeable;
  /** Uids of the pods that wait, by the claims that they name. */
  readonly #users = new Map<string, Set<string>>();
  readonly #claims = new Map<string, readonly string[]>();
  /** Bytes that were there, by the key of the capacity. */
  readonly #room = new Map<string, number | undefined>();

  constructor(queue: Wakeable) {
    this.#queue = queue;
  }

  /** A pod that waits. */
  add(pod: PodObject): void {
    this.remove(pod.uid);
    const keys = pod.volumes.flatMap(({ claimName }) => (claimName === undefined ? [] : [claimKeyOf(pod, claimName)]));
    if (keys.length === 0) return;
    this.#claims.set(pod.uid, keys);
    for (const key of keys) {
      const users = this.#users.get(key);
      if (users === undefined) this.#users.set(key, new Set([pod.uid]));
      else users.add(pod.uid);
    }
  }

  /** It waits no longer. */
  remove(uid: string): void {
    for (const key of this.#claims.get(uid) ?? []) {
      const users = this.#users.get(key);
      users?.delete(uid);
      if (users?.size === 0) this.#users.delete(key);
    }
    this.#claims.delete(uid);
  }

  set(object: ClusterObject): void {
    switch (object.kind) {
      case 'PersistentVolumeClaim':
        this.#wakeUsers(objectKey(object), 'claim-changed');
        break;
      case 'PersistentVolume':
        if (object.claim === undefined) this.#queue.wake('volume-changed');
        else this.#wakeUsers(`${object.claim.namespace}/${object.claim.name}`, 'volume-changed');
        break;
      case 'StorageClass':
        this.#queue.wake('storage-class-changed');
        break;
      case 'CSINode':
        this.#queue.wake('csi-node-changed');
        break;
      case 'CSIDriver':
        this.#queue.wake('csi-driver-changed');
        break;
      case 'CSIStorageCapacity': {
        const key = objectKey(object);
        const before = this.#room.get(key) ?? -1;
        this.#room.set(key, object.bytes);
        if ((object.bytes ?? -1) > before) this.#queue.wake('capacity-grown');
        break;
      }
    }
  }

  deleted(kind: ClusterKind, key: string): void {
    // Nobody fits where a volume, a claim or a class has gone.
    if (kind === 'CSIStorageCapacity') this.#room.delete(key);
    else if (kind === 'VolumeAttachment') this.#queue.wake('attachment-removed');
    else if (kind === 'CSINode') this.#queue.wake('csi-node-changed');
    else if (kind === 'CSIDriver') this.#queue.wake('csi-driver-changed');
  }

  #wakeUsers(claimKey: string, event: StorageEvent): void {
    const users = this.#users.get(claimKey);
    if (users !== undefined) this.#queue.wakePods(users, event);
  }
}
