// The state of a cluster as the commands have told it, in plain maps, and nothing that is derived from it, but for the
// sizes of images, which depend on who told them first.

import type { ClusterKind, ObjectLookup, ObjectOf } from '../model/cluster-objects.ts';
import { boundTo, type ClusterCommand } from '../model/command.ts';
import { type Labels, NO_LABELS } from '../model/label-selector.ts';
import type { NodeObject } from '../model/node-object.ts';
import { ObjectTable } from '../model/object-table.ts';
import type { PodObject } from '../model/pod-object.ts';

/** A node and the pods that are bound to it, or taken to be. */
export interface NodeState {
  readonly node: NodeObject;
  readonly pods: readonly PodObject[];
}

interface ImageState {
  /** As the node said that had it first. */
  readonly sizeBytes: number;
  readonly nodes: Set<string>;
}

export class Cluster implements ObjectLookup {
  readonly #nodes = new Map<string, NodeObject>();
  readonly #pods = new Map<string, PodObject>();
  readonly #objects = new ObjectTable();
  readonly #images = new Map<string, ImageState>();

  apply(command: ClusterCommand): void {
    switch (command.kind) {
      case 'node-set':
        this.#forgetImages(command.node.name);
        this.#nodes.set(command.node.name, command.node);
        this.#rememberImages(command.node);
        break;
      case 'node-deleted':
        this.#forgetImages(command.name);
        this.#nodes.delete(command.name);
        break;
      case 'pod-set':
        // Last in order: pods that are as important as each other become victims in the order in which they were told.
        this.#pods.delete(command.pod.uid);
        this.#pods.set(command.pod.uid, command.pod);
        break;
      case 'pod-bound': {
        const pod = this.#pods.get(command.uid);
        if (pod?.nodeName === '') this.apply({ kind: 'pod-set', pod: boundTo(pod, command.nodeName) });
        break;
      }
      case 'pod-deleted':
        this.#pods.delete(command.uid);
        break;
      case 'object-set':
        this.#objects.set(command.object);
        break;
      case 'object-deleted':
        this.#objects.delete(command.objectKind, command.key);
        break;
    }
  }

  pod(uid: string): PodObject | undefined {
    return this.#pods.get(uid);
  }

  /** Every node with its pods. Pods of nodes that are not there, and pods that have finished, are nowhere. */
  nodeStates(): NodeState[] {
    const pods = Map.groupBy(
      [...this.#pods.values()].filter((pod) => pod.nodeName !== '' && !pod.isFinished),
      ({ nodeName }) => nodeName,
    );
    return [...this.#nodes.values()].map((node) => ({ node, pods: pods.get(node.name) ?? [] }));
  }

  /** Pods without a node for which one is nominated, by that node. */
  nominatedPods(): Map<string, PodObject[]> {
    const nominated = [...this.#pods.values()].filter(
      (pod) => pod.nominatedNodeName !== '' && pod.nodeName === '' && !pod.isFinished,
    );
    return Map.groupBy(nominated, ({ nominatedNodeName }) => nominatedNodeName);
  }

  find<K extends ClusterKind>(kind: K, key: string): ObjectOf<K> | undefined {
    return this.#objects.find(kind, key);
  }

  servicesFor(): Iterable<ObjectOf<'Service'>> {
    return this.all('Service');
  }

  all<K extends ClusterKind>(kind: K): ObjectOf<K>[] {
    return [...this.#objects.all(kind)];
  }

  /** Those of a namespace that is not known are none. */
  namespaceLabels(name: string): Labels {
    return this.find('Namespace', name)?.labels ?? NO_LABELS;
  }

  /** How many nodes have an image and what size it is said to have; undefined where no node has it. */
  image(name: string): { readonly sizeBytes: number; readonly nodeCount: number } | undefined {
    const state = this.#images.get(name);
    return state === undefined ? undefined : { sizeBytes: state.sizeBytes, nodeCount: state.nodes.size };
  }

  #rememberImages(node: NodeObject): void {
    for (const { names, sizeBytes } of node.images) {
      for (const name of names) {
        const state = this.#images.get(name) ?? { sizeBytes, nodes: new Set<string>() };
        state.nodes.add(node.name);
        this.#images.set(name, state);
      }
    }
  }

  #forgetImages(nodeName: string): void {
    for (const [name, { nodes }] of this.#images) {
      nodes.delete(nodeName);
      if (nodes.size === 0) this.#images.delete(name);
    }
  }
}
