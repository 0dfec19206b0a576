import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { SimulatedClock } from '../../testing/clock.ts';
import { Kernel } from '../kernel/kernel.ts';
import { DEFAULT_PROFILE } from '../model/scheduler-profile.ts';
import { type BindFault, FakeKubeApi } from './fake-kube-api-fixture.ts';
import { Scheduler } from './scheduler.ts';
import type { ShardedKernel } from './scheduler-options.ts';

const PROFILE = { ...DEFAULT_PROFILE, preempts: false, hasDynamicResources: false };

/** A scheduler on a fake API, in simulated time. */
class Lab {
  readonly clock = new SimulatedClock();
  readonly cluster = new FakeKubeApi(this.clock);
  readonly problems: string[] = [];
  readonly scheduler: Scheduler;

  constructor(openShards?: (onAnswered: () => void) => ShardedKernel, bindingsMax?: number) {
    this.scheduler = new Scheduler({
      api: this.cluster.api,
      clock: this.clock,
      profiles: [PROFILE],
      openShards,
      ...(bindingsMax === undefined ? {} : { bindingsMax }),
      instance: 'test',
      notices: {
        onProblem: (resource, text) => this.problems.push(`${resource}: ${text}`),
        onSynced: () => {},
        onBindingFailed: (pod, text) => this.problems.push(`${pod}: ${text}`),
        onPreemptionFailed: (pod, text) => this.problems.push(`${pod}: ${text}`),
      },
    });
    this.scheduler.start();
  }

  pass(ms: number): Promise<void> {
    return this.clock.pass(ms);
  }

  nodeOf(name: string): string | undefined {
    return this.cluster.pods.get(`uid-${name}`)?.nodeName;
  }
}

