// etcdserverpb.Lease: grant, revoke, keep-alive, time to live, list; and the expiry of leases.
//
// Nobody is told of a lease before its grant is durable: a crash could take back what was said.

import { leaseNotFound } from '../api/errors.ts';
import {
  LeaseIdRequest,
  type LeaseTimeToLiveRequest,
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
      const lease = this.#engine.grantLease(
        request.ID === 0n ? this.#freeId() : request.ID,
        request.TTL,
        this.#nowMs(),
      );
      const response = { ID: lease.id, TTL: lease.ttlSeconds };
      this.#unseen.add(lease);
      this.#committer.whenVisible(() => {
        this.#unseen.delete(lease);
        call.reply(...wholeOf(encode(methods.leaseGrant, { header: this.#header(), ...response })));
      });
      return undefined;
    });
    registerCold(registry, methods.leaseRevoke, (request, call) => {
      this.#committer.admit();
      this.#engine.revokeLease(request.ID);
      this.#committer.whenVisible(() => {
        call.reply(...wholeOf(encode(methods.leaseRevoke, { header: this.#header() })));
      });
      return undefined;
    });
    registerCold(registry, methods.leaseTimeToLive, (request, call) => {
      const lease = lessor.find(request.ID);
      if (lease === undefined || !this.#unseen.has(lease)) return this.#timeToLive(request, lease);
      this.#committer.whenVisible(() => {
        call.reply(...wholeOf(encode(methods.leaseTimeToLive, this.#timeToLive(request, lease))));
      });
      return undefined;
    });
    registerCold(registry, methods.leaseLeases, () => {
      const leases = lessor.list().filter((lease) => !this.#unseen.has(lease));
      return { header: this.#header(), leases: leases.map(({ id }) => ({ ID: id })) };
    });
    registry.stream(methods.leaseKeepAlive, (call) => this.#keepAlive(call));
  }

  /** Revokes what has expired; true when more may be left. Leases stay while the disk cannot keep up, does not answer or is full. */
  expire(): boolean {
    if (this.#committer.isOverloaded || this.#isHeldBack()) return false;
    const expired = this.#engine.lessor.takeExpired(this.#nowMs(), EXPIRIES_PER_TURN_MAX);
    for (const lease of expired) this.#engine.revokeLease(lease.id);
    return expired.length === EXPIRIES_PER_TURN_MAX;
  }

  #timeToLive({ ID, keys }: LeaseTimeToLiveRequest, lease: Lease | undefined): Partial<LeaseTimeToLiveResponse> {
    const header = this.#header();
    if (lease === undefined) return { header, ID, TTL: -1 };
    return {
      header,
      ID,
      TTL: Math.trunc((lease.expiryMs - this.#nowMs()) / 1000),
      grantedTTL: lease.ttlSeconds,
      keys: keys ? this.#engine.leaseKeys(lease) : [],
    };
  }

  #keepAlive(call: ServerCall): CallListener {
    let waiting = 0;
    let isHalfClosed = false;
    const answer = (ID: bigint): void => {
      const lease = this.#engine.lessor.find(ID);
      const ttl = lease === undefined ? 0 : this.#renew(lease);
      const message = encode(methods.leaseKeepAlive, { header: this.#header(), ID, TTL: ttl });
      call.send(message, 0, message.length);
    };
    return {
      onMessage: (buffer, start, end) => {
        const { ID } = LeaseIdRequest.decode(buffer, start, end);
        const lease = this.#engine.lessor.find(ID);
        if (lease === undefined || !this.#unseen.has(lease)) {
          answer(ID);
          return;
        }
        waiting++;
        this.#committer.whenVisible(() => {
          answer(ID);
          if (--waiting === 0 && isHalfClosed) call.end();
        });
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
