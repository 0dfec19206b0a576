// Shards of `k1m schedule`: threads of its own, or processes that `k1m schedule shard` runs.

import { Command, InvalidArgumentError, Option } from 'commander';
import type { Logger } from 'pino';
import { type Clock, RealClock } from '../io/clock.ts';
import type { MessagePipe } from '../io/message-pipe.ts';
import type { ListenOptions, Network } from '../io/network.ts';
import { TcpNetwork } from '../io/tcp-network.ts';
import { type MutualIdentity, TlsNetwork } from '../io/tls-network.ts';
import type { ShardedKernel } from '../scheduler/driver/scheduler-options.ts';
import type { SchedulerProfile } from '../scheduler/model/scheduler-profile.ts';
import { ShardPool } from '../scheduler/shard-links/shard-pool.ts';
import { ShardServer, socketOpening } from '../scheduler/shard-links/shard-server.ts';
import { threadOpenings } from '../scheduler/shard-links/shard-threads.ts';
import { SHARDS_MAX } from '../scheduler/shards/sequencer.ts';
import { UsageError } from './flag-values.ts';
import { jsonLogger } from './json-log.ts';
import { LogLimit } from './log-limit.ts';
import { type IdentityFiles, identityOf } from './mutual-identity.ts';
import { wholeNumberWithin } from './whole-number.ts';

const LISTEN_DEFAULT = '127.0.0.1:7300';
const LOOPBACK: readonly string[] = ['127.0.0.1', '::1', 'localhost'];

/** commander's names of the options. */
export interface ShardFlags {
  readonly shards: number;
  readonly shardsAt?: readonly ListenOptions[];
  readonly shardsCertFile?: string;
  readonly shardsKeyFile?: string;
  readonly shardsTrustedCaFile?: string;
}

export function addShardOptions(command: Command): Command {
  return command
    .option(
      '--shards <n>',
      'arrange the nodes in so many threads; 0: where it decides',
      wholeNumberWithin(0, SHARDS_MAX),
      0,
    )
    .option('--shards-at <addresses>', 'or in processes of `k1m schedule shard`, separated by commas', addresses)
    .option('--shards-cert-file <file>', 'over TLS: the certificate that is shown to them')
    .option('--shards-key-file <file>', 'its key')
    .option('--shards-trusted-ca-file <file>', 'who vouches for theirs');
}

function addresses(text: string): readonly ListenOptions[] {
  const list = text.split(',').map(address);
  if (list.length > SHARDS_MAX) throw new InvalidArgumentError(`${SHARDS_MAX} addresses at most are expected.`);
  return list;
}

function address(text: string): ListenOptions {
  const [, host, port] = /^(.+):(\d{1,5})$/.exec(text) ?? [];
  if (host === undefined || Number(port) > 65_535) {
    throw new InvalidArgumentError('an address like 127.0.0.1:7300 is expected.');
  }
  return { host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) };
}

export interface ShardsOptions {
  readonly flags: ShardFlags;
  readonly clock: Clock;
  readonly profiles: readonly SchedulerProfile[];
  readonly logger: Logger;
}

/** Throws UsageError. */
export function checkShards(flags: ShardFlags): void {
  if (flags.shards > 0 && flags.shardsAt !== undefined) {
    throw new UsageError('--shards and --shards-at cannot be used together', 'schedule');
  }
  if (flags.shardsAt === undefined && Object.values(filesOf(flags)).some((path) => path !== undefined)) {
    throw new UsageError('--shards-cert-file and the like are for --shards-at', 'schedule');
  }
  // Files that cannot be read are told before anything is begun.
  identityFor(flags, new RealClock());
}

function identityFor(flags: ShardFlags, clock: Clock): (() => MutualIdentity) | undefined {
  return identityOf(filesOf(flags), { prefix: 'shards-', command: 'schedule', clock });
}

