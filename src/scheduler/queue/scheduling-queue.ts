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
// Order: priority, then time of arrival (PrioritySort). When nothing is active, what backs off is taken early, as upstream does
// (SchedulerPopFromBackoffQ). Parked classes are woken after PARKED_MS_MAX whatever happens.

import { assert } from '../../base/assert.ts';
import { Heap } from '../../base/heap.ts';
import { type Backoff, backoffMs, DEFAULT_BACKOFF } from './backoff.ts';
import { type ClusterEvent, mayHelp, setsApart } from './cluster-event.ts';

/** Upstream's --pod-max-in-unschedulable-pods-duration. */
const PARKED_MS_MAX = 300_000;

export interface WaitingPod {
  readonly uid: string;
  readonly priority: number;
  readonly isGated: boolean;
}

type Place = 'active' | 'backoff' | 'failed' | 'parked' | 'gated' | 'taken';

interface Entry {
  readonly uid: string;
  readonly priority: number;
  readonly order: number;
  place: Place;
  attempts: number;
  /** When its backoff is over. */
  dueMs: number;
  parkedIn: ParkedClass | undefined;
  /** Whose heap has it, also when it has been woken out of its turn. */
  filedIn: ParkedClass | undefined;
  isDropped: boolean;
}

interface ParkedClass {
  readonly key: string;
  plugins: ReadonlySet<string>;
  readonly waiting: Heap<Entry>;
  /** Pods in `waiting` that are not dropped. */
  count: number;
  /** The one that was woken, and is not decided on yet. */
  woken: Entry | undefined;
  sinceMs: number;
}

export interface QueueCounts {
  readonly active: number;
  readonly backoff: number;
  readonly unschedulable: number;
  readonly gated: number;
}

export class SchedulingQueue {
  readonly #entries = new Map<string, Entry>();
  readonly #active = new Heap<Entry>(byPriority);
  readonly #backoff = new Heap<Entry>((a, b) => a.dueMs - b.dueMs || byPriority(a, b));
  /** After an error; not taken early. */
  readonly #failed = new Heap<Entry>((a, b) => a.dueMs - b.dueMs || byPriority(a, b));
  readonly #classes = new Map<string, ParkedClass>();
  readonly #counts = { active: 0, backoff: 0, failed: 0, parked: 0, gated: 0, taken: 0 };
  readonly #backoffTimes: Backoff;
  #order = 0;

  constructor(backoff: Backoff = DEFAULT_BACKOFF) {
    this.#backoffTimes = backoff;
  }

  get counts(): QueueCounts {
    const { active, backoff, failed, parked, gated } = this.#counts;
    return { active, backoff: backoff + failed, unschedulable: parked, gated };
  }

  has(uid: string): boolean {
    return this.#entries.has(uid);
  }

  /** A pod that waits from now on, or another state of one: it is tried again soon. */
  add({ uid, priority, isGated }: WaitingPod): void {
    const before = this.#entries.get(uid);
    if (before?.place === 'taken') return;
    if (before !== undefined) this.#drop(before);
    const entry: Entry = {
      uid,
      priority,
      order: before?.order ?? this.#order++,
      place: 'gated',
      attempts: before?.attempts ?? 0,
      dueMs: 0,
      parkedIn: undefined,
      filedIn: undefined,
      isDropped: false,
    };
    this.#entries.set(uid, entry);
    this.#counts.gated++;
    if (!isGated) this.#activate(entry);
  }

  /** The pod waits no longer: it is gone, or bound. */
  remove(uid: string): void {
    const entry = this.#entries.get(uid);
    if (entry !== undefined) this.#drop(entry);
  }

