// What the scheduler writes about pods: the PodScheduled condition of those that it cannot place, and events. Bindings go first: this is
// written by few requests at a time, and what cannot be written for long is left out and counted.
//
// A pod's condition is written when its reasons are others than those last written, not when only the counts of nodes have changed; so a pod that
// is tried a thousand times in vain is written once. Events of pods that cannot be placed go out with it; those of placed pods are limited in
// number a second, since a million pods would be a million events.
//
// Conditions go before events: autoscalers make room for the pods whose conditions say that they have none, while events are for people.
//
// Nothing is sent from `leadsUntilMs` on: a nomination of a scheduler that does not lead any more would be taken for news by the one that does.
//
// Limits: STATUSES_MAX writes of statuses and EVENTS_MAX events wait; the oldest of its kind is left out beyond that, and a condition
// said again at the pod's next attempt. SCHEDULED_EVENTS_A_SECOND.

import type { Clock } from '../../io/clock.ts';
import type { KubeApi, ObjectIdentity, SchedulerEvent, WriteOptions } from '../../kube-api/kube-api.ts';
import type { PodObject } from '../model/pod-object.ts';
import { WaitingWrites } from './waiting-writes.ts';

const IN_FLIGHT_MAX = 16;
const STATUSES_MAX = 100_000;
const EVENTS_MAX = 10_000;
const SCHEDULED_EVENTS_A_SECOND = 100;

type RefusedPod = ObjectIdentity & Pick<PodObject, 'generation' | 'isToldUnplaced'>;

interface Said {
  readonly said: string;
  /** Not to be sent while the pod is assumed on a node. */
  isHeld: boolean;
  /** The pod has not been told before that it has no place. */
  isTransition: boolean;
}

interface Write {
  readonly send: () => Promise<unknown>;
  readonly onLeftOut?: () => void;
}

export interface StatusWriterOptions {
  readonly api: KubeApi;
  readonly clock: Clock;
  /** By the clock's nowMs; when it moves on, what waits is sent with the next write. */
  readonly leadsUntilMs: () => number;
  /** Ends the name in `reportingInstance`. */
  readonly instance: string;
}

export class StatusWriter {
  readonly #options: StatusWriterOptions;
  readonly #statuses = new WaitingWrites<Write>(STATUSES_MAX);
  readonly #events = new WaitingWrites<Write>(EVENTS_MAX);
  /** What was last said of a pod, by its uid. */
  readonly #written = new Map<string, Said>();
  #inFlight = 0;
  #eventsThisSecond = 0;
  #secondMs = 0;
  #isClosed = false;
  /** Writes that were left out. */
  dropped = 0;

  constructor(options: StatusWriterOptions) {
    this.#options = options;
  }

