// `k1m lab pods`: pods that wait for a scheduler, of the lab's own templates or out of manifests.

import { Command, InvalidArgumentError, Option } from 'commander';
import { RefusedError } from '../base/refused-error.ts';
import { BoundSample } from '../lab/bound-sample.ts';
import { isPodTemplate, labTemplate, POD_TEMPLATES, TEMPLATE_HELP } from '../lab/lab-pod.ts';
import { POD_PREFIX } from '../lab/lab-target.ts';
import { templatesIn, type WeightedTemplate } from '../lab/manifest-templates.ts';
import type { CreationCount } from '../lab/object-maker.ts';
import { PodMaker } from '../lab/pod-maker.ts';
import { mixOf } from '../lab/pod-template.ts';
import { UsageError } from './flag-values.ts';
import { removePods } from './lab-clean.ts';
import {
  count,
  create,
  type Lab,
  type MakeFlags,
  madeText,
  makeOptions,
  namespaces,
  say,
  withLab,
} from './lab-session.ts';
import { manifestsIn } from './schedule-snapshot.ts';
import { wholeNumber, wholeNumberWithin } from './whole-number.ts';

const WEIGHT_MAX = 100;
/** Names have seven digits. */
const NUMBERS = 10_000_000;

/** commander's names of the options. */
interface PodFlags extends MakeFlags {
  readonly start: number;
  readonly template?: readonly WeightedTemplate[];
  readonly filename: readonly string[];
  readonly namespace: readonly string[];
  readonly schedulerName?: string;
  readonly waitBound: boolean;
  readonly json: boolean;
}

export function podsCommand(): Command {
  const templates = POD_TEMPLATES.map((name) => `  ${name.padEnd(6)} ${TEMPLATE_HELP[name]}`).join('\n');
  const command = new Command('pods')
    .description('make pods that wait for a scheduler')
    .argument('[n]', 'how many; as many as the manifests say, unless given', count);
  return makeOptions(command)
    .option('--start <n>', 'the number of the first one', wholeNumberWithin(0, NUMBERS - 1), 0)
    .option(
      '--template <mix>',
      'of which kind: a name, or several with weights, like plain=8,anti=2 (default: plain)',
      mix,
    )
    .option(
      '-f, --filename <files...>',
      'manifests of pods and workloads in place of templates, each as often as its replicas; - for standard input',
      [],
    )
    .addOption(
      new Option('--namespace <names>', 'where, in turn with commas between; manifests may name another')
        .argParser(namespaces)
        .default(['default'], 'default'),
    )
    .option('--scheduler-name <name>', 'who shall place them, in place of what manifests say', notEmpty)
    .option(
      '--wait-bound',
      'wait until a sample of them, the last ones included, is on nodes, and say how long it took',
      false,
    )
    .option('--json', 'print the figures as JSON', false)
    .addHelpText('after', `\nTemplates:\n${templates}`)
    .action((pods: number | undefined, flags: PodFlags, self: Command) => makePods(pods, flags, self));
}

function notEmpty(text: string): string {
  if (text === '') throw new InvalidArgumentError('a name is expected.');
  return text;
}

function mix(text: string): readonly WeightedTemplate[] {
  return text.split(',').map((part) => {
    const [name, weightText = '1'] = part.split('=');
    const weight = wholeNumber(weightText);
    if (!isPodTemplate(name)) {
      throw new InvalidArgumentError(`${JSON.stringify(name)} is not one of ${POD_TEMPLATES.join(', ')}.`);
    }
    if (weight < 1 || weight > WEIGHT_MAX) throw new InvalidArgumentError(`a weight is 1 to ${WEIGHT_MAX}.`);
    return { template: labTemplate(name), weight };
  });
}

