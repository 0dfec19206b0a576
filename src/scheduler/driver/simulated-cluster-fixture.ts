// A store of pods, nodes and leases behind an API server, in simulated time, for several schedulers at once. Its whole history is kept.
//
//   SimulatedCluster   objects, a revision for each change, preconditions as kube-apiserver has them
//   SimulatedClient    the KubeApi of one process: requests that are late, lost, doubled or refused on their way, and watches that
//                      lag, are cut, and start over from a new list (410 Gone)
//
// What it takes for granted, as HttpKubeApi does it: a request whose deadline is over does not arrive any more.

import { assert } from '../../base/assert.ts';
import type { Clock } from '../../io/clock.ts';
import type {
  BindOutcome,
  JsonObject,
  KubeApi,
  LeaseName,
  LeaseSpec,
  PodStatusPatch,
  PodToBind,
  ReadOutcome,
  ReflectHandler,
  Reflection,
  ReflectOptions,
  WriteOptions,
  WriteOutcome,
} from '../../kube-api/kube-api.ts';
import { headOf, isObject } from '../../kube-api/object-head.ts';
import type { ResourceName } from '../../kube-api/resource.ts';
import type { DecidedUpon, PlacementChange } from '../../testing/placement-history.ts';
import type { Random } from '../../testing/random.ts';

interface Entry {
  readonly revision: number;
  readonly timeMs: number;
  readonly resource: ResourceName;
  readonly name: string;
  /** Undefined: deleted. */
  readonly object: JsonObject | undefined;
}

const NOT_FOUND = { kind: 'gone', text: 'not found' } as const;
const MODIFIED = { kind: 'conflict', text: 'the object has been modified' } as const;
const NAMESPACE = 'default';
const KUBELET_MS = 1500;

export class SimulatedCluster {
  readonly changes: PlacementChange[] = [];
  readonly entries: Entry[] = [];
  readonly #clock: Clock;
  readonly #watchers = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Called after each change. */
  watch(onChange: () => void): void {
    this.#watchers.add(onChange);
  }

  unwatch(onChange: () => void): void {
    this.#watchers.delete(onChange);
  }

  get revision(): number {
    return this.entries.length;
  }

  /** The objects of a resource, by name, at a revision. */
  stateAt(resource: ResourceName, revision: number): Map<string, JsonObject> {
    const state = new Map<string, JsonObject>();
    for (const entry of this.entries) {
      if (entry.revision > revision) break;
      if (entry.resource !== resource) continue;
      if (entry.object === undefined) state.delete(entry.name);
      else state.set(entry.name, entry.object);
    }
    return state;
  }

  find(resource: ResourceName, name: string): JsonObject | undefined {
    return this.entries.findLast((entry) => entry.resource === resource && entry.name === name)?.object;
  }

