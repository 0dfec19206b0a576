// Pods that share a spec are read after a model (scheduler/driver/pod-models.ts): each must be what reading it alone gives.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { PlainObject } from '../src/kube/message-decoder.ts';
import { MessageEncoder } from '../src/kube/message-encoder.ts';
import { sharedSpecOf } from '../src/kube/shared-spec.ts';
import { storedObject } from '../src/kube/stored-object.ts';
import { sampleOf } from '../src/kube/stored-objects-fixture.ts';
import type { JsonObject } from '../src/kube-api/kube-api.ts';
import { ObjectReader } from '../src/kube-store/object-reader.ts';
import { PodModels } from '../src/scheduler/driver/pod-models.ts';
import { PodTemplates } from '../src/scheduler/driver/pod-templates.ts';
import { readPod } from '../src/scheduler/model/pod-reader.ts';

const RUNS = Number(process.env.K1M_RUNS ?? 30);
const encoder = new MessageEncoder();

function stored(pod: PlainObject): Uint8Array {
  return storedObject('v1', 'Pod', (writer) => encoder.encode('Pod', pod, writer));
}

function readBy(reader: ObjectReader, pod: PlainObject): JsonObject {
  const read = reader.read(stored(pod), 7);
  assert('object' in read, 'reason' in read ? read.reason : '');
  return read.object;
}

/** A few values of each, so that pods meet. */
const somePod = fc.record({
  name: fc.constantFrom('a', 'b', 'c'),
  namespace: fc.constantFrom('default', 'team'),
  labels: fc.constantFrom<PlainObject>({}, { app: 'web' }, { app: 'web', tier: 'x' }),
  cpu: fc.constantFrom('100m', '2'),
  suffix: fc.constantFrom('aaaaa', 'bbbbb', 'ccccc'),
  volume: fc.constantFrom<PlainObject>(
    { projected: { sources: [] } },
    { persistentVolumeClaim: { claimName: 'kube-api-access-aaaaa' } },
    { persistentVolumeClaim: { claimName: 'kube-api-access-bbbbb' } },
    { ephemeral: { volumeClaimTemplate: { spec: {} } } },
  ),
  nodeName: fc.constantFrom('', 'node-1', 'node-2'),
  selector: fc.constantFrom<PlainObject>({}, { disk: 'kube-api-access-aaaaa' }, { disk: 'kube-api-access-bbbbb' }),
  status: fc.constantFrom<PlainObject>(
    {},
    { phase: 'Failed' },
    { nominatedNodeName: 'node-3' },
    { containerStatuses: [{ name: 'main', resources: { requests: { cpu: '3' } }, allocatedResources: { cpu: '3' } }] },
    { conditions: [{ type: 'DisruptionTarget', status: 'True', reason: 'PreemptionByScheduler' }] },
  ),
  isTerminating: fc.boolean(),
  owner: fc.constantFrom('', 'one', 'two'),
});

type SomePod = typeof somePod extends fc.Arbitrary<infer T> ? T : never;

function podOf(some: SomePod): PlainObject {
  const { name, namespace, labels, cpu, suffix, volume, nodeName, selector, status, isTerminating, owner } = some;
  const token = `kube-api-access-${suffix}`;
  const isOwned = owner !== '';
  return {
    metadata: {
      name,
      namespace,
      uid: `uid-${name}`,
      labels,
      creationTimestamp: '2026-01-02T03:04:05Z',
      ...(isTerminating ? { deletionTimestamp: '2026-01-02T03:04:06Z' } : {}),
      ...(isOwned
        ? { ownerReferences: [{ kind: 'Job', name: owner, uid: owner, apiVersion: 'v1', controller: true }] }
        : {}),
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
    status,
  };
}

test('a pod that shares its spec reads as it does alone', () => {
  fc.assert(
    fc.property(fc.array(somePod, { minLength: 2, maxLength: 30 }), (pods) => {
      const reader = new ObjectReader();
      const models = new PodModels();
      const templates = new PodTemplates();
      for (const some of pods) {
        const alone = readPod(readBy(new ObjectReader(), podOf(some)));
        const json = readBy(reader, podOf(some));
        const read = models.read(json);
        assert.deepEqual(read, alone);
        assert('object' in read && 'object' in alone);
        // What is shared further on is not another pod's either.
        const { pod } = templates.share(read.object, json);
        assert.deepEqual(pod, alone.object);
      }
    }),
    { numRuns: RUNS },
  );
});

test('pods of one template share one spec, whatever node they are on', () => {
  const reader = new ObjectReader();
  const some: SomePod = {
    name: 'a',
    namespace: 'default',
    labels: {},
    cpu: '2',
    suffix: 'aaaaa',
    volume: { projected: { sources: [] } },
    nodeName: '',
    selector: {},
    status: {},
    isTerminating: false,
    owner: '',
  };
  const first = readBy(reader, podOf(some));
  const second = readBy(reader, podOf({ ...some, name: 'b', suffix: 'bbbbb', nodeName: 'node-1' }));
  const third = readBy(reader, podOf({ ...some, cpu: '100m' }));
  assert(sharedSpecOf(first) !== undefined);
  assert.equal(sharedSpecOf(first), sharedSpecOf(second));
  assert.notEqual(sharedSpecOf(first), sharedSpecOf(third));
  assert.equal(Object(second.spec).nodeName, 'node-1');
  assert(!('nodeName' in Object(first.spec)));
});

test('a stored pod reads as the API shows it, but for the name of its token volume', () => {
  for (const key of ['pods/default/rich', 'pods/default/plain']) {
    const { json, stored: bytes } = sampleOf(key);
    const { resourceVersion, managedFields: _, ...metadata } = Object(json.metadata);
    const read = new ObjectReader().read(bytes, Number(resourceVersion));
    assert('object' in read);
    assert.deepEqual(read.object, { ...json, metadata: { ...metadata, resourceVersion } });
  }
});
