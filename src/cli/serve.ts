// `k1m serve`: flags, environment, config file → a running server, what it says at start, and how it stops.

import { randomBytes, randomInt } from 'node:crypto';
import { availableParallelism, totalmem } from 'node:os';
import { basename, resolve } from 'node:path';
import { Command } from 'commander';
import type { Logger } from 'pino';
import type { DiskNotices } from '../etcd/disk-health.ts';
import { budgetText } from '../etcd/loss-budget.ts';
import { ETCD_VERSION } from '../etcd/maintenance-service.ts';
import { openServer, type Server } from '../etcd/server.ts';
import type { ServerNotices } from '../etcd/server-options.ts';
import { SERVER_DEFAULTS } from '../h2/connection-options.ts';
import { RealClock } from '../io/clock.ts';
import { collectAlone, makeCollector } from '../io/collector.ts';
import type { Disk } from '../io/disk.ts';
import { FailpointDisk, parseFailpoints } from '../io/failpoints.ts';
import { FileDisk } from '../io/file-disk.ts';
import { openPrefault } from '../io/prefault.ts';
import { LoopMonitor, processUsage } from '../io/process-usage.ts';
import { TcpNetwork } from '../io/tcp-network.ts';
import { quoted } from '../repair/byte-text.ts';
import { type FlagValues, UsageError } from './flag-values.ts';
import { type Flag, SERVE_FLAGS } from './flags.ts';
import { jsonLogger } from './json-log.ts';
import { type ServeConfig, serveConfig } from './serve-config.ts';
import { firstLine, readServeFlags } from './serve-flags.ts';

/** One watch message holds all events of a revision, however many; beyond this its stream is reset and resumes. */
const STREAM_QUEUE_BYTES_MAX = 512 << 20;
/** Between two lines on how far the start is. */
const PROGRESS_MS = 2_000;
const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'panic', 'fatal'];

export function serveCommand(): Command {
  const command = new Command('serve')
    .description('serve the etcd v3 API on a data folder')
    .usage('[flags]')
    .allowUnknownOption()
    .allowExcessArguments()
    .passThroughOptions()
    .helpOption(false);
  command.helpInformation = serveHelp;
  return command.argument('[flags...]').action(async (_flags: string[], _options: unknown, command: Command) => {
    await serve(rawArguments(command));
  });
}

/** What stands behind the command's name, untouched. */
function rawArguments(command: Command): string[] {
  const root = command.parent as (Command & { rawArgs?: string[] }) | null;
  const raw = root?.rawArgs ?? [];
  return raw.slice(raw.indexOf(command.name()) + 1);
}

async function serve(argv: readonly string[]): Promise<void> {
  if (argv.some((word) => word === '--help' || word === '-h' || word === '-help')) {
    process.stdout.write(serveHelp());
    return;
  }
  if (argv.some((word) => word === '--version' || word === '-version')) {
    process.stdout.write(
      `etcd Version: ${ETCD_VERSION}\nGit SHA: Not provided\nGo Version: none (k1m)\nGo OS/Arch: ${process.platform}/${process.arch}\n`,
    );
    return;
  }
  const warnings: string[] = [];
  const values = readServeFlags(argv, (text) => warnings.push(text));
  values.check();
  const config = serveConfig(values, totalmem());
  const logger = makeLogger(values);
  for (const warning of warnings) logger.warn(warning);
  for (const name of values.namesOf('accepted')) logger.warn({ flag: name }, 'this flag has no effect here');
  await run(config, values, logger);
}

/** JSON lines on standard error in zap's form, as etcd writes them; on a terminal only warnings and worse. */
function makeLogger(values: FlagValues): Logger {
  const level = values.string('log-level');
  if (!LOG_LEVELS.includes(level)) throw new UsageError(`unrecognized level: ${JSON.stringify(level)}`);
  const chosen = level === 'panic' ? 'fatal' : level;
  const isQuiet = process.stderr.isTTY && !values.isSet('log-level');
  return jsonLogger(isQuiet ? 'warn' : chosen);
}