  /** `object` without its resourceVersion, or undefined to delete it. */
  write(
    resource: ResourceName,
    name: string,
    object: JsonObject | undefined,
    decidedUpon?: DecidedUpon,
  ): JsonObject | undefined {
    const revision = this.entries.length + 1;
    const metadata = isObject(object?.metadata) ? object.metadata : {};
    const written =
      object === undefined ? undefined : { ...object, metadata: { ...metadata, resourceVersion: String(revision) } };
    const timeMs = this.#clock.nowMs();
    this.entries.push({ revision, timeMs, resource, name, object: written });
    const kind = resource === 'pods' ? 'pod' : 'node';
    if (resource === 'pods' || resource === 'nodes') {
      this.changes.push({ revision, timeMs, kind, key: `${resource}/${name}`, object: written, decidedUpon });
    }
    for (const onChange of [...this.#watchers]) onChange();
    return written;
  }

  bind(pod: PodToBind, nodeName: string, decidedUpon: DecidedUpon): BindOutcome {
    const object = this.find('pods', pod.name);
    const outcome = preconditionOf(object, pod);
    if (outcome !== undefined) return outcome;
    const spec = isObject(object?.spec) ? object.spec : {};
    const metadata = isObject(object?.metadata) ? object.metadata : {};
    if (spec.nodeName !== undefined) {
      return { kind: 'conflict', text: `pod ${pod.name} is already assigned to node "${spec.nodeName}"` };
    }
    if (metadata.deletionTimestamp !== undefined) {
      return { kind: 'conflict', text: `pod ${pod.name} is being deleted, cannot be assigned to a host` };
    }
    this.write('pods', pod.name, { ...object, spec: { ...spec, nodeName } }, decidedUpon);
    return { kind: 'bound' };
  }

  patchStatus(pod: PodToBind, { conditions = [], nominatedNodeName }: PodStatusPatch): WriteOutcome {
    const object = this.find('pods', pod.name);
    const outcome = preconditionOf(object, pod);
    if (outcome !== undefined) return outcome;
    const before = isObject(object?.status) ? object.status : {};
    const kept = Array.isArray(before.conditions) ? before.conditions : [];
    const others = kept.filter(({ type }) => !conditions.some((condition) => condition.type === type));
    const nomination = nominatedNodeName === undefined ? {} : { nominatedNodeName };
    const status = { ...before, conditions: [...others, ...conditions], ...nomination };
    // A patch that changes nothing writes nothing.
    if (JSON.stringify(status) === JSON.stringify(object?.status)) return { kind: 'done', object: object ?? {} };
    return { kind: 'done', object: this.write('pods', pod.name, { ...object, status }) ?? {} };
  }

  /** A pod on a node is told to end, and is gone when its kubelet says so. */
  deletePod(pod: PodToBind): WriteOutcome {
    const object = this.find('pods', pod.name);
    const outcome = preconditionOf(object, pod);
    if (outcome !== undefined || object === undefined) return outcome ?? NOT_FOUND;
    const { metadata, spec } = object;
    if (!isObject(metadata) || !isObject(spec)) return NOT_FOUND;
    if (spec.nodeName === undefined) this.write('pods', pod.name, undefined);
    else if (metadata.deletionTimestamp === undefined) {
      const deletionTimestamp = new Date(this.#clock.wallMs()).toISOString();
      this.write('pods', pod.name, { ...object, metadata: { ...metadata, deletionTimestamp } });
      this.#clock.setTimer(KUBELET_MS, () => {
        if (
          preconditionOf(this.find('pods', pod.name), { namespace: pod.namespace, name: pod.name, uid: pod.uid }) ===
          undefined
        ) {
          this.write('pods', pod.name, undefined);
        }
      });
    }
    return { kind: 'done', object };
  }

  setLease({ name }: LeaseName, spec: LeaseSpec, version: string): WriteOutcome {
    const found = this.find('leases', name);
    if ((found === undefined ? '' : headOf(found)?.resourceVersion) !== version) return MODIFIED;
    const metadata = { namespace: NAMESPACE, name, uid: `lease-${name}` };
    return { kind: 'done', object: this.write('leases', name, { metadata, spec }) ?? {} };
  }
}

function preconditionOf(
  object: JsonObject | undefined,
  pod: PodToBind,
): typeof NOT_FOUND | typeof MODIFIED | undefined {
  const head = object === undefined ? undefined : headOf(object);
  if (head?.uid !== pod.uid) return NOT_FOUND;
  return pod.resourceVersion === undefined || pod.resourceVersion === head.resourceVersion ? undefined : MODIFIED;
}

export interface ClientOptions {
  readonly cluster: SimulatedCluster;
  /** Of the network and the API server. */
  readonly clock: Clock;
  /** Of the process, which may stand still. */
  readonly own: Clock;
  readonly random: Random;
  /** From 0, none of it, to 1. */
  readonly trouble: () => number;
}

/** A client gives up after this. */
const TIMEOUT_MS = 2000;
/** A request may arrive so late, below what leaders leave between them. */
const LATE_MS_MAX = 4000;
const CUT_MS_MAX = 4000;
const CACHE_LAG_MS_MAX = 1500;

export class SimulatedClient {
  readonly #options: ClientOptions;
  readonly #followers = new Set<Follower>();
  /** By the pod as it is to be bound, which is the same in each request for one decision. */
  readonly #decidedUpon = new WeakMap<PodToBind, DecidedUpon>();

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  get api(): KubeApi {
    const { cluster } = this.#options;
    const readOf = (resource: ResourceName, name: string): ReadOutcome => {
      const object = cluster.find(resource, name);
      return object === undefined ? NOT_FOUND : { kind: 'found', object };
    };
    const api: Partial<KubeApi> = {
      reflect: (resource, handler, options) => this.#reflect(resource, handler, options),
      bind: (pod, nodeName, options) => {
        const decidedUpon = this.#toldBefore(pod);
        return this.#request<BindOutcome>(() => cluster.bind(pod, nodeName, decidedUpon), options);
      },
      patchPodStatus: (pod, patch, options) =>
        this.#request<WriteOutcome>(() => cluster.patchStatus(pod, patch), options),
      deletePod: (pod, options) => this.#request<WriteOutcome>(() => cluster.deletePod(pod), options),
      createEvent: () => Promise.resolve({ kind: 'done', object: {} }),
      read: (resource, { name }) => this.#request<ReadOutcome>(() => readOf(resource, name)),
      readLease: ({ name }) => this.#request<ReadOutcome>(() => readOf('leases', name)),
      createLease: (lease, spec) => this.#request<WriteOutcome>(() => cluster.setLease(lease, spec, '')),
      updateLease: (lease, spec, version) => this.#request<WriteOutcome>(() => cluster.setLease(lease, spec, version)),
    };
    // A scheduler calls no others.
    return api as KubeApi;
  }