  /** The next pod to decide on; undefined when none is due. It is `taken` until one of the calls below says what came of it. */
  pop(nowMs: number): string | undefined {
    this.#flush(nowMs);
    const entry = take(this.#active, 'active') ?? take(this.#backoff, 'backoff');
    if (entry === undefined) return undefined;
    this.#move(entry, 'taken');
    return entry.uid;
  }

  /** When the next pod is due that backs off after an error; infinite: none does. */
  get nextDueMs(): number {
    return peek(this.#failed, 'failed')?.dueMs ?? Number.POSITIVE_INFINITY;
  }

  /** A node was found; the next one of its class may find one too. */
  placed(uid: string): void {
    this.#drop(this.#takenEntry(uid));
  }

  /** No node was found, by these plugins; `classKey` says which others would find none either. */
  refused(uid: string, classKey: string, plugins: ReadonlySet<string>, nowMs: number): void {
    const entry = this.#takenEntry(uid);
    entry.attempts++;
    entry.dueMs = nowMs + backoffMs(this.#backoffTimes, entry.attempts);
    const before = entry.parkedIn;
    if (before?.woken === entry) before.woken = undefined;
    let parked = this.#classes.get(classKey);
    if (parked === undefined) {
      const waiting = new Heap<Entry>(byPriority);
      parked = { key: classKey, plugins, waiting, count: 0, woken: undefined, sinceMs: nowMs };
      this.#classes.set(classKey, parked);
    }
    parked.plugins = plugins;
    parked.sinceMs = nowMs;
    if (entry.filedIn !== parked) parked.waiting.push(entry);
    parked.count++;
    entry.filedIn = parked;
    entry.parkedIn = parked;
    this.#move(entry, 'parked');
    // The class it was in goes by another key now.
    if (before !== undefined && before !== parked) this.#wakeNext(before);
  }

  /** No node was found, and nobody is like it: it waits by itself for what this reason looks for. Also for one that is parked so already. */
  parkAlone(uid: string, reason: string, nowMs: number): void {
    const reasons = new Set([reason]);
    const key = `alone ${uid}`;
    const parked = this.#classes.get(key);
    if (parked !== undefined && this.#entries.get(uid)?.parkedIn === parked && parked.woken === undefined) {
      parked.plugins = reasons;
    } else if (this.#entries.get(uid)?.place === 'taken') this.refused(uid, key, reasons, nowMs);
  }

  /** Something went wrong that is not the pod's: it is tried again after its backoff. */
  failed(uid: string, nowMs: number): void {
    const entry = this.#takenEntry(uid);
    const parked = entry.parkedIn;
    entry.attempts++;
    entry.dueMs = nowMs + backoffMs(this.#backoffTimes, entry.attempts);
    entry.parkedIn = undefined;
    this.#failed.push(entry);
    this.#move(entry, 'failed');
    if (parked !== undefined) this.#wakeNext(parked);
  }

  /** A pod that was taken as placed waits again: it could not be bound, for so many times now. */
  again(pod: WaitingPod, attempts: number, nowMs: number): void {
    this.add({ ...pod, isGated: true });
    const entry = this.#entries.get(pod.uid);
    assert(entry !== undefined, 'a pod that was added is there');
    if (pod.isGated) return;
    entry.attempts = attempts;
    entry.dueMs = nowMs + backoffMs(this.#backoffTimes, entry.attempts);
    this.#failed.push(entry);
    this.#move(entry, 'failed');
  }

  wake(event: ClusterEvent): void {
    for (const parked of this.#classes.values()) {
      if (!isHelped(parked, event)) continue;
      if (setsApart(event)) this.#wakeAll(parked, 'backoff');
      else if (parked.woken === undefined) this.#wakeFirst(parked);
    }
  }

  /** An event that concerns these pods alone: those of them that are parked are woken, out of their turn. */
  wakePods(uids: Iterable<string>, event: ClusterEvent): void {
    for (const uid of uids) {
      const entry = this.#entries.get(uid);
      const parked = entry?.parkedIn;
      if (entry?.place !== 'parked' || parked === undefined || !isHelped(parked, event)) continue;
      entry.parkedIn = undefined;
      parked.count--;
      this.#backOff(entry);
      if (parked.count === 0 && parked.woken === undefined) this.#forget(parked);
    }
  }

  #flush(nowMs: number): void {
    for (let entry = peek(this.#backoff, 'backoff'); entry !== undefined && entry.dueMs <= nowMs; ) {
      take(this.#backoff, 'backoff');
      this.#activate(entry);
      entry = peek(this.#backoff, 'backoff');
    }
    for (let entry = peek(this.#failed, 'failed'); entry !== undefined && entry.dueMs <= nowMs; ) {
      take(this.#failed, 'failed');
      this.#activate(entry);
      entry = peek(this.#failed, 'failed');
    }
  }

  /** Wakes what has been parked for too long; to be called every half minute or so. */
  flushParked(nowMs: number): void {
    for (const parked of this.#classes.values()) {
      if (nowMs - parked.sinceMs >= PARKED_MS_MAX) this.#wakeAll(parked, 'active');
    }
  }

  #wakeFirst(parked: ParkedClass): void {
    const entry = takeParked(parked);
    assert(entry !== undefined, 'a class without pods is forgotten');
    parked.count--;
    parked.woken = entry;
    this.#backOff(entry);
  }

  #wakeAll(parked: ParkedClass, place: 'active' | 'backoff'): void {
    this.#classes.delete(parked.key);
    for (let entry = takeParked(parked); entry !== undefined; entry = takeParked(parked)) {
      entry.parkedIn = undefined;
      if (place === 'active') this.#activate(entry);
      else this.#backOff(entry);
    }
    parked.count = 0;
  }

  #backOff(entry: Entry): void {
    this.#backoff.push(entry);
    this.#move(entry, 'backoff');
  }

  /** One of the class has left it for good: the next one is tried at once. */
  #wakeNext(parked: ParkedClass): void {
    parked.woken = undefined;
    const entry = takeParked(parked);
    if (entry === undefined) {
      this.#forget(parked);
      return;
    }
    parked.count--;
    parked.woken = entry;
    this.#activate(entry);
  }

  #forget(parked: ParkedClass): void {
    if (this.#classes.get(parked.key) === parked) this.#classes.delete(parked.key);
  }

  #activate(entry: Entry): void {
    this.#active.push(entry);
    this.#move(entry, 'active');
  }

  #move(entry: Entry, place: Place): void {
    this.#counts[entry.place]--;
    this.#counts[place]++;
    entry.place = place;
  }

  /** Heaps pass over it when they come to it. */
  #drop(entry: Entry): void {
    this.#entries.delete(entry.uid);
    this.#counts[entry.place]--;
    entry.isDropped = true;
    const parked = entry.parkedIn;
    if (parked === undefined) return;
    if (parked.woken === entry) this.#wakeNext(parked);
    else if (--parked.count === 0 && parked.woken === undefined) this.#forget(parked);
  }

  #takenEntry(uid: string): Entry {
    const entry = this.#entries.get(uid);
    assert(entry?.place === 'taken', 'what came of a pod is said once, after it was taken');
    return entry;
  }
}

function byPriority(a: Entry, b: Entry): number {
  return b.priority - a.priority || a.order - b.order;
}

/** The first that is parked there; those that were woken out of their turn, and may be parked elsewhere now, are thrown away. */
function takeParked(parked: ParkedClass): Entry | undefined {
  for (let entry = parked.waiting.pop(); entry !== undefined; entry = parked.waiting.pop()) {
    if (entry.filedIn === parked) entry.filedIn = undefined;
    if (!entry.isDropped && entry.place === 'parked' && entry.parkedIn === parked) return entry;
  }
  return undefined;
}

function isHelped({ plugins }: ParkedClass, event: ClusterEvent): boolean {
  if (plugins.size === 0) return true;
  for (const plugin of plugins) if (mayHelp(event, plugin)) return true;
  return false;
}

/** The first that is still there; those that have left are thrown away. */
function peek(heap: Heap<Entry>, place: Place): Entry | undefined {
  for (let entry = heap.peek(); entry !== undefined; entry = heap.peek()) {
    if (!entry.isDropped && entry.place === place) return entry;
    heap.pop();
  }
  return undefined;
}

function take(heap: Heap<Entry>, place: Place): Entry | undefined {
  const entry = peek(heap, place);
  if (entry !== undefined) heap.pop();
  return entry;
}
