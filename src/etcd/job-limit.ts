// How many long jobs of one kind run at a time. One more is refused with etcd's "too many requests": each holds memory by the number of
// versions, and the compaction back, so that a queue of them would only put that off.

import { tooManyRequests } from '../api/errors.ts';
import type { MetricDefiner } from './metric-definer.ts';

export class JobLimit {
  readonly #kind: string;
  readonly #countMax: number;
  #count = 0;
  #refused = 0;

  /** `kind` is a plural, for metrics. */
  constructor(kind: string, countMax: number) {
    this.#kind = kind;
    this.#countMax = countMax;
  }

  /** Throws StatusError when as many run as may; otherwise `end` is owed. */
  begin(): void {
    if (this.#count === this.#countMax) {
      this.#refused++;
      throw tooManyRequests();
    }
    this.#count++;
  }

  end(): void {
    this.#count--;
  }

  defineMetrics(definer: MetricDefiner): void {
    definer.gauge(`k1m_${this.#kind}_running`, `Calls for ${this.#kind} that are carried out.`, () => this.#count);
    definer.counter(`k1m_${this.#kind}_refused_total`, `Those refused because ${this.#countMax} were.`, () => {
      return this.#refused;
    });
  }
}
