// Makes room for pods: victims get the condition DisruptionTarget and are deleted, as kube-scheduler 1.36 does it (framework/preemption/executor.go).
//
//   start ─► all victims but the last side by side ─► the last one ─► each seen to leave ─► done
//               │                                        │
//               └────────────► failed ◄──────────────────┘        the pod is tried again; what has been deleted stays so
//
// While a preemption runs its pod is not to be tried: it would choose again before its victims leave. Upstream ends that when the last deletion
// has been answered; here also the API has to show that the victims leave, or they would be there still for the next decision, and the pod's
// nomination, or it would be bound at a version that is about to be an old one.
//
// A victim that is gone already, by name or by uid, needs nothing. Too many requests, no connection and no answer are tried again, TRIES_MAX times in all:
// the condition is the same when written twice, and a deletion goes with the uid. Refusals fail at once.
//
// Limits: VICTIMS_MAX that wait or are written; with `hasRoom` false the caller decides on no more pods. IN_FLIGHT_MAX requests.
// SEEN_MS_MAX until all that is seen.

import { type Clock, pause, type Timer } from '../../io/clock.ts';
import type { DoneOutcome, KubeApi, ObjectIdentity, WriteOptions } from '../../kube-api/kube-api.ts';
import { ANOTHER_MAY_LEAD } from './leader-elector.ts';

const VICTIMS_MAX = 10_000;
const IN_FLIGHT_MAX = 64;
const TRIES_MAX = 5;
const PAUSE_MS = 200;
const SEEN_MS_MAX = 10_000;
const ENDING = 'the scheduler ends';

export interface Victim extends ObjectIdentity {
  /** It has the condition already. */
  readonly isPreempted: boolean;
}

export interface PreemptionToDo {
  readonly preemptor: ObjectIdentity & { readonly schedulerName: string };
  readonly nodeName: string;
  /** At least one; none of them is on its way out. */
  readonly victims: readonly Victim[];
  /** The API does not show the pod's nomination yet. */
  readonly isNominationUnseen: boolean;
}

export interface PreemptorOptions {
  readonly api: KubeApi;
  readonly clock: Clock;
  /** By the clock's nowMs; it may move on. Nothing is sent from then on. */
  readonly leadsUntilMs: () => number;
  readonly onPreempted: (victim: Victim, toDo: PreemptionToDo) => void;
  /** There was none, and is again (`hasRoom`). */
  readonly onHasRoom: () => void;
  /** `problem`: why a victim could not be deleted; undefined when all of them leave. */
  readonly onEnd: (toDo: PreemptionToDo, problem: string | undefined) => void;
}

interface Running {
  readonly toDo: PreemptionToDo;
  /** Uids of victims that the API does not show leaving yet, and of the pod while it does not show its nomination. */
  readonly unseen: Set<string>;
  isWritten: boolean;
  timer: Timer | undefined;
}

export class Preemptor {
  readonly #options: PreemptorOptions;
  readonly #running = new Map<string, Running>();
  /** By what is unseen. */
  readonly #waitingFor = new Map<string, Set<Running>>();
  /** Those whose turn to be written has not come. */
  readonly #turns: (() => void)[] = [];
  #inFlight = 0;
  #victimCount = 0;
  /** No victim is begun with any more, and nothing is told. */
  #isEnding = false;
  #isClosed = false;
  #onIdle: (() => void) | undefined;

  constructor(options: PreemptorOptions) {
    this.#options = options;
  }

  get hasRoom(): boolean {
    return this.#victimCount < VICTIMS_MAX;
  }

  /** Victims that are written, or whose deletion may be on its way. */
  get inFlight(): number {
    return this.#inFlight;
  }

  isRunning(uid: string): boolean {
    return this.#running.has(uid);
  }

  start(toDo: PreemptionToDo): void {
    const { preemptor, victims, isNominationUnseen } = toDo;
    const unseen = new Set(victims.map(({ uid }) => uid));
    if (isNominationUnseen) unseen.add(preemptor.uid);
    const running: Running = { toDo, unseen, isWritten: false, timer: undefined };
    this.#running.set(preemptor.uid, running);
    for (const uid of unseen) {
      const waiting = this.#waitingFor.get(uid) ?? new Set();
      this.#waitingFor.set(uid, waiting.add(running));
    }
    this.#victimCount += victims.length;
    void this.#run(running);
  }

  /** The API shows that a victim is on its way out, or gone, or that a pod has its nomination. */
  seen(uid: string): void {
    for (const running of this.#waitingFor.get(uid) ?? []) {
      running.unseen.delete(uid);
      if (running.unseen.size === 0 && running.isWritten) this.#end(running, undefined);
    }
  }

  /** Its pod is gone, or on a node. What has been sent goes on. */
  forget(uid: string): void {
    const running = this.#running.get(uid);
    if (running !== undefined) this.#drop(running);
  }

