// Templates of pods out of manifests: a Pod is one itself; Deployment, ReplicaSet, StatefulSet, ReplicationController, Job and CronJob have one. How often
// each comes in a round is what its controller would make at once (scheduler/inquiry/workload.ts), a Pod once.
//
// What the API server's strict decoding refuses (unknown fields, values of another type), and what no scheduler could read, is refused with the path of the
// field. Limit: ROUND_MAX pods a round.

import type { PlainObject } from '../kube/message-decoder.ts';
import { unknownField } from '../kube/unknown-field.ts';
import type { JsonObject } from '../kube-api/kube-api.ts';
import { fieldsOf, itemsOf } from '../kube-api/object-head.ts';
import { ManifestError } from '../scheduler/inquiry/errors.ts';
import type { Manifest } from '../scheduler/inquiry/manifest-file.ts';
import { withDefaults } from '../scheduler/inquiry/pod-defaults.ts';
import { workloadOf } from '../scheduler/inquiry/workload.ts';
import { readPod } from '../scheduler/model/pod-reader.ts';
import { parseQuantity, QuantityError } from '../scheduler/model/quantity.ts';
import { encodedObject } from './encoded-object.ts';
import { MARKS } from './numbered-bytes.ts';
import type { PodTemplateSpec } from './pod-template.ts';

const ROUND_MAX = 100_000;

export interface WeightedTemplate {
  readonly template: PodTemplateSpec;
  readonly weight: number;
}

/** Of all that make pods, in their order. Throws ManifestError. */
export function templatesIn(manifests: readonly Manifest[]): readonly WeightedTemplate[] {
  const weighted = manifests.map(({ kind, object }) => templateOf(kind, object)).filter(({ weight }) => weight > 0);
  const total = weighted.reduce((sum, { weight }) => sum + weight, 0);
  if (total === 0) throw new ManifestError('the manifests come to no pods');
  if (total > ROUND_MAX) throw new ManifestError(`the manifests come to ${total} pods; ${ROUND_MAX} are the most`);
  return weighted;
}

function templateOf(kind: string, object: JsonObject): WeightedTemplate {
  const workload = workloadOf(kind, object, { namespace: 'default', replicas: undefined });
  if (workload === undefined) throw new ManifestError(`kind ${kind} makes no pods`);
  const { origin, count } = workload;
  if (count === 'by node') throw new ManifestError(`${origin}: how many pods it has is up to the nodes`);
  const { path, pod } = podIn(kind, object);
  const { namespace } = fieldsOf(object.metadata);
  const metadata = fieldsOf(pod.metadata);
  const spec: PlainObject = { ...fieldsOf(pod.spec) };
  const unknown = unknownField('PodSpec', spec, `${path}spec`);
  if (unknown !== undefined) throw new ManifestError(`${origin}: strict decoding error: unknown field "${unknown}"`);
  const template = {
    labels: fieldsOf(metadata.labels),
    annotations: fieldsOf(metadata.annotations),
    spec,
    ...(typeof namespace === 'string' ? { namespace } : {}),
  };
  check(origin, template);
  return { template, weight: count };
}

/** The pod or the template of pods in the object, and the path to it. */
function podIn(kind: string, object: JsonObject): { readonly path: string; readonly pod: JsonObject } {
  if (kind === 'Pod') return { path: '', pod: object };
  const spec = fieldsOf(object.spec);
  if (kind !== 'CronJob') return { path: 'spec.template.', pod: fieldsOf(spec.template) };
  const job = fieldsOf(fieldsOf(spec.jobTemplate).spec);
  return { path: 'spec.jobTemplate.spec.template.', pod: fieldsOf(job.template) };
}

function check(origin: string, { labels, annotations, spec }: PodTemplateSpec): void {
  if (!Array.isArray(spec.containers) || spec.containers.length === 0) {
    throw new ManifestError(`${origin}: spec.containers: Required value`);
  }
  const text = JSON.stringify({ labels, annotations, spec });
  const mark = MARKS.find((one) => text.includes(one));
  if (mark !== undefined) throw new ManifestError(`${origin}: the lab puts numbers in place of the text ${mark}`);
  const pod = { metadata: { name: 'pod', namespace: 'default', uid: 'uid', labels, annotations }, spec };
  const read = readPod(withDefaults(pod));
  if ('reason' in read) throw new ManifestError(`${origin}: ${read.reason}`);
  checkLimits(origin, spec);
  try {
    encodedObject('Pod', pod);
  } catch (error) {
    if (error instanceof TypeError) throw new ManifestError(`${origin}: ${error.message}`);
    throw error;
  }
}

/** Requests are read by a scheduler, limits by none; an API server could not read a store with one that is no quantity. */
function checkLimits(origin: string, spec: PlainObject): void {
  for (const { path, object } of withResources(spec)) {
    const { limits } = fieldsOf(object.resources);
    for (const [name, value] of Object.entries(fieldsOf(limits))) {
      const problem = quantityProblem(value);
      if (problem !== undefined) throw new ManifestError(`${origin}: ${path}.resources.limits.${name}: ${problem}`);
    }
  }
}

interface Holder {
  readonly path: string;
  readonly object: JsonObject;
}

/** The spec and its containers. */
function withResources(spec: PlainObject): readonly Holder[] {
  const inLists = ['containers', 'initContainers'].flatMap((list) =>
    itemsOf(spec[list]).map((container, index) => ({ path: `spec.${list}[${index}]`, object: fieldsOf(container) })),
  );
  return [{ path: 'spec', object: spec }, ...inLists];
}

function quantityProblem(value: unknown): string | undefined {
  try {
    parseQuantity(String(value));
    return undefined;
  } catch (error) {
    if (error instanceof QuantityError) return error.message;
    throw error;
  }
}
