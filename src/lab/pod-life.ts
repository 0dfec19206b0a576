// What the kubelets of the lab's nodes have to do for their pods, and when: a core that is told of pods and of time, and says what is due.
//
//   bound, Pending ──start──► Running ──finish, jobMs after its start, if it does not start again──► Succeeded
//   being deleted ──stop, after stopMs or its grace, whichever is less──► Failed ──remove──► gone
//
// A pod has one thing due at a time, by what it shows. It stays due until the pod shows something else: what was written is told by the watch.
// What could not be written is due again after a wait that doubles.
//
// Limit: waitingMax pods that have something due. Those that are told beyond it are left out (`isBehind`), to be listed anew when there is room.

import { Heap } from '../base/heap.ts';
import { keyOf } from '../kube-api/object-head.ts';
import { hasEnded, type PodView } from './pod-view.ts';

export type PodStep = 'start' | 'finish' | 'stop' | 'remove';

const AGAIN_MS_MIN = 500;
const AGAIN_MS_MAX = 30_000;
/** Of what is in the heap and no longer due. */
const STALE_MIN = 1000;

export interface PodLifeOptions {
  readonly isOwnNode: (name: string) => boolean;
  /** How long containers run that are not started again. */
  readonly jobMs: number;
  /** How long containers take to stop. */
  readonly stopMs: number;
  readonly waitingMax: number;
}

/** Little is kept of the pod itself: a million may wait. */
export interface PodTask {
  /** Its namespace and name. */
  readonly key: string;
  readonly uid: string;
  readonly nodeName: string;
  readonly step: PodStep;
  readonly dueMs: number;
  readonly tries: number;
}

/** The two clocks: one that only goes on, and the one that pods are marked with. */
export interface Now {
  readonly nowMs: number;
  readonly wallMs: number;
}

/** Of the pod as it shows itself; undefined when nothing is to be done. */
export function stepOf(pod: PodView): PodStep | undefined {
  if (pod.isTerminating && !hasEnded(pod)) return 'stop';
  if (pod.isTerminating) return pod.graceSeconds > 0 ? 'remove' : undefined;
  if (hasEnded(pod)) return undefined;
  if (pod.phase !== 'Running') return 'start';
  return pod.isToEnd ? 'finish' : undefined;
}

export class PodLife {
  readonly #options: PodLifeOptions;
  /** What is due for each pod, under way or not. */
  readonly #tasks = new Map<string, PodTask>();
  #due: Heap<PodTask> = newHeap();
  #isBehind = false;
  /** Keys that the list under way has told. */
  #listed: Set<string> | undefined;

  constructor(options: PodLifeOptions) {
    this.#options = options;
  }

  /** Pods that have something due. */
  get size(): number {
    return this.#tasks.size;
  }

  get isBehind(): boolean {
    return this.#isBehind;
  }

  /** Whether something is due for the pod. */
  set(pod: PodView, now: Now): boolean {
    const { uid, nodeName } = pod;
    const key = keyOf(pod);
    this.#listed?.add(key);
    const step = this.#options.isOwnNode(nodeName) ? stepOf(pod) : undefined;
    if (step === undefined) {
      this.#tasks.delete(key);
      return false;
    }
    const dueMs = now.nowMs + this.#delayMs(step, pod, now.wallMs);
    const known = this.#tasks.get(key);
    // A deletion may be asked for once more, with a shorter grace. What is under way, or waits to be tried again, stays as it is.
    const isSooner = step === 'stop' && known?.tries === 0 && dueMs < known.dueMs;
    if (known?.step === step && known.uid === uid && !isSooner) return true;
    if (known === undefined && this.#tasks.size >= this.#options.waitingMax) {
      this.#isBehind = true;
      return false;
    }
    this.#add({ key, uid, nodeName, step, dueMs, tries: 0 });
    return true;
  }

  delete(key: string): void {
    this.#tasks.delete(key);
  }

  /** A list begins: it tells of all pods that there are. */
  beginList(): void {
    this.#isBehind = false;
    this.#listed = new Set();
  }

  endList(): void {
    for (const key of this.#tasks.keys()) if (this.#listed?.has(key) === false) this.#tasks.delete(key);
    this.#listed = undefined;
  }

  /** The next thing that is due, which is under way from now on; undefined when nothing is. */
  next(nowMs: number): PodTask | undefined {
    for (let task = this.#due.peek(); task !== undefined && task.dueMs <= nowMs; task = this.#due.peek()) {
      this.#due.pop();
      if (this.#tasks.get(task.key) === task) return task;
    }
    return undefined;
  }

  /** It was written, or turned out not to be due: the watch tells what the pod shows then. */
  done(task: PodTask): void {
    if (this.#tasks.get(task.key) === task) this.#tasks.delete(task.key);
  }

  /** It could not be written. */
  failed(task: PodTask, nowMs: number): void {
    if (this.#tasks.get(task.key) !== task) return;
    const waitMs = Math.min(AGAIN_MS_MAX, AGAIN_MS_MIN * 2 ** task.tries);
    this.#add({ ...task, dueMs: nowMs + waitMs, tries: task.tries + 1 });
  }

  #add(task: PodTask): void {
    this.#tasks.set(task.key, task);
    this.#due.push(task);
    if (this.#due.size > 2 * this.#tasks.size + STALE_MIN) this.#forgetStale();
  }

  #delayMs(step: PodStep, { startedMs, graceSeconds }: PodView, wallMs: number): number {
    if (step === 'finish') return Math.max(0, startedMs + this.#options.jobMs - wallMs);
    return step === 'stop' ? Math.min(this.#options.stopMs, graceSeconds * 1000) : 0;
  }

  /** What is under way is in no heap, and is not put into one. */
  #forgetStale(): void {
    const kept = newHeap();
    for (let task = this.#due.pop(); task !== undefined; task = this.#due.pop()) {
      if (this.#tasks.get(task.key) === task) kept.push(task);
    }
    this.#due = kept;
  }
}

function newHeap(): Heap<PodTask> {
  return new Heap((a, b) => a.dueMs - b.dueMs);
}
