// A cluster as a scheduler sees it, at the store instead of through an API server: collections are followed and pods bound by the etcd API.
// The objects are the same, and so is what API servers, kubelets and controllers see of a binding (docs/scheduler.md).
//
//   bind ─► the pod's stored bytes ─► rewritten (kube/stored-pod.ts) ─► Txn If MOD(key) = revision and the Lease is ours Then Put Else Range
//             from its last event, or read                                                              (lease-fence.ts)
//
// What the store cannot do is done by the API server, where one is given: bindings of pods that are encrypted or stored as JSON, events, deletions,
// leases, any other write. Without one these are refused, but for the conditions of pods, which are written at the store too.

import { INVALID_ARGUMENT, PERMISSION_DENIED, RESOURCE_EXHAUSTED, StatusError } from '../api/errors.ts';
import type { KeyValue } from '../api/messages.ts';
import { WireError } from '../base/byte-reader.ts';
import type { PutOutcome } from '../client/conditional-put.ts';
import type { EtcdClient } from '../client/etcd-client.ts';
import { keyBytes } from '../client/key-range.ts';
import type { Clock } from '../io/clock.ts';
import { formOf } from '../kube/stored-object.ts';
import { PodRewriter } from '../kube/stored-pod.ts';
import type {
  AccessProblem,
  BindOutcome,
  DoneOutcome,
  Failure,
  JsonObject,
  KubeApi,
  LeaseName,
  LeaseSpec,
  ObjectIdentity,
  PodStatusPatch,
  PodToBind,
  ReadOutcome,
  ReflectHandler,
  Reflection,
  ReflectOptions,
  RequestCount,
  SchedulerEvent,
  WriteOptions,
  WriteOutcome,
} from '../kube-api/kube-api.ts';
import { headOf, keyOf } from '../kube-api/object-head.ts';
import type { ResourceName } from '../kube-api/resource.ts';
import { type FencedBy, LeaseFence } from './lease-fence.ts';
import { ObjectReader } from './object-reader.ts';
import { PodBytes, type SentBinding, type StoredPod } from './pod-bytes.ts';
import { RegistryKeys } from './registry-key.ts';
import { StoreOutage } from './store-outage.ts';
import { StoreReflector } from './store-reflector.ts';

const TIMEOUT_MS = 10_000;
const RETRY_AFTER_MS = 1000;
/** A write without a version as precondition, when others write the object meanwhile. */
const TRIES_MAX = 5;

export interface StoreKubeApiOptions {
  readonly client: EtcdClient;
  /** kube-apiserver's --etcd-prefix. */
  readonly prefix: string;
  readonly clock: Clock;
  /** 0 <= chance() < 1, for jitter. */
  readonly chance: () => number;
  /** For what the store cannot do. */
  readonly api?: KubeApi;
}

const BOUND: BindOutcome = { kind: 'bound' };
const TOO_LATE: Failure = { kind: 'unreachable', text: 'the deadline of the binding has passed' };
const WRITTEN_TOO_OFTEN: Failure = { kind: 'conflict', text: `${TRIES_MAX} times somebody else wrote the pod first` };

interface StoreBinding {
  readonly pod: PodToBind;
  readonly nodeName: string;
  /** Of the pod, in the reflector; −1: it is not followed. */
  readonly slot: number;
  /** By the clock's nowMs. */
  readonly deadlineMs: number;
}

/** A transaction that has put nothing. */
interface LostWrite {
  readonly sent: SentBinding;
  readonly fence: FencedBy | undefined;
  /** Of the pod, as it was compared. */
  readonly mod_revision: number;
  readonly tries: number;
}

interface FollowedPods {
  readonly reflector: StoreReflector;
  readonly bytes: PodBytes;
}

