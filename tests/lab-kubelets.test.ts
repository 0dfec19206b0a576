// The kubelets of the lab (src/lab/kubelets.ts) on our server in simulated time: what becomes of pods, how fast, and over restarts, compactions and other writers.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { keyBytes, prefixEnd } from '../src/client/key-range.ts';
import { MessageDecoder, type PlainObject } from '../src/kube/message-decoder.ts';
import { MessageEncoder } from '../src/kube/message-encoder.ts';
import { readEnvelope, storedObject } from '../src/kube/stored-object.ts';
import { RegistryKeys } from '../src/kube-store/registry-key.ts';
import { Kubelets } from '../src/lab/kubelets.ts';
import { LabLoad } from '../src/lab/lab-load.ts';
import { labTemplate } from '../src/lab/lab-pod.ts';
import { NODE_PREFIX, numberIn } from '../src/lab/lab-target.ts';
import { NodeHeartbeats } from '../src/lab/node-heartbeats.ts';
import { NodeMaker } from '../src/lab/node-maker.ts';
import { addressOf, nameOf } from '../src/lab/numbered-bytes.ts';
import { ObjectCreation } from '../src/lab/object-creation.ts';
import { PodMaker } from '../src/lab/pod-maker.ts';
import { mixOf } from '../src/lab/pod-template.ts';
import { PodsAtHand } from '../src/lab/pods-at-hand.ts';
import { StorePodFeed, type StorePodFeedOptions } from '../src/lab/store-pod-feed.ts';
import { StoreTarget } from '../src/lab/store-target.ts';
import { SimulatedServer } from './compat/server-fixture.ts';

const PORT = 2379;
const ENDPOINT = `http://127.0.0.1:${PORT}`;
const CREATED_MS = Date.parse('2026-01-02T03:04:05Z');
const FOLDER = '/registry/pods/default/';
const NODES = 10;
/** Of PodStatus, and known to nobody. */
const UNKNOWN_FIELD = Buffer.from([0xfa, 0x3f, 3, 1, 2, 3]);

const decoder = new MessageDecoder();

function decoded(value: Uint8Array): PlainObject {
  const { kind, rawStart, rawEnd } = readEnvelope(value);
  return decoder.decode(kind, value, rawStart, rawEnd) ?? {};
}

