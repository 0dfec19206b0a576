// `k1m lab nodes`: nodes with their leases and kubelets, until interrupted.

import { Command, InvalidArgumentError, Option } from 'commander';
import { Kubelets } from '../lab/kubelets.ts';
import { type LeaseRenewal, NODE_PREFIX, numberIn, RENEW_SECONDS } from '../lab/lab-target.ts';
import { NodeHeartbeats } from '../lab/node-heartbeats.ts';
import { NodeMaker } from '../lab/node-maker.ts';
import { addressOf, nameOf } from '../lab/numbered-bytes.ts';
import { durationText } from '../lab/progress.ts';
import { removeNodes } from './lab-clean.ts';
import {
  count,
  create,
  durationMs,
  type Lab,
  type MakeFlags,
  madeText,
  makeOptions,
  say,
  withLab,
} from './lab-session.ts';
import { wholeNumber, wholeNumberWithin } from './whole-number.ts';

const ZONES_MAX = 1000;
const IMAGES_MAX = 1000;
const LEASE_BYTES_MIN = 420;
const LEASE_BYTES_MAX = 16_000;
/** Writes about pods, and about nodes, on their way at a time. */
const POD_WRITES_MAX = 256;
const NODE_WRITES_MAX = 32;

/** commander's names of the options. */
interface NodeFlags extends MakeFlags {
  readonly zones: number;
  readonly images: number;
  readonly renew: number;
  readonly leaseBytes: number;
  readonly duration: number | undefined;
  readonly kubelets: boolean;
  readonly podRate: number;
  readonly jobTime: number;
  readonly stopTime: number;
}

export function nodesCommand(): Command {
  const command = new Command('nodes')
    .description(
      "make nodes with their leases, and be their kubelets until interrupted: renew leases, run the nodes' pods",
    )
    .argument('<n>', 'how many', count);
  return makeOptions(command)
    .option('--zones <n>', 'zones, four a region', wholeNumberWithin(1, ZONES_MAX), 16)
    .option('--images <n>', 'container images on each node', wholeNumberWithin(0, IMAGES_MAX), 5)
    .option(
      '--renew <fraction>',
      'of the rate at which kubelets renew leases (one in 10 s) and report their nodes (one in 5 min); 0: not at all',
      fraction,
      1,
    )
    .option('--lease-bytes <n>', 'size of a lease', wholeNumberWithin(LEASE_BYTES_MIN, LEASE_BYTES_MAX), 420)
    .option('--no-kubelets', 'leave pods as they are')
    .option(
      '--pod-rate <n>',
      'pods started, ended and removed a second, in all; 0: as fast as they are taken',
      wholeNumber,
      1000,
    )
    .addOption(duration('--job-time <time>', 'how long pods run that are not started again', '10s'))
    .addOption(
      duration('--stop-time <time>', 'how long containers take to stop, if their grace period is not shorter', '1s'),
    )
    .option('--duration <time>', 'be so long, then end; 0s: end when they are made', durationMs)
    .action((nodes: number, flags: NodeFlags, self: Command) =>
      withLab(flags, self, async (lab) => {
        await makeNodes(lab, nodes, flags);
        if (flags.cleanup) say(await removeNodes(lab));
      }),
    );
}

function duration(flags: string, description: string, otherwise: string): Option {
  return new Option(flags, description).argParser(durationMs).default(durationMs(otherwise), otherwise);
}

function fraction(text: string): number {
  const value = Number(text);
  if (text === '' || !(value >= 0 && value <= 10)) throw new InvalidArgumentError('a number from 0 to 10 is expected.');
  return value;
}

async function makeNodes(lab: Lab, nodes: number, flags: NodeFlags): Promise<void> {
  const { clock, target, registry, signal } = lab;
  const options = { prefix: NODE_PREFIX, zones: flags.zones, images: flags.images, createdMs: clock.wallMs() };
  const maker = new NodeMaker(registry, options);
  const { made, seconds } = await create(lab, 'nodes', maker, { ...flags, start: 0, end: nodes });
  say(madeText('nodes', made, seconds));
  if (signal.aborted) return;
  const leases = target.leases({ count: nodes, bytes: flags.leaseBytes });
  await leases.create();
  if ((flags.renew > 0 || flags.kubelets) && flags.duration !== 0 && !signal.aborted)
    await live(lab, nodes, leases, flags);
}

