// A Kubernetes API of a few maps for tests of the scheduler: it binds as the real one does, tells watchers later, and fails when told to.

import type {
  BindOutcome,
  JsonObject,
  KubeApi,
  ObjectIdentity,
  PodStatusPatch,
  PodToBind,
  ReadOutcome,
  ReflectHandler,
  Reflection,
  SchedulerEvent,
  WriteOutcome,
} from '../../kube-api/kube-api.ts';
import type { ResourceName } from '../../kube-api/resource.ts';
import type { OngoingTrouble } from '../../kube-api/trouble.ts';
import type { SimulatedClock } from '../../testing/clock.ts';
import { FakeStorage } from './fake-storage-fixture.ts';

/** What becomes of a binding: as the API server has it; or one of the ways in which it can go wrong. */
export type BindFault = 'none' | 'busy' | 'unreachable' | 'lost-before' | 'lost-after' | 'conflict' | 'refused';

/** The same for patches of a pod's status and deletions. */
export type WriteFault = 'none' | 'busy' | 'unreachable' | 'lost-before' | 'lost-after' | 'refused';

interface PodState {
  readonly identity: ObjectIdentity;
  readonly spec: JsonObject;
  labels: JsonObject;
  status: JsonObject;
  isTerminating: boolean;
  nodeName: string;
  version: number;
}

export class FakeKubeApi {
  readonly events: SchedulerEvent[] = [];
  readonly patches: { readonly uid: string; readonly patch: PodStatusPatch }[] = [];
  /** Every binding that happened, in order. */
  readonly bindings: { readonly uid: string; readonly nodeName: string }[] = [];
  readonly pods: Map<string, PodState> = new Map();
  /** Nodes that had more pods after a binding than CPUs; for pods that ask for one each. */
  readonly overcommitted: string[] = [];
  readonly #cpus = new Map<string, number>();
  /** Every deletion that was asked for and happened, in order. */
  readonly deletions: string[] = [];
  nextFault: () => BindFault = () => 'none';
  nextWriteFault: (uid: string) => WriteFault = () => 'none';
  /** How long a deleted pod that is on a node takes to end. */
  graceMs = 500;
  /** Of all collections. */
  trouble: OngoingTrouble | undefined;
  /** How long watchers wait for a change. */
  delayMs = 5;
  readonly storage: FakeStorage;
  readonly #clock: SimulatedClock;
  readonly #handlers = new Map<ResourceName, ReflectHandler>();
  #version = 0;

  constructor(clock: SimulatedClock) {
    this.#clock = clock;
    this.storage = new FakeStorage(
      clock,
      () => ++this.#version,
      (resource, object) => this.#tell(resource, (handler) => handler.onSet(object)),
    );
  }

