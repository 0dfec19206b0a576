// Pods with volumes for bench/kernel.ts, a claim each:
//   claims   of a class whose volumes are made where the pod is to run; a node attaches 24 of them at most
//   disks    of a class of local disks, one on each node, which a pod takes
//   bound    bound already, each to the disk of one node

import { type ClusterKind, readClusterObject } from '../src/scheduler/model/cluster-objects.ts';
import type { ClusterCommand } from '../src/scheduler/model/command.ts';
import type { PodObject } from '../src/scheduler/model/pod-object.ts';

const DRIVER = 'csi.example.com';
const ATTACHED_MAX = 24;

export class BenchStorage {
  readonly #feature: string;
  readonly #nodeCount: number;
  readonly #apply: (command: ClusterCommand) => void;

  constructor(feature: string, nodeCount: number, apply: (command: ClusterCommand) => void) {
    this.#feature = feature;
    this.#nodeCount = nodeCount;
    this.#apply = apply;
  }

  get isUsed(): boolean {
    return ['claims', 'disks', 'bound'].includes(this.#feature);
  }

  setUp(): void {
    if (!this.isUsed) return;
    const volumeBindingMode = 'WaitForFirstConsumer';
    this.#set('StorageClass', { metadata: { name: 'claims' }, provisioner: DRIVER, volumeBindingMode });
    this.#set('StorageClass', {
      metadata: { name: 'disks' },
      provisioner: 'kubernetes.io/no-provisioner',
      volumeBindingMode,
    });
    for (let i = 0; i < this.#nodeCount; i++) {
      const drivers = [{ name: DRIVER, nodeID: 'x', allocatable: { count: ATTACHED_MAX } }];
      this.#set('CSINode', { metadata: { name: `node-${i}` }, spec: { drivers } });
      if (this.#feature === 'disks') this.#set('PersistentVolume', this.#disk(`disk-${i}`, i));
    }
  }

  /** The pod with a claim of its own. */
  withClaim(pod: PodObject, index: number): PodObject {
    if (!this.isUsed) return pod;
    const claimName = `claim-${index}`;
    const isBound = this.#feature === 'bound';
    const volumeName = `disk-${index}`;
    if (isBound) this.#set('PersistentVolume', this.#disk(volumeName, (index * 7919) % this.#nodeCount, claimName));
    this.#set('PersistentVolumeClaim', {
      metadata: {
        namespace: pod.namespace,
        name: claimName,
        uid: claimName,
        annotations: isBound ? { 'pv.kubernetes.io/bind-completed': 'yes' } : {},
      },
      spec: {
        accessModes: ['ReadWriteOnce'],
        storageClassName: isBound ? 'disks' : this.#feature,
        resources: { requests: { storage: '1Gi' } },
        ...(isBound ? { volumeName } : {}),
      },
    });
    const volume = { name: 'data', claimName, isEphemeral: false, disk: undefined, migrated: undefined };
    return { ...pod, volumes: [volume] };
  }

  #disk(name: string, node: number, claimName?: string): object {
    const matchExpressions = [{ key: 'kubernetes.io/hostname', operator: 'In', values: [`node-${node}`] }];
    return {
      metadata: { name, uid: name },
      spec: {
        accessModes: ['ReadWriteOnce'],
        capacity: { storage: '1Gi' },
        storageClassName: 'disks',
        nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions }] } },
        ...(claimName === undefined ? {} : { claimRef: { namespace: 'default', name: claimName, uid: claimName } }),
      },
      status: { phase: claimName === undefined ? 'Available' : 'Bound' },
    };
  }

  #set(kind: ClusterKind, json: object): void {
    const read = readClusterObject(kind, json);
    if ('reason' in read) throw new Error(read.reason);
    this.#apply({ kind: 'object-set', object: read.object });
  }
}
