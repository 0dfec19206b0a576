// The whole-store checker: is there one order of all calls that explains every answer? etcd names it itself, by its
// revisions, so that no search is needed and the time is near linear.
//
//   1. Each revision's changes come from the write that was answered with it, or else from the watches; then somebody must
//      have asked for them: a write whose outcome is unknown, or a lease that may have ended.
//   2. Every answer must be what a plain etcd (`revision-log.ts`) says at its revision.
//   3. Real time: nobody is answered with an older revision than anyone had seen before the call was sent, and a
//      write's is newer than that.
//
// An unknown write is taken once, for the first revision whose changes it explains; since revisions are first seen in their order,
// a write that may explain one may also explain every later one, so taking any is as good as another.
// It needs every revision's changes: the history must have an answer or a watch for each (promise `complete`).

import {
  type Call,
  callText,
  type History,
  type Jump,
  type KeyRequest,
  type Moment,
  resultText,
  TO_THE_END,
  type Violation,
} from './history.ts';
import { LeaseBook } from './history-leases.ts';
import { SeenRevisions } from './history-times.ts';
import { type Change, RevisionLog } from './revision-log.ts';
import { explains, UnknownWrites, type WatchedRevision } from './unknown-writes.ts';

export interface RevisionCheck {
  readonly violations: readonly Violation[];
  /** What happened, for further checks. */
  readonly log: RevisionLog;
  /** Unknown writes that did happen. */
  readonly unknownDone: number;
}

export const VIOLATIONS_MAX = 20;

/** `onJump` is called for each jump with what was known before it. */
export function checkRevisions(
  history: History,
  onJump: (log: RevisionLog, jump: Jump) => void = () => {},
): RevisionCheck {
  return new RevisionChecker(history, onJump).run();
}

interface Answered {
  readonly call: Call & { readonly request: KeyRequest };
  readonly revision: number;
  readonly at: Moment;
}

class RevisionChecker {
  readonly #history: History;
  readonly #onJump: (log: RevisionLog, jump: Jump) => void;
  readonly #log = new RevisionLog();
  readonly #seen: SeenRevisions;
  readonly #leases: LeaseBook;
  readonly #unknown: UnknownWrites;
  readonly #violations: Violation[] = [];
  /** By revision: the answered write that made it; answered calls that made none, to be compared at it. */
  readonly #owners = new Map<number, Answered>();
  readonly #readers = new Map<number, Answered[]>();
  /** By revision: leases whose revocation was answered with it. */
  readonly #revoked = new Map<number, bigint[]>();
  readonly #watched: ReadonlyMap<number, WatchedRevision>;
  #unknownDone = 0;

  constructor(history: History, onJump: (log: RevisionLog, jump: Jump) => void) {
    this.#history = history;
    this.#onJump = onJump;
    this.#seen = new SeenRevisions(history);
    this.#leases = new LeaseBook(history);
    this.#unknown = new UnknownWrites(history);
    this.#watched = changesOfWatches(history, (text) => this.#report('same-events', text));
  }

  run(): RevisionCheck {
    this.#sortCalls();
    this.#replay();
    this.#checkRefusals();
    this.#violations.push(...this.#leases.violations(this.#history));
    return { violations: this.#violations, log: this.#log, unknownDone: this.#unknownDone };
  }

  #report(promise: string, text: string): void {
    if (this.#violations.length < VIOLATIONS_MAX) this.#violations.push({ promise, text: shortened(text) });
  }

  /** Real time is checked here: order of revisions against order of calls. */
  #sortCalls(): void {
    for (const call of this.#history.calls) {
      const { outcome, request } = call;
      if (outcome.kind !== 'answered') continue;
      const { revision, at } = outcome;
      const floor = this.#seen.before(call.invoked.order);
      if (revision < 1) this.#report('right-answer', `${callText(call)}: there is no such revision`);
      if (revision < floor) {
        this.#report('real-time', `${callText(call)}, but revision ${floor} had been seen before`);
      }
      if (request.kind === 'revoke') {
        this.#revoked.set(revision, [...(this.#revoked.get(revision) ?? []), request.lease]);
      }
      if (!isAboutKeys(request)) continue;
      const answered = { call: { ...call, request }, revision, at };
      if (!isChange(request, outcome.result)) {
        const readers = this.#readers.get(revision);
        if (readers === undefined) this.#readers.set(revision, [answered]);
        else readers.push(answered);
        continue;
      }
      if (revision <= Math.max(floor, 1))
        this.#report('real-time', `${callText(call)} took a revision that had been seen before`);
      const owner = this.#owners.get(revision);
      if (owner === undefined) this.#owners.set(revision, answered);
      else this.#report('one-write-per-revision', `${callText(call)} and ${callText(owner.call)}`);
    }
  }

