// What becomes of a pod that a node was found for.
//
//   found ─► assumed on its node ─┬─► its volumes bound (pod-volumes.ts) ─► ready ─┐
//                                 └────────────────────────────────────────────────┴─► sent (binder.ts) ─► the API shows it there
//   any of these fails ─► taken back: the pod waits again, to be tried after its backoff
//
// An assumed pod counts as being on its node until the API shows it there (confirmed) or the binding fails (taken back). Meanwhile what the API
// tells of it without a node is older than the decision, and moves nothing.
//
// Limits: the binder's bindings (`hasRoom`), and the pods whose volumes are being bound; one more of these is tried again later.

import type { UidTable } from '../../base/uid-table.ts';
import type { Clock } from '../../io/clock.ts';
import type { KubeApi, PodToBind } from '../../kube-api/kube-api.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { VolumePlan } from '../model/decision.ts';
import type { SchedulerProfile } from '../model/scheduler-profile.ts';
import { attemptsOf } from '../queue/queue-entry.ts';
import type { SchedulingQueue } from '../queue/scheduling-queue.ts';
import { type Acceptance, Binder, type Binding, IN_FLIGHT_MAX_DEFAULT } from './binder.ts';
import type { OwnPod } from './own-pod.ts';
import type { PodPreemption } from './pod-preemption.ts';
import type { PodVolumes } from './pod-volumes.ts';
import type { ExtensionPoint, SchedulerCounters } from './scheduler-counters.ts';
import type { SchedulerNotices } from './scheduler-options.ts';
import type { StatusWriter } from './status-writer.ts';

const VOLUMES_FULL = 'too many pods wait until their volumes are bound';

export interface PodBindingsOptions {
  readonly api: KubeApi;
  readonly clock: Clock;
  /** By the clock's nowMs; it may move on. */
  readonly leadsUntilMs: () => number;
  /** Bindings on their way at a time. */
  readonly inFlightMax: number | undefined;
  readonly kernel: Kernel;
  readonly queue: SchedulingQueue;
  readonly profiles: readonly SchedulerProfile[];
  readonly volumes: PodVolumes;
  readonly preemption: PodPreemption;
  readonly status: StatusWriter;
  readonly counters: SchedulerCounters;
  /** The scheduler's own, which come to be assumed here. */
  readonly own: Pick<UidTable<OwnPod>, 'get'>;
  readonly notices: SchedulerNotices;
  /** The pod is not there any more, or is not to be placed any more. */
  readonly onGone: (uid: string) => void;
  /** What was taken for a pod on its node is free again. */
  readonly onRoom: () => void;
  /** There is something to do: a pod is ready, or there is room for another binding. */
  readonly onDue: () => void;
}

/** A pod as it is sent to be bound. */
interface SentPod extends PodToBind {
  readonly own: OwnPod;
  /** When the attempt began. */
  readonly sinceMs: number;
  readonly sentMs: number;
}

/** Of a pod whose volumes are bound first. */
interface VolumeBinding {
  /** When the attempt began. */
  readonly sinceMs: number;
  readonly volumesSinceMs: number;
}

export class PodBindings {
  readonly #options: PodBindingsOptions;
  readonly #binder: Binder<SentPod>;
  /** Assumed pods whose volumes have been bound; their turn to be sent comes. */
  readonly #ready: OwnPod[] = [];
  readonly #withVolumes = new WeakMap<OwnPod, VolumeBinding>();

