// How many requests are on their way at once, and who is next: first come, first served.
//
//   waiting (at most waitingMax)  →  under way (at most the limit of now)  →  done
//
// The limit starts at inFlightMax. A 429 halves it, down to IN_FLIGHT_MIN, and closes the gate for as long as the server asks; each
// answer that is none raises it by a part of one, so by one in about one round of requests (additive increase, multiplicative decrease).
// Halving happens once in HALVING_MS: the requests of one burst are refused together.

import type { Clock, Timer } from '../io/clock.ts';

export const IN_FLIGHT_MIN = 4;
const HALVING_MS = 200;

export interface GateOptions {
  readonly clock: Clock;
  readonly inFlightMax: number;
  readonly waitingMax: number;
}

interface Waiter {
  readonly start: (isLetIn: boolean) => void;
}

export class RequestGate {
  readonly #clock: Clock;
  readonly #inFlightMax: number;
  readonly #waitingMax: number;
  /** Waiters from #first on; those before it have gone. */
  #waiting: (Waiter | undefined)[] = [];
  #first = 0;
  #inFlight = 0;
  #limit: number;
  #closedUntilMs = 0;
  #halvedAtMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;
  #isEnded = false;

  constructor({ clock, inFlightMax, waitingMax }: GateOptions) {
    this.#clock = clock;
    this.#inFlightMax = inFlightMax;
    this.#waitingMax = waitingMax;
    this.#limit = inFlightMax;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get limit(): number {
    return Math.floor(this.#limit);
  }

  get waiting(): number {
    return this.#waiting.length - this.#first;
  }

  /** Whether the request may go at once; then leave() has to follow. Else it may enter(). */
  tryEnter(): boolean {
    const mayPass = !this.#isEnded && this.waiting === 0 && this.#inFlight < this.limit;
    if (!mayPass || this.#closedUntilMs > this.#clock.nowMs()) return false;
    this.#inFlight++;
    return true;
  }

  /** Resolves to true when the request may go; leave() has to follow. False when too many wait, or the gate has ended. */
  enter(): Promise<boolean> {
    if (this.#isEnded || this.waiting >= this.#waitingMax) return Promise.resolve(false);
    return new Promise((resolve) => {
      this.#waiting.push({ start: resolve });
      this.#letIn();
    });
  }

  leave(): void {
    this.#inFlight--;
    this.#letIn();
  }

  /** An answer other than 429 came. */
  onAnswer(): void {
    this.#limit = Math.min(this.#inFlightMax, this.#limit + 1 / this.#limit);
  }

  /** 429 came. */
  onRefusal(retryAfterMs: number): void {
    const nowMs = this.#clock.nowMs();
    this.#closedUntilMs = Math.max(this.#closedUntilMs, nowMs + retryAfterMs);
    if (nowMs - this.#halvedAtMs < HALVING_MS) return;
    this.#halvedAtMs = nowMs;
    this.#limit = Math.max(Math.min(IN_FLIGHT_MIN, this.#inFlightMax), this.#limit / 2);
  }

  /** Nobody is let in any more. */
  end(): void {
    this.#isEnded = true;
    this.#timer?.cancel();
    for (const waiter of this.#waiting.splice(0)) waiter?.start(false);
    this.#first = 0;
  }

  #letIn(): void {
    while (this.waiting > 0 && this.#inFlight < this.limit) {
      const closedMs = this.#closedUntilMs - this.#clock.nowMs();
      if (closedMs > 0) {
        this.#openIn(closedMs);
        return;
      }
      const waiter = this.#waiting[this.#first];
      this.#waiting[this.#first++] = undefined;
      // Cut off what has gone once it is the larger half: each waiter is moved once on average.
      if (this.#first * 2 > this.#waiting.length) {
        this.#waiting = this.#waiting.slice(this.#first);
        this.#first = 0;
      }
      this.#inFlight++;
      waiter?.start(true);
    }
  }

  #openIn(ms: number): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.setTimer(ms, () => {
      this.#timer = undefined;
      this.#letIn();
    });
  }
}
