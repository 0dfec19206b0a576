// `k1m schedule explain POD`: why a pod goes where it goes, or nowhere. Reads the cluster once; changes nothing.

import { Command, Option } from 'commander';
import { isObject, keyOf } from '../kube-api/object-head.ts';
import type { ClusterSnapshot } from '../scheduler/inquiry/cluster-snapshot.ts';
import { InquiryError } from '../scheduler/inquiry/errors.ts';
import { withDefaults } from '../scheduler/inquiry/pod-defaults.ts';
import { reportOn } from '../scheduler/inquiry/pod-report.ts';
import { reportJson, reportText } from '../scheduler/inquiry/pod-report-text.ts';
import type { PodObject } from '../scheduler/model/pod-object.ts';
import { readPod } from '../scheduler/model/pod-reader.ts';
import { UsageError } from './flag-values.ts';
import { withOutput } from './output.ts';
import { inherited, settingsOf } from './schedule-settings.ts';
import { addSnapshotOptions, manifestsIn, type SnapshotFlags, snapshotOf } from './schedule-snapshot.ts';
import { positiveNumber } from './whole-number.ts';

const NAMES_MAX = 5;

/** commander's names of the options. */
interface Flags extends SnapshotFlags {
  readonly namespace: string;
  readonly filename?: string;
  readonly top: number;
  readonly nodes?: string;
  readonly all: boolean;
  readonly output: 'text' | 'json';
}

export function explainCommand(): Command {
  const command = new Command('explain')
    .description('why a pod goes where it goes, or nowhere: each node by its reason or its score')
    .argument('[pod]', 'its name, or pod/NAME')
    .option('-n, --namespace <name>', 'where it is', 'default')
    .option('-f, --filename <file>', 'a pod that is not there yet, from a manifest; - for standard input');
  return addSnapshotOptions(command)
    .option('--top <n>', 'groups of nodes told, by score and by reason', positiveNumber, 10)
    .option('--nodes <names>', 'these nodes one by one, too; NAME,NAME,…')
    .option('--all', 'all nodes one by one, too', false)
    .addOption(new Option('-o, --output <format>', 'how').choices(['text', 'json']).default('text'))
    .addHelpText('after', '\nA pod that is bound is explained as if it were to be placed now, and were not there.')
    .action((pod: string | undefined, _: Flags, self: Command) => explain(pod, inherited<Flags>(self), self));
}

async function explain(name: string | undefined, flags: Flags, command: Command): Promise<void> {
  if ((name === undefined) === (flags.filename === undefined)) {
    throw new UsageError('name a pod, or give one with -f', 'schedule explain');
  }
  const { profiles, kubeconfig } = settingsOf(flags, command);
  const given = flags.filename === undefined ? undefined : podIn(flags.filename, flags.namespace);
  const snapshot = await snapshotOf(flags, kubeconfig);
  const pod = given ?? podNamed(snapshot, flags.namespace, name ?? '');
  for (const remark of snapshot.remarks) process.stderr.write(`k1m: ${remark}\n`);
  const report = reportOn({ snapshot, profiles, pod, nowMs: Date.now() });
  const nodes = flags.all ? [...snapshot.nodes.keys()] : (flags.nodes?.split(',') ?? []);
  await withOutput(async (output) => {
    if (flags.output === 'text') await output.write(reportText(report, { groupsMax: flags.top, nodes }));
    else {
      const json = reportJson(report, flags.all ? Number.POSITIVE_INFINITY : NAMES_MAX);
      await output.write(`${JSON.stringify(json, null, 2)}\n`);
    }
  });
}

function podNamed(snapshot: ClusterSnapshot, namespace: string, text: string): PodObject {
  const name = text.replace(/^pods?\//, '');
  for (const pod of snapshot.pods.values()) if (pod.name === name && pod.namespace === namespace) return pod;
  // In kubectl's words.
  throw new InquiryError(`Error from server (NotFound): pods "${name}" not found`);
}

function podIn(path: string, namespace: string): PodObject {
  const pods = manifestsIn(path, 'schedule explain').filter(({ kind }) => kind === 'Pod');
  if (pods.length !== 1) throw new UsageError(`${path} has ${pods.length} pods; one is wanted`, 'schedule explain');
  const [{ object }] = pods;
  const metadata = isObject(object.metadata) ? object.metadata : {};
  const read = readPod(withDefaults({ ...object, metadata: { namespace, ...metadata } }));
  if ('reason' in read) throw new InquiryError(`${path}: ${read.reason}`);
  const { object: pod } = read;
  // One that is there under its name is explained as the manifest has it.
  return { ...pod, uid: keyOf(pod), nodeName: '' };
}
