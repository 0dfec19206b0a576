import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { BindOutcome, KubeApi } from '../../kube-api/kube-api.ts';
import { isObject } from '../../kube-api/object-head.ts';
import { SimulatedClock } from '../../testing/clock.ts';
import { Random } from '../../testing/random.ts';
import { DEFAULT_PROFILE } from '../model/scheduler-profile.ts';
import { LedScheduler } from './led-scheduler.ts';
import { SimulatedClient, SimulatedCluster } from './simulated-cluster-fixture.ts';

const LEASE = { namespace: 'kube-system', name: 'kube-scheduler' };

/** One scheduler, a pod, and a binding that is answered when the test says so. */
async function play() {
  const clock = new SimulatedClock();
  const cluster = new SimulatedCluster(clock);
  cluster.write('nodes', 'n1', {
    metadata: { name: 'n1', uid: 'uid-n1' },
    status: { allocatable: { cpu: '4', memory: '8Gi', pods: '8' } },
  });
  const metadata = { namespace: 'default', name: 'a', uid: 'uid-a' };
  cluster.write('pods', 'a', { metadata, spec: { schedulerName: 'default-scheduler', containers: [] } });
  const client = new SimulatedClient({ cluster, clock, own: clock, random: new Random(1), trouble: () => 0 });
  const { promise, resolve } = Promise.withResolvers<BindOutcome>();
  const api: KubeApi = { ...client.api, bind: () => promise };
  const nothing = (): void => {};
  const led = new LedScheduler({
    election: {
      api,
      clock,
      lease: LEASE,
      identity: 'me',
      leaseDurationMs: 15_000,
      renewDeadlineMs: 10_000,
      retryPeriodMs: 2000,
      onLeading: nothing,
      onLost: nothing,
      onProblem: nothing,
    },
    scheduler: {
      api,
      clock,
      profiles: [DEFAULT_PROFILE],
      instance: 'me',
      notices: { onProblem: nothing, onSynced: nothing, onBindingFailed: nothing, onPreemptionFailed: nothing },
    },
  });
  led.start();
  await clock.pass(1000);
  assert.equal(led.scheduler?.bindingCount, 1);
  const holder = (): unknown => {
    const spec = cluster.find('leases', LEASE.name)?.spec;
    return isObject(spec) ? spec.holderIdentity : undefined;
  };
  assert.equal(holder(), 'me');
  return { clock, led, holder, answer: () => resolve({ kind: 'bound' }) };
}

describe('a scheduler that leads', () => {
  it('gives the lease back once its bindings are answered', async () => {
    const { clock, led, holder, answer } = await play();
    const closed = led.close();
    await clock.pass(500);
    assert.equal(holder(), 'me');
    answer();
    await clock.pass(100);
    assert.equal(holder(), '');
    await clock.runUntil(closed);
  });

  it('lets the lease run out where a binding may still be on its way', async () => {
    const { clock, led, holder } = await play();
    const closed = led.close();
    await clock.pass(10_000);
    await clock.runUntil(closed);
    assert.equal(holder(), 'me');
  });
});
