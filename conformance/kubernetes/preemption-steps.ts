/**
 * Steps on a full cluster: each node has one pod that leaves no room for a second of its size, and pods of a higher priority come.
 */
import { until } from '../lab/wait.ts';
import * as manifests from './manifests.ts';
import { assertThat, type Lab, type Step } from './step.ts';
import { podCount, podsOf, rolledOut, workloads } from './workload-steps.ts';

const classesPath = '/apis/scheduling.k8s.io/v1/priorityclasses';
const image = 'registry.invalid/app:1';
/** Of the 32 that a node has: two do not fit, and one does beside the pods of other steps. */
const cpu = '20';
const timeoutMs = 240_000;

function urgentCount(lab: Lab): number {
  return Math.ceil(lab.nodeCount / 4);
}

async function readyOf(lab: Lab, name: string, count: number): Promise<void> {
  await until(`${count} ready pods of ${name}`, { timeoutMs, everyMs: 250 }, async () => {
    const { status = {} } = await lab.client.get(`${workloads}/${name}`);
    const ready = status.readyReplicas ?? 0;
    return ready === count || String(ready);
  });
}

async function fill(lab: Lab): Promise<string> {
  const { client, nodeCount } = lab;
  await client.create(workloads, manifests.largeDeployment({ name: 'filling', replicaCount: nodeCount, image, cpu }));
  await rolledOut(lab, `${workloads}/filling`, nodeCount);
  return `${nodeCount} nodes with a pod of ${cpu} CPUs`;
}

async function displace(lab: Lab): Promise<string> {
  const { client, nodeCount } = lab;
  const count = urgentCount(lab);
  await client.create(classesPath, manifests.priorityClass('urgent', 1000));
  const startMs = Date.now();
  const priorityClassName = 'urgent';
  await client.create(
    workloads,
    manifests.largeDeployment({ name: 'urgent', replicaCount: count, image, cpu, priorityClassName }),
  );
  await rolledOut(lab, `${workloads}/urgent`, count);
  const seconds = ((Date.now() - startMs) / 1000).toFixed(1);
  // Its controller makes new ones, which fit nowhere.
  await readyOf(lab, 'filling', nodeCount - count);
  await podCount(lab, 'filling', nodeCount);
  const urgent = await podsOf(lab, 'urgent');
  assertThat(new Set(urgent.map(({ spec }) => spec?.nodeName)).size === count, 'two are on one node');
  const { items } = await client.list('/api/v1/namespaces/work/events?fieldSelector=reason%3DPreempted');
  const notes = items.map(({ message = '' }) => message);
  const [odd] = notes.filter((note) => !/^Preempted by pod [0-9a-f-]{36} on node node-\d+$/.test(note));
  assertThat(odd === undefined, `an event says ${odd}`);
  assertThat(notes.length === count, `${notes.length} events of victims, not ${count}`);
  return `${count} victims, all bound after ${seconds} s`;
}

async function giveBack(lab: Lab): Promise<string> {
  await lab.client.delete(`${workloads}/urgent`);
  await podCount(lab, 'urgent', 0);
  await readyOf(lab, 'filling', lab.nodeCount);
  await lab.client.delete(`${workloads}/filling`);
  await podCount(lab, 'filling', 0);
  await lab.client.delete(`${classesPath}/urgent`);
  return '';
}

export const preemptionSteps: readonly Step[] = [
  { name: 'a Deployment fills the cluster', run: fill },
  { name: 'one of a higher priority displaces as many pods as it needs', run: displace },
  { name: 'these come back when it goes', run: giveBack },
];
