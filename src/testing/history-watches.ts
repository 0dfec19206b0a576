// What a watch promises, the nine guarantees that etcd's robustness suite checks, against the log of what happened:
//
//   ordered       revisions ascend, and within one the order of its changes is kept
//   unique        no event comes twice
//   atomic        all events of a revision come in one response (fragments of it count as one)
//   resumable     a watch from a revision begins with the first event at or after it, and with nothing older
//   reliable      no event in between is left out, and none is made up
//   bookmarkable  after "all up to R were sent" nothing up to R comes; header revisions do not go back
//   prev-kv       is what was there before, and comes when asked for unless compacted
//   filtered      only events of the wanted keys and kinds
//   never-ahead   nothing is shown before it was asked for, nor beyond the revision in the header
// Source: etcd 3.6 tests/robustness/validate/watch.go and learning/api_guarantees.

import {
  type History,
  isWithin,
  pairText,
  type Violation,
  type WatchEvent,
  type WatchRecord,
  type WatchResponse,
} from './history.ts';
import { VIOLATIONS_MAX } from './history-revisions.ts';
import type { Change, RevisionLog } from './revision-log.ts';

export const WATCH_PROMISES = [
  'ordered',
  'unique',
  'atomic',
  'resumable',
  'reliable',
  'bookmarkable',
  'prev-kv',
  'filtered',
  'never-ahead',
] as const;
export type WatchPromise = (typeof WATCH_PROMISES)[number];

/** `log` is what checkRevisions made of the same history. */
export function checkWatches(history: History, log: RevisionLog): Violation[] {
  const violations: Violation[] = [];
  const invocations = writeInvocations(history);
  const compactions = compactionsOf(history);
  for (const watch of history.watches) {
    if (violations.length >= VIOLATIONS_MAX) break;
    violations.push(...new WatchChecker(watch, log, invocations, compactions).run());
  }
  return violations;
}

interface Compaction {
  readonly order: number;
  readonly revision: number;
}

class WatchChecker {
  readonly #watch: WatchRecord;
  readonly #log: RevisionLog;
  readonly #invocations: ReadonlyMap<string, number>;
  readonly #compactions: readonly Compaction[];
  readonly #violations: Violation[] = [];
  /** Every event up to this revision was given. -1 before the first thing that says where the watch begins. */
  #given = -1;
  /** No event up to this revision may come any more. */
  #bookmark = 0;
  #header = 0;
  #last: WatchEvent | undefined;
  #isInFragment = false;
  readonly #eventsSeen = new Set<string>();

  constructor(
    watch: WatchRecord,
    log: RevisionLog,
    invocations: ReadonlyMap<string, number>,
    compactions: readonly Compaction[],
  ) {
    this.#watch = watch;
    this.#log = log;
    this.#invocations = invocations;
    this.#compactions = compactions;
    if (watch.startRevision > 0) this.#given = watch.startRevision - 1;
  }

  run(): Violation[] {
    for (const response of this.#watch.responses) {
      if (response.kind !== 'compacted' && response.revision < this.#header) {
        this.#report('bookmarkable', `header revision ${response.revision} after ${this.#header}`);
      }
      this.#header = Math.max(this.#header, response.revision);
      this.#take(response);
    }
    return this.#violations;
  }

