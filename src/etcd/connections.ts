// The connections of a server: accepted, told apart by protocol, and flushed together.
//
//   listener ─► Acceptor ─┬─► HTTP/2: ServerConnection with its Driver ─► registry
//                         └─► HTTP/1.1 ─► http                                  replies make it dirty ─► flush()
//
// Replies of one turn leave in one write a connection: who replies marks the connection as dirty, and `flush` is called by whoever has
// ended a turn (a batch became durable, sliced work paused, a tick), or by itself at the end of the turn. What is replied at once, while a
// connection takes what came, leaves with what its driver sends then.

import { Deadlines } from '../grpc/deadlines.ts';
import { MessageMemory } from '../grpc/message-memory.ts';
import type { Registry } from '../grpc/registry.ts';
import { ServerConnection } from '../grpc/server-connection.ts';
import { type ConnectionOptions, ConnectionStats } from '../h2/connection-options.ts';
import type { Driver } from '../h2/driver.ts';
import { DriverSet } from '../h2/driver-set.ts';
import { type Clock, within } from '../io/clock.ts';
import { Http1 } from '../io/http1.ts';
import type { ByteStream, Listener, ListenOptions, Network } from '../io/network.ts';
import { Acceptor } from './acceptor.ts';
import type { HttpService } from './http-service.ts';

export interface ConnectionsOptions {
  readonly network: Network;
  readonly clock: Clock;
  readonly h2: ConnectionOptions;
  readonly registry: Registry;
  readonly http: Pick<HttpService, 'handle'>;
  readonly messageBytesMax: number;
  readonly onBug: (error: unknown) => void;
}

export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #deadlines = new Deadlines();
  readonly #memory = new MessageMemory();
  readonly #drivers: DriverSet;
  readonly #http1: Http1;
  readonly #listeners: Listener[] = [];
  readonly #driverOf = new Map<ServerConnection, Driver>();
  readonly #dirty: ServerConnection[] = [];
  /** Of those that are closed. */
  readonly #closedStats = new ConnectionStats();
  #silent = 0;
  #isFlushScheduled = false;
  #isFlushExpected = false;
  #isClosing = false;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    this.#drivers = new DriverSet(options.clock);
    this.#http1 = new Http1(options.clock, (request, reply) => options.http.handle(request, reply));
  }

  /** The ports in use, in the order of `listen`. */
  get ports(): number[] {
    return this.#listeners.map(({ port }) => port);
  }

  /** Of HTTP/2. */
  get count(): number {
    return this.#drivers.count;
  }

  /** Of all there have been. */
  get stats(): ConnectionStats {
    const sum = new ConnectionStats();
    addStats(sum, this.#closedStats);
    for (const connection of this.#driverOf.keys()) addStats(sum, connection.h2.stats);
    return sum;
  }

  /** Connections dropped before it was known what they speak, and those of HTTP/1.1, because time was up. */
  get timeouts(): { readonly silent: number; readonly http1: number } {
    return { silent: this.#silent, http1: this.#http1.timeouts };
  }

  /** Those of HTTP/1.1 dropped because of what came. */
  get http1Refusals(): number {
    return this.#http1.refusals;
  }

  /** `isHttpOnly`: gRPC is not served there. Rejects with the network's error. */
  async listen(addresses: readonly ListenOptions[], isHttpOnly: boolean): Promise<void> {
    const { network, clock } = this.#options;
    const http1 = (stream: ByteStream): ReturnType<Http1['accept']> => this.#http1.accept(stream);
    const http2 = isHttpOnly ? http1 : (stream: ByteStream): Driver => this.#serveHttp2(stream);
    const onSilent = (): void => {
      this.#silent++;
    };
    for (const address of addresses) {
      const protocols = { http2, http1, onSilent };
      const listener = await network.listen(address, (stream) => new Acceptor(stream, protocols, clock));
      this.#listeners.push(listener);
    }
  }

  /** No new ones are accepted, and those that come all the same are told to go; calls go on. */
  async stopListening(): Promise<void> {
    this.#isClosing = true;
    await Promise.all(this.#listeners.map((listener) => listener.close()));
  }

  /** Lets open calls end for so long, and drops the rest. */
  async close(timeMsMax: number): Promise<void> {
    this.flush();
    await within(this.#options.clock, timeMsMax, this.#drivers.shutdown());
    this.#drivers.destroy();
    this.#http1.close();
  }

  /** Ends calls whose deadline has passed. */
  tick(nowMs: number): void {
    this.#deadlines.tick(nowMs, (call) => call.connection.expire(call));
  }

  /** The caller will flush in this turn: nobody else needs to. */
  expectFlush(): void {
    this.#isFlushExpected = true;
  }

  /** Sends what was replied. */
  flush(): void {
    this.#isFlushExpected = false;
    for (let i = 0; i < this.#dirty.length; i++) {
      const connection = this.#dirty[i];
      connection.flushed();
      this.#driverOf.get(connection)?.flush();
    }
    this.#dirty.length = 0;
  }

  #serveHttp2(stream: ByteStream): Driver {
    const { clock, h2, registry, http, messageBytesMax, onBug } = this.#options;
    const connection = new ServerConnection({
      h2,
      registry,
      deadlines: this.#deadlines,
      memory: this.#memory,
      http: (request, reply) => http.handle(request, reply),
      messageBytesMax,
      nowMs: () => clock.nowMs(),
      onBug,
      onDirty: (dirty) => {
        this.#dirty.push(dirty);
        if (!this.#isFlushExpected) this.#scheduleFlush();
      },
    });
    const driver = this.#drivers.add(connection.h2, stream, () => {
      addStats(this.#closedStats, connection.h2.stats);
      this.#driverOf.delete(connection);
    });
    this.#driverOf.set(connection, driver);
    if (this.#isClosing) connection.h2.shutdown();
    driver.flush();
    return driver;
  }

  #scheduleFlush(): void {
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    this.#options.clock.defer(() => {
      this.#isFlushScheduled = false;
      this.flush();
    });
  }
}

/** Of an object all of whose properties are counters. */
function addStats<Name extends string>(sum: Record<Name, number>, stats: Readonly<Record<Name, number>>): void {
  for (const name in stats) sum[name] += stats[name];
}
