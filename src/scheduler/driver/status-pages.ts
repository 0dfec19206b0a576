// /healthz, /livez, /readyz, /metrics and /configz of a scheduler.

import type { Http1Request, Http1Response } from '../../io/http1.ts';
import type { KubeApi } from '../../kube-api/kube-api.ts';
import type { Scheduler } from './scheduler.ts';

export interface StatusSources {
  /** Undefined while another one leads. */
  readonly scheduler: () => Scheduler | undefined;
  readonly api: KubeApi;
  /** What /configz shows. */
  readonly configuration: unknown;
  readonly cpuSeconds: () => number;
  readonly residentBytes: () => number;
}

export function answerStatus(sources: StatusSources, { method, target }: Http1Request): Http1Response {
  if (method !== 'GET') return respond(405, 'text/plain; charset=utf-8', 'Method Not Allowed\n');
  const [path] = target.split('?');
  const scheduler = sources.scheduler();
  switch (path) {
    case '/healthz':
    case '/livez':
      return respond(200, 'text/plain; charset=utf-8', 'ok');
    case '/readyz':
      // One that waits to lead is ready to do so.
      if (scheduler === undefined || scheduler.isSynced) return respond(200, 'text/plain; charset=utf-8', 'ok');
      return respond(503, 'text/plain; charset=utf-8', '[-]informer-sync failed: not synced\nreadyz check failed\n');
    case '/configz':
      return respond(200, 'application/json', JSON.stringify({ 'kubescheduler.config.k8s.io': sources.configuration }));
    case '/metrics':
      return respond(200, 'text/plain; version=0.0.4; charset=utf-8', metricsOf(sources, scheduler));
    default:
      return respond(404, 'text/plain; charset=utf-8', '404 page not found\n');
  }
}

function respond(status: number, contentType: string, body: string): Http1Response {
  return { status, headers: [['content-type', contentType]], body };
}

function metricsOf(sources: StatusSources, scheduler: Scheduler | undefined): string {
  const { api, cpuSeconds, residentBytes } = sources;
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
    metric('gauge', 'leader_election_master_status', 'Whether this process leads.', [
      { labels: 'name="kube-scheduler"', value: scheduler === undefined ? 0 : 1 },
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
