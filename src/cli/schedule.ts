// `k1m schedule`: places pods on nodes in place of kube-scheduler. docs/scheduler.md says what it does, and what it does not yet.

import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { Command, InvalidArgumentError } from 'commander';
import { pino } from 'pino';
import { RealClock, within } from '../io/clock.ts';
import { Http1 } from '../io/http1.ts';
import { processUsage } from '../io/process-usage.ts';
import { TcpNetwork } from '../io/tcp-network.ts';
import { readTextFile } from '../io/text-file.ts';
import type { KubeApi } from '../kube-api/kube-api.ts';
import { openKubeApi } from '../kube-api/open-kube-api.ts';
import { readConfiguration } from '../scheduler/configuration/configuration-reader.ts';
import { LeaderElector } from '../scheduler/driver/leader-elector.ts';
import { Scheduler } from '../scheduler/driver/scheduler.ts';
import { answerStatus } from '../scheduler/driver/status-pages.ts';
import { DEFAULT_PROFILE, type SchedulerProfile } from '../scheduler/model/scheduler-profile.ts';
import { type Backoff, DEFAULT_BACKOFF } from '../scheduler/queue/backoff.ts';
import { parseDurationMs, UsageError } from './flag-values.ts';
import { version } from './version.ts';
import { wholeNumber } from './whole-number.ts';

/** How long an orderly end may take. */
const CLOSE_MS_MAX = 5000;
const ALIVE_MS = 3_600_000;
/** client-go's JitterFactor: a renewal that is late by it must still be in time. */
const JITTER = 1.2;
/** The scores of room are kept in so many buckets a group of nodes. */
const ROOM_WEIGHT_MAX = 200;

/** commander's names of the options. */
interface Flags {
  readonly config?: string;
  readonly kubeconfig?: string;
  readonly master?: string;
  readonly schedulerName: readonly string[];
  readonly leaderElect: boolean;
  readonly leaderElectLeaseDuration: number;
  readonly leaderElectRenewDeadline: number;
  readonly leaderElectRetryPeriod: number;
  readonly leaderElectResourceName: string;
  readonly leaderElectResourceNamespace: string;
  readonly bindAddress: string;
  readonly port: number;
  readonly logLevel: string;
}

export function scheduleCommand(): Command {
  return new Command('schedule')
    .description('place pods on nodes in place of kube-scheduler, all nodes considered for each')
    .option('--config <file>', 'a KubeSchedulerConfiguration v1; flags for leader election go before it')
    .option('--kubeconfig <file>', 'how to reach the API server; else KUBECONFIG, ~/.kube/config, the service account')
    .option('--master <url>', "the API server's address, in place of the kubeconfig's")
    .option('--scheduler-name <names...>', 'schedule pods with these names in spec.schedulerName', [
      'default-scheduler',
    ])
    .option(
      '--leader-elect [yes]',
      'schedule only while this process holds the Lease; =false for a lone one',
      bool,
      true,
    )
    .option('--leader-elect-lease-duration <time>', 'the Lease is free when not renewed for so long', duration, 15_000)
    .option('--leader-elect-renew-deadline <time>', 'a leader that cannot renew for so long ends', duration, 10_000)
    .option('--leader-elect-retry-period <time>', 'between two tries', duration, 2000)
    .option('--leader-elect-resource-name <name>', 'of the Lease', 'kube-scheduler')
    .option('--leader-elect-resource-namespace <name>', 'of the Lease', 'kube-system')
    .option(
      '--bind-address <host>',
      'of /healthz, /livez, /readyz, /configz and /metrics, over plain HTTP',
      '127.0.0.1',
    )
    .option('--port <n>', 'their port; 0: none', wholeNumber, 10_259)
    .option('--log-level <level>', 'debug, info, warn or error', 'info')
    .action((flags: Flags, command: Command) => schedule(settingsOf(flags, command)));
}

function bool(text: string): boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  throw new InvalidArgumentError('true or false is expected.');
}

function duration(text: string): number {
  const ms = parseDurationMs(text);
  if (ms === undefined || ms <= 0) throw new InvalidArgumentError('a duration like 15s is expected.');
  return ms;
}