  /**
   * The pod cannot be placed (`Unschedulable`), or the attempt failed (`SchedulerError`). `nominatedNodeName` goes with it: '' takes a nomination
   * back, undefined leaves it.
   */
  refused(
    pod: RefusedPod,
    schedulerName: string,
    reason: 'Unschedulable' | 'SchedulerError',
    message: string,
    nominatedNodeName?: string,
  ): void {
    const said = `${reason} ${message.replaceAll(/\d+/g, '')}${nominatedNodeName ?? ''}`;
    const before = this.#written.get(pod.uid);
    if (before?.said === said && nominatedNodeName === undefined) {
      before.isHeld = false;
      return;
    }
    const written: Said = { said, isHeld: false, isTransition: before?.isTransition ?? !pod.isToldUnplaced };
    this.#written.set(pod.uid, written);
    const { api, clock } = this.#options;
    const observed = pod.generation > 0 ? { observedGeneration: pod.generation } : {};
    const condition = { type: 'PodScheduled', status: 'False' as const, ...observed, reason, message };
    const lastTransitionTime = timeOf(clock.wallMs());
    // To be said again at the next attempt.
    const forget = (): void => {
      if (this.#written.get(pod.uid) === written) this.#written.delete(pod.uid);
    };
    const send = async (): Promise<void> => {
      // It may have been placed, or have other reasons, meanwhile.
      if (this.#written.get(pod.uid) !== written) return;
      if (written.isHeld) {
        this.#written.delete(pod.uid);
        return;
      }
      const nomination = nominatedNodeName === undefined ? {} : { nominatedNodeName };
      // As podutil.UpdatePodCondition: the time is that of the last change of the status.
      const conditions = [written.isTransition ? { ...condition, lastTransitionTime } : condition];
      const outcome = await api.patchPodStatus(pod, { conditions, ...nomination }, this.#inTime);
      if (outcome.kind === 'done') written.isTransition = false;
      if (outcome.kind === 'done' || outcome.kind === 'gone') return;
      this.dropped++;
      forget();
    };
    this.#enqueue(this.#statuses, { send, onLeftOut: forget });
    this.#event(pod, schedulerName, 'Warning', 'FailedScheduling', 'Scheduling', message);
  }

  /** A nomination is taken back from a pod that is not tried now. */
  nominationLost(pod: ObjectIdentity): void {
    const send = async (): Promise<void> => {
      const outcome = await this.#options.api.patchPodStatus(pod, { nominatedNodeName: '' }, this.#inTime);
      if (outcome.kind !== 'done' && outcome.kind !== 'gone') this.dropped++;
    };
    this.#enqueue(this.#statuses, { send });
  }

  preempted(victim: ObjectIdentity, nodeName: string, preemptor: ObjectIdentity, schedulerName: string): void {
    const note = `Preempted by pod ${preemptor.uid} on node ${nodeName}`;
    const { namespace, name, uid } = preemptor;
    const related = { namespace, name, uid, apiVersion: 'v1', kind: 'Pod' };
    this.#event(victim, schedulerName, 'Normal', 'Preempted', 'Preempting', note, related);
  }

  placed(pod: ObjectIdentity, schedulerName: string, nodeName: string): void {
    this.#written.delete(pod.uid);
    const second = Math.floor(this.#options.clock.nowMs() / 1000);
    if (second !== this.#secondMs) {
      this.#secondMs = second;
      this.#eventsThisSecond = 0;
    }
    if (this.#eventsThisSecond++ >= SCHEDULED_EVENTS_A_SECOND) {
      this.dropped++;
      return;
    }
    const note = `Successfully assigned ${pod.namespace}/${pod.name} to ${nodeName}`;
    this.#event(pod, schedulerName, 'Normal', 'Scheduled', 'Binding', note);
  }

  /** The pod is assumed on a node: what waits to be said of it is left out, what has been said is remembered in case that fails. */
  withhold(uid: string): void {
    const written = this.#written.get(uid);
    if (written !== undefined) written.isHeld = true;
  }

  forget(uid: string): void {
    this.#written.delete(uid);
  }

  close(): void {
    this.#isClosed = true;
    this.#statuses.clear();
    this.#events.clear();
  }

  get #inTime(): WriteOptions {
    return { deadlineMs: this.#options.leadsUntilMs() };
  }

  #event(
    pod: ObjectIdentity,
    schedulerName: string,
    type: 'Normal' | 'Warning',
    reason: string,
    action: string,
    note: string,
    related?: NonNullable<SchedulerEvent['related']>,
  ): void {
    const { api, instance } = this.#options;
    const { namespace, name, uid } = pod;
    const regarding = { namespace, name, uid, apiVersion: 'v1', kind: 'Pod' };
    const about = related === undefined ? { regarding } : { regarding, related };
    const reporting = { reportingController: schedulerName, reportingInstance: `${schedulerName}-${instance}` };
    const send = (): Promise<unknown> => api.createEvent({ ...about, type, reason, action, note, ...reporting });
    this.#enqueue(this.#events, { send });
  }

  #enqueue(waiting: WaitingWrites<Write>, write: Write): void {
    if (this.#isClosed) return;
    const oldest = waiting.add(write);
    if (oldest !== undefined) {
      oldest.onLeftOut?.();
      this.dropped++;
    }
    this.#next();
  }

  #next(): void {
    const { clock, leadsUntilMs } = this.#options;
    while (this.#inFlight < IN_FLIGHT_MAX && clock.nowMs() < leadsUntilMs()) {
      const write = this.#statuses.take() ?? this.#events.take();
      if (write === undefined) return;
      this.#inFlight++;
      void write.send().then(() => {
        this.#inFlight--;
        this.#next();
      });
    }
  }
}

/** RFC 3339 in whole seconds. */
function timeOf(wallMs: number): string {
  return `${new Date(wallMs).toISOString().slice(0, 19)}Z`;
}
