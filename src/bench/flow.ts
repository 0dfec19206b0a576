// Requests of one load, sent from the slots of several connections: closed loop (each slot sends its next request when it has
// the answer) or open loop (requests fall due by a schedule and take a free slot, or wait for one).
//
// Latency counts from the intended time; in a closed loop that is the sending. `service` counts from the sending in both.

import type { ArrivalSchedule } from './arrival-schedule.ts';
import { LatencyHistogram } from './latency-histogram.ts';
import { type Load, Slot } from './load.ts';
import type { LoadConnection } from './load-connection.ts';

const CODES = 17;

export class Flow {
  readonly name: string;
  readonly load: Load;
  readonly latency: LatencyHistogram = new LatencyHistogram();
  readonly service: LatencyHistogram = new LatencyHistogram();
  /** Requests ended, by gRPC status code; [0] are those that succeeded. */
  readonly ended: Float64Array = new Float64Array(CODES);
  readonly #schedule: ArrivalSchedule | undefined;
  /** Slots without a request; open loop. */
  readonly #free: Slot[] = [];
  readonly #slots: Slot[] = [];
  #inFlight = 0;
  #isRunning = false;

  /** Without a schedule it is a closed loop. */
  constructor(name: string, load: Load, schedule?: ArrivalSchedule) {
    this.name = name;
    this.load = load;
    this.#schedule = schedule;
  }

  get isOpenLoop(): boolean {
    return this.#schedule !== undefined;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get requests(): number {
    let requests = 0;
    for (const count of this.ended) requests += count;
    return requests;
  }

  addSlots(connection: LoadConnection, count: number): void {
    for (let i = 0; i < count; i++) this.#slots.push(new Slot(this, connection));
  }

  start(nowMs: number): void {
    this.#isRunning = true;
    if (this.#schedule === undefined) {
      // A load that has no more to send stops its flow on the way.
      for (const slot of this.#slots) if (this.#isRunning) this.#send(slot, nowMs, nowMs);
      return;
    }
    this.#free.length = 0;
    this.#free.push(...this.#slots);
    this.#schedule.start(nowMs);
  }

  /** Sends no more; what is in flight ends by itself. */
  stop(): void {
    this.#isRunning = false;
  }

  reset(): void {
    this.latency.reset();
    this.service.reset();
    this.ended.fill(0);
    for (const name of Object.keys(this.load.counts)) this.load.counts[name] = 0;
  }

  /** Open loop: sends what is due while slots are free. */
  tick(nowMs: number): void {
    const schedule = this.#schedule;
    if (schedule === undefined || !this.#isRunning) return;
    for (let due = schedule.due(nowMs); due > 0 && this.#isRunning; due--) {
      const slot = this.#free.shift();
      if (slot === undefined) return;
      this.#send(slot, schedule.take(), nowMs);
    }
  }

  /** How late the next request is; 0 when none is due. */
  backlog(nowMs: number): number {
    return this.#schedule?.due(nowMs) ?? 0;
  }

  /** From the connection: the slot's request has ended. */
  finish(slot: Slot, code: number, nowMs: number): void {
    this.#inFlight--;
    this.ended[code]++;
    if (code === 0) {
      this.service.record(nowMs - slot.sentMs);
      this.latency.record(nowMs - slot.intendedMs);
    } else slot.reset();
    this.load.done(slot, code);
    this.#next(slot, nowMs);
  }

  /** From the connection: it is back, and takes the request that it could not. */
  resume(slot: Slot, nowMs: number): void {
    this.#next(slot, nowMs);
  }

  #next(slot: Slot, nowMs: number): void {
    if (!this.#isRunning) return;
    const schedule = this.#schedule;
    if (schedule === undefined) this.#send(slot, nowMs, nowMs);
    else if (schedule.due(nowMs) > 0) this.#send(slot, schedule.take(), nowMs);
    else this.#free.push(slot);
  }

  #send(slot: Slot, intendedMs: number, nowMs: number): void {
    const { connection } = slot;
    if (!connection.canSend) {
      connection.park(slot);
      return;
    }
    const { load } = this;
    slot.intendedMs = intendedMs;
    slot.sentMs = nowMs;
    const end = load.write(slot);
    this.#inFlight++;
    connection.send(slot, load, end);
  }
}
