// `k1m lab`: simulated nodes and pods in a store. docs/lab.md says what they are, and what they do.

import { Command, InvalidArgumentError } from 'commander';
import { RefusedError } from '../base/refused-error.ts';
import { ArrivalSchedule } from '../bench/arrival-schedule.ts';
import { isLoopback, parseEndpoint } from '../client/endpoint.ts';
import { RealClock } from '../io/clock.ts';
import { TcpNetwork } from '../io/tcp-network.ts';
import { REGISTRY_PREFIX_DEFAULT, registryPrefix } from '../kube-store/registry-key.ts';
import { BoundSample } from '../lab/bound-sample.ts';
import { LabLoad, StuckError } from '../lab/lab-load.ts';
import {
  leaseFolder,
  NODE_PREFIX,
  NodeMaker,
  nodeFolder,
  POD_PREFIX,
  PodMaker,
  podFolder,
  removeAll,
} from '../lab/lab-objects.ts';
import { isPodTemplate, POD_TEMPLATES, type PodTemplate, TEMPLATE_HELP } from '../lab/lab-pod.ts';
import { NodeLeases } from '../lab/node-leases.ts';
import { nameOf } from '../lab/numbered-bytes.ts';
import { ObjectCreation } from '../lab/object-creation.ts';
import { durationText, Progress } from '../lab/progress.ts';
import { endpointUrl } from './endpoint-flag.ts';
import { parseDurationMs, UsageError } from './flag-values.ts';
import { wholeNumber, wholeNumberWithin } from './whole-number.ts';

const OBJECTS_MAX = 3_000_000;
const IN_FLIGHT_DEFAULT = 512;
const IN_FLIGHT_MAX = 1000;
const WEIGHT_MAX = 100;
const ZONES_MAX = 1000;
const IMAGES_MAX = 1000;
const LEASE_BYTES_MIN = 420;
const LEASE_BYTES_MAX = 16_000;
/** Names have seven digits. */
const NUMBERS = 10_000_000;
/** RFC 1123. */
const LABEL = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;

/** commander's names of the options. */
interface StoreFlags {
  readonly endpoint: string;
  readonly etcdPrefix: string;
  readonly allowRemote: boolean;
}

interface MakeFlags extends StoreFlags {
  readonly rate: number;
  readonly inFlight: number;
  readonly cleanup: boolean;
}

interface NodeFlags extends MakeFlags {
  readonly zones: number;
  readonly images: number;
  readonly renew: number;
  readonly leaseBytes: number;
  readonly duration: number | undefined;
}

interface PodFlags extends MakeFlags {
  readonly start: number;
  readonly template: readonly PodTemplate[];
  readonly namespace: string;
  readonly schedulerName: string;
  readonly waitBound: boolean;
  readonly json: boolean;
}

export function labCommand(): Command {
  return new Command('lab')
    .description('simulated nodes and pods in a store, as kube-apiserver would have written them')
    .addCommand(nodesCommand())
    .addCommand(podsCommand())
    .addCommand(cleanCommand());
}

function storeOptions(command: Command): Command {
  return command
    .option('--endpoint <url>', 'the store', endpointUrl, 'http://127.0.0.1:2379')
    .option('--etcd-prefix <path>', "kube-apiserver's flag of that name", registryPrefix, REGISTRY_PREFIX_DEFAULT)
    .option('--allow-remote', 'write into the store of another machine than this one', false);
}

function makeOptions(command: Command): Command {
  return storeOptions(command)
    .option('--rate <n>', 'so many a second; 0: as fast as the store answers', wholeNumber, 0)
    .option(
      '--in-flight <n>',
      'requests on their way at a time',
      wholeNumberWithin(1, IN_FLIGHT_MAX),
      IN_FLIGHT_DEFAULT,
    )
    .option('--cleanup', 'remove them at the end', false);
}

