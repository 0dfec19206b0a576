// The connections of one server (or one client pool): one timer ticks them all, and they can be shut down together.

import type { Clock, Timer } from '../io/clock.ts';
import type { ByteStream } from '../io/network.ts';
import type { Connection } from './connection.ts';
import { Driver } from './driver.ts';

const TICK_MS = 1000;

export class DriverSet {
  readonly #clock: Clock;
  readonly #drivers = new Set<Driver>();
  #timer: Timer | null = null;
  #onEmpty: (() => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get count(): number {
    return this.#drivers.size;
  }

  /** For metrics: the connections that are alive. */
  get drivers(): ReadonlySet<Driver> {
    return this.#drivers;
  }

  /**
   * A driver that is ticked until it closes. The caller then calls start(), or forwards the transport's events.
   * `onClose` is called when the transport has closed.
   */
  add(connection: Connection, transport: ByteStream, onClose?: (driver: Driver) => void): Driver {
    const driver = new Driver(connection, transport, this.#clock, (closed) => {
      this.#drivers.delete(closed);
      onClose?.(closed);
      this.#checkEmpty();
    });
    this.#drivers.add(driver);
    this.#schedule();
    return driver;
  }

  /** Graceful: resolves when every connection has finished and closed. */
  shutdown(): Promise<void> {
    for (const driver of this.#drivers) {
      driver.connection.shutdown();
      driver.flush();
    }
    return new Promise((resolve) => {
      this.#onEmpty.push(resolve);
      this.#checkEmpty();
    });
  }

  /** Drops every connection. */
  destroy(): void {
    for (const driver of this.#drivers) driver.transport.destroy();
  }

  #checkEmpty(): void {
    if (this.#drivers.size > 0) return;
    this.#timer?.cancel();
    this.#timer = null;
    const waiting = this.#onEmpty;
    this.#onEmpty = [];
    for (const resolve of waiting) resolve();
  }

  #schedule(): void {
    this.#timer ??= this.#clock.setTimer(TICK_MS, () => {
      this.#timer = null;
      for (const driver of this.#drivers) driver.tick();
      if (this.#drivers.size > 0) this.#schedule();
    });
  }
}