describe("the lab's kubelets", () => {
  let server: SimulatedServer;
  let load: LabLoad;
  let target: StoreTarget;
  let kubelets: Kubelets;
  let problems: string[];

  beforeEach(async () => {
    server = await SimulatedServer.open(1, { listen: [{ host: '127.0.0.1', port: PORT }] });
    const world = { network: server.network, clock: server.clock, signal: new AbortController().signal };
    load = new LabLoad(world, ENDPOINT);
    target = new StoreTarget(world, ENDPOINT, '/registry');
    await server.drive(load.open());
    await server.drive(target.open());
    problems = [];
  });

  afterEach(async () => {
    kubelets.close();
    load.close();
    await target.close();
    await server.close();
  });

  function start({ ratePerSecond = 0, waitingMax = 1000 } = {}): void {
    kubelets = new Kubelets({
      clock: server.clock,
      writer: target.writer,
      isOwnNode: (name) => numberIn(name, NODE_PREFIX) >= 0,
      hostAddressOf: (name) => `10.${addressOf(numberIn(name, NODE_PREFIX))}`,
      jobMs: 5000,
      stopMs: 1000,
      ratePerSecond,
      inFlightMax: 16,
      waitingMax,
      onProblem: (text) => problems.push(text),
    });
    kubelets.start(target.feed);
  }

  async function create(template: 'plain' | 'job', from: number, to: number): Promise<void> {
    const options = { registry: '/registry', prefix: 'lab-pod-', namespaces: ['default'], createdMs: CREATED_MS };
    const maker = new PodMaker(options, mixOf([{ template: labTemplate(template), weight: 1 }]));
    await server.drive(load.create('pods', new ObjectCreation(maker, from, to), { inFlight: 8 }));
  }

  async function pods(): Promise<PlainObject[]> {
    const key = keyBytes(FOLDER);
    const { kvs } = await server.drive(load.client.range({ key, range_end: prefixEnd(key) }));
    return kvs.map(({ value }) => decoded(value));
  }

  async function put(pod: PlainObject, rest: Uint8Array = new Uint8Array()): Promise<void> {
    const value = storedObject('v1', 'Pod', (writer) => {
      new MessageEncoder().encode('Pod', pod, writer);
      writer.bytes(rest);
    });
    await server.drive(load.client.put(`${FOLDER}${Object(pod.metadata).name}`, value));
  }

  /** Every pod as a scheduler would have bound it, with more metadata. */
  async function bind(
    metadata: PlainObject = {},
    node = (index: number) => nameOf(NODE_PREFIX, index % NODES),
  ): Promise<void> {
    const scheduled = { type: 'PodScheduled', status: 'True', lastProbeTime: null, lastTransitionTime: null };
    for (const [index, pod] of (await pods()).entries()) {
      await put({
        ...pod,
        metadata: { ...Object(pod.metadata), ...metadata },
        spec: { ...Object(pod.spec), nodeName: node(index) },
        status: { ...Object(pod.status), conditions: [scheduled] },
      });
    }
  }

  function phases(all: readonly PlainObject[]): string[] {
    return all.map(({ status }) => Object(status).phase);
  }

  it('start pods that are bound to their nodes, with addresses of their own', async () => {
    start();
    await create('plain', 0, 20);
    await server.clock.pass(500);
    assert.deepEqual(new Set(phases(await pods())), new Set(['Pending']));
    await bind();
    await server.clock.pass(500);
    const all = await pods();
    const addresses = new Set(all.map(({ status }) => Object(status).podIP));
    assert.equal(addresses.size, 20);
    for (const [index, { status }] of all.entries()) {
      const { phase, conditions, hostIP, hostIPs, podIP, podIPs, startTime, containerStatuses } = Object(status);
      assert.equal(phase, 'Running');
      assert.deepEqual(
        conditions.map((one: PlainObject) => [one.type, one.status]),
        ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map((type) => [
          type,
          'True',
        ]),
      );
      assert.equal(hostIP, `10.${addressOf(index % NODES)}`);
      assert.deepEqual([hostIPs, podIPs], [[{ ip: hostIP }], [{ ip: podIP }]]);
      const [container] = containerStatuses;
      assert.deepEqual(
        [container.name, container.ready, container.started, container.restartCount],
        ['main', true, true, 0],
      );
      assert.deepEqual(container.state, { running: { startedAt: startTime } });
    }
    assert.deepEqual([kubelets.counts.start, kubelets.waiting, problems], [20, 0, []]);
  });

  it('leave pods on nodes of others alone', async () => {
    start();
    await create('plain', 0, 3);
    await bind({}, () => 'other');
    await server.clock.pass(2000);
    assert.deepEqual(phases(await pods()), ['Pending', 'Pending', 'Pending']);
  });

  it('complete pods that are not started again when their time is over', async () => {
    start();
    await create('job', 0, 4);
    await bind();
    await server.clock.pass(3000);
    assert.deepEqual(new Set(phases(await pods())), new Set(['Running']));
    await server.clock.pass(3500);
    for (const { status } of await pods()) {
      const { phase, conditions, containerStatuses } = Object(status);
      assert.equal(phase, 'Succeeded');
      const ready = conditions.find((one: PlainObject) => one.type === 'Ready');
      assert.deepEqual([ready.status, ready.reason], ['False', 'PodCompleted']);
      const { terminated } = containerStatuses[0].state;
      assert.deepEqual([terminated.exitCode, terminated.reason], [0, 'Completed']);
      assert(Date.parse(terminated.finishedAt) - Date.parse(terminated.startedAt) >= 4000);
    }
    assert.equal(kubelets.counts.finish, 4);
  });

  it('remove pods that are being deleted: stopped first, held as long as finalizers hold them', async () => {
    start();
    await create('plain', 0, 2);
    await bind();
    await server.clock.pass(500);
    const deletion = { deletionTimestamp: new Date(CREATED_MS).toISOString(), deletionGracePeriodSeconds: 30 };
    const [first, second] = await pods();
    await put({ ...first, metadata: { ...Object(first.metadata), ...deletion } });
    await put({ ...second, metadata: { ...Object(second.metadata), ...deletion, finalizers: ['k1m.dev/held'] } });
    await server.clock.pass(500);
    assert.deepEqual(phases(await pods()), ['Running', 'Running']);
    await server.clock.pass(2000);
    const left = await pods();
    assert.equal(left.length, 1);
    assert.equal(Object(left[0].metadata).deletionGracePeriodSeconds, 0);
    assert.equal(Object(left[0].status).phase, 'Failed');
    assert.equal(Object(left[0].status).containerStatuses[0].state.terminated.exitCode, 143);
    assert.deepEqual([kubelets.counts.stop, kubelets.counts.remove, kubelets.waiting], [2, 2, 0]);
  });

  it('do not touch a pod that has come in the place of another', async () => {
    await create('plain', 0, 1);
    const deletion = { deletionTimestamp: new Date(CREATED_MS).toISOString(), deletionGracePeriodSeconds: 30 };
    await bind(deletion);
    start();
    await server.clock.pass(300);
    const [pod] = await pods();
    await put({ ...pod, metadata: { name: Object(pod.metadata).name, namespace: 'default', uid: 'another' } });
    await server.clock.pass(3000);
    const [left] = await pods();
    assert.deepEqual([Object(left.metadata).uid, Object(left.status).phase], ['another', 'Running']);
  });

  it('write no faster than they may', async () => {
    await create('plain', 0, 100);
    await bind();
    start({ ratePerSecond: 20 });
    await server.clock.pass(2000);
    const running = phases(await pods()).filter((phase) => phase === 'Running').length;
    assert(running >= 36 && running <= 44, String(running));
    await server.clock.pass(4000);
    assert.equal(kubelets.counts.start, 100);
  });

  it('come to the pods that they had no room for', async () => {
    await create('plain', 0, 60);
    await bind();
    start({ waitingMax: 8 });
    await server.clock.pass(3000);
    assert.deepEqual(new Set(phases(await pods())), new Set(['Running']));
    assert.equal(kubelets.counts.start, 60);
  });

  it('keep what nobody knows of a pod, and go on after a restart and a compaction of the store', async () => {
    start();
    await create('plain', 0, 10);
    await bind();
    await server.clock.pass(500);
    server.kill();
    await server.clock.pass(1000);
    await server.start();
    await create('plain', 10, 20);
    const all = await pods();
    for (const [index, pod] of all.entries()) {
      if (index >= 10)
        await put({ ...pod, spec: { ...Object(pod.spec), nodeName: nameOf(NODE_PREFIX, 1) } }, UNKNOWN_FIELD);
    }
    const { header } = await server.drive(load.client.range({ key: keyBytes('x') }));
    await server.drive(load.client.compact(header?.revision ?? 0));
    await server.clock.pass(5000);
    const key = keyBytes(FOLDER);
    const { kvs } = await server.drive(load.client.range({ key, range_end: prefixEnd(key) }));
    for (const [index, { value }] of kvs.entries()) {
      assert.equal(Object(decoded(value).status).phase, 'Running');
      assert.equal(Buffer.from(value).includes(UNKNOWN_FIELD), index >= 10);
    }
    const addresses = new Set(kvs.map(({ value }) => Object(decoded(value).status).podIP));
    assert.equal(addresses.size, 20);
  });

  it('keep no bytes of pods that went while nobody watched', async () => {
    start();
    await create('plain', 0, 1);
    const atHand = new PodsAtHand();
    let removed: Promise<unknown> | undefined;
    const client: StorePodFeedOptions['client'] = {
      watch: (...given) => load.client.watch(...given),
      rangePage: async (...given) => {
        await removed;
        return load.client.rangePage(...given);
      },
    };
    const parts = { client, clock: server.clock, keys: new RegistryKeys('/registry'), atHand };
    const feed = new StorePodFeed(parts);
    const told: string[] = [];
    feed.start({
      onPod: ({ name }) => told.push(name) > 0,
      onGone: (key) => told.push(`-${key}`),
      onListBegins: () => {},
      onListEnds: () => {},
      onProblem: () => {},
    });
    await server.clock.pass(100);
    removed = load.client.deleteRange({ key: keyBytes(`${FOLDER}lab-pod-0000000`) });
    feed.listAnew();
    await server.clock.pass(100);
    feed.close();
    assert.deepEqual([told, atHand.take('default/lab-pod-0000000')], [['lab-pod-0000000'], undefined]);
  });

  it('report their nodes, and put right what a controller has made of one', async () => {
    start();
    const nodes = { prefix: NODE_PREFIX, zones: 2, images: 1, createdMs: CREATED_MS };
    await server.drive(
      load.create('nodes', new ObjectCreation(new NodeMaker('/registry', nodes), 0, 4), { inFlight: 2 }),
    );
    const key = `/registry/minions/${nameOf(NODE_PREFIX, 2)}`;
    const kv = await server.drive(load.client.get(key));
    assert(kv !== undefined);
    const node = decoded(kv.value);
    const lost = Object(node.status).conditions.map((one: PlainObject) => ({ ...one, status: 'Unknown' }));
    const value = storedObject('v1', 'Node', (writer) =>
      new MessageEncoder().encode('Node', { ...node, status: { ...Object(node.status), conditions: lost } }, writer),
    );
    await server.drive(load.client.put(key, value));
    const heartbeats = new NodeHeartbeats({
      clock: server.clock,
      writer: target.writer,
      nameOf: (index) => nameOf(NODE_PREFIX, index),
      count: 4,
      fraction: 10,
      inFlightMax: 2,
      onProblem: (text) => problems.push(text),
    });
    heartbeats.start();
    await server.clock.pass(31_000);
    heartbeats.close();
    assert.deepEqual([heartbeats.counts, problems], [{ written: 5, failed: 0 }, []]);
    const after = await server.drive(load.client.get(key));
    const { conditions } = Object(decoded(after?.value ?? new Uint8Array()).status);
    assert.deepEqual(
      conditions.map((one: PlainObject) => one.status),
      ['False', 'False', 'False', 'True'],
    );
  });
});
