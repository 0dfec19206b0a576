// Many watchers over some connections, and the check that each received every write once, in order.

import type { Endpoint } from '../client/endpoint.ts';
import { keyBytes, prefixEnd } from '../client/key-range.ts';
import { CLIENT_H2_OPTIONS } from '../h2/connection-options.ts';
import { DriverSet } from '../h2/driver-set.ts';
import type { Clock } from '../io/clock.ts';
import type { Network } from '../io/network.ts';
import { KEY_DIGITS, KEYS_MAX } from './key-digits.ts';
import { LatencyHistogram } from './latency-histogram.ts';
import { WRITE_NUMBER_BYTES } from './put-load.ts';
import { RememberingClock } from './remembering-clock.ts';
import { WatchConnection, Watcher, type WatchObserver } from './watch-connection.ts';
import type { WriteLog } from './write-log.ts';

export interface WatchPlan {
  /** Watched in turn by the watchers. */
  readonly prefixes: readonly string[];
  readonly watchers: number;
  readonly connections: number;
  /** Asks all watchers for progress this often; 0: never. */
  readonly progressEveryMs: number;
  /** Given: all writes are numbered (PutLoad), and events are checked and timed against it. */
  readonly log: WriteLog | undefined;
}

export interface WatchCounts {
  readonly watchers: number;
  readonly broken: number;
  readonly lost: number;
  readonly repeated: number;
}

export class WatchFleet implements WatchObserver {
  /** From the write's intended time to the event's arrival; only with a log. */
  readonly latency: LatencyHistogram = new LatencyHistogram();
  /** From a progress request to its answer. */
  readonly progress: LatencyHistogram = new LatencyHistogram();
  /** Events received since the last reset. */
  events = 0;
  readonly #plan: WatchPlan;
  readonly #clock: RememberingClock;
  readonly #drivers: DriverSet;
  readonly #watchers: Watcher[] = [];
  readonly #connections: WatchConnection[] = [];
  #createdLeft = 0;
  #broken = 0;
  #onOpen: (() => void) | undefined;

  constructor(plan: WatchPlan, clock: Clock) {
    this.#plan = plan;
    this.#clock = new RememberingClock(clock);
    this.#drivers = new DriverSet(this.#clock);
  }

  /** Resolves when every watcher is made, or broken. */
  open(network: Network, endpoint: Endpoint, startRevision: number): Promise<void> {
    const { watchers, prefixes, connections } = this.#plan;
    for (let i = 0; i < watchers; i++) {
      const key = keyBytes(prefixes[i % prefixes.length]);
      this.#watchers.push(new Watcher(key, prefixEnd(key), startRevision));
    }
    this.#createdLeft = watchers;
    const count = Math.min(connections, watchers);
    return new Promise((resolve) => {
      this.#onOpen = resolve;
      for (let i = 0; i < count; i++) {
        const mine = this.#watchers.filter((_, index) => index % count === i);
        const connection = new WatchConnection(CLIENT_H2_OPTIONS, endpoint.authority, mine, this);
        this.#connections.push(connection);
        this.#drivers.add(connection.h2, network.connect({ host: endpoint.host, port: endpoint.port })).start();
      }
    });
  }

  requestProgress(): void {
    const nowMs = this.#clock.nowMs();
    for (const connection of this.#connections) connection.requestProgress(nowMs);
    for (const driver of this.#drivers.drivers) driver.flush();
  }

  /** Whether every watcher that lives has what was written so far. */
  get isCaughtUp(): boolean {
    const expected = this.#plan.log?.expected ?? 0;
    return this.#watchers.every((watcher) => watcher.isBroken || watcher.received >= expected);
  }

  /** Over the whole run, warm-up included. */
  counts(): WatchCounts {
    const { log } = this.#plan;
    let lost = 0;
    let repeated = 0;
    for (const watcher of this.#watchers) {
      if (log !== undefined) lost += log.expected - watcher.received;
      repeated += watcher.repeated;
    }
    return { watchers: this.#watchers.length, broken: this.#broken, lost, repeated };
  }

  reset(): void {
    this.latency.reset();
    this.progress.reset();
    this.events = 0;
  }

  close(): void {
    this.#onOpen = undefined;
    this.#drivers.destroy();
  }

  onCreated(_watcher: Watcher): void {
    this.#opened();
  }

  onEvent(watcher: Watcher, revision: number, buffer: Uint8Array, valueStart: number, valueEnd: number): void {
    this.events++;
    const { log } = this.#plan;
    if (log === undefined) return;
    if (revision <= watcher.lastRevision) {
      watcher.repeated++;
      return;
    }
    watcher.lastRevision = revision;
    if (valueEnd - valueStart < WRITE_NUMBER_BYTES) return;
    const sinceMs = log.onSeen(writeNumberAt(buffer, valueStart));
    if (sinceMs === undefined) return;
    watcher.received++;
    this.latency.record(this.#clock.lastMs - sinceMs);
  }

  onProgress(watcher: Watcher, _revision: number): void {
    if (watcher.progressSentMs === 0) return;
    this.progress.record(this.#clock.lastMs - watcher.progressSentMs);
    watcher.progressSentMs = 0;
  }

  onBroken(): void {
    this.#broken++;
    this.#opened();
  }

  #opened(): void {
    this.#createdLeft--;
    if (this.#createdLeft === 0) this.#onOpen?.();
  }
}

/** As PutLoad writes it: two numbers of seven digits. */
function writeNumberAt(buffer: Uint8Array, at: number): number {
  let high = 0;
  let low = 0;
  for (let i = 0; i < KEY_DIGITS; i++) {
    high = high * 10 + buffer[at + i] - 0x30;
    low = low * 10 + buffer[at + KEY_DIGITS + i] - 0x30;
  }
  return high * KEYS_MAX + low;
}
