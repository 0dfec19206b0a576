// Pods and nodes that are read by their form (kube/object-forms.ts, scheduler/driver/pod-models.ts and node-models.ts): each must be what reading it
// whole gives, and the bytes of a pod without a node those that were stored.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { KubeWriter } from '../src/kube/kube-writer.ts';
import { MessageDecoder, type PlainObject } from '../src/kube/message-decoder.ts';
import { MessageEncoder } from '../src/kube/message-encoder.ts';
import { restore } from '../src/kube/object-forms.ts';
import { storedObject } from '../src/kube/stored-object.ts';
import { sampleOf, storedSamples } from '../src/kube/stored-objects-fixture.ts';
import type { JsonObject, Lookalike } from '../src/kube-api/kube-api.ts';
import { type FormedBytes, Lookalikes } from '../src/kube-api/lookalikes.ts';
import { headOf } from '../src/kube-api/object-head.ts';
import { ObjectReader } from '../src/kube-store/object-reader.ts';
import { NodeModels } from '../src/scheduler/driver/node-models.ts';
import { PodModels } from '../src/scheduler/driver/pod-models.ts';
import { readNode } from '../src/scheduler/model/node-object.ts';
import type { PodObject } from '../src/scheduler/model/pod-object.ts';
import { readPod } from '../src/scheduler/model/pod-reader.ts';

const RUNS = Number(process.env.K1M_RUNS ?? 100);
const encoder = new MessageEncoder();
const decoder = new MessageDecoder();
const reader = new ObjectReader();

function stored(kind: 'Pod' | 'Node', object: PlainObject): Uint8Array {
  return storedObject('v1', kind, (writer) => encoder.encode(kind, object, writer));
}

/** Looks for the object's form, and learns it where there is none yet. Undefined: it had to be read whole. */
function found(alikes: Lookalikes, value: Uint8Array, revision: number): Lookalike | undefined {
  const alike = alikes.findStored(Buffer.concat([Buffer.of(1), value]), 1, 1 + value.length, revision);
  const read = reader.read(value, revision);
  if (alike !== undefined || 'reason' in read) return alike;
  const head = headOf(read.object);
  if (head !== undefined) alikes.learn(read.object, head);
  return undefined;
}

/** The message of an object as an API server sends it. */
function sent(kind: 'Pod' | 'Node', object: PlainObject, version: number): Buffer {
  const writer = new KubeWriter();
  const metadata = { ...Object(object.metadata), resourceVersion: String(version) };
  encoder.encode(kind, { ...object, metadata }, writer);
  // Something stands before it.
  return Buffer.concat([Buffer.of(1), writer.view()]);
}

/** The same as `found` for what was sent, and what reading it whole gives. */
function foundSent(alikes: Lookalikes, kind: 'Pod' | 'Node', bytes: Buffer): [Lookalike | undefined, JsonObject] {
  const alike = alikes.findMessage(bytes, 1, bytes.length);
  const whole = decoder.decode(kind, bytes, 1);
  const head = whole === undefined ? undefined : headOf(whole);
  assert(whole !== undefined && head !== undefined);
  if (alike === undefined) alikes.learn(whole, head);
  else assert.deepEqual(head, headOf({ metadata: alike }));
  return [alike, whole];
}

function readWhole(value: Uint8Array, revision: number): JsonObject {
  const read = reader.read(value, revision);
  assert('object' in read, 'reason' in read ? read.reason : '');
  return read.object;
}

const time = fc.constantFrom(undefined, '1970-01-01T00:00:00Z', '2026-01-02T03:04:05Z', '2026-01-02T03:04:06Z');
const resources = { requests: { cpu: '3' } };
const condition = (type: string, time: string | undefined): PlainObject => ({
  type,
  status: 'True',
  reason: 'PreemptionByScheduler',
  ...(time === undefined ? {} : { lastTransitionTime: time }),
});

