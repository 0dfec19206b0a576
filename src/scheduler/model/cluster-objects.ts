// The other objects that scheduling reads, and their readers: namespaces, services and owners for selectors, volumes for
// where data is, budgets for preemption. Nodes and pods have files of their own.

import { type JsonView, type Read, readObject } from './json-view.ts';
import { type LabelSelector, type Labels, selectorOfPairs } from './label-selector.ts';
import type { NodeSelector } from './node-selector.ts';
import type { Owner } from './pod-object.ts';
import { ownerOf } from './pod-reader.ts';
import { type CsiSource, migratedSourceOf } from './pod-volume.ts';
import { type Quantity, UNIT, ZERO } from './quantity.ts';
import { amountOf } from './resources.ts';
import { nodeSelectorOf, parsedSelectorOf, selectorIn } from './selector-reader.ts';

export interface NamespaceObject {
  readonly kind: 'Namespace';
  readonly name: string;
  readonly labels: Labels;
}

export interface ServiceObject {
  readonly kind: 'Service';
  readonly namespace: string;
  readonly name: string;
  /** Empty pairs select nothing for a Service without selector, everything for one with an empty one. */
  readonly selector: Labels | undefined;
}

/** ReplicationController, ReplicaSet or StatefulSet: what the default spread of its pods goes by. */
export interface OwnerObject {
  readonly kind: 'ReplicationController' | 'ReplicaSet' | 'StatefulSet';
  readonly namespace: string;
  readonly name: string;
  readonly selector: LabelSelector;
}

export interface ClaimObject {
  readonly kind: 'PersistentVolumeClaim';
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly controller: Owner | undefined;
  /** '' while it is not bound. */
  readonly volumeName: string;
  /** Has annotation pv.kubernetes.io/bind-completed. */
  readonly isBindCompleted: boolean;
  /** Annotation volume.kubernetes.io/selected-node. */
  readonly selectedNode: string | undefined;
  /** From the beta annotation where that is set, else spec.storageClassName; '' for none. */
  readonly storageClass: string;
  readonly accessModes: readonly string[];
  /** spec.resources.requests.storage. */
  readonly request: Quantity | undefined;
  readonly selector: LabelSelector | undefined;
  readonly volumeMode: string;
  readonly attributesClass: string;
  /** Phase Lost. */
  readonly isLost: boolean;
  readonly isTerminating: boolean;
}

export interface ClaimReference {
  readonly namespace: string;
  readonly name: string;
  /** '' when the volume is set aside for a claim by name. */
  readonly uid: string;
}

export interface VolumeObject {
  readonly kind: 'PersistentVolume';
  readonly name: string;
  readonly labels: Labels;
  readonly storageClass: string;
  readonly accessModes: readonly string[];
  readonly capacity: Quantity;
  readonly volumeMode: string;
  readonly attributesClass: string;
  /** spec.nodeAffinity.required. */
  readonly nodeSelector: NodeSelector | undefined;
  readonly claim: ClaimReference | undefined;
  /** Phase Available. */
  readonly isAvailable: boolean;
  readonly isTerminating: boolean;
  /** Its own CSI source, or that which stands for its in-tree one. */
  readonly csi: CsiSource | undefined;
  readonly isMigrated: boolean;
}

export interface TopologyTerm {
  readonly expressions: readonly { readonly key: string; readonly values: readonly string[] }[];
}

export interface StorageClassObject {
  readonly kind: 'StorageClass';
  readonly name: string;
  readonly provisioner: string;
  /** undefined where volumeBindingMode is not set. */
  readonly isDelayed: boolean | undefined;
  /** Alternatives; none allow every node. */
  readonly allowedTopologies: readonly TopologyTerm[];
}

export interface CsiNodeObject {
  readonly kind: 'CSINode';
  /** The node's. */
  readonly name: string;
  /** Volumes that may be attached, by driver; a driver without a limit is absent. */
  readonly limits: ReadonlyMap<string, number>;
}

export interface CsiDriverObject {
  readonly kind: 'CSIDriver';
  readonly name: string;
  readonly tracksCapacity: boolean;
}

export interface StorageCapacityObject {
  readonly kind: 'CSIStorageCapacity';
  readonly namespace: string;
  readonly name: string;
  readonly storageClass: string;
  /** undefined: available nowhere. One that cannot be parsed selects nothing. */
  readonly nodes: LabelSelector | undefined;
  /** Bytes of the largest volume, else of all; undefined for unknown. */
  readonly bytes: number | undefined;
}

