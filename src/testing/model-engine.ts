// What a KV request does, from the definition: a list of all changes ever made, read from its start for every question.
// Requests are etcd's messages; replies are reduced to text and numbers, to be compared with those of the real engine.
//
// It leaves to others: the checks that look at the request alone, quotas, and when something becomes visible.

import * as m from '../api/messages.ts';

export interface ModelKeyValue {
  readonly key: string;
  readonly value: string;
  readonly create: number;
  readonly mod: number;
  readonly version: number;
  readonly lease: bigint;
}

interface Change {
  readonly main: number;
  readonly key: string;
  /** Undefined for a deletion. */
  readonly kv: ModelKeyValue | undefined;
}

export interface RangeReply {
  readonly revision: number;
  readonly kvs: readonly ModelKeyValue[];
  readonly more: boolean;
  readonly count: number;
}
export interface PutReply {
  readonly revision: number;
  readonly previous: ModelKeyValue | undefined;
}
export interface DeleteReply {
  readonly revision: number;
  readonly deleted: number;
  readonly previous: readonly ModelKeyValue[];
}
/** A nested transaction's has revision 0: its header is empty. */
export interface TxnReply {
  readonly revision: number;
  readonly isSuccess: boolean;
  readonly replies: readonly Reply[];
}
export type Reply = RangeReply | PutReply | DeleteReply | TxnReply;

const NO_KEY: ModelKeyValue = { key: '', value: '', create: 0, mod: 0, version: 0, lease: 0n };
/** What is compared with by Compare.target. */
const NUMBERS: readonly ((kv: ModelKeyValue, c: m.Compare) => [number, number])[] = [
  (kv, c) => [kv.version, c.version ?? 0],
  (kv, c) => [kv.create, c.create_revision ?? 0],
  (kv, c) => [kv.mod, c.mod_revision ?? 0],
];

export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

export class ModelEngine {
  current = 1;
  compacted = -1;
  readonly leases: Set<bigint> = new Set();
  /** Every change, oldest first. */
  readonly changes: Change[] = [];
  #main = 0;
  #hasChanged = false;

  /** Live keys at a revision, in key order. */
  at(revision: number): ModelKeyValue[] {
    const live = new Map<string, ModelKeyValue>();
    for (const { main, key, kv } of this.changes) {
      if (main > revision) break;
      if (kv === undefined) live.delete(key);
      else live.set(key, kv);
    }
    return [...live.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** The reply, or the text of the error, which has changed nothing. */
  txn(request: m.TxnRequest): TxnReply | string {
    const branches = new Map<m.TxnRequest, boolean>();
    this.#decide(request, branches);
    const refusal = this.#refusal(request, branches);
    if (refusal !== undefined) return refusal;
    return this.#revision(() => ({ ...this.#txn(request, branches), revision: this.#seen }));
  }

  put(request: m.PutRequest): PutReply | string {
    return this.#putRefusal(request) ?? this.#revision(() => this.#put(request));
  }

  deleteRange(request: m.DeleteRangeRequest): DeleteReply {
    return this.#revision(() => this.#delete(request));
  }

  revoke(lease: bigint): void {
    this.#revision(() => {
      for (const kv of this.at(this.current)) if (kv.lease === lease) this.#change(kv.key, undefined);
    });
    this.leases.delete(lease);
  }

  #revision<T>(run: () => T): T {
    this.#main = this.current + 1;
    this.#hasChanged = false;
    const result = run();
    if (this.#hasChanged) this.current = this.#main;
    return result;
  }