const someStatus = fc.constantFrom<PlainObject>(
  {},
  { phase: 'Pending' },
  { phase: 'Running', podIP: '10.0.0.1' },
  { phase: 'Running', podIP: '10.0.0.2', hostIP: '10.0.0.3' },
  { phase: 'Failed' },
  { nominatedNodeName: 'node-3' },
  { containerStatuses: [{ name: 'main', resources, allocatedResources: { cpu: '3' }, image: 'one' }] },
  { containerStatuses: [{ name: 'main', resources, allocatedResources: { cpu: '3' }, image: 'other' }] },
  { containerStatuses: [{ name: 'main', resources: { requests: { cpu: '1' } }, image: 'one' }] },
  {
    containerStatuses: [{ name: 'main', resources: { requests: { cpu: '5' } }, allocatedResources: { cpu: '3' } }],
  },
  { containerStatuses: [{ name: 'main', image: 'one' }] },
  { resources },
);
const someCondition = fc.constantFrom('', '', '', 'Ready', 'DisruptionTarget', 'PodResizePending');

/** A few values of each, so that pods meet. */
const somePod = fc.record({
  name: fc.constantFrom('a', 'b', 'c-0123456789'),
  namespace: fc.constantFrom('default', 'team'),
  labels: fc.constantFrom<PlainObject>({}, { app: 'web' }, { app: 'web', tier: 'x' }),
  annotations: fc.constantFrom<PlainObject>({}, { ip: '10.0.0.1' }, { ip: '10.0.0.2' }),
  cpu: fc.constantFrom('100m', '2'),
  suffix: fc.constantFrom('aaaaa', 'bbbbb', 'ccccc'),
  volume: fc.constantFrom<PlainObject>(
    { projected: { sources: [] } },
    { persistentVolumeClaim: { claimName: 'kube-api-access-aaaaa' } },
    { persistentVolumeClaim: { claimName: 'kube-api-access-bbbbb' } },
    { ephemeral: { volumeClaimTemplate: { spec: {} } } },
  ),
  nodeName: fc.constantFrom<string>('', 'node-1', 'node-2'),
  selector: fc.constantFrom<PlainObject>({}, { disk: 'kube-api-access-aaaaa' }, { disk: 'kube-api-access-bbbbb' }),
  status: someStatus,
  condition: someCondition,
  created: time,
  started: time,
  changed: time,
  isTerminating: fc.boolean(),
  owner: fc.constantFrom('', 'one', 'two'),
});

type SomePod = typeof somePod extends fc.Arbitrary<infer T> ? T : never;

function podOf(some: SomePod): PlainObject {
  const { name, namespace, labels, annotations, cpu, suffix, volume, nodeName, selector, status } = some;
  const { created, started, changed, owner } = some;
  const token = `kube-api-access-${suffix}`;
  const owned = { kind: 'Job', name: owner, uid: owner, apiVersion: 'v1', controller: true };
  const managed = { manager: 'm', operation: 'Update', ...(changed === undefined ? {} : { time: changed }) };
  return {
    metadata: {
      name,
      namespace,
      uid: `uid-${name}`,
      labels,
      annotations,
      ...(created === undefined ? {} : { creationTimestamp: created }),
      ...(some.isTerminating ? { deletionTimestamp: '2026-01-02T03:04:06Z' } : {}),
      ...(owner === '' ? {} : { ownerReferences: [owned] }),
      managedFields: [managed],
    },
    spec: {
      containers: [
        { name: 'main', resources: { requests: { cpu } }, volumeMounts: [{ name: token, mountPath: '/var/run' }] },
      ],
      volumes: [{ name: token, ...volume }],
      nodeSelector: selector,
      nodeName,
      schedulerName: 'default-scheduler',
    },
    status: {
      ...status,
      ...(some.condition === '' ? {} : { conditions: [condition(some.condition, changed)] }),
      ...(started === undefined ? {} : { startTime: started }),
    },
  };
}

