// A running scheduler: follows the cluster through the API, asks the kernel where pods go, and binds them there.
//
//   API ─► reflections ─► kernel (state) and queue (pods)
//   queue ─► kernel.decide ─┬─► bound: assumed in the kernel at once, then bound through the API (pod-bindings.ts)
//                           └─► else: condition and event, parked until something may help; room made for it (pod-preemption.ts)
//
// Nothing is decided before every collection has been read once: a decision on half of the pods would be wrong.

import { assert } from '../../base/assert.ts';
import type { Timer } from '../../io/clock.ts';
import type { ObjectHead } from '../../kube-api/object-head.ts';
import { Kernel, type Outcome } from '../kernel/kernel.ts';
import type { ClusterKind, ClusterObject } from '../model/cluster-objects.ts';
import type { NodeObject } from '../model/node-object.ts';
import type { ClusterEvent } from '../queue/cluster-event.ts';
import { SchedulingQueue } from '../queue/scheduling-queue.ts';
import { ClusterFeed } from './cluster-feed.ts';
import { isUnchanged, OwnPod } from './own-pod.ts';
import { PodBindings } from './pod-bindings.ts';
import type { SharedPod } from './pod-models.ts';
import { PodPreemption } from './pod-preemption.ts';
import { isStorage, PodVolumes } from './pod-volumes.ts';
import { SchedulerCounters } from './scheduler-counters.ts';
import type { SchedulerFigures, SchedulerOptions, ShardedKernel } from './scheduler-options.ts';
import { StatusWriter } from './status-writer.ts';

/** Decisions in a row before other work gets its chance. */
const TURN_MS_MAX = 5;
const FLUSH_MS = 30_000;
const TICK_MS = 1_000;

export class Scheduler {
  readonly counters: SchedulerCounters = new SchedulerCounters();
  readonly queue: SchedulingQueue;
  readonly #options: SchedulerOptions;
  readonly #kernel: Kernel;
  /** Undefined: the kernel decides alone. */
  readonly #shards: ShardedKernel | undefined;
  /** The pod whose decision waits for shards, and since when. */
  #awaited: { readonly uid: string; readonly sinceMs: number } | undefined;
  /** They have answered something since it was last asked about. */
  #isAnswered = false;
  readonly #names: ReadonlySet<string>;
  readonly #bindings: PodBindings;
  readonly #volumes: PodVolumes;
  readonly #preemption: PodPreemption;
  readonly #status: StatusWriter;
  readonly #own = new Map<string, OwnPod>();
  /** Pods that are on nodes by what the API shows. */
  #placedCount = 0;
  readonly #feed: ClusterFeed;
  #isTurnDue = false;
  #isDraining = false;
  #isClosed = false;
  #timer: Timer | undefined;
  #flushTimer: Timer | undefined;
  #tickTimer: Timer | undefined;

