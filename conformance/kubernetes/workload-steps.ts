/** Steps with pods on the fake nodes: the controllers and the scheduler at work. */
import { until } from '../lab/wait.ts';
import type { KubeObject } from './kube-client.ts';
import * as manifests from './manifests.ts';
import { assertThat, type Lab, type Step } from './step.ts';

export const workloads = '/apis/apps/v1/namespaces/work/deployments';
const rolloutTimeoutMs = 240_000;
const firstImage = 'registry.invalid/app:1';
const secondImage = 'registry.invalid/app:2';

/** Waits until all replicas are of the newest template and ready, and no other pod is left. */
export async function rolledOut(lab: Lab, path: string, replicaCount: number): Promise<void> {
  await until(`${path} to be rolled out`, { timeoutMs: rolloutTimeoutMs, everyMs: 250 }, async () => {
    const { metadata, status = {} } = await lab.client.get(path);
    if (status.observedGeneration !== metadata.generation) return 'the controller has not seen it';
    const counts = [status.replicas, status.updatedReplicas, status.readyReplicas].map((count) => count ?? 0);
    return counts.every((count) => count === replicaCount) || `replicas, updated, ready: ${counts}`;
  });
}

export async function podsOf(lab: Lab, app: string): Promise<readonly KubeObject[]> {
  return (await lab.client.list(`/api/v1/namespaces/work/pods?labelSelector=app%3D${app}`)).items;
}

export async function podCount(lab: Lab, app: string, count: number): Promise<void> {
  await until(`${count} pods of ${app}`, { timeoutMs: rolloutTimeoutMs, everyMs: 250 }, async () => {
    const { length } = await podsOf(lab, app);
    return length === count || String(length);
  });
}

export async function registerNodes(lab: Lab): Promise<string> {
  await lab.kubelet.start();
  await until('the nodes to be schedulable', { timeoutMs: 60_000 }, async () => {
    const { items } = await lab.client.list('/api/v1/nodes?fieldSelector=spec.unschedulable%3Dfalse');
    const tainted = items.filter((node) => JSON.stringify(node).includes('node.kubernetes.io/not-ready'));
    return (items.length === lab.nodeCount && tainted.length === 0) || `${items.length}, ${tainted.length} not ready`;
  });
  await until('their leases', { timeoutMs: 30_000 }, async () => {
    const { items } = await lab.client.list('/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases');
    return items.length === lab.nodeCount || String(items.length);
  });
  return `${lab.nodeCount} nodes`;
}

async function deploy(lab: Lab): Promise<string> {
  const { client, replicaCount } = lab;
  await client.create('/api/v1/namespaces', manifests.namespace('work'));
  await client.create('/api/v1/namespaces/work/services', manifests.service('web', '10.96.0.80'));
  await client.create(workloads, manifests.deployment({ name: 'web', replicaCount, image: firstImage }));
  await rolledOut(lab, `${workloads}/web`, replicaCount);
  const pods = await podsOf(lab, 'web');
  const nodes = new Set(pods.map((pod) => pod.spec?.nodeName ?? ''));
  assertThat(pods.length === replicaCount && !nodes.has(''), 'not every pod is bound');
  await until('their endpoints', { timeoutMs: 60_000, everyMs: 250 }, async () => {
    const slices = '/apis/discovery.k8s.io/v1/namespaces/work/endpointslices';
    const { items } = await client.list(`${slices}?labelSelector=kubernetes.io%2Fservice-name%3Dweb`);
    const ready = items.flatMap((slice) => slice.endpoints ?? []).filter((endpoint) => endpoint.conditions.ready);
    return ready.length === replicaCount || String(ready.length);
  });
  return `${replicaCount} replicas on ${nodes.size} nodes`;
}

async function roll(lab: Lab): Promise<string> {
  const containers = [{ name: 'main', image: secondImage }];
  await lab.client.send('PATCH', `${workloads}/web`, {
    body: { spec: { template: { spec: { containers } } } },
    contentType: 'application/strategic-merge-patch+json',
  });
  await rolledOut(lab, `${workloads}/web`, lab.replicaCount);
  await podCount(lab, 'web', lab.replicaCount);
  const pods = await podsOf(lab, 'web');
  assertThat(
    pods.every((pod) => pod.spec?.containers?.[0]?.image === secondImage),
    'pods of the old image are left',
  );
  return '';
}

async function scale(lab: Lab): Promise<string> {
  const down = Math.ceil(lab.replicaCount / 5);
  const up = Math.ceil(lab.replicaCount / 2);
  for (const replicas of [down, up]) {
    await lab.client.patch(`${workloads}/web/scale`, { spec: { replicas } });
    await rolledOut(lab, `${workloads}/web`, replicas);
    await podCount(lab, 'web', replicas);
  }
  return `to ${down}, to ${up}`;
}

async function remove(lab: Lab): Promise<string> {
  await lab.client.delete(`${workloads}/web`);
  await podCount(lab, 'web', 0);
  await until('its replica sets to go', { timeoutMs: 60_000 }, async () => {
    const { items } = await lab.client.list('/apis/apps/v1/namespaces/work/replicasets?labelSelector=app%3Dweb');
    return items.length === 0 || String(items.length);
  });
  return '';
}

async function otherControllers(lab: Lab): Promise<string> {
  const { client } = lab;
  const apps = '/apis/apps/v1/namespaces/work';
  await client.create(
    `${apps}/statefulsets`,
    manifests.statefulSet({ name: 'ordered', replicaCount: 5, image: firstImage }),
  );
  await client.create(workloads, manifests.deployment({ name: 'resting', replicaCount: 3, image: firstImage }));
  await client.create(`${apps}/daemonsets`, manifests.daemonSet('everywhere', firstImage));
  await rolledOut(lab, `${apps}/statefulsets/ordered`, 5);
  await rolledOut(lab, `${workloads}/resting`, 3);
  await podCount(lab, 'everywhere', lab.nodeCount);
  await until('the daemon set to be ready', { timeoutMs: 60_000 }, async () => {
    const pods = await podsOf(lab, 'everywhere');
    const running = pods.filter((pod) => pod.status?.phase === 'Running').length;
    return running === lab.nodeCount || String(running);
  });
  await client.delete(`${apps}/daemonsets/everywhere`);
  await podCount(lab, 'everywhere', 0);
  return '';
}

async function events(lab: Lab): Promise<string> {
  const page = await lab.client.list('/api/v1/namespaces/work/events?limit=500');
  const reasons = new Set(page.items.map((event) => event.reason));
  // Others may be missing: components drop events of which they have had too many of late.
  for (const reason of ['Scheduled', 'SuccessfulCreate', 'ScalingReplicaSet']) {
    assertThat(reasons.has(reason), `no event ${reason} among ${[...reasons].join(', ')}`);
  }
  let count = page.items.length;
  let next = page.metadata.continue ?? '';
  while (next !== '') {
    const more = await lab.client.list(`/api/v1/namespaces/work/events?limit=500&continue=${encodeURIComponent(next)}`);
    count += more.items.length;
    next = more.metadata.continue ?? '';
  }
  return `${count} events`;
}

export const workloadSteps: readonly Step[] = [
  { name: 'nodes register and renew their leases', run: registerNodes },
  { name: 'a Deployment is bound and ready', run: deploy },
  { name: 'it is rolled to another image', run: roll },
  { name: 'it is scaled down and up', run: scale },
  { name: 'it is deleted with all it owns', run: remove },
  { name: 'a StatefulSet and a DaemonSet', run: otherControllers },
  { name: 'Events tell of it', run: events },
];
