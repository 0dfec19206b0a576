// The pods that manifests would bring: a Pod stands for itself, a workload for as many pods of its template as its controller would
// make at once, with the labels and the owner that the controller gives them (pkg/controller of Kubernetes 1.36).
//
//   Deployment ─► a ReplicaSet of it, with pod-template-hash       StatefulSet ─► NAME-0, NAME-1, …
//   Job, CronJob ─► parallelism, at most completions                DaemonSet ─► one for each node that it is for
//
// Objects that scheduling reads besides (services, budgets, claims, …) come with them. Other kinds are left out, with a remark.
//
// Limit: PODS_MAX pods in all.

import type { JsonObject } from '../../kube-api/kube-api.ts';
import { isObject } from '../../kube-api/object-head.ts';
import type { NodeObject } from '../model/node-object.ts';
import { matchesRequiredNodes } from '../model/node-selector.ts';
import type { Owner, PodObject } from '../model/pod-object.ts';
import { readPod } from '../model/pod-reader.ts';
import { toleratesNode } from '../model/toleration.ts';
import { type ClusterSnapshot, isClusterKind } from './cluster-snapshot.ts';
import { ManifestError } from './errors.ts';
import type { Manifest } from './manifest-file.ts';
import { withDefaults } from './pod-defaults.ts';

export const PODS_MAX = 2_000_000;
const HASH = 'what-if';

export interface NewPods {
  /** Like "Deployment default/web". */
  readonly origin: string;
  readonly pods: readonly PodObject[];
}

export interface WorkloadOptions {
  /** Of objects that name none. */
  readonly namespace: string;
  /** In place of what workloads say; so many of each Pod, too. */
  readonly replicas: number | undefined;
}

/** Adds to the snapshot what is no pod, and answers with the pods. Throws ManifestError. */
export function newPods(
  manifests: readonly Manifest[],
  snapshot: ClusterSnapshot,
  options: WorkloadOptions,
): NewPods[] {
  const others = new Map<string, number>();
  const workloads: Workload[] = [];
  for (const { kind, object } of manifests) {
    const workload = workloadOf(kind, object, options);
    if (workload !== undefined) workloads.push(workload);
    else if (kind === 'Node' || isClusterKind(kind)) snapshot.set(kind, inNamespace(object, kind, options.namespace));
    else others.set(kind, (others.get(kind) ?? 0) + 1);
  }
  for (const [kind, count] of others)
    snapshot.remark(`${count} of kind ${kind} left out: scheduling does not read them`);
  let total = 0;
  return workloads.map((workload) => {
    const pods = podsOf(workload, snapshot);
    total += pods.length;
    if (total > PODS_MAX) throw new ManifestError(`the manifests make more than ${PODS_MAX} pods`);
    return { origin: workload.origin, pods };
  });
}

interface Workload {
  readonly origin: string;
  readonly namespace: string;
  /** Of pods, before the number. */
  readonly prefix: string;
  /** metadata and spec. */
  readonly template: JsonObject;
  readonly labels: JsonObject;
  readonly owner: Owner | undefined;
  /** How many; of a DaemonSet the nodes say. */
  readonly count: number | 'by node';
  readonly isNumbered: boolean;
  /** The object that the pods' default spread goes by. */
  readonly owning:
    | { readonly kind: 'ReplicaSet' | 'StatefulSet' | 'ReplicationController'; readonly object: JsonObject }
    | undefined;
}

function fieldsOf(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}

function inNamespace(object: JsonObject, kind: string, namespace: string): JsonObject {
  const isCluster = [
    'Node',
    'Namespace',
    'PersistentVolume',
    'StorageClass',
    'CSINode',
    'CSIDriver',
    'VolumeAttachment',
  ];
  return isCluster.includes(kind) ? object : { ...object, metadata: { namespace, ...fieldsOf(object.metadata) } };
}

