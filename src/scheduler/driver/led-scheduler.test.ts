import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { BindOutcome, KubeApi, ObjectIdentity, WriteOutcome } from '../../kube-api/kube-api.ts';
import { isObject } from '../../kube-api/object-head.ts';
import { SimulatedClock } from '../../testing/clock.ts';
import { Random } from '../../testing/random.ts';
import { DEFAULT_PROFILE } from '../model/scheduler-profile.ts';
import { LedScheduler } from './led-scheduler.ts';
import { SimulatedClient, SimulatedCluster } from './simulated-cluster-fixture.ts';

const LEASE = { namespace: 'kube-system', name: 'kube-scheduler' };

/** One scheduler, a pod, and a binding that is answered when the test says so; or a deletion, of what is in the pod's way. */
async function play(isPreempting = false) {
  const clock = new SimulatedClock();
  const cluster = new SimulatedCluster(clock);
  cluster.write('nodes', 'n1', {
    metadata: { name: 'n1', uid: 'uid-n1' },
    status: { allocatable: { cpu: '4', memory: '8Gi', pods: '8' } },
  });
  const pod = (name: string, priority: number, extra: object): void => {
    const containers = [{ name: 'c', resources: { requests: { cpu: '4' } } }];
    const spec = { schedulerName: 'default-scheduler', priority, containers, ...extra };
    cluster.write('pods', name, { metadata: { namespace: 'default', name, uid: `uid-${name}` }, spec });
  };
  pod('a', 1, {});
  if (isPreempting) for (const name of ['b', 'c']) pod(name, 0, { nodeName: 'n1' });
  const client = new SimulatedClient({ cluster, clock, own: clock, random: new Random(1), trouble: () => 0 });
  const { promise, resolve } = Promise.withResolvers<BindOutcome>();
  const deletion = Promise.withResolvers<WriteOutcome>();
  const deleted: string[] = [];
  const deletePod = ({ name }: ObjectIdentity): Promise<WriteOutcome> => {
    deleted.push(name);
    return deletion.promise;
  };
  const api: KubeApi = { ...client.api, bind: () => promise, deletePod };
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
  assert.equal(led.scheduler?.inFlight, 1);
  const holder = (): unknown => {
    const spec = cluster.find('leases', LEASE.name)?.spec;
    return isObject(spec) ? spec.holderIdentity : undefined;
  };
  assert.equal(holder(), 'me');
  const answer = (): void => {
    resolve({ kind: 'bound' });
    deletion.resolve({ kind: 'done', object: {} });
  };
  return { clock, led, holder, answer, deleted };
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

  it('gives the lease back once what it deletes for a pod is answered, and deletes no more', async () => {
    const { clock, led, holder, answer, deleted } = await play(true);
    const closed = led.close();
    await clock.pass(500);
    assert.equal(holder(), 'me');
    answer();
    await clock.pass(100);
    assert.equal(holder(), '');
    assert.equal(deleted.length, 1);
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