  /** The methods that a scheduler calls. */
  get api(): KubeApi {
    const api: Partial<KubeApi> = {
      reflect: (resource, handler) => this.#reflect(resource, handler),
      bind: (pod, nodeName) => this.#bind(pod, nodeName),
      read: (resource, place) =>
        this.#later(() => (resource === 'pods' ? this.#read(place) : this.storage.read(resource, place))),
      mergePatch: (resource, place, patch) =>
        this.storage.patch(resource, place, patch, () => this.#later(() => undefined)),
      patchPodStatus: (pod, patch) => this.#write(pod, (state) => this.#patchStatus(state, patch)),
      deletePod: (pod) => this.#write(pod, (state) => this.#delete(state)),
      createEvent: (event) => {
        this.events.push(event);
        return this.#later((): WriteOutcome => ({ kind: 'done', object: {} }));
      },
    };
    // A scheduler calls no others.
    return api as KubeApi;
  }

  createNode(name: string, cpu: string, extra: JsonObject = {}): void {
    this.#cpus.set(name, Number(cpu));
    const metadata = { name, uid: name, labels: { 'kubernetes.io/hostname': name } };
    const object = { metadata, spec: extra, status: { allocatable: { cpu, memory: '64Gi', pods: '110' } } };
    this.#tell('nodes', (handler) => handler.onSet(object));
  }

  deleteNode(name: string): void {
    this.#tell('nodes', (handler) => handler.onDeleted({ namespace: '', name, uid: name }));
  }

  createPod(name: string, cpu: string, spec: JsonObject = {}, status: JsonObject = {}): void {
    const identity = { namespace: 'default', name, uid: `uid-${name}` };
    const containers = [{ name: 'c', image: 'i', resources: { requests: { cpu } } }];
    const state = {
      identity,
      spec: { containers, ...spec },
      labels: {},
      status,
      isTerminating: false,
      nodeName: '',
      version: ++this.#version,
    };
    this.pods.set(identity.uid, state);
    this.#tellPod(state);
  }

  labelPod(uid: string, labels: JsonObject): void {
    const state = this.pods.get(uid);
    if (state === undefined) return;
    state.labels = labels;
    state.version = ++this.#version;
    this.#tellPod(state);
  }

  /** For a watcher that has come since. */
  tellAgain(uid: string): void {
    const state = this.pods.get(uid);
    if (state !== undefined) this.#tellPod(state);
  }

  deletePod(uid: string): void {
    const state = this.pods.get(uid);
    if (state === undefined) return;
    this.pods.delete(uid);
    this.#tell('pods', (handler) => handler.onDeleted(state.identity));
  }

  async #write(pod: PodToBind, write: (state: PodState) => void): Promise<WriteOutcome> {
    const { uid } = pod;
    const fault = this.nextWriteFault(uid);
    await this.#later(() => undefined);
    if (fault === 'busy') return { kind: 'too-many-requests', retryAfterMs: 100 };
    if (fault === 'unreachable') return { kind: 'unreachable', text: 'connection refused' };
    if (fault === 'refused') return { kind: 'refused', status: 403, text: 'forbidden' };
    const state = this.pods.get(uid);
    if (state !== undefined && !isAtVersion(state, pod)) {
      return this.#later(() => ({ kind: 'conflict', text: 'the object has been modified' }));
    }
    if (state !== undefined && fault !== 'lost-before') write(state);
    return this.#later((): WriteOutcome => {
      if (fault === 'lost-before' || fault === 'lost-after') return { kind: 'unknown', text: 'connection lost' };
      return state === undefined ? { kind: 'gone', text: 'not found' } : { kind: 'done', object: jsonOf(state) };
    });
  }

  #patchStatus(state: PodState, patch: PodStatusPatch): void {
    const { conditions, nominatedNodeName } = patch;
    this.patches.push({ uid: state.identity.uid, patch });
    const before = (state.status.conditions ?? []) as readonly { readonly type: string }[];
    const others = before.filter(({ type }) => !conditions?.some((condition) => condition.type === type));
    state.status = {
      ...state.status,
      ...(conditions === undefined ? {} : { conditions: [...others, ...conditions] }),
      ...(nominatedNodeName === undefined ? {} : { nominatedNodeName }),
    };
    state.version = ++this.#version;
    this.#tellPod(state);
  }

  #delete(state: PodState): void {
    const { uid } = state.identity;
    if (state.isTerminating) return;
    this.deletions.push(uid);
    if (state.nodeName === '') {
      this.deletePod(uid);
      return;
    }
    state.isTerminating = true;
    state.version = ++this.#version;
    this.#tellPod(state);
    this.#clock.setTimer(this.graceMs, () => this.deletePod(uid));
  }

  #reflect(resource: ResourceName, handler: ReflectHandler): Reflection {
    this.#handlers.set(resource, handler);
    this.#clock.setTimer(1, () => handler.onSynced());
    const counts = { lists: 1, watches: 1, events: 0, stale: 0, malformed: 0, failures: 0 };
    const troubleNow = (): OngoingTrouble | undefined => this.trouble;
    return {
      resource,
      isSynced: true,
      get trouble(): OngoingTrouble | undefined {
        return troubleNow();
      },
      size: 0,
      counts,
      close: () => this.#handlers.delete(resource),
    };
  }

  async #bind(pod: PodToBind, nodeName: string): Promise<BindOutcome> {
    const fault = this.nextFault();
    switch (fault) {
      case 'busy':
        return this.#later(() => ({ kind: 'too-many-requests', retryAfterMs: 100 }));
      case 'unreachable':
        return this.#later(() => ({ kind: 'unreachable', text: 'connection refused' }));
      case 'lost-before':
        return this.#later(() => ({ kind: 'unknown', text: 'connection lost' }));
      case 'refused':
        return this.#later(() => ({ kind: 'refused', status: 403, text: `pod ${pod.name} is forbidden` }));
      case 'conflict':
        return this.#later(() => ({ kind: 'conflict', text: 'the object has been modified' }));
      default: {
        await this.#later(() => undefined);
        const outcome = this.#bindNow(pod, nodeName);
        return this.#later(() => (fault === 'lost-after' ? { kind: 'unknown', text: 'connection lost' } : outcome));
      }
    }
  }

  #bindNow(pod: PodToBind, nodeName: string): BindOutcome {
    const state = this.pods.get(pod.uid);
    if (state === undefined) return { kind: 'gone', text: 'not found' };
    if (state.nodeName !== '')
      return { kind: 'conflict', text: `pod ${pod.name} is already assigned to node "${state.nodeName}"` };
    if (!isAtVersion(state, pod)) return { kind: 'conflict', text: 'the object has been modified' };
    state.nodeName = nodeName;
    state.version = ++this.#version;
    // As the API server does.
    state.status = { ...state.status, nominatedNodeName: '' };
    this.bindings.push({ uid: pod.uid, nodeName });
    const there = [...this.pods.values()].filter((other) => other.nodeName === nodeName);
    if (there.length > (this.#cpus.get(nodeName) ?? 0)) this.overcommitted.push(nodeName);
    this.#tellPod(state);
    return { kind: 'bound' };
  }

  #read({ namespace, name }: { readonly namespace: string; readonly name: string }): ReadOutcome {
    for (const state of this.pods.values()) {
      if (state.identity.name === name && state.identity.namespace === namespace) {
        return { kind: 'found', object: jsonOf(state) };
      }
    }
    return { kind: 'gone', text: 'not found' };
  }

  #tellPod(state: PodState): void {
    const object = jsonOf(state);
    this.#tell('pods', (handler) => handler.onSet(object));
  }

  #tell(resource: ResourceName, tell: (handler: ReflectHandler) => void): void {
    this.#clock.setTimer(this.delayMs, () => {
      const handler = this.#handlers.get(resource);
      if (handler !== undefined) tell(handler);
    });
  }

  #later<T>(make: () => T): Promise<T> {
    return new Promise((resolve) => {
      this.#clock.setTimer(3, () => resolve(make()));
    });
  }
}

function isAtVersion({ version }: PodState, { resourceVersion }: PodToBind): boolean {
  return resourceVersion === undefined || resourceVersion === String(version);
}

function jsonOf({ identity, spec, labels, status, isTerminating, nodeName, version }: PodState): JsonObject {
  const deletion = isTerminating ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {};
  return {
    metadata: { ...identity, labels, resourceVersion: String(version), ...deletion },
    spec: { schedulerName: 'default-scheduler', ...spec, ...(nodeName === '' ? {} : { nodeName }) },
    status,
  };
}
