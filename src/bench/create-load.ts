// kube-apiserver's creation of an object: Txn If MOD(key) = 0 Then Put(key, value, lease), no Else; always a new key. With a
// lease it is how Events are written: one lease for a minute's or a thousand Events, as the API server shares them.

import { COMPARE_EQUAL, Compare, RequestOp, TARGET_MOD, TxnRequest } from '../api/messages.ts';
import * as methods from '../api/methods.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import { EMPTY_BYTES } from '../base/bytes.ts';
import type { EtcdClient } from '../client/etcd-client.ts';
import { keyBytes } from '../client/key-range.ts';
import { endsOf, KEY_DIGITS, KEYS_MAX, numbered, writeDigits } from './key-digits.ts';
import type { Load } from './load.ts';
import type { SeededChance } from './seeded-chance.ts';

/** --lease-reuse-duration-seconds and the most objects of one lease; an Event lives an hour. */
const LEASE_KEYS_MAX = 1000;
const LEASE_TTL_SECONDS = 3660;

export class CreateLoad implements Load {
  readonly path: string = methods.txn.path;
  buffer: Uint8Array = EMPTY_BYTES;
  readonly counts = { leases: 0 };
  readonly #prefix: string;
  readonly #value: Uint8Array;
  #client: EtcdClient | undefined;
  readonly #leases: bigint[] = [];
  #keysOfLease = 0;
  #next = 0;
  #digitsAt: readonly number[] = [];

  constructor(prefix: string, valueBytes: number, chance: SeededChance) {
    this.#prefix = prefix;
    this.#value = chance.text(valueBytes);
  }

  async setup(client: EtcdClient): Promise<void> {
    this.#client = client;
    await this.renewLease();
  }

  /** Objects made from now on get a new lease. */
  async renewLease(): Promise<void> {
    if (this.#client === undefined) return;
    this.#keysOfLease = 0;
    const granted = await this.#client.leaseGrant(LEASE_TTL_SECONDS);
    this.counts.leases++;
    this.#leases.push(granted.ID);
    this.#encode(granted.ID);
  }

  /** Removes the leases and with them the keys. */
  async remove(client: EtcdClient): Promise<void> {
    for (const lease of this.#leases.splice(0)) await client.leaseRevoke(lease).catch(() => undefined);
  }

  write(): number {
    if (++this.#keysOfLease === LEASE_KEYS_MAX) this.renewLease().catch(() => undefined);
    const index = this.#next++ % KEYS_MAX;
    for (let i = 0; i < this.#digitsAt.length; i++) writeDigits(this.buffer, this.#digitsAt[i], index);
    return this.buffer.length;
  }

  read(): void {}
  done(): void {}

  #encode(lease: bigint): void {
    const name = numbered(this.#prefix, 0);
    const key = keyBytes(name);
    const put = { key, value: this.#value, lease, prev_kv: false, ignore_value: false, ignore_lease: false };
    const writer = new ByteWriter();
    TxnRequest.encode(
      {
        compare: [Compare.create({ result: COMPARE_EQUAL, target: TARGET_MOD, key, mod_revision: 0 })],
        success: [RequestOp.create({ request_put: put })],
      },
      writer,
    );
    this.buffer = writer.copy();
    this.#digitsAt = endsOf(this.buffer, name).map((end) => end - KEY_DIGITS);
  }
}
