// /metrics of a scheduler: what kube-scheduler has by its names, and what only this one can tell (k1m_scheduler_…).

import type { KubeApi, Reflection } from '../../kube-api/kube-api.ts';
import { secondsSince } from '../../kube-api/trouble.ts';
import type { Scheduler } from './scheduler.ts';
import type { ShardFigures } from './scheduler-options.ts';

export interface MetricSources {
  readonly api: KubeApi;
  /** Of the Lease that is held to lead; undefined for a scheduler that takes part in no election. */
  readonly leaseName: string | undefined;
  readonly cpuSeconds: () => number;
  readonly residentBytes: () => number;
  /** By the clock of the scheduler. */
  readonly nowMs: () => number;
}

/** In Prometheus' text format. `scheduler`: undefined while another one leads. */
export function metricsOf(sources: MetricSources, scheduler: Scheduler | undefined): string {
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
    metric(
      'counter',
      'scheduler_queue_incoming_pods_total',
      'Number of pods added to scheduling queues by event and queue type.',
      scheduler.queue.incoming
        .counts()
        .map(({ queue, event, count }) => ({ labels: `event="${event}",queue="${queue}"`, value: count })),
    ),
    metric(
      'counter',
      'scheduler_pod_scheduled_after_flush_total',
      'Number of pods that were successfully scheduled after being flushed from unschedulablePods due to timeout. This metric helps detect potential queueing hint misconfigurations or event handling issues.',
      [{ labels: '', value: scheduler.queue.placedAfterFlush }],
    ),
    metric(
      'gauge',
      'scheduler_unschedulable_pods',
      'The number of unschedulable pods broken down by plugin name. A pod will increment the gauge for all plugins that caused it to not schedule and so this metric have meaning only when broken down by plugin.',
      scheduler
        .unschedulablePods()
        .map(({ plugin, profile, count }) => ({ labels: `plugin="${plugin}",profile="${profile}"`, value: count })),
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
