// PreBind of VolumeBinding: writes what was decided about the claims of a pod, and waits until a volume controller has bound them.
//
//   start ─► assumed ─► written, one object after another ─► waits for each claim to be bound ─┬─► ready: the pod may be bound
//                          │                                                                   ├─► failed: time is over, or taken back
//                          └─► failed: a conflict, a refusal                                   └─► cancelled: the pod is gone
//
// A volume is set aside by spec.claimRef, with the annotation that says that it was not the user; a claim gets the annotation
// volume.kubernetes.io/selected-node. Both go with the resourceVersion that was decided upon, so nobody's change is written over. What has
// been written stays, as upstream: the claim is then bound to that node until its provisioner takes the annotation back.
//
// Nothing is written from `leadsUntilMs` on: another scheduler may decide otherwise. What a request does that arrives after that, or after its pod was
// given up, is harmless: it finds another version, or a volume is set aside that its claim's next pod takes.
//
// Nobody waits for anybody: pods are written for side by side, and looked at again when one of their objects changes. Pods that share a
// claim share the write.
//
// Limits: WAITING_MAX pods; with `hasRoom` false the caller starts no more. WRITES_MAX requests at a time, the others in order. A pod waits for
// its volumes as long as the plugin's bindTimeoutSeconds.

import { type Clock, pause, type Timer } from '../../io/clock.ts';
import type { JsonObject, KubeApi, ObjectIdentity, WriteOutcome } from '../../kube-api/kube-api.ts';
import { headOf, isObject } from '../../kube-api/object-head.ts';
import type { ResourceName } from '../../kube-api/resource.ts';
import type { FoundVolume, VolumePlan } from '../model/decision.ts';
import type { Labels } from '../model/label-selector.ts';
import { isFor } from '../model/volume-match.ts';
import type { AssumedStorage } from './assumed-storage.ts';
import { bindingState, claimKey, volumeKey } from './binding-state.ts';
import { ANOTHER_MAY_LEAD } from './leader-elector.ts';

const WAITING_MAX = 10_000;
const WRITES_MAX = 64;
const UNREACHABLE_MS = 1000;
const SELECTED_NODE = 'volume.kubernetes.io/selected-node';
const BOUND_BY_CONTROLLER = 'pv.kubernetes.io/bound-by-controller';
const DEADLINE = 'context deadline exceeded';

export interface VolumeBinderOptions {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly storage: AssumedStorage;
  /** By the clock's nowMs; it may move on. */
  readonly leadsUntilMs: () => number;
  /** Undefined for a node that is not there. */
  readonly labelsOf: (nodeName: string) => Labels | undefined;
  /** `problem`: why they are not bound; undefined when they are. */
  readonly onEnd: (uid: string, nodeName: string, problem: string | undefined) => void;
}

export interface VolumesToBind {
  readonly uid: string;
  readonly nodeName: string;
  readonly plan: VolumePlan;
  readonly timeoutMs: number;
}

interface Waiting extends VolumesToBind {
  readonly deadlineMs: number;
  /** resourceVersions that our writes have given, by claim or volume: what is older has not seen them. */
  readonly written: Map<string, string>;
  readonly keys: Set<string>;
  isWritten: boolean;
  isOver: boolean;
  timer: Timer | undefined;
}

/** `cancelled`: whoever wrote needs it no more, and it may not have happened. */
type Written = { readonly resourceVersion: string } | { readonly problem: string } | 'cancelled';

export class VolumeBinder {
  readonly #options: VolumeBinderOptions;
  readonly #waiting = new Map<string, Waiting>();
  /** Who waits for a claim or a volume. */
  readonly #byObject = new Map<string, Set<Waiting>>();
  /** Those whose turn to write has not come. */
  readonly #queue = new Set<Waiting>();
  readonly #writes = new Map<string, Promise<Written>>();
  #writing = 0;

  constructor(options: VolumeBinderOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#waiting.size;
  }

  get hasRoom(): boolean {
    return this.#waiting.size < WAITING_MAX;
  }

  start(what: VolumesToBind): void {
    const { clock, storage } = this.#options;
    storage.assume(what.plan, what.nodeName);
    const waiting: Waiting = {
      ...what,
      deadlineMs: clock.nowMs() + what.timeoutMs,
      written: new Map(),
      keys: new Set(),
      isWritten: false,
      isOver: false,
      timer: undefined,
    };
    this.#waiting.set(what.uid, waiting);
    this.#queue.add(waiting);
    this.#next();
  }

