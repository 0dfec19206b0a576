// /healthz, /livez, /readyz, /metrics and /configz of a scheduler.

import type { Http1Request, Http1Response } from '../../io/http1.ts';
import { type OngoingTrouble, secondsSince } from '../../kube-api/trouble.ts';
import { answerChecks, type HealthCheck } from './health-checks.ts';
import type { Scheduler } from './scheduler.ts';
import { type MetricSources, metricsOf } from './scheduler-metrics.ts';

/** Trouble that has lasted for so long makes a scheduler unready. */
const UNREADY_SECONDS = 30;

export interface StatusSources extends MetricSources {
  /** Undefined while another one leads. */
  readonly scheduler: () => Scheduler | undefined;
  /** What /configz shows. */
  readonly configuration: unknown;
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

function respond(status: number, contentType: string, body: string): Http1Response {
  return { status, headers: [['content-type', contentType]], body };
}
