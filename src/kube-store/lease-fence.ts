// A leader's Lease as a precondition of what it writes at the store, so that one that no longer leads can write nothing, however late it is.
//
//   the Lease written through the API server ─► its version ─► compared by each write, in its transaction
//   the comparison is lost ─┬─ a renewal of ours is on its way: wait for it ─► write again
//                           └─ else read the Lease ─┬─ still ours ─► write again
//                                                   └─ another's ─► nothing is written
//
// Without a Lease that was written through here (a lone scheduler) nothing is compared. Nor is it where the API server keeps Leases in another store
// (--etcd-servers-overrides): its version would never be found in this one.

import type { EtcdClient } from '../client/etcd-client.ts';
import { keyBytes } from '../client/key-range.ts';
import type { KubeApi, LeaseName, LeaseSpec, WriteOutcome } from '../kube-api/kube-api.ts';
import { fieldsOf, headOf } from '../kube-api/object-head.ts';
import type { RegistryKeys } from './registry-key.ts';

const TIMEOUT_MS = 4000;

/** What has to hold besides. */
export interface FencedBy {
  readonly key: Uint8Array;
  readonly modRevision: number;
}

interface Held {
  readonly lease: LeaseName;
  readonly identity: string;
  readonly by: FencedBy;
}

export class LeaseFence {
  readonly #client: EtcdClient;
  readonly #keys: RegistryKeys;
  #held: Held | undefined;
  #isElsewhere = false;
  #writing: Promise<unknown> | undefined;
  #looking: Promise<string | undefined> | undefined;

  constructor(client: EtcdClient, keys: RegistryKeys) {
    this.#client = client;
    this.#keys = keys;
  }

  /** Undefined where nothing is to be compared. */
  get current(): FencedBy | undefined {
    return this.#isElsewhere ? undefined : this.#held?.by;
  }

  /** Remembers what becomes of a Lease that is written; the same outcome. */
  async written(lease: LeaseName, { holderIdentity }: LeaseSpec, write: Promise<WriteOutcome>): Promise<WriteOutcome> {
    this.#writing = write;
    const outcome = await write;
    if (outcome.kind === 'done') this.#hold(lease, holderIdentity, headOf(outcome.object)?.resourceVersion);
    if (this.#writing === write) this.#writing = undefined;
    return outcome;
  }

  /** A write was lost for `by`. Undefined when it may be tried again; else why not. */
  async lost(by: FencedBy, api: KubeApi | undefined): Promise<string | undefined> {
    await this.#writing;
    if (this.current?.modRevision !== by.modRevision || api === undefined) return undefined;
    this.#looking ??= this.#look(by, api).finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  #hold(lease: LeaseName, identity: string, resourceVersion: string | undefined): void {
    const key = keyBytes(this.#keys.key('leases', lease));
    const modRevision = Number(resourceVersion);
    // Given back: nobody is to write by it any more, and nobody does.
    this.#held = identity === '' ? undefined : { lease, identity, by: { key, modRevision } };
  }

  async #look(by: FencedBy, api: KubeApi): Promise<string | undefined> {
    const held = this.#held;
    if (held === undefined) return undefined;
    const found = await api.readLease(held.lease);
    if (found.kind === 'gone') return 'the Lease of the leader is gone';
    if (found.kind !== 'found') return `the Lease of the leader cannot be read: ${found.kind}`;
    const { holderIdentity } = fieldsOf(found.object.spec);
    if (holderIdentity !== held.identity) return `another scheduler leads: ${String(holderIdentity)}`;
    const { resourceVersion } = headOf(found.object) ?? {};
    if (resourceVersion === String(by.modRevision)) {
      const here = await this.#client.get(by.key, { timeoutMs: TIMEOUT_MS });
      this.#isElsewhere = here?.mod_revision !== by.modRevision;
    } else this.#hold(held.lease, held.identity, resourceVersion);
    return undefined;
  }
}