  /** Begins with no victim any more, and tells nothing; resolves when those that it has begun with are deleted. One caller at a time. */
  drain(): Promise<void> {
    this.#isEnding = true;
    for (const { timer } of this.#running.values()) timer?.cancel();
    if (this.#inFlight === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onIdle = resolve;
    });
  }

  /** Nothing is sent or told any more. */
  close(): void {
    this.#isEnding = true;
    this.#isClosed = true;
    for (const { timer } of this.#running.values()) timer?.cancel();
  }

  async #run(running: Running): Promise<void> {
    const { toDo } = running;
    const [last] = toDo.victims.slice(-1);
    const others = toDo.victims.slice(0, -1);
    const problems = await Promise.all(others.map((victim) => this.#evict(victim, toDo)));
    let problem = problems.find((text) => text !== undefined);
    // The last one is spared when another could not be deleted, so that the pod is tried again the sooner.
    problem ??= await this.#evict(last, toDo);
    if (this.#isEnding || this.#running.get(toDo.preemptor.uid) !== running) return;
    running.isWritten = true;
    if (problem !== undefined || running.unseen.size === 0) this.#end(running, problem);
    else running.timer = this.#options.clock.setTimer(SEEN_MS_MAX, () => this.#end(running, undefined));
  }

  /** Why it could not be deleted; undefined when it is, or was gone. */
  async #evict(victim: Victim, toDo: PreemptionToDo): Promise<string | undefined> {
    await this.#turn();
    const problem = this.#isEnding ? ENDING : await this.#deleteMarked(victim, toDo);
    this.#victimCount--;
    if (this.#victimCount === VICTIMS_MAX - 1) this.#options.onHasRoom();
    const next = this.#turns.shift();
    if (next !== undefined) next();
    else if (--this.#inFlight === 0) this.#onIdle?.();
    return problem;
  }

  async #deleteMarked(victim: Victim, toDo: PreemptionToDo): Promise<string | undefined> {
    const { api, clock, onPreempted } = this.#options;
    if (!victim.isPreempted) {
      const message = `${toDo.preemptor.schedulerName}: preempting to accommodate a higher priority pod`;
      const lastTransitionTime = `${new Date(clock.wallMs()).toISOString().slice(0, 19)}Z`;
      const condition = { type: 'DisruptionTarget', status: 'True' as const, reason: 'PreemptionByScheduler', message };
      const marked = await this.#persist(() =>
        api.patchPodStatus(victim, { conditions: [{ ...condition, lastTransitionTime }] }, this.#inTime),
      );
      if (marked.kind === 'gone') return undefined;
      if (marked.kind !== 'done') return textOf(marked);
    }
    const deleted = await this.#persist(() => api.deletePod(victim, this.#inTime));
    if (deleted.kind === 'gone') return undefined;
    if (deleted.kind !== 'done') return textOf(deleted);
    if (!this.#isEnding) onPreempted(victim, toDo);
    return undefined;
  }

  get #inTime(): WriteOptions {
    return { deadlineMs: this.#options.leadsUntilMs() };
  }

  /** Until it is answered for good, or has been tried often enough. */
  async #persist(write: () => Promise<DoneOutcome>): Promise<DoneOutcome> {
    const { clock, leadsUntilMs } = this.#options;
    for (let tries = 1; ; tries++) {
      if (this.#isClosed) return { kind: 'unreachable', text: ENDING };
      if (clock.nowMs() >= leadsUntilMs()) return { kind: 'unreachable', text: ANOTHER_MAY_LEAD };
      const outcome = await write();
      const isPassing =
        outcome.kind === 'too-many-requests' || outcome.kind === 'unreachable' || outcome.kind === 'unknown';
      if (!isPassing || tries === TRIES_MAX) return outcome;
      const pauseMs = outcome.kind === 'too-many-requests' ? outcome.retryAfterMs : PAUSE_MS * 2 ** (tries - 1);
      await pause(clock, pauseMs);
    }
  }

  /** Waits for its turn, in order: whoever ends hands it over. */
  async #turn(): Promise<void> {
    if (this.#inFlight >= IN_FLIGHT_MAX) await new Promise<void>((resolve) => this.#turns.push(resolve));
    else this.#inFlight++;
  }

  #end(running: Running, problem: string | undefined): void {
    this.#drop(running);
    this.#options.onEnd(running.toDo, problem);
  }

  #drop(running: Running): void {
    const { preemptor, victims } = running.toDo;
    running.timer?.cancel();
    this.#running.delete(preemptor.uid);
    for (const { uid } of [preemptor, ...victims]) {
      const waiting = this.#waitingFor.get(uid);
      waiting?.delete(running);
      if (waiting?.size === 0) this.#waitingFor.delete(uid);
    }
  }
}

function textOf(outcome: Exclude<DoneOutcome, { kind: 'done' }>): string {
  return outcome.kind === 'too-many-requests' ? 'too many requests' : outcome.text;
}
