/** Objects of every kind that a scheduler follows, with as many fields set as one of each can have at a time. */
import type { JsonObject } from '../kubernetes/kube-client.ts';

export interface Sample {
  /** Where it is created. */
  readonly path: string;
  readonly object: JsonObject;
  /** What API servers add when they read it from the store. */
  readonly atReading?: JsonObject;
  /** Its key, below /registry/. */
  readonly key: string;
}

const core = '/api/v1';
const inDefault = `${core}/namespaces/default`;

function item(apiVersion: string, kind: string, name: string, rest: JsonObject): JsonObject {
  return { apiVersion, kind, metadata: { name, ...Object(rest.metadata) }, ...without(rest, 'metadata') };
}

function without(object: JsonObject, name: string): JsonObject {
  const { [name]: _, ...rest } = object;
  return rest;
}

const term = {
  topologyKey: 'kubernetes.io/hostname',
  labelSelector: {
    matchLabels: { app: 'web' },
    matchExpressions: [{ key: 'tier', operator: 'In', values: ['a', 'b'] }],
  },
  namespaceSelector: {},
};
const nodeTerm = { matchExpressions: [{ key: 'disk', operator: 'NotIn', values: ['hdd'] }] };

const richPod: JsonObject = {
  metadata: { labels: { app: 'web', tier: 'a' }, annotations: { note: 'grüße', empty: '' } },
  spec: {
    terminationGracePeriodSeconds: 0,
    nodeSelector: { disk: 'ssd' },
    tolerations: [{ key: 'spot', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 0 }],
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [nodeTerm] },
        preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 7, preference: nodeTerm }],
      },
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [term],
        preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, podAffinityTerm: term }],
      },
    },
    topologySpreadConstraints: [
      { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule', minDomains: 2, labelSelector: {} },
    ],
    initContainers: [{ name: 'init', image: 'init:1', restartPolicy: 'Always', resources: { requests: { cpu: '1' } } }],
    containers: [
      {
        name: 'main',
        image: 'registry.example/web:1',
        command: ['run'],
        env: [{ name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }, { name: 'EMPTY' }],
        ports: [{ containerPort: 8080, hostPort: 8080 }],
        resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '1Gi' } },
        readinessProbe: { httpGet: { path: '/ready', port: 'http' }, periodSeconds: 3 },
        livenessProbe: { tcpSocket: { port: 8080 } },
        securityContext: { runAsUser: 0, allowPrivilegeEscalation: false },
        volumeMounts: [{ name: 'config', mountPath: '/etc/web' }],
      },
    ],
    volumes: [
      { name: 'config', configMap: { name: 'web', items: [{ key: 'a', path: 'a' }] } },
      { name: 'scratch', emptyDir: { sizeLimit: '1500m' } },
      { name: 'data', persistentVolumeClaim: { claimName: 'data' } },
    ],
    schedulingGates: [{ name: 'example.com/wait' }],
  },
};

const template = {
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'main', image: 'web:1' }] },
};
const selector = { matchLabels: { app: 'web' } };
const lease = {
  metadata: { namespace: 'kube-node-lease' },
  spec: { holderIdentity: 'node-1', leaseDurationSeconds: 40, renewTime: '2026-01-02T03:04:05.000600Z' },
};