  constructor(options: PodBindingsOptions) {
    const { api, clock, leadsUntilMs, inFlightMax = IN_FLIGHT_MAX_DEFAULT, notices } = options;
    this.#options = options;
    this.#binder = new Binder({
      api,
      clock,
      leadsUntilMs,
      inFlightMax,
      onBinding: (pod, nodeName, binding) => this.#onBinding(pod, nodeName, binding),
      onTrouble: (text) => notices.onProblem('pods', text),
    });
  }

  get hasRoom(): boolean {
    return this.#binder.hasRoom;
  }

  /** Bindings whose end is not known yet. */
  get inFlight(): number {
    return this.#binder.inFlight;
  }

  /** Pods that are not seen on their nodes yet. */
  get assumedCount(): number {
    return this.#binder.inFlight + this.#options.volumes.bindingCount + this.#ready.length;
  }

  get acceptance(): Acceptance {
    return this.#binder;
  }

  /** Resolves when no binding is on its way. */
  idle(): Promise<void> {
    return this.#binder.idle();
  }

  close(): void {
    this.#binder.close();
  }

  /** A node was found for a pod that was taken from the queue; the attempt began at `sinceMs`. */
  found(own: OwnPod, nodeName: string, plan: VolumePlan | undefined, sinceMs: number): void {
    const { volumes, queue, status, clock } = this.#options;
    const { pod } = own;
    if (plan === undefined) {
      this.#assume(own, nodeName);
      this.#send(own, sinceMs);
    } else if (volumes.hasRoom) {
      this.#assume(own, nodeName);
      this.#withVolumes.set(own, { sinceMs, volumesSinceMs: clock.nowMs() });
      volumes.bind({ uid: pod.uid, nodeName, plan, timeoutMs: this.#volumesTimeoutMs(pod.schedulerName) });
    } else {
      queue.failed(pod.uid, clock.nowMs());
      this.#countFailed(own, sinceMs);
      status.refused(pod, pod.schedulerName, 'SchedulerError', VOLUMES_FULL);
    }
  }

  /** Sends the binding of the first pod that is ready. False: there is none. */
  sendReady(): boolean {
    const own = this.#ready.shift();
    if (own === undefined) return false;
    // The API may have shown where it is, or that it is gone, meanwhile.
    if (this.#options.own.get(own.pod.uid) === own && own.assumedNode !== '') this.#send(own, this.#beganMs(own));
    return true;
  }

  /** `problem`: why the volumes of the pod are not bound; undefined when they are. */
  volumesEnded(uid: string, nodeName: string, problem: string | undefined): void {
    const { own: pods, preemption, onDue } = this.#options;
    const own = pods.get(uid);
    if (own === undefined || own.assumedNode !== nodeName) return;
    const volumesSinceMs = this.#withVolumes.get(own)?.volumesSinceMs;
    if (volumesSinceMs !== undefined) this.#countRan(own, 'PreBind', problem !== undefined, volumesSinceMs);
    if (problem === undefined) this.#ready.push(own);
    else {
      const text = `running PreBind plugin "VolumeBinding": ${problem}`;
      this.#countFailed(own, this.#beganMs(own));
      if (this.#takeBack(own, text)) preemption.fail(own.pod, text);
    }
    onDue();
  }

  #beganMs(own: OwnPod): number {
    return this.#withVolumes.get(own)?.sinceMs ?? this.#options.clock.nowMs();
  }

  #countFailed({ model }: OwnPod, sinceMs: number): void {
    const { counters, clock } = this.#options;
    counters.failed(model.schedulerName, 'error', (clock.nowMs() - sinceMs) / 1000);
  }

  #countRan({ model }: OwnPod, point: ExtensionPoint, hasFailed: boolean, sinceMs: number): void {
    const { counters, clock } = this.#options;
    counters.ran(model.schedulerName, point, hasFailed, (clock.nowMs() - sinceMs) / 1000);
  }

  #assume(own: OwnPod, nodeName: string): void {
    const { kernel, queue, status } = this.#options;
    const { pod } = own;
    own.assumedNode = nodeName;
    kernel.apply({ kind: 'pod-bound', uid: pod.uid, nodeName });
    queue.placed(pod.uid);
    queue.wake('pod-added');
    status.withhold(pod.uid);
  }

  #send(own: OwnPod, sinceMs: number): void {
    const { namespace, name, uid } = own.pod;
    const { resourceVersion, assumedNode } = own;
    const sentMs = this.#options.clock.nowMs();
    this.#binder.bind({ namespace, name, uid, resourceVersion, own, sinceMs, sentMs }, assumedNode);
  }

  #volumesTimeoutMs(schedulerName: string): number {
    const profile = this.#options.profiles.find((one) => one.schedulerName === schedulerName);
    return 1000 * (profile?.bindTimeoutSeconds ?? 0);
  }

  #onBinding(sent: SentPod, nodeName: string, binding: Binding): void {
    const { own: pods, status, preemption, onGone, onRoom, onDue } = this.#options;
    const { uid } = sent;
    onDue();
    this.#countRan(sent.own, 'Bind', binding.kind !== 'bound', sent.sentMs);
    if (binding.kind === 'bound') {
      this.#countBound(sent);
      status.placed(sent.own.pod, sent.own.pod.schedulerName, nodeName);
      return;
    }
    const own = pods.get(uid);
    // The API has shown where it is, or that it is gone, meanwhile.
    if (own === undefined || own.assumedNode === '') return;
    if (binding.kind === 'gone') {
      onGone(uid);
      onRoom();
      return;
    }
    if (binding.kind === 'failed') this.#countFailed(own, sent.sinceMs);
    const waits = this.#takeBack(own, binding.text);
    // As kube-scheduler tells of a plugin that fails.
    if (waits && binding.kind === 'failed') {
      preemption.fail(own.pod, `running Bind plugin "DefaultBinder": ${binding.text}`);
    }
  }

  #countBound({ own, sinceMs }: SentPod): void {
    const { counters, clock } = this.#options;
    const { model, addedMs } = own;
    const nowMs = clock.nowMs();
    const attemptSeconds = (nowMs - sinceMs) / 1000;
    const waitedSeconds = (nowMs - addedMs) / 1000;
    counters.bound({ profile: model.schedulerName, attemptSeconds, waitedSeconds, attempts: attemptsOf(own) });
  }

  /** A pod that was assumed on a node waits again. False: it does not, since it is on its way out. */
  #takeBack(own: OwnPod, reason: string): boolean {
    const { notices, kernel, preemption, queue, clock, onGone, onRoom } = this.#options;
    const { pod } = own;
    const { namespace, name, uid, priority, schedulingGates } = pod;
    notices.onBindingFailed(`${namespace}/${name}`, reason);
    if (pod.isTerminating) {
      onGone(uid);
      return false;
    }
    own.assumedNode = '';
    own.isTold = true;
    kernel.apply({ kind: 'pod-set', pod });
    preemption.nominate(pod, '');
    own.failures++;
    queue.again(own, { priority, isGated: schedulingGates.length > 0 }, own.failures, clock.nowMs());
    onRoom();
    return true;
  }
}