async function run(config: ServeConfig, values: FlagValues, logger: Logger): Promise<void> {
  collectAlone();
  const monitor = new LoopMonitor();
  const startedMs = performance.now();
  logger.info({ 'data-dir': resolve(config.folder), cores: availableParallelism() }, 'starting k1m');
  const onFatal = (error: unknown): void => {
    // Nothing that was not acknowledged may be acknowledged now: the process ends here.
    logger.fatal({ error: describe(error) }, 'the server cannot go on');
    process.stderr.write(`k1m: ${describe(error)}\n`);
    process.exit(1);
  };
  process.on('uncaughtException', onFatal);
  process.on('unhandledRejection', onFatal);
  const server = await openServer({
    disk: makeDisk(logger),
    network: new TcpNetwork(),
    clock: new RealClock(),
    random: Math.random,
    randomId: () => randomBytes(8).readBigUInt64BE(),
    salt: randomInt(1, 2 ** 32),
    usage: processUsage,
    loopStallSeconds: () => monitor.takeLongestSeconds(),
    collect: makeCollector(),
    prefault: openPrefault(),
    folder: config.folder,
    identity: config.identity,
    member: { name: config.name, peerUrls: config.peerUrls, clientUrls: config.clientUrls },
    listen: config.listen,
    listenMetrics: config.listenMetrics,
    durability: config.durability,
    h2: {
      ...SERVER_DEFAULTS,
      concurrentStreamsMax: values.number('max-concurrent-streams'),
      pingMinTimeMs: values.durationMs('grpc-keepalive-min-time'),
      keepaliveTimeMs: values.durationMs('grpc-keepalive-interval'),
      keepaliveTimeoutMs: values.durationMs('grpc-keepalive-timeout'),
      streamQueueBytesMax: STREAM_QUEUE_BYTES_MAX,
    },
    requestBytesMax: values.number('max-request-bytes'),
    txnOpsMax: values.number('max-txn-ops'),
    quotaBytes: config.quotaBytes,
    replyBytesMax: values.number('reply-bytes-max'),
    progressIntervalMs: Math.max(values.durationMs('watch-progress-notify-interval'), 100),
    minimumLeaseTtlSeconds: config.minimumLeaseTtlSeconds,
    autoCompaction: config.autoCompaction,
    commitDelayMs: values.number('commit-delay-us') / 1000,
    bufferedLossMsMax: values.number('buffered-loss-ms'),
    bufferedLossBytesMax: values.number('buffered-loss-bytes'),
    snapshots: {
      logBytesMin: values.number('snapshot-log-bytes'),
      logShare: values.number('snapshot-log-percent') / 100,
    },
    diskLimits: {
      stallMsMax: values.number('disk-stall-ms'),
      reserveBytes: values.number('disk-reserve-bytes'),
    },
    diskNotices: diskNoticesTo(logger, values.number('disk-stall-ms')),
    backups: config.backups,
    notices: noticesTo(logger),
    onFatal,
  });
  const { store } = server.engine;
  const { cut } = server.recovery;
  if (cut !== undefined) logger.warn(cut, 'cut an unfinished end off the log');
  const startMs = Math.round(performance.now() - startedMs);
  const ports = server.ports;
  const { snapshot } = server;
  const from = snapshot && { snapshot: snapshot.path, 'snapshot-revision': snapshot.header.revision };
  logger.info({ revision: store.currentRevision, keys: store.liveKeyCount, 'took-ms': startMs, ...from }, 'restored');
  for (const budget of server.budgets) {
    const prefix = Buffer.from(budget.prefix).toString();
    logger.info({ prefix, class: budget.durability, budget: budgetText(budget) }, 'durability');
  }
  process.stdout.write(welcome(config, server, ports));
  stopOnSignals(server, logger);
  // etcd's line: scripts wait for it, and may signal as soon as they see it.
  logger.info({ ports }, 'ready to serve client requests');
}

/** What the server tells of snapshots and of a long start, as log lines. */
function noticesTo(logger: Logger): ServerNotices {
  let shownMs = performance.now();
  return {
    onSnapshotDamaged: ({ file, offset, reason }) => {
      logger.warn({ file, offset, reason }, 'a snapshot is damaged or incomplete; going on without it');
    },
    onProgress: (what, done, total) => {
      if (performance.now() - shownMs < PROGRESS_MS) return;
      shownMs = performance.now();
      const percent = Math.floor((100 * done) / Math.max(1, total));
      if (logger.isLevelEnabled('info')) logger.info({ what, percent }, 'restoring');
      else process.stderr.write(`k1m: restoring, ${percent} % of the ${what}\n`);
    },
    onSnapshotTaken: ({ path, revision, bytes, durationSeconds }) => {
      const tookMs = Math.round(durationSeconds * 1000);
      logger.info({ file: path, revision, bytes, 'took-ms': tookMs }, 'took a snapshot');
    },
    onSnapshotFailed: (error, retryMs) => {
      logger.warn({ error: error.message, 'retry-ms': retryMs }, 'a snapshot failed; the log keeps everything');
    },
    onBackupTaken: ({ path, revision, bytes, durationSeconds }) => {
      const tookMs = Math.round(durationSeconds * 1000);
      logger.info({ file: path, revision, bytes, 'took-ms': tookMs }, 'made a backup');
    },
    onBackupFailed: (error, retryMs) => {
      logger.warn({ error: error.message, 'retry-ms': retryMs }, 'a backup failed');
    },
  };
}

