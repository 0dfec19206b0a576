import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { WireError } from '../base/byte-reader.ts';
import { KubeWriter } from './kube-writer.ts';
import { MessageDecoder, type PlainObject } from './message-decoder.ts';
import { MessageEncoder } from './message-encoder.ts';
import { PlainBinding } from './plain-binding.ts';
import { readEnvelope, storedObject } from './stored-object.ts';
import { sampleOf } from './stored-objects-fixture.ts';
import { PodRewriter, readPodHead } from './stored-pod.ts';

const RUNS = Number(process.env.K1M_RUNS ?? 200);
const WALL_MS = Date.parse('2026-03-04T05:06:07.890Z');
const NOW = '2026-03-04T05:06:07Z';
const decoder = new MessageDecoder();
const encoder = new MessageEncoder();
const rewriter = new PodRewriter();

function decoded(stored: Uint8Array): PlainObject {
  const { kind, rawStart, rawEnd } = readEnvelope(stored);
  const object = decoder.decode(kind, stored, rawStart, rawEnd);
  assert(object !== undefined);
  return object;
}

function stored(object: PlainObject): Uint8Array {
  return storedObject('v1', 'Pod', (writer) => encoder.encode('Pod', object, writer));
}

function bound(pod: Uint8Array, uid = readPodHead(pod).uid, nodeName = 'node-7'): Uint8Array {
  const result = rewriter.bind(pod, { uid, nodeName, wallMs: WALL_MS });
  assert(result instanceof Uint8Array, 'text' in result ? result.text : '');
  return result;
}

function refusal(pod: PlainObject, uid = 'u'): unknown {
  return rewriter.bind(stored(pod), { uid, nodeName: 'node-7', wallMs: WALL_MS });
}

test('a bound pod has its node and the condition, and nothing else is other', () => {
  const pod = sampleOf('pods/default/plain').stored;
  const before = decoded(pod);
  const after = decoded(bound(pod));
  const { nodeName, ...spec } = Object(after.spec);
  const { conditions, ...status } = Object(after.status);
  const { conditions: _, ...statusBefore } = Object(before.status);
  assert.equal(nodeName, 'node-7');
  assert.deepEqual(conditions, [
    { type: 'PodScheduled', status: 'True', lastProbeTime: null, lastTransitionTime: NOW },
  ]);
  assert.deepEqual({ ...after, spec, status }, { ...before, status: statusBefore });
});

test('a bound pod is what encoding the bound object gives, byte for byte', () => {
  const scheduled = (status: string): PlainObject => ({
    type: 'PodScheduled',
    status,
    lastTransitionTime: '2026-01-01T00:00:00Z',
    reason: 'Unschedulable',
    message: 'no room',
    observedGeneration: 3,
  });
  const other = { type: 'Ready', status: 'False', lastTransitionTime: '2026-01-01T00:00:00Z' };
  const fresh = { type: 'PodScheduled', status: 'True', lastTransitionTime: NOW };
  const kept = { ...fresh, lastTransitionTime: '2026-01-01T00:00:00Z' };
  const cases: readonly (readonly [PlainObject[], PlainObject[]])[] = [
    [[], [fresh]],
    [[other], [other, fresh]],
    [[scheduled('False')], [fresh]],
    [
      [scheduled('False'), other],
      [fresh, other],
    ],
    [
      [other, scheduled('True')],
      [other, kept],
    ],
  ];
  for (const [before, after] of cases) {
    fc.assert(
      fc.property(fc.string(), fc.nat(400), (annotation, padding) => {
        const metadata = { name: 'p', uid: 'u', annotations: { a: annotation } };
        const spec = { containers: [{ name: 'x'.repeat(padding) }], schedulerName: 's' };
        const status = { phase: 'Pending', nominatedNodeName: 'node-3', qosClass: 'Burstable' };
        const pod = stored({ metadata, spec, status: { ...status, conditions: before } });
        const boundPod = { metadata, spec: { ...spec, nodeName: 'node-7' } };
        const expected = stored({ ...boundPod, status: { ...status, nominatedNodeName: '', conditions: after } });
        assert.equal(Buffer.from(bound(pod)).toString('hex'), Buffer.from(expected).toString('hex'));
      }),
      { numRuns: RUNS / 10 },
    );
  }
});

