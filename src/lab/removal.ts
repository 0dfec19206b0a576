// How what the lab has made is removed from a store: by its names, which end in seven digits. What else begins as they do stays.

import type { KeyValue } from '../api/messages.ts';
import type { EtcdClient } from '../client/etcd-client.ts';
import { keyBehind, keyBytes, prefixEnd } from '../client/key-range.ts';
import { numberIn, type Removal } from './lab-target.ts';

const DELETE_KEYS = 500;
const TIMEOUT_MS = 60_000;

/** Deletes the numbered keys that begin with the prefix, some at a time, until the signal comes. */
export async function removeAll(client: EtcdClient, prefix: string, { onRemoved, signal }: Removal): Promise<void> {
  const end = prefixEnd(keyBytes(prefix));
  let key = keyBytes(prefix);
  while (signal?.aborted !== true) {
    const request = { key, range_end: end, limit: DELETE_KEYS, keys_only: true };
    const { kvs, more } = await client.range(request, { timeoutMs: TIMEOUT_MS });
    for (const { first, last } of numberedRuns(kvs, prefix)) {
      const run = { key: first, range_end: keyBehind(last) };
      onRemoved((await client.deleteRange(run, { timeoutMs: TIMEOUT_MS })).deleted);
    }
    const last = kvs.at(-1);
    if (last === undefined || !more) return;
    key = keyBehind(last.key);
  }
}

interface KeyRun {
  readonly first: Uint8Array;
  last: Uint8Array;
}

/** Keys that follow each other, none of another name between them. */
function numberedRuns(kvs: readonly KeyValue[], prefix: string): readonly KeyRun[] {
  const runs: KeyRun[] = [];
  let run: KeyRun | undefined;
  for (const { key } of kvs) {
    if (numberIn(Buffer.from(key).toString(), prefix) < 0) run = undefined;
    else if (run !== undefined) run.last = key;
    else {
      run = { first: key, last: key };
      runs.push(run);
    }
  }
  return runs;
}
