/** Two pods alike, one bound through the API and one at the store, as clients of the API server see them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import type { EtcdClient } from '../../src/client/etcd-client.ts';
import { MessageDecoder } from '../../src/kube/message-decoder.ts';
import { MessageEncoder } from '../../src/kube/message-encoder.ts';
import { readEnvelope, storedObject } from '../../src/kube/stored-object.ts';
import type { StoreKubeApi } from '../../src/kube-store/store-kube-api.ts';
import type { ControlPlane } from '../kubernetes/control-plane.ts';
import { type JsonObject, KubeError, type KubeObject } from '../kubernetes/kube-client.ts';
import { peerPath } from '../lab/peer-path.ts';
import { until } from '../lab/wait.ts';

const podsPath = '/api/v1/namespaces/default/pods';
const nodeName = 'node-1';
const timeoutMs = 10_000;
const names = ['by-api', 'by-store'] as const;

/** States of a pod before it is bound; each is bound both ways. */
const states: readonly { readonly name: string; readonly status?: JsonObject }[] = [
  { name: 'new' },
  {
    name: 'refused-before',
    status: {
      nominatedNodeName: 'node-9',
      conditions: [
        { type: 'Example', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' },
        {
          type: 'PodScheduled',
          status: 'False',
          reason: 'Unschedulable',
          message: 'no room',
          observedGeneration: 1,
          lastTransitionTime: '2026-01-01T00:00:00Z',
        },
      ],
    },
  },
];

function podNamed(name: string): JsonObject {
  const containers = [{ name: 'main', image: 'web:1', resources: { requests: { cpu: '100m' } } }];
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, labels: { app: 'bound' } }, spec: { containers } };
}

function bindingOf({ metadata: { name, uid } }: KubeObject): JsonObject {
  return { apiVersion: 'v1', kind: 'Binding', metadata: { name, uid }, target: { kind: 'Node', name: nodeName } };
}

/** Without what differs between any two objects: identities, versions, moments. */
function alike(object: unknown, name: string): unknown {
  const text = JSON.stringify(object, (key, value) => {
    if (key === 'uid' || key === 'resourceVersion') return '…';
    return typeof value === 'string' && /^\d{4}-\d\d-\d\dT[0-9:.]+Z$/.test(value) ? 'a time' : value;
  });
  return JSON.parse(text.replaceAll(name, 'POD'));
}

async function messageOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    // The body in it is JSON.
    if (error instanceof KubeError) return error.message.replaceAll('\\"', '"');
    throw error;
  }
  return '';
}

/** What a watch has told of the pods, by name, in order. */
function watchPods(plane: ControlPlane, version: string, signal: AbortSignal): Map<string, unknown[]> {
  const told = new Map<string, unknown[]>();
  const follow = async (): Promise<void> => {
    for await (const event of plane.client.watch(`${podsPath}?watch=1&resourceVersion=${version}`, signal)) {
      if (event.type === 'ERROR') throw new Error(`the watch has ended: ${event.object.message}`);
      const { type, object } = event;
      const { name } = object.metadata;
      told.set(name, [...(told.get(name) ?? []), { type, object }]);
    }
  };
  follow().catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
  return told;
}