test('fields that nobody here knows stay where they are, at every level', () => {
  const writer = new KubeWriter();
  const unknown = (): void => {
    writer.number(999, 7);
    writer.text(1000, 'kept');
  };
  writer.bytes(Buffer.from('k8s\0'));
  writer.message(1, () => writer.text(2, 'Pod'));
  writer.message(2, () => {
    writer.message(1, () => {
      writer.text(5, 'u');
      unknown();
    });
    writer.message(2, () => {
      writer.text(9, 'account');
      writer.text(10, '');
      unknown();
    });
    writer.message(3, unknown);
    unknown();
  });
  unknown();
  const text = Buffer.from(bound(writer.copy())).toString('latin1');
  assert.equal(text.split('kept').length - 1, 5);
  assert.equal(decoded(Buffer.from(text, 'latin1')).status instanceof Object, true);
});

test('a pod whose writer left empty fields out is bound as well', () => {
  const writer = new KubeWriter();
  writer.bytes(Buffer.from('k8s\0'));
  writer.message(1, () => writer.text(2, 'Pod'));
  writer.message(2, () => {
    writer.message(1, () => writer.text(5, 'u'));
    writer.message(2, () => writer.text(19, 'default-scheduler'));
  });
  const pod = decoded(bound(writer.copy()));
  assert.equal(Object(pod.spec).nodeName, 'node-7');
  assert.equal(Object(pod.spec).schedulerName, 'default-scheduler');
  assert.equal(Object(pod.status).conditions.length, 1);
});

test('what an API server refuses is refused in its words', () => {
  const metadata = { name: 'p', uid: 'u' };
  const conflict = (text: string): unknown => ({ kind: 'conflict', text });
  assert.deepEqual(
    refusal({ metadata: { ...metadata, deletionTimestamp: NOW } }),
    conflict('pod p is being deleted, cannot be assigned to a host'),
  );
  assert.deepEqual(refusal({ metadata, spec: { nodeName: 'n' } }), conflict('pod p is already assigned to node "n"'));
  assert.deepEqual(
    refusal({ metadata, spec: { schedulingGates: [{ name: 'g' }] } }),
    conflict('pod p has non-empty .spec.schedulingGates'),
  );
  const text = 'Precondition failed: UID in precondition: v, UID in object meta: u';
  assert.deepEqual(refusal({ metadata }, 'v'), { kind: 'other-uid', text });
});

test('a condition is set once, and written again when its words change', () => {
  const pod = stored({ metadata: { name: 'p', uid: 'u' } });
  const condition = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/1 nodes' };
  const refused = rewriter.setCondition(pod, condition, WALL_MS);
  assert(refused !== undefined);
  assert.equal(rewriter.setCondition(refused, condition, WALL_MS + 60_000), undefined);
  // As the binder gives a pod another version.
  assert(rewriter.setCondition(refused, { ...condition, lastProbeTime: NOW }, WALL_MS) !== undefined);
  const again = rewriter.setCondition(refused, { ...condition, message: '0/2 nodes' }, WALL_MS + 60_000);
  assert(again !== undefined);
  const [written] = Object(decoded(again).status).conditions;
  // The status is the same: so is the time of its last transition.
  assert.deepEqual(written, { ...condition, message: '0/2 nodes', lastProbeTime: null, lastTransitionTime: NOW });
});

test('damaged bytes are refused, or the pod stays readable', () => {
  const pod = sampleOf('pods/default/plain').stored;
  fc.assert(
    fc.property(fc.nat(pod.length - 1), fc.nat(255), (at, byte) => {
      const damaged = Uint8Array.from(pod);
      damaged[at] = byte;
      try {
        rewriter.bind(damaged, { uid: readPodHead(damaged).uid, nodeName: 'node-7', wallMs: WALL_MS });
      } catch (error) {
        assert(error instanceof WireError, String(error));
      }
    }),
    { numRuns: RUNS },
  );
});

