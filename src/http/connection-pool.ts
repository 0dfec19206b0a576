// The connections of a client to its server: requests go to the first that can take one, further connections are made when none can.
//
//   enqueue ─► a connection with a free stream ─► sent
//         └──► waiting, and one connection at a time is being made ─► (dialled, SETTINGS) ─► waiting requests are sent
//
// The first is filled first, so that requests of one turn leave in one write. A connection that cannot be made fails all that wait, unless others
// stand: then they wait for those, and the next attempt is RETRY_MS later. A connection that the server leaves or that is lost takes no more
// requests; those under way on it end with it or are told.
//
// Limits, with what happens there: `connectionsMax` (requests wait), `waitingMax` (`connect`: one too many), `connectMsMax` for one connection
// (`connect`). A request has the time that its sender gives it.

import type { ConnectionOptions } from '../h2/connection-options.ts';
import { DriverSet } from '../h2/driver-set.ts';
import { NO_ERROR } from '../h2/error-code.ts';
import type { Clock, Timer } from '../io/clock.ts';
import type { Dialer, Dialing } from '../io/dialer.ts';
import { HttpError } from '../io/http-client.ts';
import type { ByteStream } from '../io/network.ts';
import { Http2Connection } from './http2-connection.ts';
import type { Http2Request, RequestQueue } from './http2-request.ts';

const RETRY_MS = 1_000;
const HTTP2 = 'h2';
const CLOSED_TEXT = 'the client is closed';

export interface PoolOptions {
  readonly dialer: Dialer;
  readonly clock: Clock;
  readonly h2: ConnectionOptions;
  readonly connectionsMax: number;
  readonly waitingMax: number;
  /** For a connection to stand and its server to have said what it allows. */
  readonly connectMsMax: number;
}

/** The server speaks, but not HTTP/2. */
export class NoHttp2Error extends HttpError {
  constructor(protocol: string) {
    super('connect', `the server offers no HTTP/2${protocol === '' ? '' : ` but ${protocol}`}`);
  }
}

/** A connection that is being made. */
class Attempt {
  dialing: Dialing | undefined;
  stream: ByteStream | undefined;
  connection: Http2Connection | undefined;
  timer: Timer | undefined;
}

