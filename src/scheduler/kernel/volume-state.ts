// What is known about volumes, and which nodes have to be looked at again when something of it changes.

import type { ClusterObject, ObjectLookup } from '../model/cluster-objects.ts';
import { AttachedVolumes } from './attached-volumes.ts';
import type { ChangeRing } from './change-ring.ts';
import { canonicalText } from './interner.ts';
import type { NodeTable } from './node-table.ts';
import type { PodRecord } from './pod-table.ts';
import { StorageObjects } from './storage-objects.ts';
import { VolumeUsers } from './volume-users.ts';

export interface VolumeStateOptions {
  readonly objects: ObjectLookup;
  readonly nodes: NodeTable;
  readonly changes: ChangeRing;
  readonly slotsWithHostname: (hostname: string) => Iterable<number>;
}

export class VolumeState {
  readonly storage: StorageObjects;
  readonly users: VolumeUsers = new VolumeUsers();
  readonly attached: AttachedVolumes;
  readonly #nodes: NodeTable;
  readonly #changes: ChangeRing;

  constructor({ objects, nodes, changes, slotsWithHostname }: VolumeStateOptions) {
    this.#nodes = nodes;
    this.#changes = changes;
    this.attached = new AttachedVolumes(objects, this.users);
    this.storage = new StorageObjects((hostname) => {
      for (const slot of slotsWithHostname(hostname)) changes.push(slot);
    });
  }

  /** Entries of what is kept beside the objects themselves. */
  get size(): number {
    return this.storage.size + this.users.size + this.attached.size;
  }

  put(record: PodRecord, slot: number): void {
    if (record.volumes === undefined) return;
    this.users.put(record, record.volumes, slot);
    this.attached.forget(slot);
  }

  take(record: PodRecord, slot: number): void {
    if (record.volumes === undefined) return;
    this.users.take(record, record.volumes, slot);
    this.attached.forget(slot);
  }

  /** The slot is another node's now, or nobody's. */
  nodeChanged(slot: number): void {
    this.attached.forget(slot);
  }

  /** One of them is undefined for an object that came or went. */
  objectChanged(before: ClusterObject | undefined, after: ClusterObject | undefined): void {
    this.storage.changed(before, after);
    this.attached.changed(before, after);
    const object = after ?? before;
    switch (object?.kind) {
      case 'PersistentVolumeClaim':
        this.#touchUsers(`${object.namespace}/${object.name}`);
        break;
      case 'PersistentVolume':
        // Most changes are of what it is bound to.
        if (sourceText(before) !== sourceText(after)) this.#touchVolume(object.name);
        break;
      case 'StorageClass':
        // It names the driver of claims that are not bound.
        this.attached.forgetAll();
        for (const slot of this.users.slots()) this.#changes.push(slot);
        break;
      case 'CSINode':
        this.#touchNode(object.name);
        break;
      case 'VolumeAttachment':
        for (const one of [before, after]) if (one?.kind === object.kind) this.#touchNode(one.nodeName);
        break;
    }
  }

  #touchVolume(name: string): void {
    for (const claimKey of this.storage.claimsNaming(name)) this.#touchUsers(claimKey);
    for (const nodeName of this.attached.nodesWith(name)) this.#touchNode(nodeName);
  }

  #touchUsers(claimKey: string): void {
    for (const { slot } of this.users.of(claimKey)) this.#touch(slot);
  }

  #touchNode(name: string): void {
    const slot = this.#nodes.slotOf(name);
    if (slot !== undefined) this.#touch(slot);
  }

  #touch(slot: number): void {
    this.attached.forget(slot);
    this.#changes.push(slot);
  }
}

function sourceText(object: ClusterObject | undefined): string {
  return object?.kind === 'PersistentVolume' ? canonicalText([object.csi, object.isMigrated]) : '';
}
