// What `k1m schedule` and its sub-commands are told alike: the API server, the profiles; flags and configuration file as one.

import { type Command, InvalidArgumentError } from 'commander';
import { RealClock } from '../io/clock.ts';
import { readTextFile } from '../io/text-file.ts';
import type { HttpKubeApi } from '../kube-api/http-kube-api.ts';
import { openKubeApi } from '../kube-api/open-kube-api.ts';
import { readConfiguration } from '../scheduler/configuration/configuration-reader.ts';
import type { SchedulerConfiguration } from '../scheduler/configuration/scheduler-configuration.ts';
import { DEFAULT_PROFILE, type SchedulerProfile } from '../scheduler/model/scheduler-profile.ts';
import { UNREAD_FIELDS } from '../scheduler/model/unread-fields.ts';
import { type Backoff, DEFAULT_BACKOFF } from '../scheduler/queue/backoff.ts';
import { parseDurationMs, UsageError } from './flag-values.ts';
import { readNamedFile } from './named-file.ts';
import { version } from './version.ts';

/** commander's names of the options. */
export interface ClusterFlags {
  readonly config?: string;
  readonly kubeconfig?: string;
  readonly master?: string;
  readonly schedulerName: readonly string[];
}

export interface ElectionFlags {
  readonly leaderElect: boolean;
  readonly leaderElectLeaseDuration: number;
  readonly leaderElectRenewDeadline: number;
  readonly leaderElectRetryPeriod: number;
  readonly leaderElectResourceName: string;
  readonly leaderElectResourceNamespace: string;
}

export interface SchedulerSettings {
  /** How to reach the API server, from the flag or the configuration. */
  readonly kubeconfig: string | undefined;
  readonly profiles: readonly SchedulerProfile[];
  readonly backoff: Backoff;
  /** For /configz. */
  readonly configuration: unknown;
  readonly remarks: readonly string[];
  /** What the configuration says about it; undefined without one. */
  readonly election: ElectionFlags | undefined;
}

export function addClusterOptions(command: Command): Command {
  return command
    .option('--config <file>', 'a KubeSchedulerConfiguration v1')
    .option('--kubeconfig <file>', 'how to reach the API server; else KUBECONFIG, ~/.kube/config, the service account')
    .option('--master <url>', "the API server's address, in place of the kubeconfig's")
    .option('--scheduler-name <names...>', 'schedule pods with these names in spec.schedulerName', [
      DEFAULT_PROFILE.schedulerName,
    ]);
}

/** Parses Go's durations above 0. */
export function duration(text: string): number {
  const ms = parseDurationMs(text);
  if (ms === undefined || ms <= 0) throw new InvalidArgumentError('a duration like 15s is expected.');
  return ms;
}

export function bool(text: string): boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  throw new InvalidArgumentError('true or false is expected.');
}

/** Throws UsageError. `command` is the one that was called. */
export function settingsOf(flags: ClusterFlags, command: Command): SchedulerSettings {
  if (flags.config !== undefined) return settingsFrom(flags.config, flags, command);
  const profiles = flags.schedulerName.map((schedulerName) => ({ ...DEFAULT_PROFILE, schedulerName }));
  return {
    kubeconfig: flags.kubeconfig,
    profiles,
    backoff: DEFAULT_BACKOFF,
    configuration: versionedDefaults(flags.schedulerName),
    remarks: [],
    election: undefined,
  };
}

/** For /configz: what a configuration that names these profiles alone comes to. */
function versionedDefaults(schedulerNames: readonly string[]): unknown {
  const profiles = schedulerNames.map((schedulerName) => ({ schedulerName }));
  const header = { apiVersion: 'kubescheduler.config.k8s.io/v1', kind: 'KubeSchedulerConfiguration' };
  const read = readConfiguration(JSON.stringify({ ...header, profiles }));
  if ('problems' in read) throw new UsageError(read.problems.join('\n'), 'schedule');
  return read.configuration.versioned;
}

function settingsFrom(path: string, flags: ClusterFlags, command: Command): SchedulerSettings {
  const read = readConfiguration(readNamedFile(path, 'schedule'));
  if ('problems' in read) throw new UsageError(read.problems.join('\n'), 'schedule');
  const { configuration } = read;
  if (command.getOptionValueSource('schedulerName') === 'cli') {
    throw new UsageError('--scheduler-name and --config cannot be used together', 'schedule');
  }
  const named = configuration.clientConnection.kubeconfig;
  return {
    kubeconfig: flags.kubeconfig ?? (named === '' ? undefined : named),
    profiles: configuration.profiles,
    backoff: {
      initialMs: configuration.podInitialBackoffSeconds * 1000,
      maxMs: configuration.podMaxBackoffSeconds * 1000,
    },
    configuration: configuration.versioned,
    remarks: configuration.withoutEffect,
    election: electionOf(configuration),
  };
}

function electionOf({ leaderElection }: SchedulerConfiguration): ElectionFlags {
  return {
    leaderElect: leaderElection.isEnabled,
    leaderElectLeaseDuration: leaderElection.leaseDurationMs,
    leaderElectRenewDeadline: leaderElection.renewDeadlineMs,
    leaderElectRetryPeriod: leaderElection.retryPeriodMs,
    leaderElectResourceName: leaderElection.resourceName,
    leaderElectResourceNamespace: leaderElection.resourceNamespace,
  };
}

/** Throws CredentialsError. */
export function openApi({ master }: ClusterFlags, kubeconfig: string | undefined): Promise<HttpKubeApi> {
  return openKubeApi({
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
    ...(master === undefined ? {} : { master }),
    environment: process.env,
    readText: readTextFile,
    clock: new RealClock(),
    chance: Math.random,
    userAgent: `k1m-schedule/${version()}`,
    unreadFields: UNREAD_FIELDS,
  });
}

/** The options of a sub-command, and those that were given before its name, unless they are given again behind it. */
export function inherited<T extends object>(command: Command): T {
  const own = command.opts<T>();
  const { parent } = command;
  if (parent === null) return own;
  const names = command.options.map((option) => option.attributeName());
  const before = Object.entries(parent.opts()).filter(
    ([name]) =>
      names.includes(name) &&
      parent.getOptionValueSource(name) === 'cli' &&
      command.getOptionValueSource(name) !== 'cli',
  );
  return { ...own, ...Object.fromEntries(before) };
}