  close(): void {
    for (const follower of this.#followers) follower.close();
  }

  /** What the process had been told when it decided: pods without volumes are sent to be bound in the same turn. */
  #toldBefore(pod: PodToBind): DecidedUpon {
    const decidedUpon = this.#decidedUpon.get(pod) ?? { pods: this.#toldOf('pods'), nodes: this.#toldOf('nodes') };
    this.#decidedUpon.set(pod, decidedUpon);
    return decidedUpon;
  }

  #toldOf(resource: ResourceName): number {
    const follower = [...this.#followers].find((one) => one.resource === resource);
    assert(follower !== undefined, `who binds a pod follows ${resource}`);
    return follower.revision;
  }

  /** One request: when it arrives, if, how often, and whether its answer comes back. */
  #request<T>(act: () => T, { deadlineMs = Number.POSITIVE_INFINITY }: WriteOptions = {}): Promise<T | Lost> {
    const { clock, own, random, trouble } = this.#options;
    const chance = trouble();
    const { promise, resolve } = Promise.withResolvers<T | Lost>();
    const answer = (outcome: T | Lost): void => void own.setTimer(random.between(1, 10), () => resolve(outcome));
    const fate = random.fraction() / chance;
    if (fate < 0.05) answer({ kind: 'too-many-requests', retryAfterMs: 50 });
    else if (fate < 0.1) answer({ kind: 'unreachable', text: 'connection refused' });
    else {
      const timer = own.setTimer(Math.min(TIMEOUT_MS, deadlineMs - clock.nowMs()), () => {
        resolve({ kind: 'unknown', text: 'no answer in time' });
      });
      const isAnswered = !random.chance(0.15 * chance);
      const arrive = (): void => {
        if (clock.nowMs() >= deadlineMs) return;
        const outcome = act();
        if (!isAnswered) return;
        timer.cancel();
        answer(outcome);
      };
      const isLate = random.chance(0.2 * chance);
      if (!random.chance(0.1 * chance)) clock.setTimer(random.between(1, isLate ? LATE_MS_MAX : 10), arrive);
      if (random.chance(0.1 * chance)) clock.setTimer(random.between(1, LATE_MS_MAX), arrive);
    }
    return promise;
  }

