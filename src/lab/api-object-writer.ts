// Objects changed through the API server as kubelets change them: strategic merge patches of the status, deletions without grace.
//
// Of pods what the feed has just told is taken, where it is still at hand; else, and of nodes, they are read first. The feed may be behind: what is written
// upon what it told has the version of that as a precondition, and is looked at anew when another one is there.

import type { PlainObject } from '../kube/message-decoder.ts';
import type { Failure, JsonObject, KubeApi, WriteOutcome } from '../kube-api/kube-api.ts';
import type { ObjectApi } from '../kube-api/object-api.ts';
import { fieldsOf, itemsOf, keyOf } from '../kube-api/object-head.ts';
import { failureText } from '../kube-api/outcome.ts';
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
    const known = resource === 'pods' ? this.#take(object) : undefined;
    if (known !== undefined) {
      const { resourceVersion } = fieldsOf(known.metadata);
      const outcome = await this.#patch(resource, object, known, change, { resourceVersion });
      if (outcome === undefined) return MOOT;
      if (outcome.kind !== 'conflict') return writtenAs(outcome);
    }
    const found = await this.#options.api.read(resource, object);
    if (found.kind !== 'found') return resultOf(found);
    const outcome = await this.#patch(resource, object, found.object, change);
    return outcome === undefined ? MOOT : writtenAs(outcome);
  }

  async removePod(
    pod: ObjectName & { readonly uid: string },
    isDue: (object: JsonObject) => boolean,
  ): Promise<WriteResult> {
    let object = this.#take(pod);
    if (object === undefined) {
      const found = await this.#options.api.read('pods', pod);
      if (found.kind !== 'found') return resultOf(found);
      object = found.object;
    }
    if (!isDue(object)) return MOOT;
    return writtenAs(await this.#options.objects.remove('pods', pod, { uid: pod.uid, graceSeconds: 0 }));
  }

  /** Undefined when there is nothing to change. */
  async #patch(
    resource: 'pods' | 'nodes',
    name: ObjectName,
    object: JsonObject,
    change: StatusChange,
    precondition: JsonObject = {},
  ): Promise<WriteOutcome | undefined> {
    const patch = change(object);
    if (patch === undefined) return undefined;
    const { uid } = fieldsOf(object.metadata);
    const body = { metadata: { uid, ...precondition }, status: { ...patch, ...orderOf(object, patch) } };
    return await this.#options.objects.patchStatus(resource, name, body);
  }

  /** Once. */
  #take(pod: ObjectName): JsonObject | undefined {
    const { atHand } = this.#options;
    const known = atHand.get(keyOf(pod));
    atHand.delete(keyOf(pod));
    return known;
  }
}

/** The patch's conditions first, as a kubelet writes them. */
function orderOf(object: JsonObject, { conditions }: PlainObject): PlainObject {
  if (!Array.isArray(conditions)) return {};
  const types = (list: unknown): unknown[] => itemsOf(list).map((condition) => fieldsOf(condition).type);
  const order = new Set([...types(conditions), ...types(fieldsOf(object.status).conditions)]);
  return { '$setElementOrder/conditions': [...order].map((type) => ({ type })) };
}

function writtenAs(outcome: WriteOutcome): WriteResult {
  return outcome.kind === 'done' ? DONE : resultOf(outcome);
}

function resultOf(failure: Failure): WriteResult {
  if (failure.kind === 'gone') return MOOT;
  return { kind: 'failed', text: failureText(failure) };
}
