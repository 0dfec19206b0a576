/**
 * Runs real Kubernetes components on a store and checks that they find what they find on etcd.
 *
 *   node conformance/kubernetes.ts --subject etcd|k1m     a fresh store, started, stopped and killed by the run
 *   node conformance/kubernetes.ts --endpoint URL         a store that runs; it is not restarted
 *   node conformance/kubernetes.ts --compare              etcd, then k1m; then the objects left by both are compared
 *   --against FILE   with one store: compares with the objects.json of an earlier run
 *   --kills N --seed S   with k1m alone: the store is killed N times under load instead (kubernetes/kill-steps.ts)
 *   --nodes N --replicas N   default 100 and 500     --out FOLDER   logs and objects.json (default: a temporary folder)
 *
 * Exits with 0 when every step holds, 1 when one does not, 2 when the command is wrong.
 */
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ControlPlane, isSchedulerName, type SchedulerName } from './kubernetes/control-plane.ts';
import { makeCredentials } from './kubernetes/credentials.ts';
import { FakeKubelet, nodeName } from './kubernetes/fake-kubelet.ts';
import { Informer } from './kubernetes/informer.ts';
import { killSteps } from './kubernetes/kill-steps.ts';
import { Ledger } from './kubernetes/ledger.ts';
import * as manifests from './kubernetes/manifests.ts';
import { dumpObjects } from './kubernetes/object-dump.ts';
import { objectSteps } from './kubernetes/object-steps.ts';
import { preemptionSteps } from './kubernetes/preemption-steps.ts';
import { restartSteps } from './kubernetes/restart-steps.ts';
import type { Lab, Step } from './kubernetes/step.ts';
import { volumeSteps } from './kubernetes/volume-steps.ts';
import { workloadSteps } from './kubernetes/workload-steps.ts';
import { Children } from './lab/child.ts';
import { freePorts } from './lab/free-port.ts';
import { requirePeers } from './lab/peer-path.ts';
import { runMain } from './lab/run-main.ts';
import { isSubjectName, type Subject, type SubjectName, startSubject } from './lab/subject.ts';
import { diffLines } from './lab/text-diff.ts';
import { within } from './lab/wait.ts';

const stepTimeoutMs = 600_000;
/** Clients before what they talk to: the store last. */
const endOrder: readonly string[] = ['k1m-schedule', 'kube-scheduler', 'kube-controller-manager', 'kube-apiserver'];
const informedPaths: readonly string[] = [
  '/api/v1/pods',
  '/api/v1/nodes',
  '/api/v1/namespaces',
  '/api/v1/configmaps',
  '/api/v1/services',
  '/api/v1/events',
  '/apis/apps/v1/deployments',
  '/apis/apps/v1/replicasets',
  '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases',
  '/apis/discovery.k8s.io/v1/endpointslices',
];
/** Defined by one of the usual steps. */
const gadgetsPath = `/apis/${manifests.gadgetGroup}/v1/gadgets`;

interface RunOptions {
  readonly target: SubjectName | { readonly endpoint: string };
  readonly folder: string;
  readonly nodeCount: number;
  readonly replicaCount: number;
  readonly scheduler: SchedulerName;
  /** Instead of the usual ones. */
  readonly killSteps?: readonly Step[];
}

async function runStep(step: Step, lab: Lab): Promise<void> {
  const startMs = Date.now();
  const remark = await within(step.name, stepTimeoutMs, step.run(lab));
  const seconds = ((Date.now() - startMs) / 1000).toFixed(1).padStart(6);
  process.stdout.write(`${seconds} s  ${step.name}${remark === '' ? '' : ` (${remark})`}\n`);
}

const boot: Step = {
  name: 'kube-apiserver is ready',
  run: async (lab) => {
    await lab.plane.startApiServer();
    lab.plane.startControllers();
    await lab.client.create('/api/v1/namespaces', manifests.namespace('ledger'));
    for (const informer of lab.informers) informer.start();
    lab.ledger.start();
    return '';
  },
};

