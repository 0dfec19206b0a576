// Requests of the lab on one store: flows (src/bench/flow.ts) over a few connections, and an ordinary client beside them.

import type { ArrivalSchedule } from '../bench/arrival-schedule.ts';
import { ConnectionPool } from '../bench/connection-pool.ts';
import { Flow } from '../bench/flow.ts';
import type { Load } from '../bench/load.ts';
import { parseEndpoint } from '../client/endpoint.ts';
import { EtcdClient } from '../client/etcd-client.ts';
import type { Clock, Timer } from '../io/clock.ts';
import type { Network } from '../io/network.ts';
import type { ObjectCreation } from './object-creation.ts';

const CONNECTIONS = 4;
const TICK_MS = 1;
const POLL_MS = 10;
/** Between two tries to send what the store has not answered. */
const AGAIN_MS = 500;
/** A store that takes nothing for so long is given up. */
const STUCK_MS_MAX = 60_000;

/** The store is gone, or refuses what it gets. */
export class StuckError extends Error {
  override readonly name = 'StuckError';
}

export interface LabWorld {
  readonly network: Network;
  readonly clock: Clock;
  /** Ends what is under way. */
  readonly signal: AbortSignal;
}

export interface FlowOptions {
  /** Absent: as fast as the store answers. */
  readonly schedule?: ArrivalSchedule;
  readonly inFlight: number;
}

export class LabLoad {
  readonly client: EtcdClient;
  readonly #world: LabWorld;
  readonly #pool: ConnectionPool;
  readonly #flows: Flow[] = [];
  #timer: Timer | undefined;

  constructor(world: LabWorld, endpoint: string) {
    const { network, clock } = world;
    this.#world = world;
    this.client = new EtcdClient({ network, clock, endpoints: [endpoint] });
    this.#pool = new ConnectionPool(network, clock, parseEndpoint(endpoint));
  }

  /** Rejects when the store cannot be reached. */
  async open(): Promise<void> {
    await this.#pool.open(CONNECTIONS);
    this.#tick();
  }

  close(): void {
    this.#timer?.cancel();
    for (const flow of this.#flows) flow.stop();
    this.client.close();
    this.#pool.close();
  }

  /** Sends from now on, until close. */
  start(name: string, load: Load, options: FlowOptions): Flow {
    const flow = this.#add(name, load, options);
    flow.start(this.#pool.clock.nowMs());
    this.#pool.flush();
    return flow;
  }

  /** Resolves when all objects are there, or the world's signal has come. Rejects with StuckError. */
  async create(name: string, load: ObjectCreation, options: FlowOptions): Promise<void> {
    const { signal, clock } = this.#world;
    const stuck = new StuckWatch(name, load, clock);
    const flow = this.#add(name, load, options);
    load.onLastSent = () => flow.stop();
    while (load.unsent > 0 && !signal.aborted) {
      flow.start(this.#pool.clock.nowMs());
      this.#pool.flush();
      while (load.unsent > 0 && !signal.aborted) {
        stuck.check();
        await this.#pause(POLL_MS);
      }
      flow.stop();
      while (flow.inFlight > 0 && !signal.aborted) {
        stuck.check();
        await this.#pause(TICK_MS);
      }
      // What was not answered is to be sent again.
      if (load.unsent > 0) await this.#pause(AGAIN_MS);
    }
    this.#flows.splice(this.#flows.indexOf(flow), 1);
  }

  #add(name: string, load: Load, { schedule, inFlight }: FlowOptions): Flow {
    const flow = new Flow(name, load, schedule);
    const connections = this.#pool.connections.slice(0, inFlight);
    const each = Math.max(1, Math.floor(inFlight / connections.length));
    for (const connection of connections) flow.addSlots(connection, each);
    this.#flows.push(flow);
    return flow;
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#world.clock.setTimer(ms, resolve);
    });
  }

  #tick(): void {
    const nowMs = this.#pool.clock.nowMs();
    let isOpenLoop = false;
    for (const flow of this.#flows) {
      flow.tick(nowMs);
      isOpenLoop ||= flow.isOpenLoop;
    }
    if (isOpenLoop) this.#pool.flush();
    this.#timer = this.#world.clock.setTimer(TICK_MS, () => this.#tick());
  }
}

class StuckWatch {
  readonly #name: string;
  readonly #load: ObjectCreation;
  readonly #clock: Clock;
  #created: number;
  #sinceMs: number;

  constructor(name: string, load: ObjectCreation, clock: Clock) {
    this.#name = name;
    this.#load = load;
    this.#clock = clock;
    this.#created = load.created;
    this.#sinceMs = clock.nowMs();
  }

  /** Throws StuckError. */
  check(): void {
    const nowMs = this.#clock.nowMs();
    if (this.#load.created > this.#created) {
      this.#created = this.#load.created;
      this.#sinceMs = nowMs;
    } else if (nowMs - this.#sinceMs > STUCK_MS_MAX) {
      throw new StuckError(`the store has taken none of the ${this.#name} for ${STUCK_MS_MAX / 1000} s`);
    }
  }
}