describe('the scheduler', () => {
  it('binds pods, tells of it, and spreads them by room', async () => {
    const lab = new Lab();
    for (const name of ['n1', 'n2']) lab.cluster.createNode(name, '4');
    for (const name of ['a', 'b']) lab.cluster.createPod(name, '1');
    await lab.pass(1000);
    assert.deepEqual([lab.nodeOf('a'), lab.nodeOf('b')].sort(), ['n1', 'n2']);
    const [event] = lab.cluster.events;
    assert.deepEqual([event.reason, event.type], ['Scheduled', 'Normal']);
    assert.match(event.note, /^Successfully assigned default\/[ab] to n[12]$/);
    assert.equal(lab.scheduler.counters.total('scheduled'), 2);
    lab.scheduler.close();
  });

  it('says once why a pod fits nowhere, and binds it when a node comes', async () => {
    const lab = new Lab();
    lab.cluster.createNode('n1', '1');
    lab.cluster.createPod('a', '2');
    await lab.pass(60_000);
    assert.deepEqual(
      lab.cluster.patches.map(({ patch }) => patch.conditions?.[0].message),
      ['0/1 nodes are available: 1 Insufficient cpu.'],
    );
    assert.deepEqual(
      lab.cluster.events.map(({ reason }) => reason),
      ['FailedScheduling'],
    );
    lab.cluster.createNode('n2', '4');
    await lab.pass(1000);
    assert.equal(lab.nodeOf('a'), 'n2');
    lab.scheduler.close();
  });

  it('places the pods that wait one after another as room comes', async () => {
    const lab = new Lab();
    lab.cluster.createNode('n1', '1');
    for (let i = 0; i < 5; i++) lab.cluster.createPod(`p${i}`, '1');
    await lab.pass(1000);
    assert.equal(lab.scheduler.queue.counts.unschedulable, 4);
    for (let i = 2; i <= 5; i++) lab.cluster.createNode(`n${i}`, '1');
    await lab.pass(1000);
    assert.equal(lab.cluster.bindings.length, 5);
    lab.scheduler.close();
  });

  it("says of a binding that is refused what kube-scheduler says, in the pod's condition and in an event", async () => {
    const lab = new Lab();
    const fates: BindFault[] = ['refused', 'refused'];
    lab.cluster.nextFault = () => fates.shift() ?? 'none';
    lab.cluster.createNode('n1', '8');
    lab.cluster.createPod('a', '1');
    await lab.pass(20_000);
    const text = 'running Bind plugin "DefaultBinder": pod a is forbidden';
    assert.deepEqual(
      lab.cluster.patches.map(({ patch }) => patch.conditions?.map(({ reason, message }) => [reason, message])),
      [[['SchedulerError', text]]],
    );
    assert.deepEqual(
      lab.cluster.events.map(({ reason, note }) => [reason, note]),
      [
        ['FailedScheduling', text],
        ['Scheduled', 'Successfully assigned default/a to n1'],
      ],
    );
    assert.equal(lab.nodeOf('a'), 'n1');
    lab.scheduler.close();
  });

  it('counts a pod with the labels that it got while its volumes were made', async () => {
    const lab = new Lab();
    const { storage } = lab.cluster;
    storage.controllerDelayMs = 5_000;
    storage.storageClass('made', 'example.com/provisioner');
    storage.claim('c');
    lab.cluster.createNode('n1', '8');
    lab.cluster.createPod('a', '1', { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'c' } }] });
    await lab.pass(1000);
    assert.equal(lab.nodeOf('a'), '', 'it waits for its volume');
    lab.cluster.labelPod('uid-a', { app: 'late' });
    await lab.pass(20_000);
    assert.equal(lab.nodeOf('a'), 'n1');
    const term = { labelSelector: { matchLabels: { app: 'late' } }, topologyKey: 'kubernetes.io/hostname' };
    const podAntiAffinity = { requiredDuringSchedulingIgnoredDuringExecution: [term] };
    lab.cluster.createPod('b', '1', { affinity: { podAntiAffinity } });
    await lab.pass(1000);
    assert.equal(lab.nodeOf('b'), '');
    lab.scheduler.close();
  });

  it('leaves pods of other schedulers, and those with gates, alone', async () => {
    const lab = new Lab();
    lab.cluster.createNode('n1', '8');
    lab.cluster.createPod('other', '1', { schedulerName: 'other' });
    lab.cluster.createPod('gated', '1', { schedulingGates: [{ name: 'wait' }] });
    await lab.pass(1000);
    assert.deepEqual([lab.nodeOf('other'), lab.nodeOf('gated')], ['', '']);
    assert.deepEqual(lab.cluster.events, []);
    lab.scheduler.close();
  });

  it('lets a pod whose time has come wait for room for its binding, and does nothing meanwhile', async () => {
    const lab = new Lab(undefined, 1);
    lab.cluster.createNode('n1', '4');
    const faults: BindFault[] = ['refused'];
    lab.cluster.nextFault = () => faults.shift() ?? 'unreachable';
    for (const name of ['a', 'b']) lab.cluster.createPod(name, '1');
    await lab.pass(2000);
    let steps = 0;
    for (const untilMs = lab.clock.nowMs() + 5000; lab.clock.nowMs() < untilMs; steps++) {
      lab.clock.step();
      await lab.pass(0);
    }
    // Those of seconds, for requests and the clock of nodes.
    assert.ok(steps < 50, `${steps} timers in 5 s`);
    lab.cluster.nextFault = () => 'none';
    await lab.pass(20_000);
    assert.deepEqual([lab.nodeOf('a'), lab.nodeOf('b')], ['n1', 'n1']);
    lab.scheduler.close();
  });

  it('takes up again what waited for a pod with a nominated node', async () => {
    const lab = new Lab();
    lab.cluster.createNode('n1', '1');
    const gated = { priority: 100, schedulingGates: [{ name: 'wait' }] };
    lab.cluster.createPod('waiting', '1', gated, { nominatedNodeName: 'n1' });
    lab.cluster.createPod('a', '1');
    await lab.pass(5000);
    assert.equal(lab.nodeOf('a'), '');
    lab.cluster.deletePod('uid-waiting');
    await lab.pass(20_000);
    assert.equal(lab.nodeOf('a'), 'n1');
    lab.scheduler.close();
  });

  it('asks about a pod whose decision is awaited when something was answered, whatever happens meanwhile', async () => {
    const kernel = new Kernel([PROFILE]);
    const asked: string[] = [];
    let answer = (): void => {};
    let isThere = false;
    const lab = new Lab((onAnswered) => {
      answer = onAnswered;
      const figures = { shards: 1, shardsUp: 1, questions: 0, standIns: 0, losses: 0, waitingMs: 0 };
      const decide: ShardedKernel['decide'] = (uid) => {
        asked.push(uid);
        return isThere ? kernel.decide(uid) : { kind: 'awaited' };
      };
      return { kernel, figures, decide, close() {} };
    });
    lab.cluster.createNode('n1', '8');
    lab.cluster.createPod('a', '1');
    lab.cluster.createPod('b', '1');
    for (let i = 0; i < 5; i++) {
      await lab.pass(100);
      lab.cluster.createNode(`m${i}`, '1');
    }
    const [first] = asked;
    assert.deepEqual(asked, [first]);
    answer();
    await lab.pass(100);
    assert.deepEqual(asked, [first, first]);
    // The next pod waits for an answer of its own.
    lab.cluster.deletePod(first);
    lab.cluster.createNode('m5', '1');
    await lab.pass(100);
    const second = first === 'uid-a' ? 'uid-b' : 'uid-a';
    assert.deepEqual(asked, [first, first, second]);
    isThere = true;
    answer();
    await lab.pass(1000);
    assert.deepEqual(asked, [first, first, second, second]);
    assert.equal(lab.cluster.pods.get(second)?.nodeName, 'n1');
    lab.scheduler.close();
  });

  it('skips an object that it cannot read, and goes on', async () => {
    const lab = new Lab();
    lab.cluster.createNode('n1', '8');
    lab.cluster.createNode('bad', 'much');
    lab.cluster.createPod('a', '1');
    await lab.pass(1000);
    assert.equal(lab.nodeOf('a'), 'n1');
    assert.ok(
      lab.problems.some((text) => text.startsWith('nodes: ')),
      lab.problems.join(),
    );
    lab.scheduler.close();
  });

  it('binds each pod once and never more than fits, whatever becomes of requests', async () => {
    const step = fc.record({
      kind: fc.constantFrom('pod', 'pod', 'pod', 'node', 'no-pod', 'pass', 'pass'),
      which: fc.nat(30),
    });
    const faults = fc.array(
      fc.constantFrom<BindFault>('none', 'none', 'busy', 'unreachable', 'lost-before', 'lost-after', 'conflict'),
      { minLength: 1, maxLength: 30 },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 50 }), faults, async (steps, faultList) => {
        const lab = new Lab();
        let calls = 0;
        lab.cluster.nextFault = () => faultList[calls++] ?? 'none';
        for (const [index, { kind, which }] of steps.entries()) {
          if (kind === 'pod') lab.cluster.createPod(`p${index}`, '1');
          else if (kind === 'node') lab.cluster.createNode(`n${which % 5}`, '2');
          else if (kind === 'no-pod') lab.cluster.deletePod(`uid-p${which}`);
          else await lab.pass(which);
        }
        for (let i = 0; i < 5; i++) lab.cluster.createNode(`n${i}`, '20');
        await lab.pass(120_000);
        const bound = lab.cluster.bindings.map(({ uid }) => uid);
        assert.equal(new Set(bound).size, bound.length, 'a pod is bound twice');
        assert.deepEqual(lab.cluster.overcommitted, []);
        for (const { identity, nodeName } of lab.cluster.pods.values()) {
          assert.notEqual(nodeName, '', `${identity.name} is not bound`);
        }
        lab.scheduler.close();
      }),
      { numRuns: 60 },
    );
  });
});
