// The CSI volumes of each node, each counted once for its driver, against what CSINode says a driver attaches there. Counted anew for a node
// when one is to be placed that adds to them and something has changed since: that costs its pods with volumes, a hundred at most or so.

import { claimOf, ownershipProblem } from '../model/claim-lookup.ts';
import type { AttachmentObject, ClaimObject, ClusterObject, ObjectLookup } from '../model/cluster-objects.ts';
import { type CsiSource, MIGRATED_PROVISIONERS } from '../model/pod-volume.ts';
import type { VolumeUse, VolumeUsers } from './volume-users.ts';

export interface Attached {
  /** Handles of the volumes of its pods. */
  readonly handles: ReadonlySet<string>;
  /** By driver, those that are only attached included. */
  readonly counts: ReadonlyMap<string, number>;
  /** Why they cannot be told. */
  readonly problem: string | undefined;
}

const NO_LIMITS: ReadonlyMap<string, number> = new Map();

export class AttachedVolumes {
  readonly #objects: ObjectLookup;
  readonly #users: VolumeUsers;
  readonly #known = new Map<number, Attached>();
  readonly #attachments = new Map<string, Set<AttachmentObject>>();
  /** Names of nodes, by the volume that is attached. */
  readonly #attachedTo = new Map<string, Map<string, number>>();

  constructor(objects: ObjectLookup, users: VolumeUsers) {
    this.#objects = objects;
    this.#users = users;
  }

  get size(): number {
    return this.#known.size + this.#attachments.size + this.#attachedTo.size;
  }

  /** By driver; one that is not there has no limit. */
  limitsOf(nodeName: string): ReadonlyMap<string, number> {
    return this.#objects.find('CSINode', nodeName)?.limits ?? NO_LIMITS;
  }

  at(slot: number, nodeName: string): Attached {
    let attached = this.#known.get(slot);
    if (attached === undefined) {
      attached = this.count(
        [...this.#users.at(slot)].flatMap(({ volumes }) => volumes ?? []),
        nodeName,
      );
      this.#known.set(slot, attached);
    }
    return attached;
  }

  forget(slot: number): void {
    this.#known.delete(slot);
  }

  forgetAll(): void {
    this.#known.clear();
  }

  /** Of an attachment that came or went. */
  changed(before: ClusterObject | undefined, after: ClusterObject | undefined): void {
    if (before?.kind === 'VolumeAttachment') this.#file(before, -1);
    if (after?.kind === 'VolumeAttachment') this.#file(after, 1);
  }

  /** Names of the nodes that the volume is attached to. */
  nodesWith(volumeName: string): Iterable<string> {
    return this.#attachedTo.get(volumeName)?.keys() ?? [];
  }

  #file(attachment: AttachmentObject, sign: 1 | -1): void {
    const { nodeName, volumeName } = attachment;
    const ofNode = this.#attachments.get(nodeName) ?? new Set();
    if (sign > 0) this.#attachments.set(nodeName, ofNode.add(attachment));
    else ofNode.delete(attachment);
    if (ofNode.size === 0) this.#attachments.delete(nodeName);
    if (volumeName === undefined) return;
    const nodes = this.#attachedTo.get(volumeName) ?? new Map<string, number>();
    const count = (nodes.get(nodeName) ?? 0) + sign;
    if (count > 0) this.#attachedTo.set(volumeName, nodes.set(nodeName, count));
    else nodes.delete(nodeName);
    if (nodes.size === 0) this.#attachedTo.delete(volumeName);
  }

  /** Were these the pods of the node that have volumes. */
  count(uses: Iterable<VolumeUse>, nodeName: string): Attached {
    const counts = new Map<string, number>();
    const handles = new Set<string>();
    const every = new Set<string>();
    const add = (source: CsiSource): void => {
      const key = handleKeyOf(source);
      if (every.has(key)) return;
      every.add(key);
      counts.set(source.driver, (counts.get(source.driver) ?? 0) + 1);
    };
    for (const use of uses) {
      for (const volume of use.volumes) {
        const source = volume.claimName === undefined ? volume.migrated : this.#sourceOf(use, volume);
        if (typeof source === 'string') return { handles, counts, problem: source };
        if (source === undefined) continue;
        handles.add(handleKeyOf(source));
        add(source);
      }
    }
    for (const { attacher, volumeName } of this.#attachments.get(nodeName) ?? []) {
      const volume = this.#objects.find('PersistentVolume', volumeName ?? '');
      if (attacher === '' || volume?.csi === undefined || volume.isMigrated) continue;
      add({ driver: attacher, handle: volume.csi.handle });
    }
    return { handles, counts, problem: undefined };
  }

  /** Of a claim of a pod that is there; a claim that is gone counts nothing. */
  #sourceOf(use: VolumeUse, volume: VolumeUse['volumes'][number]): CsiSource | string | undefined {
    if (volume.claimName === '') return NAMELESS_CLAIM;
    const claim = claimOf(this.#objects, use, volume);
    if (claim === undefined) return undefined;
    const problem = volume.isEphemeral ? ownershipProblem(use, claim) : undefined;
    return problem ?? sourceOfClaim(this.#objects, claim);
  }
}

export const NAMELESS_CLAIM = 'PersistentVolumeClaim had no name';

export function handleKeyOf({ driver, handle }: CsiSource): string {
  return `${driver}/${handle}`;
}

/** The CSI volume of a claim, on a node that has a CSINode; of one that is not bound yet the one it will have. */
export function sourceOfClaim(objects: ObjectLookup, claim: ClaimObject): CsiSource | undefined {
  const bound = claim.volumeName === '' ? undefined : objects.find('PersistentVolume', claim.volumeName);
  if (bound !== undefined) {
    return bound.csi !== undefined && bound.csi.driver !== '' && bound.csi.handle !== '' ? bound.csi : undefined;
  }
  const provisioner = objects.find('StorageClass', claim.storageClass)?.provisioner;
  if (provisioner === undefined || provisioner === '') return undefined;
  const driver = MIGRATED_PROVISIONERS.get(provisioner) ?? provisioner;
  return { driver, handle: `unbound ${claim.namespace}/${claim.name}` };
}
