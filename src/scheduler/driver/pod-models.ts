// Reads pods. One that is like another (kube-api.ts, Lookalike) is made after that one's model: of a million pods of a few templates only name, uid, node
// and times are read, and all else is shared.

import type { JsonObject, Lookalike } from '../../kube-api/kube-api.ts';
import { fieldsOf, headOf, isObject } from '../../kube-api/object-head.ts';
import { canonicalText } from '../kernel/interner.ts';
import type { Read } from '../model/json-view.ts';
import type { PodObject } from '../model/pod-object.ts';
import { readPod } from '../model/pod-reader.ts';
import { PodTemplates } from './pod-templates.ts';

const MILLIS_A_SECOND = 1000;

export interface SharedPod {
  readonly uid: string;
  readonly nodeName: string;
  readonly resourceVersion: string;
  /** Of which all but name, uid, node and times is this pod's, too. */
  readonly model: PodObject;
  /** The same object for pods that want the same. */
  readonly template: PodObject;
  /** The pod itself, perhaps made anew each time. */
  readonly pod: PodObject;
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
    const { pod, template } = this.#templates.share(read.object, json);
    const { uid, nodeName } = pod;
    const resourceVersion = headOf(json)?.resourceVersion ?? '';
    return { object: { uid, nodeName, resourceVersion, model: pod, template, pod } };
  }

  /** Undefined for a pod that has to be read. */
  alike(object: Lookalike): SharedPod | undefined {
    const { like } = object;
    let model = this.#byLike.get(like);
    if (model === undefined) {
      model = this.#modelOf(like);
      this.#byLike.set(like, model);
    }
    return model === null ? undefined : new AlikePod(model, object);
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

class AlikePod implements SharedPod {
  readonly #model: Model;
  readonly #name: string;
  readonly uid: string;
  readonly nodeName: string;
  readonly #createdSeconds: number;
  readonly #startedSeconds: number;
  readonly resourceVersion: string;

  constructor(model: Model, { name, uid, nodeName, createdSeconds, startedSeconds, resourceVersion }: Lookalike) {
    this.#model = model;
    this.#name = name;
    this.uid = uid;
    this.nodeName = nodeName;
    this.#createdSeconds = createdSeconds;
    this.#startedSeconds = startedSeconds;
    this.resourceVersion = resourceVersion;
  }

  get model(): PodObject {
    return this.#model.pod;
  }

  get template(): PodObject {
    return this.#model.template;
  }

  get pod(): PodObject {
    const { uid, nodeName } = this;
    return {
      ...this.#model.pod,
      name: this.#name,
      uid,
      nodeName,
      createdAtMs: Math.max(0, this.#createdSeconds) * MILLIS_A_SECOND,
      startedAtMs: this.#startedSeconds < 0 ? undefined : this.#startedSeconds * MILLIS_A_SECOND,
    };
  }
}

/** A claim for an ephemeral volume has the pod's name. */
function namesAfterPod({ spec }: JsonObject): boolean {
  const { volumes } = fieldsOf(spec);
  return Array.isArray(volumes) && volumes.some((volume) => isObject(volume) && 'ephemeral' in volume);
}
