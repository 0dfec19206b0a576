// The lab at a store: objects are written as kube-apiserver would have written them.

import type { Event } from '../api/messages.ts';
import { errorText } from '../base/error-text.ts';
import { RefusedError } from '../base/refused-error.ts';
import { ArrivalSchedule } from '../bench/arrival-schedule.ts';
import type { Flow } from '../bench/flow.ts';
import { keyBytes, prefixEnd } from '../client/key-range.ts';
import { NODE_LEASE_NAMESPACE } from '../kube/node-lease.ts';
import { formOf } from '../kube/stored-object.ts';
import { readPodHead } from '../kube/stored-pod.ts';
import { RegistryKeys } from '../kube-store/registry-key.ts';
import type { BoundSample, Run } from './bound-sample.ts';
import { LabLoad, type LabWorld } from './lab-load.ts';
import {
  type Creation,
  type CreationOptions,
  type LabTarget,
  type LeaseOptions,
  type LeaseRenewal,
  NODE_PREFIX,
  POD_PREFIX,
  type Removal,
} from './lab-target.ts';
import { nameBehind } from './name-behind.ts';
import { NodeLeases } from './node-leases.ts';
import { nameOf } from './numbered-bytes.ts';
import { ObjectCreation } from './object-creation.ts';
import type { ObjectMaker } from './object-maker.ts';
import type { ObjectWriter } from './object-writer.ts';
import type { PodFeed } from './pod-feed.ts';
import { PodsAtHand } from './pods-at-hand.ts';
import { removeAll } from './removal.ts';
import { StoreObjectWriter } from './store-object-writer.ts';
import { StorePodFeed } from './store-pod-feed.ts';

/** Some 300 bytes each. */
const WAITING_MAX = 1_000_000;
const TIMEOUT_MS = 60_000;
/** The first byte behind a slash. */
const BEHIND_SLASH = '0';

export class StoreTarget implements LabTarget {
  readonly writer: ObjectWriter;
  readonly feed: PodFeed;
  readonly waitingMax: number = WAITING_MAX;
  readonly #world: LabWorld;
  readonly #load: LabLoad;
  readonly #keys: RegistryKeys;

  /** `registry`: kube-apiserver's --etcd-prefix. */
  constructor(world: LabWorld, endpoint: string, registry: string) {
    this.#world = world;
    this.#load = new LabLoad(world, endpoint);
    this.#keys = new RegistryKeys(registry);
    const atHand = new PodsAtHand();
    const parts = { client: this.#load.client, keys: this.#keys, atHand };
    this.writer = new StoreObjectWriter(parts);
    this.feed = new StorePodFeed({ ...parts, clock: world.clock });
  }

  async open(): Promise<void> {
    try {
      await this.#load.open();
    } catch (error) {
      throw new RefusedError(`cannot reach the store: ${errorText(error)}`);
    }
  }

  async close(): Promise<void> {
    this.#load.close();
  }

  create(maker: ObjectMaker, { what, start, end, ratePerSecond, inFlight }: CreationOptions): Creation {
    const count = new ObjectCreation(maker, start, end);
    const done = this.#load.create(what, count, {
      inFlight: Math.min(inFlight, end - start),
      ...(ratePerSecond > 0 ? { schedule: new ArrivalSchedule(ratePerSecond) } : {}),
    });
    return { count, done };
  }

  leases({ count, bytes }: LeaseOptions): LeaseRenewal {
    const folder = this.#leaseFolder();
    const leases = new NodeLeases({ clock: this.#world.clock, folder, prefix: NODE_PREFIX, count, bytes });
    return new StoreLeaseRenewal(this.#load, leases, () => this.#world.clock.nowMs());
  }

  async tellBound(sample: BoundSample, namespaces: readonly string[]): Promise<void> {
    const begun = namespaces.flatMap((namespace) => sample.runs.map((run) => this.#watch(sample, namespace, run)));
    await Promise.all(begun);
  }

  async removeNodes(removal: Removal): Promise<void> {
    for (const folder of [this.#keys.folder('nodes'), this.#leaseFolder()]) {
      await removeAll(this.#load.client, folder + NODE_PREFIX, removal);
    }
  }

  async removePods(namespaces: readonly string[] | undefined, removal: Removal): Promise<void> {
    for await (const namespace of namespaces ?? this.#namespacesWithPods()) {
      await removeAll(this.#load.client, this.#podPrefix(namespace), removal);
    }
  }

  #leaseFolder(): string {
    return `${this.#keys.folder('leases')}${NODE_LEASE_NAMESPACE}/`;
  }

  #podPrefix(namespace: string): string {
    return this.#keys.key('pods', { namespace, name: POD_PREFIX });
  }

  /** One after another, whatever they hold in between. */
  async *#namespacesWithPods(): AsyncGenerator<string> {
    const folder = this.#keys.folder('pods');
    let key = keyBytes(folder);
    for (;;) {
      const request = { key, range_end: prefixEnd(keyBytes(folder)), limit: 1, keys_only: true };
      const { kvs } = await this.#load.client.range(request, { timeoutMs: TIMEOUT_MS });
      const first = kvs.at(0);
      if (first === undefined) return;
      const [namespace] = nameBehind(first.key, folder.length).split('/');
      yield namespace;
      key = keyBytes(`${folder}${namespace}${BEHIND_SLASH}`);
    }
  }

  /** Resolves when the store watches. */
  #watch(sample: BoundSample, namespace: string, { start, end }: Run): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const prefix = this.#podPrefix(namespace);
    this.#load.client.watch(
      { key: keyBytes(nameOf(prefix, start)), rangeEnd: keyBytes(nameOf(prefix, end)) },
      {
        onCreated: () => resolve(),
        onEvents: (events) => {
          for (const event of events) tell(sample, prefix, event);
        },
        onEnd: (error) => {
          if (error !== undefined) sample.onCutOff(error);
          resolve();
        },
      },
    );
    return promise;
  }
}

function tell(sample: BoundSample, prefix: string, { kv }: Event): void {
  if (kv === undefined || formOf(kv.value) !== 'protobuf' || readPodHead(kv.value).nodeName === '') return;
  sample.onBound(Number(nameBehind(kv.key, prefix.length)));
}

class StoreLeaseRenewal implements LeaseRenewal {
  readonly #load: LabLoad;
  readonly #leases: NodeLeases;
  readonly #nowMs: () => number;
  #flow: Flow | undefined;

  constructor(load: LabLoad, leases: NodeLeases, nowMs: () => number) {
    this.#load = load;
    this.#leases = leases;
    this.#nowMs = nowMs;
  }

  create(): Promise<void> {
    return this.#leases.create(this.#load.client);
  }

  start(fraction: number, inFlight: number): void {
    const options = { schedule: this.#leases.schedule(fraction), inFlight: this.#leases.inFlightMax(inFlight) };
    this.#flow = this.#load.start('renewals', this.#leases.load, options);
  }

  stop(): void {
    this.#flow?.stop();
  }

  get renewed(): number {
    return this.#flow?.ended[0] ?? 0;
  }

  get failed(): number {
    return (this.#flow?.requests ?? 0) - this.renewed;
  }

  get late(): number {
    return this.#flow?.backlog(this.#nowMs()) ?? 0;
  }

  get p99Micros(): number {
    return this.#flow?.latency.percentiles().p99Micros ?? 0;
  }
}
