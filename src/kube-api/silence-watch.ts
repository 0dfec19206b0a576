// Calls back when nothing has been heard for so long. Hearing costs an assignment: one timer runs, and looks when it fires.

import type { Clock, Timer } from '../io/clock.ts';

export class SilenceWatch {
  readonly #clock: Clock;
  readonly #silenceMsMax: number;
  readonly #onSilence: () => void;
  #heardAtMs: number;
  #timer: Timer;

  constructor(clock: Clock, silenceMsMax: number, onSilence: () => void) {
    this.#clock = clock;
    this.#silenceMsMax = silenceMsMax;
    this.#onSilence = onSilence;
    this.#heardAtMs = clock.nowMs();
    this.#timer = this.#arm(silenceMsMax);
  }

  hear(): void {
    this.#heardAtMs = this.#clock.nowMs();
  }

  end(): void {
    this.#timer.cancel();
  }

  #arm(ms: number): Timer {
    return this.#clock.setTimer(ms, () => {
      const leftMs = this.#heardAtMs + this.#silenceMsMax - this.#clock.nowMs();
      if (leftMs <= 0) this.#onSilence();
      else this.#timer = this.#arm(leftMs);
    });
  }
}