  constructor(options: SchedulerOptions) {
    const { api, clock, profiles, instance, backoff, bindingsMax, notices } = options;
    const leadsUntilMs = (): number => this.#leadsUntilMs();
    this.#options = options;
    this.queue = new SchedulingQueue((uid) => this.#own.get(uid), backoff);
    this.#shards = options.openShards?.(() => this.#answered());
    this.#kernel = this.#shards?.kernel ?? new Kernel(profiles);
    this.#names = new Set(profiles.map(({ schedulerName }) => schedulerName));
    this.#volumes = new PodVolumes({
      api,
      clock,
      kernel: this.#kernel,
      queue: this.queue,
      leadsUntilMs,
      onEnd: (uid, nodeName, problem) => this.#bindings.volumesEnded(uid, nodeName, problem),
    });
    this.#status = new StatusWriter({ api, clock, leadsUntilMs, instance });
    this.#preemption = new PodPreemption({
      api,
      clock,
      leadsUntilMs,
      kernel: this.#kernel,
      queue: this.queue,
      profiles,
      status: this.#status,
      counters: this.counters,
      own: this.#own,
      onRoom: (nodeName) => this.#changed('pod-removed', nodeName),
      onDue: () => this.#kick(),
      onProblem: (pod, text) => notices.onPreemptionFailed(pod, text),
    });
    this.#bindings = new PodBindings({
      api,
      clock,
      leadsUntilMs,
      inFlightMax: bindingsMax,
      kernel: this.#kernel,
      queue: this.queue,
      profiles,
      volumes: this.#volumes,
      preemption: this.#preemption,
      status: this.#status,
      counters: this.counters,
      own: this.#own,
      notices,
      onGone: (uid) => this.#deletePod(uid),
      onRoom: () => this.#changed('pod-removed'),
      onDue: () => this.#kick(),
    });
    this.#feed = new ClusterFeed(api, clock, {
      onNode: (node) => this.#setNode(node),
      onNodeDeleted: (name) => this.#deleteNode(name),
      onObject: (object, head) => this.#setObject(object, head),
      onObjectDeleted: (kind, key) => this.#deleteObject(kind, key),
      onPod: (pod) => this.#setPod(pod),
      onPodBound: (uid, nodeName) => this.#confirm(uid, nodeName),
      onPodDeleted: (uid) => this.#deletePod(uid),
      onProblem: (resource, text) => notices.onProblem(resource, text),
      onSynced: (seconds) => {
        notices.onSynced(seconds);
        this.#kick();
      },
    });
  }

  get isSynced(): boolean {
    return this.#feed.isSynced;
  }

  /** Bindings, and deletions of victims, whose end is not known yet. */
  get inFlight(): number {
    return this.#bindings.inFlight + this.#preemption.inFlight;
  }

  /** For the pages that say how it is. */
  get figures(): SchedulerFigures {
    return {
      nodes: this.#kernel.nodeCount,
      pods: this.#placedCount,
      assumedPods: this.#bindings.assumedCount,
      droppedWrites: this.#status.dropped,
      reflections: this.#feed.reflections,
      bindings: this.#bindings.acceptance,
      shards: this.#shards?.figures,
    };
  }

  start(): void {
    this.#feed.start();
    this.#scheduleFlush();
    this.#scheduleTick();
  }

  /** Decides nothing more; resolves when no binding and no deletion is on its way. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    await Promise.all([this.#bindings.idle(), this.#preemption.drain()]);
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#flushTimer?.cancel();
    this.#tickTimer?.cancel();
    this.#feed.close();
    this.#shards?.close();
    this.#bindings.close();
    this.#volumes.close();
    this.#preemption.close();
    this.#status.close();
  }

  #setNode(node: NodeObject): void {
    const countBefore = this.#kernel.nodeCount;
    this.#kernel.apply({ kind: 'node-set', node });
    const event = this.#kernel.nodeCount === countBefore ? 'node-changed' : 'node-added';
    if (event === 'node-added') this.#preemption.nodeAdded();
    this.#changed(event, node.name);
  }

  #deleteNode(name: string): void {
    this.#kernel.apply({ kind: 'node-deleted', name });
    this.#volumes.nodeGone(name);
    this.#changed('node-removed', name);
  }

  #setObject(object: ClusterObject, { uid, resourceVersion }: ObjectHead): void {
    if (isStorage(object.kind)) {
      this.#volumes.set(object, uid, resourceVersion);
      this.#kick();
      return;
    }
    this.#kernel.apply({ kind: 'object-set', object });
    // Budgets only say which victims are better ones.
    if (object.kind !== 'PodDisruptionBudget') this.#changed('object-changed');
  }

  #deleteObject(objectKind: ClusterKind, key: string): void {
    if (isStorage(objectKind)) {
      this.#volumes.deleted(objectKind, key);
      this.#kick();
      return;
    }
    this.#kernel.apply({ kind: 'object-deleted', objectKind, key });
    if (objectKind !== 'PodDisruptionBudget') this.#changed('object-changed');
  }

  #setPod(shared: SharedPod): void {
    if (shared.nodeName !== '') this.#setPlaced(shared);
    else if (this.#names.has(shared.model.schedulerName)) this.#setWaiting(shared);
  }

  #setPlaced(shared: SharedPod): void {
    const { uid, nodeName } = shared;
    const { isTerminating } = shared.model;
    const own = this.#own.get(uid);
    const isConfirmed = own?.assumedNode === nodeName;
    const isAsAssumed = own !== undefined && isConfirmed && isUnchanged(own, shared);
    const isNew = !this.#isPlaced(uid, own);
    if (isNew) this.#placedCount++;
    this.#waitsNoMore(uid);
    if (!isAsAssumed) this.#kernel.apply({ kind: 'pod-set', pod: shared.pod });
    if (isTerminating) this.#preemption.leaves(uid);
    // Who was assumed to be there was already counted.
    // What ends has not freed its room yet.
    if (!isConfirmed) this.#changed(isNew ? 'pod-added' : 'pod-changed', isTerminating ? '' : nodeName);
  }

  /** By what the API shows: the kernel also has those that are assumed to be on their nodes. */
  #isPlaced(uid: string, own: OwnPod | undefined): boolean {
    return (own === undefined || own.assumedNode === '') && this.#kernel.placedPod(uid) !== undefined;
  }

  #waitsNoMore(uid: string): void {
    this.#leaveQueue(uid);
    this.#own.delete(uid);
    this.#volumes.podLeft(uid);
    this.#preemption.forget(uid);
  }

  /** It is where it was assumed to be, and otherwise as it was. */
  #confirm(uid: string, nodeName: string): boolean {
    const own = this.#own.get(uid);
    if (own?.assumedNode !== nodeName || !own.isTold || own.model.isTerminating || own.model.isFinished) return false;
    this.#placedCount++;
    this.#waitsNoMore(uid);
    return true;
  }

  #setWaiting(shared: SharedPod): void {
    const { uid, model } = shared;
    const { priority, schedulingGates } = model;
    const nominated = this.#preemption.nominationOf(uid, model.nominatedNodeName);
    const before = this.#own.get(uid);
    if (before !== undefined && before.assumedNode !== '') {
      before.update(shared, nominated);
      return;
    }
    if (model.isTerminating) {
      this.#deletePod(uid);
      return;
    }
    const left = before?.nominatedNodeName ?? '';
    const wasTold = before?.isTold === true;
    const isAsBefore = before?.template === shared.template;
    const own = before ?? new OwnPod(shared, nominated, this.#options.clock.nowMs());
    if (before === undefined) this.#own.set(uid, own);
    else own.update(shared, nominated);
    // Others see a nomination; what else it is matters once it is decided on.
    if (nominated !== '' || wasTold) this.#tell(own);
    if (left !== '' && left !== nominated) this.#changed('pod-removed', left);
    if (model.volumes.some(({ claimName }) => claimName !== undefined)) this.#volumes.podWaits(own.pod);
    const isNominatedElsewhere = before !== undefined && left !== nominated;
    if (isAsBefore && this.queue.has(uid) && !isNominatedElsewhere) return;
    this.queue.add(own, { priority, isGated: schedulingGates.length > 0 });
    this.#kick();
  }

  #tell(own: OwnPod): void {
    own.isTold = true;
    this.#kernel.apply({ kind: 'pod-set', pod: own.pod });
  }

  #deletePod(uid: string): void {
    const own = this.#own.get(uid);
    const wasPlaced = this.#isPlaced(uid, own);
    if (wasPlaced) this.#placedCount--;
    this.#status.forget(uid);
    const nodeName = this.#kernel.placedPod(uid)?.nodeName ?? own?.nominatedNodeName ?? '';
    this.#waitsNoMore(uid);
    this.#kernel.apply({ kind: 'pod-deleted', uid });
    this.#preemption.leaves(uid);
    if (wasPlaced || nodeName !== '') this.#changed('pod-removed', nodeName);
  }

  /** `nodeName`: where it happened. */
  #changed(event: ClusterEvent, nodeName = ''): void {
    if (!this.isSynced) return;
    this.queue.wake(event);
    if (nodeName !== '') this.#preemption.nodeChanged(nodeName);
    this.#kick();
  }

  #kick(): void {
    if (this.#isTurnDue || this.#isClosed || !this.isSynced) return;
    this.#isTurnDue = true;
    this.#options.clock.defer(() => {
      this.#isTurnDue = false;
      this.#turn();
    });
  }

  #turn(): void {
    const { clock } = this.#options;
    const untilMs = clock.nowMs() + TURN_MS_MAX;
    while (!this.#isClosed && !this.#isDraining && this.#bindings.hasRoom && this.#preemption.hasRoom) {
      const nowMs = clock.nowMs();
      if (nowMs >= this.#leadsUntilMs()) break;
      if (nowMs >= untilMs) {
        this.#kick();
        return;
      }
      if (this.#bindings.sendReady()) continue;
      // There is a turn when it is answered.
      if (this.#awaited !== undefined && !this.#isAnswered) return;
      const next = this.#awaited ?? this.#next(nowMs);
      if (next === undefined) break;
      this.#decide(next.uid, next.sinceMs, nowMs);
    }
    this.#timer?.cancel();
    const dueMs = this.queue.nextDueMs;
    if (dueMs === Number.POSITIVE_INFINITY) return;
    this.#timer = clock.setTimer(Math.max(1, dueMs - clock.nowMs()), () => this.#kick());
  }

  #next(nowMs: number): { readonly uid: string; readonly sinceMs: number } | undefined {
    const uid = this.queue.pop(nowMs);
    return uid === undefined ? undefined : { uid, sinceMs: nowMs };
  }

  #answered(): void {
    this.#isAnswered = true;
    this.#kick();
  }

  #ask(uid: string): Outcome {
    // A shard may be lost meanwhile, which counts as an answer.
    this.#isAnswered = false;
    return this.#shards?.decide(uid) ?? this.#kernel.decide(uid);
  }

  /** It is not to be decided on any more. */
  #leaveQueue(uid: string): void {
    this.queue.remove(uid);
    if (this.#awaited?.uid === uid) this.#awaited = undefined;
  }

  #leadsUntilMs(): number {
    return this.#options.leadsUntilMs?.() ?? Number.POSITIVE_INFINITY;
  }

  /** `sinceMs`: when the attempt began. */
  #decide(uid: string, sinceMs: number, nowMs: number): void {
    this.#awaited = undefined;
    const own = this.#own.get(uid);
    assert(own !== undefined, 'a pod that comes from the queue is known');
    if (this.#preemption.holds(uid, nowMs)) return;
    if (!own.isTold) this.#tell(own);
    const { pod } = own;
    const decision = this.#ask(uid);
    if (decision.kind === 'awaited') {
      this.#awaited = { uid, sinceMs };
      return;
    }
    this.counters.decided(decision.kind, (this.#options.clock.nowMs() - sinceMs) / 1000);
    switch (decision.kind) {
      case 'bound':
        this.#bindings.found(own, decision.node, decision.volumes, nowMs);
        break;
      case 'unschedulable':
        this.#preemption.refuse(pod, decision, nowMs);
        break;
      case 'error':
        this.queue.failed(uid, nowMs);
        this.#preemption.fail(pod, decision.message);
        break;
      case 'left-alone':
        // For another scheduler, or until the pod changes.
        this.queue.placed(uid);
        this.#status.refused(pod, pod.schedulerName, 'SchedulerError', decision.reason);
        break;
    }
  }

  #scheduleFlush(): void {
    this.#flushTimer = this.#options.clock.setTimer(FLUSH_MS, () => {
      this.queue.flushParked(this.#options.clock.nowMs());
      this.#kick();
      this.#scheduleFlush();
    });
  }

  #scheduleTick(): void {
    const { clock } = this.#options;
    this.#tickTimer = clock.setTimer(TICK_MS, () => {
      this.#kernel.tick(clock.nowMs());
      this.#scheduleTick();
    });
  }
}
