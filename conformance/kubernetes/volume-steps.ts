/**
 * Steps with volumes: StatefulSets whose claims wait for their pod, once with a provisioner that makes a volume where the pod is to run, once
 * with local disks that are there. The provisioner is played here; kube-controller-manager binds.
 */
import { until } from '../lab/wait.ts';
import { nodeName } from './fake-kubelet.ts';
import type { JsonObject } from './kube-client.ts';
import * as manifests from './manifests.ts';
import { assertThat, type Lab, type Step } from './step.ts';
import { rolledOut } from './workload-steps.ts';

const apps = '/apis/apps/v1/namespaces/work/statefulsets';
const claimsPath = '/api/v1/namespaces/work/persistentvolumeclaims';
const volumesPath = '/api/v1/persistentvolumes';
const classesPath = '/apis/storage.k8s.io/v1/storageclasses';
const provisioner = 'conformance.k1m.dev/disks';
const selectedNode = 'volume.kubernetes.io/selected-node';
const provisionedBy = 'volume.kubernetes.io/storage-provisioner';
const replicaCount = 5;
const goneTimeoutMs = 120_000;

interface Metadata {
  readonly name: string;
  readonly uid: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

interface Claim {
  readonly metadata: Metadata;
  readonly spec: { readonly volumeName?: string };
}

interface Volume {
  readonly metadata: Metadata;
  readonly spec: { readonly claimRef?: { readonly uid: string } };
}

async function claimsOf(lab: Lab): Promise<readonly Claim[]> {
  return (await lab.client.send<{ items: Claim[] }>('GET', claimsPath)).items;
}

/** One that can be reached from one node only. */
function volume(name: string, node: string, storageClassName: string, more: JsonObject = {}): JsonObject {
  const matchExpressions = [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }];
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name },
    spec: {
      accessModes: ['ReadWriteOnce'],
      capacity: { storage: '1Gi' },
      storageClassName,
      persistentVolumeReclaimPolicy: 'Retain',
      hostPath: { path: `/disks/${name}` },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions }] } },
      ...more,
    },
  };
}

