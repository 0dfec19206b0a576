// What is going on, on a terminal; nothing where there is none.

import { Presets, SingleBar } from 'cli-progress';
import type { Clock, Timer } from '../io/clock.ts';
import type { BenchSubject } from './bench-subject.ts';

const TICK_MS = 250;

export class StageBar {
  readonly #clock: Clock;
  readonly #stream: NodeJS.WriteStream;
  #bar: SingleBar | undefined;
  #timer: Timer | undefined;

  constructor(clock: Clock, stream: NodeJS.WriteStream) {
    this.#clock = clock;
    this.#stream = stream;
  }

  start(text: string, seconds: number, subject: BenchSubject): void {
    this.stop();
    if (!this.#stream.isTTY) return;
    const format = seconds > 0 ? '{text} {bar} {value}/{total} s  {rate} requests/s' : '{text} …';
    const bar = new SingleBar(
      { stream: this.#stream, format, hideCursor: true, clearOnComplete: true },
      Presets.shades_grey,
    );
    this.#bar = bar;
    const startMs = this.#clock.nowMs();
    let lastMs = startMs;
    let lastRequests = 0;
    bar.start(Math.round(seconds), 0, { text, rate: 0 });
    const tick = (): void => {
      const nowMs = this.#clock.nowMs();
      const requests = subject.requests;
      const rate = Math.max(0, Math.round(((requests - lastRequests) / (nowMs - lastMs)) * 1000));
      lastMs = nowMs;
      lastRequests = requests;
      bar.update(Math.min(Math.round(seconds), Math.floor((nowMs - startMs) / 1000)), { text, rate });
      this.#timer = this.#clock.setTimer(TICK_MS, tick);
    };
    this.#timer = this.#clock.setTimer(TICK_MS, tick);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#bar?.stop();
    this.#bar = undefined;
  }
}