/** Runs all steps on one store and returns the objects left, normalised. Everything started is ended, however it goes. */
async function runOn({
  target,
  folder,
  nodeCount,
  replicaCount,
  scheduler: schedulerName,
  killSteps,
}: RunOptions): Promise<Map<string, string>> {
  mkdirSync(folder, { recursive: true });
  const children = new Children(folder);
  const nodeUsers = Array.from({ length: nodeCount }, (_, index) => ({
    name: `system:node:${nodeName(index)}`,
    group: 'system:nodes',
  }));
  let lab: Lab | undefined;
  try {
    const credentials = makeCredentials(folder, [
      { name: 'admin', group: 'system:masters' },
      { name: 'system:kube-controller-manager' },
      { name: 'system:kube-scheduler' },
      { name: 'auditor' },
      ...nodeUsers,
    ]);
    const subject: Subject =
      typeof target === 'string'
        ? await startSubject(target, children, folder)
        : { name: target.endpoint, endpoint: target.endpoint };
    process.stdout.write(`${subject.name} at ${subject.endpoint}, logs in ${folder}\n`);
    const [api = 0, controllers = 0, scheduler = 0] = await freePorts(3);
    const ports = { api, controllers, scheduler };
    const storeEndpoint = subject.endpoint;
    const plane = new ControlPlane({ children, folder, credentials, storeEndpoint, ports, scheduler: schedulerName });
    const { client } = plane;
    lab = {
      subject,
      plane,
      client,
      kubelet: new FakeKubelet({ client, nodeCount, tokens: credentials.tokens }),
      ledger: new Ledger(client, 'ledger'),
      informers: [...informedPaths, ...(killSteps === undefined ? [gadgetsPath] : [])].map((path) => {
        return new Informer({ client, path });
      }),
      tokens: credentials.tokens,
      folder,
      nodeCount,
      replicaCount,
    };
    const steps = killSteps ?? [...objectSteps, ...workloadSteps, ...volumeSteps, ...preemptionSteps, ...restartSteps];
    for (const step of [boot, ...steps]) {
      try {
        await runStep(step, lab);
      } catch (error) {
        throw new Error(`step "${step.name}" does not hold on ${subject.name}`, { cause: error });
      }
    }
    const objects = await dumpObjects(client);
    writeFileSync(join(folder, 'objects.json'), JSON.stringify(Object.fromEntries(objects), null, 1));
    process.stdout.write(`${objects.size} objects left, in ${join(folder, 'objects.json')}\n`);
    return objects;
  } finally {
    const stopping = [lab?.ledger, lab?.kubelet, ...(lab?.informers ?? [])].map((part) => part?.stop());
    await within('our own clients to stop', stepTimeoutMs, Promise.allSettled(stopping));
    lab?.client.close();
    for (const problem of await children.endAll(endOrder)) process.stdout.write(`${problem}\n`);
  }
}

/** Prints what differs and returns how many objects do. */
function compare(left: ReadonlyMap<string, string>, right: ReadonlyMap<string, string>): number {
  let count = 0;
  for (const title of new Set([...left.keys(), ...right.keys()])) {
    const lines = diffLines(left.get(title) ?? '', right.get(title) ?? '');
    if (lines.length === 0) continue;
    count++;
    process.stdout.write(`${title}\n${lines.map((line) => `  ${line}\n`).join('')}`);
  }
  process.stdout.write(count === 0 ? 'both leave the same objects\n' : `${count} objects differ\n`);
  return count;
}

function usage(line: string): never {
  process.stderr.write(
    `${line}\nusage: node conformance/kubernetes.ts --subject etcd|k1m | --endpoint URL | --compare, and --scheduler k1m|k1m-store\n`,
  );
  process.exit(2);
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      subject: { type: 'string', default: '' },
      endpoint: { type: 'string' },
      compare: { type: 'boolean', default: false },
      against: { type: 'string' },
      nodes: { type: 'string', default: '100' },
      replicas: { type: 'string', default: '500' },
      scheduler: { type: 'string', default: 'kube-scheduler' },
      kills: { type: 'string' },
      seed: { type: 'string', default: '1' },
      out: { type: 'string' },
    },
  });
  const { subject, endpoint } = values;
  const folder = resolve(values.out ?? mkdtempSync(join(tmpdir(), 'k1m-kubernetes-')));
  const { scheduler } = values;
  if (!isSchedulerName(scheduler)) usage('--scheduler is kube-scheduler, k1m or k1m-store');
  const size = { nodeCount: Number(values.nodes), replicaCount: Number(values.replicas), scheduler };
  if (!(size.nodeCount > 0 && size.replicaCount > 0)) usage('--nodes and --replicas are numbers above 0');
  if (values.kills !== undefined) {
    if (subject !== 'k1m') usage('--kills is for --subject k1m');
    requirePeers(['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'etcdctl']);
    const steps = killSteps({ kills: Number(values.kills), seed: Number(values.seed) });
    await runOn({ target: 'k1m', folder, ...size, killSteps: steps });
    return 0;
  }
  const needsEtcd = values.compare || subject === 'etcd';
  const parts = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubectl', 'etcdctl'];
  requirePeers(needsEtcd ? [...parts, 'etcd'] : parts);
  if (values.compare) {
    const etcd = await runOn({ target: 'etcd', folder: join(folder, 'etcd'), ...size });
    const k1m = await runOn({ target: 'k1m', folder: join(folder, 'k1m'), ...size });
    return compare(etcd, k1m) === 0 ? 0 : 1;
  }
  let target: RunOptions['target'] | undefined;
  if (endpoint !== undefined) target = { endpoint };
  else if (isSubjectName(subject)) target = subject;
  else usage('which store?');
  const objects = await runOn({ target, folder, ...size });
  if (values.against === undefined) return 0;
  const earlier: Record<string, string> = JSON.parse(readFileSync(values.against, 'utf8'));
  return compare(new Map(Object.entries(earlier)), objects) === 0 ? 0 : 1;
}

await runMain(main);