function nodesCommand(): Command {
  const command = new Command('nodes')
    .description('make nodes with their leases, and renew the leases until interrupted')
    .argument('<n>', 'how many', count);
  return makeOptions(command)
    .option('--zones <n>', 'zones, four a region', wholeNumberWithin(1, ZONES_MAX), 16)
    .option('--images <n>', 'container images on each node', wholeNumberWithin(0, IMAGES_MAX), 5)
    .option('--renew <fraction>', 'of the rate at which kubelets renew leases, one in 10 s; 0: not at all', fraction, 1)
    .option('--lease-bytes <n>', 'size of a lease', wholeNumberWithin(LEASE_BYTES_MIN, LEASE_BYTES_MAX), 420)
    .option('--duration <time>', 'renew for so long, then end; 0s: end when they are made', durationMs)
    .action((nodes: number, flags: NodeFlags) => makeNodes(nodes, flags));
}

function podsCommand(): Command {
  const templates = POD_TEMPLATES.map((name) => `  ${name.padEnd(6)} ${TEMPLATE_HELP[name]}`).join('\n');
  const command = new Command('pods')
    .description('make pods that wait for a scheduler')
    .argument('<n>', 'how many', count);
  return makeOptions(command)
    .option('--start <n>', 'the number of the first one', wholeNumberWithin(0, NUMBERS - 1), 0)
    .option('--template <mix>', 'of which kind: a name, or several with weights, like plain=8,anti=2', mix, ['plain'])
    .option('--namespace <name>', 'where', label, 'default')
    .option('--scheduler-name <name>', 'who shall place them', notEmpty, 'default-scheduler')
    .option(
      '--wait-bound',
      'wait until a sample of them, the last ones included, is on nodes, and say how long it took',
      false,
    )
    .option('--json', 'print the figures as JSON', false)
    .addHelpText('after', `\nTemplates:\n${templates}`)
    .action((pods: number, flags: PodFlags) => makePods(pods, flags));
}

function cleanCommand(): Command {
  return storeOptions(new Command('clean'))
    .description('remove what k1m lab has made')
    .option('--namespace <name>', 'of the pods', label, 'default')
    .action((flags: StoreFlags & { readonly namespace: string }) => clean(flags));
}

function count(text: string): number {
  return wholeNumberWithin(1, OBJECTS_MAX)(text);
}

function notEmpty(text: string): string {
  if (text === '') throw new InvalidArgumentError('a name is expected.');
  return text;
}

function label(text: string): string {
  if (!LABEL.test(text)) throw new InvalidArgumentError('a name of lower case letters, digits and - is expected.');
  return text;
}

function fraction(text: string): number {
  const value = Number(text);
  if (text === '' || !(value >= 0 && value <= 10)) throw new InvalidArgumentError('a number from 0 to 10 is expected.');
  return value;
}

function durationMs(text: string): number {
  const ms = parseDurationMs(text);
  if (ms === undefined || ms < 0) throw new InvalidArgumentError('a duration like 30s is expected.');
  return ms;
}

/** The templates of a round of pods. */
function mix(text: string): readonly PodTemplate[] {
  return text.split(',').flatMap((part) => {
    const [name, weightText = '1'] = part.split('=');
    const weight = wholeNumber(weightText);
    if (!isPodTemplate(name)) {
      throw new InvalidArgumentError(`${JSON.stringify(name)} is not one of ${POD_TEMPLATES.join(', ')}.`);
    }
    if (weight < 1 || weight > WEIGHT_MAX) throw new InvalidArgumentError(`a weight is 1 to ${WEIGHT_MAX}.`);
    return new Array<PodTemplate>(weight).fill(name);
  });
}

