import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Preemption } from '../model/decision.ts';
import { type PodWords, Situation } from './situation-fixture.ts';

const HIGH: PodWords = { asks: { cpu: '2' }, spec: {} };

/** An incoming pod of priority 100 that asks for 2 CPUs. */
function incoming(more: object = {}): PodWords {
  const containers = [{ name: 'c', resources: { requests: HIGH.asks } }];
  return { spec: { containers, priority: 100, ...more } };
}

function there(priority: number, cpu: string, more: { labels?: object; start?: string; spec?: object } = {}): PodWords {
  const { labels = {}, start = '2025-01-01T00:00:00Z', spec = {} } = more;
  const containers = [{ name: 'c', resources: { requests: { cpu } } }];
  return {
    labels: { ...labels },
    metadata: { labels },
    spec: { priority, containers, ...spec },
    status: { startTime: start },
  };
}

class Room {
  readonly situation = new Situation();

  node(name: string, cpu = '2', labels: object = {}): this {
    this.situation.node(name, { allocatable: { cpu }, labels: { ...labels } });
    return this;
  }

  pod(name: string, nodeName: string, words: PodWords): this {
    this.situation.pod(name, nodeName, { ...words, spec: { ...words.spec, nodeName } });
    return this;
  }

  outcome(words: PodWords = incoming()): Preemption | string {
    const { decision } = this.situation.explain(words);
    if (decision.kind !== 'unschedulable') return decision.kind;
    return decision.preemption ?? decision.message.replace(/^.*preemption: /, '');
  }
}

const preempts = (nominatedNode: string, ...victims: string[]): Preemption => ({
  nominatedNode,
  victims,
  clearedNominations: [],
});

test('pods of lower priority go, and only as many as needed, the more important ones last', () => {
  const room = new Room()
    .node('n', '4')
    .pod('low', 'n', there(1, '2'))
    .pod('mid', 'n', there(2, '1'))
    .pod('equal', 'n', there(100, '1'));
  assert.deepEqual(room.outcome(), preempts('n', 'low'));
  assert.deepEqual(room.pod('low', 'n', there(1, '1')).pod('mid', 'n', there(2, '2')).outcome(), preempts('n', 'mid'));
});

test('of equal priority, the one that started later goes', () => {
  const room = new Room()
    .node('n', '4')
    .pod('old', 'n', there(1, '2', { start: '2025-01-01T00:00:00Z' }))
    .pod('young', 'n', there(1, '2', { start: '2025-02-01T00:00:00Z' }));
  assert.deepEqual(room.outcome(), preempts('n', 'young'));
});

test('it does not help where the node is too small, nor without victims, and each node says which', () => {
  const room = new Room().node('small', '1').node('full').pod('x', 'full', there(100, '2'));
  assert.equal(
    room.outcome(),
    '0/2 nodes are available: 1 No preemption victims found for incoming pod, 1 Preemption is not helpful for scheduling.',
  );
});

test('a victim’s anti-affinity goes with it', () => {
  const antiAffinity = {
    affinity: {
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [{ labelSelector: {}, topologyKey: 'kubernetes.io/hostname' }],
      },
    },
  };
  const room = new Room().node('n', '8').pod('alone', 'n', there(1, '1', { spec: antiAffinity }));
  assert.deepEqual(room.outcome(), preempts('n', 'alone'));
});

