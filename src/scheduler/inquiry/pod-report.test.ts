import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Kernel } from '../kernel/kernel.ts';
import { type ClusterPlan, clusterPlan, type JsonFields, mustRead, podSet } from '../model/plan-fixture.ts';
import type { PodObject } from '../model/pod-object.ts';
import { readPod } from '../model/pod-reader.ts';
import { PROFILES } from '../model/profile-fixture.ts';
import { DEFAULT_PROFILE } from '../model/scheduler-profile.ts';
import { ReferenceScheduler } from '../reference/reference-scheduler.ts';
import { ClusterSnapshot } from './cluster-snapshot.ts';
import { InquiryError } from './errors.ts';
import { type PodReport, PREEMPTION_NODES_MAX, reportOn } from './pod-report.ts';
import { reportJson, reportText } from './pod-report-text.ts';
import { Fixture, type PodWords, podOf } from './snapshot-fixture.ts';

const NOW_MS = 1_700_000_000_000;
const profiles = [DEFAULT_PROFILE];

function snapshotOf({ nodes, objects, bound }: ClusterPlan): ClusterSnapshot {
  const snapshot = new ClusterSnapshot();
  for (const node of nodes) snapshot.set('Node', node);
  for (const { kind, object } of objects) snapshot.set(kind, object);
  for (const { pod } of bound) snapshot.set('Pod', pod);
  return snapshot;
}

function report({ snapshot }: Fixture, words: PodWords = {}): PodReport {
  return reportOn({ snapshot, profiles, pod: podOf('x', words), nowMs: NOW_MS });
}

function refusalsOf(fixture: Fixture, words: PodWords): string[] {
  return report(fixture, words).refusals.map(
    ({ plugin, detail, nodes }) => `${plugin}: ${detail} on ${nodes.join(' ')}`,
  );
}

