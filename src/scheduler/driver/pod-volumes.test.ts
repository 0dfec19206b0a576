// Pods with claims that wait for their first consumer: what is written for them, whom they wait for, and what becomes of them when that fails.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { JsonObject } from '../../kube-api/kube-api.ts';
import { SimulatedClock } from '../../testing/clock.ts';
import { propertyRuns } from '../../testing/property-runs.ts';
import { DEFAULT_PROFILE } from '../model/scheduler-profile.ts';
import { FakeKubeApi } from './fake-kube-api-fixture.ts';
import type { Provisioning, WriteFault } from './fake-storage-fixture.ts';
import { Scheduler } from './scheduler.ts';

/** A scheduler on a fake API with two nodes, in simulated time. */
class Lab {
  readonly clock = new SimulatedClock();
  readonly cluster = new FakeKubeApi(this.clock);
  readonly storage = this.cluster.storage;
  readonly scheduler: Scheduler;
  leadsUntilMs = Number.POSITIVE_INFINITY;

  constructor() {
    const profile = { ...DEFAULT_PROFILE, preempts: false, hasDynamicResources: false };
    this.scheduler = new Scheduler({
      api: this.cluster.api,
      clock: this.clock,
      leadsUntilMs: () => this.leadsUntilMs,
      profiles: [profile, { ...profile, schedulerName: 'hasty', bindTimeoutSeconds: 5 }],
      instance: 'test',
      notices: { onProblem: () => {}, onSynced: () => {}, onBindingFailed: () => {}, onPreemptionFailed: () => {} },
    });
    this.scheduler.start();
    this.storage.storageClass('made', 'example.com/provisioner');
    this.storage.storageClass('local', 'kubernetes.io/no-provisioner');
    for (const name of ['n1', 'n2']) this.cluster.createNode(name, '20');
  }

  pod(name: string, claimName: string, spec: JsonObject = {}): void {
    this.cluster.createPod(name, '1', { volumes: [{ name: 'data', persistentVolumeClaim: { claimName } }], ...spec });
  }

  nodeOf(name: string): string | undefined {
    return this.cluster.pods.get(`uid-${name}`)?.nodeName;
  }

  metadataOf(claim: string): JsonObject {
    return this.storage.get('persistentvolumeclaims', `default/${claim}`)?.metadata as JsonObject;
  }

  messages(): string[] {
    return this.cluster.patches.map(({ patch }) => patch.conditions?.[0].message ?? '');
  }
}

