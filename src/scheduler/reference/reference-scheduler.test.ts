import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { boundTo } from '../model/command.ts';
import { clusterHistory } from '../model/history-fixture.ts';
import { type ClusterPlan, clusterPlan, commandsOf, podSet } from '../model/plan-fixture.ts';
import { PROFILES } from '../model/profile-fixture.ts';
import type { Explanation } from './explanation.ts';
import { ReferenceScheduler } from './reference-scheduler.ts';
import { NOW_MS } from './situation-fixture.ts';

function schedulerOf(plan: ClusterPlan): ReferenceScheduler {
  const scheduler = new ReferenceScheduler(PROFILES);
  for (const command of commandsOf(plan)) scheduler.apply(command);
  return scheduler;
}

/** What the plan's pods come to, one after another. */
function play(scheduler: ReferenceScheduler, plan: ClusterPlan): Explanation[] {
  return plan.pending.map((json) => {
    const command = podSet(json);
    scheduler.apply(command);
    const explanation = scheduler.explain(command.pod.uid, NOW_MS);
    const { decision } = explanation;
    if (decision.kind === 'bound') scheduler.apply({ kind: 'pod-set', pod: boundTo(command.pod, decision.node) });
    else scheduler.apply({ kind: 'pod-deleted', uid: command.pod.uid });
    return explanation;
  });
}

/** Without what depends on the order of nodes: which of the best is taken, and which of equal candidates. */
function orderless({ decision, feasible, refusals, scores, best }: Explanation): unknown {
  const sorted = <T>(items: Iterable<readonly [string, T]>): unknown =>
    [...items].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return {
    kind: decision.kind,
    message: 'message' in decision ? decision.message : '',
    feasible: feasible.toSorted(),
    refusals: sorted(refusals),
    scores: sorted([...scores].map(([node, { total, byPlugin }]) => [node, [total, ...byPlugin]] as const)),
    best: best.toSorted(),
  };
}

test('every object of a random cluster is read, and every pod gets an answer that holds together', () => {
  const kinds = new Set<string>();
  fc.assert(
    fc.property(clusterPlan(), (plan) => {
      for (const { decision, feasible, refusals, scores, best } of play(schedulerOf(plan), plan)) {
        kinds.add(decision.kind);
        if (decision.kind !== 'bound') {
          assert.deepEqual(feasible, []);
          continue;
        }
        assert.ok(best.includes(decision.node));
        assert.equal(scores.size, feasible.length > 1 ? feasible.length : 0);
        assert.ok(feasible.every((node) => !refusals.has(node) || node === decision.node));
        for (const { total, byPlugin } of scores.values()) {
          assert.equal(
            total,
            [...byPlugin.values()].reduce((sum, score) => sum + score, 0),
          );
          assert.ok(total <= (decision.score ?? 0) && [...byPlugin.values()].every((score) => score >= 0));
        }
      }
    }),
    { numRuns: 150 },
  );
  assert.ok(kinds.has('bound') && kinds.has('unschedulable'));
});

test('the order of the nodes changes nothing but which of equals is taken', () => {
  // The size of an image is that which the first node tells.
  const withoutImages = (plan: ClusterPlan): ClusterPlan => ({
    ...plan,
    nodes: plan.nodes.map((node) => ({ ...node, status: { ...(node.status as object), images: [] } })),
    pending: plan.pending.slice(0, 1),
  });
  fc.assert(
    fc.property(clusterPlan(), (plan) => {
      const forwards = withoutImages(plan);
      const backwards = { ...forwards, nodes: forwards.nodes.toReversed() };
      const [left, right] = [forwards, backwards].map((one) => play(schedulerOf(one), one).map(orderless));
      assert.deepEqual(left, right);
    }),
    { numRuns: 150 },
  );
});

test('histories in which everything changes are decided on to the end', () => {
  const kinds = new Map<string, number>();
  fc.assert(
    fc.property(clusterHistory(40), (history) => {
      const scheduler = new ReferenceScheduler(PROFILES);
      for (const step of history) {
        if (step.kind !== 'schedule') {
          scheduler.apply(step);
          continue;
        }
        scheduler.apply({ kind: 'pod-set', pod: step.pod });
        const decision = scheduler.decide(step.pod.uid, NOW_MS);
        kinds.set(decision.kind, (kinds.get(decision.kind) ?? 0) + 1);
        if (decision.kind === 'bound') scheduler.apply({ kind: 'pod-set', pod: boundTo(step.pod, decision.node) });
      }
    }),
    { numRuns: 60 },
  );
  assert.ok((kinds.get('bound') ?? 0) > 30 && (kinds.get('unschedulable') ?? 0) > 30, JSON.stringify([...kinds]));
});

test('objects that have come and gone leave no trace', () => {
  fc.assert(
    fc.property(clusterPlan(), clusterPlan(), (plan, passing) => {
      const scheduler = schedulerOf(plan);
      for (const json of passing.pending) {
        const { pod } = podSet(json);
        scheduler.apply({ kind: 'pod-set', pod: { ...boundTo(pod, 'n0'), uid: `passing ${pod.uid}` } });
        scheduler.apply({ kind: 'pod-deleted', uid: `passing ${pod.uid}` });
      }
      scheduler.apply({ kind: 'object-deleted', objectKind: 'Service', key: 'ns1/none' });
      assert.deepEqual(play(scheduler, plan), play(schedulerOf(plan), plan));
    }),
    { numRuns: 60 },
  );
});
