// /healthz, /livez, /readyz, /metrics and /configz of a scheduler.

import type { Http1Request, Http1Response } from '../../io/http1.ts';
import type { KubeApi } from '../../kube-api/kube-api.ts';
import { answerChecks } from './health-checks.ts';
import type { Scheduler } from './scheduler.ts';

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
}

export function answerStatus(sources: StatusSources, { target }: Http1Request): Http1Response {
  const scheduler = sources.scheduler();
  const election = sources.leaseName === undefined ? [] : [{ name: 'leaderElection', problem: '' }];
  const ready = [...election, { name: 'sched-handler-sync', problem: syncProblem(scheduler) }];
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
function syncProblem(scheduler: Scheduler | undefined): string {
  return scheduler === undefined || scheduler.isSynced ? '' : 'the cluster has not been read yet';
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
      { labels: 'type="nodes"', value: scheduler.nodeCount },
      { labels: 'type="pods"', value: scheduler.podCount },
      { labels: 'type="assumed_pods"', value: scheduler.assumedCount },
    ]),
    metric('counter', 'k1m_scheduler_status_writes_dropped_total', 'Events and conditions that were left out.', [
      { labels: '', value: scheduler.droppedWrites },
    ]),
  ].join('');
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