/** What pods of one template differ in. */
const ownOfPod = fc.record({
  name: fc.constantFrom('a', 'b', 'c-0123456789'),
  suffix: fc.constantFrom('aaaaa', 'bbbbb', 'ccccc'),
  annotations: fc.constantFrom<PlainObject>({ ip: '10.0.0.1' }, { ip: '10.0.0.2' }),
  created: time,
  started: time,
  changed: time,
  nodeName: fc.constantFrom<string>('', 'node-1', 'node-2'),
  status: someStatus,
  condition: someCondition,
});

/** Pods of a few templates. */
const somePods = fc
  .tuple(
    fc.array(somePod, { minLength: 1, maxLength: 4 }),
    fc.array(fc.tuple(fc.nat(3), ownOfPod), { minLength: 20, maxLength: 40, size: 'max' }),
  )
  .map(([templates, pods]) => pods.map(([which, own]) => ({ ...templates[which % templates.length], ...own })));

const PLAIN: SomePod = {
  name: 'a',
  namespace: 'default',
  labels: {},
  annotations: {},
  cpu: '2',
  suffix: 'aaaaa',
  volume: { projected: { sources: [] } },
  nodeName: '',
  selector: {},
  status: { phase: 'Pending' },
  condition: '',
  created: '2026-01-02T03:04:05Z',
  started: undefined,
  changed: undefined,
  isTerminating: false,
  owner: '',
};

/** The random letters of a token's volume count for nobody. */
function withoutTokens(pod: PodObject): PodObject {
  const volumes = pod.volumes.map((volume) => ({ ...volume, name: volume.claimName === undefined ? '' : volume.name }));
  return { ...pod, volumes };
}

/** The same with one field after another cut off, doubled, or of other bytes: what no API server writes. */
function damaged(value: Uint8Array, at: number, how: number): Uint8Array {
  const place = at % value.length;
  const [before, behind] = [value.subarray(0, place), value.subarray(place)];
  if (how === 0) return Buffer.concat([before, behind.subarray(1)]);
  if (how === 1) return Buffer.concat([before, behind.subarray(0, 1), behind]);
  return Buffer.concat([before, Buffer.of(how), behind.subarray(1)]);
}

