// Pods that fit nowhere but where others make room for them: nominated nodes, from the API and from decisions, and what is to be done about
// them in kernel, queue and API.
//
//   decision with a preemption ─► node nominated, at once in the kernel, and with the pod's condition in the API
//                              ─► weaker nominations for that node taken back, their pods tried again
//                              ─► victims deleted (preemptor.ts); the pod waits for them by itself
//   something changes on its node ─► the pod is tried again, there first
//   no preemption helps, or the decision failed ─► the pod's nomination is taken back

import type { UidTable } from '../../base/uid-table.ts';
import type { Clock } from '../../io/clock.ts';
import type { KubeApi } from '../../kube-api/kube-api.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { nominatedTo } from '../model/command.ts';
import type { Preemption, Unschedulable } from '../model/decision.ts';
import type { PodObject } from '../model/pod-object.ts';
import type { SchedulerProfile } from '../model/scheduler-profile.ts';
import { NOMINATED, PREEMPTING } from '../queue/cluster-event.ts';
import type { SchedulingQueue } from '../queue/scheduling-queue.ts';
import { NominationBook } from './nomination-book.ts';
import type { OwnPod } from './own-pod.ts';
import { type PreemptionToDo, Preemptor } from './preemptor.ts';
import type { SchedulerCounters } from './scheduler-counters.ts';
import type { StatusWriter } from './status-writer.ts';

export interface PodPreemptionOptions {
  readonly api: KubeApi;
  readonly clock: Clock;
  /** By the clock's nowMs; it may move on. */
  readonly leadsUntilMs: () => number;
  readonly kernel: Kernel;
  readonly queue: SchedulingQueue;
  readonly profiles: readonly SchedulerProfile[];
  readonly status: StatusWriter;
  readonly counters: SchedulerCounters;
  /** The scheduler's own, whose pods change with their nominations. */
  readonly own: Pick<UidTable<OwnPod>, 'get'>;
  /** Room that was set aside on a node is free again. */
  readonly onRoom: (nodeName: string) => void;
  /** Some pod is to be tried again, or may be decided on now. */
  readonly onDue: () => void;
  readonly onProblem: (pod: string, text: string) => void;
}

export class PodPreemption {
  readonly #options: PodPreemptionOptions;
  readonly #book = new NominationBook();
  /** Nodes that have come in all. */
  #nodesAdded = 0;
  /** The same when room began to be made for a pod, by its uid. */
  readonly #nodesAddedBefore = new Map<string, number>();
  readonly #preemptor: Preemptor;

