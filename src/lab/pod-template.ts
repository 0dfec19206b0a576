// What pods are made from: their labels, annotations and spec, as somebody who creates a pod writes them; and which of several comes when.

import type { PlainObject } from '../kube/message-decoder.ts';
import type { JsonObject } from '../kube-api/kube-api.ts';

export interface PodTemplateSpec {
  readonly labels: JsonObject;
  readonly annotations: JsonObject;
  readonly spec: PlainObject;
  /** Its own; else that of the others. */
  readonly namespace?: string;
}

export interface PodMix {
  readonly templates: readonly PodTemplateSpec[];
  /** Indexes of templates, one for each pod of a round; then it begins anew. */
  readonly round: readonly number[];
}

/** Of templates with weights: each as often in a round as its weight says. */
export function mixOf(weighted: readonly { readonly template: PodTemplateSpec; readonly weight: number }[]): PodMix {
  return {
    templates: weighted.map(({ template }) => template),
    round: weighted.flatMap(({ weight }, index) => new Array<number>(weight).fill(index)),
  };
}
