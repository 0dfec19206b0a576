// What the commands of `k1m lab` have in common: the store or the API server they work on, progress, and the end: by themselves, or by a signal.
//
// The first signal ends the work in order, with exit code 130 for SIGINT and 143 for SIGTERM; a second one ends the process at once.

import { type Command, InvalidArgumentError } from 'commander';
import { RefusedError } from '../base/refused-error.ts';
import { type Endpoint, isLoopback, parseEndpoint } from '../client/endpoint.ts';
import { RealClock } from '../io/clock.ts';
import { TcpNetwork } from '../io/tcp-network.ts';
import { readTextFile } from '../io/text-file.ts';
import { openKubeApi } from '../kube-api/open-kube-api.ts';
import { REGISTRY_PREFIX_DEFAULT, registryPrefix } from '../kube-store/registry-key.ts';
import { ApiTarget } from '../lab/api-target.ts';
import type { LabTarget } from '../lab/lab-target.ts';
import type { CreationCount, ObjectMaker } from '../lab/object-maker.ts';
import { Progress } from '../lab/progress.ts';
import { StoreTarget } from '../lab/store-target.ts';
import { StuckError } from '../lab/stuck-watch.ts';
import { endpointUrl } from './endpoint-flag.ts';
import { parseDurationMs, UsageError } from './flag-values.ts';
import { version } from './version.ts';
import { wholeNumber, wholeNumberWithin } from './whole-number.ts';

const OBJECTS_MAX = 3_000_000;
const IN_FLIGHT_DEFAULT = 512;
const IN_FLIGHT_MAX = 1000;
const NAMESPACES_MAX = 16;
const SIGNALS: ReadonlyMap<NodeJS.Signals, number> = new Map([
  ['SIGINT', 130],
  ['SIGTERM', 143],
]);
/** RFC 1123. */
const LABEL = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;

/** commander's names of the options. */
export interface TargetFlags {
  readonly endpoint: string;
  readonly etcdPrefix: string;
  readonly kubeconfig?: string;
  readonly allowRemote: boolean;
}

export interface MakeFlags extends TargetFlags {
  readonly rate: number;
  readonly inFlight: number;
  readonly cleanup: boolean;
}

export function targetOptions(command: Command): Command {
  return command
    .option('--endpoint <url>', 'the store', endpointUrl, 'http://127.0.0.1:2379')
    .option('--etcd-prefix <path>', "kube-apiserver's flag of that name", registryPrefix, REGISTRY_PREFIX_DEFAULT)
    .option('--kubeconfig <file>', 'through the API server that this names, instead of into the store')
    .option('--allow-remote', 'work on another machine than this one', false);
}

export function makeOptions(command: Command): Command {
  return targetOptions(command)
    .option('--rate <n>', 'so many a second; 0: as fast as they are taken', wholeNumber, 0)
    .option(
      '--in-flight <n>',
      'requests on their way at a time',
      wholeNumberWithin(1, IN_FLIGHT_MAX),
      IN_FLIGHT_DEFAULT,
    )
    .option('--cleanup', 'remove them at the end', false);
}

export function count(text: string): number {
  return wholeNumberWithin(1, OBJECTS_MAX)(text);
}

export function durationMs(text: string): number {
  const ms = parseDurationMs(text);
  if (ms === undefined || ms < 0) throw new InvalidArgumentError('a duration like 30s is expected.');
  return ms;
}

export function namespaces(text: string): readonly string[] {
  const names = text.split(',');
  if (names.length > NAMESPACES_MAX) throw new InvalidArgumentError(`${NAMESPACES_MAX} namespaces are the most.`);
  if (!names.every((name) => LABEL.test(name))) {
    throw new InvalidArgumentError('names of lower case letters, digits and - are expected, with commas between.');
  }
  return [...new Set(names)];
}

export interface Lab {
  readonly target: LabTarget;
  readonly clock: RealClock;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  readonly registry: string;
  /** To stderr. */
  readonly onProblem: (text: string) => void;
}

