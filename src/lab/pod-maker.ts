// The lab's pods: names, keys, bytes. Pods of several templates in turn, over several namespaces, a round of the templates in each.
//
// A pod's uid is of its number, of its namespace and of the moment of the call, so that no two pods have the same, nor one that is made again.

import type { PlainObject } from '../kube/message-decoder.ts';
import { fieldsOf, itemsOf } from '../kube-api/object-head.ts';
import { RegistryKeys } from '../kube-store/registry-key.ts';
import { encodedObject } from './encoded-object.ts';
import { INDEX } from './numbered-bytes.ts';
import type { Collection, ObjectMaker } from './object-maker.ts';
import { admittedSpec, admittedStatus } from './pod-admission.ts';
import type { PodMix, PodTemplateSpec } from './pod-template.ts';

const MANAGER = 'k1m';
/** FNV-1a. */
const HASH_START = 0x811c9dc5;
const HASH_FACTOR = 0x01000193;

export interface PodOptions {
  /** kube-apiserver's --etcd-prefix. */
  readonly registry: string;
  /** Names are this and seven digits. */
  readonly prefix: string;
  readonly namespaces: readonly string[];
  /** In place of what templates say. */
  readonly schedulerName?: string;
  readonly createdMs: number;
}

export class PodMaker implements ObjectMaker {
  readonly #options: PodOptions;
  readonly #keys: RegistryKeys;
  readonly #mix: PodMix;

  constructor(options: PodOptions, mix: PodMix) {
    this.#options = options;
    this.#keys = new RegistryKeys(options.registry);
    this.#mix = mix;
  }

  /** Where its pods are. */
  get namespaces(): readonly string[] {
    const { templates } = this.#mix;
    const { namespaces } = this.#options;
    return [...new Set(templates.flatMap(({ namespace }) => (namespace === undefined ? namespaces : [namespace])))];
  }

  shapeOf(index: number): number {
    const { round } = this.#mix;
    const { length } = this.#options.namespaces;
    return round[index % round.length] * length + (Math.floor(index / round.length) % length);
  }

  keyOf(shape: number): string {
    const name = `${this.#options.prefix}${INDEX}`;
    return this.#keys.key('pods', { namespace: this.#namespaceOf(shape), name });
  }

  collectionOf(shape: number): Collection {
    return { resource: 'pods', namespace: this.#namespaceOf(shape) };
  }

  /** Throws TypeError where a template's field is of another type than it should be. */
  valueOf(shape: number): Uint8Array {
    const { createdMs } = this.#options;
    const namespace = this.#namespaceOf(shape);
    const given = this.#metadataOf(shape);
    const spec = admittedSpec(this.#specOf(shape), given.labels);
    const metadata = {
      ...given,
      uid: `${uidStart(createdMs, namespace)}-00000${INDEX}`,
      generation: 1,
      creationTimestamp: new Date(createdMs).toISOString(),
      managedFields: [managedFields(this.#templateOf(shape), createdMs)],
    };
    return encodedObject('Pod', { metadata, spec, status: admittedStatus(spec, createdMs) });
  }

  requestOf(shape: number): Uint8Array {
    return encodedObject('Pod', { metadata: this.#metadataOf(shape), spec: this.#specOf(shape) });
  }

  #templateOf(shape: number): PodTemplateSpec {
    return this.#mix.templates[Math.floor(shape / this.#options.namespaces.length)];
  }

  #namespaceOf(shape: number): string {
    const { namespaces } = this.#options;
    return this.#templateOf(shape).namespace ?? namespaces[shape % namespaces.length];
  }

  #metadataOf(shape: number): PlainObject {
    const { labels, annotations } = this.#templateOf(shape);
    const name = `${this.#options.prefix}${INDEX}`;
    return { name, namespace: this.#namespaceOf(shape), labels: { ...labels }, annotations: { ...annotations } };
  }

  #specOf(shape: number): PlainObject {
    const { schedulerName } = this.#options;
    return { ...this.#templateOf(shape).spec, ...(schedulerName === undefined ? {} : { schedulerName }) };
  }
}

/** A uid of version 4 but for its last group. */
function uidStart(createdMs: number, namespace: string): string {
  let hash = HASH_START;
  for (const byte of Buffer.from(`${createdMs} ${namespace}`)) hash = Math.imul(hash ^ byte, HASH_FACTOR);
  const digits = (hash >>> 0).toString(16).padStart(8, '0');
  const seconds = Math.floor(createdMs / 1000) % 2 ** 32;
  return `${seconds.toString(16).padStart(8, '0')}-${digits.slice(0, 4)}-4${digits.slice(4, 7)}-9b1${digits.slice(7)}`;
}

/** What the lab has set; the API server's lists every field, this the main ones. */
function managedFields({ labels, spec }: PodTemplateSpec, createdMs: number): PlainObject {
  const keys = Object.keys(labels).map((label) => [`f:${label}`, {}]);
  const { containers } = spec;
  const names = itemsOf(containers).map((container) => fieldsOf(container).name);
  const fields = { '.': {}, 'f:image': {}, 'f:name': {}, 'f:resources': {} };
  return {
    manager: MANAGER,
    operation: 'Update',
    apiVersion: 'v1',
    time: new Date(createdMs).toISOString(),
    fieldsType: 'FieldsV1',
    fieldsV1: {
      'f:metadata': { 'f:labels': { '.': {}, ...Object.fromEntries(keys) } },
      'f:spec': {
        'f:containers': Object.fromEntries(names.map((name) => [`k:{"name":${JSON.stringify(name)}}`, fields])),
      },
    },
  };
}
