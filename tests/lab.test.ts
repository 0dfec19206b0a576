// The lab's nodes and pods (src/lab) on our server in simulated time: what is in the store, that a scheduler can read it, and what is left at the end.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { UNAVAILABLE } from '../src/api/errors.ts';
import { ArrivalSchedule } from '../src/bench/arrival-schedule.ts';
import { keyBytes, prefixEnd } from '../src/client/key-range.ts';
import { MessageDecoder } from '../src/kube/message-decoder.ts';
import { MessageEncoder } from '../src/kube/message-encoder.ts';
import { readEnvelope, storedObject } from '../src/kube/stored-object.ts';
import { PodRewriter, readPodHead } from '../src/kube/stored-pod.ts';
import type { JsonObject } from '../src/kube-api/kube-api.ts';
import { BoundSample } from '../src/lab/bound-sample.ts';
import { LabLoad } from '../src/lab/lab-load.ts';
import { labTemplate, POD_TEMPLATES, type PodTemplate } from '../src/lab/lab-pod.ts';
import { NodeLeases } from '../src/lab/node-leases.ts';
import { NodeMaker } from '../src/lab/node-maker.ts';
import { ADDRESSES_MAX, INDEX, NumberedBytes, nameOf } from '../src/lab/numbered-bytes.ts';
import { ObjectCreation } from '../src/lab/object-creation.ts';
import { PodMaker } from '../src/lab/pod-maker.ts';
import { mixOf } from '../src/lab/pod-template.ts';
import { StoreTarget } from '../src/lab/store-target.ts';
import { readNode } from '../src/scheduler/model/node-object.ts';
import { readPod } from '../src/scheduler/model/pod-reader.ts';
import { SimulatedServer } from './compat/server-fixture.ts';

const PORT = 2379;
const ENDPOINT = `http://127.0.0.1:${PORT}`;
const CREATED_MS = Date.parse('2026-01-02T03:04:05Z');
const NODES = { prefix: 'lab-node-', zones: 8, images: 2, createdMs: CREATED_MS };
const PODS = { registry: '/registry', prefix: 'lab-pod-', namespaces: ['default'], createdMs: CREATED_MS };

function podMaker(...templates: PodTemplate[]): PodMaker {
  return new PodMaker(PODS, mixOf(templates.map((name) => ({ template: labTemplate(name), weight: 1 }))));
}

