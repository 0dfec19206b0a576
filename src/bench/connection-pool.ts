// The load generator's connections to one endpoint, made again a moment after they are lost or used up, while it runs.

import type { Endpoint } from '../client/endpoint.ts';
import { CLIENT_H2_OPTIONS, type ConnectionOptions } from '../h2/connection-options.ts';
import { DriverSet } from '../h2/driver-set.ts';
import type { Clock } from '../io/clock.ts';
import type { Network } from '../io/network.ts';
import { LoadConnection } from './load-connection.ts';
import { RememberingClock } from './remembering-clock.ts';

const RECONNECT_MS = 100;

export class ConnectionPool {
  readonly clock: RememberingClock;
  readonly connections: LoadConnection[] = [];
  /** Connections lost while running; those that were used up do not count. */
  lost = 0;
  readonly #network: Network;
  readonly #endpoint: Endpoint;
  readonly #h2: ConnectionOptions;
  readonly #drivers: DriverSet;
  #isClosed = false;
  #onReady: (() => void) | undefined;
  #onRefused: ((error: Error) => void) | undefined;

  constructor(network: Network, clock: Clock, endpoint: Endpoint, h2: ConnectionOptions = CLIENT_H2_OPTIONS) {
    this.#network = network;
    this.#endpoint = endpoint;
    this.#h2 = h2;
    this.clock = new RememberingClock(clock);
    this.#drivers = new DriverSet(this.clock);
  }

  /** Resolves when all connections take requests; rejects when the first attempt fails. */
  open(count: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#onReady = resolve;
      this.#onRefused = reject;
      for (let i = 0; i < count; i++) this.connections.push(this.#create());
      for (const connection of this.connections) this.#connect(connection);
    });
  }

  flush(): void {
    for (const driver of this.#drivers.drivers) driver.flush();
  }

  close(): void {
    this.#isClosed = true;
    this.#drivers.destroy();
  }

  #create(): LoadConnection {
    const connection: LoadConnection = new LoadConnection({
      h2: this.#h2,
      authority: this.#endpoint.authority,
      clock: this.clock,
      onReady: () => {
        if (this.connections.every((one) => one.isReady)) this.#settle();
      },
      onLost: (reason) => this.#lost(connection, reason),
    });
    return connection;
  }

  #connect(connection: LoadConnection): void {
    const { host, port } = this.#endpoint;
    const driver = this.#drivers.add(connection.h2, this.#network.connect({ host, port }));
    driver.start();
  }

  #settle(): void {
    this.#onReady?.();
    this.#onReady = undefined;
    this.#onRefused = undefined;
  }

  #lost(connection: LoadConnection, reason: string): void {
    if (this.#isClosed) return;
    if (this.#onRefused !== undefined) {
      this.#isClosed = true;
      this.#onRefused(new Error(`${this.#endpoint.authority}: ${reason}`));
      return;
    }
    if (!connection.h2.isUsedUp) this.lost++;
    this.clock.setTimer(RECONNECT_MS, () => {
      if (this.#isClosed) return;
      connection.renew();
      this.#connect(connection);
    });
  }
}