export class StoreKubeApi implements KubeApi {
  readonly #options: StoreKubeApiOptions;
  readonly #keys: RegistryKeys;
  readonly #fence: LeaseFence;
  readonly #outage: StoreOutage;
  readonly #reader = new ObjectReader();
  readonly #rewriter = new PodRewriter();
  /** Of the reflector that follows the pods, once there is one. */
  #pods: FollowedPods | undefined;
  readonly #requests = new Map<string, number>();

  constructor(options: StoreKubeApiOptions) {
    this.#options = options;
    this.#keys = new RegistryKeys(options.prefix);
    this.#outage = new StoreOutage(options.clock);
    this.#fence = new LeaseFence(options.client, this.#keys);
  }

  reflect(resource: ResourceName, handler: ReflectHandler, options: ReflectOptions = {}): Reflection {
    const { client, clock, chance, api } = this.#options;
    const podBytes = resource === 'pods' ? new PodBytes() : undefined;
    const reflector = new StoreReflector({
      client,
      clock,
      chance,
      api,
      resource,
      handler,
      options,
      keys: this.#keys,
      podBytes,
      outage: this.#outage,
    });
    if (podBytes !== undefined) this.#pods = { reflector, bytes: podBytes };
    reflector.start();
    return reflector;
  }

  bind(
    pod: PodToBind,
    nodeName: string,
    { deadlineMs = Number.POSITIVE_INFINITY }: WriteOptions = {},
  ): Promise<BindOutcome> {
    const slot = this.#pods?.reflector.slotOf(keyOf(pod)) ?? -1;
    const binding = { pod, nodeName, slot, deadlineMs };
    // Valid until something is awaited: by then it is rewritten.
    const kept = this.#pods?.bytes.get(slot);
    return kept !== undefined && isAtVersion(kept, pod) ? this.#bindStored(binding, kept, 1) : this.#bindRead(binding);
  }

