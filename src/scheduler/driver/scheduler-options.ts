// What a scheduler is made of, whom it tells, and what it says about itself.

import type { Clock } from '../../io/clock.ts';
import type { KubeApi, Reflection } from '../../kube-api/kube-api.ts';
import type { ResourceName } from '../../kube-api/resource.ts';
import type { SchedulerProfile } from '../model/scheduler-profile.ts';
import type { Backoff } from '../queue/backoff.ts';
import type { Binder } from './binder.ts';

export interface SchedulerNotices {
  /** Something cannot be followed, or an object cannot be read. */
  onProblem(resource: ResourceName, text: string): void;
  onSynced(seconds: number): void;
  onBindingFailed(pod: string, text: string): void;
  /** Victims of the pod could not be deleted. */
  onPreemptionFailed(pod: string, text: string): void;
}

export interface SchedulerOptions {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly profiles: readonly SchedulerProfile[];
  readonly backoff?: Backoff;
  /** By the clock's nowMs: when another process may lead; nothing is bound from then on. It may move on. */
  readonly leadsUntilMs?: () => number;
  /** Bindings on their way at a time. */
  readonly bindingsMax?: number;
  readonly instance: string;
  readonly notices: SchedulerNotices;
}

export interface SchedulerFigures {
  readonly nodes: number;
  readonly pods: number;
  /** Decided, and not seen on their nodes yet. */
  readonly assumedPods: number;
  /** Events and conditions that were left out. */
  readonly droppedWrites: number;
  /** How the collections are followed. */
  readonly reflections: readonly Reflection[];
  /** How bindings are accepted. */
  readonly bindings: Pick<Binder, 'trouble' | 'failures'>;
}
