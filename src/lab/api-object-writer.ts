// Objects changed through the API server as kubelets change them: strategic merge patches of the status, deletions without grace.
//
// Of pods what the feed has just told is taken, where it is still at hand; else, and of nodes, they are read first.

import type { PlainObject } from '../kube/message-decoder.ts';
import type { Failure, JsonObject, KubeApi, WriteOutcome } from '../kube-api/kube-api.ts';
import type { ObjectApi } from '../kube-api/object-api.ts';
import { fieldsOf, keyOf } from '../kube-api/object-head.ts';
import {
  DONE,
  MOOT,
  type ObjectName,
  type ObjectWriter,
  type StatusChange,
  type WriteResult,
} from './object-writer.ts';

export interface ApiObjectWriterOptions {
  readonly api: KubeApi;
  readonly objects: ObjectApi;
  /** Of the feed of pods. */
  readonly atHand: Map<string, JsonObject>;
}

export class ApiObjectWriter implements ObjectWriter {
  readonly #options: ApiObjectWriterOptions;

  constructor(options: ApiObjectWriterOptions) {
    this.#options = options;
  }

  async patchStatus(resource: 'pods' | 'nodes', object: ObjectName, change: StatusChange): Promise<WriteResult> {
    const found = await this.#find(resource, object);
    if ('kind' in found) return resultOf(found);
    const patch = change(found.object);
    if (patch === undefined) return MOOT;
    const { uid } = fieldsOf(found.object.metadata);
    const body = { metadata: { uid }, status: { ...patch, ...orderOf(found.object, patch) } };
    return writtenAs(await this.#options.objects.patchStatus(resource, object, body));
  }

  async removePod(
    pod: ObjectName & { readonly uid: string },
    isDue: (object: JsonObject) => boolean,
  ): Promise<WriteResult> {
    const found = await this.#find('pods', pod);
    if ('kind' in found) return resultOf(found);
    if (!isDue(found.object)) return MOOT;
    return writtenAs(await this.#options.objects.remove('pods', pod, { uid: pod.uid, graceSeconds: 0 }));
  }

  async #find(resource: 'pods' | 'nodes', object: ObjectName): Promise<{ readonly object: JsonObject } | Failure> {
    const { api, atHand } = this.#options;
    const known = resource === 'pods' ? atHand.get(keyOf(object)) : undefined;
    atHand.delete(keyOf(object));
    if (known !== undefined) return { object: known };
    const outcome = await api.read(resource, object);
    return outcome.kind === 'found' ? { object: outcome.object } : outcome;
  }
}

/** The patch's conditions first, as a kubelet writes them. */
function orderOf(object: JsonObject, { conditions }: PlainObject): PlainObject {
  if (!Array.isArray(conditions)) return {};
  const types = (list: unknown): unknown[] =>
    Array.isArray(list) ? list.map((condition: unknown) => fieldsOf(condition).type) : [];
  const order = new Set([...types(conditions), ...types(fieldsOf(object.status).conditions)]);
  return { '$setElementOrder/conditions': [...order].map((type) => ({ type })) };
}

function writtenAs(outcome: WriteOutcome): WriteResult {
  return outcome.kind === 'done' ? DONE : resultOf(outcome);
}

export function resultOf(failure: Failure): WriteResult {
  if (failure.kind === 'gone') return MOOT;
  return { kind: 'failed', text: textOf(failure) };
}

export function textOf(failure: Failure): string {
  return failure.kind === 'too-many-requests' ? 'the API server has too many requests (429)' : failure.text;
}
