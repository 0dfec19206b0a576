// A node as scheduling sees it, and its reader.

import { type JsonView, type Read, readObject } from './json-view.ts';
import type { Labels } from './label-selector.ts';
import { UNIT } from './quantity.ts';
import { ALLOCATABLE_MAX, amountOf, type Resources, resourcesOf } from './resources.ts';
import type { Taint } from './toleration.ts';

export interface NodeImage {
  /** Every name and digest it goes by, as the kubelet reports them. */
  readonly names: readonly string[];
  readonly sizeBytes: number;
}

export interface NodeObject {
  readonly name: string;
  readonly uid: string;
  readonly labels: Labels;
  readonly taints: readonly Taint[];
  /** spec.unschedulable: cordoned. */
  readonly isUnschedulable: boolean;
  /** status.allocatable without `pods`; each at most ALLOCATABLE_MAX. */
  readonly allocatable: Resources;
  readonly podsMax: number;
  readonly images: readonly NodeImage[];
  /** status.declaredFeatures. */
  readonly declaredFeatures: ReadonlySet<string>;
  /** The same object only for nodes that differ in nothing but name, uid and hostname. */
  readonly shape?: object;
}

/** From a core/v1 Node in JSON. */
export function readNode(json: unknown): Read<NodeObject> {
  return readObject(json, nodeOf);
}

function nodeOf(view: JsonView): NodeObject {
  const metadata = view.object('metadata');
  const spec = view.object('spec');
  const status = view.object('status');
  const allocatable = status.quantities('allocatable');
  return {
    name: metadata.name('name'),
    uid: metadata.text('uid'),
    labels: metadata.pairs('labels'),
    taints: spec.objects('taints').map((taint) => ({
      key: taint.text('key'),
      value: taint.text('value'),
      effect: taint.text('effect'),
    })),
    isUnschedulable: spec.flag('unschedulable'),
    allocatable: resourcesOf(allocatable, ALLOCATABLE_MAX),
    podsMax: amountOf(allocatable.get('pods'), UNIT, ALLOCATABLE_MAX),
    images: status.objects('images').map((image) => ({
      names: image.texts('names'),
      sizeBytes: image.number('sizeBytes'),
    })),
    declaredFeatures: new Set(status.texts('declaredFeatures')),
  };
}
