// Objects changed at the store as kube-apiserver changes them: the stored bytes rewritten, fields unknown here kept, in a Txn on the revision they had.
//
// Of pods the bytes that the feed has just told are taken, where they are still at hand; else, and of nodes, they are read first. When somebody else
// has written meanwhile, what that one wrote is looked at anew, TRIES_MAX times.

import { StatusError } from '../api/errors.ts';
import { COMPARE_EQUAL, Compare, DeleteRangeRequest, RangeRequest, RequestOp, TARGET_MOD } from '../api/messages.ts';
import { WireError } from '../base/byte-reader.ts';
import type { PutOutcome } from '../client/conditional-put.ts';
import type { EtcdClient } from '../client/etcd-client.ts';
import { keyBytes } from '../client/key-range.ts';
import { MessageDecoder } from '../kube/message-decoder.ts';
import { rawOf } from '../kube/message-edit.ts';
import { formOf } from '../kube/stored-object.ts';
import { StatusRewriter } from '../kube/stored-status.ts';
import type { JsonObject } from '../kube-api/kube-api.ts';
import { fieldsOf, keyOf } from '../kube-api/object-head.ts';
import type { RegistryKeys } from '../kube-store/registry-key.ts';
import {
  DONE,
  MOOT,
  type ObjectName,
  type ObjectWriter,
  type StatusChange,
  type WriteResult,
} from './object-writer.ts';
import type { PodsAtHand, StoredBytes } from './pods-at-hand.ts';

const TIMEOUT_MS = 10_000;
const TRIES_MAX = 5;
const KINDS = { pods: 'Pod', nodes: 'Node' } as const;
/** What no kubelet of the lab looks at. */
const LEFT_OUT: readonly string[] = [
  'ObjectMeta.managedFields',
  'ObjectMeta.labels',
  'ObjectMeta.annotations',
  'PodSpec.volumes',
  'PodSpec.affinity',
  'PodSpec.tolerations',
  'PodSpec.topologySpreadConstraints',
  'NodeStatus.images',
];

interface StoredPair extends StoredBytes {
  readonly key: Uint8Array;
}

/** What is to be written in place of the object; undefined when nothing is. */
type Rewrite = (object: JsonObject, kv: StoredPair) => Promise<PutOutcome> | undefined;

export interface StoreObjectWriterOptions {
  readonly client: EtcdClient;
  readonly keys: RegistryKeys;
  /** Of the feed of pods. */
  readonly atHand: PodsAtHand;
}

export class StoreObjectWriter implements ObjectWriter {
  readonly #options: StoreObjectWriterOptions;
  readonly #decoder = new MessageDecoder(LEFT_OUT);
  readonly #rewriter = new StatusRewriter();

  constructor(options: StoreObjectWriterOptions) {
    this.#options = options;
  }

  patchStatus(resource: 'pods' | 'nodes', object: ObjectName, change: StatusChange): Promise<WriteResult> {
    return this.#write(resource, object, (found, kv) => {
      const patch = change(found);
      if (patch === undefined) return undefined;
      return this.#put(kv, this.#rewriter.patch(kv.value, KINDS[resource], patch));
    });
  }

  removePod(pod: ObjectName, isDue: (object: JsonObject) => boolean): Promise<WriteResult> {
    return this.#write('pods', pod, (found, kv) => {
      if (!isDue(found)) return undefined;
      const { finalizers } = fieldsOf(found.metadata);
      const isHeld = Array.isArray(finalizers) && finalizers.length > 0;
      return isHeld ? this.#put(kv, this.#rewriter.letGo(kv.value)) : this.#delete(kv);
    });
  }

  async #write(resource: 'pods' | 'nodes', object: ObjectName, rewrite: Rewrite): Promise<WriteResult> {
    const { client, keys, atHand } = this.#options;
    const name = keyOf(object);
    const key = keyBytes(keys.key(resource, object));
    const known = resource === 'pods' ? atHand.take(name) : undefined;
    try {
      let kv: StoredBytes | undefined = known ?? (await client.get(key, { timeoutMs: TIMEOUT_MS }));
      for (let tries = 0; tries < TRIES_MAX; tries++) {
        if (kv === undefined) return MOOT;
        const form = formOf(kv.value);
        if (form !== 'protobuf') return { kind: 'failed', text: `its stored form is ${form}: give --kubeconfig` };
        const writing = rewrite(this.#read(KINDS[resource], kv.value), { key, ...kv });
        if (writing === undefined) return MOOT;
        const outcome = await writing;
        if (outcome.kind === 'done') return DONE;
        kv = outcome.kv;
      }
      return { kind: 'failed', text: `${TRIES_MAX} times somebody else wrote it first` };
    } catch (error) {
      if (error instanceof StatusError || error instanceof WireError || error instanceof TypeError) {
        return { kind: 'failed', text: error.message };
      }
      throw error;
    }
  }

  #put({ key, mod_revision: modRevision }: StoredPair, value: Uint8Array): Promise<PutOutcome> {
    return this.#options.client.putIfUnchanged({ key, value, modRevision }, { timeoutMs: TIMEOUT_MS });
  }

  /** kube-apiserver's deletion of an object that it knows. */
  async #delete({ key, mod_revision }: StoredPair): Promise<PutOutcome> {
    const response = await this.#options.client.txn(
      {
        compare: [Compare.create({ result: COMPARE_EQUAL, target: TARGET_MOD, key, mod_revision })],
        success: [RequestOp.create({ request_delete_range: DeleteRangeRequest.create({ key }) })],
        failure: [RequestOp.create({ request_range: RangeRequest.create({ key }) })],
      },
      { timeoutMs: TIMEOUT_MS },
    );
    if (response.succeeded) return { kind: 'done' };
    return { kind: 'other', kv: response.responses.at(0)?.response_range?.kvs.at(0) };
  }

  #read(kind: string, value: Uint8Array): JsonObject {
    const { start, end } = rawOf(value);
    return this.#decoder.decode(kind, value, start, end) ?? {};
  }
}
