// Reads pods, those that share their spec (kube/shared-spec.ts), namespace and labels with one before after that one's model: of a million pods of a
// few templates only name, uid, node and state are read.
//
// Limit: MODELS_MAX sets of namespace and labels to a spec; when there are more, those of that spec are forgotten.

import { sharedSpecOf } from '../../kube/shared-spec.ts';
import type { JsonObject } from '../../kube-api/kube-api.ts';
import { fieldsOf, isObject } from '../../kube-api/object-head.ts';
import type { Read } from '../model/json-view.ts';
import type { PodObject } from '../model/pod-object.ts';
import { readPod, readPodLike } from '../model/pod-reader.ts';

const MODELS_MAX = 1000;
const OF_RESOURCES: readonly string[] = [
  'containerStatuses',
  'initContainerStatuses',
  'resources',
  'allocatedResources',
];

export class PodModels {
  readonly #bySpec = new WeakMap<object, Map<string, PodObject>>();

  read(json: JsonObject): Read<PodObject> {
    const spec = sharedSpecOf(json);
    if (spec === undefined || !isCommon(json)) return readPod(json);
    let models = this.#bySpec.get(spec);
    if (models === undefined || models.size >= MODELS_MAX) {
      models = new Map();
      this.#bySpec.set(spec, models);
    }
    const { namespace, labels } = isObject(json.metadata) ? json.metadata : {};
    const key = JSON.stringify([namespace, labels]);
    const model = models.get(key);
    if (model !== undefined) return readPodLike(json, model);
    const read = readPod(json);
    if ('object' in read) models.set(key, read.object);
    return read;
  }
}

/** Resources in its status make the pod's requests its own. */
export function hasOwnRequests({ status }: JsonObject): boolean {
  const fields = fieldsOf(status);
  return OF_RESOURCES.some((field) => fields[field] !== undefined);
}

/** Nothing of the spec is read by the pod's name, nothing of its requests by its status. */
function isCommon(json: JsonObject): boolean {
  const { spec, status } = json;
  if (!isObject(status) || hasOwnRequests(json)) return false;
  const volumes = isObject(spec) && Array.isArray(spec.volumes) ? spec.volumes : [];
  return !volumes.some((volume) => isObject(volume) && 'ephemeral' in volume);
}
