// A pod that waits because of its volumes, and what lets it in: for each interest of the plugins that look at volumes.

import type { ClusterCommand } from '../model/command.ts';
import { objectSet } from '../model/plan-fixture.ts';
import { gone, node, nodeGone, object, on, pod, type Situations, ZONE } from './situation-fixture.ts';

const DRIVER = 'csi.example.com';
const DISK = { volumes: [{ name: 'v', iscsi: { targetPortal: 'p', iqn: 'q', lun: 0 } }] };
const claiming = (claimName: string): object => ({ volumes: [{ name: 'v', persistentVolumeClaim: { claimName } }] });

const VOLUME = { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' } };
const CLAIM = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
const BOUND = { annotations: { 'pv.kubernetes.io/bind-completed': 'yes' } };

function volume(name: string, spec: object, labels: object = {}): ClusterCommand {
  const phase = 'claimRef' in spec ? 'Bound' : 'Available';
  return objectSet('PersistentVolume', { metadata: { name, labels }, spec: { ...VOLUME, ...spec }, status: { phase } });
}

/** A claim that is not bound yet. */
const wish = (name: string, storageClassName: string): ClusterCommand =>
  object('PersistentVolumeClaim', name, { spec: { ...CLAIM, storageClassName } });

const boundClaim = (name: string, volumeName: string, spec: object = {}): ClusterCommand =>
  object('PersistentVolumeClaim', name, { spec: { ...CLAIM, volumeName, ...spec } }, BOUND);

/** A claim, and the volume that it is bound to. */
function claim(name: string, spec: object = {}, labels: object = {}): ClusterCommand[] {
  const csi = { driver: DRIVER, volumeHandle: name };
  const claimRef = { namespace: 'default', name };
  return [boundClaim(name, `pv-${name}`), volume(`pv-${name}`, { claimRef, csi, ...spec }, labels)];
}

/** The driver tells how much room it has, by objects for each class. */
const tracking = (storageCapacity: boolean): ClusterCommand =>
  objectSet('CSIDriver', { metadata: { name: DRIVER }, spec: { storageCapacity } });

const delayed = (name: string, provisioner: string): ClusterCommand =>
  objectSet('StorageClass', { metadata: { name }, provisioner, volumeBindingMode: 'WaitForFirstConsumer' });

const IN_Z2 = { nodeSelectorTerms: [{ matchExpressions: [{ key: ZONE, operator: 'In', values: ['z2'] }] }] };
const REACHED_FROM_Z2 = claim('c', { nodeAffinity: { required: IN_Z2 } });
const LABELLED_Z2 = claim('c', {}, { [ZONE]: 'z2' });
const attaching = (count: number): ClusterCommand =>
  objectSet('CSINode', {
    metadata: { name: 'n1' },
    spec: { drivers: [{ name: DRIVER, nodeID: 'n1', allocatable: { count } }] },
  });
/** A pod with the claim `d`, on a node that attaches no more. */
const ATTACHED = [node('n1'), attaching(1), ...claim('d'), on('n1', pod('a', claiming('d')))];
const OF_ANOTHER_DRIVER = volume('pv-c', {
  claimRef: { namespace: 'default', name: 'c' },
  csi: { driver: 'another.example.com', volumeHandle: 'c' },
});

export const VOLUME_SITUATIONS: Situations = {
  VolumeRestrictions: [
    [
      'its claim comes',
      'claim-changed',
      [node('n1'), ...claim('c').slice(1)],
      pod('p', claiming('c')),
      boundClaim('c', 'pv-c'),
    ],
    ['a node comes without the disk', 'node-added', [node('n1'), on('n1', pod('a', DISK))], pod('p', DISK), node('n2')],
    ['a disk is free again', 'pod-removed', [node('n1'), on('n1', pod('a', DISK))], pod('p', DISK), gone(pod('a'))],
    [
      'the node goes of the pod that holds a claim for one pod at a time',
      'node-removed',
      [
        node('n1'),
        node('n2'),
        boundClaim('c', 'pv-c', { accessModes: ['ReadWriteOncePod'] }),
        volume('pv-c', { accessModes: ['ReadWriteOncePod'], claimRef: { namespace: 'default', name: 'c' } }),
        on('n1', pod('a', claiming('c'))),
      ],
      pod('p', claiming('c')),
      nodeGone('n1'),
    ],
  ],
  NodeVolumeLimits: [
    [
      'a node comes that attaches more',
      'node-added',
      [...ATTACHED, ...claim('c')],
      pod('p', claiming('c')),
      node('n2'),
    ],
    [
      'a pod goes whose volume is attached',
      'pod-removed',
      [...ATTACHED, ...claim('c')],
      pod('p', claiming('c')),
      gone(pod('a')),
    ],
    ['a node attaches more', 'csi-node-changed', [...ATTACHED, ...claim('c')], pod('p', claiming('c')), attaching(2)],
    [
      'a volume is not attached any more',
      'attachment-removed',
      [
        node('n1'),
        attaching(1),
        ...claim('c'),
        ...claim('d'),
        objectSet('VolumeAttachment', {
          metadata: { name: 'at' },
          spec: { attacher: DRIVER, nodeName: 'n1', source: { persistentVolumeName: 'pv-d' } },
        }),
      ],
      pod('p', claiming('c')),
      { kind: 'object-deleted', objectKind: 'VolumeAttachment', key: 'at' },
    ],
    [
      'its claim is bound to a volume of another driver',
      'claim-changed',
      [...ATTACHED, delayed('s', DRIVER), wish('c', 's'), OF_ANOTHER_DRIVER],
      pod('p', claiming('c')),
      boundClaim('c', 'pv-c', { storageClassName: 's' }),
    ],
    [
      'the volume of its claim is another one of the name, and of another driver',
      'volume-changed',
      [...ATTACHED, ...claim('c')],
      pod('p', claiming('c')),
      OF_ANOTHER_DRIVER,
    ],
  ],
  VolumeBinding: [
    [
      'its claim is bound',
      'claim-changed',
      [node('n1'), wish('c', ''), ...claim('c').slice(1)],
      pod('p', claiming('c')),
      boundClaim('c', 'pv-c'),
    ],
    [
      'a volume comes',
      'volume-changed',
      [node('n1'), delayed('s', 'kubernetes.io/no-provisioner'), wish('c', 's')],
      pod('p', claiming('c')),
      volume('pv', { storageClassName: 's' }),
    ],
    [
      'a class comes',
      'storage-class-changed',
      [node('n1'), wish('c', 's')],
      pod('p', claiming('c')),
      delayed('s', DRIVER),
    ],
    [
      'a driver tells no more how much room it has',
      'csi-driver-changed',
      [node('n1'), delayed('s', DRIVER), tracking(true), wish('c', 's')],
      pod('p', claiming('c')),
      tracking(false),
    ],
    [
      'a driver has more room',
      'capacity-grown',
      [node('n1'), delayed('s', DRIVER), tracking(true), wish('c', 's')],
      pod('p', claiming('c')),
      object('CSIStorageCapacity', 'r', { storageClassName: 's', nodeTopology: {}, capacity: '2Gi' }),
    ],
    [
      'a node comes from which the volume is reached',
      'node-added',
      [node('n1', { zone: 'z1' }), ...REACHED_FROM_Z2],
      pod('p', claiming('c')),
      node('n2', { zone: 'z2' }),
    ],
    [
      'a node gets the label of those from which the volume is reached',
      'node-labels',
      [node('n1', { zone: 'z1' }), ...REACHED_FROM_Z2],
      pod('p', claiming('c')),
      node('n1', { zone: 'z2' }),
    ],
  ],
  VolumeZone: [
    [
      'its claim is another one of the name',
      'claim-changed',
      [node('n1', { zone: 'z1' }), ...LABELLED_Z2, ...claim('d')],
      pod('p', claiming('c')),
      boundClaim('c', 'pv-d'),
    ],
    [
      'its volume has another label',
      'volume-changed',
      [node('n1', { zone: 'z1' }), ...LABELLED_Z2],
      pod('p', claiming('c')),
      claim('c', {}, { [ZONE]: 'z1' })[1],
    ],
    [
      'a node comes in the zone of the volume',
      'node-added',
      [node('n1', { zone: 'z1' }), ...LABELLED_Z2],
      pod('p', claiming('c')),
      node('n2', { zone: 'z2' }),
    ],
    [
      'a node gets the zone of the volume',
      'node-labels',
      [node('n1', { zone: 'z1' }), ...LABELLED_Z2],
      pod('p', claiming('c')),
      node('n1', { zone: 'z2' }),
    ],
  ],
};
