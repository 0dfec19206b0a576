// KubeSchedulerConfiguration as a scheduler of ours uses it.

import type { SchedulerProfile } from '../model/scheduler-profile.ts';
import type { ClientConnection } from './configuration-draft.ts';
import type { JsonObject } from './configuration-text.ts';
import type { ExpandedPlugins } from './plugin-expansion.ts';

export interface LeaderElection {
  readonly isEnabled: boolean;
  readonly leaseDurationMs: number;
  readonly renewDeadlineMs: number;
  readonly retryPeriodMs: number;
  readonly resourceName: string;
  readonly resourceNamespace: string;
}

export interface SchedulerConfiguration {
  /** At least one; names are unique. */
  readonly profiles: readonly SchedulerProfile[];
  /** By profile, what upstream would run at each extension point, in order. */
  readonly plugins: readonly ExpandedPlugins[];
  readonly parallelism: number;
  /** 0 to adapt to the number of nodes; of profiles that have none of their own. */
  readonly percentageOfNodesToScore: number;
  /** At least 1. */
  readonly podInitialBackoffSeconds: number;
  /** At least podInitialBackoffSeconds. */
  readonly podMaxBackoffSeconds: number;
  readonly leaderElection: LeaderElection;
  readonly clientConnection: ClientConnection;
  readonly enableProfiling: boolean;
  readonly enableContentionProfiling: boolean;
  readonly delayCacheUntilActive: boolean;
  /** What the file sets and nothing here heeds, `field: why`, to be logged. */
  readonly withoutEffect: readonly string[];
  /** With all defaults, as kube-scheduler's --write-config-to and /configz have it. */
  readonly versioned: JsonObject;
}