  /** The pod is not to be bound any more. False where it had not been started, or has ended. */
  cancel(uid: string): boolean {
    const waiting = this.#waiting.get(uid);
    if (waiting === undefined) return false;
    this.#forget(waiting);
    return true;
  }

  /** The API shows another state of the claim or volume, or that it is gone. */
  changed(kind: 'PersistentVolumeClaim' | 'PersistentVolume', key: string): void {
    const waiting = this.#byObject.get(kind === 'PersistentVolume' ? volumeKey(key) : claimKey(key));
    for (const one of [...(waiting ?? [])]) this.#check(one);
  }

  nodeGone(nodeName: string): void {
    for (const one of [...this.#waiting.values()]) if (one.nodeName === nodeName) this.#check(one);
  }

  /** Nothing is told any more. */
  close(): void {
    for (const one of [...this.#waiting.values()]) this.#forget(one);
  }

  #next(): void {
    while (this.#writing < WRITES_MAX) {
      const [waiting] = this.#queue;
      if (waiting === undefined) return;
      this.#queue.delete(waiting);
      this.#writing++;
      void this.#writeAll(waiting).then((problem) => {
        this.#writing--;
        this.#next();
        if (waiting.isOver) return;
        if (problem === undefined) this.#await(waiting);
        else this.#end(waiting, problem);
      });
    }
  }

  async #writeAll(waiting: Waiting): Promise<string | undefined> {
    const { found, provisioned } = waiting.plan;
    const claims = new Set<string>();
    for (const one of found) {
      // A pod may name a claim twice, and has two volumes found for it then; one will do.
      if (claims.has(one.claimKey)) continue;
      claims.add(one.claimKey);
      const problem = await this.#write(waiting, volumeKey(one.volumeName), () => this.#setAside(waiting, one));
      if (problem !== undefined || waiting.isOver) return problem;
    }
    for (const key of new Set(provisioned)) {
      const problem = await this.#write(waiting, claimKey(key), () => this.#select(waiting, key));
      if (problem !== undefined || waiting.isOver) return problem;
    }
    return undefined;
  }

  async #write(waiting: Waiting, key: string, write: () => Promise<Written>): Promise<string | undefined> {
    for (;;) {
      let written = this.#writes.get(key);
      if (written === undefined) {
        written = write().finally(() => this.#writes.delete(key));
        this.#writes.set(key, written);
      }
      const result = await written;
      if (waiting.isOver) return undefined;
      if (result === 'cancelled') continue;
      if ('problem' in result) return result.problem;
      waiting.written.set(key, result.resourceVersion);
      return undefined;
    }
  }