/** Until the time is over, or the signal comes. */
async function live(lab: Lab, nodes: number, leases: LeaseRenewal, flags: NodeFlags): Promise<void> {
  const { clock, progress, signal } = lab;
  const startMs = clock.nowMs();
  const heartbeats = flags.renew > 0 ? startRenewals(lab, nodes, leases, flags) : undefined;
  const kubelets = flags.kubelets ? startKubelets(lab, nodes, flags) : undefined;
  say(livingText(nodes, flags));
  if (heartbeats !== undefined) progress.start('leases renewed', 0, () => leases.renewed);
  await new Promise<void>((resolve) => {
    if (flags.duration !== undefined) clock.setTimer(flags.duration, resolve);
    signal.addEventListener('abort', () => resolve());
  });
  progress.stop();
  leases.stop();
  heartbeats?.close();
  kubelets?.close();
  const seconds = (clock.nowMs() - startMs) / 1000;
  if (heartbeats !== undefined) say(renewedText(leases, heartbeats, seconds));
  if (kubelets !== undefined) say(podsText(kubelets));
}

function livingText(nodes: number, { renew, kubelets, podRate, duration }: NodeFlags): string {
  const rate = Math.round((nodes / RENEW_SECONDS) * renew);
  const endText = duration === undefined ? 'until interrupted' : `for ${durationText(duration / 1000)}`;
  const podsPart = podRate === 0 ? 'running pods' : `running pods, at most ${podRate} writes a second,`;
  const parts = [...(renew > 0 ? [`renewing ${rate} leases a second`] : []), ...(kubelets ? [podsPart] : [])];
  return `${parts.join(', ')} ${endText}`;
}

function startRenewals(lab: Lab, nodes: number, leases: LeaseRenewal, { renew, inFlight }: NodeFlags): NodeHeartbeats {
  leases.start(renew, inFlight);
  const heartbeats = new NodeHeartbeats({
    clock: lab.clock,
    writer: lab.target.writer,
    nameOf: (index) => nameOf(NODE_PREFIX, index),
    count: nodes,
    fraction: renew,
    inFlightMax: NODE_WRITES_MAX,
    onProblem: lab.onProblem,
  });
  heartbeats.start();
  return heartbeats;
}

function startKubelets({ target, clock, onProblem }: Lab, nodes: number, flags: NodeFlags): Kubelets {
  const numberOf = (name: string): number => numberIn(name, NODE_PREFIX);
  const kubelets = new Kubelets({
    clock,
    writer: target.writer,
    isOwnNode: (name) => numberOf(name) >= 0 && numberOf(name) < nodes,
    hostAddressOf: (name) => `10.${addressOf(numberOf(name))}`,
    jobMs: flags.jobTime,
    stopMs: flags.stopTime,
    ratePerSecond: flags.podRate,
    inFlightMax: POD_WRITES_MAX,
    waitingMax: target.waitingMax,
    onProblem,
  });
  kubelets.start(target.feed);
  return kubelets;
}

function renewedText(leases: LeaseRenewal, { counts }: NodeHeartbeats, seconds: number): string {
  const { renewed, failed, late, p99Micros } = leases;
  return (
    `${renewed} leases renewed in ${seconds.toFixed(1)} s, ${Math.round(renewed / seconds)}/s, ` +
    `p99 ${(p99Micros / 1000).toFixed(1)} ms; ${failed} failed, ${late} late; ${counts.written} nodes reported`
  );
}

function podsText({ counts, waiting }: Kubelets): string {
  const { start, finish, stop, remove } = counts;
  const rest = waiting > 0 ? `; ${waiting} have something due` : '';
  return `pods: ${start} started, ${finish} completed, ${stop} stopped, ${remove} removed${rest}`;
}
