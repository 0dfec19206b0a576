// When pods are decided on, and who is told what comes of it: one after another, in turns of a few milliseconds, so that all else gets its chance.
//
//   kick ─► turn ─► queue.pop ─► decide ─┬─► bound: pod-bindings.ts
//                     ▲                  ├─► refused, failed: pod-preemption.ts, queue
//                     └── answered ◄─────┴─► awaited: shards are asked, and no other pod is decided on before
//
// There is no turn while a limit is reached (bindings and victims on their way), nor once another may lead.

import { assert } from '../../base/assert.ts';
import type { UidTable } from '../../base/uid-table.ts';
import type { Clock, Timer } from '../../io/clock.ts';
import type { Kernel, Outcome } from '../kernel/kernel.ts';
import type { Decision } from '../model/decision.ts';
import type { SchedulingQueue } from '../queue/scheduling-queue.ts';
import type { OwnPod } from './own-pod.ts';
import type { PodBindings } from './pod-bindings.ts';
import type { PodPreemption } from './pod-preemption.ts';
import type { SchedulerCounters } from './scheduler-counters.ts';
import type { ShardedKernel } from './scheduler-options.ts';
import type { StatusWriter } from './status-writer.ts';

/** Decisions in a row before other work gets its chance. */
const TURN_MS_MAX = 5;

export interface DecisionTurnsOptions {
  readonly clock: Clock;
  /** By the clock's nowMs; it may move on. */
  readonly leadsUntilMs: () => number;
  /** False: the cluster is not known yet. */
  readonly isReady: () => boolean;
  readonly kernel: Kernel;
  /** Undefined: the kernel decides alone. */
  readonly shards: ShardedKernel | undefined;
  readonly queue: SchedulingQueue;
  readonly bindings: PodBindings;
  readonly preemption: PodPreemption;
  readonly status: StatusWriter;
  readonly counters: SchedulerCounters;
  readonly own: Pick<UidTable<OwnPod>, 'get'>;
  /** Tells the kernel of the pod. */
  readonly tell: (own: OwnPod) => void;
}

interface Attempt {
  readonly uid: string;
  readonly sinceMs: number;
}

export class DecisionTurns {
  readonly #options: DecisionTurnsOptions;
  /** The pod whose decision waits for shards. */
  #awaited: Attempt | undefined;
  /** They have answered something since it was last asked about. */
  #isAnswered = false;
  #isTurnDue = false;
  #isStopped = false;
  #isClosed = false;
  #timer: Timer | undefined;

  constructor(options: DecisionTurnsOptions) {
    this.#options = options;
  }

  /** Nothing more is decided. */
  stop(): void {
    this.#isStopped = true;
  }

  close(): void {
    this.stop();
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  /** There may be something to decide. */
  kick(): void {
    if (this.#isTurnDue || this.#isClosed || !this.#options.isReady()) return;
    this.#isTurnDue = true;
    this.#options.clock.defer(() => {
      this.#isTurnDue = false;
      this.#turn();
    });
  }

  #turn(): void {
    if (this.#isClosed) return;
    const { clock, leadsUntilMs, bindings, preemption, queue } = this.#options;
    const untilMs = clock.nowMs() + TURN_MS_MAX;
    while (!this.#isStopped && bindings.hasRoom && preemption.hasRoom) {
      const nowMs = clock.nowMs();
      if (nowMs >= leadsUntilMs()) break;
      if (nowMs >= untilMs) {
        this.kick();
        return;
      }
      if (bindings.sendReady()) continue;
      // There is a turn when it is answered.
      if (this.#awaited !== undefined && !this.#isAnswered) return;
      const next = this.#awaited ?? this.#next(nowMs);
      if (next === undefined) break;
      this.#decide(next.uid, next.sinceMs, nowMs);
    }
    this.#timer?.cancel();
    // There is a turn when a binding ends, and none after the last.
    if (!bindings.hasRoom || this.#isStopped) return;
    const dueMs = queue.nextDueMs;
    if (dueMs === Number.POSITIVE_INFINITY) return;
    this.#timer = clock.setTimer(Math.max(1, dueMs - clock.nowMs()), () => this.kick());
  }

  #next(nowMs: number): Attempt | undefined {
    const uid = this.#options.queue.pop(nowMs);
    return uid === undefined ? undefined : { uid, sinceMs: nowMs };
  }

  /** Shards have answered something. */
  answered(): void {
    this.#isAnswered = true;
    this.kick();
  }

  #ask(uid: string): Outcome {
    // A shard may be lost meanwhile, which counts as an answer.
    this.#isAnswered = false;
    const { shards, kernel } = this.#options;
    return shards?.decide(uid) ?? kernel.decide(uid);
  }

  /** It is not to be decided on any more. */
  leave(uid: string): void {
    this.#options.queue.remove(uid);
    if (this.#awaited?.uid === uid) this.#awaited = undefined;
  }

  /** `sinceMs`: when the attempt began. */
  #decide(uid: string, sinceMs: number, nowMs: number): void {
    const { clock, preemption, counters, bindings, own: pods, tell } = this.#options;
    this.#awaited = undefined;
    const own = pods.get(uid);
    assert(own !== undefined, 'a pod that comes from the queue is known');
    if (preemption.holds(uid, nowMs)) return;
    if (!own.isTold) tell(own);
    const decision = this.#ask(uid);
    if (decision.kind === 'awaited') {
      this.#awaited = { uid, sinceMs };
      return;
    }
    const seconds = (clock.nowMs() - sinceMs) / 1000;
    counters.decided(seconds);
    if (decision.kind === 'bound') bindings.found(own, decision.node, decision.volumes, sinceMs);
    else {
      const result = decision.kind === 'unschedulable' ? 'unschedulable' : 'error';
      counters.failed(own.model.schedulerName, result, seconds);
      this.#refuse(own, decision, nowMs);
    }
  }

  #refuse({ pod }: OwnPod, decision: Exclude<Decision, { kind: 'bound' }>, nowMs: number): void {
    const { queue, preemption, status } = this.#options;
    switch (decision.kind) {
      case 'unschedulable':
        preemption.refuse(pod, decision, nowMs);
        break;
      case 'error':
        queue.failed(pod.uid, nowMs);
        preemption.fail(pod, decision.message);
        break;
      case 'left-alone':
        // For another scheduler, or until the pod changes.
        queue.placed(pod.uid);
        status.refused(pod, pod.schedulerName, 'SchedulerError', decision.reason);
        break;
    }
  }
}
