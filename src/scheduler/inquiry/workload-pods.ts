// The pods that manifests would bring: a Pod stands for itself, a workload (workload.ts) for as many pods of its template as its controller
// would make at once, with the labels and the owner that the controller gives them. Objects that scheduling reads besides
// (services, budgets, claims, …) come with them. Other kinds are left out, with a remark.
//
// Limit: PODS_MAX pods in all.

import type { JsonObject } from '../../kube-api/kube-api.ts';
import { fieldsOf } from '../../kube-api/object-head.ts';
import { isClusterKind } from '../model/cluster-objects.ts';
import type { NodeObject } from '../model/node-object.ts';
import { matchesRequiredNodes } from '../model/node-selector.ts';
import type { PodObject } from '../model/pod-object.ts';
import { readPod } from '../model/pod-reader.ts';
import { toleratesNode } from '../model/toleration.ts';
import type { ClusterSnapshot } from './cluster-snapshot.ts';
import { ManifestError } from './errors.ts';
import type { Manifest } from './manifest-file.ts';
import { withDefaults } from './pod-defaults.ts';
import { type Workload, type WorkloadOptions, workloadOf } from './workload.ts';

const PODS_MAX = 2_000_000;
/** Kinds that have no namespace. */
const CLUSTER_WIDE: readonly string[] = [
  'Node',
  'Namespace',
  'PersistentVolume',
  'StorageClass',
  'CSINode',
  'CSIDriver',
  'VolumeAttachment',
];

export interface NewPods {
  /** Like "Deployment default/web". */
  readonly origin: string;
  readonly pods: readonly PodObject[];
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
    total += workload.count === 'by node' ? snapshot.nodes.size : workload.count;
    if (total > PODS_MAX) throw new ManifestError(`the manifests make more than ${PODS_MAX} pods`);
    return { origin: workload.origin, pods: podsOf(workload, snapshot) };
  });
}

function inNamespace(object: JsonObject, kind: string, namespace: string): JsonObject {
  if (CLUSTER_WIDE.includes(kind)) return object;
  return { ...object, metadata: { namespace, ...fieldsOf(object.metadata) } };
}

function podsOf(workload: Workload, snapshot: ClusterSnapshot): PodObject[] {
  const { origin, count, podName, owning, isNumbered } = workload;
  if (owning !== undefined) snapshot.set(owning.kind, owning.object);
  const model = modelOf(workload);
  const uid = (id: string | number): string => `what-if/${origin}/${id}`;
  if (count === 'by node') return daemonsOf(model, podName, uid, snapshot);
  return Array.from({ length: count }, (_, index) => {
    const name = podName.endsWith('-') ? `${podName}${index}` : podName;
    const pod = { ...model, name, uid: uid(index) };
    if (isNumbered !== true) return pod;
    const own = { 'statefulset.kubernetes.io/pod-name': name, 'apps.kubernetes.io/pod-index': String(index) };
    return { ...pod, labels: new Map([...pod.labels, ...Object.entries(own)]) };
  });
}

function modelOf({ spec, labels, namespace, origin, podName, owner }: Workload): PodObject {
  const read = readPod(withDefaults({ spec, metadata: { name: podName, namespace, labels } }));
  if ('reason' in read) throw new ManifestError(`${origin}: ${read.reason}`);
  // What a manifest says of its place is not so yet.
  return { ...read.object, nodeName: '', controller: owner };
}

/** One for each node that the controller would make one for. */
function daemonsOf(
  model: PodObject,
  prefix: string,
  uid: (node: string) => string,
  { nodes }: ClusterSnapshot,
): PodObject[] {
  const pod = { ...model, tolerations: [...model.tolerations, ...DAEMON_TOLERATIONS] };
  return [...nodes.values()]
    .filter((node) => isForNode(pod, node))
    .map((node) => ({
      ...pod,
      name: `${prefix}${node.name}`,
      uid: uid(node.name),
      requiredNodes: onlyOn(node, pod),
    }));
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
