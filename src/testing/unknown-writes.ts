// Writes whose outcome nobody learned, to be found by what they changed.

import type { Call, History, KeyRequest } from './history.ts';
import type { Change, RevisionLog } from './revision-log.ts';

/** What watches showed of a revision. */
export interface WatchedRevision {
  readonly events: readonly Change[];
  /** One that sees everything showed it: there is no more to it. */
  readonly isWhole: boolean;
}

/** Whether a revision with these changes would have been seen so. */
export function explains(changes: readonly Change[], { events, isWhole }: WatchedRevision): boolean {
  if (changes.length < events.length || (isWhole && changes.length > events.length)) return false;
  return events.every(({ key, pair }) => {
    const change = changes.find((one) => one.key === key);
    return change !== undefined && change.pair?.value === pair?.value && change.pair?.version === pair?.version;
  });
}

interface UnknownWrite {
  readonly invokedOrder: number;
  readonly request: KeyRequest;
}

export class UnknownWrites {
  /** By a key that the write names, or '' for ranges; in the order in which they were sent. */
  readonly #byKey = new Map<string, Set<UnknownWrite>>();

  constructor(history: History) {
    const calls = [...history.calls].sort((a, b) => a.invoked.order - b.invoked.order);
    for (const call of calls) {
      if (call.outcome.kind !== 'unknown') continue;
      const { request } = call;
      if (request.kind !== 'put' && request.kind !== 'delete' && request.kind !== 'txn') continue;
      const write = { invokedOrder: call.invoked.order, request };
      for (const key of keysOf(request)) this.#ofKey(key).add(write);
    }
  }

  /** All changes of a write sent before `order` that explains what was seen of the revision; it is then used up. */
  take(log: RevisionLog, revision: number, watched: WatchedRevision, order: number): Change[] | undefined {
    for (const name of [watched.events[0].key, '']) {
      const writes = this.#byKey.get(name);
      for (const write of writes ?? []) {
        if (write.invokedOrder >= order) break;
        const { changes } = log.evaluate(write.request, revision);
        if (changes.length === 0 || !explains(changes, watched)) continue;
        for (const key of keysOf(write.request)) this.#byKey.get(key)?.delete(write);
        return [...changes];
      }
    }
    return undefined;
  }

  #ofKey(key: string): Set<UnknownWrite> {
    let writes = this.#byKey.get(key);
    if (writes === undefined) {
      writes = new Set();
      this.#byKey.set(key, writes);
    }
    return writes;
  }
}

/** Keys that the request may change; '' stands for a range of them. */
function keysOf(request: Call['request']): Set<string> {
  switch (request.kind) {
    case 'put':
      return new Set([request.key]);
    case 'delete':
      return new Set([request.end === '' ? request.key : '']);
    case 'txn':
      return new Set([...request.success, ...request.failure].flatMap((one) => [...keysOf(one)]));
    default:
      return new Set();
  }
}