  async #setAside(waiting: Waiting, { claimKey: key, volumeName }: FoundVolume): Promise<Written> {
    const { storage } = this.#options;
    const volume = storage.volume(volumeName);
    const claim = storage.claim(key);
    if (volume === undefined) return { problem: `persistentvolumes ${JSON.stringify(volumeName)} not found` };
    if (claim === undefined) return { problem: `persistentvolumeclaims ${JSON.stringify(nameIn(key))} not found` };
    const { uid, resourceVersion } = claim;
    if (volume.object.claim?.uid === uid) return volume;
    const { namespace, name } = claim.object;
    const claimRef = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid, resourceVersion };
    const annotations = isFor(volume.object, claim.object) ? {} : { annotations: { [BOUND_BY_CONTROLLER]: 'yes' } };
    const metadata = { uid: volume.uid, resourceVersion: volume.resourceVersion, ...annotations };
    return this.#patch(waiting, {
      resource: 'persistentvolumes',
      object: { namespace: '', name: volumeName, uid: volume.uid },
      patch: { metadata, spec: { claimRef } },
      isThere: ({ spec }) => isObject(spec) && isObject(spec.claimRef) && spec.claimRef.uid === uid,
    });
  }

  async #select(waiting: Waiting, key: string): Promise<Written> {
    const claim = this.#options.storage.claim(key);
    if (claim === undefined) return { problem: `persistentvolumeclaims ${JSON.stringify(nameIn(key))} not found` };
    const { uid, resourceVersion, object } = claim;
    const { nodeName } = waiting;
    if (object.selectedNode === nodeName) return claim;
    return this.#patch(waiting, {
      resource: 'persistentvolumeclaims',
      object: { namespace: object.namespace, name: object.name, uid },
      patch: { metadata: { uid, resourceVersion, annotations: { [SELECTED_NODE]: nodeName } } },
      isThere: ({ metadata }) =>
        isObject(metadata) && isObject(metadata.annotations) && metadata.annotations[SELECTED_NODE] === nodeName,
    });
  }

  /** Until it is known what became of it, or the pod has waited for too long. */
  async #patch(waiting: Waiting, { resource, object, patch, isThere }: Patch): Promise<Written> {
    const { api, clock, leadsUntilMs } = this.#options;
    for (;;) {
      if (clock.nowMs() >= leadsUntilMs()) return { problem: ANOTHER_MAY_LEAD };
      const outcome = await api.mergePatch(resource, object, patch);
      // A conflict may be with an earlier request of our own.
      const isUnsure = outcome.kind === 'unknown' || outcome.kind === 'conflict';
      const read = isUnsure ? await api.read(resource, object) : undefined;
      const shown = outcome.kind === 'done' ? outcome.object : read?.kind === 'found' ? read.object : undefined;
      if (shown !== undefined && (outcome.kind === 'done' || isThere(shown))) {
        return { resourceVersion: headOf(shown)?.resourceVersion ?? '' };
      }
      if (outcome.kind === 'conflict' || outcome.kind === 'gone' || outcome.kind === 'refused') {
        return { problem: outcome.text };
      }
      if (waiting.isOver) return 'cancelled';
      if (clock.nowMs() >= waiting.deadlineMs) return { problem: 'text' in outcome ? outcome.text : DEADLINE };
      await pause(clock, pauseMs(outcome));
      if (waiting.isOver) return 'cancelled';
    }
  }

  #await(waiting: Waiting): void {
    const { clock } = this.#options;
    const { found, provisioned } = waiting.plan;
    waiting.isWritten = true;
    for (const one of found) {
      this.#wake(waiting, volumeKey(one.volumeName));
      this.#wake(waiting, claimKey(one.claimKey));
    }
    for (const key of provisioned) this.#wake(waiting, claimKey(key));
    this.#check(waiting);
    if (waiting.isOver) return;
    const leftMs = Math.max(0, waiting.deadlineMs - clock.nowMs());
    waiting.timer = clock.setTimer(leftMs, () => this.#end(waiting, `binding volumes: ${DEADLINE}`));
  }

  /** It is looked at again when the object changes. */
  #wake(waiting: Waiting, key: string): void {
    waiting.keys.add(key);
    const there = this.#byObject.get(key);
    if (there === undefined) this.#byObject.set(key, new Set([waiting]));
    else there.add(waiting);
  }

  #check(waiting: Waiting): void {
    if (waiting.isOver || !waiting.isWritten) return;
    const { storage, labelsOf } = this.#options;
    const { nodeName, plan, written } = waiting;
    const state = bindingState(plan, {
      storage,
      nodeName,
      labels: labelsOf(nodeName),
      written,
      onMissing: (volumeName) => this.#wake(waiting, volumeKey(volumeName)),
    });
    if (state === 'ready') this.#end(waiting, undefined);
    else if (state !== 'waiting') this.#end(waiting, `binding volumes: ${state.problem}`);
  }

  #end(waiting: Waiting, problem: string | undefined): void {
    if (waiting.isOver) return;
    this.#forget(waiting);
    this.#options.onEnd(waiting.uid, waiting.nodeName, problem);
  }

  #forget(waiting: Waiting): void {
    waiting.isOver = true;
    waiting.timer?.cancel();
    this.#queue.delete(waiting);
    this.#waiting.delete(waiting.uid);
    for (const key of waiting.keys) {
      const there = this.#byObject.get(key);
      there?.delete(waiting);
      if (there?.size === 0) this.#byObject.delete(key);
    }
    this.#options.storage.release(waiting.plan);
  }
}

interface Patch {
  readonly resource: ResourceName;
  readonly object: ObjectIdentity;
  readonly patch: JsonObject;
  /** Whether an object has what the patch was to give it. */
  readonly isThere: (object: JsonObject) => boolean;
}

function nameIn(key: string): string {
  return key.slice(key.indexOf('/') + 1);
}

function pauseMs(outcome: WriteOutcome): number {
  return outcome.kind === 'too-many-requests' ? outcome.retryAfterMs : UNREACHABLE_MS;
}
