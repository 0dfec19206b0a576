import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_PROFILE } from '../model/scheduler-profile.ts';
import { type PodWords, Situation } from './situation-fixture.ts';

const CORDONED_REASON = 'unresolvable: node(s) were unschedulable';

test('NodeUnschedulable: a cordoned node takes pods that tolerate its taint', () => {
  const situation = new Situation().node('n', { unschedulable: true });
  const tolerating = (fields: object): PodWords => ({ spec: { tolerations: [fields] } });
  assert.deepEqual(situation.refusals(), { n: CORDONED_REASON });
  const key = 'node.kubernetes.io/unschedulable';
  assert.deepEqual(situation.refusals(tolerating({ key, operator: 'Exists', effect: 'NoExecute' })), {
    n: CORDONED_REASON,
  });
  assert.deepEqual(situation.refusals(tolerating({ key, effect: 'NoSchedule' })), {});
  assert.deepEqual(situation.refusals(tolerating({ operator: 'Exists' })), {});
});

test('TaintToleration: NoSchedule and NoExecute keep away, PreferNoSchedule scores', () => {
  const situation = new Situation()
    .node('hard', { taints: [{ key: 'k', effect: 'NoExecute' }] })
    .node('two', {
      taints: [
        { key: 'k', effect: 'PreferNoSchedule' },
        { key: 'l', effect: 'PreferNoSchedule' },
      ],
    })
    .node('one', { taints: [{ key: 'k', effect: 'PreferNoSchedule' }] })
    .node('none');
  assert.deepEqual(situation.refusals(), { hard: 'unresolvable: node(s) had untolerated taint(s)' });
  assert.deepEqual(situation.scores('TaintToleration'), { two: 0, one: 150, none: 300 });
  const spec = { tolerations: [{ key: 'k', operator: 'Exists', effect: 'PreferNoSchedule' }] };
  assert.deepEqual(situation.scores('TaintToleration', { spec }), { two: 0, one: 300, none: 300 });
});

test('nothing to count is 100 for taints and 0 for node affinity', () => {
  const situation = new Situation().node('a').node('b');
  const preference = { matchExpressions: [{ key: 'none', operator: 'Exists' }] };
  const spec = {
    affinity: {
      nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 5, preference }] },
    },
  };
  assert.deepEqual(situation.scores('TaintToleration', { spec }), { a: 300, b: 300 });
  assert.deepEqual(situation.scores('NodeAffinity', { spec }), { a: 0, b: 0 });
  assert.deepEqual(situation.scores('NodeAffinity'), { a: undefined, b: undefined });
});

const requiring = (...nodeSelectorTerms: object[]): PodWords => ({
  spec: { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } } },
});
const AFFINITY_REASON = "unresolvable: node(s) didn't match Pod's node affinity/selector";

test('NodeAffinity: selector and terms both have to hold', () => {
  const situation = new Situation().node('a', { labels: { disk: 'ssd' } }).node('b', { labels: { disk: 'hdd' } });
  const ssd = { matchExpressions: [{ key: 'disk', operator: 'In', values: ['ssd'] }] };
  assert.deepEqual(situation.refusals(requiring(ssd)), { b: AFFINITY_REASON });
  const both = { spec: { ...requiring(ssd).spec, nodeSelector: { disk: 'hdd' } } };
  assert.deepEqual(situation.refusals(both), { a: AFFINITY_REASON, b: AFFINITY_REASON });
});

test('NodeAffinity: names narrow down the nodes, if each term has some', () => {
  const situation = new Situation().node('a').node('b').node('c');
  const named = (...names: string[]): object => ({
    matchFields: names.map((name) => ({ key: 'metadata.name', operator: 'In', values: [name] })),
  });
  assert.deepEqual(situation.explain(requiring(named('a'), named('none'))).feasible, ['a']);
  assert.equal(situation.explain(requiring(named('a'), named('none'))).refusals.size, 0);
  assert.deepEqual(
    situation.refusals(requiring(named('a'), { matchExpressions: [{ key: 'x', operator: 'Exists' }] })),
    {
      b: AFFINITY_REASON,
      c: AFFINITY_REASON,
    },
  );
  assert.equal(
    situation.message(requiring(named('a', 'b'))),
    '0/3 nodes are available: pod affinity terms conflict. not found',
  );
});

test('NodeAffinity: preferred weights add up and are scaled to the highest', () => {
  const situation = new Situation()
    .node('both', { labels: { x: '1', y: '1' } })
    .node('one', { labels: { x: '1' } })
    .node('none');
  const prefers = (key: string, weight: number): object => ({
    weight,
    preference: { matchExpressions: [{ key, operator: 'Exists' }] },
  });
  const preferred = [prefers('x', 29), prefers('y', 71), { weight: 9, preference: {} }, prefers('x', 0)];
  const spec = {
    affinity: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: preferred } },
  };
  assert.deepEqual(situation.scores('NodeAffinity', { spec }), { both: 200, one: 58, none: 0 });
});

