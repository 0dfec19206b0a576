import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PlainObject } from '../kube/message-decoder.ts';
import { admittedSpec, admittedStatus, qosClassOf } from './pod-admission.ts';

const LIMITS = { cpu: '1', memory: '1Gi' };

interface Given {
  readonly containers: readonly PlainObject[];
  readonly pod?: PlainObject;
}

/** Resources of each container, and of the pod. */
const classes: readonly (readonly [string, Given, string])[] = [
  ['nothing', { containers: [{}] }, 'BestEffort'],
  ['zeros', { containers: [{ requests: { cpu: '0' }, limits: { memory: 0 } }] }, 'BestEffort'],
  ['other resources alone', { containers: [{ requests: { 'ephemeral-storage': '1Gi' } }] }, 'BestEffort'],
  ['limits alone', { containers: [{ limits: LIMITS }] }, 'Guaranteed'],
  [
    'requests of the same amounts',
    { containers: [{ requests: { cpu: '1000m', memory: '1024Mi' }, limits: LIMITS }] },
    'Guaranteed',
  ],
  ['a number', { containers: [{ requests: { cpu: 1 }, limits: LIMITS }] }, 'Guaranteed'],
  ['a request below its limit', { containers: [{ requests: { cpu: '999m' }, limits: LIMITS }] }, 'Burstable'],
  ['a limit of one resource', { containers: [{ limits: { cpu: '1' } }] }, 'Burstable'],
  ['a container without limits', { containers: [{ limits: LIMITS }, {}] }, 'Burstable'],
  ['requests alone', { containers: [{ requests: LIMITS }] }, 'Burstable'],
  ['limits of the pod', { containers: [{}], pod: { limits: LIMITS } }, 'Guaranteed'],
  ['a request of the pod', { containers: [{ limits: LIMITS }], pod: { requests: { cpu: '1' } } }, 'Burstable'],
];

describe('the QoS class, as kube-apiserver has it, of', () => {
  for (const [name, { containers, pod }, expected] of classes) {
    it(name, () => {
      const spec = {
        containers: containers.map((resources, index) => ({ name: `c${index}`, image: 'a:1', resources })),
        ...(pod === undefined ? {} : { resources: pod }),
      };
      assert.equal(qosClassOf(admittedSpec(spec, undefined)), expected);
    });
  }
});

it('a gated pod says so in its status, as kube-apiserver has it', () => {
  const createdMs = Date.parse('2026-01-01T00:00:00Z');
  const containers = [{ name: 'c', image: 'a:1' }];
  assert.deepEqual(admittedStatus({ containers }, createdMs), { phase: 'Pending', qosClass: 'BestEffort' });
  assert.deepEqual(admittedStatus({ containers, schedulingGates: [{ name: 'g' }] }, createdMs), {
    phase: 'Pending',
    conditions: [
      {
        type: 'PodScheduled',
        status: 'False',
        reason: 'SchedulingGated',
        message: 'Scheduling is blocked due to non-empty scheduling gates',
        lastTransitionTime: '2026-01-01T00:00:00Z',
      },
    ],
    qosClass: 'BestEffort',
  });
});
