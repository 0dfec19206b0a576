// A configuration with all its defaults as kube-scheduler writes it: --write-config-to, and /configz.

import { type ConfigurationDraft, GROUP_VERSION, type ProfileDraft } from './configuration-draft.ts';
import type { JsonObject } from './configuration-text.ts';
import { formatDuration } from './go-duration.ts';
import { type PluginSet, pluginsOf } from './plugin-expansion.ts';

export function versionedConfiguration(draft: ConfigurationDraft): JsonObject {
  const { leaderElection } = draft;
  return {
    apiVersion: GROUP_VERSION,
    kind: 'KubeSchedulerConfiguration',
    parallelism: draft.parallelism,
    leaderElection: {
      ...leaderElection,
      leaseDuration: formatDuration(leaderElection.leaseDuration),
      renewDeadline: formatDuration(leaderElection.renewDeadline),
      retryPeriod: formatDuration(leaderElection.retryPeriod),
    },
    clientConnection: { ...draft.clientConnection },
    enableProfiling: draft.enableProfiling,
    enableContentionProfiling: draft.enableContentionProfiling,
    percentageOfNodesToScore: draft.percentageOfNodesToScore,
    podInitialBackoffSeconds: draft.podInitialBackoffSeconds,
    podMaxBackoffSeconds: draft.podMaxBackoffSeconds,
    profiles: draft.profiles.map(versionedProfile),
    ...(draft.delayCacheUntilActive ? { delayCacheUntilActive: true } : {}),
  };
}

function versionedProfile({ schedulerName, percentageOfNodesToScore, sets, pluginConfig }: ProfileDraft): JsonObject {
  const needed = pluginsOf(sets);
  const configs = pluginConfig
    .filter(({ name, args }) => needed.has(name) && args !== undefined)
    .map(({ name, args }) => ({ name, args: args ?? null }));
  configs.sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    schedulerName,
    ...(percentageOfNodesToScore === undefined ? {} : { percentageOfNodesToScore }),
    plugins: {
      ...Object.fromEntries([...sets.at].map(([point, set]) => [point, versionedSet(set)])),
      multiPoint: versionedSet(sets.multiPoint),
    },
    ...(configs.length > 0 ? { pluginConfig: configs } : {}),
  };
}

function versionedSet({ enabled, disabled }: PluginSet): JsonObject {
  const listed = (plugins: PluginSet['enabled']): JsonObject[] => plugins.map(({ name, weight }) => ({ name, weight }));
  return {
    ...(enabled.length > 0 ? { enabled: listed(enabled) } : {}),
    ...(disabled.length > 0 ? { disabled: listed(disabled) } : {}),
  };
}