/** Undefined for a kind that makes no pods. */
function workloadOf(kind: string, object: JsonObject, options: WorkloadOptions): Workload | undefined {
  const metadata = fieldsOf(object.metadata);
  const spec = fieldsOf(object.spec);
  const namespace = typeof metadata.namespace === 'string' ? metadata.namespace : options.namespace;
  const name = typeof metadata.name === 'string' ? metadata.name : String(metadata.generateName ?? '');
  const origin = `${kind} ${namespace}/${name}`;
  const template = fieldsOf(spec.template);
  const labels = fieldsOf(fieldsOf(template.metadata).labels);
  const base = {
    origin,
    namespace,
    prefix: `${name}-`,
    template,
    labels,
    owner: undefined,
    isNumbered: false,
    owning: undefined,
  };
  const count = (given: unknown): number => options.replicas ?? numberOr(given, 1, origin);
  const ownedBy = (apiVersion: string, ownerKind: string, ownerName = name): Owner => {
    return { apiVersion, kind: ownerKind, name: ownerName, uid: `what-if/${namespace}/${ownerKind}/${ownerName}` };
  };
  switch (kind) {
    case 'Pod':
      return { ...base, template: object, labels: fieldsOf(metadata.labels), count: options.replicas ?? 1 };
    case 'Deployment': {
      const hashed = { ...labels, 'pod-template-hash': HASH };
      const setName = `${name}-${HASH}`;
      const selector = {
        ...fieldsOf(spec.selector),
        matchLabels: { ...fieldsOf(fieldsOf(spec.selector).matchLabels), 'pod-template-hash': HASH },
      };
      const set = { metadata: { namespace, name: setName }, spec: { selector } };
      const owning = { kind: 'ReplicaSet', object: set } as const;
      return {
        ...base,
        prefix: `${setName}-`,
        labels: hashed,
        owner: ownedBy('apps/v1', 'ReplicaSet', setName),
        count: count(spec.replicas),
        owning,
      };
    }
    case 'ReplicaSet':
    case 'StatefulSet': {
      const owning = { kind, object: inNamespace(object, kind, namespace) } as const;
      const isNumbered = kind === 'StatefulSet';
      return { ...base, owner: ownedBy('apps/v1', kind), count: count(spec.replicas), isNumbered, owning };
    }
    case 'ReplicationController': {
      const owning = { kind, object: inNamespace(object, kind, namespace) } as const;
      return { ...base, owner: ownedBy('v1', kind), count: count(spec.replicas), owning };
    }
    case 'Job':
    case 'CronJob': {
      const job = kind === 'Job' ? spec : fieldsOf(fieldsOf(spec.jobTemplate).spec);
      const own = fieldsOf(job.template);
      const parallelism = count(job.parallelism);
      const completions = numberOr(job.completions, parallelism, origin);
      const most = options.replicas ?? Math.min(parallelism, completions);
      return {
        ...base,
        template: own,
        labels: fieldsOf(fieldsOf(own.metadata).labels),
        owner: ownedBy('batch/v1', 'Job'),
        count: most,
      };
    }
    case 'DaemonSet':
      return { ...base, owner: ownedBy('apps/v1', kind), count: 'by node' };
    default:
      return undefined;
  }
}

function numberOr(value: unknown, otherwise: number, origin: string): number {
  if (value === undefined || value === null) return otherwise;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new ManifestError(`${origin}: ${JSON.stringify(value)} is no number of pods`);
}

function podsOf(workload: Workload, snapshot: ClusterSnapshot): PodObject[] {
  const { count, prefix, owner, owning, template, isNumbered } = workload;
  if (owning !== undefined) snapshot.set(owning.kind, owning.object);
  const model = { ...modelOf(workload), controller: owner };
  const uid = (id: string | number): string => `what-if/${workload.origin}/${id}`;
  if (count === 'by node') {
    const pod = { ...model, tolerations: [...model.tolerations, ...DAEMON_TOLERATIONS] };
    return [...snapshot.nodes.values()]
      .filter((node) => isForNode(pod, node))
      .map((node) => ({
        ...pod,
        name: `${prefix}${node.name}`,
        uid: uid(node.name),
        requiredNodes: onlyOn(node, pod),
      }));
  }
  if (template.kind === 'Pod' && count === 1) return [{ ...model, uid: uid(0) }];
  return Array.from({ length: count }, (_, index) => {
    const name = `${prefix}${index}`;
    const pod = { ...model, name, uid: uid(index) };
    if (!isNumbered) return pod;
    const own = { 'statefulset.kubernetes.io/pod-name': name, 'apps.kubernetes.io/pod-index': String(index) };
    return { ...pod, labels: new Map([...pod.labels, ...Object.entries(own)]) };
  });
}

function modelOf({ template, labels, namespace, origin, prefix }: Workload): PodObject {
  const name = typeof fieldsOf(template.metadata).name === 'string' && template.kind === 'Pod' ? {} : { name: prefix };
  const metadata = { ...fieldsOf(template.metadata), ...name, namespace, labels };
  const read = readPod(withDefaults({ spec: template.spec, metadata }));
  if ('reason' in read) throw new ManifestError(`${origin}: ${read.reason}`);
  // What a manifest says of its state or its place is not so yet.
  return { ...read.object, nodeName: '', isTerminating: false };
}

/** What the DaemonSet controller adds (AddOrUpdateDaemonPodTolerations). */
const DAEMON_TOLERATIONS = [
  ['not-ready', 'NoExecute'],
  ['unreachable', 'NoExecute'],
  ['disk-pressure', 'NoSchedule'],
  ['memory-pressure', 'NoSchedule'],
  ['pid-pressure', 'NoSchedule'],
  ['unschedulable', 'NoSchedule'],
].map(([key, effect]) => ({ key: `node.kubernetes.io/${key}`, operator: 'Exists', value: '', effect }));

/** Whether the controller would make a pod for the node. */
function isForNode({ requiredNodes, tolerations }: PodObject, node: NodeObject): boolean {
  return matchesRequiredNodes(requiredNodes, node) && toleratesNode(tolerations, node.taints);
}

function onlyOn({ name }: NodeObject, { requiredNodes }: PodObject): PodObject['requiredNodes'] {
  const field = { key: 'metadata.name', operator: 'In', values: [name] } as const;
  return { ...requiredNodes, selector: { terms: [{ expressions: [], fields: [field], problem: undefined }] } };
}
