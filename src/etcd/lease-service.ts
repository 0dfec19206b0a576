// etcdserverpb.Lease: grant, revoke, keep-alive, time to live, list; and the expiry of leases.
//
// Nobody is told of a lease before its grant is durable, nor of its end before the revocation is: a crash could take back what was
// said. Until then an answer about this lease waits; those about others go on.

import { leaseNotFound } from '../api/errors.ts';
import {
  type LeaseGrantRequest,
  LeaseIdRequest,
  type LeaseTimeToLiveResponse,
  type ResponseHeader,
} from '../api/messages.ts';
import * as methods from '../api/methods.ts';
import type { CallListener, Registry } from '../grpc/registry.ts';
import type { ServerCall } from '../grpc/server-call.ts';
import type { Lease } from '../lease/lessor.ts';
import { encode, registerCold, wholeOf } from './cold-unary.ts';
import type { Committer } from './committer.ts';
import type { Engine } from './engine.ts';

/** Leases revoked in one turn. */
const EXPIRIES_PER_TURN_MAX = 64;

export interface LeaseServiceOptions {
  readonly engine: Engine;
  readonly committer: Committer;
  readonly nowMs: () => number;
  /** The log would not take a revocation now. */
  readonly isHeldBack: () => boolean;
  /** 64 random bits. */
  readonly randomId: () => bigint;
}

export class LeaseService {
  readonly #engine: Engine;
  readonly #committer: Committer;
  readonly #nowMs: () => number;
  readonly #randomId: () => bigint;
  readonly #isHeldBack: () => boolean;
  /** Leases whose grant is not durable yet. */
  readonly #unseen = new Set<Lease>();
  /** Leases that are gone, and whose revocation is not durable yet; by id. */
  readonly #leaving = new Map<bigint, Lease>();

  constructor(options: LeaseServiceOptions) {
    this.#engine = options.engine;
    this.#committer = options.committer;
    this.#nowMs = options.nowMs;
    this.#randomId = options.randomId;
    this.#isHeldBack = options.isHeldBack;
  }

