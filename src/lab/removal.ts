// How what the lab has made is removed from a store.

import type { EtcdClient } from '../client/etcd-client.ts';
import { keyBytes, prefixEnd } from '../client/key-range.ts';
import type { Removal } from './lab-target.ts';

const DELETE_KEYS = 500;
const TIMEOUT_MS = 60_000;

/** Deletes what begins with the prefix, some at a time, until the signal comes. */
export async function removeAll(client: EtcdClient, prefix: string, { onRemoved, signal }: Removal): Promise<void> {
  const end = prefixEnd(keyBytes(prefix));
  let key = keyBytes(prefix);
  while (signal?.aborted !== true) {
    const request = { key, range_end: end, limit: DELETE_KEYS, keys_only: true };
    const { kvs, more } = await client.range(request, { timeoutMs: TIMEOUT_MS });
    const last = kvs.at(-1);
    if (last === undefined) return;
    const behind = new Uint8Array(last.key.length + 1);
    behind.set(last.key);
    const { deleted } = await client.deleteRange({ key, range_end: behind }, { timeoutMs: TIMEOUT_MS });
    onRemoved(deleted);
    if (!more) return;
    key = behind;
  }
}
