import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteReader } from '../base/byte-reader.ts';
import { encodeNodeLease, type NodeLease } from './node-lease.ts';

const NODE: NodeLease = {
  nodeName: 'node-0000042',
  uid: '2b1f0c52-0f4e-4b0a-9a55-000000000042',
  nodeUid: '7b0c4f2a-6d1e-4a53-8c90-000000000042',
  creationSeconds: 1_700_000_000,
  renewSeconds: 1_700_000_123,
  renewMicros: 456_789,
};

/** The fields of a message as number → values, bytes as latin1. */
function fieldsOf(bytes: Uint8Array): Map<number, (number | Uint8Array)[]> {
  const reader = new ByteReader(bytes);
  const fields = new Map<number, (number | Uint8Array)[]>();
  while (reader.hasMore) {
    const tag = reader.tag();
    const values = fields.get(tag >>> 3) ?? [];
    values.push((tag & 7) === 2 ? reader.bytes() : reader.varint());
    fields.set(tag >>> 3, values);
  }
  return fields;
}

function messageAt(bytes: Uint8Array, path: readonly number[]): Uint8Array {
  let message = bytes;
  for (const field of path) {
    const [value] = fieldsOf(message).get(field) ?? [];
    assert(value instanceof Uint8Array, `no message at ${path.join('.')}`);
    message = value;
  }
  return message;
}

function textAt(bytes: Uint8Array, path: readonly number[]): string {
  return Buffer.from(messageAt(bytes, path)).toString();
}

test('a node lease is an envelope with a Lease of coordination.k8s.io/v1 inside', () => {
  const value = encodeNodeLease(NODE, 300);
  assert.equal(Buffer.from(value.subarray(0, 4)).toString('latin1'), 'k8s\0');
  const unknown = value.subarray(4);
  assert.equal(textAt(unknown, [1, 1]), 'coordination.k8s.io/v1');
  assert.equal(textAt(unknown, [1, 2]), 'Lease');
  assert.equal(textAt(unknown, [2, 1, 1]), 'node-0000042');
  assert.equal(textAt(unknown, [2, 1, 3]), 'kube-node-lease');
  assert.equal(textAt(unknown, [2, 1, 5]), NODE.uid);
  assert.deepEqual(fieldsOf(messageAt(unknown, [2, 1, 8])).get(1), [1_700_000_000]);
  assert.equal(textAt(unknown, [2, 1, 13, 1]), 'Node');
  assert.equal(textAt(unknown, [2, 2, 1]), 'node-0000042');
  const spec = fieldsOf(messageAt(unknown, [2, 2]));
  assert.deepEqual(spec.get(2), [40]);
  const renewTime = fieldsOf(messageAt(unknown, [2, 2, 4]));
  assert.deepEqual([renewTime.get(1), renewTime.get(2)], [[1_700_000_123], [456_789_000]]);
});

test('a node lease has exactly the size asked for, whatever lengths that touches', () => {
  for (let bytes = 180; bytes <= 1100; bytes++) assert.equal(encodeNodeLease(NODE, bytes).length, bytes);
  for (const bytes of [16_384, 16_640, 16_641, 65_536]) assert.equal(encodeNodeLease(NODE, bytes).length, bytes);
});

test('where there is room, the kubelet is in managedFields', () => {
  const unknown = encodeNodeLease(NODE, 700).subarray(4);
  assert.equal(textAt(unknown, [2, 1, 17, 1]), 'kubelet');
  assert.doesNotThrow(() => JSON.parse(textAt(unknown, [2, 1, 17, 7, 1])));
});

test('a size that no lease has is refused', () => {
  assert.throws(() => encodeNodeLease(NODE, 50), RangeError);
});