  #replay(): void {
    const jumps = [...this.#history.jumps];
    this.#compareReaders(1);
    for (let revision = 2; revision <= this.#seen.highest; revision++) {
      const jump = jumps[0];
      const isKnown = this.#owners.has(revision) || this.#watched.has(revision);
      if (jump !== undefined && (!isKnown || revision >= jump.revision)) {
        // Revisions up to here are lost, or known in part only.
        jumps.shift();
        this.#onJump(this.#log, jump);
        if (jump.revision <= this.#log.revision) {
          // Nothing was lost: the next revision is looked at again.
          revision--;
          continue;
        }
        revision = jump.revision;
        this.#log.reset(revision, jump.pairs);
      } else if (!this.#step(revision)) continue;
      this.#compareReaders(revision);
    }
  }

  /** False when nothing is known of the revision. */
  #step(revision: number): boolean {
    const owner = this.#owners.get(revision);
    const watched = this.#watched.get(revision);
    if (owner !== undefined) {
      const { result, changes } = this.#log.evaluate(owner.call.request, revision);
      this.#compare(owner, resultText(result));
      if (changes.length === 0) return false;
      this.#log.append(revision, changes);
      return true;
    }
    if (watched === undefined) {
      this.#report('complete', `nothing is known of revision ${revision}`);
      return false;
    }
    const seen = this.#seen.first(revision);
    const order = seen?.order ?? Number.POSITIVE_INFINITY;
    const lease = this.#leaseEnded(watched);
    const why = lease === 0n || seen === undefined ? undefined : this.#leases.whyAlive(lease, seen);
    // A lease first: its end may come again, with other keys, and an unknown write is used up.
    const isEnd = lease !== 0n && why === undefined;
    let changes = isEnd ? this.#log.leaseEnd(lease) : this.#unknown.take(this.#log, revision, watched, order);
    if (changes !== undefined) this.#unknownDone += isEnd ? 0 : 1;
    else if (lease !== 0n) {
      this.#report('lease-too-early', `lease ${lease} ended at revision ${revision}: ${why}`);
      changes = this.#log.leaseEnd(lease);
    } else {
      const texts = watched.events.map(({ key, pair }) => `${key}=${pair === undefined ? 'deleted' : pair.value}`);
      this.#report('asked-for', `revision ${revision} has changes that nobody asked for: ${texts.join(', ')}`);
    }
    this.#log.append(revision, changes ?? watched.events);
    return true;
  }

  /** The lease whose keys these deletions are, all of them; 0: none. */
  #leaseEnded(watched: WatchedRevision): bigint {
    const lease = this.#log.at(watched.events[0].key, this.#log.revision)?.lease ?? 0n;
    return lease !== 0n && explains(this.#log.leaseEnd(lease), watched) ? lease : 0n;
  }

  #compareReaders(revision: number): void {
    for (const answered of this.#readers.get(revision) ?? []) {
      const { request } = answered.call;
      if (request.kind === 'range' && request.revision > 0 && request.revision < this.#log.oldestRevision) continue;
      this.#compare(answered, resultText(this.#log.evaluate(request).result));
    }
    for (const lease of this.#revoked.get(revision) ?? []) {
      const [left] = this.#log.leaseEnd(lease);
      if (left !== undefined) this.#report('right-answer', `lease ${lease} is revoked, but ${left.key} is there`);
    }
  }

  #compare({ call }: Answered, expected: string): void {
    if (call.outcome.kind !== 'answered' || resultText(call.outcome.result) === expected) return;
    this.#report('right-answer', `${callText(call)}; it should be ${expected}`);
  }

  #checkRefusals(): void {
    const compactions = this.#history.calls.filter(({ request, outcome }) => {
      return request.kind === 'compact' && outcome.kind !== 'refused';
    });
    const jumped = this.#history.jumps.length > 0;
    for (const call of this.#history.calls) {
      const { request, outcome, invoked } = call;
      if (outcome.kind !== 'refused' || (request.kind !== 'range' && request.kind !== 'compact')) continue;
      const { revision } = request;
      if (outcome.reason.includes('future') && this.#seen.before(invoked.order) >= revision) {
        this.#report('real-time', `${callText(call)}, but that revision had been seen before`);
      }
      const isExplained = compactions.some((other) => {
        const target = other.request.kind === 'compact' ? other.request.revision : 0;
        return other.invoked.order < outcome.at.order && target >= revision;
      });
      if (outcome.reason.includes('compacted') && !isExplained && !jumped) {
        this.#report('compacted-when-asked', `${callText(call)}, but nobody compacted to there`);
      }
    }
  }
}

/** Values may be long. */
function shortened(text: string): string {
  return text.replace(/(\S{40})\S{100,}/g, '$1…');
}

function isAboutKeys(request: Call['request']): request is KeyRequest {
  return request.kind === 'put' || request.kind === 'range' || request.kind === 'delete' || request.kind === 'txn';
}

/** Whether the answered call made a revision. */
function isChange(request: KeyRequest, result: Answer): boolean {
  if (request.kind === 'put') return true;
  if (result.kind === 'delete') return result.deleted > 0;
  if (request.kind !== 'txn' || result.kind !== 'txn') return false;
  const taken = result.isSuccess ? request.success : request.failure;
  return taken.some((one, index) => isChange(one, result.results[index]));
}

type Answer = (Call['outcome'] & { kind: 'answered' })['result'];

/** What all watches together say of each revision. */
function changesOfWatches(history: History, report: (text: string) => void): Map<number, WatchedRevision> {
  const revisions = new Map<number, { readonly byKey: Map<string, Change>; isWhole: boolean }>();
  for (const watch of history.watches) {
    const seesAll = watch.key <= '\0' && watch.end === TO_THE_END && !watch.skipsPuts && !watch.skipsDeletes;
    for (const response of watch.responses) {
      if (response.kind !== 'events') continue;
      const last = response.events.at(-1)?.pair.mod;
      for (const { isDelete, pair, previous } of response.events) {
        const change: Change = { key: pair.key, pair: isDelete ? undefined : pair, previous };
        const revision = revisions.get(pair.mod) ?? { byKey: new Map(), isWhole: false };
        revisions.set(pair.mod, revision);
        if (seesAll && !(response.isFragment && pair.mod === last)) revision.isWhole = true;
        const other = revision.byKey.get(pair.key);
        if (other === undefined) revision.byKey.set(pair.key, change);
        else if (other.pair?.value !== change.pair?.value) {
          report(`two watches disagree on ${pair.key} at revision ${pair.mod}`);
        }
      }
    }
  }
  return new Map([...revisions].map(([at, { byKey, isWhole }]) => [at, { events: [...byKey.values()], isWhole }]));
}
