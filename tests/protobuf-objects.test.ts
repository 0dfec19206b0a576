// What the scheduler reads of an object is the same whether it came in JSON or, without the fields that nobody reads, in protobuf.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { KubeWriter } from '../src/kube/kube-writer.ts';
import { MessageDecoder, type PlainObject } from '../src/kube/message-decoder.ts';
import { MessageEncoder } from '../src/kube/message-encoder.ts';
import { readEnvelope } from '../src/kube/stored-object.ts';
import { storedSamples } from '../src/kube/stored-objects-fixture.ts';
import { type ClusterKind, readClusterObject } from '../src/scheduler/model/cluster-objects.ts';
import { readNode } from '../src/scheduler/model/node-object.ts';
import { clusterPlan } from '../src/scheduler/model/plan-fixture.ts';
import { readPod } from '../src/scheduler/model/pod-reader.ts';
import { UNREAD_FIELDS } from '../src/scheduler/model/unread-fields.ts';

const encoder = new MessageEncoder();
const decoder = new MessageDecoder(UNREAD_FIELDS);

function read(kind: string, json: unknown): unknown {
  if (kind === 'Pod') return readPod(json);
  if (kind === 'Node') return readNode(json);
  return readClusterObject(kind as ClusterKind, json);
}

function throughProtobuf(kind: string, json: object): PlainObject | undefined {
  const writer = new KubeWriter();
  encoder.encode(kind, { ...json }, writer);
  return decoder.decode(kind, writer.copy());
}

test('random objects of clusters are read alike in both encodings', () => {
  fc.assert(
    fc.property(clusterPlan(), ({ nodes, objects, bound, pending }) => {
      for (const node of nodes) assert.deepEqual(read('Node', throughProtobuf('Node', node)), read('Node', node));
      for (const pod of [...bound.map(({ pod }) => pod), ...pending]) {
        assert.deepEqual(read('Pod', throughProtobuf('Pod', pod)), read('Pod', pod));
      }
      for (const { kind, object } of objects) {
        assert.deepEqual(read(kind, throughProtobuf(kind, object)), read(kind, object), kind);
      }
    }),
    { numRuns: 60 },
  );
});

test('objects that a kube-apiserver has stored are read alike', () => {
  const kinds = new Set<string>();
  for (const { json, stored } of storedSamples()) {
    const { kind, rawStart, rawEnd } = readEnvelope(stored);
    const decoded = decoder.decode(kind, stored, rawStart, rawEnd);
    kinds.add(kind);
    if (!READ_KINDS.has(kind)) continue;
    assert.deepEqual(read(kind, decoded), read(kind, json), kind);
  }
  assert.ok(kinds.has('Pod') && kinds.has('Node'));
});

const READ_KINDS: ReadonlySet<string> = new Set([
  'Pod',
  'Node',
  'Namespace',
  'Service',
  'ReplicationController',
  'ReplicaSet',
  'StatefulSet',
  'PersistentVolume',
  'PersistentVolumeClaim',
  'StorageClass',
  'CSINode',
  'CSIDriver',
  'CSIStorageCapacity',
  'VolumeAttachment',
  'PodDisruptionBudget',
]);
