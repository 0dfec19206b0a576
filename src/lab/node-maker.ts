// The lab's nodes: names, keys, bytes.

import { RegistryKeys } from '../kube-store/registry-key.ts';
import { encodedObject } from './encoded-object.ts';
import { labNode, type NodeOptions, nodeShape } from './lab-node.ts';
import { INDEX } from './numbered-bytes.ts';
import type { Collection, ObjectMaker } from './object-maker.ts';

export class NodeMaker implements ObjectMaker {
  readonly #keys: RegistryKeys;
  readonly #options: NodeOptions;

  /** `registry`: kube-apiserver's --etcd-prefix. */
  constructor(registry: string, options: NodeOptions) {
    this.#keys = new RegistryKeys(registry);
    this.#options = options;
  }

  shapeOf(index: number): number {
    return nodeShape(index, this.#options);
  }

  keyOf(): string {
    return this.#keys.key('nodes', { namespace: '', name: `${this.#options.prefix}${INDEX}` });
  }

  valueOf(shape: number): Uint8Array {
    return encodedObject('Node', labNode(shape, this.#options));
  }

  collectionOf(): Collection {
    return { resource: 'nodes', namespace: '' };
  }

  /** Kubelets register with their status. */
  requestOf(shape: number): Uint8Array {
    return this.valueOf(shape);
  }
}
