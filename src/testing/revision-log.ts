// A deliberately plain etcd: all changes by revision, and what a request does at the newest one. The checkers compare
// what clients saw with it.

import { assert } from '../base/assert.ts';
import {
  type Condition,
  isWithin,
  type KeyRange,
  type KeyRequest,
  type Pair,
  type Result,
  type SimpleRequest,
} from './history.ts';

export interface Change {
  readonly key: string;
  /** Undefined: the key was deleted. */
  readonly pair: Pair | undefined;
  /** What was there before this revision. */
  readonly previous: Pair | undefined;
}

export interface Evaluation {
  readonly result: Result;
  /** None: the request took no revision. */
  readonly changes: readonly Change[];
}

interface Version {
  readonly revision: number;
  readonly pair: Pair | undefined;
}

export class RevisionLog {
  readonly #versions = new Map<string, Version[]>();
  readonly #changes = new Map<number, readonly Change[]>();
  /** The newest revision. */
  revision = 1;
  /** What is older than this is not known. */
  oldestRevision = 1;
  /** Revisions, from and to, that resets have passed over. */
  readonly gaps: { readonly from: number; readonly to: number }[] = [];

  append(revision: number, changes: readonly Change[]): void {
    assert(revision > this.revision, 'revisions grow');
    this.revision = revision;
    this.#changes.set(revision, changes);
    for (const { key, pair } of changes) this.#versionsOf(key).push({ revision, pair });
  }

  /** From `revision` on the state is `pairs`; how it came about is not known. */
  reset(revision: number, pairs: readonly Pair[]): void {
    assert(revision > this.revision, 'revisions grow');
    this.gaps.push({ from: this.revision + 1, to: revision });
    this.revision = revision;
    this.oldestRevision = revision;
    const present = new Map(pairs.map((pair) => [pair.key, pair]));
    for (const key of present.keys()) this.#versionsOf(key);
    for (const [key, versions] of this.#versions) versions.push({ revision, pair: present.get(key) });
  }

  /** In the order in which they were made; undefined: nothing is known of the revision. */
  changesAt(revision: number): readonly Change[] | undefined {
    return this.#changes.get(revision);
  }

  at(key: string, revision: number): Pair | undefined {
    const versions = this.#versions.get(key) ?? [];
    let low = 0;
    let high = versions.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (versions[middle].revision <= revision) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? undefined : versions[low - 1].pair;
  }

  range(range: KeyRange, revision: number): Pair[] {
    if (range.end === '') {
      const pair = this.at(range.key, revision);
      return pair === undefined ? [] : [pair];
    }
    const keys = [...this.#versions.keys()].filter((key) => isWithin(key, range)).sort();
    return keys.map((key) => this.at(key, revision)).filter((pair) => pair !== undefined);
  }

  /** What the request does after the newest revision, were it to take `revision`. */
  evaluate(request: KeyRequest, revision: number = this.revision + 1): Evaluation {
    const overlay = new Map<string, Pair | undefined>();
    const result =
      request.kind === 'txn' ? this.#txn(request, revision, overlay) : this.#simple(request, revision, overlay);
    const changes = [...overlay].map(([key, pair]) => ({ key, pair, previous: this.at(key, this.revision) }));
    return { result, changes };
  }

  /** The deletions when `lease` ends: its keys, in key order. */
  leaseEnd(lease: bigint): Change[] {
    return this.#newest({ key: '', end: '\0' })
      .filter((pair) => pair.lease === lease)
      .map((pair) => ({ key: pair.key, pair: undefined, previous: pair }));
  }

  #newest(range: KeyRange, overlay: ReadonlyMap<string, Pair | undefined> = new Map()): Pair[] {
    const pairs = this.range(range, this.revision).filter((pair) => !overlay.has(pair.key));
    for (const [key, pair] of overlay) if (pair !== undefined && isWithin(key, range)) pairs.push(pair);
    return pairs.sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  #txn(request: KeyRequest & { kind: 'txn' }, revision: number, overlay: Map<string, Pair | undefined>): Result {
    const isSuccess = request.conditions.every((condition) => holds(condition, this.at(condition.key, this.revision)));
    const taken = isSuccess ? request.success : request.failure;
    return { kind: 'txn', isSuccess, results: taken.map((one) => this.#simple(one, revision, overlay)) };
  }

  #simple(request: SimpleRequest, revision: number, overlay: Map<string, Pair | undefined>): Result {
    switch (request.kind) {
      case 'put': {
        const { key, value, lease } = request;
        const old = overlay.has(key) ? overlay.get(key) : this.at(key, this.revision);
        const create = old?.create ?? revision;
        overlay.set(key, { key, value, lease, create, mod: revision, version: (old?.version ?? 0) + 1 });
        return { kind: 'put' };
      }
      case 'range':
        if (request.revision > 0) return { kind: 'range', pairs: this.range(request, request.revision) };
        return { kind: 'range', pairs: this.#newest(request, overlay) };
      case 'delete': {
        const pairs = this.#newest(request, overlay);
        for (const { key } of pairs) overlay.set(key, undefined);
        return { kind: 'delete', deleted: pairs.length };
      }
    }
  }

  #versionsOf(key: string): Version[] {
    let versions = this.#versions.get(key);
    if (versions === undefined) {
      versions = [];
      this.#versions.set(key, versions);
    }
    return versions;
  }
}

/** A key that is not there compares as revision and version 0; its value compares with nothing. */
export function holds(condition: Condition, pair: Pair | undefined): boolean {
  const { target, relation, operand } = condition;
  if (target === 'value' && pair === undefined) return false;
  const actual = pair === undefined ? 0 : pair[target];
  switch (relation) {
    case '=':
      return actual === operand;
    case '!=':
      return actual !== operand;
    case '>':
      return actual > operand;
    case '<':
      return actual < operand;
  }
}
