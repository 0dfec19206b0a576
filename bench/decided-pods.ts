// What becomes of the lab's pods when some of them fit nowhere, as a watcher of the store sees it: one is on a node, or its status says that it is
// unschedulable. `k1m lab pods --wait-bound` would wait for these without end.
//
// Watched are the first pod and a sample as large as the lab's, the last ones among it; `countPods` reads all.

import type { Event } from '../src/api/messages.ts';
import { LatencyHistogram } from '../src/bench/latency-histogram.ts';
import { EtcdClient } from '../src/client/etcd-client.ts';
import { keyBehind, keyBytes, prefixEnd } from '../src/client/key-range.ts';
import { RealClock } from '../src/io/clock.ts';
import { TcpNetwork } from '../src/io/tcp-network.ts';
import { MessageDecoder } from '../src/kube/message-decoder.ts';
import { rawOf } from '../src/kube/message-edit.ts';
import { fieldsBeside } from '../src/kube/message-schema.ts';
import { readPodHead } from '../src/kube/stored-pod.ts';
import { fieldsOf, itemsOf } from '../src/kube-api/object-head.ts';
import { RegistryKeys } from '../src/kube-store/registry-key.ts';
import { type Run, sampleRuns } from '../src/lab/bound-sample.ts';
import { numberIn, POD_PREFIX } from '../src/lab/lab-target.ts';
import { nameOf } from '../src/lab/numbered-bytes.ts';

const PAGE_KEYS = 1000;
const WAIT_MS_MAX = 600_000;
const POD_KEY = new RegistryKeys().key('pods', { namespace: 'default', name: POD_PREFIX });
const NUMBER_AT = POD_KEY.length - POD_PREFIX.length;
const UNREAD = ['Pod.metadata', 'Pod.spec', ...fieldsBeside('PodStatus', ['conditions'])];

export function storeClient(endpoint: string): EtcdClient {
  return new EtcdClient({ network: new TcpNetwork(), clock: new RealClock(), endpoints: [endpoint] });
}

export interface ExpectedPods {
  /** Numbers from `start` up to, not including, `end`. */
  readonly start: number;
  readonly end: number;
  readonly fitsNowhere: (number: number) => boolean;
}

export class DecidedPods {
  /** From created to bound, both as seen here. */
  readonly latency: LatencyHistogram = new LatencyHistogram();
  firstCreatedMs = 0;
  lastBoundMs = 0;
  /** That it is unschedulable. */
  lastToldMs = 0;
  readonly #client: EtcdClient;
  readonly #expected: ExpectedPods;
  readonly #createdMs = new Map<number, number>();
  /** Of the sample, not decided. */
  readonly #open = new Set<number>();
  readonly #whole = Promise.withResolvers<void>();
  readonly #decoder = new MessageDecoder(UNREAD);

  constructor(endpoint: string, expected: ExpectedPods) {
    this.#client = storeClient(endpoint);
    this.#expected = expected;
  }

  /** Resolves when all of the sample is watched. */
  async watch(): Promise<void> {
    const { start, end } = this.#expected;
    const runs = sampleRuns(start, end);
    for (const run of runs) for (let number = run.start; number < run.end; number++) this.#open.add(number);
    await Promise.all([{ start, end: start + 1 }, ...runs].map((run) => this.#watch(run)));
  }

  /** Resolves when all of the sample has been decided about. */
  async whole(): Promise<void> {
    const timer = setTimeout(() => this.#whole.reject(new Error(`${this.#open.size} pods wait`)), WAIT_MS_MAX);
    await this.#whole.promise.finally(() => clearTimeout(timer));
    this.#client.close();
  }

  #watch({ start, end }: Run): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#client.watch(
      { key: keyBytes(nameOf(POD_KEY, start)), rangeEnd: keyBytes(nameOf(POD_KEY, end)) },
      {
        onCreated: () => resolve(),
        onEvents: (events) => {
          for (const event of events) this.#onEvent(event);
        },
        onEnd: (error) => this.#whole.reject(error),
      },
    );
    return promise;
  }

  #onEvent({ kv }: Event): void {
    if (kv === undefined) return;
    const nowMs = performance.now();
    this.firstCreatedMs ||= nowMs;
    const number = numberIn(Buffer.from(kv.key).toString('utf8', NUMBER_AT), POD_PREFIX);
    const createdMs = this.#createdMs.get(number) ?? nowMs;
    this.#createdMs.set(number, createdMs);
    if (!this.#open.has(number)) return;
    if (readPodHead(kv.value).nodeName !== '') {
      this.lastBoundMs = nowMs;
      this.latency.record(nowMs - createdMs);
    } else if (this.#expected.fitsNowhere(number) && isUnschedulable(kv.value, this.#decoder)) this.lastToldMs = nowMs;
    else return;
    this.#open.delete(number);
    if (this.#open.size === 0) this.#whole.resolve();
  }
}

function isUnschedulable(value: Uint8Array, decoder: MessageDecoder): boolean {
  const { start, end } = rawOf(value);
  const { conditions } = fieldsOf(decoder.decode('Pod', value, start, end)?.status);
  return itemsOf(conditions).some((condition) => {
    const { type, status, reason } = fieldsOf(condition);
    return type === 'PodScheduled' && status === 'False' && reason === 'Unschedulable';
  });
}

export interface PodCount {
  readonly pods: number;
  readonly bound: number;
  readonly unschedulable: number;
}

/** Of the lab's pods in the store. */
export async function countPods(endpoint: string): Promise<PodCount> {
  const client = storeClient(endpoint);
  const decoder = new MessageDecoder(UNREAD);
  const prefix = keyBytes(POD_KEY);
  const count = { pods: 0, bound: 0, unschedulable: 0 };
  for (let key: Uint8Array = prefix; ; ) {
    const { kvs, more } = await client.range({ key, range_end: prefixEnd(prefix), limit: PAGE_KEYS });
    for (const { value } of kvs) {
      count.pods++;
      if (readPodHead(value).nodeName !== '') count.bound++;
      else if (isUnschedulable(value, decoder)) count.unschedulable++;
    }
    const last = kvs.at(-1);
    if (!more || last === undefined) break;
    key = keyBehind(last.key);
  }
  client.close();
  return count;
}
