// What kinds of workloads come to, in one form: a template of pods, how many, whose they are (pkg/controller of Kubernetes 1.36).
//
//   Deployment ─► a ReplicaSet of it, with pod-template-hash       StatefulSet ─► numbered pods
//   Job, CronJob ─► parallelism, at most completions                DaemonSet ─► one for each node that it is for

import type { JsonObject } from '../../kube-api/kube-api.ts';
import { fieldsOf } from '../../kube-api/object-head.ts';
import type { Owner } from '../model/pod-object.ts';
import { ManifestError } from './errors.ts';

const HASH = 'what-if';

export interface WorkloadOptions {
  /** Of objects that name none. */
  readonly namespace: string;
  /** In place of what workloads say; so many of each Pod, too. */
  readonly replicas: number | undefined;
}

export interface Workload {
  /** Like "Deployment default/web". */
  readonly origin: string;
  readonly namespace: string;
  /** Of the pods, before their number; of a single Pod its whole name. */
  readonly podName: string;
  /** Of one pod. */
  readonly spec: unknown;
  readonly labels: JsonObject;
  readonly owner?: Owner;
  /** How many; of a DaemonSet the nodes say. */
  readonly count: number | 'by node';
  readonly isNumbered?: boolean;
  /** The object that the pods' default spread goes by. */
  readonly owning?: {
    readonly kind: 'ReplicaSet' | 'StatefulSet' | 'ReplicationController';
    readonly object: JsonObject;
  };
}

interface Given {
  readonly kind: string;
  readonly object: JsonObject;
  readonly spec: JsonObject;
  readonly namespace: string;
  readonly name: string;
  readonly origin: string;
  readonly options: WorkloadOptions;
}

type Make = (given: Given) => Workload;

const MAKERS: ReadonlyMap<string, Make> = new Map<string, Make>([
  ['Pod', podOf],
  ['Deployment', deploymentOf],
  ['ReplicaSet', (given) => ownerOf(given, 'apps/v1', 'ReplicaSet')],
  ['StatefulSet', (given) => ({ ...ownerOf(given, 'apps/v1', 'StatefulSet'), isNumbered: true })],
  ['ReplicationController', (given) => ownerOf(given, 'v1', 'ReplicationController')],
  ['Job', (given) => jobOf(given, given.spec)],
  ['CronJob', (given) => jobOf(given, fieldsOf(fieldsOf(given.spec.jobTemplate).spec))],
  [
    'DaemonSet',
    (given) => ({
      ...templateOf(given, given.spec.template),
      owner: owned(given, 'apps/v1', 'DaemonSet'),
      count: 'by node',
    }),
  ],
]);

/** Undefined for a kind that makes no pods. Throws ManifestError. */
export function workloadOf(kind: string, object: JsonObject, options: WorkloadOptions): Workload | undefined {
  const metadata = fieldsOf(object.metadata);
  const namespace = typeof metadata.namespace === 'string' ? metadata.namespace : options.namespace;
  const name = typeof metadata.name === 'string' ? metadata.name : String(metadata.generateName ?? '');
  const origin = `${kind} ${namespace}/${name}`;
  return MAKERS.get(kind)?.({ kind, object, spec: fieldsOf(object.spec), namespace, name, origin, options });
}

function templateOf({ origin, namespace, name }: Given, template: unknown): Omit<Workload, 'count'> {
  const { metadata, spec } = fieldsOf(template);
  return { origin, namespace, podName: `${name}-`, spec, labels: fieldsOf(fieldsOf(metadata).labels) };
}

function owned({ namespace, name }: Given, apiVersion: string, kind: string, ownerName: string = name): Owner {
  return { apiVersion, kind, name: ownerName, uid: `what-if/${namespace}/${kind}/${ownerName}` };
}

function podOf(given: Given): Workload {
  const count = given.options.replicas ?? 1;
  const podName = count === 1 ? given.name : `${given.name}-`;
  return { ...templateOf(given, given.object), podName, count };
}

function deploymentOf(given: Given): Workload {
  const { spec, name, namespace } = given;
  const setName = `${name}-${HASH}`;
  const template = templateOf(given, spec.template);
  const selector = fieldsOf(spec.selector);
  const matchLabels = { ...fieldsOf(selector.matchLabels), 'pod-template-hash': HASH };
  const set = { metadata: { namespace, name: setName }, spec: { selector: { ...selector, matchLabels } } };
  return {
    ...template,
    podName: `${setName}-`,
    labels: { ...template.labels, 'pod-template-hash': HASH },
    owner: owned(given, 'apps/v1', 'ReplicaSet', setName),
    owning: { kind: 'ReplicaSet', object: set },
    count: replicasOf(given, spec.replicas),
  };
}

function ownerOf(
  given: Given,
  apiVersion: string,
  kind: 'ReplicaSet' | 'StatefulSet' | 'ReplicationController',
): Workload {
  const { object, namespace, spec } = given;
  return {
    ...templateOf(given, spec.template),
    owner: owned(given, apiVersion, kind),
    owning: { kind, object: { ...object, metadata: { namespace, ...fieldsOf(object.metadata) } } },
    count: replicasOf(given, spec.replicas),
  };
}

function jobOf(given: Given, job: JsonObject): Workload {
  const parallelism = replicasOf(given, job.parallelism);
  const completions = given.options.replicas ?? numberOr(given, job.completions, parallelism);
  const count = Math.min(parallelism, completions);
  return { ...templateOf(given, job.template), owner: owned(given, 'batch/v1', 'Job'), count };
}

function replicasOf(given: Given, said: unknown): number {
  return given.options.replicas ?? numberOr(given, said, 1);
}

function numberOr({ origin }: Given, value: unknown, otherwise: number): number {
  if (value === undefined || value === null) return otherwise;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new ManifestError(`${origin}: ${JSON.stringify(value)} is no number of pods`);
}