  register(registry: Registry): void {
    const { lessor } = this.#engine;
    registerCold(registry, methods.leaseGrant, (request, call) => {
      this.#committer.admit();
      this.#committer.attempt(call, () => this.#grant(request, call));
      return undefined;
    });
    registerCold(registry, methods.leaseRevoke, (request, call) => {
      this.#committer.admit();
      this.#committer.attempt(call, () => {
        this.#revoke(request.ID);
        this.#committer.whenVisible(() => {
          call.reply(...wholeOf(encode(methods.leaseRevoke, { header: this.#header() })));
        });
      });
      return undefined;
    });
    registerCold(registry, methods.leaseTimeToLive, (request, call) => {
      const lease = lessor.find(request.ID);
      // Keys come and go with changes that may not be durable.
      const keys = lease !== undefined && request.keys ? this.#engine.leaseKeys(lease) : [];
      const answer = (): Partial<LeaseTimeToLiveResponse> => this.#timeToLive(request.ID, lease, keys);
      if (!request.keys && !this.#isInDoubt(request.ID)) return answer();
      this.#committer.whenVisible(() => call.reply(...wholeOf(encode(methods.leaseTimeToLive, answer()))));
      return undefined;
    });
    registerCold(registry, methods.leaseLeases, () => {
      const seen = lessor.list().filter((lease) => !this.#unseen.has(lease));
      const leases = [...this.#leaving.values(), ...seen];
      return { header: this.#header(), leases: leases.map(({ id }) => ({ ID: id })) };
    });
    registry.stream(methods.leaseKeepAlive, (call) => this.#keepAlive(call));
  }

  /** Revokes what has expired; true when more may be left. Leases stay while the disk cannot keep up, does not answer or is full. */
  expire(): boolean {
    if (this.#committer.isOverloaded || this.#isHeldBack()) return false;
    const expired = this.#engine.lessor.takeExpired(this.#nowMs(), EXPIRIES_PER_TURN_MAX);
    for (const lease of expired) this.#revoke(lease.id);
    return expired.length === EXPIRIES_PER_TURN_MAX;
  }

  #grant({ ID, TTL }: LeaseGrantRequest, call: ServerCall): void {
    const lease = this.#engine.grantLease(ID === 0n ? this.#freeId() : ID, TTL, this.#nowMs());
    this.#unseen.add(lease);
    this.#committer.whenVisible(() => {
      this.#unseen.delete(lease);
      const response = { header: this.#header(), ID: lease.id, TTL: lease.ttlSeconds };
      call.reply(...wholeOf(encode(methods.leaseGrant, response)));
    });
  }

  /** Throws StatusError. */
  #revoke(id: bigint): void {
    const lease = this.#engine.lessor.find(id);
    this.#engine.revokeLease(id);
    // Of one whose grant is not durable either, nobody has been told.
    if (lease === undefined || this.#unseen.has(lease)) return;
    this.#leaving.set(id, lease);
    this.#committer.whenVisible(() => {
      if (this.#leaving.get(id) === lease) this.#leaving.delete(id);
    });
  }

  /** Whether a crash could take back that the lease is there, or that it is not. */
  #isInDoubt(id: bigint): boolean {
    const lease = this.#engine.lessor.find(id);
    return lease === undefined ? this.#leaving.has(id) : this.#unseen.has(lease);
  }

  #timeToLive(ID: bigint, lease: Lease | undefined, keys: Uint8Array[]): Partial<LeaseTimeToLiveResponse> {
    const header = this.#header();
    if (lease === undefined) return { header, ID, TTL: -1 };
    const TTL = Math.trunc((lease.expiryMs - this.#nowMs()) / 1000);
    return { header, ID, TTL, grantedTTL: lease.ttlSeconds, keys };
  }

  #keepAlive(call: ServerCall): CallListener {
    let waiting = 0;
    let isHalfClosed = false;
    const answer = (ID: bigint): void => {
      if (this.#isInDoubt(ID)) {
        waiting++;
        this.#committer.whenVisible(() => {
          waiting--;
          answer(ID);
          if (waiting === 0 && isHalfClosed) call.end();
        });
        return;
      }
      const lease = this.#engine.lessor.find(ID);
      const ttl = lease === undefined ? 0 : this.#renew(lease);
      const message = encode(methods.leaseKeepAlive, { header: this.#header(), ID, TTL: ttl });
      call.send(message, 0, message.length);
    };
    return {
      onMessage: (buffer, start, end) => {
        answer(LeaseIdRequest.decode(buffer, start, end).ID);
      },
      onHalfClose: () => {
        isHalfClosed = true;
        if (waiting === 0) call.end();
      },
      onDrain: () => {},
      onCancel: () => {},
    };
  }

  /** The TTL in force after a renewal; 0 when the lease's time is over. */
  #renew(lease: Lease): number {
    if (lease.isExpiring || lease.expiryMs <= this.#nowMs()) return 0;
    this.#engine.lessor.renew(lease, this.#nowMs());
    return lease.ttlSeconds;
  }

  /** A positive 63-bit id that nobody has. */
  #freeId(): bigint {
    for (let tries = 0; tries < 16; tries++) {
      const id = this.#randomId() & 0x7fff_ffff_ffff_ffffn;
      if (id !== 0n && this.#engine.lessor.find(id) === undefined) return id;
    }
    throw leaseNotFound();
  }

  #header(): ResponseHeader {
    return headerOf(this.#engine);
  }
}

/** A header at the visible revision. */
export function headerOf(engine: Engine): ResponseHeader {
  const { clusterId, memberId, raftTerm } = engine.identity;
  return { cluster_id: clusterId, member_id: memberId, revision: engine.visibleRevision, raft_term: raftTerm };
}
