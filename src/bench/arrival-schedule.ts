// When the requests of an open loop are meant to be sent: one each 1 ⁄ rate seconds, whatever the server does.
//
// A request's latency counts from its intended time, so that the wait of those that a slow server held up is part of the
// figures (no "coordinated omission"). Where nobody makes up for what it has missed, as a kubelet does not, more than `dueMax` are left out.

export class ArrivalSchedule {
  readonly #periodMs: number;
  readonly #dueMax: number;
  #startMs = 0;
  #taken = 0;

  constructor(ratePerSecond: number, dueMax: number = Number.POSITIVE_INFINITY) {
    this.#periodMs = 1000 / ratePerSecond;
    this.#dueMax = dueMax;
  }

  start(nowMs: number): void {
    this.#startMs = nowMs;
    this.#taken = 0;
  }

  /** How many requests should have been sent by now, and were not taken. */
  due(nowMs: number): number {
    const due = Math.max(0, Math.floor((nowMs - this.#startMs) / this.#periodMs) + 1 - this.#taken);
    if (due <= this.#dueMax) return due;
    this.#taken += due - this.#dueMax;
    return this.#dueMax;
  }

  /** Takes the next one: its intended time. Only when one is due. */
  take(): number {
    return this.#startMs + this.#periodMs * this.#taken++;
  }
}