export interface AttachmentObject {
  readonly kind: 'VolumeAttachment';
  readonly name: string;
  readonly nodeName: string;
  readonly attacher: string;
  readonly volumeName: string | undefined;
}

export interface BudgetObject {
  readonly kind: 'PodDisruptionBudget';
  readonly namespace: string;
  readonly name: string;
  readonly selector: LabelSelector;
  readonly disruptionsAllowed: number;
  /** Names of pods whose eviction is under way. */
  readonly disruptedPods: ReadonlySet<string>;
}

export type ClusterObject =
  | NamespaceObject
  | ServiceObject
  | OwnerObject
  | ClaimObject
  | VolumeObject
  | StorageClassObject
  | CsiNodeObject
  | CsiDriverObject
  | StorageCapacityObject
  | AttachmentObject
  | BudgetObject;

export type ClusterKind = ClusterObject['kind'];

export type ObjectOf<K extends ClusterKind> = ClusterObject & { readonly kind: K };

/** Where the objects of a cluster are found. */
export interface ObjectLookup {
  find<K extends ClusterKind>(kind: K, key: string): ObjectOf<K> | undefined;
  all<K extends ClusterKind>(kind: K): Iterable<ObjectOf<K>>;
  /** Services, all at least that select pods of the namespace with these labels. */
  servicesFor(namespace: string, labels: Labels): Iterable<ObjectOf<'Service'>>;
}

const READERS: { readonly [K in ClusterKind]: (view: JsonView, metadata: JsonView, spec: JsonView) => ClusterObject } =
  {
    Namespace: (_, metadata) => ({ kind: 'Namespace', name: metadata.name('name'), labels: metadata.pairs('labels') }),
    Service: (_, metadata, spec) => ({
      kind: 'Service',
      ...placeOf(metadata),
      selector: spec.has('selector') ? spec.pairs('selector') : undefined,
    }),
    ReplicationController: (_, metadata, spec) => ({
      kind: 'ReplicationController',
      ...placeOf(metadata),
      selector: selectorOfPairs(spec.pairs('selector')),
    }),
    ReplicaSet: (_, metadata, spec) => ({
      kind: 'ReplicaSet',
      ...placeOf(metadata),
      selector: selectorIn(spec, 'selector'),
    }),
    StatefulSet: (_, metadata, spec) => ({
      kind: 'StatefulSet',
      ...placeOf(metadata),
      selector: selectorIn(spec, 'selector'),
    }),
    PersistentVolumeClaim: claimOf,
    PersistentVolume: volumeOf,
    StorageClass: storageClassOf,
    CSINode: (_, metadata, spec) => ({ kind: 'CSINode', name: metadata.name('name'), limits: limitsOf(spec) }),
    CSIDriver: (_, metadata, spec) => ({
      kind: 'CSIDriver',
      name: metadata.name('name'),
      tracksCapacity: spec.flag('storageCapacity'),
    }),
    CSIStorageCapacity: storageCapacityOf,
    VolumeAttachment: (_, metadata, spec) => ({
      kind: 'VolumeAttachment',
      name: metadata.name('name'),
      nodeName: spec.text('nodeName'),
      attacher: spec.text('attacher'),
      volumeName: spec.object('source').text('persistentVolumeName') || undefined,
    }),
    PodDisruptionBudget: budgetOf,
  };

/** From an object in JSON; `kind` as the API names it, of the group that ClusterObject documents. */
export function readClusterObject(kind: ClusterKind, json: unknown): Read<ClusterObject> {
  return readObject(json, (view) => READERS[kind](view, view.object('metadata'), view.object('spec')));
}

export function isClusterKind(kind: string): kind is ClusterKind {
  return Object.hasOwn(READERS, kind);
}

/** `namespace/name`, or the name of what has no namespace. */
export function objectKey(object: ClusterObject): string {
  return 'namespace' in object ? `${object.namespace}/${object.name}` : object.name;
}

function placeOf(metadata: JsonView): { namespace: string; name: string } {
  return { namespace: metadata.text('namespace') || 'default', name: metadata.name('name') };
}

const BETA_CLASS = 'volume.beta.kubernetes.io/storage-class';

