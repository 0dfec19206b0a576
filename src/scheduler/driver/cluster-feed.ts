// Follows the collections that scheduling depends on, and reads their objects; what cannot be read is told and left out. Pods come after the nodes that
// they are on.

import type { Clock } from '../../io/clock.ts';
import type {
  JsonObject,
  KubeApi,
  Lookalike,
  ObjectIdentity,
  Reflection,
  ReflectOptions,
} from '../../kube-api/kube-api.ts';
import { headOf, keyOf, type ObjectHead } from '../../kube-api/object-head.ts';
import type { ResourceName } from '../../kube-api/resource.ts';
import { type ClusterKind, type ClusterObject, readClusterObject } from '../model/cluster-objects.ts';
import { type NodeObject, readNode } from '../model/node-object.ts';
import { NodeModels } from './node-models.ts';
import { PodModels, type SharedPod } from './pod-models.ts';

/** Pods, as upstream follows them: what has finished takes nothing of its node. */
export const UNFINISHED: string = 'status.phase!=Succeeded,status.phase!=Failed';

/** All but nodes and pods. */
export const CLUSTER_RESOURCES: readonly (readonly [ResourceName, ClusterKind])[] = [
  ['namespaces', 'Namespace'],
  ['services', 'Service'],
  ['replicationcontrollers', 'ReplicationController'],
  ['replicasets', 'ReplicaSet'],
  ['statefulsets', 'StatefulSet'],
  ['persistentvolumeclaims', 'PersistentVolumeClaim'],
  ['persistentvolumes', 'PersistentVolume'],
  ['storageclasses', 'StorageClass'],
  ['csinodes', 'CSINode'],
  ['csidrivers', 'CSIDriver'],
  ['csistoragecapacities', 'CSIStorageCapacity'],
  ['volumeattachments', 'VolumeAttachment'],
  ['poddisruptionbudgets', 'PodDisruptionBudget'],
];

export interface ClusterHandler {
  onNode(node: NodeObject): void;
  onNodeDeleted(name: string): void;
  onObject(object: ClusterObject, head: ObjectHead): void;
  onObjectDeleted(kind: ClusterKind, key: string): void;
  onPod(pod: SharedPod): void;
  /** The API shows a pod on the node that it was bound to from here, otherwise unchanged. False: it has to be read. */
  onPodBound(uid: string, nodeName: string): boolean;
  onPodDeleted(uid: string): void;
  /** Once: every collection has been read. */
  onSynced(seconds: number): void;
  /** Something cannot be followed, or an object cannot be read. */
  onProblem(resource: ResourceName, text: string): void;
}

export class ClusterFeed {
  readonly #api: KubeApi;
  readonly #clock: Clock;
  readonly #handler: ClusterHandler;
  readonly #nodes = new NodeModels();
  readonly #pods = new PodModels();
  readonly #reflections: Reflection[] = [];
  readonly #startedMs: number;
  #unsynced = 0;
  #isClosed = false;

  constructor(api: KubeApi, clock: Clock, handler: ClusterHandler) {
    this.#api = api;
    this.#clock = clock;
    this.#handler = handler;
    this.#startedMs = clock.nowMs();
  }

  get isSynced(): boolean {
    return this.#reflections.length > 0 && this.#unsynced === 0;
  }

  get reflections(): readonly Reflection[] {
    return this.#reflections;
  }

  start(): void {
    const handler = this.#handler;
    // The pods'.
    this.#unsynced++;
    this.#follow(
      'nodes',
      (json) => this.#read('nodes', readNode(json), (node) => handler.onNode(node)),
      ({ name }) => handler.onNodeDeleted(name),
      {},
      (object) => this.#setAlike(this.#nodes.alike(object), (node) => handler.onNode(node)),
      // A million pods whose nodes are not known yet would have to be kept by themselves.
      () => this.#followPods(),
    );
    for (const [resource, kind] of CLUSTER_RESOURCES) {
      this.#follow(
        resource,
        (json) => this.#setObject(resource, kind, json),
        (identity) => handler.onObjectDeleted(kind, keyOf(identity)),
      );
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const reflection of this.#reflections) reflection.close();
  }

  #followPods(): void {
    const handler = this.#handler;
    this.#unsynced--;
    if (this.#isClosed) return;
    this.#follow(
      'pods',
      (json) => this.#read('pods', this.#pods.read(json), (pod) => handler.onPod(pod)),
      ({ uid }) => handler.onPodDeleted(uid),
      // A new leader has to know what the one before has bound: a list from a cache that is behind will not do.
      { fieldSelector: UNFINISHED, isNewest: true },
      (object) => this.#setAlike(this.#pods.alike(object), (pod) => handler.onPod(pod)),
    );
  }

  #setObject(resource: ResourceName, kind: ClusterKind, json: JsonObject): void {
    const head = headOf(json);
    // The API gives no object without a uid and a version.
    if (head === undefined) this.#handler.onProblem(resource, 'an object without uid or resourceVersion');
    else this.#read(resource, readClusterObject(kind, json), (object) => this.#handler.onObject(object, head));
  }

  #read<T>(resource: ResourceName, read: { object: T } | { reason: string }, use: (object: T) => void): void {
    if ('reason' in read) this.#handler.onProblem(resource, read.reason);
    else use(read.object);
  }

  #setAlike<T>(model: T | undefined, use: (object: T) => void): boolean {
    if (model !== undefined) use(model);
    return model !== undefined;
  }

  #follow(
    resource: ResourceName,
    onSet: (json: JsonObject) => void,
    onDeleted: (identity: ObjectIdentity) => void,
    options: ReflectOptions = {},
    onAlike?: (object: Lookalike) => boolean,
    afterwards: () => void = () => {},
  ): void {
    this.#unsynced++;
    const handler = {
      onSet,
      ...(onAlike === undefined ? {} : { onAlike }),
      onBound: (uid: string, nodeName: string) => this.#handler.onPodBound(uid, nodeName),
      onDeleted,
      onSynced: () => {
        afterwards();
        this.#unsynced--;
        if (this.#unsynced === 0) this.#handler.onSynced((this.#clock.nowMs() - this.#startedMs) / 1000);
      },
      onProblem: (text: string) => this.#handler.onProblem(resource, text),
    };
    this.#reflections.push(this.#api.reflect(resource, handler, options));
  }
}
