// What the queue keeps of a pod, in the record of whoever knows the pod: a million pods that wait are a million records, and no second million.
//
// The fields are the queue's to write. An entry is in one heap at most, and knows its place there (entry-heap.ts); what only pods have that have been tried
// in vain is an object of its own.

import type { EntryHeap } from './entry-heap.ts';

/**
 * out: it is not in the queue · active: to be decided on · taken: being decided on · parked: with its class · backoff, failed: until its time has come ·
 * gated: it has scheduling gates
 */
export type Place = 'out' | 'active' | 'backoff' | 'failed' | 'parked' | 'gated' | 'taken';

/** Of a pod that has been tried. */
export interface Retry {
  readonly attempts: number;
  /** When its backoff is over. */
  readonly dueMs: number;
  /** The class that it is parked with, or was woken from. */
  parkedIn: ParkedClass | undefined;
}

/** Pods that were refused for the same reasons, and would be again. */
export interface ParkedClass {
  readonly key: string;
  plugins: ReadonlySet<string>;
  readonly waiting: EntryHeap;
  /** The one that was woken, and is not decided on yet. */
  woken: QueueEntry | undefined;
  sinceMs: number;
}

export abstract class QueueEntry {
  abstract readonly uid: string;
  place: Place = 'out';
  priority = 0;
  /** Of arrival. */
  order = 0;
  /** Its place in the heap that it is in; −1: in none. */
  heapIndex = -1;
  retry: Retry | undefined = undefined;
}

/** With the one that is under way, or has been the last. */
export function attemptsOf({ retry }: QueueEntry): number {
  return (retry?.attempts ?? 0) + 1;
}

/** The more important one first, then the one that came first (PrioritySort). */
export function byPriority(a: QueueEntry, b: QueueEntry): number {
  return b.priority - a.priority || a.order - b.order;
}

/** The one whose backoff is over first. */
export function byDueTime(a: QueueEntry, b: QueueEntry): number {
  return dueMsOf(a) - dueMsOf(b) || byPriority(a, b);
}

export function dueMsOf({ retry }: QueueEntry): number {
  return retry?.dueMs ?? 0;
}
