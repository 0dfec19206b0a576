import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { propertyRuns } from '../../testing/property-runs.ts';
import { boundTo, type ClusterCommand, nominatedTo } from '../model/command.ts';
import { readNode } from '../model/node-object.ts';
import { mustRead, objectSet, podSet } from '../model/plan-fixture.ts';
import type { PodObject } from '../model/pod-object.ts';
import { DEFAULT_PROFILE } from '../model/scheduler-profile.ts';
import { Kernel } from './kernel.ts';
import { NO_COUNTS, Pair } from './kernel-pair-fixture.ts';

const ZONE = 'topology.kubernetes.io/zone';

/** Full nodes n0 and n1, in a zone each, with a pod of app a and of app b. */
function fullCluster(): Kernel {
  const kernel = new Kernel([DEFAULT_PROFILE]);
  for (const [index, app] of ['a', 'b'].entries()) {
    const name = `n${index}`;
    const labels = { 'kubernetes.io/hostname': name, [ZONE]: `zone-${index}` };
    const json = { metadata: { name, uid: name, labels }, status: { allocatable: { cpu: '1', pods: '10' } } };
    const node: ClusterCommand = { kind: 'node-set', node: mustRead(readNode(json)) };
    kernel.apply(node);
    kernel.apply({ kind: 'pod-set', pod: boundTo(pod(`low-${app}`, { app }, 0), name) });
  }
  return kernel;
}

function pod(name: string, labels: Record<string, string>, priority: number, spec: object = {}): PodObject {
  const containers = [{ name: 'c', image: 'i', resources: { requests: { cpu: '1' } } }];
  const metadata = { name, namespace: 'default', uid: name, labels };
  return podSet({ metadata, spec: { schedulerName: 'default-scheduler', priority, containers, ...spec } }).pod;
}

function budget(app: string, disruptionsAllowed: number): ClusterCommand {
  return budgetFor(app, { app }, disruptionsAllowed);
}

function budgetFor(name: string, matchLabels: Record<string, string>, disruptionsAllowed: number): ClusterCommand {
  return objectSet('PodDisruptionBudget', {
    metadata: { namespace: 'default', name },
    spec: { selector: { matchLabels } },
    status: { disruptionsAllowed },
  });
}

function nominatedBy(kernel: Kernel, uid: string): string | undefined {
  const decision = kernel.decide(uid);
  return decision.kind === 'unschedulable' ? decision.preemption?.nominatedNode : decision.kind;
}

/** So many full nodes of 8 CPUs, with pods of one CPU or two, of three priorities and two apps, that have started at different times or not yet. */
function crowdedPair(nodes: number, numbers: readonly number[]): Pair {
  const pair = new Pair({ ...NO_COUNTS }, [DEFAULT_PROFILE], 1 << 20);
  let at = 0;
  const next = (count: number): number => numbers[at++ % numbers.length] % count;
  for (let index = 0; index < nodes; index++) {
    const name = `n${index}`;
    const metadata = { name, uid: name, labels: { 'kubernetes.io/hostname': name } };
    pair.apply({
      kind: 'node-set',
      node: mustRead(readNode({ metadata, status: { allocatable: { cpu: '8', pods: '10' } } })),
    });
    for (let free = 8; free > 0; ) {
      const cpu = Math.min(free, 1 + next(2));
      const containers = [{ name: 'c', image: 'i', resources: { requests: { cpu: String(cpu) } } }];
      const labels = { app: next(2) === 0 ? 'a' : 'b', node: name };
      const low = pod(`low-${index}-${free}`, labels, 10 * next(3), { containers });
      const startedAtMs = next(4) === 0 ? undefined : 1000 * next(5);
      pair.apply({ kind: 'pod-set', pod: boundTo({ ...low, startedAtMs }, name) });
      free -= cpu;
    }
  }
  return pair;
}

