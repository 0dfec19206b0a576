// How far something is: a bar on a terminal with rate and time left; elsewhere, and where there is no end to it, a line every few seconds.

import { Presets, SingleBar } from 'cli-progress';
import type { Clock, Timer } from '../io/clock.ts';

const BAR_TICK_MS = 250;
const LINE_TICK_MS = 5000;

export type ProgressStream = NodeJS.WritableStream & { readonly isTTY?: boolean };

export class Progress {
  readonly #clock: Clock;
  readonly #stream: ProgressStream;
  #bar: SingleBar | undefined;
  #timer: Timer | undefined;
  #report: () => void = () => {};

  constructor(clock: Clock, stream: ProgressStream) {
    this.#clock = clock;
    this.#stream = stream;
  }

  /** `done` says how many of `total` there are by now; a total of 0 has no end. */
  start(text: string, total: number, done: () => number): void {
    this.stop();
    const startMs = this.#clock.nowMs();
    if (this.#stream.isTTY === true && total > 0) this.#startBar(text, total);
    let lastMs = startMs;
    let last = 0;
    this.#report = () => {
      const nowMs = this.#clock.nowMs();
      const value = done();
      const rate = nowMs > lastMs ? ((value - last) / (nowMs - lastMs)) * 1000 : 0;
      lastMs = nowMs;
      last = value;
      const left = total > 0 && rate > 0 ? durationText((total - value) / rate) : '';
      const rateText = Math.round(rate).toLocaleString('en');
      if (this.#bar !== undefined) this.#bar.update(value, { text, rate: rateText, left });
      else {
        const of = total > 0 ? ` of ${total.toLocaleString('en')}` : '';
        const leftText = left === '' ? '' : `, ${left} left`;
        this.#stream.write(`${text}: ${value.toLocaleString('en')}${of}, ${rateText}/s${leftText}\n`);
      }
    };
    this.#again(this.#bar === undefined ? LINE_TICK_MS : BAR_TICK_MS);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#bar?.stop();
    this.#bar = undefined;
  }

  #startBar(text: string, total: number): void {
    const format = '{text} {bar} {value}/{total}  {rate}/s  {left} left';
    const options = { stream: this.#stream, format, hideCursor: true, clearOnComplete: true };
    this.#bar = new SingleBar(options, Presets.shades_grey);
    this.#bar.start(total, 0, { text, rate: '0', left: '?' });
  }

  #again(ms: number): void {
    this.#timer = this.#clock.setTimer(ms, () => {
      this.#report();
      this.#again(ms);
    });
  }
}

export function durationText(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  return seconds < 5400 ? `${Math.ceil(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
