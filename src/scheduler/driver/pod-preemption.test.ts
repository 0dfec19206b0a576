import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { SimulatedClock } from '../../testing/clock.ts';
import { propertyRuns } from '../../testing/property-runs.ts';
import { DEFAULT_PROFILE } from '../model/scheduler-profile.ts';
import { FakeKubeApi, type WriteFault } from './fake-kube-api-fixture.ts';
import { NominationBook } from './nomination-book.ts';
import { Scheduler } from './scheduler.ts';

/** Nodes of one CPU each, and a scheduler that preempts. */
class Lab {
  readonly clock: SimulatedClock;
  readonly cluster: FakeKubeApi;
  readonly problems: string[] = [];
  readonly scheduler: Scheduler;

  constructor(clock = new SimulatedClock(), cluster = new FakeKubeApi(clock)) {
    this.clock = clock;
    this.cluster = cluster;
    this.scheduler = new Scheduler({
      api: this.cluster.api,
      clock: this.clock,
      profiles: [DEFAULT_PROFILE],
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

  /** So many nodes, each with a pod of priority 0. */
  async fill(count: number): Promise<void> {
    for (let i = 0; i < count; i++) this.cluster.createNode(`n${i}`, '1');
    for (let i = 0; i < count; i++) this.cluster.createPod(`low-${i}`, '1');
    await this.clock.pass(100);
    assert.equal(this.cluster.bindings.length, count);
    this.cluster.events.length = 0;
    this.cluster.patches.length = 0;
  }

  create(name: string, priority: number, extra: object = {}): void {
    this.cluster.createPod(name, '1', { priority, ...extra });
  }

  nodeOf(name: string): string | undefined {
    return this.cluster.pods.get(`uid-${name}`)?.nodeName;
  }

  nominatedTo(name: string): unknown {
    return this.cluster.pods.get(`uid-${name}`)?.status.nominatedNodeName;
  }

  eventsOf(reason: string): string[] {
    return this.cluster.events.filter((event) => event.reason === reason).map(({ note }) => note);
  }
}

describe('preemption', () => {
  it('marks the victim, deletes it, tells of it, and binds the pod to the nominated node once it has gone', async () => {
    const lab = new Lab();
    await lab.fill(1);
    lab.create('high', 100);
    await lab.clock.pass(100);
    const [nominated, marked] = lab.cluster.patches;
    const waits = nominated.patch.conditions?.[0];
    assert.deepEqual(
      [nominated.uid, nominated.patch.nominatedNodeName, waits?.type],
      ['uid-high', 'n0', 'PodScheduled'],
    );
    assert.equal(waits?.message, '0/1 nodes are available: 1 Insufficient cpu.');
    const { lastTransitionTime: _, ...condition } = marked.patch.conditions?.[0] ?? { type: '' };
    assert.deepEqual(
      [marked.uid, condition],
      [
        'uid-low-0',
        {
          type: 'DisruptionTarget',
          status: 'True',
          reason: 'PreemptionByScheduler',
          message: 'default-scheduler: preempting to accommodate a higher priority pod',
        },
      ],
    );
    assert.deepEqual(lab.cluster.deletions, ['uid-low-0']);
    const event = lab.cluster.events.find(({ reason }) => reason === 'Preempted');
    assert.deepEqual(
      [event?.note, event?.action, event?.type, event?.regarding.uid, event?.related?.uid],
      ['Preempted by pod uid-high on node n0', 'Preempting', 'Normal', 'uid-low-0', 'uid-high'],
    );
    assert.equal(lab.nodeOf('high'), '', 'its victim is still there');
    await lab.clock.pass(1500);
    assert.equal(lab.nodeOf('high'), 'n0');
    assert.deepEqual(lab.cluster.overcommitted, []);
    assert.match(lab.scheduler.counters.text(), /scheduler_preemption_attempts_total 1\n/);
    assert.match(lab.scheduler.counters.text(), /scheduler_preemption_victims_sum 1\n/);
    assert.deepEqual(lab.problems, []);
    lab.scheduler.close();
  });

  it('tries a pod again that has lost its node to a stronger one while its victim was deleted', async () => {
    const lab = new Lab();
    await lab.fill(1);
    lab.cluster.graceMs = 20_000;
    lab.create('mid', 10);
    await lab.clock.pass(8);
    lab.create('top', 100);
    await lab.clock.pass(2);
    // Comes when nothing but the end of its preemption can wake the pod.
    lab.cluster.createNode('n1', '2');
    await lab.clock.pass(12_000);
    assert.equal(lab.nodeOf('mid'), 'n1');
    lab.scheduler.close();
  });

  it('makes room for each of several pods on a node of its own, and once', async () => {
    const lab = new Lab();
    await lab.fill(5);
    lab.cluster.graceMs = 20_000;
    for (let i = 0; i < 4; i++) lab.create(`high-${i}`, 100);
    await lab.clock.pass(15_000);
    assert.equal(lab.cluster.deletions.length, 4);
    await lab.clock.pass(20_000);
    const nodes = [0, 1, 2, 3].map((i) => lab.nodeOf(`high-${i}`));
    assert.equal(new Set(nodes).size, 4);
    assert.ok(!nodes.includes(''));
    assert.deepEqual([lab.cluster.deletions.length, lab.cluster.overcommitted], [4, []]);
    lab.scheduler.close();
  });

  it('writes for each pod and victim what kube-scheduler does, and each once', async () => {
    const lab = new Lab();
    await lab.fill(20);
    lab.cluster.graceMs = 0;
    const { patches, events, bindings } = lab.cluster;
    const before = [patches.length, events.length, bindings.length];
    for (let i = 0; i < 20; i++) lab.create(`high-${i}`, 100);
    await lab.clock.pass(30_000);
    const made = [
      ...patches.slice(before[0]).map(({ patch }) => `patch ${patch.conditions?.map(({ type }) => type).join()}`),
      ...events.slice(before[1]).map(({ reason }) => `event ${reason}`),
      ...bindings.slice(before[2]).map(() => 'binding'),
      ...lab.cluster.deletions.map(() => 'deletion'),
    ];
    const counts = Object.fromEntries([...Map.groupBy(made, (write) => write)].map(([key, all]) => [key, all.length]));
    assert.deepEqual(counts, {
      'patch PodScheduled': 20,
      'patch DisruptionTarget': 20,
      deletion: 20,
      binding: 20,
      'event FailedScheduling': 20,
      'event Preempted': 20,
      'event Scheduled': 20,
    });
    lab.scheduler.close();
  });

  it('does not preempt for a pod that must not, nor for one of the same priority', async () => {
    const lab = new Lab();
    await lab.fill(1);
    lab.create('polite', 100, { preemptionPolicy: 'Never' });
    lab.create('equal', 0);
    await lab.clock.pass(5000);
    assert.deepEqual(lab.cluster.deletions, []);
    const texts = lab.eventsOf('FailedScheduling').map((note) => note.split('preemption: ')[1]);
    assert.deepEqual(texts, [
      'not eligible due to preemptionPolicy=Never.',
      '0/1 nodes are available: 1 No preemption victims found for incoming pod.',
    ]);
    lab.scheduler.close();
  });

  it('takes the nomination of a weaker pod back, which is tried elsewhere', async () => {
    const lab = new Lab();
    lab.cluster.createNode('n0', '2');
    for (const name of ['low-0', 'low-1']) lab.create(name, 0);
    await lab.clock.pass(100);
    lab.cluster.graceMs = 5000;
    lab.create('middle', 50);
    await lab.clock.pass(200);
    assert.deepEqual([lab.nominatedTo('middle'), lab.cluster.deletions.length], ['n0', 1]);
    lab.cluster.createPod('high', '2', { priority: 100 });
    await lab.clock.pass(200);
    assert.deepEqual([lab.nominatedTo('high'), lab.nominatedTo('middle')], ['n0', '']);
    assert.equal(lab.cluster.deletions.length, 2);
    await lab.clock.pass(10_000);
    assert.deepEqual([lab.nodeOf('high'), lab.nodeOf('middle')], ['n0', '']);
    lab.cluster.createNode('n1', '1');
    await lab.clock.pass(1000);
    assert.equal(lab.nodeOf('middle'), 'n1');
    lab.scheduler.close();
  });

  it('uses a node that comes before the victims have gone', async () => {
    const lab = new Lab();
    await lab.fill(1);
    lab.cluster.graceMs = 60_000;
    lab.create('high', 100);
    await lab.clock.pass(500);
    lab.cluster.createNode('n9', '1');
    await lab.clock.pass(3000);
    assert.equal(lab.nodeOf('high'), 'n9');
    lab.scheduler.close();
  });

  it('uses a node that comes while its victim is being deleted, and does not go', async () => {
    const lab = new Lab();
    await lab.fill(1);
    lab.cluster.graceMs = 200_000;
    lab.create('high', 100);
    await lab.clock.pass(8);
    lab.cluster.createNode('n9', '1');
    assert.deepEqual(lab.cluster.deletions, []);
    await lab.clock.pass(15_000);
    assert.equal(lab.nodeOf('high'), 'n9');
    lab.scheduler.close();
  });

  it('chooses again when its node goes', async () => {
    const lab = new Lab();
    await lab.fill(2);
    lab.cluster.graceMs = 60_000;
    lab.create('high', 100);
    await lab.clock.pass(500);
    const first = String(lab.nominatedTo('high'));
    lab.cluster.deleteNode(first);
    await lab.clock.pass(3000);
    const second = first === 'n0' ? 'n1' : 'n0';
    assert.equal(lab.nominatedTo('high'), second);
    await lab.clock.pass(70_000);
    assert.equal(lab.nodeOf('high'), second);
    lab.scheduler.close();
  });

  it('gives the room of a nominated pod that is deleted to others', async () => {
    const lab = new Lab();
    await lab.fill(1);
    lab.create('high', 100);
    await lab.clock.pass(100);
    lab.create('next', 0);
    await lab.clock.pass(100);
    lab.cluster.deletePod('uid-high');
    await lab.clock.pass(5000);
    assert.equal(lab.nodeOf('next'), 'n0');
    lab.scheduler.close();
  });

  it('tries the pod again, and says why, when a victim cannot be deleted', async () => {
    const lab = new Lab();
    await lab.fill(1);
    let refusals = 1;
    lab.cluster.nextWriteFault = (uid) => (uid === 'uid-low-0' && refusals-- > 0 ? 'refused' : 'none');
    lab.create('high', 100);
    await lab.clock.pass(10_000);
    assert.deepEqual(lab.problems, ['default/high: forbidden']);
    assert.equal(lab.nodeOf('high'), 'n0');
    lab.scheduler.close();
  });

  for (const isNodeFirst of [true, false]) {
    it(`goes on from the nominations that a leader before has left, told of nodes ${isNodeFirst ? 'first' : 'last'}`, async () => {
      const lab = new Lab();
      await lab.fill(1);
      lab.cluster.graceMs = 3000;
      lab.create('high', 100);
      await lab.clock.pass(200);
      lab.scheduler.close();
      const { clock, cluster } = lab;
      const next = new Lab(clock, cluster);
      if (isNodeFirst) cluster.createNode('n0', '1');
      for (const uid of cluster.pods.keys()) cluster.tellAgain(uid);
      if (!isNodeFirst) cluster.createNode('n0', '1');
      await clock.pass(1000);
      assert.equal(next.nominatedTo('high'), 'n0');
      assert.deepEqual(cluster.deletions, ['uid-low-0'], 'it does not preempt once more');
      await clock.pass(10_000);
      assert.equal(next.nodeOf('high'), 'n0');
      next.scheduler.close();
    });
  }

  it('binds every pod that outranks another, whatever becomes of writes', async () => {
    const faults = fc.array(
      fc.constantFrom<WriteFault>(
        'none',
        'none',
        'none',
        'busy',
        'unreachable',
        'lost-before',
        'lost-after',
        'refused',
      ),
      { minLength: 1, maxLength: 40 },
    );
    const highs = fc.array(fc.record({ priority: fc.constantFrom(10, 20), waitMs: fc.nat(400) }), {
      minLength: 1,
      maxLength: 6,
    });
    await fc.assert(
      fc.asyncProperty(highs, faults, fc.nat(900), async (pods, faultList, graceMs) => {
        const lab = new Lab();
        await lab.fill(4);
        lab.cluster.graceMs = graceMs;
        let calls = 0;
        lab.cluster.nextWriteFault = () => faultList[calls++] ?? 'none';
        for (const [index, { priority, waitMs }] of pods.entries()) {
          lab.create(`high-${index}`, priority);
          await lab.clock.pass(waitMs);
        }
        await lab.clock.pass(400_000);
        assert.deepEqual(lab.cluster.overcommitted, []);
        const ranks = pods.map(({ priority }) => priority).sort((a, b) => b - a);
        const bound = pods.filter((_, index) => lab.nodeOf(`high-${index}`)).map(({ priority }) => priority);
        assert.deepEqual(
          bound.sort((a, b) => b - a),
          ranks.slice(0, 4),
          'the four of the highest priority are bound',
        );
        const low = lab.cluster.deletions.filter((uid) => uid.startsWith('uid-low'));
        assert.equal(low.length, new Set(low).size, 'a victim is deleted twice');
        lab.scheduler.close();
      }),
      propertyRuns(60, process.env),
    );
  });
});

describe('the book of nominations', () => {
  it('keeps what was decided until the API tells something new', () => {
    const book = new NominationBook();
    assert.equal(book.tell('a', '', 0), '');
    book.set('a', 'n1');
    assert.deepEqual([book.toWrite('a', 0), book.tell('a', '', 1), [...book.on('n1')]], ['n1', 'n1', ['a']]);
    assert.deepEqual([book.tell('a', 'n1', 2), book.toWrite('a', 2)], ['n1', undefined]);
    assert.deepEqual([book.tell('a', 'n2', 3), [...book.on('n1')], [...book.on('n2')]], ['n2', [], ['a']]);
    book.forget('a');
    assert.deepEqual([book.toWrite('a', 4), book.on('n2').size], [undefined, 0]);
  });

  it('takes for old what the API tells before it tells what was written', () => {
    const book = new NominationBook();
    book.tell('a', 'n1', 0);
    book.set('a', '');
    assert.equal(book.toWrite('a', 0), '');
    book.set('a', 'n1');
    assert.equal(book.toWrite('a', 1), 'n1');
    assert.deepEqual([book.tell('a', '', 2), book.tell('a', 'n1', 3)], ['n1', 'n1']);
    assert.deepEqual([book.tell('a', '', 4), book.toWrite('a', 4)], ['', undefined]);
  });

  it('writes again what was lost', () => {
    const book = new NominationBook();
    book.set('a', 'n1');
    assert.deepEqual(
      [book.toWrite('a', 0), book.toWrite('a', 29_000), book.toWrite('a', 31_000)],
      ['n1', undefined, 'n1'],
    );
  });
});
