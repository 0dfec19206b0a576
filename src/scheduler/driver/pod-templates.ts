// Pods of one template share their parts: what was read from the same spec and labels is kept once. That saves memory, and whoever tells
// parts apart by identity (kernel/interner.ts) need not look at them again. Pods of a DaemonSet differ in the node that they name, and share the rest.
//
// Limit: TEMPLATES_MAX; when there are more, all are forgotten and learned anew. Sharing is lost
// then, and pods that wait are tried once more when they are next updated.

import type { JsonObject } from '../../kube-api/kube-api.ts';
import { fieldsOf, isObject } from '../../kube-api/object-head.ts';
import type { PodObject } from '../model/pod-object.ts';

const TEMPLATES_MAX = 20_000;
/** The volume of the service account's token, which is projected, has another name in each pod. */
const TOKEN_VOLUME = /^kube-api-access-[a-z0-9]{5}$/;
const OF_RESOURCES: readonly string[] = [
  'containerStatuses',
  'initContainerStatuses',
  'resources',
  'allocatedResources',
];

export class PodTemplates {
  readonly #byText = new Map<string, PodObject>();

  /** The pod with the parts of the first one of its template, and that one: the same object for pods that want the same. */
  share(pod: PodObject, json: JsonObject): { readonly pod: PodObject; readonly template: PodObject } {
    const template = this.#templateOf(pod, json);
    if (template === pod) return { pod, template };
    // Resources in the status make the requests the pod's own.
    const requests = hasOwnRequests(json) ? pod.requests : template.requests;
    const requiredNodes = namesNode(pod) ? pod.requiredNodes : template.requiredNodes;
    const { labels, preferredNodes, affinity, antiAffinity, tolerations } = template;
    const { spreadConstraints, hostPorts, images, neededFeatures } = template;
    const parts = { labels, requiredNodes, preferredNodes, affinity, antiAffinity, tolerations };
    return {
      pod: { ...pod, ...parts, spreadConstraints, hostPorts, images, neededFeatures, requests },
      template,
    };
  }

  /** The pod itself where it is the first one. */
  #templateOf(pod: PodObject, json: JsonObject): PodObject {
    const text = textOf(pod, json);
    const known = this.#byText.get(text);
    // No model for others: its requests are its status's.
    if (known === undefined && hasOwnRequests(json)) return pod;
    if (known === undefined) {
      if (this.#byText.size >= TEMPLATES_MAX) this.#byText.clear();
      this.#byText.set(text, pod);
    }
    return known ?? pod;
  }
}

/** Resources in its status make the pod's requests its own. */
function hasOwnRequests({ status }: JsonObject): boolean {
  const fields = fieldsOf(status);
  return OF_RESOURCES.some((field) => fields[field] !== undefined);
}

function textOf(pod: PodObject, { metadata, spec }: JsonObject): string {
  const { labels } = fieldsOf(metadata);
  const { nodeName: _, ...all } = fieldsOf(spec);
  const wanted = namesNode(pod) ? withoutRequiredNodes(all) : all;
  return JSON.stringify([pod.namespace, labels, withoutTokenName(wanted)]);
}

/** Elsewhere the same letters mean something. Where volumes are mounted does not matter. */
function withoutTokenName(spec: JsonObject): JsonObject {
  const { volumes, containers, initContainers, ...rest } = spec;
  return {
    ...rest,
    volumes: objectsOf(volumes).map((volume) => (isToken(volume) ? { ...volume, name: '' } : volume)),
    containers: objectsOf(containers).map(withoutMounts),
    initContainers: objectsOf(initContainers).map(withoutMounts),
  };
}

function isToken({ name, projected }: JsonObject): boolean {
  return projected !== undefined && typeof name === 'string' && TOKEN_VOLUME.test(name);
}

function withoutMounts({ volumeMounts: _, ...container }: JsonObject): JsonObject {
  return container;
}

function objectsOf(value: unknown): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function withoutRequiredNodes(spec: JsonObject): JsonObject {
  const affinity = fieldsOf(spec.affinity);
  const { requiredDuringSchedulingIgnoredDuringExecution: _, ...nodeAffinity } = fieldsOf(affinity.nodeAffinity);
  return { ...spec, affinity: { ...affinity, nodeAffinity } };
}

function namesNode({ requiredNodes }: PodObject): boolean {
  return requiredNodes.selector?.terms.some(({ fields }) => fields.length > 0) === true;
}
