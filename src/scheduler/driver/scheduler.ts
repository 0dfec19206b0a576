// A running scheduler: follows the cluster through the API, asks the kernel where pods go, and binds them there.
//
//   API ─► reflections ─► kernel (state) and queue (pods): here
//   queue ─► kernel.decide (decision-turns.ts) ─┬─► bound: assumed in the kernel at once, then bound through the API (pod-bindings.ts)
//                                               └─► else: condition and event, parked until something may help; room made for it (pod-preemption.ts)
//
// Nothing is decided before every collection has been read once: a decision on half of the pods would be wrong.

import { UidTable } from '../../base/uid-table.ts';
import type { Timer } from '../../io/clock.ts';
import type { ObjectHead } from '../../kube-api/object-head.ts';
import { Kernel } from '../kernel/kernel.ts';
import { type ClusterChange, NO_CHANGE, NODE_ADDED, POD_REMOVED } from '../model/cluster-change.ts';
import type { ClusterKind, ClusterObject } from '../model/cluster-objects.ts';
import type { NodeObject } from '../model/node-object.ts';
import { eventsOf, NOMINATED, PREEMPTING } from '../queue/cluster-event.ts';
import { SchedulingQueue } from '../queue/scheduling-queue.ts';
import { ClusterFeed } from './cluster-feed.ts';
import { DecisionTurns } from './decision-turns.ts';
import { isUnchanged, OwnPod } from './own-pod.ts';
import { PodBindings } from './pod-bindings.ts';
import type { SharedPod } from './pod-models.ts';
import { PodPreemption } from './pod-preemption.ts';
import { isStorage, PodVolumes } from './pod-volumes.ts';
import { SchedulerCounters } from './scheduler-counters.ts';
import type { SchedulerFigures, SchedulerOptions, ShardedKernel, UnschedulableCount } from './scheduler-options.ts';
import { StatusWriter } from './status-writer.ts';

const FLUSH_MS = 30_000;
const TICK_MS = 1_000;

export class Scheduler {
  readonly counters: SchedulerCounters;
  readonly queue: SchedulingQueue;
  readonly #options: SchedulerOptions;
  readonly #kernel: Kernel;
  /** Undefined: the kernel decides alone. */
  readonly #shards: ShardedKernel | undefined;
  readonly #names: ReadonlySet<string>;
  readonly #bindings: PodBindings;
  readonly #volumes: PodVolumes;
  readonly #preemption: PodPreemption;
  readonly #status: StatusWriter;
  readonly #own = new UidTable<OwnPod>();
  /** Pods that are on nodes by what the API shows. */
  #placedCount = 0;
  readonly #feed: ClusterFeed;
  readonly #turns: DecisionTurns;
  #flushTimer: Timer | undefined;
  #tickTimer: Timer | undefined;

  constructor(options: SchedulerOptions) {
    const { api, clock, profiles, instance, backoff, parkedMsMax, bindingsMax, notices } = options;
    const leadsUntilMs = (): number => this.#leadsUntilMs();
    this.#options = options;
    this.queue = new SchedulingQueue((uid) => this.#own.get(uid), backoff, parkedMsMax);
    this.counters = new SchedulerCounters(profiles.map(({ schedulerName }) => schedulerName));
    this.#shards = options.openShards?.(() => this.#turns.answered());
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
      onRoom: (nodeName) => this.#changed(POD_REMOVED, nodeName),
      onDue: () => this.#turns.kick(),
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
      onRoom: () => this.#changed(POD_REMOVED),
      onDue: () => this.#turns.kick(),
    });
    this.#turns = new DecisionTurns({
      clock,
      leadsUntilMs,
      isReady: () => this.isSynced,
      kernel: this.#kernel,
      shards: this.#shards,
      queue: this.queue,
      bindings: this.#bindings,
      preemption: this.#preemption,
      status: this.#status,
      counters: this.counters,
      own: this.#own,
      tell: (own) => this.#tell(own),
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
        this.#turns.kick();
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

  /** Pods that wait because of a plugin, for each plugin and profile. A pod that several refused counts for each of them. */
  unschedulablePods(): UnschedulableCount[] {
    const counts = new Map<string, UnschedulableCount>();
    for (const { plugins, count, uid } of this.queue.refusedPods()) {
      const profile = this.#own.get(uid)?.model.schedulerName;
      if (profile === undefined) continue;
      for (const plugin of plugins) {
        if (plugin === NOMINATED || plugin === PREEMPTING) continue;
        const key = `${profile}/${plugin}`;
        counts.set(key, { plugin, profile, count: count + (counts.get(key)?.count ?? 0) });
      }
    }
    return [...counts.values()];
  }

