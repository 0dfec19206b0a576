// The pods that wait for a decision. A core: times come in as arguments.
//
//   add ─► active ─► pop ─► placed
//            ▲        ├───► failed: backoff, 1 s to 10 s ─► active
//            │        └───► refused: parked with its class
//          backoff ◄── an event that may help the class, for its first pod only
//   gated: pods with scheduling gates, until they have none
//
// Upstream parks pods one by one and looks at each of them at each event. Here pods that nothing tells apart (kernel.ts) are parked together:
// an event wakes the first of the class; only when that one is placed does the next one follow, at once. So an event costs what the classes
// cost, however many pods wait, and pods of a class keep their order.
//
// What is kept of a pod is in the record of whoever knows it (queue-entry.ts), who is asked for it by uid, and calls `remove` before forgetting it.
//
// Order: priority, then time of arrival (PrioritySort). When nothing is active, what backs off is taken early, as upstream does
// (SchedulerPopFromBackoffQ). Parked classes are woken after parkedMsMax whatever happens.

import { assert } from '../../base/assert.ts';
import { type Backoff, backoffMs, DEFAULT_BACKOFF } from './backoff.ts';
import { type ClusterEvent, mayHelp, setsApart } from './cluster-event.ts';
import { EntryHeap } from './entry-heap.ts';
import { IncomingPods, type QueueEvent } from './incoming-pods.ts';
import {
  attemptsOf,
  byDueTime,
  byPriority,
  dueMsOf,
  type ParkedClass,
  type Place,
  type QueueEntry,
} from './queue-entry.ts';

/** Upstream's default of --pod-max-in-unschedulable-pods-duration. */
export const PARKED_MS_MAX_DEFAULT = 300_000;

/** How a pod comes into the queue. */
export interface Arrival {
  readonly priority: number;
  readonly isGated: boolean;
}

/** Pods that are alike and wait together. */
export interface RefusedPods {
  readonly plugins: ReadonlySet<string>;
  readonly count: number;
  /** One of them. */
  readonly uid: string;
}

export interface QueueCounts {
  readonly active: number;
  readonly backoff: number;
  readonly unschedulable: number;
  readonly gated: number;
}

export class SchedulingQueue {
  /** Of a pod that is known, whether it is in the queue or not. */
  readonly #entryOf: (uid: string) => QueueEntry | undefined;
  readonly #active = new EntryHeap(byPriority);
  readonly #backoff = new EntryHeap(byDueTime);
  /** After an error; not taken early. */
  readonly #failed = new EntryHeap(byDueTime);
  readonly #classes = new Map<string, ParkedClass>();
  readonly #counts = { out: 0, active: 0, backoff: 0, failed: 0, parked: 0, gated: 0, taken: 0 };
  readonly #backoffTimes: Backoff;
  readonly #parkedMsMax: number;
  /** Those that were woken because they had been parked for too long, until it is known what comes of that. */
  readonly #flushed = new Set<string>();
  readonly incoming: IncomingPods = new IncomingPods();
  /** Pods that nothing but the time had woken, and a node was found for: an event may be missed. */
  placedAfterFlush = 0;
  #order = 0;

  constructor(
    entryOf: (uid: string) => QueueEntry | undefined,
    backoff: Backoff = DEFAULT_BACKOFF,
    parkedMsMax: number = PARKED_MS_MAX_DEFAULT,
  ) {
    this.#entryOf = entryOf;
    this.#backoffTimes = backoff;
    this.#parkedMsMax = parkedMsMax;
  }

  get counts(): QueueCounts {
    const { active, backoff, failed, parked, gated } = this.#counts;
    return { active, backoff: backoff + failed, unschedulable: parked, gated };
  }

  /** Those that are parked, by what refused them; with the one of each class that was woken. */
  *refusedPods(): Generator<RefusedPods> {
    for (const { plugins, woken, waiting } of this.#classes.values()) {
      const uid = (woken ?? waiting.first)?.uid;
      if (uid !== undefined) yield { plugins, count: waiting.size + (woken === undefined ? 0 : 1), uid };
    }
  }

  has(uid: string): boolean {
    return this.#find(uid) !== undefined;
  }

  /** A pod that waits from now on, or another state of one: it is tried again soon. */
  add(entry: QueueEntry, { priority, isGated }: Arrival): void {
    if (entry.place === 'taken') return;
    const event = entry.place === 'out' ? 'UnschedulablePodAdd' : 'UnschedulablePodUpdate';
    this.#enter(entry, priority);
    if (!isGated) this.#activate(entry, event);
    else this.incoming.count('unschedulable', event);
  }