/** Opens the target, does the work, and closes it. */
export async function withLab(flags: TargetFlags, command: Command, work: (lab: Lab) => Promise<void>): Promise<void> {
  const clock = new RealClock();
  const abort = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => {
    process.exitCode = SIGNALS.get(signal) ?? 1;
    abort.abort();
  };
  for (const signal of SIGNALS.keys()) process.once(signal, onSignal);
  const progress = new Progress(clock, process.stderr);
  const onProblem = (text: string): void => {
    process.stderr.write(`k1m: ${text}\n`);
  };
  let target: LabTarget | undefined;
  try {
    const world = { clock, signal: abort.signal, onProblem };
    const { kubeconfig } = flags;
    target = kubeconfig === undefined ? storeOf(flags, world) : await apiOf({ ...flags, kubeconfig }, command, world);
    await target.open();
    await work({ target, clock, progress, signal: abort.signal, registry: flags.etcdPrefix, onProblem });
  } catch (error) {
    throw error instanceof StuckError ? new RefusedError(error.message) : error;
  } finally {
    progress.stop();
    await target?.close();
    for (const signal of SIGNALS.keys()) process.removeListener(signal, onSignal);
  }
}

type World = Pick<Lab, 'clock' | 'signal' | 'onProblem'>;

function storeOf(flags: TargetFlags, world: World): LabTarget {
  checkRemote(flags, parseEndpoint(flags.endpoint));
  return new StoreTarget({ network: new TcpNetwork(), ...world }, flags.endpoint, flags.etcdPrefix);
}

async function apiOf(
  flags: TargetFlags & { readonly kubeconfig: string },
  command: Command,
  world: World,
): Promise<LabTarget> {
  for (const name of ['endpoint', 'etcdPrefix', 'leaseBytes']) {
    if (command.getOptionValueSource(name) === 'cli') {
      const flag = name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
      throw new UsageError(`--${flag} is for a store, not for --kubeconfig`, `lab ${command.name()}`);
    }
  }
  const api = await openKubeApi({
    kubeconfig: flags.kubeconfig,
    environment: process.env,
    readText: readTextFile,
    clock: world.clock,
    chance: Math.random,
    userAgent: `kubelet/k1m-lab-${version()}`,
    inFlightMax: IN_FLIGHT_MAX,
    unreadFields: ['ObjectMeta.managedFields'],
  });
  const { hostname, host: authority } = new URL(api.origin);
  checkRemote(flags, { host: hostname.replace(/^\[(.*)\]$/, '$1'), authority });
  return new ApiTarget(world, api);
}

function checkRemote({ allowRemote }: TargetFlags, at: Pick<Endpoint, 'host' | 'authority'>): void {
  if (allowRemote || isLoopback(at)) return;
  throw new UsageError(`${at.authority} is another machine: add --allow-remote if it is meant to get this`, 'lab');
}

export function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

interface Numbers {
  readonly start: number;
  readonly end: number;
}

/** Creates what the maker makes; what came of it, and the seconds it took. */
export async function create(
  { target, clock, progress }: Lab,
  what: string,
  maker: ObjectMaker,
  {
    start,
    end,
    rate,
    inFlight,
    onBegin,
  }: Numbers & Pick<MakeFlags, 'rate' | 'inFlight'> & { readonly onBegin?: (count: CreationCount) => void },
): Promise<{ readonly made: CreationCount; readonly seconds: number }> {
  const startMs = clock.nowMs();
  const creation = target.create(maker, { what, start, end, ratePerSecond: rate, inFlight });
  onBegin?.(creation.count);
  progress.start(`${what} made`, end - start, () => creation.count.created);
  await creation.done;
  progress.stop();
  return { made: creation.count, seconds: (clock.nowMs() - startMs) / 1000 };
}

export function madeText(what: string, { created, existing }: CreationCount, seconds: number): string {
  const made = created - existing;
  const there = existing > 0 ? ` (${existing} were there already)` : '';
  return `${made} ${what} made in ${seconds.toFixed(1)} s, ${Math.round(made / seconds)}/s${there}`;
}
