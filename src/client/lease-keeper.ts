// Keeps leases alive over one stream: each is refreshed when a third of its TTL has passed, and the stream is opened
// again when it breaks. A lease is lost when the server says so (TTL 0), or when its TTL passed without an answer.

import { type StatusError, UNAVAILABLE } from '../api/errors.ts';
import { LeaseIdRequest, type LeaseKeepAliveResponse } from '../api/messages.ts';
import * as methods from '../api/methods.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import type { Clock, Timer } from '../io/clock.ts';
import type { Channel, Waiter } from './channel.ts';
import type { CallListener, ClientCall } from './client-call.ts';
import type { ClientConnection } from './client-connection.ts';

const TICK_MS = 500;
const REFRESHES_PER_TTL = 3;

export interface LeaseListener {
  /** The server has prolonged the lease by `ttlSeconds` from now. */
  onKept?(ttlSeconds: number): void;
  /** The lease is gone, or must be taken as gone. Not after stop. */
  onLost(): void;
}

interface KeptLease {
  readonly id: bigint;
  readonly listener: LeaseListener;
  expiryMs: number;
  refreshMs: number;
}

export class LeaseKeeper implements Waiter, CallListener {
  readonly #channel: Channel;
  readonly #clock: Clock;
  readonly #leases = new Map<bigint, KeptLease>();
  #call: ClientCall | undefined;
  #isOpening = false;
  #timer: Timer | undefined;

  constructor(channel: Channel, clock: Clock) {
    this.#channel = channel;
    this.#clock = clock;
  }

  /** `ttlSeconds` is the lease's as granted. A lease that is kept already gets the new listener. */
  keep(id: bigint, ttlSeconds: number, listener: LeaseListener): void {
    const nowMs = this.#clock.nowMs();
    this.#leases.set(id, { id, listener, expiryMs: nowMs + ttlSeconds * 1000, refreshMs: nowMs });
    this.#tick();
  }

  /** Lets the lease run out by itself. */
  stop(id: bigint): void {
    this.#leases.delete(id);
    if (this.#leases.size === 0) this.close();
  }

  close(): void {
    this.#leases.clear();
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#channel.abandon(this);
    this.#isOpening = false;
    this.#call?.cancel();
    this.#call = undefined;
  }

  onConnection(connection: ClientConnection): void {
    this.#isOpening = false;
    const { path } = methods.leaseKeepAlive;
    const call = connection.stream({ path, extra: null, listener: this, isAutoConsumed: true });
    if (call === null) return;
    this.#call = call;
    for (const lease of this.#leases.values()) lease.refreshMs = this.#clock.nowMs();
    this.#tick();
  }

  onFailure(_error: StatusError): void {
    // The next tick tries again.
    this.#isOpening = false;
  }

  onMessage(buffer: Uint8Array, start: number, end: number): void {
    this.#answered(methods.leaseKeepAlive.response.decode(buffer, start, end));
  }

  onEnd(error: StatusError | undefined): void {
    this.#call = undefined;
    const code = error?.code ?? UNAVAILABLE;
    if (code !== UNAVAILABLE) for (const lease of [...this.#leases.values()]) this.#lose(lease);
  }

  #answered(response: LeaseKeepAliveResponse): void {
    const lease = this.#leases.get(response.ID);
    if (lease === undefined) return;
    if (response.TTL <= 0) {
      this.#lose(lease);
      return;
    }
    const ttlMs = response.TTL * 1000;
    const nowMs = this.#clock.nowMs();
    lease.expiryMs = nowMs + ttlMs;
    lease.refreshMs = nowMs + ttlMs / REFRESHES_PER_TTL;
    lease.listener.onKept?.(response.TTL);
  }

  #lose(lease: KeptLease): void {
    if (this.#leases.get(lease.id) !== lease) return;
    this.stop(lease.id);
    lease.listener.onLost();
  }

  #tick(): void {
    const nowMs = this.#clock.nowMs();
    for (const lease of [...this.#leases.values()]) {
      if (nowMs >= lease.expiryMs) this.#lose(lease);
      else if (nowMs >= lease.refreshMs) this.#refresh(lease, nowMs);
    }
    if (this.#leases.size === 0 || this.#timer !== undefined) return;
    this.#timer = this.#clock.setTimer(TICK_MS, () => {
      this.#timer = undefined;
      this.#tick();
    });
  }

  #refresh(lease: KeptLease, nowMs: number): void {
    if (this.#call === undefined) {
      if (this.#isOpening) return;
      this.#isOpening = true;
      this.#channel.acquire(this);
      return;
    }
    const writer = new ByteWriter(16);
    LeaseIdRequest.encode({ ID: lease.id }, writer);
    this.#call.send(writer.copy(), 0, writer.position);
    // Asked again, should no answer come, after as long as between two refreshes.
    lease.refreshMs = nowMs + Math.max(TICK_MS, (lease.expiryMs - nowMs) / REFRESHES_PER_TTL);
  }
}
