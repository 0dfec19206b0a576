// What a scheduler is made of, whom it tells, and what it says about itself.

import type { Clock } from '../../io/clock.ts';
import type { KubeApi, Reflection } from '../../kube-api/kube-api.ts';
import type { ResourceName } from '../../kube-api/resource.ts';
import type { Kernel, Outcome } from '../kernel/kernel.ts';
import type { SchedulerProfile } from '../model/scheduler-profile.ts';
import type { Backoff } from '../queue/backoff.ts';
import type { Acceptance } from './binder.ts';

export interface SchedulerNotices {
  /** Something cannot be followed, or an object cannot be read. */
  onProblem(resource: ResourceName, text: string): void;
  onSynced(seconds: number): void;
  onBindingFailed(pod: string, text: string): void;
  /** Victims of the pod could not be deleted. */
  onPreemptionFailed(pod: string, text: string): void;
}

/** A kernel whose indexes of the nodes are elsewhere, so that decisions may have to be waited for. */
export interface ShardedKernel {
  readonly kernel: Kernel;
  readonly figures: ShardFigures;
  /** Awaited: to be asked again, before any other pod, when it is told that something was answered. */
  decide(uid: string): Outcome;
  close(): void;
}

export interface ShardFigures {
  readonly shards: number;
  readonly shardsUp: number;
  /** Questions asked so far. */
  readonly questions: number;
  /** Indexes that were made here instead. */
  readonly standIns: number;
  /** Shards lost so far. */
  readonly losses: number;
  /** Of the question that has been open for longest. */
  readonly waitingMs: number;
}

export interface SchedulerOptions {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly profiles: readonly SchedulerProfile[];
  readonly backoff?: Backoff;
  /** Pods that have waited for so long are tried whatever happens (PARKED_MS_MAX_DEFAULT). */
  readonly parkedMsMax?: number;
  /** By the clock's nowMs: when another process may lead; nothing is bound from then on. It may move on. */
  readonly leadsUntilMs?: () => number;
  /** Undefined: the indexes of the nodes are here. `onAnswered` is to be called when what was awaited may be decided. */
  readonly openShards?: ((onAnswered: () => void) => ShardedKernel) | undefined;
  /** Bindings on their way at a time. */
  readonly bindingsMax?: number;
  readonly instance: string;
  readonly notices: SchedulerNotices;
}

export interface UnschedulableCount {
  readonly plugin: string;
  readonly profile: string;
  readonly count: number;
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
  readonly bindings: Acceptance;
  /** Undefined without shards. */
  readonly shards: ShardFigures | undefined;
}
