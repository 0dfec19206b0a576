// Leases: who lives until when, and which keys go with it. A core: time comes in as an argument, and what expiry does
// to keys is the engine's.
//
// Renewal is O(1): it moves only the lease's `expiryMs`. The heap holds one entry a lease with a deadline that may be
// stale (early, never late); an entry that comes up before its lease's time is put back at the true one.
//
// etcd's rules (3.7, server/lease): the granted TTL is at least `minimumTtlSeconds`; ids are any non-zero int64; a key has
// at most one lease; after a restart every lease has its whole TTL again; expiry is late by up to a scan, never early.

import { assert } from '../base/assert.ts';
import { Heap } from '../base/heap.ts';
import { type AttachmentList, type AttachmentRows, Attachments } from './attachments.ts';
import { LeaseWalk } from './lease-walk.ts';

/** etcd's maximum, in seconds. */
export const TTL_SECONDS_MAX = 9_000_000_000;

export class Lease implements AttachmentList {
  readonly id: bigint;
  readonly slot: number;
  readonly ttlSeconds: number;
  /** Ascends from lease to lease. */
  readonly grantNumber: number;
  /** Monotonic milliseconds. */
  expiryMs: number;
  /** Its revoke is under way. */
  isExpiring = false;
  firstNode = 0;
  keyCount = 0;

  constructor(id: bigint, slot: number, ttlSeconds: number, grantNumber: number, expiryMs: number) {
    this.id = id;
    this.slot = slot;
    this.ttlSeconds = ttlSeconds;
    this.grantNumber = grantNumber;
    this.expiryMs = expiryMs;
  }
}

interface Deadline {
  readonly atMs: number;
  readonly lease: Lease;
}

export class Lessor {
  readonly #attachments: Attachments;
  readonly #byId = new Map<bigint, Lease>();
  readonly #bySlot: (Lease | undefined)[] = [];
  readonly #freeSlots: number[] = [];
  readonly #deadlines = new Heap<Deadline>((a, b) => a.atMs - b.atMs);
  readonly #minimumTtlSeconds: number;
  readonly #walks = new Set<LeaseWalk>();
  // For metrics.
  granted = 0;
  revoked = 0;
  renewed = 0;
  expired = 0;

  constructor(rows: AttachmentRows, minimumTtlSeconds: number) {
    this.#attachments = new Attachments(rows);
    this.#minimumTtlSeconds = minimumTtlSeconds;
  }

  get count(): number {
    return this.#byId.size;
  }

  find(id: bigint): Lease | undefined {
    return this.#byId.get(id);
  }

  /** The TTL in force for a request of `ttlSeconds`. */
  effectiveTtlSeconds(ttlSeconds: number): number {
    return Math.max(ttlSeconds, this.#minimumTtlSeconds);
  }

  /** `id` must be free and not 0, `ttlSeconds` effective. */
  grant(id: bigint, ttlSeconds: number, nowMs: number): Lease {
    assert(id !== 0n && !this.#byId.has(id), 'lease id is taken');
    const slot = this.#freeSlots.pop() ?? this.#bySlot.length;
    const lease = new Lease(id, slot, ttlSeconds, this.granted + 1, nowMs + ttlSeconds * 1000);
    this.#bySlot[slot] = lease;
    this.#byId.set(id, lease);
    this.#deadlines.push({ atMs: lease.expiryMs, lease });
    this.granted++;
    return lease;
  }

  renew(lease: Lease, nowMs: number): void {
    lease.expiryMs = nowMs + lease.ttlSeconds * 1000;
    this.renewed++;
  }

  /** Every lease has its whole TTL again, counted from now: after a restart. */
  renewAll(nowMs: number): void {
    for (const lease of this.#byId.values()) lease.expiryMs = nowMs + lease.ttlSeconds * 1000;
  }

  /** Forgets a lease without keys. */
  remove(lease: Lease): void {
    assert(lease.keyCount === 0, 'lease still has keys');
    this.#byId.delete(lease.id);
    this.#bySlot[lease.slot] = undefined;
    this.#freeSlots.push(lease.slot);
    this.revoked++;
    for (const walk of this.#walks) walk.removed(lease);
  }

  /** The row hangs on `lease` from now on and on no other; undefined takes it off. */
  attach(row: number, lease: Lease | undefined): void {
    const slot = this.#attachments.slotOf(row);
    if (slot >= 0) {
      if (lease !== undefined && lease.slot === slot) return;
      const old = this.#bySlot[slot];
      assert(old !== undefined, 'attached to a lease that is gone');
      this.#attachments.detach(row, old);
    }
    if (lease !== undefined) this.#attachments.attach(row, lease);
  }

  rows(lease: Lease): number[] {
    return this.#attachments.rows(lease);
  }

  /** Up to `countMax` leases whose time is over; each is given once (isExpiring) until `postpone`. */
  takeExpired(nowMs: number, countMax: number): Lease[] {
    const expired: Lease[] = [];
    while (expired.length < countMax) {
      const first = this.#deadlines.peek();
      if (first === undefined || first.atMs > nowMs) break;
      this.#deadlines.pop();
      const { lease } = first;
      if (this.#byId.get(lease.id) !== lease || lease.isExpiring) continue;
      if (lease.expiryMs > nowMs) {
        this.#deadlines.push({ atMs: lease.expiryMs, lease });
        continue;
      }
      lease.isExpiring = true;
      this.expired++;
      expired.push(lease);
    }
    return expired;
  }

  /** Begins a list of the leases that there are now, however they change while it is made. */
  walk(): LeaseWalk {
    const walk = new LeaseWalk(this.#bySlot, this.granted, (ended) => this.#walks.delete(ended));
    this.#walks.add(walk);
    return walk;
  }

  /** All leases by expiry. */
  list(): Lease[] {
    return [...this.#byId.values()].sort((a, b) => a.expiryMs - b.expiryMs);
  }
}
