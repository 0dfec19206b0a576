// A connection to one of several endpoints, made again when it is lost.
//
//   idle ──acquire──► connecting ──SETTINGS──► ready ──lost──► idle
//                         └──────failed──► waiting ──(backoff)──► idle
//
// One connection is in use at a time; after a failure the next endpoint is tried. While waiting, an acquire fails at
// once with UNAVAILABLE (gRPC's "fail fast"), and whoever may repeat its call does so later. Calls in flight on a
// connection that the server leaves (GOAWAY) finish there.

import { StatusError as Status, type StatusError, UNAVAILABLE } from '../api/errors.ts';
import type { ConnectionOptions } from '../h2/connection-options.ts';
import { DriverSet } from '../h2/driver-set.ts';
import type { Clock, Timer } from '../io/clock.ts';
import type { Network } from '../io/network.ts';
import { ClientConnection } from './client-connection.ts';
import type { Endpoint } from './endpoint.ts';
import { connectionError } from './outcome.ts';

const CONNECT_TIMEOUT_MS = 20_000;
const BACKOFF_MS_MIN = 100;
const BACKOFF_MS_MAX = 5_000;
const BACKOFF_FACTOR = 1.6;
const BACKOFF_JITTER = 0.2;

export interface ChannelOptions {
  readonly network: Network;
  readonly clock: Clock;
  readonly endpoints: readonly Endpoint[];
  readonly h2: ConnectionOptions;
  /** From 0 up to, not including, 1; for the jitter of waits. */
  readonly random: () => number;
}

export interface Waiter {
  onConnection(connection: ClientConnection): void;
  onFailure(error: StatusError): void;
}

type State = 'idle' | 'connecting' | 'ready' | 'waiting' | 'closed';

export class Channel {
  readonly #options: ChannelOptions;
  readonly #drivers: DriverSet;
  #state: State = 'idle';
  #connection: ClientConnection | null = null;
  #endpointIndex = 0;
  #failures = 0;
  #lastError: StatusError = connectionError('not connected');
  #timer: Timer | null = null;
  readonly #waiters = new Set<Waiter>();

  constructor(options: ChannelOptions) {
    if (options.endpoints.length === 0) throw new RangeError('no endpoint is given');
    this.#options = options;
    this.#drivers = new DriverSet(options.clock);
  }

  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  /** Calls one of the waiter's functions once: now, or when connecting has ended. */
  acquire(waiter: Waiter): void {
    if (this.#state === 'idle') this.#connect();
    const connection = this.#connection;
    if (this.#state === 'ready' && connection !== null) {
      if (connection.canCall) waiter.onConnection(connection);
      else waiter.onFailure(new Status(UNAVAILABLE, 'the connection has as many streams as the server allows'));
    } else if (this.#state === 'connecting') this.#waiters.add(waiter);
    else waiter.onFailure(this.#lastError);
  }

  /** The waiter will not be called. */
  abandon(waiter: Waiter): void {
    this.#waiters.delete(waiter);
  }

  /** Drops the connection: open calls end with UNAVAILABLE. */
  close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#timer?.cancel();
    this.#lastError = connectionError('the client is closed');
    this.#connection = null;
    this.#drivers.destroy();
    this.#failWaiters();
  }

  #connect(): void {
    const { network, clock, endpoints, h2 } = this.#options;
    const endpoint = endpoints[this.#endpointIndex % endpoints.length];
    this.#state = 'connecting';
    const connection: ClientConnection = new ClientConnection({
      h2,
      authority: endpoint.authority,
      defer: (callback) => clock.defer(callback),
      onReady: () => this.#ready(connection),
      onUnusable: (reason) => this.#lost(connection, reason),
    });
    this.#connection = connection;
    const transport = network.connect({ host: endpoint.host, port: endpoint.port });
    const driver = this.#drivers.add(connection.h2, transport);
    connection.setFlush(() => driver.flush());
    this.#timer = clock.setTimer(CONNECT_TIMEOUT_MS, () => transport.destroy());
    driver.start();
  }

  #ready(connection: ClientConnection): void {
    if (this.#connection !== connection) return;
    this.#timer?.cancel();
    this.#state = 'ready';
    this.#failures = 0;
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const waiter of waiters) {
      if (connection.canCall) waiter.onConnection(connection);
      else this.acquire(waiter);
    }
  }

  #lost(connection: ClientConnection, reason: string): void {
    if (this.#connection !== connection) return;
    this.#connection = null;
    this.#timer?.cancel();
    this.#endpointIndex++;
    this.#lastError = connectionError(reason);
    if (this.#state === 'ready') {
      this.#state = 'idle';
      return;
    }
    this.#state = 'waiting';
    this.#timer = this.#options.clock.setTimer(this.#backoffMs(), () => {
      if (this.#state === 'waiting') this.#state = 'idle';
    });
    this.#failWaiters();
  }

  #failWaiters(): void {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const waiter of waiters) waiter.onFailure(this.#lastError);
  }

  #backoffMs(): number {
    const ms = Math.min(BACKOFF_MS_MIN * BACKOFF_FACTOR ** this.#failures++, BACKOFF_MS_MAX);
    return ms * (1 + BACKOFF_JITTER * (2 * this.#options.random() - 1));
  }
}
