// /healthz, /livez, /readyz, /metrics and /configz of a scheduler.

import type { Http1Request, Http1Response } from '../../io/http1.ts';
import type { KubeApi, Reflection } from '../../kube-api/kube-api.ts';
import type { OngoingTrouble } from '../../kube-api/trouble.ts';
import { answerChecks, type HealthCheck } from './health-checks.ts';
import type { Scheduler } from './scheduler.ts';
import type { ShardFigures } from './scheduler-options.ts';

/** Trouble that has lasted for so long makes a scheduler unready. */
const UNREADY_SECONDS = 30;

export interface StatusSources {
  /** Undefined while another one leads. */
  readonly scheduler: () => Scheduler | undefined;
  readonly api: KubeApi;
  /** Of the Lease that is held to lead; undefined for a scheduler that takes part in no election. */
  readonly leaseName: string | undefined;
  /** What /configz shows. */
  readonly configuration: unknown;
  readonly cpuSeconds: () => number;
  readonly residentBytes: () => number;
  /** By the clock of the scheduler. */
  readonly nowMs: () => number;
}

export function answerStatus(sources: StatusSources, { target }: Http1Request): Http1Response {
  const scheduler = sources.scheduler();
  const election = sources.leaseName === undefined ? [] : [{ name: 'leaderElection', problem: '' }];
  const ready = [...election, ...readyChecks(scheduler, sources.nowMs())];
  const checked =
    answerChecks(target, 'healthz', election) ??
    answerChecks(target, 'livez', [{ name: 'ping', problem: '' }]) ??
    answerChecks(target, 'readyz', ready);
  if (checked !== undefined) return checked;
  switch (target.split('?')[0]) {
    case '/configz':
      return respond(200, 'application/json', JSON.stringify({ componentconfig: sources.configuration }));
    case '/metrics':
      return respond(200, 'text/plain; version=0.0.4; charset=utf-8', metricsOf(sources, scheduler));
    default:
      return respond(404, 'text/plain; charset=utf-8', '404 page not found\n');
  }
}

/** One that waits to lead is ready to do so. */
function readyChecks(scheduler: Scheduler | undefined, nowMs: number): HealthCheck[] {
  if (scheduler === undefined) return [{ name: 'sched-handler-sync', problem: '' }];
  const secondsOf = (trouble: OngoingTrouble | undefined): number => secondsSince(trouble, nowMs);
  const { reflections, bindings } = scheduler.figures;
  const unfollowed = reflections.filter(({ trouble }) => secondsOf(trouble) >= UNREADY_SECONDS);
  const longest = Math.max(0, ...unfollowed.map(({ trouble }) => secondsOf(trouble)));
  const names = unfollowed.map(({ resource }) => resource).join(', ');
  const bindingSeconds = secondsOf(bindings.trouble);
  return [
    { name: 'sched-handler-sync', problem: scheduler.isSynced ? '' : 'the cluster has not been read yet' },
    { name: 'watches', problem: names === '' ? '' : `not followed for up to ${longest} s: ${names}` },
    { name: 'bindings', problem: bindingSeconds < UNREADY_SECONDS ? '' : `not accepted for ${bindingSeconds} s` },
  ];
}

function secondsSince(trouble: OngoingTrouble | undefined, nowMs: number): number {
  return trouble === undefined ? 0 : Math.round((nowMs - trouble.sinceMs) / 1000);
}

function respond(status: number, contentType: string, body: string): Http1Response {
  return { status, headers: [['content-type', contentType]], body };
}

