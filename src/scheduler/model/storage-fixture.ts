// Volumes and claims as a test has told schedulers of them, and what a volume controller and a provisioner would make of them.

import { type ClaimObject, objectKey, type VolumeObject } from './cluster-objects.ts';
import { type ClusterCommand, setAsideFor } from './command.ts';
import type { VolumePlan } from './decision.ts';
import { NO_LABELS } from './label-selector.ts';
import { ZERO } from './quantity.ts';

export class StorageMirror {
  readonly #claims = new Map<string, ClaimObject>();
  readonly #volumes = new Map<string, VolumeObject>();

  /** To be told of every command. */
  apply(command: ClusterCommand): void {
    if (command.kind === 'object-set') {
      const { object } = command;
      if (object.kind === 'PersistentVolumeClaim') this.#claims.set(objectKey(object), object);
      else if (object.kind === 'PersistentVolume') this.#volumes.set(object.name, object);
    } else if (command.kind === 'object-deleted') {
      if (command.objectKind === 'PersistentVolumeClaim') this.#claims.delete(command.key);
      else if (command.objectKind === 'PersistentVolume') this.#volumes.delete(command.key);
    }
  }

  /** What was taken for granted is given back, since the pod could not be bound; of what is still there. */
  released({ found, provisioned }: VolumePlan): ClusterCommand[] {
    const volumes = found.flatMap(({ volumeName }) => this.#volumes.get(volumeName) ?? []);
    const claims = provisioned.flatMap((key) => this.#claims.get(key) ?? []);
    return [
      ...volumes.map((volume): ClusterCommand => ({ kind: 'object-set', object: { ...volume, claim: undefined } })),
      ...claims.map((claim): ClusterCommand => ({ kind: 'object-set', object: { ...claim, selectedNode: undefined } })),
    ];
  }

  /** One of the claims is bound that have a volume set aside, or one to be made; some volumes are made in zone za. */
  bound(which: number): ClusterCommand[] {
    const waiting = [...this.#claims.values()].filter(({ volumeName }) => volumeName === '');
    const claim = waiting[which % Math.max(1, waiting.length)];
    if (claim === undefined) return [];
    const setAside = [...this.#volumes.values()].find(
      ({ claim: reference }) => reference?.name === claim.name && reference.namespace === claim.namespace,
    );
    if (setAside === undefined && claim.selectedNode === undefined) return [];
    const volume = { ...setAsideFor(setAside ?? madeFor(claim, which % 3 === 0), claim), isAvailable: false };
    return [
      { kind: 'object-set', object: volume },
      { kind: 'object-set', object: { ...claim, volumeName: volume.name, isBindCompleted: true } },
    ];
  }
}

function madeFor(claim: ClaimObject, isInZone: boolean): VolumeObject {
  const name = `made-${claim.namespace}-${claim.name}`;
  return {
    kind: 'PersistentVolume',
    name,
    labels: isInZone ? new Map([['topology.kubernetes.io/zone', 'za']]) : NO_LABELS,
    storageClass: claim.storageClass,
    accessModes: claim.accessModes,
    capacity: claim.request ?? ZERO,
    volumeMode: claim.volumeMode,
    attributesClass: claim.attributesClass,
    nodeSelector: undefined,
    claim: undefined,
    isAvailable: false,
    isTerminating: false,
    csi: { driver: 'csi.example.com', handle: name },
    isMigrated: false,
  };
}
