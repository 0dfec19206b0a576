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
      {
        weight: 1,
        arbitrary: fc
          .record({ monitors: fc.subarray(['m1', 'm2'], { minLength: 1 }), readOnly: fc.boolean() })
          .map((rbd) => ({ rbd: { image: 'image-1', ...rbd } })),
      },
      { weight: 1, arbitrary: fc.constant({ image: { reference: 'tool', pullPolicy: 'IfNotPresent' } }) },
      {
        weight: 1,
        arbitrary: fc.constant({
          ephemeral: {
            volumeClaimTemplate: {
              spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
            },
          },
        }),
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
      state: fc.oneof(
        { weight: 6, arbitrary: fc.constant('bound') },
        { weight: 1, arbitrary: fc.constantFrom('lost', 'immediate') },
        { weight: 4, arbitrary: fc.constantFrom('delayed', 'provisioned') },
      ),
      zone: rarely(fc.constantFrom(...ZONES, 'za__zb'), 3),
      affinity: rarely(fc.constantFrom('ssd', 'hdd'), 3),
      source: fc.constantFrom('csi', 'csi', 'gce'),
      handle: fc.constantFrom('h1', 'h2', 'h3'),
      request: fc.constantFrom('1Gi', '3Gi'),
      selector: rarely(fc.constant({ matchLabels: { kind: 'fast' } }), 5),
    })
    .map(({ exists, mode, state, zone, affinity, source, handle, request, selector }) => {
      if (!exists) return [];
      const volumeName = state === 'bound' || state === 'lost' ? `pv-${namespace}-${name}` : undefined;
      const waits = state === 'delayed' || state === 'provisioned';
      const storageClassName = waits ? state : 'immediate';
      const annotations = volumeName === undefined ? undefined : { 'pv.kubernetes.io/bind-completed': 'yes' };
      const claimObject = {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: present({ namespace, name, annotations }),
        spec: present({
          accessModes: [mode],
          resources: { requests: { storage: waits ? request : '1Gi' } },
          storageClassName,
          volumeName,
          selector: state === 'delayed' ? selector : undefined,
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
          nodeAffinity: affinity === undefined ? undefined : onDisk(affinity),
          csi: source === 'csi' ? { driver: 'csi.example.com', volumeHandle: handle } : undefined,
          gcePersistentDisk: source === 'gce' ? { pdName: handle } : undefined,
        }),
      };
      const objects: PlannedObject[] = [{ kind: 'PersistentVolumeClaim', object: claimObject }];
      if (state === 'bound') objects.push({ kind: 'PersistentVolume', object: volume });
      return objects;
    });

const storageClass = (name: string, volumeBindingMode: string, more: JsonFields): PlannedObject => ({
  kind: 'StorageClass',
  object: {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name },
    volumeBindingMode,
    ...more,
  },
});

/** A volume that waits for a claim of class `delayed`; no two of the same size. */
const staticVolume = (index: number, storage: string): fc.Arbitrary<PlannedObject[]> =>
  fc
    .record({
      exists: fc.boolean(),
      disk: rarely(fc.constantFrom('ssd', 'hdd'), 2),
      kind: fc.constantFrom('fast', undefined),
      modes: fc.constantFrom(['ReadWriteOnce'], ['ReadWriteOnce', 'ReadWriteMany'], ['ReadWriteOncePod']),
    })
    .map(({ exists, disk, kind, modes }): PlannedObject[] => {
      const name = `static-${index}`;
      const object = {
        apiVersion: 'v1',
        kind: 'PersistentVolume',
        metadata: { name, labels: present({ kind }) },
        spec: present({
          accessModes: modes,
          capacity: { storage },
          storageClassName: 'delayed',
          nodeAffinity: disk === undefined ? undefined : onDisk(disk),
          csi: { driver: 'csi.example.com', volumeHandle: name },
        }),
        status: { phase: 'Available' },
      };
      return exists ? [{ kind: 'PersistentVolume', object }] : [];
    });

function onDisk(disk: string): JsonFields {
  return {
    required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'disk', operator: 'In', values: [disk] }] }] },
  };
}

const driver: fc.Arbitrary<PlannedObject[]> = fc
  .constantFrom(true, false, undefined)
  .map((storageCapacity): PlannedObject[] => {
    const object = {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'CSIDriver',
      metadata: { name: 'csi.example.com' },
      spec: { storageCapacity },
    };
    return storageCapacity === undefined ? [] : [{ kind: 'CSIDriver', object }];
  });

const capacity = (index: number): fc.Arbitrary<PlannedObject[]> =>
  rarely(
    fc.record({
      zone: fc.constantFrom(...ZONES, undefined),
      capacity: fc.constantFrom('500Mi', '2Gi', '10Gi', undefined),
      maximumVolumeSize: rarely(fc.constantFrom('1Gi', '5Gi'), 3),
    }),
    2,
  ).map((parts): PlannedObject[] => {
    if (parts === undefined) return [];
    const { zone, ...sizes } = parts;
    const nodeTopology = zone === undefined ? {} : { matchLabels: { 'topology.kubernetes.io/zone': zone } };
    const object = {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'CSIStorageCapacity',
      metadata: { namespace: 'ns1', name: `capacity-${index}` },
      storageClassName: 'provisioned',
      nodeTopology,
    };
    return [{ kind: 'CSIStorageCapacity', object: present({ ...object, ...sizes }) }];
  });

const allowedTopologies: fc.Arbitrary<JsonFields> = rarely(fc.subarray([...ZONES], { minLength: 1 }), 3).map(
  (values) =>
    values === undefined
      ? {}
      : { allowedTopologies: [{ matchLabelExpressions: [{ key: 'topology.kubernetes.io/zone', values }] }] },
);

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

/** Classes `immediate`, `delayed` (static volumes only) and `provisioned`, and what there is of them. */
export function volumes(nodeCount: number): fc.Arbitrary<PlannedObject[]> {
  const classes = allowedTopologies.map((topologies) => [
    storageClass('immediate', 'Immediate', { provisioner: 'csi.example.com' }),
    storageClass('delayed', 'WaitForFirstConsumer', { provisioner: 'kubernetes.io/no-provisioner' }),
    storageClass('provisioned', 'WaitForFirstConsumer', { provisioner: 'csi.example.com', ...topologies }),
  ]);
  return fc
    .tuple(
      classes,
      driver,
      ...[0, 1].map(capacity),
      ...['1Gi', '2Gi', '5Gi'].map((size, index) => staticVolume(index, size)),
      ...NAMESPACES.flatMap((namespace) => CLAIMS.map((name) => claim(namespace, name))),
      ...Array.from({ length: nodeCount }, (_, index) => csiNode(index)),
      rarely(attachment(nodeCount), 3).map((objects) => objects ?? []),
    )
    .map((lists) => lists.flat());
}