describe('pods with claims', () => {
  it('are bound once a volume has been made where they are to run', async () => {
    const lab = new Lab();
    lab.storage.controllerDelayMs = 5_000;
    lab.storage.claim('c');
    lab.pod('a', 'c');
    lab.cluster.createPod('b', '1');
    await lab.clock.pass(1000);
    assert.equal(lab.nodeOf('a'), '', 'it waits for its volume');
    assert.notEqual(lab.nodeOf('b'), '', 'others do not wait for it');
    const { annotations } = lab.metadataOf('c') as { annotations: JsonObject };
    const selected = annotations['volume.kubernetes.io/selected-node'];
    await lab.clock.pass(20_000);
    assert.equal(lab.nodeOf('a'), selected);
    assert.equal(lab.scheduler.figures.assumedPods, 0);
    lab.scheduler.close();
  });

  it('take a local disk, each another one, and say that the scheduler did it', async () => {
    const lab = new Lab();
    for (const name of ['c1', 'c2', 'c3']) lab.storage.claim(name, 'local');
    lab.storage.disk('d1', 'n1');
    lab.storage.disk('d2', 'n2');
    for (const index of [1, 2, 3]) lab.pod(`p${index}`, `c${index}`);
    await lab.clock.pass(3000);
    assert.deepEqual([lab.nodeOf('p1'), lab.nodeOf('p2')].sort(), ['n1', 'n2']);
    assert.equal(lab.nodeOf('p3'), '');
    assert.deepEqual(lab.messages(), [
      "0/2 nodes are available: 2 node(s) didn't find available persistent volumes to bind.",
    ]);
    const { metadata, spec } = lab.storage.get('persistentvolumes', 'd1') as { metadata: JsonObject; spec: JsonObject };
    assert.deepEqual(metadata.annotations, { 'pv.kubernetes.io/bound-by-controller': 'yes' });
    const { apiVersion, kind, namespace } = spec.claimRef as JsonObject;
    assert.deepEqual([apiVersion, kind, namespace], ['v1', 'PersistentVolumeClaim', 'default']);
    lab.storage.disk('d3', 'n2');
    await lab.clock.pass(15_000);
    assert.equal(lab.nodeOf('p3'), 'n2', 'a new disk wakes the pod');
    lab.scheduler.close();
  });

  it('are tried when their claim comes, and say what they wait for until then', async () => {
    const lab = new Lab();
    lab.pod('a', 'c');
    await lab.clock.pass(1000);
    assert.deepEqual(lab.messages(), ['0/2 nodes are available: persistentvolumeclaim "c" not found.']);
    lab.storage.claim('c');
    await lab.clock.pass(15_000);
    assert.notEqual(lab.nodeOf('a'), '');
    lab.scheduler.close();
  });

  it('are tried when there is room for their volumes', async () => {
    const lab = new Lab();
    const capacity = (storage: string): void =>
      lab.storage.set('csistoragecapacities', {
        metadata: { namespace: 'default', name: 'room' },
        storageClassName: 'tracked',
        nodeTopology: { matchLabels: { 'kubernetes.io/hostname': 'n2' } },
        capacity: storage,
      });
    lab.storage.storageClass('tracked', 'tracks.example.com');
    lab.storage.set('csidrivers', { metadata: { name: 'tracks.example.com' }, spec: { storageCapacity: true } });
    const drivers = [{ name: 'tracks.example.com', nodeID: 'x', allocatable: { count: 1 } }];
    for (const name of ['n1', 'n2']) lab.storage.set('csinodes', { metadata: { name }, spec: { drivers } });
    for (const name of ['c1', 'c2']) lab.storage.claim(name, 'tracked');
    lab.pod('a', 'c1');
    capacity('100Mi');
    await lab.clock.pass(1000);
    assert.deepEqual(lab.messages(), ['0/2 nodes are available: 2 node(s) did not have enough free storage.']);
    capacity('2Gi');
    await lab.clock.pass(15_000);
    assert.equal(lab.nodeOf('a'), 'n2');
    lab.pod('b', 'c2');
    await lab.clock.pass(1000);
    assert.equal(
      lab.messages().at(-1),
      '0/2 nodes are available: 1 node(s) did not have enough free storage, 1 node(s) exceed max volume count.',
    );
    const [driver] = drivers;
    lab.storage.set('csinodes', {
      metadata: { name: 'n2' },
      spec: { drivers: [{ ...driver, allocatable: { count: 2 } }] },
    });
    await lab.clock.pass(15_000);
    assert.equal(lab.nodeOf('b'), 'n2');
    lab.scheduler.close();
  });

  it('wait for their volumes as long as the plugin is told to, and are tried again', async () => {
    const lab = new Lab();
    lab.storage.provisioning = 'sleeps';
    lab.storage.claim('c');
    lab.pod('a', 'c', { schedulerName: 'hasty' });
    await lab.clock.pass(4000);
    assert.deepEqual(lab.messages(), []);
    await lab.clock.pass(2000);
    assert.deepEqual(lab.messages(), [
      'running PreBind plugin "VolumeBinding": binding volumes: context deadline exceeded',
    ]);
    const [event] = lab.cluster.events;
    assert.deepEqual([event.reason, event.action], ['FailedScheduling', 'Scheduling']);
    lab.storage.provisioning = 'makes';
    lab.storage.set('persistentvolumeclaims', lab.storage.get('persistentvolumeclaims', 'default/c') ?? {});
    await lab.clock.pass(20_000);
    assert.notEqual(lab.nodeOf('a'), '');
    lab.scheduler.close();
  });

  it('start anew when the provisioner gives up on their node', async () => {
    const lab = new Lab();
    lab.storage.provisioning = 'gives-up';
    lab.storage.claim('c');
    lab.pod('a', 'c');
    await lab.clock.pass(500);
    assert.deepEqual(lab.messages(), [
      'running PreBind plugin "VolumeBinding": binding volumes: provisioning failed for PVC "c"',
    ]);
    lab.storage.provisioning = 'makes';
    await lab.clock.pass(20_000);
    assert.notEqual(lab.nodeOf('a'), '');
    lab.scheduler.close();
  });

  it('share a claim, and are on its node together', async () => {
    const lab = new Lab();
    lab.storage.claim('c');
    for (const name of ['a', 'b', 'd']) lab.pod(name, 'c');
    await lab.clock.pass(5000);
    const nodes = new Set(['a', 'b', 'd'].map((name) => lab.nodeOf(name)));
    assert.equal(nodes.size, 1);
    assert.ok(!nodes.has(''));
    assert.deepEqual(lab.messages(), [], 'none of them fails for what another has written');
    lab.scheduler.close();
  });

  it('give back what was taken for them when they go, or their node does', async () => {
    const lab = new Lab();
    lab.storage.controllerDelayMs = 1e9;
    lab.storage.claim('c1', 'local');
    lab.storage.disk('d1', 'n1');
    lab.storage.nextFault = () => 'unreachable';
    lab.pod('a', 'c1');
    await lab.clock.pass(500);
    lab.cluster.deletePod('uid-a');
    lab.storage.nextFault = () => 'none';
    lab.storage.claim('c2', 'local');
    lab.pod('b', 'c2');
    await lab.clock.pass(2000);
    const { spec } = lab.storage.get('persistentvolumes', 'd1') as { spec: { claimRef: JsonObject } };
    assert.equal(spec.claimRef.name, 'c2');
    lab.cluster.deleteNode('n1');
    await lab.clock.pass(500);
    assert.match(
      lab.messages()[0],
      /^running PreBind plugin "VolumeBinding": binding volumes: failed to get node "n1": node "n1" not found$/,
    );
    lab.scheduler.close();
  });

  it('are not written for by a scheduler that does not lead any more', async () => {
    const lab = new Lab();
    lab.storage.claim('c');
    lab.storage.nextFault = () => 'unreachable';
    lab.pod('a', 'c');
    await lab.clock.pass(500);
    lab.leadsUntilMs = lab.clock.nowMs();
    lab.storage.nextFault = () => 'none';
    await lab.clock.pass(20_000);
    const { annotations } = lab.metadataOf('c');
    assert.deepEqual([annotations, lab.nodeOf('a')], [undefined, '']);
    lab.scheduler.close();
  });

  it('are let go when they are on their way out, and not tried again', async () => {
    const lab = new Lab();
    lab.storage.provisioning = 'sleeps';
    lab.storage.claim('c');
    lab.pod('a', 'c', { schedulerName: 'hasty' });
    await lab.clock.pass(500);
    const state = lab.cluster.pods.get('uid-a');
    assert.ok(state !== undefined);
    // It is held by a finalizer.
    state.isTerminating = true;
    lab.cluster.tellAgain('uid-a');
    await lab.clock.pass(10_000);
    assert.deepEqual(lab.messages(), []);
    assert.equal(lab.scheduler.queue.has('uid-a'), false);
    lab.scheduler.close();
  });

  it('wake others that wait for a node when their volumes cannot be bound', async () => {
    const lab = new Lab();
    lab.cluster.deleteNode('n2');
    lab.storage.provisioning = 'sleeps';
    lab.storage.claim('c');
    lab.pod('a', 'c', { schedulerName: 'hasty' });
    await lab.clock.pass(500);
    lab.cluster.createPod('b', '20');
    await lab.clock.pass(1000);
    assert.equal(lab.nodeOf('b'), '', 'the room is taken for the other one');
    // Until then nothing else happens.
    await lab.clock.pass(4500);
    assert.equal(lab.nodeOf('b'), 'n1');
    lab.scheduler.close();
  });

  it('lose their nomination, also in the API, when their volumes cannot be bound', async () => {
    const lab = new Lab();
    lab.storage.provisioning = 'sleeps';
    lab.storage.claim('c');
    const volumes = [{ name: 'data', persistentVolumeClaim: { claimName: 'c' } }];
    lab.cluster.createPod('a', '1', { volumes, schedulerName: 'hasty' }, { nominatedNodeName: 'n2' });
    await lab.clock.pass(500);
    assert.equal(lab.metadataOf('c').annotations === undefined, false, 'it has been decided');
    await lab.clock.pass(5000);
    assert.equal(lab.cluster.pods.get('uid-a')?.status.nominatedNodeName, '');
    lab.scheduler.close();
  });

  it('give no claim a node that has changed since it was decided', async () => {
    const lab = new Lab();
    lab.storage.claim('c');
    await lab.clock.pass(100);
    // While the first request is turned away, somebody else selects a node; the watch tells of it later.
    lab.storage.nextFault = () => {
      lab.storage.nextFault = () => 'none';
      const claim = lab.storage.get('persistentvolumeclaims', 'default/c') ?? {};
      const metadata = { ...lab.metadataOf('c'), annotations: { 'volume.kubernetes.io/selected-node': 'other' } };
      lab.storage.provisioning = 'sleeps';
      lab.storage.set('persistentvolumeclaims', { ...claim, metadata });
      return 'busy';
    };
    lab.pod('a', 'c');
    await lab.clock.pass(1000);
    assert.deepEqual(lab.metadataOf('c').annotations, { 'volume.kubernetes.io/selected-node': 'other' });
    assert.match(
      lab.messages()[0],
      /^running PreBind plugin "VolumeBinding": Operation cannot be fulfilled on persistentvolumeclaims "c": /,
    );
    lab.scheduler.close();
  });

  it('leave alone what has changed since it was decided', async () => {
    const lab = new Lab();
    lab.storage.claim('c', 'local');
    lab.storage.disk('d1', 'n1');
    await lab.clock.pass(100);
    // While the first request is turned away, somebody else takes the disk.
    lab.storage.nextFault = () => {
      lab.storage.nextFault = () => 'none';
      const disk = lab.storage.get('persistentvolumes', 'd1') as { spec: JsonObject };
      const claimRef = { namespace: 'default', name: 'other', uid: 'other' };
      lab.storage.set('persistentvolumes', { ...disk, spec: { ...disk.spec, claimRef } });
      return 'busy';
    };
    lab.pod('a', 'c');
    await lab.clock.pass(1000);
    const { spec } = lab.storage.get('persistentvolumes', 'd1') as { spec: { claimRef: JsonObject } };
    assert.equal(spec.claimRef.name, 'other');
    assert.match(
      lab.messages()[0],
      /^running PreBind plugin "VolumeBinding": Operation cannot be fulfilled on persistentvolumes "d1": /,
    );
    lab.scheduler.close();
  });

  it('are not refused for a request of their own that came late', async () => {
    const lab = new Lab();
    lab.storage.claim('c');
    lab.storage.nextFault = () => {
      lab.storage.nextFault = () => 'none';
      return 'late';
    };
    lab.pod('a', 'c');
    await lab.clock.pass(3000);
    assert.notEqual(lab.nodeOf('a'), '');
    assert.deepEqual(lab.messages(), []);
    lab.scheduler.close();
  });

  it('wait for the volume that their claim names', async () => {
    const lab = new Lab();
    lab.storage.provisioning = 'sleeps';
    lab.storage.claim('c');
    lab.pod('a', 'c');
    await lab.clock.pass(500);
    const claim = lab.storage.get('persistentvolumeclaims', 'default/c') as { metadata: JsonObject; spec: JsonObject };
    const annotations = { ...(claim.metadata.annotations as JsonObject), 'pv.kubernetes.io/bind-completed': 'yes' };
    lab.storage.set('persistentvolumeclaims', {
      metadata: { ...claim.metadata, annotations },
      spec: { ...claim.spec, volumeName: 'v' },
    });
    await lab.clock.pass(500);
    assert.equal(lab.nodeOf('a'), '', 'the volume is not known yet');
    const claimRef = { namespace: 'default', name: 'c', uid: claim.metadata.uid };
    const capacity = { storage: '1Gi' };
    lab.storage.set('persistentvolumes', { metadata: { name: 'v' }, spec: { claimRef, capacity } });
    await lab.clock.pass(500);
    assert.notEqual(lab.nodeOf('a'), '');
    lab.scheduler.close();
  });

  it('let the next one have at once what was taken for them', async () => {
    const lab = new Lab();
    for (const name of ['c1', 'c2']) lab.storage.claim(name, 'local');
    lab.storage.disk('d1', 'n1');
    lab.storage.nextFault = () => 'unreachable';
    lab.pod('a', 'c1');
    await lab.clock.pass(500);
    lab.pod('b', 'c2');
    await lab.clock.pass(500);
    lab.storage.nextFault = () => 'none';
    lab.cluster.deletePod('uid-a');
    await lab.clock.pass(15_000);
    assert.equal(lab.nodeOf('b'), 'n1');
    lab.scheduler.close();
  });

  it('are bound each once, with a volume that no other has, whatever becomes of requests', async () => {
    const fault = fc.constantFrom<WriteFault>(
      ...(['none', 'none', 'busy', 'unreachable', 'lost-before', 'lost-after', 'late', 'conflict', 'refused'] as const),
    );
    const step = fc.record({
      kind: fc.constantFrom('made', 'local', 'shared', 'disk', 'no-pod', 'mood', 'pass', 'pass'),
      which: fc.nat(40),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.array(fault, { maxLength: 30 }), async (steps, faults) => {
        const lab = new Lab();
        let calls = 0;
        lab.storage.nextFault = () => faults[calls++] ?? 'none';
        for (const [index, { kind, which }] of steps.entries()) await takeStep(lab, index, kind, which);
        lab.storage.provisioning = 'makes';
        for (let i = 0; i < 40; i++) lab.storage.disk(`last-${i}`, i % 2 ? 'n1' : 'n2');
        // Whatever provisioners have slept over.
        for (let i = 0; i < 2; i++) {
          await lab.clock.pass(700_000);
          touchClaims(lab, steps.length);
        }
        await lab.clock.pass(700_000);
        const bound = lab.cluster.bindings.map(({ uid }) => uid);
        assert.equal(new Set(bound).size, bound.length, 'a pod is bound twice');
        assert.deepEqual(lab.storage.takenTwice, []);
        for (const { identity, nodeName } of lab.cluster.pods.values()) {
          assert.notEqual(nodeName, '', `${identity.name} is not bound: ${lab.messages().at(-1)}`);
        }
        assert.equal(lab.scheduler.figures.assumedPods, 0);
        lab.scheduler.close();
      }),
      propertyRuns(40, process.env),
    );
  });
});

async function takeStep(lab: Lab, index: number, kind: string, which: number): Promise<void> {
  switch (kind) {
    case 'made':
    case 'local':
      lab.storage.claim(`c${index}`, kind);
      lab.pod(`p${index}`, `c${index}`);
      break;
    case 'shared':
      if (lab.storage.get('persistentvolumeclaims', 'default/shared') === undefined) lab.storage.claim('shared');
      lab.pod(`p${index}`, 'shared');
      break;
    case 'disk':
      lab.storage.disk(`d${index}`, which % 2 ? 'n1' : 'n2');
      break;
    case 'no-pod':
      lab.cluster.deletePod(`uid-p${which}`);
      break;
    case 'mood':
      lab.storage.provisioning = (['makes', 'sleeps', 'gives-up'] as const satisfies readonly Provisioning[])[
        which % 3
      ];
      break;
    default:
      await lab.clock.pass(which * 10);
  }
}

function touchClaims(lab: Lab, count: number): void {
  for (const name of ['shared', ...Array.from({ length: count }, (_, index) => `c${index}`)]) {
    const claim = lab.storage.get('persistentvolumeclaims', `default/${name}`);
    if (claim !== undefined) lab.storage.set('persistentvolumeclaims', claim);
  }
}