test('NodeAffinity: what the profile adds has a reason of its own and comes first', () => {
  const term = {
    expressions: [{ key: 'disk', operator: 'Exists', values: [] }],
    fields: [],
    problem: undefined,
  } as const;
  const nodeAffinity = { addedRequired: { terms: [term] }, addedPreferred: [] };
  const situation = new Situation({ nodeAffinity }).node('a').node('b', { labels: { disk: 'x' } });
  assert.deepEqual(situation.refusals({ spec: { nodeSelector: { none: '' } } }), {
    a: "unresolvable: node(s) didn't match scheduler-enforced node affinity",
    b: AFFINITY_REASON,
  });
});

test('NodePorts: the same port, protocol and address, where 0.0.0.0 is every address', () => {
  const port = (hostIP: string, hostPort = 80, protocol = 'TCP'): PodWords => ({
    spec: { containers: [{ name: 'c', ports: [{ hostIP, hostPort, protocol }] }] },
  });
  const situation = new Situation().node('a').node('b').pod('x', 'a', port('127.0.0.1')).pod('y', 'b', port(''));
  const reason = "unschedulable: node(s) didn't have free ports for the requested pod ports";
  assert.deepEqual(situation.refusals(port('127.0.0.1')), { a: reason, b: reason });
  assert.deepEqual(situation.refusals(port('10.0.0.1')), { b: reason });
  assert.deepEqual(situation.refusals(port('0.0.0.0')), { a: reason, b: reason });
  assert.deepEqual(situation.refusals(port('0.0.0.0', 80, 'UDP')), {});
  assert.deepEqual(situation.refusals(port('0.0.0.0', 81)), {});
});

test('ImageLocality: size by how many nodes have it, between 23 MB and 1,000 MB a container', () => {
  const mb = 1024 * 1024;
  const image = (name: string, megabytes: number): object => ({ names: [name], sizeBytes: megabytes * mb });
  const situation = new Situation()
    .node('large', { images: [{ ...image('registry:5000/app:latest', 4000) }] })
    .node('small', { images: [{ ...image('app:v1', 92) }] })
    .node('c')
    .node('d', { images: [{ ...image('app:v1', 1) }] });
  const runs = (...images: string[]): PodWords => ({
    spec: { containers: images.map((name, index) => ({ name: `c${index}`, image: name })) },
  });
  const scores = (...images: string[]): unknown => situation.scores('ImageLocality', runs(...images));
  assert.deepEqual(scores('registry:5000/app'), { large: 100, small: 0, c: 0, d: 0 });
  assert.deepEqual(scores('registry:5000/app', 'x'), { large: 49, small: 0, c: 0, d: 0 });
  // 92 MB on two of four nodes: 46 MB; the size is that which the first node told.
  assert.deepEqual(scores('app:v1'), { large: 0, small: 2, c: 0, d: 2 });
  assert.deepEqual(scores('app:v1', 'app:v1'), { large: 0, small: 3, c: 0, d: 3 }, 'twice counts twice');
});

test('NodeDeclaredFeatures: what the kubelet has to have', () => {
  const situation = new Situation()
    .node('old')
    .node('new', { declaredFeatures: ['RestartAllContainersOnContainerExits'] });
  const spec = { containers: [{ name: 'c', restartPolicyRules: [{ action: 'RestartAllContainers' }] }] };
  assert.deepEqual(situation.refusals({ spec }), { old: "unresolvable: node(s) didn't match Pod's required features" });
});

test('a single feasible node is taken without scores', () => {
  const situation = new Situation().node('a').node('b', { unschedulable: true });
  const { decision, scores } = situation.explain();
  assert.deepEqual(decision, { kind: 'bound', node: 'a', score: undefined });
  assert.equal(scores.size, 0);
});

test('weights of the profile multiply, and plugins that are not in it do not score', () => {
  const scores = [{ name: 'TaintToleration', weight: 7 }] as const;
  const { scores: found } = new Situation({ scores }).node('a').node('b').explain();
  assert.equal(found.get('a')?.total, 700);
  const filters = DEFAULT_PROFILE.filters.filter((name) => name !== 'NodeUnschedulable');
  assert.deepEqual(new Situation({ filters }).node('a', { unschedulable: true }).refusals(), {});
});

test('pods that are nobody else’s business are left alone, and why', () => {
  const situation = new Situation().node('a');
  const reason = (words: PodWords): string => {
    const { decision } = situation.explain(words);
    return decision.kind === 'left-alone' ? decision.reason : decision.kind;
  };
  assert.equal(
    reason({ spec: { schedulingGates: [{ name: 'a' }, { name: 'b' }] } }),
    'waiting for scheduling gates: [a b]',
  );
  assert.equal(
    reason({ metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }),
    'skip schedule deleting pod: ns/incoming',
  );
  assert.match(reason({ spec: { resourceClaims: [{ name: 'gpu' }] } }), /resource claims/);
  assert.match(reason({ spec: { schedulerName: 'other' } }), /"other"/);
});