function filesOf({ shardsCertFile, shardsKeyFile, shardsTrustedCaFile }: ShardFlags): IdentityFiles {
  return { certFile: shardsCertFile, keyFile: shardsKeyFile, trustedCaFile: shardsTrustedCaFile };
}

/** Over TLS where there is something to show. */
function networkOf(identity: (() => MutualIdentity) | undefined, clock: Clock, logger: Logger): Network {
  if (identity === undefined) return new TcpNetwork();
  const limit = new LogLimit(clock);
  const onProblem = (text: string): void => limit.tell('tls', text, (line) => logger.warn(line));
  return new TlsNetwork({ identity, onProblem });
}

/** Undefined: none are wanted. Throws UsageError. */
export function shardOpener({
  flags,
  clock,
  profiles,
  logger,
}: ShardsOptions): ((onAnswered: () => void) => ShardedKernel) | undefined {
  const { shards, shardsAt } = flags;
  if (shards === 0 && shardsAt === undefined) return undefined;
  const network = networkOf(identityFor(flags, clock), clock, logger);
  const openings = (): (() => MessagePipe)[] =>
    shardsAt === undefined ? threadOpenings(shards) : shardsAt.map((at) => socketOpening(network, at));
  return (onAnswered) =>
    new ShardPool({
      clock,
      profiles,
      openings: openings(),
      // Who begins to lead later has a larger one, as far as clocks agree.
      epoch: Math.floor(clock.wallMs()),
      onAnswered,
      onLost: (shard, reason) => logger.warn({ shard, reason }, 'shard lost: deciding without shards'),
      onWhole: () => logger.info('all shards are up'),
    });
}

interface ServerFlags {
  readonly listen: ListenOptions;
  readonly trustNetwork: boolean;
  readonly certFile?: string;
  readonly keyFile?: string;
  readonly trustedCaFile?: string;
}

export function shardCommand(): Command {
  return new Command('shard')
    .description('arrange nodes for schedulers that connect (--shards-at)')
    .addOption(
      new Option('--listen <address>', 'where schedulers connect')
        .argParser(address)
        .default(address(LISTEN_DEFAULT), LISTEN_DEFAULT),
    )
    .option('--cert-file <file>', 'over TLS: the certificate that is shown to schedulers')
    .option('--key-file <file>', 'its key')
    .option('--trusted-ca-file <file>', 'who vouches for theirs; nobody else gets in')
    .option(
      '--trust-network',
      'without TLS, listen on another address than loopback: whoever reaches it can ask and mislead',
      false,
    )
    .action(runShard);
}

async function runShard({ listen, trustNetwork, certFile, keyFile, trustedCaFile }: ServerFlags): Promise<void> {
  const clock = new RealClock();
  const files = { certFile, keyFile, trustedCaFile };
  const identity = identityOf(files, { prefix: '', command: 'schedule shard', clock });
  if (identity === undefined && !trustNetwork && !LOOPBACK.includes(listen.host)) {
    throw new UsageError(
      `${listen.host} is not loopback, and nothing protects the connection: --cert-file, or --trust-network, is expected with it`,
      'schedule shard',
    );
  }
  const logger = jsonLogger('info');
  const server = new ShardServer({
    onBegun: (from, epoch) => logger.info({ from, epoch }, 'a scheduler has begun'),
    onClosed: (from, reason) => logger.info({ from, reason }, 'connection ended'),
  });
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => end());
  const port = await listening(server, networkOf(identity, clock, logger), listen);
  logger.info({ host: listen.host, port, tls: identity !== undefined }, 'listening');
  await ended;
  await server.close();
}

/** Throws UsageError for OpenSSL's word about a certificate or a key, else the operating system's error. */
async function listening(server: ShardServer, network: Network, at: ListenOptions): Promise<number> {
  try {
    return await server.listen(network, at);
  } catch (error) {
    if (error instanceof Error && 'library' in error) throw new UsageError(`tls: ${error.message}`, 'schedule shard');
    throw error;
  }
}