function classOf(metadata: JsonView, spec: JsonView): string {
  return metadata.pairs('annotations').get(BETA_CLASS) ?? spec.text('storageClassName');
}

function claimOf(view: JsonView, metadata: JsonView, spec: JsonView): ClaimObject {
  const annotations = metadata.pairs('annotations');
  return {
    kind: 'PersistentVolumeClaim',
    ...placeOf(metadata),
    uid: metadata.text('uid'),
    controller: metadata
      .objects('ownerReferences')
      .filter((owner) => owner.flag('controller'))
      .map(ownerOf)[0],
    volumeName: spec.text('volumeName'),
    isBindCompleted: annotations.has('pv.kubernetes.io/bind-completed'),
    selectedNode: annotations.get('volume.kubernetes.io/selected-node'),
    storageClass: classOf(metadata, spec),
    accessModes: spec.texts('accessModes'),
    request: spec.object('resources').object('requests').quantity('storage'),
    selector: spec.has('selector') ? selectorIn(spec, 'selector') : undefined,
    volumeMode: spec.text('volumeMode') || 'Filesystem',
    attributesClass: spec.text('volumeAttributesClassName'),
    isLost: view.object('status').text('phase') === 'Lost',
    isTerminating: metadata.has('deletionTimestamp'),
  };
}

function volumeOf(view: JsonView, metadata: JsonView, spec: JsonView): VolumeObject {
  const labels = metadata.pairs('labels');
  const own = spec.object('csi');
  const zone = labels.get('failure-domain.beta.kubernetes.io/zone') || labels.get('topology.kubernetes.io/zone') || '';
  const claim = spec.object('claimRef');
  return {
    kind: 'PersistentVolume',
    name: metadata.name('name'),
    labels,
    storageClass: classOf(metadata, spec),
    accessModes: spec.texts('accessModes'),
    capacity: spec.object('capacity').quantity('storage') ?? ZERO,
    volumeMode: spec.text('volumeMode') || 'Filesystem',
    attributesClass: spec.text('volumeAttributesClassName'),
    nodeSelector: nodeSelectorOf(spec.object('nodeAffinity').object('required')),
    claim: claim.isPresent
      ? { namespace: claim.text('namespace'), name: claim.text('name'), uid: claim.text('uid') }
      : undefined,
    isAvailable: view.object('status').text('phase') === 'Available',
    isTerminating: metadata.has('deletionTimestamp'),
    csi: own.isPresent
      ? { driver: own.text('driver'), handle: own.text('volumeHandle') }
      : migratedSourceOf(spec, zone),
    isMigrated: !own.isPresent,
  };
}

function storageClassOf(view: JsonView, metadata: JsonView): StorageClassObject {
  const mode = view.text('volumeBindingMode');
  return {
    kind: 'StorageClass',
    name: metadata.name('name'),
    provisioner: view.text('provisioner'),
    isDelayed: mode === '' ? undefined : mode === 'WaitForFirstConsumer',
    allowedTopologies: view.objects('allowedTopologies').map((term) => ({
      expressions: term
        .objects('matchLabelExpressions')
        .map((item) => ({ key: item.text('key'), values: item.texts('values') })),
    })),
  };
}

function limitsOf(spec: JsonView): Map<string, number> {
  const limits = new Map<string, number>();
  for (const driver of spec.objects('drivers')) {
    const count = driver.object('allocatable').optionalNumber('count');
    if (count !== undefined) limits.set(driver.text('name'), count);
  }
  return limits;
}

function storageCapacityOf(view: JsonView, metadata: JsonView): StorageCapacityObject {
  const quantity = view.quantity('maximumVolumeSize') ?? view.quantity('capacity');
  return {
    kind: 'CSIStorageCapacity',
    ...placeOf(metadata),
    storageClass: view.text('storageClassName'),
    nodes: view.has('nodeTopology') ? parsedSelectorOf(view.object('nodeTopology')).selector : undefined,
    bytes: quantity === undefined ? undefined : amountOf(quantity, UNIT),
  };
}

function budgetOf(view: JsonView, metadata: JsonView, spec: JsonView): BudgetObject {
  const status = view.object('status');
  return {
    kind: 'PodDisruptionBudget',
    ...placeOf(metadata),
    selector: parsedSelectorOf(spec.object('selector')).selector,
    disruptionsAllowed: status.number('disruptionsAllowed'),
    disruptedPods: status.names('disruptedPods'),
  };
}
