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

/** What a pod wants, and all else that it shares with others. */
export interface PodModel {
  /** The first one that it was read from. */
  readonly pod: PodObject;
  /** The same object for pods that want the same. */
  readonly template: PodObject;
}

/** A pod as the API shows it; to be used at once, not to be kept. */
export interface SharedPod {
  readonly uid: string;
  readonly name: string;
  readonly nodeName: string;
  readonly resourceVersion: string;
  /** Of which all but name, uid, node and times is this pod's, too. */
  readonly model: PodObject;
  /** The same object for pods that want the same. */
  readonly template: PodObject;
  /** The pod itself, perhaps made anew each time. */
  readonly pod: PodObject;
  /** The pod, where it has neither a node nor a start, is `waitingLike` this. */
  readonly kept: PodModel;
  /** Since 1970; below 0: not set. */
  readonly createdSeconds: number;
}

/** A pod of that model on no node. */
export function waitingLike({ pod }: PodModel, { uid, name, createdSeconds }: WaitingIdentity): PodObject {
  if (pod.uid === uid) return pod;
  return { ...pod, name, uid, nodeName: '', createdAtMs: createdMs(createdSeconds), startedAtMs: undefined };
}

type WaitingIdentity = Pick<SharedPod, 'uid' | 'name' | 'createdSeconds'>;

function createdMs(createdSeconds: number): number {
  return Math.max(0, createdSeconds) * MILLIS_A_SECOND;
}

export class PodModels {
  readonly #templates = new PodTemplates();
  /** Null: pods like this one are to be read. */
  readonly #byLike = new WeakMap<JsonObject, PodModel | null>();

  read(json: JsonObject): Read<SharedPod> {
    const read = readPod(json);
    if ('reason' in read) return read;
    const { pod, template } = this.#templates.share(read.object, json);
    const { uid, name, nodeName } = pod;
    const resourceVersion = headOf(json)?.resourceVersion ?? '';
    const createdSeconds = pod.createdAtMs / MILLIS_A_SECOND;
    const kept = { pod, template };
    return { object: { uid, name, nodeName, resourceVersion, model: pod, template, pod, kept, createdSeconds } };
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

  #modelOf(json: JsonObject): PodModel | null {
    const read = readPod(json);
    if ('reason' in read || namesAfterPod(json)) return null;
    const { pod, template } = this.#templates.share(read.object, json);
    // What a kubelet reports of resources is most often what was asked for.
    const isAsAsked = canonicalText(pod.requests) === canonicalText(template.requests);
    return { pod: isAsAsked ? { ...pod, requests: template.requests } : pod, template };
  }
}

class AlikePod implements SharedPod {
  readonly #model: PodModel;
  readonly #object: Lookalike;

  constructor(model: PodModel, object: Lookalike) {
    this.#model = model;
    this.#object = object;
  }

  get uid(): string {
    return this.#object.uid;
  }

  get name(): string {
    return this.#object.name;
  }

  get nodeName(): string {
    return this.#object.nodeName;
  }

  get resourceVersion(): string {
    return this.#object.resourceVersion;
  }

  get createdSeconds(): number {
    return this.#object.createdSeconds;
  }

  get model(): PodObject {
    return this.#model.pod;
  }

  get template(): PodObject {
    return this.#model.template;
  }

  get pod(): PodObject {
    const { name, uid, nodeName, createdSeconds, startedSeconds } = this.#object;
    return {
      ...this.#model.pod,
      name,
      uid,
      nodeName,
      createdAtMs: createdMs(createdSeconds),
      startedAtMs: startedSeconds < 0 ? undefined : startedSeconds * MILLIS_A_SECOND,
    };
  }

  get kept(): PodModel {
    const { nodeName, startedSeconds } = this.#object;
    const isPlain = nodeName === '' && startedSeconds < 0;
    return isPlain ? this.#model : { pod: this.pod, template: this.template };
  }
}

/** A claim for an ephemeral volume has the pod's name. */
function namesAfterPod({ spec }: JsonObject): boolean {
  const { volumes } = fieldsOf(spec);
  return Array.isArray(volumes) && volumes.some((volume) => isObject(volume) && 'ephemeral' in volume);
}