describe('a pod of a known form', () => {
  it('is what reading it whole gives, byte for byte while it has no node', () => {
    let alikeCount = 0;
    fc.assert(
      fc.property(somePods, (pods) => {
        const alikes = Lookalikes.of('pods');
        const models = new PodModels();
        assert(alikes !== undefined);
        for (const [index, some] of pods.entries()) {
          const value = stored('Pod', podOf(some));
          const json = readWhole(value, index);
          const alone = readPod(json);
          assert('object' in alone);
          const alike = found(alikes, value, index);
          const formed: FormedBytes | undefined = some.nodeName === '' ? alikes.formedBytes() : undefined;
          if (formed !== undefined) {
            const restored = restore(formed.form, formed, Buffer.alloc(16));
            assert.equal(Buffer.compare(restored, value), 0);
          }
          const shared = alike === undefined ? undefined : models.alike(alike);
          if (alike !== undefined) assert.deepEqual(headOf(json), headOf({ metadata: alike }));
          if (shared === undefined) continue;
          alikeCount++;
          assert.deepEqual(withoutTokens(shared.pod), withoutTokens(alone.object));
          assert.equal(shared.resourceVersion, String(index));
        }
      }),
      { numRuns: RUNS },
    );
    assert(alikeCount > RUNS, `only ${alikeCount} pods were like others`);
  });

  it('is what reading it whole gives as an API server sends it, too', () => {
    let alikeCount = 0;
    fc.assert(
      fc.property(somePods, (pods) => {
        const alikes = Lookalikes.of('pods');
        const models = new PodModels();
        assert(alikes !== undefined);
        for (const [index, some] of pods.entries()) {
          const [alike, whole] = foundSent(alikes, 'Pod', sent('Pod', podOf(some), index + 1));
          const shared = alike === undefined ? undefined : models.alike(alike);
          if (shared === undefined) continue;
          alikeCount++;
          const alone = readPod(whole);
          assert('object' in alone);
          assert.deepEqual(withoutTokens(shared.pod), withoutTokens(alone.object));
          assert.equal(shared.resourceVersion, String(index + 1));
        }
      }),
      { numRuns: RUNS },
    );
    assert(alikeCount > RUNS, `only ${alikeCount} pods were like others`);
  });

  it('has bytes of its own beside its form, unless it is the first of it', () => {
    const alikes = Lookalikes.of('pods');
    assert(alikes !== undefined);
    for (const [name, isFirst] of [
      ['a', true],
      ['b', false],
      ['c-0123456789', false],
    ] as const) {
      found(alikes, stored('Pod', podOf({ ...PLAIN, name })), 1);
      assert.equal(alikes.formedBytes() === undefined, isFirst, name);
    }
  });

  it('has a version where an API server has sent it', () => {
    const alikes = Lookalikes.of('pods');
    assert(alikes !== undefined);
    const writer = new KubeWriter();
    encoder.encode('Pod', podOf(PLAIN), writer);
    const bytes = Buffer.from(writer.view());
    for (let i = 0; i < 2; i++) {
      assert.equal(alikes.findMessage(bytes, 0, bytes.length), undefined);
      alikes.learn({}, { namespace: 'default', name: 'a', uid: 'a', resourceVersion: '' });
    }
  });

  it('is read whole once its bytes are others than an API server writes', () => {
    const value = stored('Pod', podOf(PLAIN));
    const numbers = fc.record({ at: fc.nat(value.length - 1), how: fc.nat(255), withNode: fc.boolean() });
    fc.assert(
      fc.property(fc.array(numbers, { maxLength: 50, size: 'max' }), (changes) => {
        const alikes = Lookalikes.of('pods');
        const models = new PodModels();
        assert(alikes !== undefined);
        for (const nodeName of ['', 'node-1']) found(alikes, stored('Pod', podOf({ ...PLAIN, nodeName })), 1);
        for (const { at, how, withNode } of changes) {
          const bytes = stored('Pod', podOf({ ...PLAIN, nodeName: withNode ? 'node-1' : '' }));
          const other = damaged(bytes, at, how);
          const alike = found(alikes, other, 2);
          const read = reader.read(other, 2);
          const shared = alike === undefined ? undefined : models.alike(alike);
          const alone = 'object' in read ? readPod(read.object) : read;
          // What nobody reads may be damaged.
          if (shared === undefined || !('object' in alone)) continue;
          assert.deepEqual(withoutTokens(shared.pod), withoutTokens(alone.object));
        }
      }),
      { numRuns: RUNS },
    );
  });

  it('is that of another one in all but name, uid, node, times and the name of its token volume', () => {
    const alikes = Lookalikes.of('pods');
    assert(alikes !== undefined);
    const isKnown = (some: Partial<SomePod>): boolean =>
      found(alikes, stored('Pod', podOf({ ...PLAIN, ...some })), 1) !== undefined;
    assert(!isKnown({}));
    assert(isKnown({ name: 'b', suffix: 'bbbbb', created: '2026-01-02T03:04:06Z' }));
    assert(!isKnown({ cpu: '100m' }));
    assert(!isKnown({ nodeName: 'node-1' }));
    assert(isKnown({ nodeName: 'node-2', annotations: { ip: '10.0.0.1' }, name: 'c-0123456789' }));
    assert(!isKnown({ nodeName: '', annotations: { ip: '10.0.0.1' } }));
    assert(isKnown({ nodeName: 'node-1', status: { phase: 'Running', podIP: '10.0.0.1' }, started: PLAIN.created }));
  });

  it('shares its template with those that want the same, whatever their state', () => {
    const alikes = Lookalikes.of('pods');
    const models = new PodModels();
    assert(alikes !== undefined);
    const templates = new Set<object>();
    for (const nodeName of ['', '', 'node-1', 'node-2', 'node-1']) {
      const value = stored('Pod', podOf({ ...PLAIN, nodeName, annotations: nodeName === '' ? {} : { ip: '1' } }));
      const alike = found(alikes, value, 1);
      const model = alike === undefined ? models.read(readWhole(value, 1)) : { object: models.alike(alike) };
      assert('object' in model && model.object !== undefined);
      templates.add(model.object.template);
    }
    assert.equal(templates.size, 1);
  });
});

