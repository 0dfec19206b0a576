// What the health endpoints have answered, and its metrics under etcd's names.

import type { LabelledValue, MetricDefiner } from './metric-definer.ts';

export type CheckKind = 'livez' | 'readyz';

/** One of the checks behind /livez or /readyz. */
class CheckCount {
  readonly kind: CheckKind;
  readonly name: string;
  successes = 0;
  failures = 0;
  isFine = false;

  constructor(kind: CheckKind, name: string) {
    this.kind = kind;
    this.name = name;
  }
}

export class HealthCounters {
  /** Of /health. */
  successes = 0;
  failures = 0;
  /** Those that have been made. */
  readonly checks: CheckCount[] = [];

  checked(kind: CheckKind, name: string, isFine: boolean): void {
    let check = this.checks.find((one) => one.kind === kind && one.name === name);
    if (check === undefined) {
      check = new CheckCount(kind, name);
      this.checks.push(check);
    }
    check.isFine = isFine;
    if (isFine) check.successes++;
    else check.failures++;
  }
}

export function defineHealthMetrics(definer: MetricDefiner, counters: () => HealthCounters): void {
  definer.counter(
    'etcd_server_health_success',
    'The total number of successful health checks.',
    () => counters().successes,
  );
  definer.counter(
    'etcd_server_health_failures',
    'The total number of failed health checks.',
    () => counters().failures,
  );
  definer.gauges('etcd_server_healthcheck', 'The result of each kind of healthcheck.', ['type', 'name'], () =>
    counters().checks.map(({ kind, name, isFine }) => ({ labels: { type: kind, name }, value: isFine ? 1 : 0 })),
  );
  definer.counters(
    'etcd_server_healthchecks_total',
    'The total number of each kind of healthcheck.',
    ['type', 'name', 'status'],
    () => counters().checks.flatMap(totals),
  );
}

/** Only those that are not 0, as etcd has them. */
function totals({ kind, name, successes, failures }: CheckCount): LabelledValue[] {
  return [
    { labels: { type: kind, name, status: 'success' }, value: successes },
    { labels: { type: kind, name, status: 'error' }, value: failures },
  ].filter(({ value }) => value > 0);
}