  constructor(options: PodPreemptionOptions) {
    const { api, clock, leadsUntilMs, status, onDue } = options;
    this.#options = options;
    this.#preemptor = new Preemptor({
      api,
      clock,
      leadsUntilMs,
      onPreempted: (victim, { preemptor, nodeName }) =>
        status.preempted(victim, nodeName, preemptor, preemptor.schedulerName),
      onHasRoom: onDue,
      onEnd: (toDo, problem) => this.#onEnd(toDo, problem),
    });
  }

  get hasRoom(): boolean {
    return this.#preemptor.hasRoom;
  }

  /** Victims whose deletion may be on its way. */
  get inFlight(): number {
    return this.#preemptor.inFlight;
  }

  /** The nomination that is in force of a waiting pod, of which the API tells this one. */
  nominationOf(uid: string, told: string): string {
    const node = this.#book.tell(uid, told, this.#options.clock.nowMs());
    if (node === told) this.#preemptor.seen(uid);
    return node;
  }

  /** The pod is gone, or on a node. */
  forget(uid: string): void {
    this.#book.forget(uid);
    this.#nodesAddedBefore.delete(uid);
    this.#preemptor.forget(uid);
  }

  /** The API shows that a pod on a node is on its way out, or gone. */
  leaves(uid: string): void {
    this.#preemptor.seen(uid);
  }

  /** Something has changed on the node. */
  nodeChanged(nodeName: string): void {
    this.#options.queue.wakePods(this.#book.on(nodeName), 'nominated-node-changed');
  }

  /** Pods that wait for their victims to be deleted are tried afterwards, whether these leave or not. */
  nodeAdded(): void {
    this.#nodesAdded++;
  }

  /** Parks a pod that is not to be tried while its victims are deleted; true: it was parked. */
  holds(uid: string, nowMs: number): boolean {
    if (!this.#preemptor.isRunning(uid)) return false;
    this.#options.queue.parkAlone(uid, PREEMPTING, nowMs);
    return true;
  }

  /** A pod that no node was found for: what comes of it, and where it is parked. */
  refuse(pod: PodObject, decision: Unschedulable, nowMs: number): void {
    const { queue, kernel } = this.#options;
    const { uid } = pod;
    const { preemption, losesNomination, plugins, message } = decision;
    this.#count(pod, decision);
    if (preemption !== undefined) {
      this.nominate(pod, preemption.nominatedNode);
      queue.parkAlone(uid, this.#act(pod, preemption) ? PREEMPTING : NOMINATED, nowMs);
    } else if (pod.nominatedNodeName !== '' && !losesNomination) queue.parkAlone(uid, NOMINATED, nowMs);
    else {
      this.nominate(pod, '');
      queue.refused(uid, kernel.classKey(uid), plugins, nowMs);
    }
    this.#say(pod, 'Unschedulable', message);
  }

  /** The decision about the pod failed. */
  fail(pod: PodObject, message: string): void {
    this.nominate(pod, '');
    this.#say(pod, 'SchedulerError', message);
  }

  /** '' takes the nomination back. */
  nominate(pod: PodObject, nodeName: string): void {
    const before = pod.nominatedNodeName;
    if (before === nodeName) return;
    const { own, kernel, onRoom } = this.#options;
    const nominated = nominatedTo(pod, nodeName);
    own.get(pod.uid)?.nominate(nodeName);
    this.#book.set(pod.uid, nodeName);
    kernel.apply({ kind: 'pod-set', pod: nominated });
    if (before !== '') onRoom(before);
  }

  /** Begins with no victim any more; resolves when no deletion is on its way. */
  drain(): Promise<void> {
    return this.#preemptor.drain();
  }

  close(): void {
    this.#preemptor.close();
  }

  #say(pod: PodObject, reason: 'Unschedulable' | 'SchedulerError', message: string): void {
    const { status, clock } = this.#options;
    status.refused(pod, pod.schedulerName, reason, message, this.#book.toWrite(pod.uid, clock.nowMs()));
  }

  /** PostFilter has come to DefaultPreemption; of a pod that PreFilter has refused DynamicResources, before it, is the end. */
  #count({ schedulerName }: PodObject, { reasons }: Unschedulable): void {
    const { profiles, kernel, counters } = this.#options;
    const profile = profiles.find((one) => one.schedulerName === schedulerName);
    if (profile?.preempts !== true || kernel.nodeCount === 0) return;
    if (reasons.size > 0 || !profile.hasDynamicResources) counters.preemptionAttempts++;
  }

  /** False where all victims are on their way out already. */
  #act(pod: PodObject, { nominatedNode, victims, clearedNominations }: Preemption): boolean {
    const { kernel, queue, status, clock, counters, own } = this.#options;
    for (const uid of clearedNominations) {
      const state = own.get(uid);
      if (state?.assumedNode !== '') continue;
      const other = state.pod;
      this.nominate(other, '');
      if (this.#book.toWrite(uid, clock.nowMs()) !== undefined) status.nominationLost(other);
      queue.add(state, { priority: other.priority, isGated: other.schedulingGates.length > 0 });
    }
    const staying = victims.flatMap((uid) => kernel.placedPod(uid) ?? []).filter(({ isTerminating }) => !isTerminating);
    if (staying.length === 0) return false;
    counters.preempted(victims.length);
    this.#nodesAddedBefore.set(pod.uid, this.#nodesAdded);
    const isNominationUnseen = !this.#book.isTold(pod.uid);
    this.#preemptor.start({ preemptor: pod, nodeName: nominatedNode, victims: staying, isNominationUnseen });
    return true;
  }

  #onEnd({ preemptor, nodeName, victims }: PreemptionToDo, problem: string | undefined): void {
    const { queue, clock, kernel, own, onDue, onProblem } = this.#options;
    const { namespace, name, uid } = preemptor;
    if (problem !== undefined) onProblem(`${namespace}/${name}`, problem);
    queue.parkAlone(uid, NOMINATED, clock.nowMs());
    const isNodeMissed = this.#nodesAddedBefore.get(uid) !== this.#nodesAdded;
    this.#nodesAddedBefore.delete(uid);
    // Victims may have gone, or a node come, before the last of them was deleted; after a failure the pod has to choose again, and also when a stronger one has
    // taken its nomination meanwhile: nothing on the node would wake it then.
    const hasLost = own.get(uid)?.nominatedNodeName !== nodeName;
    const isDue =
      isNodeMissed ||
      problem !== undefined ||
      hasLost ||
      victims.some((victim) => kernel.placedPod(victim.uid) === undefined);
    if (!isDue) return;
    queue.wakePods([uid], 'nominated-node-changed');
    onDue();
  }
}