/** Opens the store, does the work, and ends; an interruption ends the work, a second one the process. */
async function withLab(flags: StoreFlags, work: (lab: Lab) => Promise<void>): Promise<void> {
  const endpoint = parseEndpoint(flags.endpoint);
  if (!flags.allowRemote && !isLoopback(endpoint)) {
    const text = `${endpoint.authority} is another machine: add --allow-remote if it is meant to get this`;
    throw new UsageError(text, 'lab');
  }
  const clock = new RealClock();
  const abort = new AbortController();
  const onSignal = (): void => abort.abort();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, onSignal);
  const load = new LabLoad({ network: new TcpNetwork(), clock, signal: abort.signal }, flags.endpoint);
  const progress = new Progress(clock, process.stderr);
  try {
    await opened(load);
    await work({ load, clock, progress, signal: abort.signal, registry: flags.etcdPrefix });
  } catch (error) {
    throw error instanceof StuckError ? new RefusedError(error.message) : error;
  } finally {
    progress.stop();
    load.close();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.removeListener(signal, onSignal);
  }
}

/** Rejects with RefusedError when the store cannot be reached. */
async function opened(load: LabLoad): Promise<void> {
  try {
    await load.open();
  } catch (error) {
    throw new RefusedError(`cannot reach the store: ${error instanceof Error ? error.message : String(error)}`);
  }
}