test('a plain pod is bound as any pod is, also when its bytes are others than an API server writes', () => {
  const condition = fc.record({
    type: fc.constantFrom('PodScheduled', 'Ready', 'PodScheduledX'),
    status: fc.constantFrom('True', 'False'),
  });
  const somePod = fc.record({
    uid: fc.constantFrom('u', 'u', 'u', 'u', 'v', 'ü'),
    name: fc.string({ maxLength: 200 }),
    padding: fc.nat(300),
    nodeName: fc.constantFrom('', '', '', 'n'),
    nominatedNodeName: fc.constantFrom('', '', '', '', 'n'),
    conditions: fc.array(condition, { maxLength: 2 }),
    isTerminating: fc.nat(19).map((n) => n === 0),
    isGated: fc.nat(19).map((n) => n === 0),
    target: fc.constantFrom('node-7', 'node-7', 'n'.repeat(130), 'nöde'),
    change: fc.option(fc.record({ at: fc.nat(), to: fc.nat(255), kind: fc.constantFrom('set', 'cut', 'double') })),
  });
  const scheduled = new KubeWriter();
  const lastTransitionTime = NOW;
  scheduled.message(2, () => {
    encoder.encode('PodCondition', { type: 'PodScheduled', status: 'True', lastTransitionTime }, scheduled);
  });
  const plain = new PlainBinding();
  let plainCount = 0;
  fc.assert(
    fc.property(somePod, ({ uid, name, padding, target, change, ...some }) => {
      const { nodeName, nominatedNodeName, conditions } = some;
      const pod = stored({
        metadata: { name, uid, ...(some.isTerminating ? { deletionTimestamp: NOW } : {}) },
        spec: {
          containers: [{ name: 'x'.repeat(padding) }],
          nodeName,
          ...(some.isGated ? { schedulingGates: [{ name: 'g' }] } : {}),
        },
        status: { phase: 'Pending', conditions, nominatedNodeName, qosClass: 'Burstable' },
      });
      const bytes = change === null ? pod : changed(pod, change);
      const binding = { uid: 'u', nodeName: target, wallMs: WALL_MS };
      const fast = outcomeOf(() => plain.bind(bytes, 'u', target, scheduled.view()));
      if (!(fast instanceof Uint8Array)) return;
      plainCount++;
      const slow = outcomeOf(() => rewriter.bindAny(bytes, binding));
      assert(slow instanceof Uint8Array, String(slow));
      assert.equal(Buffer.from(fast).toString('hex'), Buffer.from(slow).toString('hex'));
    }),
    { numRuns: 10 * RUNS },
  );
  assert(plainCount > RUNS / 2, `only ${plainCount} were plain`);
});

test('a pod whose parts stand in another order, or twice, is bound as any pod is', () => {
  const parts: Readonly<Record<number, readonly [string, PlainObject]>> = {
    1: ['ObjectMeta', { name: 'a', uid: 'u' }],
    2: ['PodSpec', { containers: [{ name: 'c' }] }],
    3: ['PodStatus', { phase: 'Pending' }],
  };
  const binding = { uid: 'u', nodeName: 'node-1', wallMs: WALL_MS };
  for (const order of ['123', '132', '213', '231', '312', '321', '1123', '1223', '1233', '1232']) {
    const bytes = storedObject('v1', 'Pod', (writer) => {
      for (const number of [...order].map(Number)) {
        const [kind, part] = parts[number];
        writer.message(number, () => encoder.encode(kind, part, writer));
      }
    });
    const [fast, slow] = [rewriter.bind(bytes, binding), rewriter.bindAny(bytes, binding)];
    assert(fast instanceof Uint8Array && slow instanceof Uint8Array);
    assert.equal(Buffer.from(fast).toString('hex'), Buffer.from(slow).toString('hex'), order);
  }
});

function changed(pod: Uint8Array, { at, to, kind }: { at: number; to: number; kind: string }): Uint8Array {
  // Behind its type, which a binding does not look at.
  const start = readEnvelope(pod).rawStart - 3;
  const place = start + (at % (pod.length - start));
  const [before, behind] = [pod.subarray(0, place), pod.subarray(place + 1)];
  if (kind === 'cut') return Buffer.concat([before, behind]);
  return Buffer.concat([before, Buffer.of(to), kind === 'set' ? behind : pod.subarray(place)]);
}

function outcomeOf(bind: () => unknown): unknown {
  try {
    return bind();
  } catch (error) {
    if (error instanceof WireError) return 'damaged';
    throw error;
  }
}