describe('the index of candidates', () => {
  it('finds the best of many nodes, budgets or none, from bounds', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(999), { minLength: 50, maxLength: 50 }),
        fc.array(fc.integer({ min: -1, max: 3 }), { maxLength: 2 }),
        fc.integer({ min: 1, max: 6 }),
        (numbers, allowed, cpu) => {
          const pair = crowdedPair(12, numbers);
          for (const [index, count] of allowed.entries()) pair.apply(budget(index === 0 ? 'a' : 'b', count));
          const containers = [{ name: 'c', image: 'i', resources: { requests: { cpu: String(cpu) } } }];
          for (let i = 0; i < 4; i++) pair.decide(pod(`high-${i}`, {}, 100, { containers }), i);
          assert.ok(pair.counts.preemptions > 0);
        },
      ),
      propertyRuns(60, process.env),
    );
  });

  it('finds the best while budgets of few nodes or of all allow more and fewer, cover others, come and go', () => {
    const change = fc.record({
      name: fc.nat(2),
      /** None: of all nodes' pods of an app. */
      node: fc.option(fc.nat(7)),
      allowed: fc.constantFrom(0, 0, 1, 2, 5),
      isKept: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.array(fc.nat(999), { minLength: 50, maxLength: 50 }),
        fc.array(change, { minLength: 10, maxLength: 20 }),
        (numbers, changes) => {
          const pair = crowdedPair(8, numbers);
          const containers = [{ name: 'c', image: 'i', resources: { requests: { cpu: '3' } } }];
          const covered = new Map<string, Record<string, string>>();
          for (const [index, { name, node, allowed, isKept }] of changes.entries()) {
            const key = `budget-${name}`;
            const wanted = node === null ? { app: 'a' } : { node: `n${node}` };
            // Most often it goes on to cover what it covers.
            const labels = isKept ? (covered.get(key) ?? wanted) : wanted;
            covered.set(key, labels);
            if (allowed === 5 && !isKept) {
              pair.apply({ kind: 'object-deleted', objectKind: 'PodDisruptionBudget', key: `default/${key}` });
            } else pair.apply(budgetFor(key, labels, allowed));
            pair.decide(pod(`high-${index}`, {}, 100, { containers }), index);
          }
        },
      ),
      propertyRuns(60, process.env),
    );
  });

  describe('has the one of equally important pods go that was told last', () => {
    // Two small ones have to go, or the large one.
    const asking = (cpu: string): object => ({
      containers: [{ name: 'c', image: 'i', resources: { requests: { cpu } } }],
    });
    const waiting = pod('large', {}, 0, asking('2'));
    const large: ClusterCommand = { kind: 'pod-set', pod: boundTo(waiting, 'n') };
    const small = ['small-1', 'small-2'].map(
      (name): ClusterCommand => ({ kind: 'pod-set', pod: boundTo(pod(name, {}, 0), 'n') }),
    );
    const nominated: ClusterCommand = { kind: 'pod-set', pod: nominatedTo(waiting, 'n') };
    const bound: ClusterCommand = { kind: 'pod-bound', uid: 'large', nodeName: 'n' };
    const cases: readonly (readonly [string, readonly ClusterCommand[], readonly string[]])[] = [
      ['on its node once', [large, ...small], ['small-1', 'small-2']],
      ['on its node after the others', [...small, large], ['large']],
      ['on its node again', [large, ...small, large], ['large']],
      ['without a node, and to be bound after the others', [nominated, ...small, bound], ['large']],
      ['without a node, and to be bound before the others', [nominated, bound, ...small], ['small-1', 'small-2']],
    ];
    for (const [name, commands, victims] of cases) {
      it(name, () => {
        const pair = new Pair({ ...NO_COUNTS }, [DEFAULT_PROFILE], 1 << 20);
        const metadata = { name: 'n', uid: 'n', labels: { 'kubernetes.io/hostname': 'n' } };
        const status = { allocatable: { cpu: '4', pods: '10' } };
        pair.apply({ kind: 'node-set', node: mustRead(readNode({ metadata, status })) });
        for (const command of commands) pair.apply(command);
        const decision = pair.decide(pod('high', {}, 100, asking('2')));
        assert.deepEqual(decision.kind === 'unschedulable' && decision.preemption?.victims, victims);
      });
    }
  });

  it('asks for no room where no filter does', () => {
    const filters = DEFAULT_PROFILE.filters.filter((name) => name !== 'NodeResourcesFit');
    const pair = new Pair({ ...NO_COUNTS }, [{ ...DEFAULT_PROFILE, filters }], 1 << 20);
    const withPorts = (...hostPorts: number[]): object => {
      const ports = hostPorts.map((port) => ({ containerPort: port, hostPort: port }));
      return { containers: [{ name: 'c', image: 'i', ports, resources: { requests: { cpu: '1' } } }] };
    };
    for (const [name, cpu] of [
      ['full', '1'],
      ['empty', '10'],
    ]) {
      const metadata = { name, uid: name, labels: { 'kubernetes.io/hostname': name } };
      pair.apply({
        kind: 'node-set',
        node: mustRead(readNode({ metadata, status: { allocatable: { cpu, pods: '10' } } })),
      });
    }
    // One victim on the node that has not the room, two on the other.
    const there: readonly (readonly [string, readonly number[]])[] = [
      ['full', [80, 81]],
      ['full', []],
      ['full', []],
      ['empty', [80]],
      ['empty', [81]],
    ];
    for (const [index, [node, ports]] of there.entries()) {
      pair.apply({ kind: 'pod-set', pod: boundTo(pod(`low-${index}`, {}, 0, withPorts(...ports)), node) });
    }
    const decision = pair.decide(pod('high', {}, 100, withPorts(80, 81)));
    assert.equal(decision.kind === 'unschedulable' && decision.preemption?.nominatedNode, 'full');
  });

  it('goes by the budgets as they are', () => {
    const kernel = fullCluster();
    kernel.apply({ kind: 'pod-set', pod: pod('high', {}, 100) });
    const chosen = [];
    for (const [a, b] of [
      [0, 1],
      [1, 0],
      [0, 1],
    ]) {
      kernel.apply(budget('a', a));
      kernel.apply(budget('b', b));
      chosen.push(nominatedBy(kernel, 'high'));
    }
    assert.deepEqual(chosen, ['n1', 'n0', 'n1']);
  });

  it('goes by the counts of topology domains as they are', () => {
    const kernel = fullCluster();
    const labelSelector = { matchLabels: { app: 'high' } };
    const constraint = { maxSkew: 1, topologyKey: ZONE, whenUnsatisfiable: 'DoNotSchedule', labelSelector };
    const spread = { topologySpreadConstraints: [constraint] };
    kernel.apply({ kind: 'pod-set', pod: pod('high', { app: 'high' }, 100, spread) });
    const chosen = [];
    // Two small pods of the same app move to and fro on a third node of each zone.
    for (const zone of [0, 1, 0]) {
      const labels = { 'kubernetes.io/hostname': 'n2', [ZONE]: `zone-${zone}` };
      const json = { metadata: { name: 'n2', uid: 'n2', labels }, status: { allocatable: { cpu: '0', pods: '10' } } };
      kernel.apply({ kind: 'node-set', node: mustRead(readNode(json)) });
      for (const name of ['s1', 's2']) {
        const small = { ...pod(name, { app: 'high' }, 0), requests: pod(name, {}, 0, { containers: [] }).requests };
        kernel.apply({ kind: 'pod-set', pod: boundTo(small, 'n2') });
      }
      chosen.push(nominatedBy(kernel, 'high'));
    }
    assert.deepEqual(chosen, ['n1', 'n0', 'n1']);
  });
});