export class ConnectionPool implements RequestQueue {
  readonly #options: PoolOptions;
  readonly #drivers: DriverSet;
  #connections: Http2Connection[] = [];
  readonly #waiting = new Set<Http2Request>();
  #attempt: Attempt | undefined;
  #retry: Timer | undefined;
  #isDrainDue = false;
  #isClosed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#drivers = new DriverSet(options.clock);
  }

  get connectionCount(): number {
    return this.#connections.length;
  }

  enqueue(request: Http2Request): void {
    if (this.#isClosed) {
      request.fail(new HttpError('connect', CLOSED_TEXT));
      return;
    }
    const connection = this.#waiting.size === 0 ? this.#free() : undefined;
    if (connection !== undefined) request.sendOn(connection);
    else if (this.#waiting.size >= this.#options.waitingMax) {
      request.fail(new HttpError('connect', `${this.#options.waitingMax} requests wait for a connection already`));
    } else {
      this.#waiting.add(request);
      if (this.#free() === undefined) this.#dial();
      else this.#drainLater();
    }
  }

  enqueueAgain(request: Http2Request): void {
    if (this.#isClosed) {
      request.fail(new HttpError('connect', CLOSED_TEXT));
      return;
    }
    this.#waiting.add(request);
    this.#drainLater();
  }

  withdraw(request: Http2Request): void {
    this.#waiting.delete(request);
  }

  /** Connections of now take no new requests; nothing that waits is lost. */
  renew(): void {
    const retired = this.#connections;
    this.#connections = [];
    for (const connection of retired) connection.retire();
    const attempt = this.#attempt;
    if (attempt === undefined) return;
    this.#abandon(attempt);
    this.#dial();
  }

  close(): void {
    this.#isClosed = true;
    this.#retry?.cancel();
    if (this.#attempt !== undefined) this.#abandon(this.#attempt);
    this.#failWaiting(new HttpError('connect', CLOSED_TEXT));
    for (const driver of this.#drivers.drivers) {
      driver.connection.goaway(NO_ERROR, CLOSED_TEXT);
      driver.flush();
    }
    this.#drivers.destroy();
  }

  #free(): Http2Connection | undefined {
    for (const connection of this.#connections) if (connection.canSend) return connection;
    return undefined;
  }

  #drain(): void {
    for (const request of this.#waiting) {
      const connection = this.#free();
      if (connection === undefined) {
        this.#dial();
        return;
      }
      this.#waiting.delete(request);
      request.sendOn(connection);
    }
  }

  /** Streams end within the core's calls, which open none: later. */
  #drainLater(): void {
    if (this.#isDrainDue || this.#waiting.size === 0) return;
    this.#isDrainDue = true;
    this.#options.clock.defer(() => {
      this.#isDrainDue = false;
      this.#drain();
    });
  }

  #dial(): void {
    const { dialer, clock, connectionsMax, connectMsMax } = this.#options;
    const isPossible = this.#attempt === undefined && this.#retry === undefined && !this.#isClosed;
    if (!isPossible || this.#waiting.size === 0 || this.#connections.length >= connectionsMax) return;
    const attempt = new Attempt();
    this.#attempt = attempt;
    attempt.timer = clock.setTimer(connectMsMax, () => {
      this.#abandon(attempt);
      this.#failed(new HttpError('connect', `no connection within ${connectMsMax} ms`));
    });
    attempt.dialing = dialer.dial({
      onOpen: (stream, protocol) => this.#opened(attempt, stream, protocol),
      onFailure: (error) => this.#lostAttempt(attempt, new HttpError('connect', error.message)),
    });
  }

  #opened(attempt: Attempt, stream: ByteStream, protocol: string): void {
    attempt.stream = stream;
    if (protocol !== HTTP2) {
      stream.destroy();
      this.#lostAttempt(attempt, new NoHttp2Error(protocol));
      return;
    }
    const { h2, clock } = this.#options;
    const connection: Http2Connection = new Http2Connection({
      h2,
      defer: (callback) => clock.defer(callback),
      onReady: () => this.#ready(attempt, connection),
      onRoom: () => this.#drainLater(),
      onUnusable: (reason) => this.#unusable(attempt, connection, reason),
    });
    attempt.connection = connection;
    const driver = this.#drivers.add(connection.h2, stream);
    connection.setFlush(() => driver.flush());
    driver.start();
  }

  #ready(attempt: Attempt, connection: Http2Connection): void {
    if (this.#attempt !== attempt) return;
    this.#attempt = undefined;
    attempt.timer?.cancel();
    this.#connections.push(connection);
    this.#drain();
  }

  #unusable(attempt: Attempt, connection: Http2Connection, reason: string): void {
    this.#connections = this.#connections.filter((other) => other !== connection);
    this.#lostAttempt(attempt, new HttpError('connect', reason));
    this.#drainLater();
  }

  #lostAttempt(attempt: Attempt, error: HttpError): void {
    if (this.#attempt !== attempt) return;
    this.#attempt = undefined;
    attempt.timer?.cancel();
    this.#failed(error);
  }

  #failed(error: HttpError): void {
    if (this.#connections.length === 0) {
      this.#failWaiting(error);
      return;
    }
    this.#retry = this.#options.clock.setTimer(RETRY_MS, () => {
      this.#retry = undefined;
      this.#drain();
    });
  }

  #abandon(attempt: Attempt): void {
    this.#attempt = undefined;
    attempt.timer?.cancel();
    attempt.dialing?.cancel();
    attempt.stream?.destroy();
  }

  #failWaiting(error: HttpError): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const request of waiting) request.fail(error);
  }
}
