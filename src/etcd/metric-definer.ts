// How a part of the server defines its metrics: a name, a text, and where the value is read at each scrape.

export interface LabelledValue {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface MetricDefiner {
  gauge(name: string, help: string, read: () => number): void;
  counter(name: string, help: string, read: () => number): void;
  /** One metric with a value for each set of labels. */
  gauges(name: string, help: string, labelNames: readonly string[], read: () => readonly LabelledValue[]): void;
  counters(name: string, help: string, labelNames: readonly string[], read: () => readonly LabelledValue[]): void;
}