  /** The pod waits no longer: it is gone, or bound. */
  remove(uid: string): void {
    const entry = this.#find(uid);
    if (entry !== undefined) this.#leave(entry);
  }

  /** The next pod to decide on; undefined when none is due. It is `taken` until one of the calls below says what came of it. */
  pop(nowMs: number): string | undefined {
    this.#flush(this.#backoff, nowMs);
    this.#flush(this.#failed, nowMs);
    const entry = this.#active.takeFirst() ?? this.#takeEarly();
    if (entry === undefined) return undefined;
    this.#move(entry, 'taken');
    return entry.uid;
  }

  #takeEarly(): QueueEntry | undefined {
    const entry = this.#backoff.takeFirst();
    if (entry !== undefined) this.incoming.count('active', 'PopFromBackoffQ');
    return entry;
  }

  /** When the next pod is due that backs off after an error; infinite: none does. */
  get nextDueMs(): number {
    const { first } = this.#failed;
    return first === undefined ? Number.POSITIVE_INFINITY : dueMsOf(first);
  }

  /** A node was found; the next one of its class may find one too. */
  placed(uid: string): void {
    if (this.#flushed.has(uid)) this.placedAfterFlush++;
    this.#leave(this.#takenEntry(uid));
  }

  /** No node was found, by these plugins; `classKey` says which others would find none either. */
  refused(uid: string, classKey: string, plugins: ReadonlySet<string>, nowMs: number): void {
    const entry = this.#takenEntry(uid);
    this.#flushed.delete(uid);
    this.incoming.count('unschedulable', 'ScheduleAttemptFailure');
    const before = entry.retry?.parkedIn;
    if (before?.woken === entry) before.woken = undefined;
    let parked = this.#classes.get(classKey);
    if (parked === undefined) {
      parked = { key: classKey, plugins, waiting: new EntryHeap(byPriority), woken: undefined, sinceMs: nowMs };
      this.#classes.set(classKey, parked);
    }
    parked.plugins = plugins;
    parked.sinceMs = nowMs;
    this.#retryLater(entry, nowMs, parked);
    parked.waiting.add(entry);
    this.#move(entry, 'parked');
    // The class it was in goes by another key now.
    if (before !== undefined && before !== parked) this.#wakeNext(before);
  }

  /** No node was found, and nobody is like it: it waits by itself for what this reason looks for. Also for one that is parked so already. */
  parkAlone(uid: string, reason: string, nowMs: number): void {
    const reasons = new Set([reason]);
    const key = `alone ${uid}`;
    const parked = this.#classes.get(key);
    const entry = this.#find(uid);
    if (parked !== undefined && entry?.retry?.parkedIn === parked && parked.woken === undefined) {
      parked.plugins = reasons;
    } else if (entry?.place === 'taken') this.refused(uid, key, reasons, nowMs);
  }

  /** Something went wrong that is not the pod's: it is tried again after its backoff. */
  failed(uid: string, nowMs: number): void {
    const entry = this.#takenEntry(uid);
    const parked = entry.retry?.parkedIn;
    this.#retryLater(entry, nowMs, undefined);
    this.#fail(entry);
    if (parked !== undefined) this.#wakeNext(parked);
  }

  /** A pod that was taken as placed waits again: it could not be bound, for so many times now. */
  again(entry: QueueEntry, { priority, isGated }: Arrival, failures: number, nowMs: number): void {
    const attempts = attemptsOf(entry);
    this.#enter(entry, priority);
    if (isGated) return;
    entry.retry = { attempts, dueMs: nowMs + backoffMs(this.#backoffTimes, failures), parkedIn: undefined };
    this.#fail(entry);
  }

  /** As a gated one, at its old place in the order if it had one. */
  #enter(entry: QueueEntry, priority: number): void {
    if (entry.place === 'out') {
      entry.order = this.#order++;
      entry.retry = undefined;
    } else {
      this.#leave(entry);
      if (entry.retry !== undefined) entry.retry = { attempts: entry.retry.attempts, dueMs: 0, parkedIn: undefined };
    }
    entry.priority = priority;
    this.#move(entry, 'gated');
  }

  wake(event: ClusterEvent): void {
    for (const parked of this.#classes.values()) {
      if (!isHelped(parked, event)) continue;
      if (setsApart(event)) this.#wakeAll(parked, (entry) => this.#backOff(entry, event));
      else if (parked.woken === undefined) this.#wakeFirst(parked, event);
    }
  }

  /** An event that concerns these pods alone: those of them that are parked are woken, out of their turn. */
  wakePods(uids: Iterable<string>, event: ClusterEvent): void {
    for (const uid of uids) {
      const entry = this.#find(uid);
      const parked = entry?.retry?.parkedIn;
      if (entry?.place !== 'parked' || parked === undefined || !isHelped(parked, event)) continue;
      parked.waiting.remove(entry);
      this.#leaveClass(entry);
      this.#backOff(entry, event);
      if (parked.waiting.size === 0 && parked.woken === undefined) this.#forget(parked);
    }
  }

  #flush(heap: EntryHeap, nowMs: number): void {
    for (let entry = heap.first; entry !== undefined && dueMsOf(entry) <= nowMs; entry = heap.first) {
      heap.remove(entry);
      this.#activate(entry, 'BackoffComplete');
    }
  }

  /** Wakes what has been parked for too long; to be called every half minute or so. */
  flushParked(nowMs: number): void {
    for (const parked of this.#classes.values()) {
      if (nowMs - parked.sinceMs < this.#parkedMsMax) continue;
      this.#wakeAll(parked, (entry) => {
        this.#flushed.add(entry.uid);
        this.#activate(entry, 'UnschedulableTimeout');
      });
    }
  }

  #wakeFirst(parked: ParkedClass, event: ClusterEvent): void {
    const entry = parked.waiting.takeFirst();
    assert(entry !== undefined, 'a class without pods is forgotten');
    parked.woken = entry;
    this.#backOff(entry, event);
  }

  #wakeAll(parked: ParkedClass, move: (entry: QueueEntry) => void): void {
    this.#classes.delete(parked.key);
    for (let entry = parked.waiting.takeFirst(); entry !== undefined; entry = parked.waiting.takeFirst()) {
      this.#leaveClass(entry);
      move(entry);
    }
  }

  #backOff(entry: QueueEntry, event: ClusterEvent): void {
    this.incoming.count('backoff', event);
    this.#backoff.add(entry);
    this.#move(entry, 'backoff');
  }

  #fail(entry: QueueEntry): void {
    this.#flushed.delete(entry.uid);
    this.incoming.count('backoff', 'ScheduleAttemptFailure');
    this.#failed.add(entry);
    this.#move(entry, 'failed');
  }

  /** One of the class has left it for good: the next one is tried at once. */
  #wakeNext(parked: ParkedClass): void {
    const entry = parked.waiting.takeFirst();
    parked.woken = entry;
    if (entry === undefined) this.#forget(parked);
    else this.#activate(entry, 'ForceActivate');
  }

  #forget(parked: ParkedClass): void {
    if (this.#classes.get(parked.key) === parked) this.#classes.delete(parked.key);
  }

  #activate(entry: QueueEntry, event: QueueEvent): void {
    this.incoming.count('active', event);
    this.#active.add(entry);
    this.#move(entry, 'active');
  }

  /** An attempt was in vain. */
  #retryLater(entry: QueueEntry, nowMs: number, parkedIn: ParkedClass | undefined): void {
    const attempts = attemptsOf(entry);
    entry.retry = { attempts, dueMs: nowMs + backoffMs(this.#backoffTimes, attempts), parkedIn };
  }

  #leaveClass({ retry }: QueueEntry): void {
    if (retry !== undefined) retry.parkedIn = undefined;
  }

  #move(entry: QueueEntry, place: Place): void {
    this.#counts[entry.place]--;
    this.#counts[place]++;
    entry.place = place;
  }

  /** It is in no heap and no class afterwards. */
  #leave(entry: QueueEntry): void {
    const parked = entry.retry?.parkedIn;
    this.#flushed.delete(entry.uid);
    this.#heapOf(entry)?.remove(entry);
    this.#move(entry, 'out');
    if (parked === undefined) return;
    if (parked.woken === entry) this.#wakeNext(parked);
    else if (parked.waiting.size === 0 && parked.woken === undefined) this.#forget(parked);
  }

  #heapOf({ place, retry }: QueueEntry): EntryHeap | undefined {
    switch (place) {
      case 'active':
        return this.#active;
      case 'backoff':
        return this.#backoff;
      case 'failed':
        return this.#failed;
      case 'parked':
        return retry?.parkedIn?.waiting;
      default:
        return undefined;
    }
  }

  #find(uid: string): QueueEntry | undefined {
    const entry = this.#entryOf(uid);
    return entry?.place === 'out' ? undefined : entry;
  }

  #takenEntry(uid: string): QueueEntry {
    const entry = this.#find(uid);
    assert(entry?.place === 'taken', 'what came of a pod is said once, after it was taken');
    return entry;
  }
}

function isHelped({ plugins }: ParkedClass, event: ClusterEvent): boolean {
  if (plugins.size === 0) return true;
  for (const plugin of plugins) if (mayHelp(event, plugin)) return true;
  return false;
}
