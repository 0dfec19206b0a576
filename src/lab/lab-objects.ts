// The lab's objects as the store has them: names, keys, bytes; and how they are removed.

import type { EtcdClient } from '../client/etcd-client.ts';
import { keyBytes, prefixEnd } from '../client/key-range.ts';
import type { PlainObject } from '../kube/message-decoder.ts';
import { MessageEncoder } from '../kube/message-encoder.ts';
import { NODE_LEASE_NAMESPACE } from '../kube/node-lease.ts';
import { storedObject } from '../kube/stored-object.ts';
import { RegistryKeys } from '../kube-store/registry-key.ts';
import { labNode, type NodeOptions, nodeShape } from './lab-node.ts';
import { labPod, type PodOptions, type PodTemplate } from './lab-pod.ts';
import { INDEX } from './numbered-bytes.ts';
import type { ObjectMaker } from './object-creation.ts';

/** What the lab makes begins so, so that it can be told from a cluster's own and removed together. */
export const NODE_PREFIX = 'lab-node-';
export const POD_PREFIX = 'lab-pod-';
const DELETE_KEYS = 500;
const TIMEOUT_MS = 60_000;

function stored(kind: string, object: PlainObject): Uint8Array {
  const encoder = new MessageEncoder();
  return storedObject('v1', kind, (writer) => encoder.encode(kind, object, writer));
}

export function nodeFolder(registry: string): string {
  return new RegistryKeys(registry).folder('nodes');
}

export function leaseFolder(registry: string): string {
  return `${new RegistryKeys(registry).folder('leases')}${NODE_LEASE_NAMESPACE}/`;
}

export function podFolder(registry: string, namespace: string): string {
  return `${new RegistryKeys(registry).folder('pods')}${namespace}/`;
}

export class NodeMaker implements ObjectMaker {
  readonly #registry: string;
  readonly #options: NodeOptions;

  constructor(registry: string, options: NodeOptions) {
    this.#registry = registry;
    this.#options = options;
  }

  shapeOf(index: number): number {
    return nodeShape(index, this.#options);
  }

  keyOf(): string {
    return `${nodeFolder(this.#registry)}${this.#options.prefix}${INDEX}`;
  }

  valueOf(shape: number): Uint8Array {
    return stored('Node', labNode(shape, this.#options));
  }
}

/** Pods of several templates in turn, as often as their weights say. */
export class PodMaker implements ObjectMaker {
  readonly #registry: string;
  readonly #options: PodOptions;
  /** One for each pod of a round. */
  readonly #round: readonly PodTemplate[];

  constructor(registry: string, options: PodOptions, round: readonly PodTemplate[]) {
    this.#registry = registry;
    this.#options = options;
    this.#round = round;
  }

  shapeOf(index: number): number {
    return index % this.#round.length;
  }

  keyOf(): string {
    const { namespace, prefix } = this.#options;
    return `${podFolder(this.#registry, namespace)}${prefix}${INDEX}`;
  }

  valueOf(shape: number): Uint8Array {
    return stored('Pod', labPod(this.#round[shape], this.#options));
  }
}

/** Deletes what begins with the prefix, some at a time; `onDeleted` hears how many. */
export async function removeAll(client: EtcdClient, prefix: string, onDeleted: (count: number) => void): Promise<void> {
  const end = prefixEnd(keyBytes(prefix));
  let key = keyBytes(prefix);
  for (;;) {
    const request = { key, range_end: end, limit: DELETE_KEYS, keys_only: true };
    const { kvs, more } = await client.range(request, { timeoutMs: TIMEOUT_MS });
    const last = kvs.at(-1);
    if (last === undefined) return;
    const behind = new Uint8Array(last.key.length + 1);
    behind.set(last.key);
    const { deleted } = await client.deleteRange({ key, range_end: behind }, { timeoutMs: TIMEOUT_MS });
    onDeleted(deleted);
    if (!more) return;
    key = behind;
  }
}