  async #bindRead(binding: StoreBinding): Promise<BindOutcome> {
    try {
      const kv = await this.#get('pods', binding.pod);
      return kv === undefined ? podIsGone(binding.pod) : await this.#bindStored(binding, kv, 1);
    } catch (error) {
      return failureOf(error, false);
    }
  }

  /** Most bindings are this and one answer: no function of theirs waits for it. `tries`: with this one. */
  #bindStored(binding: StoreBinding, kv: StoredPod, tries: number): Promise<BindOutcome> {
    const { pod, nodeName, slot, deadlineMs } = binding;
    const { clock } = this.#options;
    try {
      if (!isAtVersion(kv, pod)) return Promise.resolve(otherVersion(kv, pod));
      if (formOf(kv.value) !== 'protobuf') return this.#bindByApi(kv, binding);
      const bound = this.#rewriter.bind(kv.value, { uid: pod.uid, nodeName, wallMs: clock.wallMs() });
      if ('kind' in bound) {
        return Promise.resolve({ kind: bound.kind === 'other-uid' ? 'gone' : 'conflict', text: bound.text });
      }
      const timeoutMs = Math.min(TIMEOUT_MS, deadlineMs - clock.nowMs());
      if (timeoutMs <= 0) return Promise.resolve(TOO_LATE);
      // The watch tells of it, sooner or later than the answer comes.
      const sent = { value: bound, uid: pod.uid, nodeName };
      if (slot >= 0) this.#pods?.bytes.send(slot, sent);
      const fence = this.#fence.current;
      const { mod_revision } = kv;
      return this.#put(pod, kv, bound, { timeoutMs, fence }).then(
        (outcome) =>
          outcome.kind === 'done' ? BOUND : this.#bindAgain(binding, { sent, fence, mod_revision, tries }, outcome.kv),
        (error: unknown) => failureOf(error, true),
      );
    } catch (error) {
      return Promise.resolve(failureOf(error, false));
    }
  }

  /** Somebody has written the pod, or the Lease, first; `kv`: the pod as it is now. */
  async #bindAgain(binding: StoreBinding, lost: LostWrite, kv: StoredPod | undefined): Promise<BindOutcome> {
    const { pod, slot } = binding;
    const { sent, fence, mod_revision, tries } = lost;
    this.#pods?.bytes.unsend(slot, sent);
    try {
      if (fence !== undefined && kv?.mod_revision === mod_revision) {
        const text = await this.#fence.lost(fence, this.#options.api);
        if (text !== undefined) return { kind: 'unreachable', text };
      }
      if (kv === undefined) return podIsGone(pod);
      if (tries === TRIES_MAX) return WRITTEN_TOO_OFTEN;
      return await this.#bindStored(binding, kv, tries + 1);
    } catch (error) {
      return failureOf(error, false);
    }
  }

  async patchPodStatus(pod: PodToBind, patch: PodStatusPatch, options: WriteOptions = {}): Promise<DoneOutcome> {
    const { api } = this.#options;
    if (api !== undefined) return api.patchPodStatus(pod, patch, options);
    if (patch.nominatedNodeName !== undefined) return this.#unable('nominate a node');
    try {
      for (let tries = 0; tries < TRIES_MAX; tries++) {
        const kv = await this.#get('pods', pod);
        if (kv === undefined) return podIsGone(pod);
        const read = this.#reader.read(kv.value, kv.mod_revision);
        if ('reason' in read) return this.#unable('write the status of a pod that is not stored as protobuf');
        if (headOf(read.object)?.uid !== pod.uid) return podIsGone(pod);
        if (!isAtVersion(kv, pod)) return otherVersion(kv, pod);
        const changed = this.#withConditions(kv, patch);
        if (changed === kv.value) return { kind: 'done' };
        const outcome = await this.#put(pod, kv, changed);
        if (outcome.kind === 'done') return { kind: 'done' };
      }
      return WRITTEN_TOO_OFTEN;
    } catch (error) {
      return failureOf(error, true);
    }
  }

  async read(
    resource: ResourceName,
    object: { readonly namespace: string; readonly name: string },
  ): Promise<ReadOutcome> {
    try {
      const kv = await this.#get(resource, object);
      if (kv === undefined) return { kind: 'gone', text: `${resource} ${JSON.stringify(object.name)} not found` };
      const read = this.#reader.read(kv.value, kv.mod_revision);
      if ('object' in read) return { kind: 'found', object: read.object };
      const { api } = this.#options;
      if (api !== undefined) return api.read(resource, object);
      return { kind: 'refused', status: 0, text: `${resource} ${keyOf(object)} cannot be read: ${read.reason}` };
    } catch (error) {
      return failureOf(error, false);
    }
  }

  async deletePod(pod: ObjectIdentity, options: WriteOptions = {}): Promise<DoneOutcome> {
    return this.#options.api?.deletePod(pod, options) ?? this.#unable('delete a pod');
  }

  async createEvent(event: SchedulerEvent): Promise<WriteOutcome> {
    return this.#options.api?.createEvent(event) ?? this.#unable('write an event');
  }

  async updateEventSeries(
    event: { readonly namespace: string; readonly name: string },
    count: number,
  ): Promise<WriteOutcome> {
    return this.#options.api?.updateEventSeries(event, count) ?? this.#unable('write an event');
  }

  async mergePatch(
    resource: ResourceName,
    object: { readonly namespace: string; readonly name: string },
    patch: JsonObject,
  ): Promise<WriteOutcome> {
    return this.#options.api?.mergePatch(resource, object, patch) ?? this.#unable(`patch ${resource}`);
  }

  async readLease(lease: LeaseName): Promise<ReadOutcome> {
    return this.#options.api?.readLease(lease) ?? this.#unable('elect a leader');
  }

  async createLease(lease: LeaseName, spec: LeaseSpec): Promise<WriteOutcome> {
    const { api } = this.#options;
    if (api === undefined) return this.#unable('elect a leader');
    return this.#fence.written(lease, spec, api.createLease(lease, spec));
  }

  async updateLease(lease: LeaseName, spec: LeaseSpec, resourceVersion: string): Promise<WriteOutcome> {
    const { api } = this.#options;
    if (api === undefined) return this.#unable('elect a leader');
    return this.#fence.written(lease, spec, api.updateLease(lease, spec, resourceVersion));
  }

  async readVersion(): Promise<ReadOutcome> {
    return this.#options.api?.readVersion() ?? this.#unable("tell an API server's version");
  }

  async accessProblems(): Promise<readonly AccessProblem[]> {
    return this.#options.api?.accessProblems() ?? [];
  }

  requestCounts(): readonly RequestCount[] {
    const own = [...this.#requests].map(([verb, count]) => ({ verb, code: 'OK', count }));
    return [...own, ...(this.#options.api?.requestCounts() ?? [])];
  }

  async close(): Promise<void> {
    this.#options.client.close();
    await this.#options.api?.close();
  }

  async #bindByApi({ value }: StoredPod, { pod, nodeName, deadlineMs }: StoreBinding): Promise<BindOutcome> {
    const { api } = this.#options;
    if (api !== undefined) return api.bind(pod, nodeName, { deadlineMs });
    return this.#unable(`bind a pod whose stored form is ${formOf(value)}`);
  }

  /** The same bytes where there is nothing to change. */
  #withConditions({ value }: KeyValue, { conditions = [] }: PodStatusPatch): Uint8Array {
    const wallMs = this.#options.clock.wallMs();
    return conditions.reduce((bytes, one) => this.#rewriter.setCondition(bytes, one, wallMs) ?? bytes, value);
  }

  #get(
    resource: ResourceName,
    object: { readonly namespace: string; readonly name: string },
  ): Promise<KeyValue | undefined> {
    this.#counted('range');
    return this.#options.client.get(this.#keys.key(resource, object), { timeoutMs: TIMEOUT_MS });
  }

  /** kube-apiserver's update of a pod. */
  #put(
    pod: ObjectIdentity,
    { mod_revision }: StoredPod,
    value: Uint8Array,
    { timeoutMs = TIMEOUT_MS, fence }: { readonly timeoutMs?: number; readonly fence?: FencedBy | undefined } = {},
  ): Promise<PutOutcome> {
    this.#counted('txn');
    const key = keyBytes(this.#keys.key('pods', pod));
    return this.#options.client.putIfUnchanged({ key, value, modRevision: mod_revision, fence }, { timeoutMs });
  }

  #counted(verb: string): void {
    this.#requests.set(verb, (this.#requests.get(verb) ?? 0) + 1);
  }

  #unable(what: string): Failure {
    return { kind: 'refused', status: 0, text: `the store alone cannot ${what}: give the API server by --kubeconfig` };
  }
}

function isAtVersion({ mod_revision }: StoredPod, { resourceVersion }: PodToBind): boolean {
  return resourceVersion === undefined || resourceVersion === String(mod_revision);
}

function podIsGone({ name }: ObjectIdentity): Failure {
  return { kind: 'gone', text: `pods ${JSON.stringify(name)} not found` };
}

/** storage.Preconditions.Check of the API server. */
function otherVersion({ mod_revision }: StoredPod, { resourceVersion }: PodToBind): Failure {
  const text = `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${mod_revision}`;
  return { kind: 'conflict', text };
}

/** `isSent`: a write may have happened. */
function failureOf(error: unknown, isSent: boolean): Failure {
  if (error instanceof WireError)
    return { kind: 'refused', status: 0, text: `the stored object is damaged: ${error.message}` };
  if (!(error instanceof StatusError)) throw error;
  const { code, message: text } = error;
  switch (code) {
    case RESOURCE_EXHAUSTED:
      return { kind: 'too-many-requests', retryAfterMs: RETRY_AFTER_MS };
    case INVALID_ARGUMENT:
    case PERMISSION_DENIED:
      return { kind: 'refused', status: code, text };
    default:
      return isSent ? { kind: 'unknown', text } : { kind: 'unreachable', text };
  }
}
