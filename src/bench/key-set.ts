// The keys that a load works on: made before, with what is remembered of each, and removed afterwards.

import { RequestOp } from '../api/messages.ts';
import type { EtcdClient } from '../client/etcd-client.ts';
import { keyBytes, prefixEnd } from '../client/key-range.ts';
import { KEYS_MAX, numbered } from './key-digits.ts';

/** etcd takes 128 operations in a transaction, and 1.5 MiB. */
const BATCH_KEYS_MAX = 100;
const BATCH_BYTES_MAX = 512 * 1024;
const BATCHES_IN_FLIGHT_MAX = 8;
const TIMEOUT_MS = 60_000;

export class KeySet {
  /** Everything up to the digits. */
  readonly prefix: string;
  readonly count: number;
  /** The mod revision of each key, as last heard of; 0: unknown or none. */
  readonly revisions: Float64Array;
  /** 1: a request about the key is in flight. */
  readonly isBusy: Uint8Array;
  #cursor = 0;

  constructor(prefix: string, count: number) {
    if (count < 1 || count > KEYS_MAX) throw new RangeError(`keys must be 1 to ${KEYS_MAX}, not ${count}`);
    this.prefix = prefix;
    this.count = count;
    this.revisions = new Float64Array(count);
    this.isBusy = new Uint8Array(count);
  }

  name(index: number): string {
    return numbered(this.prefix, index);
  }

  /** The next key in turn that nobody is busy with, and makes it busy. There must be more keys than slots. */
  takeNext(): number {
    let at = this.#cursor;
    do at = at + 1 === this.count ? 0 : at + 1;
    while (this.isBusy[at] === 1);
    this.#cursor = at;
    this.isBusy[at] = 1;
    return at;
  }

  release(index: number): void {
    this.isBusy[index] = 0;
  }

  /** Puts all keys, and remembers their revisions. */
  async create(client: EtcdClient, makeValue: (index: number) => Uint8Array): Promise<void> {
    const valueBytes = Math.max(1, makeValue(0).length);
    const batchKeys = Math.max(1, Math.min(BATCH_KEYS_MAX, Math.floor(BATCH_BYTES_MAX / valueBytes)));
    let next = 0;
    const work = async (): Promise<void> => {
      while (next < this.count) {
        const from = next;
        next = Math.min(this.count, from + batchKeys);
        await this.#createSome(client, from, next, makeValue);
      }
    };
    await Promise.all(Array.from({ length: BATCHES_IN_FLIGHT_MAX }, work));
  }

  async #createSome(
    client: EtcdClient,
    from: number,
    to: number,
    makeValue: (index: number) => Uint8Array,
  ): Promise<void> {
    const success: RequestOp[] = [];
    for (let i = from; i < to; i++) {
      const put = { key: keyBytes(this.name(i)), value: makeValue(i), lease: 0n };
      success.push(
        RequestOp.create({ request_put: { ...put, prev_kv: false, ignore_value: false, ignore_lease: false } }),
      );
    }
    const response = await client.txn({ success }, { timeoutMs: TIMEOUT_MS });
    for (let i = from; i < to; i++) this.revisions[i] = response.header?.revision ?? 0;
  }

  /** Deletes everything that begins with the prefix. */
  async remove(client: EtcdClient): Promise<void> {
    const key = keyBytes(this.prefix);
    await client.deleteRange({ key, range_end: prefixEnd(key) }, { timeoutMs: TIMEOUT_MS });
  }
}