function metricsOf(sources: StatusSources, scheduler: Scheduler | undefined): string {
  const { api, leaseName, cpuSeconds, residentBytes } = sources;
  const requests = api
    .requestCounts()
    .map(({ verb, code, count }) => ({ labels: `code="${code}",method="${verb}"`, value: count }));
  const parts = [
    metric('counter', 'rest_client_requests_total', 'Number of HTTP requests, by status code and method.', requests),
    metric('counter', 'process_cpu_seconds_total', 'Total user and system CPU time spent in seconds.', [
      { labels: '', value: cpuSeconds() },
    ]),
    metric('gauge', 'process_resident_memory_bytes', 'Resident memory size in bytes.', [
      { labels: '', value: residentBytes() },
    ]),
    ...(leaseName === undefined
      ? []
      : [
          metric('gauge', 'leader_election_master_status', 'Whether this process leads.', [
            { labels: `name=${JSON.stringify(leaseName)}`, value: scheduler === undefined ? 0 : 1 },
          ]),
        ]),
  ];
  if (scheduler === undefined) return parts.join('');
  const queues = Object.entries(scheduler.queue.counts);
  const { nodes, pods, assumedPods, droppedWrites, reflections, bindings, shards } = scheduler.figures;
  const nowMs = sources.nowMs();
  const perResource = (figureOf: (reflection: Reflection) => number): { labels: string; value: number }[] =>
    reflections.map((one) => ({ labels: `resource="${one.resource}"`, value: figureOf(one) }));
  return [
    ...parts,
    scheduler.counters.text(),
    metric(
      'gauge',
      'scheduler_pending_pods',
      'Number of pending pods, by the queue type.',
      queues.map(([queue, value]) => ({ labels: `queue="${queue}"`, value })),
    ),
    metric('gauge', 'scheduler_cache_size', 'Number of nodes, pods, and assumed (bound) pods in the scheduler cache.', [
      { labels: 'type="nodes"', value: nodes },
      { labels: 'type="pods"', value: pods },
      { labels: 'type="assumed_pods"', value: assumedPods },
    ]),
    metric(
      'counter',
      'k1m_scheduler_watch_failures_total',
      'Lists and watches that failed.',
      perResource(({ counts }) => counts.failures),
    ),
    metric(
      'gauge',
      'k1m_scheduler_watch_failing_seconds',
      'For how long a collection has not been followed; 0 while it is.',
      perResource(({ trouble }) => secondsSince(trouble, nowMs)),
    ),
    metric(
      'counter',
      'k1m_scheduler_binding_failures_total',
      'Requests to bind that did not bind, by what the API server or the network made of them.',
      [...bindings.failures].map(([reason, value]) => ({ labels: `reason="${reason}"`, value })),
    ),
    metric(
      'gauge',
      'k1m_scheduler_binding_failing_seconds',
      'For how long no binding was accepted; 0 while some are.',
      [{ labels: '', value: secondsSince(bindings.trouble, nowMs) }],
    ),
    metric('counter', 'k1m_scheduler_status_writes_dropped_total', 'Events and conditions that were left out.', [
      { labels: '', value: droppedWrites },
    ]),
    ...(shards === undefined ? [] : shardMetrics(shards)),
  ].join('');
}

function shardMetrics({ shards, shardsUp, questions, standIns, losses, waitingMs }: ShardFigures): string[] {
  const plain = (type: 'counter' | 'gauge', name: string, help: string, value: number): string =>
    metric(type, name, help, [{ labels: '', value }]);
  return [
    plain('gauge', 'k1m_scheduler_shards', 'Shards that are wanted.', shards),
    plain('gauge', 'k1m_scheduler_shards_up', 'Shards that can be asked; fewer than wanted: none is.', shardsUp),
    plain('counter', 'k1m_scheduler_shard_losses_total', 'Shards that were lost, too slow or wrong.', losses),
    plain('counter', 'k1m_scheduler_shard_questions_total', 'Questions that were put to all shards.', questions),
    plain('gauge', 'k1m_scheduler_shard_waiting_seconds', 'For how long an answer is awaited.', waitingMs / 1000),
    plain('counter', 'k1m_scheduler_own_indexes_total', 'Indexes that were made without shards.', standIns),
  ];
}

function metric(
  type: 'counter' | 'gauge',
  name: string,
  help: string,
  values: readonly { readonly labels: string; readonly value: number }[],
): string {
  const lines = values.map(({ labels, value }) => `${name}${labels === '' ? '' : `{${labels}}`} ${value}\n`);
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}
