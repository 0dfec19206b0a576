// The objects of the cluster beside nodes and pods, and what is made of them: who is told of a change, and what grows with it so that others notice.

import { type ClusterChange, NO_CHANGE, OBJECT_CHANGED } from '../model/cluster-change.ts';
import {
  type ClusterKind,
  type ClusterObject,
  type ObjectLookup,
  type ObjectOf,
  objectKey,
} from '../model/cluster-objects.ts';
import type { Labels } from '../model/label-selector.ts';
import { ObjectTable } from '../model/object-table.ts';
import type { ClusterObserver } from './cluster-observer.ts';
import { canonicalText } from './interner.ts';
import { ServiceIndex } from './service-index.ts';

export interface StateObjectsOptions {
  readonly observer: ClusterObserver | undefined;
  /** One that concerns volumes. */
  readonly onVolumeObject: (before: ClusterObject | undefined, after: ClusterObject | undefined) => void;
}

export class StateObjects implements ObjectLookup {
  /** Where services or owners have changed, whose selectors make those of pods. Whoever remembers these takes note, and empties it. */
  readonly changedNamespaces: Set<string> = new Set();
  /** Grows when the labels of a namespace change. */
  namespaceVersion = 0;
  /** Grows when budgets change. */
  budgetVersion = 0;
  readonly #options: StateObjectsOptions;
  readonly #table = new ObjectTable();
  readonly #services = new ServiceIndex();

  constructor(options: StateObjectsOptions) {
    this.#options = options;
  }

  find<K extends ClusterKind>(kind: K, key: string): ObjectOf<K> | undefined {
    return this.#table.find(kind, key);
  }

  servicesFor(namespace: string, labels: Labels): Iterable<ObjectOf<'Service'>> {
    return this.#services.candidates(namespace, labels);
  }

  all<K extends ClusterKind>(kind: K): Iterable<ObjectOf<K>> {
    return this.#table.all(kind);
  }

  set(object: ClusterObject): ClusterChange {
    const before = this.find(object.kind, objectKey(object));
    // Most updates are of a status, which nothing here reads. Who was told of the object knows it by its identity.
    if (before !== undefined && canonicalText(before) === canonicalText(object)) return NO_CHANGE;
    this.#table.set(object);
    return this.#changed(before, object);
  }

  delete(kind: ClusterKind, key: string): ClusterChange {
    const before = this.find(kind, key);
    this.#table.delete(kind, key);
    return before === undefined ? NO_CHANGE : this.#changed(before, undefined);
  }

  #changed(before: ClusterObject | undefined, after: ClusterObject | undefined): ClusterChange {
    const { observer, onVolumeObject } = this.#options;
    const object = after ?? before;
    switch (object?.kind) {
      case 'Namespace':
        this.namespaceVersion++;
        observer?.namespaceChanged(object.name, after?.kind === 'Namespace' ? after : undefined);
        break;
      case 'Service':
        this.#services.changed(before, after);
        this.changedNamespaces.add(object.namespace);
        break;
      case 'ReplicaSet':
      case 'StatefulSet':
      case 'ReplicationController':
        this.changedNamespaces.add(object.namespace);
        break;
      case 'PodDisruptionBudget':
        this.budgetVersion++;
        return NO_CHANGE;
      default:
        onVolumeObject(before, after);
    }
    return OBJECT_CHANGED;
  }
}
