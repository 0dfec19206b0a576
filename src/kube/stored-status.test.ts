import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MessageDecoder, type PlainObject } from './message-decoder.ts';
import { MessageEncoder } from './message-encoder.ts';
import { readEnvelope, storedObject } from './stored-object.ts';
import { sampleOf } from './stored-objects-fixture.ts';
import { StatusRewriter } from './stored-status.ts';

const NOW = '2026-03-04T05:06:07Z';
const rewriter = new StatusRewriter();

function decoded(stored: Uint8Array): PlainObject {
  const { kind, rawStart, rawEnd } = readEnvelope(stored);
  const object = new MessageDecoder().decode(kind, stored, rawStart, rawEnd);
  assert(object !== undefined);
  return object;
}

function encoded(kind: string, object: PlainObject): Uint8Array {
  return storedObject('v1', kind, (writer) => new MessageEncoder().encode(kind, object, writer));
}

function condition(type: string, status = 'True'): PlainObject {
  return { type, status, lastProbeTime: null, lastTransitionTime: NOW };
}

const PATCH = {
  phase: 'Running',
  conditions: [condition('Initialized'), condition('Ready')],
  hostIP: '10.0.0.1',
  hostIPs: [{ ip: '10.0.0.1' }],
  podIP: '10.1.0.1',
  podIPs: [{ ip: '10.1.0.1' }],
  startTime: NOW,
  observedGeneration: 3,
};

test('a status that is patched is what encoding the patched object gives, byte for byte', () => {
  const kept = condition('PodScheduled');
  const before = decoded(sampleOf('pods/default/plain').stored);
  const old = {
    ...before,
    status: {
      ...Object(before.status),
      podIPs: [{ ip: '1.1.1.1' }, { ip: '::1' }],
      conditions: [condition('Ready', 'False'), kept],
    },
  };
  const status = { ...old.status, ...PATCH, conditions: [...PATCH.conditions, kept] };
  const patched = rewriter.patch(encoded('Pod', old), 'Pod', PATCH);
  assert.deepEqual(Buffer.from(patched), Buffer.from(encoded('Pod', { ...old, status })));
});

test('conditions of a node are patched, and its other fields stay', () => {
  const { stored } = sampleOf('minions/node-1');
  const ready = {
    type: 'Ready',
    status: 'True',
    lastHeartbeatTime: NOW,
    lastTransitionTime: NOW,
    reason: 'KubeletReady',
  };
  const before = decoded(stored);
  const status = { ...Object(before.status), conditions: [ready] };
  const patched = rewriter.patch(stored, 'Node', { conditions: [ready] });
  assert.deepEqual(Buffer.from(patched), Buffer.from(encoded('Node', { ...before, status })));
});

test('a pod that is let go has no grace period left', () => {
  const before = decoded(sampleOf('pods/default/plain').stored);
  const metadata = { ...Object(before.metadata), deletionTimestamp: NOW, deletionGracePeriodSeconds: 30 };
  const after = decoded(rewriter.letGo(encoded('Pod', { ...before, metadata })));
  assert.deepEqual(after, { ...before, metadata: { ...metadata, deletionGracePeriodSeconds: 0 } });
});

test('fields that nobody here knows stay, wherever they are', () => {
  const { stored } = sampleOf('pods/default/plain');
  const unknown = Buffer.from([0xfa, 0x3f, 3, 1, 2, 3]);
  const { rawStart, rawEnd } = readEnvelope(stored);
  const wide = storedObject('v1', 'Pod', (writer) => {
    writer.bytes(stored, rawStart, rawEnd);
    writer.bytes(unknown);
  });
  const patched = rewriter.patch(wide, 'Pod', PATCH);
  assert(Buffer.from(patched).includes(unknown));
  assert.equal(Object(decoded(patched).status).phase, 'Running');
});

test('damaged bytes are refused or rewritten, never a crash', () => {
  const { stored } = sampleOf('pods/default/plain');
  fc.assert(
    fc.property(fc.nat(stored.length - 1), fc.nat(255), (at, byte) => {
      const damaged = Uint8Array.from(stored);
      damaged[at] = byte;
      try {
        rewriter.patch(damaged, 'Pod', PATCH);
      } catch (error) {
        assert.equal(error instanceof Error && error.name, 'WireError');
      }
    }),
  );
});