export const SAMPLES: readonly Sample[] = [
  {
    path: `${core}/nodes`,
    key: 'minions/node-1',
    object: item('v1', 'Node', 'node-1', {
      metadata: { labels: { 'kubernetes.io/hostname': 'node-1', zone: 'a' } },
      spec: { podCIDR: '10.0.0.0/24', podCIDRs: ['10.0.0.0/24'], taints: [{ key: 'spot', effect: 'NoSchedule' }] },
      status: {
        capacity: { cpu: '32', memory: '128Gi', pods: '110', 'example.com/gpu': '8' },
        allocatable: { cpu: '31500m', memory: '120Gi', pods: '110', 'example.com/gpu': '8' },
        conditions: [
          { type: 'Ready', status: 'True', lastHeartbeatTime: '2026-01-02T03:04:05Z', reason: 'KubeletReady' },
        ],
        addresses: [{ type: 'InternalIP', address: '10.0.0.1' }],
        daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
        nodeInfo: { kubeletVersion: 'v1.36.3', operatingSystem: 'linux', architecture: 'amd64' },
        images: [{ names: ['web:1', 'web@sha256:00'], sizeBytes: 123456789 }],
      },
    }),
  },
  {
    path: '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases',
    key: 'leases/kube-node-lease/node-1',
    object: item('coordination.k8s.io/v1', 'Lease', 'node-1', lease),
  },
  { path: `${inDefault}/pods`, key: 'pods/default/rich', object: item('v1', 'Pod', 'rich', richPod) },
  { path: `${inDefault}/pods`, key: 'pods/default/plain', object: item('v1', 'Pod', 'plain', { spec: template.spec }) },
  {
    path: `${core}/namespaces`,
    key: 'namespaces/team',
    object: item('v1', 'Namespace', 'team', { metadata: { labels: { team: 'x' } } }),
  },
  {
    path: `${inDefault}/services`,
    key: 'services/specs/default/web',
    object: item('v1', 'Service', 'web', {
      spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 'http' }] },
    }),
  },
  {
    path: `${inDefault}/replicationcontrollers`,
    key: 'controllers/default/web',
    object: item('v1', 'ReplicationController', 'web', { spec: { replicas: 0, selector: { app: 'web' }, template } }),
  },
  {
    path: '/apis/apps/v1/namespaces/default/replicasets',
    key: 'replicasets/default/web',
    object: item('apps/v1', 'ReplicaSet', 'web', { spec: { replicas: 0, selector, template } }),
  },
  {
    path: '/apis/apps/v1/namespaces/default/statefulsets',
    key: 'statefulsets/default/web',
    object: item('apps/v1', 'StatefulSet', 'web', { spec: { replicas: 0, serviceName: 'web', selector, template } }),
  },
  {
    path: '/apis/policy/v1/namespaces/default/poddisruptionbudgets',
    key: 'poddisruptionbudgets/default/web',
    object: item('policy/v1', 'PodDisruptionBudget', 'web', { spec: { selector, maxUnavailable: '25%' } }),
  },
  {
    path: `${inDefault}/persistentvolumeclaims`,
    key: 'persistentvolumeclaims/default/data',
    atReading: { status: { phase: 'Pending' } },
    object: item('v1', 'PersistentVolumeClaim', 'data', {
      spec: { accessModes: ['ReadWriteOnce'], storageClassName: 'fast', resources: { requests: { storage: '1Gi' } } },
    }),
  },
  {
    path: `${core}/persistentvolumes`,
    key: 'persistentvolumes/disk',
    object: item('v1', 'PersistentVolume', 'disk', {
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce'],
        csi: { driver: 'csi.example', volumeHandle: 'h', volumeAttributes: { a: 'b' } },
        nodeAffinity: { required: { nodeSelectorTerms: [nodeTerm] } },
      },
    }),
  },
  {
    path: '/apis/storage.k8s.io/v1/storageclasses',
    key: 'storageclasses/fast',
    object: item('storage.k8s.io/v1', 'StorageClass', 'fast', {
      provisioner: 'csi.example',
      volumeBindingMode: 'WaitForFirstConsumer',
      allowedTopologies: [{ matchLabelExpressions: [{ key: 'zone', values: ['a'] }] }],
    }),
  },
  {
    path: '/apis/storage.k8s.io/v1/csinodes',
    key: 'csinodes/node-1',
    object: item('storage.k8s.io/v1', 'CSINode', 'node-1', {
      spec: { drivers: [{ name: 'csi.example', nodeID: 'n', topologyKeys: ['zone'], allocatable: { count: 0 } }] },
    }),
  },
  {
    path: '/apis/storage.k8s.io/v1/csidrivers',
    key: 'csidrivers/csi.example',
    object: item('storage.k8s.io/v1', 'CSIDriver', 'csi.example', { spec: { storageCapacity: true } }),
  },
  {
    path: '/apis/storage.k8s.io/v1/namespaces/default/csistoragecapacities',
    key: 'csistoragecapacities/default/room',
    object: item('storage.k8s.io/v1', 'CSIStorageCapacity', 'room', {
      storageClassName: 'fast',
      nodeTopology: selector,
      capacity: '10Gi',
    }),
  },
  {
    path: '/apis/storage.k8s.io/v1/volumeattachments',
    key: 'volumeattachments/at',
    object: item('storage.k8s.io/v1', 'VolumeAttachment', 'at', {
      spec: { attacher: 'csi.example', nodeName: 'node-1', source: { persistentVolumeName: 'disk' } },
    }),
  },
];