function templatesOf({ filename, template }: PodFlags): readonly WeightedTemplate[] {
  if (filename.length === 0) return template ?? [{ template: labTemplate('plain'), weight: 1 }];
  if (template !== undefined) throw new UsageError('give either --template or --filename', 'lab pods');
  return templatesIn(filename.flatMap((path) => manifestsIn(path, 'lab pods')));
}

function makePods(given: number | undefined, flags: PodFlags, command: Command): Promise<void> {
  const { start, namespace, schedulerName } = flags;
  const podMix = mixOf(templatesOf(flags));
  if (given === undefined && flags.filename.length === 0)
    throw new UsageError('say how many, or give manifests', 'lab pods');
  const pods = given ?? podMix.round.length;
  if (start + pods > NUMBERS) {
    throw new UsageError(`numbers of pods go up to ${NUMBERS - 1}: --start ${start} is too much`, 'lab pods');
  }
  return withLab(flags, command, async (lab) => {
    const options = {
      registry: lab.registry,
      prefix: POD_PREFIX,
      namespaces: namespace,
      ...(schedulerName === undefined ? {} : { schedulerName }),
      createdMs: lab.clock.wallMs(),
    };
    const maker = new PodMaker(options, podMix);
    await makeAndWait(lab, maker, pods, flags);
    if (!flags.cleanup) return;
    const removed = await removePods(lab, maker.namespaces);
    if (!flags.json) say(removed);
  });
}

async function makeAndWait(lab: Lab, maker: PodMaker, pods: number, flags: PodFlags): Promise<void> {
  const { clock, target } = lab;
  const { start } = flags;
  let count: CreationCount | undefined;
  const sentMs = (index: number): number => count?.sentMs[index - start] ?? 0;
  const sample = new BoundSample({ clock, start, end: start + pods, sentMs });
  if (flags.waitBound) await target.tellBound(sample, maker.namespaces);
  const startMs = clock.nowMs();
  const { made, seconds } = await create(lab, 'pods', maker, {
    ...flags,
    end: start + pods,
    onBegin: (begun) => {
      count = begun;
    },
  });
  if (!flags.json) say(madeText('pods', made, seconds));
  const figures = { pods: made.created, seconds };
  // Without --wait-bound nobody has looked.
  if (flags.waitBound) await waitBound(lab, { sample, made, startMs, pods, figures, isJson: flags.json });
  else if (flags.json) say(JSON.stringify(figures));
}

interface Wait {
  readonly sample: BoundSample;
  readonly made: CreationCount;
  readonly startMs: number;
  readonly pods: number;
  readonly figures: object;
  readonly isJson: boolean;
}

async function waitBound(
  { progress, signal }: Lab,
  { sample, made, startMs, pods, figures, isJson }: Wait,
): Promise<void> {
  if (made.existing > 0) {
    throw new RefusedError(
      `${made.existing} of the pods were there already, and may be bound: run k1m lab clean, or give another --start`,
    );
  }
  progress.start('pods of the sample bound', sample.size, () => sample.bound);
  await sample.whole(signal);
  progress.stop();
  const boundSeconds = sample.bound === 0 ? 0 : (sample.lastBoundMs - startMs) / 1000;
  const { p50Micros, p99Micros, maxMicros } = sample.latency.percentiles();
  const latency = { p50Ms: p50Micros / 1000, p99Ms: p99Micros / 1000, maxMs: maxMicros / 1000 };
  if (isJson) say(JSON.stringify({ ...figures, sample: sample.size, bound: sample.bound, boundSeconds, ...latency }));
  else if (sample.bound < sample.size) say(`interrupted: ${sample.bound} of the sample of ${sample.size} were bound`);
  else {
    say(
      `first created to last bound ${boundSeconds.toFixed(1)} s, ${Math.round(pods / boundSeconds)}/s; created to bound ` +
        `p50 ${latency.p50Ms.toFixed(1)}, p99 ${latency.p99Ms.toFixed(1)}, max ${latency.maxMs.toFixed(1)} ms ` +
        `(a sample of ${sample.size})`,
    );
  }
}
