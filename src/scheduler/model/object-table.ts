// The objects of a cluster beside its nodes and pods, as they were told last, by kind and key. Each is filed under its own kind.

import { type ClusterKind, type ClusterObject, type ObjectOf, objectKey } from './cluster-objects.ts';

export class ObjectTable {
  readonly #byKind = new Map<ClusterKind, Map<string, ClusterObject>>();

  find<K extends ClusterKind>(kind: K, key: string): ObjectOf<K> | undefined {
    return this.#ofKind(kind)?.get(key);
  }

  all<K extends ClusterKind>(kind: K): Iterable<ObjectOf<K>> {
    return this.#ofKind(kind)?.values() ?? [];
  }

  /** Those of all kinds. */
  *everything(): Generator<ClusterObject> {
    for (const ofKind of this.#byKind.values()) yield* ofKind.values();
  }

  set(object: ClusterObject): void {
    const ofKind = this.#byKind.get(object.kind) ?? new Map<string, ClusterObject>();
    this.#byKind.set(object.kind, ofKind.set(objectKey(object), object));
  }

  delete(kind: ClusterKind, key: string): void {
    this.#byKind.get(kind)?.delete(key);
  }

  #ofKind<K extends ClusterKind>(kind: K): ReadonlyMap<string, ObjectOf<K>> | undefined {
    // `set` files each object under its own kind.
    return this.#byKind.get(kind) as ReadonlyMap<string, ObjectOf<K>> | undefined;
  }
}