  #reflect(resource: ResourceName, handler: ReflectHandler, { isNewest = false }: ReflectOptions = {}): Reflection {
    const { cluster, clock, random } = this.#options;
    const cachedMs = clock.nowMs() - (isNewest ? 0 : random.between(0, CACHE_LAG_MS_MAX));
    const from = cluster.entries.findLast(({ timeMs }) => timeMs <= cachedMs)?.revision ?? 0;
    const follower = new Follower(this.#options, resource, handler, from);
    this.#followers.add(follower);
    follower.start();
    return follower;
  }
}

/** It has happened, or will, or will not; or it has not left. */
type Lost =
  | { readonly kind: 'unknown' | 'unreachable'; readonly text: string }
  | { readonly kind: 'too-many-requests'; readonly retryAfterMs: number };

/** What Reflector is to a scheduler: objects in the order of the store, with nothing told twice. */
class Follower implements Reflection {
  readonly resource: ResourceName;
  readonly trouble: undefined;
  readonly counts: Reflection['counts'] = { lists: 0, watches: 0, events: 0, stale: 0, malformed: 0, failures: 0 };
  readonly #options: ClientOptions;
  readonly #handler: ReflectHandler;
  readonly #known = new Map<string, JsonObject>();
  readonly #onChange = (): void => this.#deliverSoon();
  #revision: number;
  #isDeliveryDue = false;
  #isClosed = false;

  constructor(options: ClientOptions, resource: ResourceName, handler: ReflectHandler, revision: number) {
    this.#options = options;
    this.resource = resource;
    this.#handler = handler;
    this.#revision = revision;
  }

  /** Up to which its handler has been told. */
  get revision(): number {
    return this.#revision;
  }

  get isSynced(): boolean {
    return true;
  }

  get size(): number {
    return this.#known.size;
  }

  start(): void {
    const { cluster, own, random } = this.#options;
    own.setTimer(random.between(1, 20), () => {
      this.#list(this.#revision);
      if (!this.#isClosed) this.#handler.onSynced();
      cluster.watch(this.#onChange);
      this.#deliverSoon();
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#options.cluster.unwatch(this.#onChange);
  }

  #deliverSoon(): void {
    if (this.#isDeliveryDue || this.#isClosed) return;
    this.#isDeliveryDue = true;
    const { cluster, own, random, trouble } = this.#options;
    const isCut = random.chance(0.02 * trouble());
    own.setTimer(isCut ? random.between(500, CUT_MS_MAX) : random.between(2, 40), () => {
      this.#isDeliveryDue = false;
      if (this.#isClosed) return;
      if (isCut && random.chance(0.5)) this.#list(cluster.revision);
      else this.#watch(random.chance(0.8) ? cluster.revision : random.between(this.#revision, cluster.revision));
      if (this.#revision < cluster.revision) this.#deliverSoon();
    });
  }

  #watch(until: number): void {
    for (const { resource, name, object } of this.#options.cluster.entries.slice(this.#revision, until)) {
      if (resource !== this.resource) continue;
      if (object === undefined) this.#delete(name);
      else this.#set(name, object);
    }
    this.#revision = until;
  }

  #list(revision: number): void {
    const state = this.#options.cluster.stateAt(this.resource, revision);
    for (const [name, object] of state) this.#set(name, object);
    for (const name of [...this.#known.keys()]) if (!state.has(name)) this.#delete(name);
    this.#revision = revision;
  }

  #set(name: string, object: JsonObject): void {
    const before = this.#known.get(name);
    const [old, now] = [before === undefined ? undefined : headOf(before), headOf(object)];
    if (old?.uid === now?.uid && old?.resourceVersion === now?.resourceVersion) return;
    if (old !== undefined && old.uid !== now?.uid) this.#delete(name);
    this.#known.set(name, object);
    if (!this.#isClosed) this.#handler.onSet(object);
  }

  #delete(name: string): void {
    const head = headOf(this.#known.get(name) ?? {});
    if (!this.#known.delete(name)) return;
    assert(head !== undefined, 'what is known has a head');
    if (!this.#isClosed) this.#handler.onDeleted(head);
  }
}