  start(): void {
    this.#feed.start();
    this.#scheduleFlush();
    this.#scheduleTick();
  }

  /** Decides nothing more; resolves when no binding and no deletion is on its way. */
  async drain(): Promise<void> {
    this.#turns.stop();
    await Promise.all([this.#bindings.idle(), this.#preemption.drain()]);
  }

  close(): void {
    this.#turns.close();
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
    const change = this.#kernel.apply({ kind: 'node-set', node });
    if ((change & NODE_ADDED) !== 0) this.#preemption.nodeAdded();
    this.#changed(change, node.name);
  }

  #deleteNode(name: string): void {
    const change = this.#kernel.apply({ kind: 'node-deleted', name });
    this.#volumes.nodeGone(name);
    this.#changed(change, name);
  }

  #setObject(object: ClusterObject, { uid, resourceVersion }: ObjectHead): void {
    if (isStorage(object.kind)) {
      this.#volumes.set(object, uid, resourceVersion);
      this.#turns.kick();
      return;
    }
    this.#changed(this.#kernel.apply({ kind: 'object-set', object }));
  }

  #deleteObject(objectKind: ClusterKind, key: string): void {
    if (isStorage(objectKind)) {
      this.#volumes.deleted(objectKind, key);
      this.#turns.kick();
      return;
    }
    this.#changed(this.#kernel.apply({ kind: 'object-deleted', objectKind, key }));
  }

  #setPod(shared: SharedPod): void {
    if (shared.nodeName !== '') this.#setPlaced(shared);
    else if (this.#names.has(shared.model.schedulerName)) this.#setWaiting(shared);
  }

  #setPlaced(shared: SharedPod): void {
    const { uid, nodeName } = shared;
    const { isTerminating } = shared.model;
    const own = this.#own.get(uid);
    const isAsAssumed = own?.assumedNode === nodeName && isUnchanged(own, shared);
    if (!this.#isPlaced(uid, own)) this.#placedCount++;
    this.#waitsNoMore(uid);
    // Who was assumed to be there was already counted.
    const change = isAsAssumed ? NO_CHANGE : this.#kernel.apply({ kind: 'pod-set', pod: shared.pod });
    if (isTerminating) this.#preemption.leaves(uid);
    // What ends has not freed its room yet.
    this.#changed(change, isTerminating ? '' : nodeName);
  }

  /** By what the API shows: the kernel also has those that are assumed to be on their nodes. */
  #isPlaced(uid: string, own: OwnPod | undefined): boolean {
    return (own === undefined || own.assumedNode === '') && this.#kernel.placedPod(uid) !== undefined;
  }

  #waitsNoMore(uid: string): void {
    this.#turns.leave(uid);
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
      before.update(shared, nominated, this.#options.clock.nowMs());
      return;
    }
    if (model.isTerminating) {
      this.#deletePod(uid);
      return;
    }
    const left = before?.nominatedNodeName ?? '';
    const wasTold = before?.isTold === true;
    const isAsBefore = before?.template === shared.template;
    const nowMs = this.#options.clock.nowMs();
    const own = before ?? new OwnPod(this.#own, shared, { nominated, addedMs: nowMs });
    if (before === undefined) this.#own.add(uid, own);
    else own.update(shared, nominated, nowMs);
    // Others see a nomination; what else it is matters once it is decided on.
    if (nominated !== '' || wasTold) this.#tell(own);
    if (left !== '' && left !== nominated) this.#changed(POD_REMOVED, left);
    if (model.volumes.some(({ claimName }) => claimName !== undefined)) this.#volumes.podWaits(own.pod);
    const isNominatedElsewhere = before !== undefined && left !== nominated;
    if (isAsBefore && this.queue.has(uid) && !isNominatedElsewhere) return;
    this.queue.add(own, { priority, isGated: schedulingGates.length > 0 });
    this.#turns.kick();
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
    if (wasPlaced || nodeName !== '') this.#changed(POD_REMOVED, nodeName);
  }

  /** `nodeName`: where it happened. */
  #changed(change: ClusterChange, nodeName = ''): void {
    if (change === NO_CHANGE || !this.isSynced) return;
    for (const event of eventsOf(change)) this.queue.wake(event);
    if (nodeName !== '') this.#preemption.nodeChanged(nodeName);
    this.#turns.kick();
  }

  #leadsUntilMs(): number {
    return this.#options.leadsUntilMs?.() ?? Number.POSITIVE_INFINITY;
  }

  #scheduleFlush(): void {
    this.#flushTimer = this.#options.clock.setTimer(FLUSH_MS, () => {
      this.queue.flushParked(this.#options.clock.nowMs());
      this.#turns.kick();
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
