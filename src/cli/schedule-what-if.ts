// `k1m schedule what-if`: where pods would go that are not there yet, or those of a node that is drained; what would be short. Reads the
// cluster once; changes nothing. 0 all fit · 3 something does not · 1 failed · 2 wrong usage.

import { Command, Option } from 'commander';
import type { ClusterSnapshot } from '../scheduler/inquiry/cluster-snapshot.ts';
import { InquiryError } from '../scheduler/inquiry/errors.ts';
import { copyOf } from '../scheduler/inquiry/shortage.ts';
import { askWhatIf } from '../scheduler/inquiry/what-if.ts';
import { doAllFit, whatIfJson, whatIfText } from '../scheduler/inquiry/what-if-text.ts';
import { newPods } from '../scheduler/inquiry/workload-pods.ts';
import { UsageError } from './flag-values.ts';
import { withOutput } from './output.ts';
import { inherited, settingsOf } from './schedule-settings.ts';
import { addSnapshotOptions, manifestsIn, type SnapshotFlags, snapshotOf } from './schedule-snapshot.ts';
import { positiveNumber, wholeNumber } from './whole-number.ts';

/** For its help to be named. */
const COMMAND = 'schedule what-if';
const DOES_NOT_FIT = 3;
const ZONE = 'topology.kubernetes.io/zone';
const TYPE = 'node.kubernetes.io/instance-type';
/** As binding by the API was measured (docs/benchmarks.md). */
const BINDINGS_PER_SECOND = 500;

/** commander's names of the options. */
interface Flags extends SnapshotFlags {
  readonly filename: readonly string[];
  readonly namespace: string;
  readonly replicas?: number;
  readonly nodes?: string;
  readonly like: readonly string[];
  readonly cordon: readonly string[];
  readonly drain: readonly string[];
  readonly ignoreWaiting: boolean;
  readonly by: string;
  readonly bindingsPerSecond: number;
  readonly all: boolean;
  readonly output: 'text' | 'json';
}

export function whatIfCommand(): Command {
  const command = new Command('what-if')
    .description(
      'where pods would go that are not there yet, how long it would take, and what is short; exit code 3 when something does not fit',
    )
    .option('-f, --filename <files...>', 'manifests of pods and workloads; - for standard input', [])
    .option('-n, --namespace <name>', 'of those that name none', 'default')
    .option('--replicas <n>', 'in place of what workloads say; so many of each pod', wholeNumber)
    .option('--nodes <file>', 'manifests of nodes that are not there yet')
    .option('--like <node=n...>', 'n more nodes like this one, empty', [])
    .option('--cordon <nodes...>', 'nodes that take no more pods', [])
    .option('--drain <nodes...>', 'nodes whose pods have to go elsewhere', []);
  return addSnapshotOptions(command)
    .option('--ignore-waiting', 'pods that wait already are not placed first', false)
    .option('--by <labels>', 'labels that tell groups of nodes apart, comma-separated', `${ZONE},${TYPE}`)
    .option('--bindings-per-second <n>', 'what the API server is taken to accept', positiveNumber, BINDINGS_PER_SECOND)
    .option('--all', 'every pod with its node', false)
    .addOption(new Option('-o, --output <format>', 'how').choices(['text', 'json']).default('text'))
    .action((_: Flags, self: Command) => whatIf(inherited<Flags>(self), self));
}

async function whatIf(flags: Flags, command: Command): Promise<void> {
  if (flags.filename.length + flags.drain.length === 0) {
    throw new UsageError('give pods with -f, or nodes with --drain', COMMAND);
  }
  const { profiles, kubeconfig } = settingsOf(flags, command);
  const manifests = flags.filename.flatMap((path) => manifestsIn(path, COMMAND));
  const likes = flags.like.map(likeOf);
  const more = flags.nodes === undefined ? [] : manifestsIn(flags.nodes, COMMAND);
  const snapshot = await snapshotOf(flags, kubeconfig);
  for (const { kind, object } of more) if (kind === 'Node') snapshot.set('Node', object);
  for (const { name, count } of likes) addLike(snapshot, name, count);
  const added = newPods(manifests, snapshot, { namespace: flags.namespace, replicas: flags.replicas });
  for (const remark of snapshot.remarks) process.stderr.write(`k1m: ${remark}\n`);
  const report = askWhatIf({
    snapshot,
    profiles,
    added,
    cordoned: flags.cordon,
    drained: flags.drain,
    ignoresWaiting: flags.ignoreWaiting,
    groupLabels: flags.by.split(','),
    nowMs: () => performance.now(),
  });
  await withOutput(async (output) => {
    await output.write(
      flags.output === 'text' ? whatIfText(report, flags) : `${JSON.stringify(whatIfJson(report, flags), null, 2)}\n`,
    );
  });
  if (!doAllFit(report)) process.exitCode = DOES_NOT_FIT;
}

function likeOf(text: string): { readonly name: string; readonly count: number } {
  const [, name, digits] = /^([^=]+)=(\d{1,7})$/.exec(text) ?? [];
  if (name === undefined) throw new UsageError(`--like: ${JSON.stringify(text)} is not NODE=N`, COMMAND);
  return { name, count: Number(digits) };
}

function addLike(snapshot: ClusterSnapshot, name: string, count: number): void {
  const model = snapshot.nodes.get(name);
  if (model === undefined) throw new InquiryError(`Error from server (NotFound): nodes "${name}" not found`);
  for (let index = 0; index < count; index++) {
    const copy = copyOf(model, `${name}-more-${index}`);
    snapshot.nodes.set(copy.name, copy);
  }
}