/** Makes volumes for claims that have a node, until the signal. */
async function provision(lab: Lab, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    for (const { metadata, spec } of await claimsOf(lab)) {
      const { name, uid, annotations = {} } = metadata;
      if (spec.volumeName !== undefined || annotations[provisionedBy] !== provisioner) continue;
      const node = annotations[selectedNode];
      if (node === undefined) continue;
      const claimRef = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace: 'work', name, uid };
      try {
        await lab.client.create(volumesPath, volume(`made-${name}`, node, 'made', { claimRef }));
      } catch (error) {
        // Made in the turn before, and not bound yet.
        if (!(error instanceof Error && 'status' in error && error.status === 409)) throw error;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function storageClass(name: string, by: string): JsonObject {
  return {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name },
    provisioner: by,
    volumeBindingMode: 'WaitForFirstConsumer',
  };
}

async function roll(lab: Lab, name: string, storageClassName: string): Promise<void> {
  const image = 'registry.invalid/app:1';
  await lab.client.create(apps, manifests.statefulSet({ name, replicaCount, image, storageClassName }));
  await rolledOut(lab, `${apps}/${name}`, replicaCount);
}

/** Each pod of the set is where its volume is, which is its claim's alone. */
async function check(lab: Lab, name: string): Promise<void> {
  const pods = await lab.client.list(`/api/v1/namespaces/work/pods?labelSelector=app%3D${name}`);
  const nodes = new Map(pods.items.map(({ metadata, spec }) => [metadata.name, spec?.nodeName ?? '']));
  const taken = new Set<string>();
  for (let index = 0; index < replicaCount; index++) {
    const claim = await lab.client.send<Claim>('GET', `${claimsPath}/data-${name}-${index}`);
    const volumeName = claim.spec.volumeName ?? '';
    const bound = await lab.client.send<Volume>('GET', `${volumesPath}/${volumeName}`);
    const node = nodes.get(`${name}-${index}`) ?? '';
    assertThat(bound.spec.claimRef?.uid === claim.metadata.uid, `${volumeName} is not the claim's`);
    assertThat(!taken.has(volumeName), `${volumeName} is taken twice`);
    taken.add(volumeName);
    assertThat(JSON.stringify(bound).includes(`"${node}"`), `${name}-${index} is on ${node}, without its volume`);
    const selected = claim.metadata.annotations?.[selectedNode];
    const byController = bound.metadata.annotations?.['pv.kubernetes.io/bound-by-controller'];
    const isMade = volumeName.startsWith('made-');
    assertThat(selected === (isMade ? node : undefined), `${name}-${index}: selected node ${selected}`);
    assertThat(byController === (isMade ? undefined : 'yes'), `${volumeName}: bound by controller ${byController}`);
  }
}

async function statefulSets(lab: Lab): Promise<string> {
  const { client } = lab;
  await client.create(classesPath, storageClass('made', provisioner));
  await client.create(classesPath, storageClass('local', 'kubernetes.io/no-provisioner'));
  for (let index = 0; index < replicaCount; index++) {
    await client.create(volumesPath, volume(`local-${index}`, nodeName(index % lab.nodeCount), 'local'));
  }
  const ending = new AbortController();
  const provisioning = provision(lab, ending.signal);
  try {
    await Promise.all([roll(lab, 'stored', 'made'), roll(lab, 'disks', 'local')]);
  } finally {
    ending.abort();
    await provisioning;
  }
  for (const name of ['stored', 'disks']) await check(lab, name);
  return `${2 * replicaCount} claims`;
}

/** A pod whose claim is bound goes back to where its volume is. */
async function comeBack(lab: Lab): Promise<string> {
  const path = '/api/v1/namespaces/work/pods/stored-0';
  const before = await lab.client.get(path);
  await lab.client.delete(path);
  await until('stored-0 to be bound again', { timeoutMs: goneTimeoutMs, everyMs: 250 }, async () => {
    const { items } = await lab.client.list('/api/v1/namespaces/work/pods?labelSelector=app%3Dstored');
    const pod = items.find(({ metadata }) => metadata.name === 'stored-0');
    return pod?.spec?.nodeName === before.spec?.nodeName && pod?.metadata.uid !== before.metadata.uid;
  });
  await rolledOut(lab, `${apps}/stored`, replicaCount);
  return '';
}

/** What a pod is told for whose claim there is no disk left, and for one whose claim is missing. */
async function refusals(lab: Lab): Promise<string> {
  const claim = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'without-disk' },
    spec: { accessModes: ['ReadWriteOnce'], storageClassName: 'local', resources: { requests: { storage: '1Gi' } } },
  };
  await lab.client.create(claimsPath, claim);
  const expected = new Map([
    ['without-disk', /^0\/\d+ nodes are available: \d+ node\(s\) didn't find available persistent volumes to bind\. /],
    ['without-claim', /^0\/\d+ nodes are available: persistentvolumeclaim "without-claim" not found\. /],
  ]);
  for (const [name, pattern] of expected) {
    await lab.client.create('/api/v1/namespaces/work/pods', podWith(name));
    await until(`${name} to be refused`, { timeoutMs: 30_000, everyMs: 250 }, async () => {
      const { status } = await lab.client.send<{ status: { conditions?: { reason?: string; message?: string }[] } }>(
        'GET',
        `/api/v1/namespaces/work/pods/${name}`,
      );
      const { reason, message = '' } = status.conditions?.[0] ?? {};
      return (reason === 'Unschedulable' && pattern.test(message)) || `${reason} ${message}`;
    });
    await lab.client.delete(`/api/v1/namespaces/work/pods/${name}`);
  }
  return '';
}

function podWith(claimName: string): JsonObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: claimName },
    spec: {
      containers: [{ name: 'main', image: 'registry.invalid/app:1' }],
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName } }],
    },
  };
}

/** Runs that are compared are to leave the same. */
async function remove(lab: Lab): Promise<string> {
  const { client } = lab;
  for (const name of ['stored', 'disks']) await client.delete(`${apps}/${name}`);
  await until('their pods to go', { timeoutMs: goneTimeoutMs, everyMs: 250 }, async () => {
    const { items } = await client.list('/api/v1/namespaces/work/pods?labelSelector=app+in+(stored,disks)');
    return items.length === 0 || String(items.length);
  });
  for (const { metadata } of await claimsOf(lab)) await client.delete(`${claimsPath}/${metadata.name}`);
  for (const { metadata } of (await client.list(volumesPath)).items)
    await client.delete(`${volumesPath}/${metadata.name}`);
  await until('their volumes to go', { timeoutMs: goneTimeoutMs, everyMs: 250 }, async () => {
    const left = [...(await claimsOf(lab)), ...(await client.list(volumesPath)).items];
    return left.length === 0 || String(left.length);
  });
  for (const name of ['made', 'local']) await client.delete(`${classesPath}/${name}`);
  return '';
}

export const volumeSteps: readonly Step[] = [
  { name: 'StatefulSets with claims that wait for their pods', run: statefulSets },
  { name: 'a pod comes back to its volume', run: comeBack },
  { name: 'pods without a disk or a claim are told so', run: refusals },
  { name: 'claims and volumes are deleted', run: remove },
];