test('nodes compare by budgets violated, then the highest priority, the sum, the number, the latest start', () => {
  const budget = (situation: Situation, allowed: number): Situation =>
    situation.object('PodDisruptionBudget', {
      metadata: { namespace: 'ns', name: 'b' },
      spec: { selector: { matchLabels: { app: 'kept' } } },
      status: { disruptionsAllowed: allowed },
    });
  const kept = new Room()
    .node('a')
    .node('b')
    .pod('x', 'a', there(1, '2', { labels: { app: 'kept' } }))
    .pod('y', 'b', there(50, '2'));
  budget(kept.situation, 0);
  assert.deepEqual(kept.outcome(), preempts('b', 'y'));
  budget(kept.situation, 1);
  assert.deepEqual(kept.outcome(), preempts('a', 'x'));
  const sums = new Room()
    .node('a')
    .node('b')
    .pod('x', 'a', there(5, '1'))
    .pod('y', 'a', there(-1, '1'))
    .pod('z', 'b', there(5, '2'));
  assert.deepEqual(sums.outcome(), preempts('b', 'z'), 'one pod is less than two, whatever its priority');
  const starts = new Room()
    .node('a')
    .node('b')
    .pod('x', 'a', there(1, '2', { start: '2025-01-01T00:00:00Z' }))
    .pod('y', 'b', there(1, '2', { start: '2025-01-02T00:00:00Z' }));
  assert.deepEqual(starts.outcome(), preempts('b', 'y'));
});

test('pods that a budget keeps are put back first', () => {
  const room = new Room()
    .node('n', '4')
    .pod('kept', 'n', there(1, '2', { labels: { app: 'kept' } }))
    .pod('other', 'n', there(50, '2'));
  room.situation.object('PodDisruptionBudget', {
    metadata: { namespace: 'ns', name: 'b' },
    spec: { selector: { matchLabels: { app: 'kept' } } },
    status: { disruptionsAllowed: 0 },
  });
  assert.deepEqual(room.outcome(), preempts('n', 'other'));
});

test('a pod waits while victims on its nominated node are on their way out', () => {
  const room = new Room().node('n');
  const leaving = there(1, '2');
  room.situation.pod('x', 'n', {
    ...leaving,
    spec: { ...leaving.spec, nodeName: 'n' },
    metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' },
    status: { conditions: [{ type: 'DisruptionTarget', status: 'True', reason: 'PreemptionByScheduler' }] },
  });
  const nominated = { ...incoming(), status: { nominatedNodeName: 'n' } };
  assert.equal(room.outcome(nominated), 'not eligible due to a terminating pod on the nominated node.');
  assert.deepEqual(room.outcome(), preempts('n', 'x'), 'another pod may count on it');
});

test('nominations of lower priority for the node are taken back', () => {
  const room = new Room().node('n').pod('x', 'n', there(1, '2'));
  room.situation.pod('waiting', '', { ...there(5, '1'), status: { nominatedNodeName: 'n' } });
  assert.deepEqual(room.outcome(), { ...preempts('n', 'x'), clearedNominations: ['waiting'] });
  room.situation.pod('x', 'n', {
    ...there(1, '2', { spec: { nodeName: 'n' } }),
    metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' },
  });
  assert.deepEqual(room.outcome(), preempts('n', 'x'), 'not when all victims are on their way out already');
});

test('a node that is nominated for a pod of at least the same priority has to have room for both', () => {
  const situation = (priority: number): Situation => {
    const words = there(priority, '1');
    return new Situation()
      .node('n', { allocatable: { cpu: '2' } })
      .pod('waiting', '', { ...words, status: { nominatedNodeName: 'n' } });
  };
  assert.deepEqual(situation(100).refusals(incoming()), { n: 'unschedulable: Insufficient cpu' });
  assert.deepEqual(situation(99).refusals(incoming()), {});
});

test('a nominated pod that is wanted does not make a node fit: it might not come', () => {
  const affinity = {
    affinity: {
      podAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { labelSelector: { matchLabels: { app: 'x' } }, topologyKey: 'kubernetes.io/hostname' },
        ],
      },
    },
  };
  const situation = new Situation().node('n').pod('waiting', '', {
    labels: { app: 'x' },
    spec: { priority: 100 },
    status: { nominatedNodeName: 'n' },
  });
  assert.deepEqual(situation.refusals(incoming(affinity)), {
    n: "unresolvable: node(s) didn't match pod affinity rules",
  });
});

test('the nominated node is tried alone first', () => {
  const situation = new Situation().node('a').node('b');
  const { feasible } = situation.explain({ status: { nominatedNodeName: 'b' } });
  assert.deepEqual(feasible, ['b']);
});
