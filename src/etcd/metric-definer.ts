// How a part of the server defines its metrics: a name, a text, and where the value is read at each scrape.

export interface MetricDefiner {
  gauge(name: string, help: string, read: () => number): void;
  counter(name: string, help: string, read: () => number): void;
}