type Logger = ReturnType<typeof makeLogger>;

/** JSON lines on standard error. */
function makeLogger(level: string): pino.Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: () => `,"ts":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ dest: 2, sync: true }),
  );
}

/** Flags and configuration file as one. */
interface Settings {
  readonly flags: Flags;
  readonly profiles: readonly SchedulerProfile[];
  readonly backoff: Backoff;
  /** For /configz. */
  readonly configuration: unknown;
  readonly remarks: readonly string[];
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

function checkWeights(profiles: readonly SchedulerProfile[]): void {
  for (const { schedulerName, scores } of profiles) {
    const ofRoom = scores.filter(({ name }) => name.startsWith('NodeResources'));
    if (ofRoom.reduce((sum, { weight }) => sum + weight, 0) <= ROOM_WEIGHT_MAX) continue;
    const text = `profile ${schedulerName}: the weights of NodeResourcesFit and NodeResourcesBalancedAllocation together are more than`;
    throw new UsageError(`${text} ${ROOM_WEIGHT_MAX}, which is not supported`, 'schedule');
  }
}

/** Preemption is not there yet. */
function withoutPreemption(profile: SchedulerProfile): SchedulerProfile {
  return { ...profile, preempts: false };
}

function settingsOf(flags: Flags, command: Command): Settings {
  if (flags.config !== undefined) return settingsFrom(flags.config, flags, command);
  const profiles = flags.schedulerName.map((schedulerName) => ({ ...DEFAULT_PROFILE, schedulerName }));
  return {
    flags,
    profiles: profiles.map(withoutPreemption),
    backoff: DEFAULT_BACKOFF,
    configuration: { profiles: profiles.map(({ schedulerName }) => ({ schedulerName })) },
    remarks: [],
  };
}

function settingsFrom(path: string, flags: Flags, command: Command): Settings {
  const text = readTextFile(path);
  if (text === undefined) throw new UsageError(`open ${path}: no such file or directory`, 'schedule');
  const read = readConfiguration(text);
  if ('problems' in read) throw new UsageError(read.problems.join('\n'), 'schedule');
  const { configuration } = read;
  checkWeights(configuration.profiles);
  if (command.getOptionValueSource('schedulerName') === 'cli') {
    throw new UsageError('--scheduler-name and --config cannot be used together', 'schedule');
  }
  const { leaderElection, clientConnection } = configuration;
  const chosen = <T>(name: keyof Flags, fromFile: T, fromFlag: T): T =>
    command.getOptionValueSource(name) === 'cli' ? fromFlag : fromFile;
  const kubeconfig = flags.kubeconfig ?? clientConnection.kubeconfig;
  const times = {
    leaderElectLeaseDuration: leaderElection.leaseDurationMs,
    leaderElectRenewDeadline: leaderElection.renewDeadlineMs,
    leaderElectRetryPeriod: leaderElection.retryPeriodMs,
  };
  const names = {
    leaderElectResourceName: leaderElection.resourceName,
    leaderElectResourceNamespace: leaderElection.resourceNamespace,
  };
  const fromFile = { leaderElect: leaderElection.isEnabled, ...times, ...names };
  const merged = { ...fromFile };
  // An object literal has the keys of its type.
  for (const name of Object.keys(fromFile) as (keyof typeof fromFile)[]) {
    Object.assign(merged, { [name]: chosen(name, fromFile[name], flags[name]) });
  }
  return {
    flags: { ...flags, ...(kubeconfig === '' ? {} : { kubeconfig }), ...merged },
    profiles: configuration.profiles.map(withoutPreemption),
    backoff: {
      initialMs: configuration.podInitialBackoffSeconds * 1000,
      maxMs: configuration.podMaxBackoffSeconds * 1000,
    },
    configuration: configuration.versioned,
    remarks: configuration.withoutEffect,
  };
}

async function schedule(settings: Settings): Promise<void> {
  const { flags } = settings;
  checkElection(flags);
  const logger = makeLogger(flags.logLevel);
  for (const remark of settings.remarks) logger.warn(remark);
  const clock = new RealClock();
  const { kubeconfig, master } = flags;
  const api = await openKubeApi({
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
    ...(master === undefined ? {} : { master }),
    environment: process.env,
    readText: readTextFile,
    clock,
    chance: Math.random,
    userAgent: `k1m-schedule/${version()}`,
  });
  for (const { text } of await api.accessProblems()) logger.warn(text);
  // Between two tries nothing else may keep the process alive.
  const alive = setInterval(() => {}, ALIVE_MS);
  const running = new Running(settings, api, clock, logger);
  const { promise: ended, resolve: end } = Promise.withResolvers<number>();
  running.onLost = () => end(1);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => end(0));
  await running.start();
  process.exitCode = await ended;
  clearInterval(alive);
  await within(clock, CLOSE_MS_MAX, running.close());
}

/** The scheduler while it leads, and the pages that say how it is. */
class Running {
  onLost: () => void = () => {};
  readonly #flags: Flags;
  readonly #api: KubeApi;
  readonly #clock: RealClock;
  readonly #settings: Settings;
  readonly #logger: Logger;
  readonly #pages: Http1;
  #scheduler: Scheduler | undefined;
  #elector: LeaderElector | undefined;
  #closePages: () => Promise<void> = async () => {};

  constructor(settings: Settings, api: KubeApi, clock: RealClock, logger: Logger) {
    this.#settings = settings;
    this.#flags = settings.flags;
    this.#api = api;
    this.#clock = clock;
    this.#logger = logger;
    const sources = {
      scheduler: () => this.#scheduler,
      api,
      configuration: settings.configuration,
      cpuSeconds: () => processUsage().cpuSeconds,
      residentBytes: () => processUsage().residentBytes,
    };
    this.#pages = new Http1((request, reply) => reply(answerStatus(sources, request)));
  }

  async start(): Promise<void> {
    const { port, bindAddress, leaderElect } = this.#flags;
    if (port > 0) {
      const listener = await new TcpNetwork().listen({ host: bindAddress, port }, (stream) => {
        stream.start(this.#pages.accept(stream));
      });
      this.#closePages = () => listener.close();
    }
    if (leaderElect) this.#elect();
    else this.#lead();
  }

  async close(): Promise<void> {
    this.#logger.info('ending');
    this.#scheduler?.close();
    await this.#elector?.close();
    await this.#api.close();
    this.#pages.close();
    await this.#closePages();
  }

  #elect(): void {
    const flags = this.#flags;
    const logger = this.#logger;
    const identity = `${hostname()}_${randomUUID()}`;
    this.#elector = new LeaderElector({
      api: this.#api,
      clock: this.#clock,
      lease: { namespace: flags.leaderElectResourceNamespace, name: flags.leaderElectResourceName },
      identity,
      leaseDurationMs: flags.leaderElectLeaseDuration,
      renewDeadlineMs: flags.leaderElectRenewDeadline,
      retryPeriodMs: flags.leaderElectRetryPeriod,
      onLeading: () => {
        logger.info({ identity }, 'leading');
        this.#lead();
      },
      onLost: (reason) => {
        logger.error({ reason }, 'leaderelection lost');
        this.onLost();
      },
      onProblem: (text) => logger.warn(text),
    });
    logger.info({ identity }, 'waiting to lead');
    this.#elector.start();
  }

  #lead(): void {
    const logger = this.#logger;
    this.#scheduler = new Scheduler({
      api: this.#api,
      clock: this.#clock,
      profiles: this.#settings.profiles,
      backoff: this.#settings.backoff,
      mayBind: () => this.#elector?.isLeading ?? true,
      instance: hostname(),
      notices: {
        onProblem: (resource, text) => logger.warn({ resource }, text),
        onSynced: (seconds) => logger.info({ seconds: Number(seconds.toFixed(2)) }, 'scheduling'),
        onBindingFailed: (pod, text) => logger.warn({ pod }, text),
      },
    });
    this.#scheduler.start();
  }
}
