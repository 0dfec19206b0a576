// `k1m schedule`: places pods on nodes in place of kube-scheduler. docs/scheduler.md says what it does, and what it does not yet.

import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { Command, Option } from 'commander';
import type { Logger } from 'pino';
import { stringify } from 'yaml';
import { RealClock, within } from '../io/clock.ts';
import { processUsage } from '../io/process-usage.ts';
import type { KubeApi } from '../kube-api/kube-api.ts';
import type { LeaderElectionOptions } from '../scheduler/driver/leader-elector.ts';
import { LedScheduler } from '../scheduler/driver/led-scheduler.ts';
import { answerStatus } from '../scheduler/driver/status-pages.ts';
import type { SchedulerProfile } from '../scheduler/model/scheduler-profile.ts';
import { UsageError } from './flag-values.ts';
import { jsonLogger } from './json-log.ts';
import { LogLimit } from './log-limit.ts';
import { explainCommand } from './schedule-explain.ts';
import {
  addClusterOptions,
  bool,
  type ClusterFlags,
  duration,
  type ElectionFlags,
  openApi,
  type SchedulerSettings,
  settingsOf,
} from './schedule-settings.ts';
import { addShardOptions, checkShards, type ShardFlags, shardCommand, shardOpener } from './schedule-shards.ts';
import { addBindOptions, type BindFlags, type OpenedCluster, openCluster, profilesAt } from './schedule-store.ts';
import { whatIfCommand } from './schedule-what-if.ts';
import { addSecureServingOptions, checkDelegation, checkSecureServing, PORT_MAX } from './secure-serving.ts';
import { StatusPort, type StatusPortFlags } from './status-port.ts';
import { addUpstreamOptions, withoutEffect } from './upstream-flags.ts';
import { version } from './version.ts';
import { wholeNumberWithin } from './whole-number.ts';

/** How long an orderly end may take. */
const CLOSE_MS_MAX = 5000;
const ALIVE_MS = 3_600_000;
const LOG_LEVELS: readonly string[] = ['debug', 'info', 'warn', 'error'];
/** client-go's JitterFactor: a renewal that is late by it must still be in time. */
const JITTER = 1.2;

/** commander's names of the options. */
interface Flags extends ClusterFlags, ElectionFlags, StatusPortFlags, BindFlags, ShardFlags {
  readonly logLevel: string;
  readonly writeConfigTo?: string;
  readonly podMaxInUnschedulablePodsDuration: number;
}

interface Settings extends SchedulerSettings {
  readonly flags: Flags;
}

export function scheduleCommand(): Command {
  const command = new Command('schedule').description(
    'place pods on nodes in place of kube-scheduler, all nodes considered for each',
  );
  return addUpstreamOptions(addSecureServingOptions(addShardOptions(addBindOptions(addClusterOptions(command)))))
    .option(
      '--leader-elect [yes]',
      'schedule only while this process holds the Lease; =false for a lone one',
      bool,
      true,
    )
    .addOption(seconds('--leader-elect-lease-duration <time>', 'the Lease is free when not renewed for so long', 15))
    .addOption(seconds('--leader-elect-renew-deadline <time>', 'a leader that cannot renew for so long ends', 10))
    .addOption(seconds('--leader-elect-retry-period <time>', 'between two tries', 2))
    .option('--leader-elect-resource-name <name>', 'of the Lease', 'kube-scheduler')
    .option('--leader-elect-resource-namespace <name>', 'of the Lease', 'kube-system')
    .option(
      '--port <n>',
      'the same pages over plain HTTP on 127.0.0.1, open to all there; 0: none',
      wholeNumberWithin(0, PORT_MAX),
      0,
    )
    .addOption(new Option('--log-level <level>', 'of what is logged').choices(LOG_LEVELS).default('info'))
    .addOption(
      seconds('--pod-max-in-unschedulable-pods-duration <time>', 'pods that wait for so long are tried again', 300),
    )
    .version(`k1m ${version()}`, '--version', 'print the version')
    .option('--write-config-to <file>', 'write the configuration with all its defaults there, and end')
    .enablePositionalOptions()
    .addCommand(explainCommand())
    .addCommand(whatIfCommand())
    .addCommand(shardCommand())
    .action((flags: Flags) => schedule(withElection(flags, command)));
}

function seconds(flags: string, help: string, byDefault: number): Option {
  return new Option(flags, help).argParser(duration).default(byDefault * 1000, `${byDefault}s`);
}

/** The configuration's leader election, and the flags that were given before it. */
function withElection(flags: Flags, command: Command): Settings {
  const settings = settingsOf(flags, command);
  const given = Object.entries(flags).filter(([name]) => command.getOptionValueSource(name) === 'cli');
  return {
    ...settings,
    remarks: [...settings.remarks, ...withoutEffect(command)],
    flags: { ...flags, ...settings.election, ...Object.fromEntries(given) },
  };
}

/** As client-go's NewLeaderElector: otherwise two may lead. */
function checkElection(flags: Flags): void {
  const { leaderElectLeaseDuration, leaderElectRenewDeadline, leaderElectRetryPeriod } = flags;
  if (leaderElectLeaseDuration <= leaderElectRenewDeadline) {
    throw new UsageError('leaseDuration must be greater than renewDeadline', 'schedule');
  }
  if (leaderElectRenewDeadline <= JITTER * leaderElectRetryPeriod) {
    throw new UsageError('renewDeadline must be greater than retryPeriod*JitterFactor', 'schedule');
  }
}