const someNode = fc.record({
  name: fc.constantFrom('a', 'b', 'c-0123456789'),
  hostname: fc.constantFrom(undefined, '', 'a', 'b', 'c-0123456789'),
  zone: fc.constantFrom('a', 'b'),
  cpu: fc.constantFrom('4'),
  address: fc.constantFrom('10.0.0.1', '10.0.0.200'),
  taints: fc.constantFrom<readonly PlainObject[]>([], [{ key: 'k', value: 'v', effect: 'NoSchedule' }]),
  unschedulable: fc.boolean(),
  images: fc.nat(2),
});

describe('a node of a known form', () => {
  it('is what reading it whole gives', () => {
    let alikeCount = 0;
    fc.assert(
      fc.property(fc.array(someNode, { minLength: 2, maxLength: 80, size: 'max' }), (nodes) => {
        const [alikes, others] = [Lookalikes.of('nodes'), Lookalikes.of('nodes')];
        const models = new NodeModels();
        assert(alikes !== undefined && others !== undefined);
        for (const [index, some] of nodes.entries()) {
          const { name, hostname, zone, cpu, address, taints, unschedulable, images } = some;
          const object = {
            metadata: {
              name,
              uid: `uid-${name}`,
              labels: { zone, ...(hostname === undefined ? {} : { 'kubernetes.io/hostname': hostname }) },
              annotations: { address },
            },
            spec: { podCIDR: address, taints, unschedulable },
            status: {
              capacity: { cpu, memory: address },
              allocatable: { cpu, pods: '110' },
              addresses: [{ type: 'InternalIP', address }],
              images: Array.from({ length: images }, (_, i) => ({ names: [`image-${i}`], sizeBytes: 5 })),
            },
          };
          const value = stored('Node', object);
          const fromStore = found(alikes, value, index);
          const [fromApi, json] = foundSent(others, 'Node', sent('Node', object, index + 1));
          for (const [alike, read] of [[fromStore, readWhole(value, index)] as const, [fromApi, json] as const]) {
            const model = alike === undefined ? undefined : models.alike(alike);
            if (model === undefined) continue;
            alikeCount++;
            const { shape, ...node } = model;
            const whole = readNode(read);
            assert('object' in whole && shape !== undefined);
            assert.deepEqual(node, whole.object);
          }
        }
      }),
      { numRuns: RUNS },
    );
    assert(alikeCount > RUNS, `only ${alikeCount} nodes were like others`);
  });

  it('is known among what a real API server has stored', () => {
    for (const { key, stored: value } of storedSamples()) {
      const resource = key.startsWith('pods/') ? 'pods' : key.startsWith('minions/') ? 'nodes' : undefined;
      const alikes = resource === undefined ? undefined : Lookalikes.of(resource);
      if (alikes === undefined) continue;
      assert.equal(found(alikes, value, 1), undefined, key);
      assert(found(alikes, value, 2) !== undefined, key);
    }
  });
});

it('a stored pod reads as the API shows it', () => {
  for (const key of ['pods/default/rich', 'pods/default/plain']) {
    const { json, stored: bytes } = sampleOf(key);
    const { resourceVersion, managedFields: _, ...metadata } = Object(json.metadata);
    const read = new ObjectReader().read(bytes, Number(resourceVersion));
    assert('object' in read);
    assert.deepEqual(read.object, { ...json, metadata: { ...metadata, resourceVersion } });
  }
});
