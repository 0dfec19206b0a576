// Services by a label that they select, so that those of a pod are found without a look at all of the cluster's.

import type { ClusterObject, ObjectOf } from '../model/cluster-objects.ts';
import type { Labels } from '../model/label-selector.ts';

type Service = ObjectOf<'Service'>;

export class ServiceIndex {
  /** By namespace and the first label of the selector. One without labels selects nothing that matters here. */
  readonly #byLabel = new Map<string, Set<Service>>();

  /** One of them is undefined for an object that came or went. */
  changed(before: ClusterObject | undefined, after: ClusterObject | undefined): void {
    if (before?.kind === 'Service') this.#remove(before);
    if (after?.kind === 'Service') this.#add(after);
  }

  /** Those that may select pods with these labels. */
  *candidates(namespace: string, labels: Labels): Generator<Service> {
    for (const label of labels) yield* this.#byLabel.get(keyOf(namespace, label)) ?? [];
  }

  #add(service: Service): void {
    const key = firstKeyOf(service);
    if (key === undefined) return;
    const ofLabel = this.#byLabel.get(key) ?? new Set();
    this.#byLabel.set(key, ofLabel.add(service));
  }

  #remove(service: Service): void {
    const key = firstKeyOf(service);
    const ofLabel = key === undefined ? undefined : this.#byLabel.get(key);
    ofLabel?.delete(service);
    if (key !== undefined && ofLabel?.size === 0) this.#byLabel.delete(key);
  }
}

function firstKeyOf({ namespace, selector }: Service): string | undefined {
  const [first] = selector ?? [];
  return first === undefined ? undefined : keyOf(namespace, first);
}

function keyOf(namespace: string, [key, value]: readonly [string, string]): string {
  return `${namespace} ${key}=${value}`;
}
