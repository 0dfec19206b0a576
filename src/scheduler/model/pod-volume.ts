// The volumes of a pod that bear on where it may run.
//
// In-tree disks are read twice: as what VolumeRestrictions compares, and as the CSI volume that stands for them
// (csi-translation-lib of 1.36), which NodeVolumeLimits counts.

import type { JsonView } from './json-view.ts';

/** A CSI volume: what NodeVolumeLimits counts once per node. */
export interface CsiSource {
  readonly driver: string;
  readonly handle: string;
}

export type DiskKind = 'gce' | 'aws' | 'iscsi' | 'rbd';

/** An inline disk that only one pod of a node may use, or several that all read. */
export interface InlineDisk {
  readonly kind: DiskKind;
  /** Two disks are the same when kind and id agree, and, of rbd, a monitor. */
  readonly id: string;
  readonly monitors: readonly string[];
  readonly isReadOnly: boolean;
}

export interface PodVolume {
  readonly name: string;
  /** The claim it names, or the one that is made for an ephemeral volume; undefined for other volumes. */
  readonly claimName: string | undefined;
  /** The claim is the pod's own: `<pod>-<volume>`, to be controlled by the pod. */
  readonly isEphemeral: boolean;
  readonly disk: InlineDisk | undefined;
  readonly migrated: CsiSource | undefined;
}

/** `image` volumes bear on ImageLocality only; readPod keeps their reference with the containers' images. */
export function podVolumeOf(view: JsonView, podName: string): PodVolume {
  const name = view.text('name');
  const isEphemeral = !view.has('persistentVolumeClaim') && view.has('ephemeral');
  const named = view.has('persistentVolumeClaim') ? view.object('persistentVolumeClaim').text('claimName') : undefined;
  return {
    name,
    claimName: isEphemeral ? `${podName}-${name}` : named,
    isEphemeral,
    disk: inlineDiskOf(view),
    migrated: migratedSourceOf(view, ''),
  };
}

function inlineDiskOf(view: JsonView): InlineDisk | undefined {
  const gce = view.object('gcePersistentDisk');
  if (gce.isPresent) return disk('gce', gce.text('pdName'), gce.flag('readOnly'));
  const aws = view.object('awsElasticBlockStore');
  // EBS volumes clash even when both only read.
  if (aws.isPresent) return disk('aws', aws.text('volumeID'), false);
  const iscsi = view.object('iscsi');
  if (iscsi.isPresent) return disk('iscsi', iscsi.text('iqn'), iscsi.flag('readOnly'));
  const rbd = view.object('rbd');
  if (!rbd.isPresent) return undefined;
  const id = JSON.stringify([rbd.text('pool') || 'rbd', rbd.text('image')]);
  return { kind: 'rbd', id, monitors: rbd.texts('monitors'), isReadOnly: rbd.flag('readOnly') };
}

function disk(kind: DiskKind, id: string, isReadOnly: boolean): InlineDisk {
  return { kind, id, monitors: [], isReadOnly };
}

/**
 * The CSI volume that stands for an in-tree one, undefined where it has none or cannot be translated. `zones` is the zone
 * label of a persistent volume, several with `__` between them, and '' for an inline one. The handle tells volumes apart as
 * the translated one does; it is not always its text.
 */
export function migratedSourceOf(view: JsonView, zones: string): CsiSource | undefined {
  const gce = view.object('gcePersistentDisk');
  if (gce.isPresent) {
    const place = gcePlaceOf(zones);
    return place === undefined
      ? undefined
      : { driver: 'pd.csi.storage.gke.io', handle: `${place}/${gce.text('pdName')}` };
  }
  const aws = view.object('awsElasticBlockStore');
  if (aws.isPresent) {
    const id = aws.text('volumeID');
    const named = /^aws:\/\/[^/]*\/+(vol-[^/]*?)\/*$/.exec(id)?.[1];
    const handle = id.startsWith('aws://') ? named : id;
    return handle === undefined ? undefined : { driver: 'ebs.csi.aws.com', handle };
  }
  const azure = view.object('azureDisk');
  if (azure.isPresent) {
    const kind = azure.text('kind').toLowerCase();
    if (kind !== '' && kind !== 'managed') return undefined;
    return { driver: 'disk.csi.azure.com', handle: azure.text('diskURI') };
  }
  const cinder = view.object('cinder');
  if (cinder.isPresent) return { driver: 'cinder.csi.openstack.org', handle: cinder.text('volumeID') };
  const portworx = view.object('portworxVolume');
  if (portworx.isPresent) return { driver: 'pxd.portworx.com', handle: portworx.text('volumeID') };
  return undefined;
}

/** The zone, or the region of several zones `region-x-zone`; undefined where they are not of one region. */
function gcePlaceOf(label: string): string | undefined {
  if (label === '') return 'unspecified';
  const zones = label.split('__');
  if (zones.length === 1) return `zone ${label}`;
  const regions = new Set(zones.map((zone) => /^([^-]*-[^-]*)-[^-]*$/.exec(zone)?.[1]));
  const [region] = regions;
  return regions.size === 1 && region !== undefined ? `region ${region}` : undefined;
}

/** Drivers that took over from the in-tree plugins of storage classes. */
export const MIGRATED_PROVISIONERS: ReadonlyMap<string, string> = new Map([
  ['kubernetes.io/gce-pd', 'pd.csi.storage.gke.io'],
  ['kubernetes.io/aws-ebs', 'ebs.csi.aws.com'],
  ['kubernetes.io/azure-disk', 'disk.csi.azure.com'],
  ['kubernetes.io/cinder', 'cinder.csi.openstack.org'],
  ['kubernetes.io/portworx-volume', 'pxd.portworx.com'],
]);