async function bindState(plane: ControlPlane, atStore: StoreKubeApi, state: (typeof states)[number]): Promise<void> {
  const { client } = plane;
  const pods: KubeObject[] = [];
  for (const way of names) {
    const name = `${state.name}-${way}`;
    await client.create(podsPath, podNamed(name));
    if (state.status !== undefined) await client.patch(`${podsPath}/${name}/status`, { status: state.status });
    pods.push(await client.get(`${podsPath}/${name}`));
  }
  const [byApi, byStore] = pods;
  const { metadata } = await client.list(podsPath);
  const abort = new AbortController();
  const told = watchPods(plane, metadata.resourceVersion, abort.signal);
  await client.create(`${podsPath}/${byApi.metadata.name}/binding`, bindingOf(byApi));
  const { name, uid, resourceVersion } = byStore.metadata;
  const pod = { namespace: 'default', name, uid, ...(resourceVersion === undefined ? {} : { resourceVersion }) };
  assert.deepEqual(await atStore.bind(pod, nodeName), { kind: 'bound' });

  const shown = await Promise.all(pods.map((one) => client.get(`${podsPath}/${one.metadata.name}`)));
  assert.deepEqual(alike(shown[1], name), alike(shown[0], byApi.metadata.name), 'what a read shows');
  await until('the watch to tell of both', { timeoutMs, everyMs: 20 }, async () =>
    pods.every((one) => told.has(one.metadata.name)) ? true : 'not yet',
  );
  abort.abort();
  assert.deepEqual(alike(told.get(name), name), alike(told.get(byApi.metadata.name), byApi.metadata.name), 'a watch');
  const onNode = await client.list(`${podsPath}?fieldSelector=spec.nodeName%3D${nodeName}&resourceVersion=0`);
  const found = onNode.items.map((one) => one.metadata.name);
  assert.ok(
    pods.every((one) => found.includes(one.metadata.name)),
    'a list by node, from the watch cache',
  );
  const printed = pods.map((one) =>
    execFileSync(peerPath('kubectl'), [
      `--kubeconfig=${plane.adminConfigPath}`,
      'get',
      'pod',
      one.metadata.name,
      '--no-headers',
      '-o',
      'custom-columns=NODE:.spec.nodeName,PHASE:.status.phase,CONDITIONS:.status.conditions[*].type',
    ]).toString(),
  );
  assert.equal(printed[1], printed[0], 'kubectl');
  // Both ways refuse it now, and say the same.
  const again = await messageOf(client.create(`${podsPath}/${name}/binding`, bindingOf(byStore)));
  const refused = await atStore.bind({ namespace: 'default', name, uid }, nodeName);
  assert.ok(refused.kind === 'conflict' && again.includes(refused.text), `${again} and ${JSON.stringify(refused)}`);
  process.stdout.write(`a ${state.name} pod is the same, bound through the API and at the store\n`);
}

async function refuseGated(plane: ControlPlane, atStore: StoreKubeApi): Promise<void> {
  const { client } = plane;
  const rich = await client.get(`${podsPath}/rich`);
  const { name, uid } = rich.metadata;
  const byApi = await messageOf(client.create(`${podsPath}/${name}/binding`, bindingOf(rich)));
  const byStore = await atStore.bind({ namespace: 'default', name, uid }, nodeName);
  assert.ok(byStore.kind === 'conflict' && byApi.includes(byStore.text), `${byApi} and ${JSON.stringify(byStore)}`);
  process.stdout.write(`a gated pod is refused both ways: ${byStore.text}\n`);
}

/** The bytes of the pod are those that the API server's encoder would have written for it. */
async function checkBytes(store: EtcdClient): Promise<void> {
  for (const { name } of states) {
    const pair = await store.get(`/registry/pods/default/${name}-${names[1]}`);
    assert.ok(pair !== undefined);
    const { apiVersion, kind, rawStart, rawEnd } = readEnvelope(pair.value);
    const pod = new MessageDecoder().decode(kind, pair.value, rawStart, rawEnd) ?? {};
    const again = storedObject(apiVersion, kind, (writer) => new MessageEncoder().encode(kind, pod, writer));
    assert.ok(Buffer.compare(again, pair.value) === 0, `the bytes of ${name}`);
  }
  process.stdout.write('what is stored is byte for byte as the API server would encode it\n');
}

export async function bindBothWays(plane: ControlPlane, store: EtcdClient, atStore: StoreKubeApi): Promise<void> {
  for (const state of states) await bindState(plane, atStore, state);
  await refuseGated(plane, atStore);
  await checkBytes(store);
}
