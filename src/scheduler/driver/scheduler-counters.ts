// What a scheduler counts, as kube-scheduler's metrics of the same names and labels do (pkg/scheduler/metrics of 1.36).
//
//   attempt: from a pod's turn until it is bound, refused, or something about it fails
//   algorithm: the part of it in which a node is looked for
//   extension points: of those that are one after another here as well, which are PreBind (volumes are bound) and Bind

import { DurationHistogram } from '../../base/duration-histogram.ts';

const powersOfTwo = (first: number, count: number): number[] => Array.from({ length: count }, (_, n) => first * 2 ** n);

const ATTEMPT_BUCKETS = powersOfTwo(0.001, 15);
const POINT_BUCKETS = powersOfTwo(0.0001, 12);
const VICTIM_BUCKETS = powersOfTwo(1, 7);
const TRIES_BUCKETS = powersOfTwo(1, 5);
const SLI_BUCKETS = powersOfTwo(0.01, 20);
/** From so many on, attempts share a label. */
const TRIES_MAX = 15;

export type AttemptResult = 'scheduled' | 'unschedulable' | 'error';
const RESULTS: readonly AttemptResult[] = ['scheduled', 'unschedulable', 'error'];

export type ExtensionPoint = 'PreBind' | 'Bind';
type PointStatus = 'Success' | 'Error';
type PointHistograms = Readonly<Record<ExtensionPoint, Readonly<Record<PointStatus, DurationHistogram>>>>;
const POINTS: readonly ExtensionPoint[] = ['PreBind', 'Bind'];
const STATUSES: readonly PointStatus[] = ['Success', 'Error'];

export interface BoundPod {
  readonly profile: string;
  /** Since the attempt that has bound it began. */
  readonly attemptSeconds: number;
  /** Since the pod was first to be placed. */
  readonly waitedSeconds: number;
  /** With the one that has bound it. */
  readonly attempts: number;
}

export class SchedulerCounters {
  /** Pods that fitted nowhere and were looked at for preemption. */
  preemptionAttempts = 0;
  readonly #attempts: ReadonlyMap<string, Readonly<Record<AttemptResult, DurationHistogram>>>;
  readonly #points: ReadonlyMap<string, PointHistograms>;
  readonly #algorithm = new DurationHistogram(ATTEMPT_BUCKETS);
  readonly #tries = new DurationHistogram(TRIES_BUCKETS);
  /** By the label of the attempts. */
  readonly #untilBound = new Map<string, DurationHistogram>();
  readonly #victims = new DurationHistogram(VICTIM_BUCKETS);

  constructor(profiles: readonly string[]) {
    const histogram = (): DurationHistogram => new DurationHistogram(ATTEMPT_BUCKETS);
    this.#attempts = new Map(
      profiles.map((name) => [name, { scheduled: histogram(), unschedulable: histogram(), error: histogram() }]),
    );
    const ofPoint = (): Readonly<Record<PointStatus, DurationHistogram>> => ({
      Success: new DurationHistogram(POINT_BUCKETS),
      Error: new DurationHistogram(POINT_BUCKETS),
    });
    this.#points = new Map(profiles.map((name) => [name, { PreBind: ofPoint(), Bind: ofPoint() }]));
  }

  /** Attempts of all profiles that ended so. */
  total(result: AttemptResult): number {
    return [...this.#attempts.values()].reduce((sum, byResult) => sum + byResult[result].count, 0);
  }

  /** A node was looked for. */
  decided(seconds: number): void {
    this.#algorithm.observe(seconds);
  }

  /** What the plugins of the extension point do was done for a pod, or failed. */
  ran(profile: string, point: ExtensionPoint, hasFailed: boolean, seconds: number): void {
    this.#points.get(profile)?.[point][hasFailed ? 'Error' : 'Success'].observe(seconds);
  }

  /** An attempt ended without a node for the pod. */
  failed(profile: string, result: Exclude<AttemptResult, 'scheduled'>, seconds: number): void {
    this.#attempts.get(profile)?.[result].observe(seconds);
  }

  bound({ profile, attemptSeconds, waitedSeconds, attempts }: BoundPod): void {
    this.#attempts.get(profile)?.scheduled.observe(attemptSeconds);
    this.#tries.observe(attempts);
    const label = attempts >= TRIES_MAX ? `${TRIES_MAX}+` : String(attempts);
    let histogram = this.#untilBound.get(label);
    if (histogram === undefined) {
      histogram = new DurationHistogram(SLI_BUCKETS);
      this.#untilBound.set(label, histogram);
    }
    histogram.observe(waitedSeconds);
  }

  /** A node is nominated, with so many victims on it. */
  preempted(victimCount: number): void {
    this.#victims.observe(victimCount);
  }

  /** In Prometheus' text format, with a line break at its end. */
  text(): string {
    return (
      this.#attemptsText() +
      this.#algorithm.text(
        'scheduler_scheduling_algorithm_duration_seconds',
        'Scheduling algorithm latency in seconds',
      ) +
      this.#pointsText() +
      this.#tries.text('scheduler_pod_scheduling_attempts', 'Number of attempts to successfully schedule a pod.') +
      seriesText(
        'scheduler_pod_scheduling_sli_duration_seconds',
        'E2e latency for a pod being scheduled, from the time the pod enters the scheduling queue and might involve multiple scheduling attempts.',
        [...this.#untilBound].map(([attempts, histogram]) => [`attempts="${attempts}"`, histogram]),
      ) +
      '# HELP scheduler_preemption_attempts_total Total preemption attempts in the cluster till now\n' +
      '# TYPE scheduler_preemption_attempts_total counter\n' +
      `scheduler_preemption_attempts_total ${this.preemptionAttempts}\n` +
      this.#victims.text('scheduler_preemption_victims', 'Number of selected preemption victims')
    );
  }

  #pointsText(): string {
    const all = [...this.#points].flatMap(([profile, byPoint]) =>
      POINTS.flatMap((point) =>
        STATUSES.map(
          (status) =>
            [`extension_point="${point}",profile="${profile}",status="${status}"`, byPoint[point][status]] as const,
        ),
      ),
    );
    return seriesText(
      'scheduler_framework_extension_point_duration_seconds',
      'Latency for running all plugins of a specific extension point.',
      all.filter(([, { count }]) => count > 0),
    );
  }

  #attemptsText(): string {
    const all = [...this.#attempts].flatMap(([profile, byResult]) =>
      RESULTS.map((result) => [`profile="${profile}",result="${result}"`, byResult[result]] as const),
    );
    const total = 'scheduler_schedule_attempts_total';
    const help =
      "Number of attempts to schedule pods, by the result. 'unschedulable' means a pod could not be scheduled, while 'error' means an internal scheduler problem.";
    const counts = all.map(([labels, { count }]) => `${total}{${labels}} ${count}\n`);
    return (
      `# HELP ${total} ${help}\n# TYPE ${total} counter\n${counts.join('')}` +
      seriesText(
        'scheduler_scheduling_attempt_duration_seconds',
        'Scheduling attempt latency in seconds (scheduling algorithm + binding)',
        all.filter(([, { count }]) => count > 0),
      )
    );
  }
}

function seriesText(name: string, help: string, all: readonly (readonly [string, DurationHistogram])[]): string {
  const series = all.map(([labels, histogram]) => histogram.series(name, labels));
  return `# HELP ${name} ${help}\n# TYPE ${name} histogram\n${series.join('')}`;
}