describe("the lab's objects", () => {
  let server: SimulatedServer;
  let load: LabLoad;
  let abort: AbortController;

  beforeEach(async () => {
    server = await SimulatedServer.open(1, { listen: [{ host: '127.0.0.1', port: PORT }] });
    abort = new AbortController();
    load = new LabLoad({ network: server.network, clock: server.clock, signal: abort.signal }, ENDPOINT);
    await server.drive(load.open());
  });

  afterEach(async () => {
    load.close();
    await server.close();
  });

  function create(creation: ObjectCreation, inFlight = 16): Promise<void> {
    return server.drive(load.create('objects', creation, { inFlight }));
  }

  function storeTarget(): StoreTarget {
    const { network, clock } = server;
    return new StoreTarget({ network, clock, signal: abort.signal }, ENDPOINT, '/registry');
  }

  async function stored(folder: string): Promise<JsonObject[]> {
    const key = keyBytes(folder);
    const { kvs } = await server.drive(load.client.range({ key, range_end: prefixEnd(key) }));
    return kvs.map(({ key: name, value }) => {
      const { kind, apiVersion, rawStart, rawEnd } = readEnvelope(value);
      const object = new MessageDecoder().decode(kind, value, rawStart, rawEnd);
      assert(object !== undefined);
      // As kube-apiserver would have written it: no field is missing, none is out of order.
      const again = storedObject(apiVersion, kind, (writer) => new MessageEncoder().encode(kind, object, writer));
      assert.deepEqual(Buffer.from(value), Buffer.from(again));
      assert(
        Buffer.from(name)
          .toString()
          .endsWith(`/${Object(object.metadata).name}`),
      );
      return object;
    });
  }

  it('are nodes that differ in name, uid and addresses, and that a scheduler can read', async () => {
    const creation = new ObjectCreation(new NodeMaker('/registry', NODES), 0, 300);
    await create(creation);
    assert.deepEqual([creation.created, creation.counts.existing], [300, 0]);
    const nodes = await stored('/registry/minions/');
    const distinct = (pick: (node: JsonObject) => unknown): number => new Set(nodes.map(pick)).size;
    assert.equal(
      distinct(({ metadata }) => Object(metadata).name),
      300,
    );
    assert.equal(
      distinct(({ metadata }) => Object(metadata).uid),
      300,
    );
    assert.equal(
      distinct(({ spec }) => Object(spec).podCIDR),
      300,
    );
    assert.equal(
      distinct(({ status }) => Object(status).addresses[0].address),
      300,
    );
    assert.equal(
      distinct(({ metadata }) => Object(metadata).labels['topology.kubernetes.io/zone']),
      8,
    );
    for (const node of nodes) {
      const { name, labels } = Object(node.metadata);
      assert.equal(labels['kubernetes.io/hostname'], name);
      const read = readNode(node);
      assert('object' in read, 'reason' in read ? read.reason : '');
    }
    const gpu = nodes.filter(({ metadata }) => Object(metadata).labels['k1m.dev/accelerator'] === 'gpu');
    assert.equal(gpu.length, 15);
  });

  it('are pods of every template that a scheduler can read', async () => {
    await create(new ObjectCreation(podMaker(...POD_TEMPLATES), 0, 2 * POD_TEMPLATES.length));
    const pods = await stored('/registry/pods/default/');
    assert.equal(pods.length, 2 * POD_TEMPLATES.length);
    for (const pod of pods) {
      const read = readPod(pod);
      assert('object' in read, 'reason' in read ? read.reason : '');
      assert.deepEqual([read.object.nodeName, read.object.schedulerName], ['', 'default-scheduler']);
    }
    const volumes = new Set(pods.map(({ spec }) => Object(spec).volumes[0].name));
    assert.equal(volumes.size, pods.length);
  });

  it('are made once: those that are there stay', async () => {
    const maker = new NodeMaker('/registry', NODES);
    await create(new ObjectCreation(maker, 0, 20));
    const second = new ObjectCreation(maker, 10, 40);
    await create(second);
    assert.deepEqual([second.created, second.counts.existing], [30, 10]);
    assert.equal((await stored('/registry/minions/')).length, 40);
  });

  it('are all made over a restart of the store', async () => {
    const creation = new ObjectCreation(new NodeMaker('/registry', NODES), 0, 400);
    const made = load.create('objects', creation, { inFlight: 8, schedule: new ArrivalSchedule(1000) });
    await server.clock.pass(150);
    assert(creation.created > 50 && creation.created < 300, String(creation.created));
    server.kill();
    await server.clock.pass(50);
    await server.start();
    await server.drive(made);
    assert.equal((await stored('/registry/minions/')).length, 400);
  });

  it('are given up when the store takes none for a minute', async () => {
    const creation = new ObjectCreation(new NodeMaker('/registry', NODES), 0, 400);
    const made = load.create('objects', creation, { inFlight: 8, schedule: new ArrivalSchedule(1000) });
    const outcome = assert.rejects(made, /the store has taken none of the objects for 60 s/);
    await server.clock.pass(150);
    server.kill();
    await server.clock.pass(62_000);
    await outcome;
    await server.start();
  });

  it('come at the rate asked for', async () => {
    const creation = new ObjectCreation(new NodeMaker('/registry', NODES), 0, 200);
    const startMs = server.clock.nowMs();
    await server.drive(load.create('objects', creation, { inFlight: 8, schedule: new ArrivalSchedule(100) }));
    const seconds = (server.clock.nowMs() - startMs) / 1000;
    assert(seconds > 1.9 && seconds < 2.3, String(seconds));
  });

  it('have leases that are renewed with the time of the renewal', async () => {
    const folder = '/registry/leases/kube-node-lease/';
    const leases = new NodeLeases({ clock: server.clock, folder, prefix: 'lab-node-', count: 40, bytes: 420 });
    await server.drive(leases.create(load.client));
    const renewals = (): Promise<string[]> =>
      stored(folder).then((all) => all.map(({ spec }) => Object(spec).renewTime.slice(0, 19)));
    const before = await renewals();
    const schedule = leases.schedule(1);
    const flow = load.start('renewals', leases.load, { schedule, inFlight: leases.inFlightMax(512) });
    await server.clock.pass(20_500);
    flow.stop();
    const after = await renewals();
    assert.equal(after.length, 40);
    for (let i = 0; i < 40; i++) {
      const agedSeconds = (Date.parse(`${after[i]}Z`) - Date.parse(`${before[i]}Z`)) / 1000;
      assert(agedSeconds >= 9 && agedSeconds <= 21, `${agedSeconds}`);
    }
    assert.deepEqual([flow.ended[0] >= 80, flow.requests - flow.ended[0], leases.load.counts.conflicts], [true, 0, 0]);
  });

  it('have no renewals made up for that their next ones have overtaken', async () => {
    const folder = '/registry/leases/kube-node-lease/';
    const leases = new NodeLeases({ clock: server.clock, folder, prefix: 'lab-node-', count: 40, bytes: 420 });
    await server.drive(leases.create(load.client));
    const flow = load.start('renewals', leases.load, { schedule: leases.schedule(1), inFlight: 4 });
    await server.clock.pass(1000);
    server.kill();
    await server.clock.pass(60_000);
    await server.start();
    const before = flow.ended[0];
    await server.clock.pass(5000);
    flow.stop();
    const renewed = flow.ended[0] - before;
    assert(renewed >= 40 && renewed <= 70, `${renewed} of 40 leases in 5 s after a minute without the store`);
  });

  it('are removed in every namespace, and nothing else', async () => {
    await create(new ObjectCreation(new NodeMaker('/registry', NODES), 0, 1200));
    const maker = new PodMaker(
      { ...PODS, namespaces: ['a', 'b', 'zz'] },
      mixOf([{ template: labTemplate('plain'), weight: 1 }]),
    );
    await create(new ObjectCreation(maker, 0, 30));
    const others = [
      '/registry/minions/lab-node-0000005a',
      '/registry/minions/lab-nodf',
      '/registry/pods/a/lab-pod-000',
      '/registry/pods/a/lab-pod-5d8f7c9b6-abcde',
      '/registry/pods/a/web',
      '/registry/pods/c/lab-poe',
    ];
    for (const key of others) await server.drive(load.client.put(key, 'stays'));
    const target = storeTarget();
    const removed = { nodes: 0, pods: 0 };
    await server.drive(target.removeNodes({ onRemoved: (some) => (removed.nodes += some), signal: undefined }));
    await server.drive(
      target.removePods(undefined, { onRemoved: (some) => (removed.pods += some), signal: undefined }),
    );
    await target.close();
    assert.deepEqual(removed, { nodes: 1200, pods: 30 });
    const key = keyBytes('/registry/');
    const left = await server.drive(load.client.range({ key, range_end: prefixEnd(key) }));
    assert.deepEqual(
      left.kvs.map((kv) => Buffer.from(kv.key).toString()),
      others,
    );
  });

  it('are seen on their nodes by a sample, the last ones among them', async () => {
    const count = 8192;
    const keyOf = (index: number): string => nameOf('/registry/pods/default/lab-pod-', index);
    const sample = new BoundSample({ clock: server.clock, start: 0, end: count, sentMs: () => 0 });
    assert.equal(sample.size, 4096);
    const target = storeTarget();
    await server.drive(target.tellBound(sample, ['default']));
    await create(new ObjectCreation(podMaker('plain'), count - 10, count));
    await server.clock.pass(100);
    assert.equal(sample.bound, 0);
    for (let i = count - 10; i < count; i++) {
      const kv = await server.drive(load.client.get(keyOf(i)));
      assert(kv !== undefined);
      const { uid } = readPodHead(kv.value);
      const bound = new PodRewriter().bind(kv.value, { uid, nodeName: 'n', wallMs: CREATED_MS });
      assert(bound instanceof Uint8Array);
      await server.drive(load.client.put(keyOf(i), bound));
    }
    await server.clock.pass(100);
    assert.equal(sample.bound, 10);
    await target.close();
  });

  it('are not waited for when the store no longer tells of them', async () => {
    const sample = new BoundSample({ clock: server.clock, start: 0, end: 10, sentMs: () => 0 });
    const target = storeTarget();
    await server.drive(target.tellBound(sample, ['default']));
    const whole = assert.rejects(sample.whole(abort.signal), { code: UNAVAILABLE });
    await target.close();
    await server.drive(whole);
  });
});

describe('numbered bytes', () => {
  it('have every mark overwritten, unique for a million numbers', () => {
    const bytes = new NumberedBytes(Buffer.from(`n-${INDEX} 10.197.193.191 fd00:7a31:9b5c:: kube-zx7q9 ${INDEX}`));
    bytes.set(0);
    assert.equal(Buffer.from(bytes.bytes).toString(), 'n-0000000 10.100.100.100 fd00:1000:1000:: kube-bbbbb 0000000');
    const seen = new Set<string>();
    for (let i = 0; i < 1_000_000; i += 17) {
      bytes.set(i);
      seen.add(Buffer.from(bytes.bytes).toString('latin1', 10, 24));
    }
    assert.equal(seen.size, Math.ceil(1_000_000 / 17));
    assert(ADDRESSES_MAX > 3_000_000);
  });
});
