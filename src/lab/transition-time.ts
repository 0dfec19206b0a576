// When the condition of an object last changed, as kubelets tell it: one whose status is what it was keeps its time.

import type { JsonObject } from '../kube-api/kube-api.ts';
import { fieldsOf, itemsOf } from '../kube-api/object-head.ts';

/** `time` is that of the new condition. */
export function transitionTime(object: JsonObject, type: string, status: string, time: string): string {
  const { conditions } = fieldsOf(object.status);
  const old = fieldsOf(itemsOf(conditions).find((one) => fieldsOf(one).type === type));
  return old.status === status && typeof old.lastTransitionTime === 'string' ? old.lastTransitionTime : time;
}
