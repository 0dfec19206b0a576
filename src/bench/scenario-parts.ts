// What scenarios are made of: flows of requests, watchers, occasional tasks; and the keys that they share.

import * as methods from '../api/methods.ts';
import type { EtcdClient } from '../client/etcd-client.ts';
import { keyBytes, prefixEnd } from '../client/key-range.ts';
import { NODE_LEASE_NAMESPACE } from '../kube/node-lease.ts';
import type { BenchOptions } from './bench-options.ts';
import { encodeRequest } from './fixed-load.ts';
import type { Flow } from './flow.ts';
import { KeySet } from './key-set.ts';
import { NodeLeaseValue } from './update-values.ts';
import type { WatchPlan } from './watch-fleet.ts';

export interface FlowPlan {
  readonly flow: Flow;
  readonly inFlightPerConnection: number;
}

export interface Task {
  readonly name: string;
  readonly everyMs: number;
  run(client: EtcdClient): Promise<void>;
}

export interface Scenario {
  readonly flows: readonly FlowPlan[];
  readonly watch: WatchPlan | undefined;
  readonly tasks: readonly Task[];
  /** Deletes what setup and the flows have made. */
  remove(client: EtcdClient): Promise<void>;
}

/** Keys of this tool begin so, so that they can be told from a cluster's and removed together. */
export function keyPrefix(options: BenchOptions, resource: string): string {
  return `${options.prefix}/${resource}/${objectPrefix(options)}`;
}

export function objectPrefix(options: BenchOptions): string {
  return `k1m-bench-${options.seed}-`;
}

/** The Leases of nodes; `setup` creates them. */
export interface NodeLeases {
  readonly keys: KeySet;
  readonly value: NodeLeaseValue;
  readonly setup: (client: EtcdClient) => Promise<void>;
}

export function nodeLeases(options: BenchOptions, count: number, seconds: number): NodeLeases {
  const keys = new KeySet(keyPrefix(options, `leases/${NODE_LEASE_NAMESPACE}`), count);
  const value = new NodeLeaseValue(objectPrefix(options), options.valueBytes, seconds);
  return { keys, value, setup: (client) => keys.create(client, (index) => value.makeValue(index)) };
}

export function countRequest(prefix: string): Uint8Array {
  const key = keyBytes(prefix);
  return encodeRequest(methods.range, { key, range_end: prefixEnd(key), count_only: true });
}