interface Lab {
  readonly load: LabLoad;
  readonly clock: RealClock;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  readonly registry: string;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Creates what the maker makes; the objects and the seconds it took. */
async function create(lab: Lab, what: string, creation: ObjectCreation, flags: MakeFlags): Promise<number> {
  const { load, clock, progress } = lab;
  const total = creation.unsent;
  progress.start(`${what} made`, total, () => creation.created);
  const startMs = clock.nowMs();
  await load.create(what, creation, {
    inFlight: Math.min(flags.inFlight, total),
    ...(flags.rate > 0 ? { schedule: new ArrivalSchedule(flags.rate) } : {}),
  });
  progress.stop();
  return (clock.nowMs() - startMs) / 1000;
}

function madeText(what: string, creation: ObjectCreation, seconds: number): string {
  const { existing } = creation.counts;
  const made = creation.created - existing;
  const there = existing > 0 ? ` (${existing} were there already)` : '';
  return `${made} ${what} made in ${seconds.toFixed(1)} s, ${Math.round(made / seconds)}/s${there}`;
}

function makeNodes(nodes: number, flags: NodeFlags): Promise<void> {
  return withLab(flags, async (lab) => {
    const { clock, load, registry, signal } = lab;
    const options = { prefix: NODE_PREFIX, zones: flags.zones, images: flags.images, createdMs: clock.wallMs() };
    const creation = new ObjectCreation(new NodeMaker(registry, options), 0, nodes);
    const leases = new NodeLeases({
      clock,
      folder: leaseFolder(registry),
      prefix: NODE_PREFIX,
      count: nodes,
      bytes: flags.leaseBytes,
    });
    await leases.create(load.client);
    const seconds = await create(lab, 'nodes', creation, flags);
    say(madeText('nodes', creation, seconds));
    if (flags.renew > 0 && flags.duration !== 0 && !signal.aborted) await renew(lab, leases, flags);
    if (flags.cleanup) await removeNodes(lab);
  });
}

/** Until the time is over, or the signal comes. */
async function renew({ clock, load, progress, signal }: Lab, leases: NodeLeases, flags: NodeFlags): Promise<void> {
  const rate = leases.ratePerSecond * flags.renew;
  const schedule = new ArrivalSchedule(rate);
  const flow = load.start('renewals', leases.load, { schedule, inFlight: leases.inFlightMax(flags.inFlight) });
  const endText = flags.duration === undefined ? 'until interrupted' : `for ${durationText(flags.duration / 1000)}`;
  say(`renewing ${Math.round(rate)} leases a second ${endText}`);
  progress.start('leases renewed', 0, () => flow.ended[0]);
  const startMs = clock.nowMs();
  await new Promise<void>((resolve) => {
    if (flags.duration !== undefined) clock.setTimer(flags.duration, resolve);
    signal.addEventListener('abort', () => resolve());
  });
  progress.stop();
  flow.stop();
  const seconds = (clock.nowMs() - startMs) / 1000;
  const { p99Micros } = flow.latency.percentiles();
  const failed = flow.requests - flow.ended[0];
  const late = flow.backlog(clock.nowMs());
  say(
    `${flow.ended[0]} leases renewed in ${seconds.toFixed(1)} s, ${Math.round(flow.ended[0] / seconds)}/s, ` +
      `p99 ${(p99Micros / 1000).toFixed(1)} ms; ${failed} failed, ${late} late`,
  );
}

function makePods(pods: number, flags: PodFlags): Promise<void> {
  if (flags.start + pods > NUMBERS) {
    throw new UsageError(`numbers of pods go up to ${NUMBERS - 1}: --start ${flags.start} is too much`, 'lab pods');
  }
  return withLab(flags, async (lab) => {
    const { clock, load, progress, registry, signal } = lab;
    const { namespace, schedulerName, start } = flags;
    const options = { prefix: POD_PREFIX, namespace, schedulerName, createdMs: clock.wallMs() };
    const creation = new ObjectCreation(new PodMaker(registry, options, flags.template), start, start + pods);
    const sample = new BoundSample({
      clock,
      start,
      end: start + pods,
      keyOf: (index) => nameOf(podFolder(registry, namespace) + POD_PREFIX, index),
      sentMs: (index) => creation.sentMs[index - start],
    });
    if (flags.waitBound) await sample.start(load.client);
    const startMs = clock.nowMs();
    const seconds = await create(lab, 'pods', creation, flags);
    if (!flags.json) say(madeText('pods', creation, seconds));
    if (flags.waitBound && creation.counts.existing > 0) {
      sample.close();
      throw new RefusedError(
        `${creation.counts.existing} of the pods were there already, and may be bound: run k1m lab clean, or give another --start`,
      );
    }
    if (flags.waitBound && !signal.aborted) {
      progress.start('pods of the sample bound', sample.size, () => sample.bound);
      await sample.whole(signal);
      progress.stop();
    }
    sample.close();
    const boundSeconds = sample.bound === 0 ? 0 : (sample.lastBoundMs - startMs) / 1000;
    const { p50Micros, p99Micros, maxMicros } = sample.latency.percentiles();
    const latency = { p50Ms: p50Micros / 1000, p99Ms: p99Micros / 1000, maxMs: maxMicros / 1000 };
    const made = { pods: creation.created, seconds };
    // Without --wait-bound nobody has looked.
    const figures = flags.waitBound
      ? { ...made, sample: sample.size, bound: sample.bound, boundSeconds, ...latency }
      : made;
    if (flags.json) say(JSON.stringify(figures));
    else if (flags.waitBound && sample.bound < sample.size) {
      say(`interrupted: ${sample.bound} of the sample of ${sample.size} were bound`);
    } else if (flags.waitBound) {
      say(
        `first created to last bound ${boundSeconds.toFixed(1)} s, ${Math.round(pods / boundSeconds)}/s; created to bound ` +
          `p50 ${latency.p50Ms.toFixed(1)}, p99 ${latency.p99Ms.toFixed(1)}, max ${latency.maxMs.toFixed(1)} ms ` +
          `(a sample of ${sample.size})`,
      );
    }
    if (flags.cleanup) await removePods(lab, namespace);
  });
}

async function removeNodes({ load, progress, registry }: Lab): Promise<void> {
  let removed = 0;
  progress.start('nodes and leases removed', 0, () => removed);
  for (const folder of [nodeFolder(registry), leaseFolder(registry)]) {
    await removeAll(load.client, folder + NODE_PREFIX, (some) => {
      removed += some;
    });
  }
  progress.stop();
  say(`${removed} nodes and leases removed`);
}

async function removePods({ load, progress, registry }: Lab, namespace: string): Promise<void> {
  let removed = 0;
  progress.start('pods removed', 0, () => removed);
  await removeAll(load.client, podFolder(registry, namespace) + POD_PREFIX, (some) => {
    removed += some;
  });
  progress.stop();
  say(`${removed} pods removed`);
}

function clean(flags: StoreFlags & { readonly namespace: string }): Promise<void> {
  return withLab(flags, async (lab) => {
    await removePods(lab, flags.namespace);
    await removeNodes(lab);
  });
}