  #report(promise: WatchPromise, text: string): void {
    const { client, key, end, startRevision } = this.#watch;
    const range = end === '' ? key : `${key}…`;
    const head = `watch of client ${client} on ${range} from ${startRevision}: `;
    this.#violations.push({ promise, text: head + text });
  }

  #take(response: WatchResponse): void {
    switch (response.kind) {
      case 'created':
        if (this.#given < 0) this.#given = response.revision;
        return;
      case 'progress':
        this.#expectAll(response.revision, 'reliable');
        this.#bookmark = Math.max(this.#bookmark, response.revision);
        return;
      case 'compacted':
        if (response.compactRevision <= this.#given) {
          this.#report('reliable', `cancelled by a compaction to ${response.compactRevision}, which is given already`);
        }
        return;
      case 'events':
        for (const event of response.events) this.#event(event, response);
        this.#endOfMessage(response);
    }
  }

  #event(event: WatchEvent, response: WatchResponse & { kind: 'events' }): void {
    const { pair, isDelete } = event;
    const { mod, key } = pair;
    const text = `${isDelete ? 'deletion of' : 'put of'} ${pairText(pair)}`;
    const name = `${mod} ${key}`;
    if (!this.#isWanted(key, isDelete)) this.#report('filtered', text);
    if (this.#eventsSeen.has(name)) {
      this.#report('unique', `${text} came twice`);
      return;
    }
    this.#eventsSeen.add(name);
    if (this.#last !== undefined && this.#isBefore(event, this.#last)) {
      this.#report('ordered', `${text} after ${pairText(this.#last.pair)}`);
      return;
    }
    if (mod <= this.#bookmark) this.#report('bookmarkable', `${text} after progress to ${this.#bookmark}`);
    if (mod > response.revision) this.#report('never-ahead', `${text} in a response of revision ${response.revision}`);
    const invoked = isDelete ? undefined : this.#invocations.get(`${key}=${pair.value}`);
    if (invoked !== undefined && invoked > response.at.order) this.#report('never-ahead', `${text} before it was sent`);
    if (mod <= this.#given) {
      if (this.#last === undefined) this.#report('resumable', `${text} is older than the start`);
      else this.#report('atomic', `${text} came after the response with its revision`);
      return;
    }
    if (this.#last !== undefined && this.#last.pair.mod < mod) this.#expectAll(this.#last.pair.mod, 'atomic');
    this.#expectAll(mod - 1, this.#last === undefined ? 'resumable' : 'reliable');
    this.#last = event;
    this.#checkContent(event, response, text);
  }

  #isWanted(key: string, isDelete: boolean): boolean {
    const { skipsDeletes, skipsPuts } = this.#watch;
    return isWithin(key, this.#watch) && !(isDelete ? skipsDeletes : skipsPuts);
  }

  #isBefore(event: WatchEvent, last: WatchEvent): boolean {
    if (event.pair.mod !== last.pair.mod) return event.pair.mod < last.pair.mod;
    const changes = this.#log.changesAt(event.pair.mod) ?? [];
    const place = (one: WatchEvent): number => changes.findIndex(({ key }) => key === one.pair.key);
    return place(event) >= 0 && place(event) < place(last);
  }

  /** Everything up to `revision` must have been given. */
  #expectAll(revision: number, promise: WatchPromise): void {
    if (this.#given < 0) {
      this.#given = revision;
      return;
    }
    const gap = this.#log.gaps.find(({ from, to }) => this.#given < from && revision >= to);
    if (gap !== undefined) {
      this.#report('reliable', `revisions ${gap.from} to ${gap.to} were lost, and it goes on without a word`);
      this.#given = revision;
    }
    for (let at = Math.max(this.#given + 1, this.#log.oldestRevision); at <= revision; at++) {
      for (const change of this.#log.changesAt(at) ?? []) {
        if (this.#eventsSeen.has(`${at} ${change.key}`)) continue;
        if (!this.#isWanted(change.key, change.pair === undefined)) continue;
        this.#report(promise, `${textOf(change)} of revision ${at} was left out`);
        this.#given = revision;
        return;
      }
    }
    this.#given = Math.max(this.#given, revision);
  }

  #checkContent({ pair, isDelete, previous }: WatchEvent, response: WatchResponse, text: string): void {
    const changes = this.#log.changesAt(pair.mod);
    if (changes === undefined) {
      // What a restart of a relaxed class took cannot be looked up.
      if (pair.mod > this.#log.oldestRevision) this.#report('reliable', `${text} did not happen`);
      return;
    }
    const change = changes.find(({ key }) => key === pair.key);
    const expected = change?.pair;
    const isSame =
      change !== undefined &&
      (isDelete ? expected === undefined : expected !== undefined && pairText(expected) === pairText(pair));
    if (!isSame) {
      this.#report('reliable', `${text} is not what happened`);
      return;
    }
    if (!this.#watch.wantsPrevious) {
      if (previous !== undefined) this.#report('prev-kv', `${text} has one that was not asked for`);
      return;
    }
    if (previous === undefined) {
      const mayBeCompacted = this.#compactions.some(
        (one) => one.order < response.at.order && one.revision >= pair.mod - 1,
      );
      if (change.previous !== undefined && !mayBeCompacted) this.#report('prev-kv', `${text} has none`);
    } else if (change.previous === undefined || pairText(previous) !== pairText(change.previous)) {
      this.#report('prev-kv', `${text} has ${pairText(previous)}`);
    }
  }

  #endOfMessage(response: WatchResponse & { kind: 'events' }): void {
    const last = response.events.at(-1);
    if (last === undefined) return;
    this.#isInFragment = response.isFragment && this.#watch.allowsFragments;
    // Whole revisions only: what is missing of the last one will not come.
    if (!this.#isInFragment) this.#expectAll(last.pair.mod, 'atomic');
  }
}

function textOf({ key, pair }: Change): string {
  return pair === undefined ? `deletion of ${key}` : pairText(pair);
}

/** When the put of a value was sent; values that several calls put are left out. */
function writeInvocations(history: History): Map<string, number> {
  const orders = new Map<string, number>();
  for (const { request, invoked } of history.calls) {
    const requests = request.kind === 'txn' ? [...request.success, ...request.failure] : [request];
    for (const one of requests) {
      if (one.kind !== 'put') continue;
      const name = `${one.key}=${one.value}`;
      orders.set(name, Math.min(orders.get(name) ?? Number.POSITIVE_INFINITY, invoked.order));
    }
  }
  return orders;
}

function compactionsOf(history: History): Compaction[] {
  const compactions: Compaction[] = [];
  for (const { request, invoked, outcome } of history.calls) {
    if (request.kind === 'compact' && outcome.kind !== 'refused') {
      compactions.push({ order: invoked.order, revision: request.revision });
    }
  }
  return compactions;
}