  get #seen(): number {
    return this.#hasChanged ? this.#main : this.current;
  }

  #change(key: string, kv: ModelKeyValue | undefined): void {
    this.changes.push({ main: this.#main, key, kv });
    this.#hasChanged = true;
  }

  #select(key: Uint8Array, end: Uint8Array, revision: number): ModelKeyValue[] {
    const [from, to] = [textOf(key), textOf(end)];
    return this.at(revision).filter((kv) => {
      if (to === '') return kv.key === from;
      return kv.key >= from && (to === '\0' || kv.key < to);
    });
  }

  #decide(request: m.TxnRequest, branches: Map<m.TxnRequest, boolean>): void {
    const holds = request.compare.every((compare) => this.#holds(compare));
    branches.set(request, holds);
    for (const { request_txn } of holds ? request.success : request.failure) {
      if (request_txn !== undefined) this.#decide(request_txn, branches);
    }
  }

  #holds(compare: m.Compare): boolean {
    const found = this.#select(compare.key, compare.range_end, this.current);
    if (found.length === 0) return compare.target !== m.TARGET_VALUE && holdsFor(compare, NO_KEY);
    return found.every((kv) => holdsFor(compare, kv));
  }

  #refusal(request: m.TxnRequest, branches: ReadonlyMap<m.TxnRequest, boolean>): string | undefined {
    for (const op of branches.get(request) === true ? request.success : request.failure) {
      const revision = op.request_range?.revision ?? 0;
      if (revision > this.current) return 'etcdserver: mvcc: required revision is a future revision';
      if (revision !== 0 && revision < this.compacted) return 'etcdserver: mvcc: required revision has been compacted';
      const refusal =
        (op.request_put && this.#putRefusal(op.request_put)) ??
        (op.request_txn && this.#refusal(op.request_txn, branches));
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  }

  #putRefusal(request: m.PutRequest): string | undefined {
    if (request.lease !== 0n && !this.leases.has(request.lease)) return 'etcdserver: requested lease not found';
    const isKnown = this.#select(request.key, new Uint8Array(0), this.current).length > 0;
    return (request.ignore_value || request.ignore_lease) && !isKnown ? 'etcdserver: key not found' : undefined;
  }

  #txn(request: m.TxnRequest, branches: ReadonlyMap<m.TxnRequest, boolean>): TxnReply {
    const isSuccess = branches.get(request) === true;
    const replies = (isSuccess ? request.success : request.failure).map((op): Reply => {
      if (op.request_range !== undefined) return this.#range(op.request_range);
      if (op.request_put !== undefined) return this.#put(op.request_put);
      if (op.request_delete_range !== undefined) return this.#delete(op.request_delete_range);
      return this.#txn(op.request_txn ?? m.TxnRequest.create({}), branches);
    });
    return { revision: 0, isSuccess, replies };
  }

  #put(request: m.PutRequest): PutReply {
    const key = textOf(request.key);
    const old = this.at(this.#main).find((kv) => kv.key === key);
    this.#change(key, {
      key,
      value: request.ignore_value ? (old?.value ?? '') : textOf(request.value),
      create: old?.create ?? this.#main,
      mod: this.#main,
      version: (old?.version ?? 0) + 1,
      lease: request.ignore_lease ? (old?.lease ?? 0n) : request.lease,
    });
    return { revision: this.#main, previous: request.prev_kv ? old : undefined };
  }

  #delete(request: m.DeleteRangeRequest): DeleteReply {
    const found = this.#select(request.key, request.range_end, this.#main);
    for (const kv of found) this.#change(kv.key, undefined);
    return { revision: this.#seen, deleted: found.length, previous: request.prev_kv ? found : [] };
  }

  #range(request: m.RangeRequest): RangeReply {
    const all = this.#select(request.key, request.range_end, request.revision > 0 ? request.revision : this.#main);
    const reply = { revision: this.#seen, count: all.length };
    if (request.count_only) return { ...reply, kvs: [], more: false };
    const kept = all.filter(
      (kv) =>
        (request.min_mod_revision === 0 || kv.mod >= request.min_mod_revision) &&
        (request.max_mod_revision === 0 || kv.mod <= request.max_mod_revision) &&
        (request.min_create_revision === 0 || kv.create >= request.min_create_revision) &&
        (request.max_create_revision === 0 || kv.create <= request.max_create_revision),
    );
    const sign = request.sort_order === m.SORT_DESCEND ? -1 : 1;
    const place = [keyOf, versionOf, createOf, modOf, contentOf][request.sort_target];
    const limit = request.limit > 0 ? request.limit : kept.length;
    // Without an order etcd reads one key more than it was asked for, and sorts those.
    const hasFilters = [request.min_mod_revision, request.max_mod_revision].some((revision) => revision !== 0);
    const read = request.sort_order === m.SORT_NONE && !hasFilters ? kept.slice(0, limit + 1) : kept;
    const sorted = [...read].sort((a, b) => (place(a) === place(b) ? 0 : place(a) < place(b) ? -sign : sign));
    const withValue = request.sort_target === m.SORT_BY_VALUE;
    const kvs = sorted.slice(0, limit).map((kv) => {
      if (!request.keys_only) return kv;
      return { ...kv, value: '', lease: withValue ? kv.lease : 0n };
    });
    return { ...reply, kvs, more: kept.length > limit };
  }
}

const keyOf = (kv: ModelKeyValue): string => kv.key;
const versionOf = (kv: ModelKeyValue): number => kv.version;
const createOf = (kv: ModelKeyValue): number => kv.create;
const modOf = (kv: ModelKeyValue): number => kv.mod;
const contentOf = (kv: ModelKeyValue): string => kv.value;

function holdsFor(compare: m.Compare, kv: ModelKeyValue): boolean {
  const [actual, given] = sidesOf(compare, kv);
  if (compare.result === m.COMPARE_EQUAL) return actual === given;
  if (compare.result === m.COMPARE_NOT_EQUAL) return actual !== given;
  return compare.result === m.COMPARE_GREATER ? actual > given : actual < given;
}

function sidesOf(compare: m.Compare, kv: ModelKeyValue): [number, number] | [string, string] | [bigint, bigint] {
  if (compare.target === m.TARGET_VALUE) return [kv.value, textOf(compare.value ?? new Uint8Array(0))];
  if (compare.target === m.TARGET_LEASE) return [kv.lease, compare.lease ?? 0n];
  return NUMBERS[compare.target](kv, compare);
}