/** For tests that kill the program: see docs/testing.md. */
function makeDisk(logger: Logger): Disk {
  const text = process.env.K1M_FAILPOINTS ?? '';
  if (text === '') return new FileDisk();
  logger.warn({ failpoints: text }, 'failpoints are set: this server ends or fails on purpose');
  try {
    const die = (): void => {
      process.kill(process.pid, 'SIGKILL');
    };
    return new FailpointDisk(new FileDisk(), parseFailpoints(text), {
      clock: new RealClock(),
      random: Math.random,
      die,
    });
  } catch (error) {
    throw new UsageError(`K1M_FAILPOINTS: ${firstLine(error)}`);
  }
}

/** What the server tells of its disk, as log lines. */
function diskNoticesTo(logger: Logger, stallMs: number): DiskNotices {
  return {
    onDiskStalled: (stalledMs, isFull) => {
      const reason = isFull ? 'the disk is full' : 'the disk does not answer';
      logger.warn({ 'since-ms': Math.round(stalledMs) }, `${reason}; writes wait, reads go on`);
    },
    // etcd's words for it.
    onDiskAnswered: (stalledMs) => {
      const took = `${(stalledMs / 1000).toFixed(3)}s`;
      logger.warn({ took, 'expected-duration': `${stallMs / 1000}s` }, 'slow fdatasync');
    },
    onSpaceLow: (freeBytes, reserveBytes) => {
      logger.warn({ 'free-bytes': freeBytes, 'reserve-bytes': reserveBytes }, 'little room on the disk; alarm NOSPACE');
    },
    onSpaceEnough: (freeBytes) => logger.info({ 'free-bytes': freeBytes }, 'room on the disk again; no alarm NOSPACE'),
    onSpaceUnknown: ({ message }) => logger.warn({ error: message }, 'cannot tell how much room the disk has'),
  };
}

function stopOnSignals(server: Server, logger: Logger): void {
  let isStopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (isStopping) process.exit(1);
    isStopping = true;
    logger.info({ signal }, 'stopping');
    server.close().then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`k1m: ${describe(error)}\n`);
        process.exit(1);
      },
    );
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
}

function welcome(config: ServeConfig, server: Server, ports: readonly number[]): string {
  const { host } = config.listen[0] ?? { host: '127.0.0.1' };
  const endpoint = `http://${host.includes(':') ? `[${host}]` : host}:${ports[0]}`;
  const { store } = server.engine;
  const from = server.snapshot === undefined ? '' : `, from ${basename(server.snapshot.path)}`;
  const keys = `${store.liveKeyCount} keys at revision ${store.currentRevision}${from}`;
  const state = server.recovery.isNew ? 'new' : keys;
  return (
    `k1m serves the etcd ${ETCD_VERSION.slice(0, 3)} API on ${endpoint}\n` +
    `  data        ${resolve(config.folder)} (${state})\n` +
    durabilityLines(server) +
    `  try         curl ${endpoint}/health\n` +
    `              etcdctl --endpoints=${endpoint} put hello world\n` +
    `              npx k1m bench put --endpoint ${endpoint}\n`
  );
}

function durabilityLines({ budgets }: Server): string {
  const lines = budgets.map((budget) => {
    const { prefix } = budget;
    return prefix.length === 0 ? budgetText(budget) : `${quoted(prefix)} ${budgetText(budget)}`;
  });
  return lines.map((line, i) => `  ${(i === 0 ? 'durability' : '').padEnd(10)}  ${line}\n`).join('');
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function serveHelp(): string {
  const lines = SERVE_FLAGS.filter(({ use }) => use === 'used').map(
    (flag) => `  ${flagUsage(flag)}\n        ${flag.help}`,
  );
  const others = (use: Flag['use']): string => {
    return SERVE_FLAGS.filter((flag) => flag.use === use)
      .map(({ name }) => name)
      .join(' ');
  };
  return (
    'Usage: k1m serve [flags]\n\nServes the etcd v3 API on a data folder.\n\nFlags (as --x=y, --x y or -x=y):\n' +
    `${lines.join('\n')}\n\nEach flag has an environment variable: ETCD_DATA_DIR for --data-dir; K1M_… for durability,\n` +
    'durability-prefix, buffered-loss-ms, buffered-loss-bytes, reply-bytes-max, snapshot-log-*, disk-* and backup-*.\n\n' +
    `Understood for etcd's sake, without effect:\n  ${others('accepted')}\n\nRefused until supported:\n  ${others('later')}\n`
  );
}

function flagUsage(flag: Flag): string {
  return flag.default === '' ? `--${flag.name}` : `--${flag.name} '${flag.default}'`;
}
