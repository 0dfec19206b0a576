// Shards of `k1m schedule`: threads of its own, or processes that `k1m schedule shard` runs.

import { Command, InvalidArgumentError, Option } from 'commander';
import type { Logger } from 'pino';
import type { Clock } from '../io/clock.ts';
import type { MessagePipe } from '../io/message-pipe.ts';
import type { ListenOptions } from '../io/network.ts';
import { TcpNetwork } from '../io/tcp-network.ts';
import type { ShardedKernel } from '../scheduler/driver/scheduler-options.ts';
import type { SchedulerProfile } from '../scheduler/model/scheduler-profile.ts';
import { ShardPool } from '../scheduler/shard-links/shard-pool.ts';
import { ShardServer, socketOpening } from '../scheduler/shard-links/shard-server.ts';
import { threadOpenings } from '../scheduler/shard-links/shard-threads.ts';
import { SHARDS_MAX } from '../scheduler/shards/sequencer.ts';
import { UsageError } from './flag-values.ts';
import { jsonLogger } from './json-log.ts';
import { wholeNumberWithin } from './whole-number.ts';

const LISTEN_DEFAULT = '127.0.0.1:7300';
const LOOPBACK: readonly string[] = ['127.0.0.1', '::1', 'localhost'];

/** commander's names of the options. */
export interface ShardFlags {
  readonly shards: number;
  readonly shardsAt?: readonly ListenOptions[];
}

export function addShardOptions(command: Command): Command {
  return command
    .option(
      '--shards <n>',
      'arrange the nodes in so many threads; 0: where it decides',
      wholeNumberWithin(0, SHARDS_MAX),
      0,
    )
    .option('--shards-at <addresses>', 'or in processes of `k1m schedule shard`, separated by commas', addresses);
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
export function checkShards({ shards, shardsAt }: ShardFlags): void {
  if (shards > 0 && shardsAt !== undefined) {
    throw new UsageError('--shards and --shards-at cannot be used together', 'schedule');
  }
}

/** Undefined: none are wanted. */
export function shardOpener({
  flags,
  clock,
  profiles,
  logger,
}: ShardsOptions): ((onAnswered: () => void) => ShardedKernel) | undefined {
  const { shards, shardsAt } = flags;
  if (shards === 0 && shardsAt === undefined) return undefined;
  const network = new TcpNetwork();
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
}

export function shardCommand(): Command {
  return new Command('shard')
    .description('arrange nodes for schedulers that connect (--shards-at)')
    .addOption(
      new Option('--listen <address>', 'where schedulers connect')
        .argParser(address)
        .default(address(LISTEN_DEFAULT), LISTEN_DEFAULT),
    )
    .option(
      '--trust-network',
      'listen on another address than loopback: nothing protects the connection, and whoever reaches it can mislead',
      false,
    )
    .action(runShard);
}

async function runShard({ listen, trustNetwork }: ServerFlags): Promise<void> {
  if (!trustNetwork && !LOOPBACK.includes(listen.host)) {
    throw new UsageError(
      `${listen.host} is not loopback, and nothing protects the connection: --trust-network is expected with it`,
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
  const port = await server.listen(new TcpNetwork(), listen);
  logger.info({ host: listen.host, port }, 'listening');
  await ended;
  await server.close();
}
