// Which volumes suit which claims, disks and nodes (component-helpers storage/volume and the volume plugins of 1.36).

import type { ClaimObject, StorageClassObject, VolumeObject } from './cluster-objects.ts';
import { type Labels, matchesLabels } from './label-selector.ts';
import { matchesNodeSelector } from './node-selector.ts';
import type { InlineDisk } from './pod-volume.ts';
import { compareQuantities, ZERO } from './quantity.ts';

/** By labels alone: terms with fields are met by every node. */
export function isReachable({ nodeSelector }: Pick<VolumeObject, 'nodeSelector'>, labels: Labels): boolean {
  return nodeSelector === undefined || matchesNodeSelector(nodeSelector, { name: '', labels });
}

/** The volume is bound to the claim, or set aside for it by name. */
export function isFor({ claim: reference }: VolumeObject, claim: ClaimObject): boolean {
  if (reference === undefined) return false;
  if (reference.name !== claim.name || reference.namespace !== claim.namespace) return false;
  return reference.uid === '' || reference.uid === claim.uid;
}

/** What any volume for the claim has to be like, also one that is set aside for it. */
export function canHold(volume: VolumeObject, claim: ClaimObject): boolean {
  return (
    compareQuantities(volume.capacity, claim.request ?? ZERO) >= 0 &&
    volume.volumeMode === claim.volumeMode &&
    volume.attributesClass === claim.attributesClass &&
    !volume.isTerminating
  );
}

/** What a volume has to be like in addition that is not set aside for the claim. */
export function isFreeFor(volume: VolumeObject, claim: ClaimObject): boolean {
  return (
    volume.isAvailable &&
    (claim.selector === undefined || matchesLabels(claim.selector, volume.labels)) &&
    claim.accessModes.every((mode) => volume.accessModes.includes(mode))
  );
}

/** Volumes of the class may be made for the node. */
export function allowsTopology({ allowedTopologies }: StorageClassObject, labels: Labels): boolean {
  if (allowedTopologies.length === 0) return true;
  return allowedTopologies.some(
    ({ expressions }) =>
      expressions.length > 0 && expressions.every(({ key, values }) => values.includes(labels.get(key) ?? '\0')),
  );
}

const NO_PROVISIONER = 'kubernetes.io/no-provisioner';

export function canProvision({ provisioner }: StorageClassObject): boolean {
  return provisioner !== '' && provisioner !== NO_PROVISIONER;
}

/** Two pods of a node cannot have them both. */
export function doClash(a: InlineDisk, b: InlineDisk): boolean {
  if (a.kind !== b.kind || a.id !== b.id || (a.isReadOnly && b.isReadOnly)) return false;
  return a.kind !== 'rbd' || a.monitors.some((monitor) => b.monitors.includes(monitor));
}

const BETA_ZONE = 'failure-domain.beta.kubernetes.io/zone';
const BETA_REGION = 'failure-domain.beta.kubernetes.io/region';
const ZONE = 'topology.kubernetes.io/zone';
const REGION = 'topology.kubernetes.io/region';

const ZONE_LABELS = [BETA_ZONE, BETA_REGION, ZONE, REGION];
const SUCCESSORS: ReadonlyMap<string, string> = new Map([
  [BETA_ZONE, ZONE],
  [BETA_REGION, REGION],
]);

/** A zone or region label of a volume. */
export interface VolumePlace {
  readonly key: string;
  readonly values: ReadonlySet<string>;
}

/** A label may name several, with `__` between them; one that names an empty one does not count. */
export function placesOf({ labels }: VolumeObject): VolumePlace[] {
  return ZONE_LABELS.flatMap((key) => {
    const values = labels
      .get(key)
      ?.split('__')
      .map((value) => value.trim());
    return values === undefined || values.includes('') ? [] : [{ key, values: new Set(values) }];
  });
}

/** Whether a node with these labels is in all of the places; one that has no such label is. */
export function isInPlaces(places: readonly VolumePlace[], labels: Labels): boolean {
  if (!ZONE_LABELS.some((key) => labels.has(key))) return true;
  return places.every(({ key, values }) => {
    const value = labels.get(key) ?? labels.get(SUCCESSORS.get(key) ?? key);
    return value !== undefined && values.has(value);
  });
}
