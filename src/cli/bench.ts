// `k1m bench`: load on any etcd endpoint, and what it costs. docs/bench.md says what each load sends.

import { Argument, Command, InvalidArgumentError } from 'commander';
import { type BenchOptions, LOAD_NAMES, type LoadName, OptionError } from '../bench/bench-options.ts';
import { runBench } from '../bench/bench-run.ts';
import type { BenchWorld } from '../bench/bench-subject.ts';
import { compareRuns, formatComparison } from '../bench/comparison.ts';
import { formatResult } from '../bench/result-table.ts';
import { StageBar } from '../bench/stage-bar.ts';
import { RealClock } from '../io/clock.ts';
import { collectAlone } from '../io/collector.ts';
import { httpGetText } from '../io/http-get.ts';
import { processUsage } from '../io/process-usage.ts';
import { TcpNetwork } from '../io/tcp-network.ts';
import { parseDurationMs, UsageError } from './flag-values.ts';
import { wholeNumber } from './whole-number.ts';

const METRICS_TIMEOUT_MS = 10_000;

/** commander's names of the options. */
interface Flags {
  readonly endpoint: string;
  readonly against: string;
  readonly connections: number;
  readonly inFlight: number;
  readonly keys: number;
  readonly valueBytes: number;
  readonly rate: number;
  readonly duration: number;
  readonly warmup: number;
  readonly rounds: number;
  readonly prefix: string;
  readonly seed: number;
  readonly limit: number;
  readonly watchers: number;
  readonly nodes: number;
  readonly json: boolean;
  readonly keep: boolean;
  readonly allowRemote: boolean;
}

export function benchCommand(): Command {
  return new Command('bench')
    .description('put load on an etcd endpoint, and measure rate, latency and CPU')
    .addArgument(new Argument('<load>', 'what is sent').choices(LOAD_NAMES))
    .option('--endpoint <url>', 'the server', 'http://127.0.0.1:2379')
    .option('--against <url>', 'a second server: both are measured in turn, and compared', '')
    .option('--rounds <n>', 'rounds for each of two servers', wholeNumber, 3)
    .option('--connections <n>', 'TCP connections', wholeNumber, 10)
    .option('--in-flight <n>', 'requests in flight on each connection', wholeNumber, 50)
    .option('--keys <n>', 'keys, made before and deleted after', wholeNumber, 10_000)
    .option('--value-bytes <n>', 'size of values', wholeNumber, 300)
    .option('--rate <n>', 'requests a second, whatever the server does; 0: as many as it answers', wholeNumber, 0)
    .option('--duration <time>', 'of the measurement', seconds, 10)
    .option('--warmup <time>', 'of load before it', seconds, 2)
    .option('--limit <n>', 'list: keys of a page; 0: all', wholeNumber, 500)
    .option('--watchers <n>', 'watch: watchers of all keys', wholeNumber, 10)
    .option('--nodes <n>', 'mixed: nodes of the cluster', wholeNumber, 1000)
    .option('--prefix <key>', 'where keys are put', '/registry')
    .option('--seed <n>', 'for what is chosen at random, and in the names of keys', wholeNumber, 1)
    .option('--json', 'print the figures as JSON', false)
    .option('--keep', 'do not delete the keys', false)
    .option('--allow-remote', 'load another machine than this one', false)
    .action((load: LoadName, flags: Flags) => bench(load, flags));
}

async function bench(load: LoadName, flags: Flags): Promise<void> {
  collectAlone();
  const clock = new RealClock();
  const abort = new AbortController();
  const onInterrupt = (): void => abort.abort();
  // The first one ends the round and cleans up; the second ends the process.
  process.once('SIGINT', onInterrupt);
  const fetchText = (url: string): Promise<string> => httpGetText(url, METRICS_TIMEOUT_MS);
  const world: BenchWorld = { network: new TcpNetwork(), clock, usage: processUsage, fetchText, signal: abort.signal };
  const bar = new StageBar(clock, process.stderr);
  try {
    const results = await runBench(world, optionsOf(load, flags), {
      onStage: (text, lengthSeconds, subject) => bar.start(text, lengthSeconds, subject),
      onResult: (result) => {
        bar.stop();
        if (!flags.json) process.stdout.write(`${formatResult(result)}\n`);
      },
    });
    const [first, second] = results;
    const isCompared = second !== undefined && first.length > 0 && first.length === second.length;
    const comparison = isCompared ? compareRuns(first, second) : null;
    if (flags.json) process.stdout.write(`${JSON.stringify({ runs: results.flat(), comparison }, null, 2)}\n`);
    else if (comparison !== null) process.stdout.write(formatComparison(comparison));
  } catch (error) {
    throw error instanceof OptionError ? new UsageError(error.message, 'bench') : error;
  } finally {
    bar.stop();
    process.removeListener('SIGINT', onInterrupt);
  }
}

function optionsOf(load: LoadName, flags: Flags): BenchOptions {
  return {
    load,
    endpoint: flags.endpoint,
    against: flags.against,
    connections: flags.connections,
    inFlight: flags.inFlight,
    keys: flags.keys,
    valueBytes: flags.valueBytes,
    rate: flags.rate,
    durationSeconds: flags.duration,
    warmupSeconds: flags.warmup,
    rounds: flags.rounds,
    prefix: flags.prefix,
    seed: flags.seed,
    limit: flags.limit,
    watchers: flags.watchers,
    nodes: flags.nodes,
    keepsKeys: flags.keep,
    allowsRemote: flags.allowRemote,
  };
}

/** `10` and `10s` are ten seconds. */
function seconds(text: string): number {
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : parseDurationMs(text);
  if (ms === undefined) throw new InvalidArgumentError('It must be a duration, like 10s.');
  return ms / 1000;
}
