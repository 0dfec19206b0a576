// Random volumes, claims and what CSI drivers say, as the API has them in JSON.

import fc from 'fast-check';
import type { ClusterKind } from './cluster-objects.ts';
import { present, rarely, ZONES } from './node-fixture.ts';
import type { JsonFields } from './plan-fixture.ts';

const NAMESPACES = ['ns1', 'ns2'];
const CLAIMS = ['data-0', 'data-1', 'data-2', 'data-3'];

/** Volumes of a pod; `data-9` has no claim. */
export const podVolumes: fc.Arbitrary<JsonFields[]> = fc
  .array(
    fc.oneof(
      {
        weight: 6,
        arbitrary: fc
          .constantFrom(...CLAIMS, ...CLAIMS, 'data-9')
          .map((claimName) => ({ persistentVolumeClaim: { claimName } })),
      },
      {
        weight: 1,
        arbitrary: fc
          .record({ pdName: fc.constantFrom('disk-1', 'disk-2'), readOnly: fc.boolean() })
          .map((gcePersistentDisk) => ({ gcePersistentDisk })),
      },
      {
        weight: 1,
        arbitrary: fc.constantFrom('vol-1', 'vol-2').map((volumeID) => ({ awsElasticBlockStore: { volumeID } })),
      },
    ),
    { minLength: 1, maxLength: 2 },
  )
  .map((volumes) => volumes.map((volume, index) => ({ name: `v${index}`, ...volume })));

interface PlannedObject {
  readonly kind: ClusterKind;
  readonly object: JsonFields;
}

/** A claim and the volume it is bound to, if any. */
const claim = (namespace: string, name: string): fc.Arbitrary<PlannedObject[]> =>
  fc
    .record({
      exists: fc.constantFrom(true, true, true, true, true, true, true, false),
      mode: fc.constantFrom('ReadWriteOnce', 'ReadWriteMany', 'ReadWriteOncePod'),
      state: fc.constantFrom(
        'bound',
        'bound',
        'bound',
        'bound',
        'bound',
        'bound',
        'bound',
        'lost',
        'immediate',
        'delayed',
      ),
      zone: rarely(fc.constantFrom(...ZONES, 'za__zb'), 3),
      affinity: rarely(fc.constantFrom('ssd', 'hdd'), 3),
      source: fc.constantFrom('csi', 'csi', 'gce'),
      handle: fc.constantFrom('h1', 'h2', 'h3'),
    })
    .map(({ exists, mode, state, zone, affinity, source, handle }) => {
      if (!exists) return [];
      const volumeName = state === 'bound' || state === 'lost' ? `pv-${namespace}-${name}` : undefined;
      const storageClassName = state === 'delayed' ? 'delayed' : 'immediate';
      const annotations = volumeName === undefined ? undefined : { 'pv.kubernetes.io/bind-completed': 'yes' };
      const claimObject = {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: present({ namespace, name, annotations }),
        spec: present({
          accessModes: [mode],
          resources: { requests: { storage: '1Gi' } },
          storageClassName,
          volumeName,
        }),
      };
      const volume = {
        apiVersion: 'v1',
        kind: 'PersistentVolume',
        metadata: {
          name: volumeName,
          labels: present({ 'topology.kubernetes.io/zone': zone }),
        },
        spec: present({
          accessModes: [mode],
          capacity: { storage: '1Gi' },
          storageClassName,
          claimRef: { namespace, name },
          nodeAffinity:
            affinity === undefined
              ? undefined
              : {
                  required: {
                    nodeSelectorTerms: [{ matchExpressions: [{ key: 'disk', operator: 'In', values: [affinity] }] }],
                  },
                },
          csi: source === 'csi' ? { driver: 'csi.example.com', volumeHandle: handle } : undefined,
          gcePersistentDisk: source === 'gce' ? { pdName: handle } : undefined,
        }),
      };
      const objects: PlannedObject[] = [{ kind: 'PersistentVolumeClaim', object: claimObject }];
      if (state === 'bound') objects.push({ kind: 'PersistentVolume', object: volume });
      return objects;
    });

const storageClass = (name: string, volumeBindingMode: string, provisioner: string): PlannedObject => ({
  kind: 'StorageClass',
  object: {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name },
    provisioner,
    volumeBindingMode,
  },
});

const csiNode = (index: number): fc.Arbitrary<PlannedObject[]> =>
  rarely(fc.constantFrom(1, 2, undefined), 2).map((count) => [
    {
      kind: 'CSINode',
      object: {
        apiVersion: 'storage.k8s.io/v1',
        kind: 'CSINode',
        metadata: { name: `n${index}` },
        spec: {
          drivers: ['csi.example.com', 'pd.csi.storage.gke.io'].map((name) =>
            present({ name, nodeID: `n${index}`, allocatable: count === undefined ? undefined : { count } }),
          ),
        },
      },
    },
  ]);

const attachment = (nodeCount: number): fc.Arbitrary<PlannedObject[]> =>
  fc
    .record({
      node: fc.nat(nodeCount - 1),
      namespace: fc.constantFrom(...NAMESPACES),
      claimName: fc.constantFrom(...CLAIMS),
    })
    .map(({ node, namespace, claimName }) => [
      {
        kind: 'VolumeAttachment',
        object: {
          apiVersion: 'storage.k8s.io/v1',
          kind: 'VolumeAttachment',
          metadata: { name: `attachment-${node}` },
          spec: {
            attacher: 'csi.example.com',
            nodeName: `n${node}`,
            source: { persistentVolumeName: `pv-${namespace}-${claimName}` },
          },
        },
      },
    ]);

/** The delayed class cannot provision: a pod that waits for a volume of it fits nowhere, and nobody has to make one. */
export function volumes(nodeCount: number): fc.Arbitrary<PlannedObject[]> {
  return fc
    .tuple(
      fc.constant([
        storageClass('immediate', 'Immediate', 'csi.example.com'),
        storageClass('delayed', 'WaitForFirstConsumer', 'kubernetes.io/no-provisioner'),
      ]),
      ...NAMESPACES.flatMap((namespace) => CLAIMS.map((name) => claim(namespace, name))),
      ...Array.from({ length: nodeCount }, (_, index) => csiNode(index)),
      rarely(attachment(nodeCount), 3).map((objects) => objects ?? []),
    )
    .map((lists) => lists.flat());
}