async function schedule(settings: Settings): Promise<void> {
  const { flags } = settings;
  checkElection(flags);
  checkShards(flags);
  checkSecureServing(flags);
  checkDelegation(flags);
  if (flags.writeConfigTo !== undefined) {
    writeFileSync(flags.writeConfigTo, stringify(settings.configuration, { aliasDuplicateObjects: false }));
    return;
  }
  const logger = jsonLogger(flags.logLevel);
  for (const remark of settings.remarks) logger.warn(remark);
  const clock = new RealClock();
  const cluster = await openCluster(flags, settings.kubeconfig);
  for (const remark of cluster.remarks) logger.warn(remark);
  const { api } = cluster;
  // Between two tries nothing else may keep the process alive.
  const alive = setInterval(() => {}, ALIVE_MS);
  const running = new Running(settings, cluster, clock, logger);
  const { promise: ended, resolve: end } = Promise.withResolvers<number>();
  running.onLost = () => end(1);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => end(0));
  try {
    await running.start();
    for (const { text } of await api.accessProblems()) logger.warn(text);
    process.exitCode = await ended;
  } finally {
    // Also where it could not start: a port that is taken must not leave a process that does nothing.
    clearInterval(alive);
    await within(clock, CLOSE_MS_MAX, running.close());
  }
}

/** The scheduler while it leads, and the pages that say how it is. */
class Running {
  onLost: () => void = () => {};
  readonly #flags: Flags;
  readonly #api: KubeApi;
  readonly #bindingsMax: number | undefined;
  readonly #profiles: readonly SchedulerProfile[];
  readonly #clock: RealClock;
  readonly #settings: Settings;
  readonly #logger: Logger;
  readonly #identity: string = `${hostname()}_${randomUUID()}`;
  readonly #limit: LogLimit;
  readonly #port: StatusPort;
  readonly #openShards: ReturnType<typeof shardOpener>;
  readonly #led: LedScheduler;

  constructor(settings: Settings, cluster: OpenedCluster, clock: RealClock, logger: Logger) {
    const { api, apiServer, bindingsMax } = cluster;
    this.#profiles = profilesAt(cluster, settings.profiles);
    this.#settings = settings;
    this.#flags = settings.flags;
    this.#api = api;
    this.#bindingsMax = bindingsMax;
    this.#clock = clock;
    this.#logger = logger;
    const limit = new LogLimit(clock);
    this.#limit = limit;
    const sources = {
      scheduler: () => this.#led.scheduler,
      api,
      configuration: settings.configuration,
      leaseName: settings.flags.leaderElect ? settings.flags.leaderElectResourceName : undefined,
      cpuSeconds: () => processUsage().cpuSeconds,
      residentBytes: () => processUsage().residentBytes,
      nowMs: () => clock.nowMs(),
    };
    this.#port = new StatusPort({
      flags: this.#flags,
      clock,
      api: apiServer,
      openApi: (kubeconfig) => openApi({ schedulerName: [] }, kubeconfig),
      answer: (request) => answerStatus(sources, request),
      onProblem: (text) => limit.tell('status port', text, (line) => logger.warn(line)),
    });
    this.#openShards = shardOpener({ flags: this.#flags, clock, profiles: this.#profiles, logger });
    this.#led = this.#makeLed();
  }

  async start(): Promise<void> {
    await this.#port.start();
    if (this.#flags.leaderElect) this.#logger.info({ identity: this.#identity }, 'waiting to lead');
    this.#led.start();
  }

  async close(): Promise<void> {
    this.#logger.info('ending');
    await this.#led.close();
    await this.#api.close();
    await this.#port.close();
  }

  #makeLed(): LedScheduler {
    const logger = this.#logger;
    const limit = this.#limit;
    return new LedScheduler({
      election: this.#flags.leaderElect ? this.#election() : undefined,
      scheduler: {
        api: this.#api,
        clock: this.#clock,
        profiles: this.#profiles,
        backoff: this.#settings.backoff,
        parkedMsMax: this.#flags.podMaxInUnschedulablePodsDuration,
        ...(this.#bindingsMax === undefined ? {} : { bindingsMax: this.#bindingsMax }),
        openShards: this.#openShards,
        instance: hostname(),
        notices: {
          onProblem: (resource, text) => limit.tell(resource, text, (line) => logger.warn({ resource }, line)),
          onSynced: (seconds) => logger.info({ seconds: Number(seconds.toFixed(2)) }, 'scheduling'),
          onBindingFailed: (pod, text) => limit.tell('binding', text, (line) => logger.warn({ pod }, line)),
          onPreemptionFailed: (pod, text) => limit.tell('preemption', text, (line) => logger.warn({ pod }, line)),
        },
      },
    });
  }

  #election(): LeaderElectionOptions {
    const flags = this.#flags;
    const logger = this.#logger;
    const identity = this.#identity;
    return {
      api: this.#api,
      clock: this.#clock,
      lease: { namespace: flags.leaderElectResourceNamespace, name: flags.leaderElectResourceName },
      identity,
      leaseDurationMs: flags.leaderElectLeaseDuration,
      renewDeadlineMs: flags.leaderElectRenewDeadline,
      retryPeriodMs: flags.leaderElectRetryPeriod,
      onLeading: () => logger.info({ identity }, 'leading'),
      onLost: (reason) => {
        logger.error({ reason }, 'leaderelection lost');
        this.onLost();
      },
      onProblem: (text) => logger.warn(text),
    };
  }
}
