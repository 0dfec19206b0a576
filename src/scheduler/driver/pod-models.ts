// Reads pods. One that is like another (kube-api.ts, Lookalike) is made after that one's model: of a million pods of a few templates only name, uid, node
// and times are read, and all else is shared.

import type { JsonObject, Lookalike } from '../../kube-api/kube-api.ts';
import { fieldsOf, headOf, isObject } from '../../kube-api/object-head.ts';
import { canonicalText } from '../kernel/interner.ts';
import type { Read } from '../model/json-view.ts';
import type { PodObject } from '../model/pod-object.ts';
import { readPod } from '../model/pod-reader.ts';
import { PodTemplates } from './pod-templates.ts';

export interface SharedPod {
  readonly pod: PodObject;
  /** The same object for pods that want the same. */
  readonly template: PodObject;
  readonly resourceVersion: string;
}

interface Model {
  readonly pod: PodObject;
  readonly template: PodObject;
}

export class PodModels {
  readonly #templates = new PodTemplates();
  /** Null: pods like this one are to be read. */
  readonly #byLike = new WeakMap<JsonObject, Model | null>();

  read(json: JsonObject): Read<SharedPod> {
    const read = readPod(json);
    if ('reason' in read) return read;
    const resourceVersion = headOf(json)?.resourceVersion ?? '';
    return { object: { ...this.#templates.share(read.object, json), resourceVersion } };
  }

  /** Undefined for a pod that has to be read. */
  alike({ like, name, uid, nodeName, createdAtMs, startedAtMs, resourceVersion }: Lookalike): SharedPod | undefined {
    let model = this.#byLike.get(like);
    if (model === undefined) {
      model = this.#modelOf(like);
      this.#byLike.set(like, model);
    }
    if (model === null) return undefined;
    const times = {
      createdAtMs: createdAtMs < 0 ? 0 : createdAtMs,
      startedAtMs: startedAtMs < 0 ? undefined : startedAtMs,
    };
    return { pod: { ...model.pod, name, uid, nodeName, ...times }, template: model.template, resourceVersion };
  }

  #modelOf(json: JsonObject): Model | null {
    const read = readPod(json);
    if ('reason' in read || namesAfterPod(json)) return null;
    const { pod, template } = this.#templates.share(read.object, json);
    // What a kubelet reports of resources is most often what was asked for.
    const isAsAsked = canonicalText(pod.requests) === canonicalText(template.requests);
    return { pod: isAsAsked ? { ...pod, requests: template.requests } : pod, template };
  }
}

/** A claim for an ephemeral volume has the pod's name. */
function namesAfterPod({ spec }: JsonObject): boolean {
  const { volumes } = fieldsOf(spec);
  return Array.isArray(volumes) && volumes.some((volume) => isObject(volume) && 'ephemeral' in volume);
}
