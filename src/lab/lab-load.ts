// Requests of the lab on one store: flows (src/bench/flow.ts) over a few connections, and an ordinary client beside them.

import type { ArrivalSchedule } from '../bench/arrival-schedule.ts';
import { ConnectionPool } from '../bench/connection-pool.ts';
import { Flow } from '../bench/flow.ts';
import type { Load } from '../bench/load.ts';
import { parseEndpoint } from '../client/endpoint.ts';
import { EtcdClient } from '../client/etcd-client.ts';
import { type Clock, pause, type Timer } from '../io/clock.ts';
import type { Network } from '../io/network.ts';
import type { ObjectCreation } from './object-creation.ts';
import { StuckWatch } from './stuck-watch.ts';

const CONNECTIONS = 4;
const TICK_MS = 1;
const POLL_MS = 10;
/** Between two tries to send what the store has not answered. */
const AGAIN_MS = 500;

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
    const stuck = new StuckWatch('the store', name, load, clock);
    const flow = this.#add(name, load, options);
    load.onLastSent = () => flow.stop();
    while (load.unsent > 0 && !signal.aborted) {
      flow.start(this.#pool.clock.nowMs());
      this.#pool.flush();
      while (load.unsent > 0 && !signal.aborted) {
        stuck.check();
        await pause(clock, POLL_MS);
      }
      flow.stop();
      while (flow.inFlight > 0 && !signal.aborted) {
        stuck.check();
        await pause(clock, TICK_MS);
      }
      // What was not answered is to be sent again.
      if (load.unsent > 0) await pause(clock, AGAIN_MS);
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
