// What a scheduler counts, as kube-scheduler's metrics of the same names do (pkg/scheduler/metrics of 1.36).

import { DurationHistogram } from '../../base/duration-histogram.ts';
import type { Decision } from '../model/decision.ts';

const ATTEMPT_BUCKETS = Array.from({ length: 15 }, (_, n) => 0.001 * 2 ** n);
const VICTIM_BUCKETS = Array.from({ length: 7 }, (_, n) => 2 ** n);
const SLI_BUCKETS = Array.from({ length: 20 }, (_, n) => 0.01 * 2 ** n);

export class SchedulerCounters {
  scheduled = 0;
  unschedulable = 0;
  errors = 0;
  /** Pods that fitted nowhere and were looked at for preemption. */
  preemptionAttempts = 0;
  readonly #attempts = new DurationHistogram(ATTEMPT_BUCKETS);
  readonly #untilBound = new DurationHistogram(SLI_BUCKETS);
  readonly #victims = new DurationHistogram(VICTIM_BUCKETS);

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

  /** A node is nominated, with so many victims on it. */
  preempted(victimCount: number): void {
    this.#victims.observe(victimCount);
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
      ) +
      '# HELP scheduler_preemption_attempts_total Total preemption attempts in the cluster till now\n' +
      '# TYPE scheduler_preemption_attempts_total counter\n' +
      `scheduler_preemption_attempts_total ${this.preemptionAttempts}\n` +
      this.#victims.text('scheduler_preemption_victims', 'Number of selected preemption victims')
    );
  }
}
