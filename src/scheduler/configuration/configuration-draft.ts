// A configuration with upstream's defaults (apis/config/v1/defaults.go, default_plugins.go), before anything is validated.

import { JsonView } from '../model/json-view.ts';
import { ARGUMENT_SCHEMAS } from './configuration-schema.ts';
import type { Json, JsonObject } from './configuration-text.ts';
import { ARGUMENTS } from './plugin-arguments.ts';
import { DEFAULT_MULTI_POINT, EXTENSION_POINTS } from './plugin-catalogue.ts';
import { mergedSet, type PluginSet, type PluginSets, pluginsOf } from './plugin-expansion.ts';
import { isObject } from './strict-decoder.ts';

export const GROUP_VERSION = 'kubescheduler.config.k8s.io/v1';

export interface PluginConfig {
  readonly name: string;
  /** Defaulted; as they were given for a plugin that has none. */
  readonly args: Json | undefined;
  readonly isGiven: boolean;
}

export interface ProfileDraft {
  /** '' where there are several profiles and this one has none. */
  readonly schedulerName: string;
  readonly percentageOfNodesToScore: number | undefined;
  readonly sets: PluginSets;
  readonly pluginConfig: readonly PluginConfig[];
}

/** Durations in nanoseconds. */
export interface LeaderElectionDraft {
  readonly leaderElect: boolean;
  readonly leaseDuration: number;
  readonly renewDeadline: number;
  readonly retryPeriod: number;
  readonly resourceLock: string;
  readonly resourceName: string;
  readonly resourceNamespace: string;
}

export interface ClientConnection {
  /** '' for the pod's own service account. */
  readonly kubeconfig: string;
  readonly acceptContentTypes: string;
  readonly contentType: string;
  /** Requests per second; negative for no limit. */
  readonly qps: number;
  readonly burst: number;
}

export interface ConfigurationDraft {
  readonly parallelism: number;
  readonly leaderElection: LeaderElectionDraft;
  readonly clientConnection: ClientConnection;
  readonly enableProfiling: boolean;
  readonly enableContentionProfiling: boolean;
  readonly percentageOfNodesToScore: number;
  readonly podInitialBackoffSeconds: number;
  readonly podMaxBackoffSeconds: number;
  readonly delayCacheUntilActive: boolean;
  readonly profiles: readonly ProfileDraft[];
  readonly extenders: readonly JsonView[];
  /** What the file sets of all this. */
  readonly given: JsonView;
}

/** Arguments: decoded, or as they were given for a plugin without a type of arguments. */
export type GivenArguments = (profile: number, config: number) => Json | undefined;

export function draftOf(given: JsonView, args: GivenArguments): ConfigurationDraft {
  const election = given.object('leaderElection');
  const client = given.object('clientConnection');
  const enableProfiling = given.has('enableProfiling') ? given.flag('enableProfiling') : true;
  const profiles = given.objects('profiles');
  const isOnly = profiles.length <= 1;
  return {
    parallelism: given.optionalNumber('parallelism') ?? 16,
    leaderElection: {
      leaderElect: election.has('leaderElect') ? election.flag('leaderElect') : true,
      leaseDuration: election.decimal('leaseDuration') || 15e9,
      renewDeadline: election.decimal('renewDeadline') || 10e9,
      retryPeriod: election.decimal('retryPeriod') || 2e9,
      resourceLock: election.text('resourceLock') || 'leases',
      resourceName: election.text('resourceName') || 'kube-scheduler',
      resourceNamespace: election.text('resourceNamespace') || 'kube-system',
    },
    clientConnection: {
      kubeconfig: client.text('kubeconfig'),
      acceptContentTypes: client.text('acceptContentTypes'),
      contentType: client.text('contentType') || 'application/vnd.kubernetes.protobuf',
      qps: client.decimal('qps') || 50,
      burst: client.number('burst') || 100,
    },
    enableProfiling,
    enableContentionProfiling: given.has('enableContentionProfiling')
      ? given.flag('enableContentionProfiling')
      : enableProfiling,
    percentageOfNodesToScore: given.number('percentageOfNodesToScore'),
    podInitialBackoffSeconds: secondsOf(given, 'podInitialBackoffSeconds', 1),
    podMaxBackoffSeconds: secondsOf(given, 'podMaxBackoffSeconds', 10),
    delayCacheUntilActive: given.flag('delayCacheUntilActive'),
    profiles: (profiles.length === 0 ? [new JsonView({}, '')] : profiles).map((profile, index) =>
      profileOf(profile, isOnly, (config) => args(index, config)),
    ),
    extenders: given.objects('extenders'),
    given,
  };
}

/** An int64, which a double may round. */
function secondsOf(view: JsonView, field: string, fallback: number): number {
  return view.has(field) ? view.decimal(field) : fallback;
}

function profileOf(given: JsonView, isOnly: boolean, argsAt: (config: number) => Json | undefined): ProfileDraft {
  const sets = mergedSets(given.object('plugins'));
  const configs = given.objects('pluginConfig').map((config, index): PluginConfig => {
    const name = config.text('name');
    const args = argsAt(index);
    const isTyped = ARGUMENT_SCHEMAS.has(name) && args !== undefined && isObject(args);
    return { name, args: isTyped ? defaultedArguments(name, args) : args, isGiven: true };
  });
  const isConfigured = new Set(configs.map(({ name }) => name));
  const rest = [...pluginsOf(sets)].filter((name) => ARGUMENT_SCHEMAS.has(name) && !isConfigured.has(name)).sort();
  return {
    schedulerName: isOnly && !given.has('schedulerName') ? 'default-scheduler' : given.text('schedulerName'),
    percentageOfNodesToScore: given.optionalNumber('percentageOfNodesToScore'),
    sets,
    pluginConfig: [...configs, ...rest.map((name) => ({ name, args: defaultedArguments(name, {}), isGiven: false }))],
  };
}

/** As upstream writes them, with their type. */
export function defaultedArguments(name: string, args: JsonObject): JsonObject {
  const fields = ARGUMENTS.get(name)?.defaulted(new JsonView(args, ''), args) ?? args;
  return { ...fields, apiVersion: GROUP_VERSION, kind: `${name}Args` };
}

function mergedSets(plugins: JsonView): PluginSets {
  const custom = (name: string): PluginSet => {
    const set = plugins.object(name);
    const listed = (field: string): PluginSet['enabled'] =>
      set.objects(field).map((plugin) => ({ name: plugin.text('name'), weight: plugin.number('weight') }));
    return { enabled: listed('enabled'), disabled: listed('disabled') };
  };
  const none: PluginSet = { enabled: [], disabled: [] };
  return {
    multiPoint: mergedSet({ enabled: DEFAULT_MULTI_POINT, disabled: [] }, custom('multiPoint')),
    at: new Map(EXTENSION_POINTS.map((point) => [point, mergedSet(none, custom(point))])),
  };
}
