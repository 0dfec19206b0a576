// What a scheduler counts, as kube-scheduler's metrics of the same names do (pkg/scheduler/metrics of 1.36).

import { DurationHistogram } from '../../base/duration-histogram.ts';
import type { Decision } from '../model/decision.ts';

const ATTEMPT_BUCKETS = Array.from({ length: 15 }, (_, n) => 0.001 * 2 ** n);
const SLI_BUCKETS = Array.from({ length: 20 }, (_, n) => 0.01 * 2 ** n);

export class SchedulerCounters {
  scheduled = 0;
  unschedulable = 0;
  errors = 0;
  readonly #attempts = new DurationHistogram(ATTEMPT_BUCKETS);
  readonly #untilBound = new DurationHistogram(SLI_BUCKETS);

  decided(kind: Decision['kind'], seconds: number): void {
    if (kind === 'unschedulable') this.unschedulable++;
    else if (kind !== 'bound') this.errors++;
    this.#attempts.observe(seconds);
  }

  /** `seconds` since the pod was first seen. */
  bound(seconds: number): void {
    this.scheduled++;
    this.#untilBound.observe(seconds);
  }

  /** In Prometheus' text format, with a line break at its end. */
  text(): string {
    const attempts = 'scheduler_schedule_attempts_total';
    const counts = { scheduled: this.scheduled, unschedulable: this.unschedulable, error: this.errors };
    const lines = Object.entries(counts).map(([result, count]) => `${attempts}{result="${result}"} ${count}`);
    return (
      `# HELP ${attempts} Number of attempts to schedule pods, by the result.\n# TYPE ${attempts} counter\n${lines.join('\n')}\n` +
      this.#attempts.text(
        'scheduler_scheduling_algorithm_duration_seconds',
        'Scheduling algorithm latency in seconds.',
      ) +
      this.#untilBound.text(
        'scheduler_pod_scheduling_sli_duration_seconds',
        'E2e latency for a pod being scheduled, from the time the pod enters the scheduling queue.',
      )
    );
  }
}
