// MetricDefiner over prom-client: every metric is emptied at a scrape, and gets the values that are then read.

import { Counter, Gauge, type Registry } from 'prom-client';
import type { LabelledValue, MetricDefiner } from './metric-definer.ts';

type Read = () => readonly LabelledValue[];

interface Emptied {
  reset(): void;
  inc(labels: Readonly<Record<string, string>>, value: number): void;
}

export class PrometheusDefiner implements MetricDefiner {
  readonly #registers: Registry[];

  constructor(registry: Registry) {
    this.#registers = [registry];
  }

  gauge(name: string, help: string, read: () => number): void {
    this.gauges(name, help, [], single(read));
  }

  counter(name: string, help: string, read: () => number): void {
    this.counters(name, help, [], single(read));
  }

  gauges(name: string, help: string, labelNames: readonly string[], read: Read): void {
    new Gauge({ name, help, labelNames: [...labelNames], registers: this.#registers, collect: refilled(read) });
  }

  counters(name: string, help: string, labelNames: readonly string[], read: Read): void {
    new Counter({ name, help, labelNames: [...labelNames], registers: this.#registers, collect: refilled(read) });
  }
}

function single(read: () => number): Read {
  return () => [{ labels: {}, value: read() }];
}

/** What prom-client calls at a scrape, as a method of the metric. */
function refilled(read: Read): (this: Emptied) => void {
  return function (): void {
    this.reset();
    for (const { labels, value } of read()) this.inc(labels, value);
  };
}