describe('a report on a pod', () => {
  it('puts every node into one group, with the verdict that the reference gives it, on random clusters', () => {
    const names = PROFILES.map(({ schedulerName }) => schedulerName);
    fc.assert(
      fc.property(clusterPlan(), fc.constantFrom(...names), (plan, schedulerName) => {
        const snapshot = snapshotOf(plan);
        const reference = new ReferenceScheduler(PROFILES);
        for (const command of snapshot.commands()) reference.apply(command);
        for (const json of plan.pending) {
          const pod = { ...mustRead(readPod(json)), schedulerName, resourceClaims: [], schedulingGates: [] };
          reference.apply({ kind: 'pod-set', pod });
          const expected = reference.explain(pod.uid, NOW_MS);
          reference.apply({ kind: 'pod-deleted', uid: pod.uid });
          const found = reportOn({ snapshot, profiles: PROFILES, pod, nowMs: NOW_MS });
          const scored = found.scores.flatMap(({ nodes, total }) => nodes.map((node) => [node, total] as const));
          assert.deepEqual(new Map(scored), new Map([...expected.scores].map(([node, { total }]) => [node, total])));
          const refused = found.refusals.flatMap(({ nodes, reasons }) => nodes.map((node) => [node, reasons] as const));
          assert.equal(refused.length, expected.refusals.size);
          for (const [node, reasons] of refused) assert.deepEqual(expected.refusals.get(node)?.reasons, reasons);
          if (found.outcome === 'fits') assert.deepEqual(found.best, expected.best);
          else if ('message' in expected.decision) assert.equal(found.message, expected.decision.message);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('names the node that the kernel takes among the best, and the same message', () => {
    const withoutPreemption = [{ ...DEFAULT_PROFILE, preempts: false }];
    fc.assert(
      fc.property(clusterPlan(), (plan) => {
        const snapshot = snapshotOf(plan);
        const kernel = new Kernel(withoutPreemption);
        for (const command of snapshot.commands()) kernel.apply(command);
        for (const json of plan.pending) {
          const given: PodObject = podSet(json).pod;
          const pod = { ...given, schedulerName: 'default-scheduler', nominatedNodeName: '' };
          kernel.apply({ kind: 'pod-set', pod });
          const decision = kernel.decide(pod.uid);
          kernel.apply({ kind: 'pod-deleted', uid: pod.uid });
          const found = reportOn({ snapshot, profiles: withoutPreemption, pod, nowMs: NOW_MS });
          if (decision.kind === 'bound') assert.ok(found.best.includes(decision.node));
          if (decision.kind === 'unschedulable') assert.equal(found.message, decision.message);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('explains a bound pod as if it were to be placed, and were not there', () => {
    const fixture = new Fixture().node('n1', { cpu: '1' }).pod('x', { on: 'n1', asks: { cpu: '1' } });
    const found = report(fixture, { on: 'n1', asks: { cpu: '1' } });
    assert.deepEqual([found.outcome, found.best, found.boundNode], ['fits', ['n1'], 'n1']);
    assert.deepEqual(found.remarks, ['it is on n1: explained as if it were to be placed now, and were not there']);
  });

  it('explains pods that are gated, on their way out or have claims as if they were not, and says so', () => {
    const spec = { schedulingGates: [{ name: 'wait' }], resourceClaims: [{ name: 'gpu' }] };
    const metadata = { deletionTimestamp: '2026-01-01T00:00:00Z' };
    const found = report(new Fixture().node('n1'), { spec, metadata });
    assert.equal(found.outcome, 'fits');
    assert.equal(found.remarks.length, 3);
  });

  it('names the taint and the label to blame, and tells nodes of one cause together', () => {
    const gpu = { taints: [{ key: 'dedicated', value: 'gpu', effect: 'NoSchedule' }] };
    const away = { taints: [{ key: 'away', effect: 'NoExecute' }] };
    const fixture = new Fixture()
      .node('n1', gpu)
      .node('n2', gpu)
      .node('n3', away)
      .node('n4', { labels: { disk: 'hdd' } });
    assert.deepEqual(refusalsOf(fixture, { spec: { nodeSelector: { disk: 'ssd' } } }), [
      'TaintToleration: dedicated=gpu:NoSchedule on n1 n2',
      'TaintToleration: away:NoExecute on n3',
      'NodeAffinity: nodeSelector disk=ssd, the node has "hdd" on n4',
    ]);
  });

  it('names the pod whose anti-affinity refuses, and the one that its own refuses', () => {
    const away = (topologyKey: string, app: string): JsonFields => ({
      affinity: {
        podAntiAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey, labelSelector: { matchLabels: { app } } }],
        },
      },
    });
    const zone = 'topology.kubernetes.io/zone';
    const fixture = new Fixture()
      .node('n1', { zone: 'a' })
      .node('n2', { zone: 'a' })
      .node('n3', { zone: 'b' })
      .node('n4', { zone: 'c' })
      .node('n5', { zone: 'd' })
      .pod('db', { on: 'n1', spec: away(zone, 'web') })
      .pod('w', { on: 'n3', labels: { app: 'x' } })
      .pod('y', { on: 'n4', labels: { app: 'x' } });
    const web = { labels: { app: 'web' }, spec: away('kubernetes.io/hostname', 'x') };
    assert.deepEqual(refusalsOf(fixture, web), [
      'InterPodAffinity: default/db on n1 refuses it in topology.kubernetes.io/zone a on n1 n2',
      'InterPodAffinity: default/w on n3 is one that it refuses, for one on n3 n4',
    ]);
  });

  it('says of each resource that is short how much is asked for and where most is left', () => {
    const fixture = new Fixture()
      .node('n1', { cpu: '2' })
      .node('n2', { cpu: '3' })
      .pod('there', { on: 'n2', asks: { cpu: '500m' } });
    const [group] = report(fixture, { asks: { cpu: '4', memory: '1Gi' } }).refusals;
    assert.deepEqual(group.shortages, [{ resource: 'cpu', asked: 4000, free: 2500, node: 'n2' }]);
  });

  it('says by what counts a spread constraint keeps the pod away, and of which key', () => {
    const labels = { app: 'web' };
    const constraint = (topologyKey: string): object => ({
      maxSkew: 1,
      topologyKey,
      whenUnsatisfiable: 'DoNotSchedule',
      labelSelector: { matchLabels: labels },
    });
    const fixture = new Fixture()
      .node('n1', { zone: 'a' })
      .node('n2', { zone: 'b', cpu: '1' })
      .pod('w1', { on: 'n1', labels });
    const spread = (key: string): string[] =>
      refusalsOf(fixture, { labels, asks: { cpu: '2' }, spec: { topologySpreadConstraints: [constraint(key)] } });
    assert.deepEqual(spread('topology.kubernetes.io/zone'), [
      'PodTopologySpread: topology.kubernetes.io/zone a has 1 of its kind, the least is 0, maxSkew 1 on n1',
      'NodeResourcesFit:  on n2',
    ]);
    assert.match(
      spread('kubernetes.io/hostname')[0],
      /^PodTopologySpread: a kubernetes.io\/hostname has 1 of its kind/,
    );
    assert.match(spread('rack')[0], /^PodTopologySpread: it lacks rack on n1$/);
  });

  it('tells whom preemption would evict, on a large cluster too', () => {
    const fixture = new Fixture().node('n1', { cpu: '1' }).pod('low', { on: 'n1', asks: { cpu: '1' } });
    const high = { asks: { cpu: '1' }, spec: { priority: 10 } };
    assert.deepEqual(report(fixture, high).preemption, { node: 'n1', victims: ['default/low'], candidateCount: 1 });
    for (let i = 0; i < PREEMPTION_NODES_MAX; i++) fixture.node(`small-${i}`, { cpu: '0' });
    const large = report(fixture, high);
    assert.deepEqual(large.preemption, { node: 'n1', victims: ['default/low'], candidateCount: undefined });
    assert.deepEqual(large.remarks, []);
    assert.match(large.message, /^0\/1001 nodes are available: 1001 Insufficient cpu\./);
  });

  it('refuses a pod of a scheduler that it has no profile of, and says what to do', () => {
    assert.throws(
      () => report(new Fixture().node('n1'), { spec: { schedulerName: 'other' } }),
      (error) => error instanceof InquiryError && error.message.includes('use --config or --scheduler-name'),
    );
  });
});

describe('the text of a report', () => {
  const many = new Fixture();
  // As many verdicts as nodes: all differ in what is free.
  for (let i = 0; i < 3000; i++) many.node(`n${i}`, { cpu: `${1000 + i}m`, zone: `z${i % 100}`, taints: [taint(i)] });
  function taint(i: number): { key: string; effect: string } {
    return { key: `t${i}`, effect: i % 2 === 0 ? 'NoSchedule' : 'PreferNoSchedule' };
  }

  it('is a page, whatever the number of nodes and verdicts', () => {
    const found = report(many, { asks: { cpu: '900m' } });
    assert.ok(found.refusals.length > 1000);
    const text = reportText(found, { groupsMax: 10, nodes: [] });
    assert.ok(text.split('\n').length < 60, text);
    assert.match(text, /^fits on 1500 of 3000 nodes; the best, with \d+, (?:is|are) /m);
    assert.match(text, /and 1490 nodes in 1490 more groups/);
    assert.ok(JSON.stringify(reportJson(found, 5)).includes('"count":1'));
  });

  it('tells single nodes by their verdicts and how many are ahead', () => {
    const fixture = new Fixture()
      .node('n1', { cpu: '8' })
      .node('n2', { cpu: '4' })
      .node('n3', { cpu: '4' })
      .node('n4', { cpu: '1' });
    const text = reportText(report(fixture, { asks: { cpu: '2' } }), { groupsMax: 1, nodes: ['n1', 'n3', 'n4', 'n9'] });
    const lines = text.slice(text.indexOf('\nnodes\n')).split('\n');
    assert.match(lines[2], /^ {2}n1: \d+ = .* NodeResourcesFit \d+ .*; none ahead of it$/);
    assert.match(lines[3], /^ {2}n3: .*; 1 node ahead of it$/);
    assert.equal(lines[4], '  n4: NodeResourcesFit: Insufficient cpu');
    assert.equal(lines[5], '  n9: there is no such node');
  });
});
