import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_PROFILE } from '../model/scheduler-profile.ts';
import { type PodWords, Situation } from './situation-fixture.ts';

const AFFINITY = "unresolvable: node(s) didn't match pod affinity rules";
const ANTI_AFFINITY = "unschedulable: node(s) didn't match pod anti-affinity rules";
const EXISTING = "unschedulable: node(s) didn't satisfy existing pods anti-affinity rules";

const app = (name: string): object => ({ matchLabels: { app: name } });

function term(labelSelector: object | undefined, topologyKey = 'zone', more: object = {}): object {
  return { ...(labelSelector === undefined ? {} : { labelSelector }), topologyKey, ...more };
}

const requires = (...terms: object[]): object => ({ requiredDuringSchedulingIgnoredDuringExecution: terms });

const prefers = (...weighted: (readonly [number, object])[]): object => ({
  preferredDuringSchedulingIgnoredDuringExecution: weighted.map(([weight, podAffinityTerm]) => ({
    weight,
    podAffinityTerm,
  })),
});

const wanting = (podAffinity: object, labels: object = {}): PodWords => ({
  labels: { ...labels },
  spec: { affinity: { podAffinity } },
});
const avoiding = (podAntiAffinity: object, labels: object = {}): PodWords => ({
  labels: { ...labels },
  spec: { affinity: { podAntiAffinity } },
});

/** Two nodes of zone a, one of zone b, one without a zone. */
function zones(): Situation {
  return new Situation()
    .node('a1', { labels: { zone: 'a' } })
    .node('a2', { labels: { zone: 'a' } })
    .node('b1', { labels: { zone: 'b' } })
    .node('none');
}

const namespaced = (situation: Situation, labels: Readonly<Record<string, object>>): Situation => {
  for (const [name, own] of Object.entries(labels)) situation.object('Namespace', { metadata: { name, labels: own } });
  return situation;
};

test('affinity: where a pod that is wanted is, in the whole domain', () => {
  const situation = zones().pod('x', 'a1', { labels: { app: 'x' } });
  assert.deepEqual(situation.refusals(wanting(requires(term(app('x'))))), { b1: AFFINITY, none: AFFINITY });
});

test('affinity: one pod has to match all terms', () => {
  const situation = zones()
    .pod('x', 'a1', { labels: { app: 'x' } })
    .pod('y', 'a2', { labels: { app: 'x', tier: 'y' } });
  const both = requires(term(app('x')), term({ matchLabels: { tier: 'y' } }, 'kubernetes.io/hostname'));
  assert.deepEqual(situation.refusals(wanting(both)), { a1: AFFINITY, b1: AFFINITY, none: AFFINITY });
});

test('affinity: the first of a group may go anywhere that has the keys', () => {
  const self = wanting(requires(term(app('me'))), { app: 'me' });
  assert.deepEqual(zones().refusals(self), { none: AFFINITY });
  assert.deepEqual(zones().refusals(wanting(requires(term(app('me'))), { app: 'other' })), {
    a1: AFFINITY,
    a2: AFFINITY,
    b1: AFFINITY,
    none: AFFINITY,
  });
  const grouped = zones().pod('x', 'a1', { labels: { app: 'me' } });
  assert.deepEqual(grouped.refusals(self), { b1: AFFINITY, none: AFFINITY }, 'the second one may not');
  const another = zones().pod('x', 'none', { labels: { app: 'me' } });
  assert.deepEqual(another.refusals(self), { none: AFFINITY }, 'a pod where the key is missing counts for nothing');
});

test('affinity: terminating pods count', () => {
  const metadata = { deletionTimestamp: '2026-01-01T00:00:00Z', labels: { app: 'x' } };
  const situation = zones().pod('x', 'a1', { metadata });
  assert.deepEqual(situation.refusals(wanting(requires(term(app('x'))))), { b1: AFFINITY, none: AFFINITY });
});

test('anti-affinity: in neither direction, and a node without the key is as good as far away', () => {
  const situation = zones().pod('x', 'a1', { labels: { app: 'x' } });
  assert.deepEqual(situation.refusals(avoiding(requires(term(app('x'))))), { a1: ANTI_AFFINITY, a2: ANTI_AFFINITY });
  const other = zones().pod('x', 'a1', avoiding(requires(term(app('in')))));
  assert.deepEqual(other.refusals({ labels: { app: 'in' } }), { a1: EXISTING, a2: EXISTING });
  assert.deepEqual(other.refusals({ labels: { app: 'out' } }), {});
});

test('affinity is told before anti-affinity, and that before what others want', () => {
  const situation = zones().pod('x', 'a1', { ...avoiding(requires(term(app('in'))), { app: 'x' }) });
  const words = {
    labels: { app: 'in' },
    spec: { affinity: { podAffinity: requires(term(app('no'))), podAntiAffinity: requires(term(app('x'))) } },
  };
  assert.equal(situation.refusals(words).a1, AFFINITY);
  const { podAntiAffinity } = words.spec.affinity;
  assert.equal(situation.refusals({ ...words, spec: { affinity: { podAntiAffinity } } }).a1, ANTI_AFFINITY);
});

test('namespaces: its own, those listed, those selected, and all for an empty selector', () => {
  const situation = namespaced(zones(), { ns: { team: 'red' }, far: { team: 'blue' }, plain: {} }).pod('x', 'a1', {
    namespace: 'far',
    labels: { app: 'x' },
  });
  const wants = (more: object): PodWords => wanting(requires(term(app('x'), 'zone', more)));
  const found = { b1: AFFINITY, none: AFFINITY };
  assert.equal(situation.refusals(wants({})).a1, AFFINITY);
  assert.deepEqual(situation.refusals(wants({ namespaces: ['far'] })), found);
  assert.deepEqual(situation.refusals(wants({ namespaceSelector: {} })), found);
  assert.deepEqual(situation.refusals(wants({ namespaceSelector: { matchLabels: { team: 'blue' } } })), found);
  assert.equal(situation.refusals(wants({ namespaceSelector: { matchLabels: { team: 'red' } } })).a1, AFFINITY);
});

test('a namespace selector that no labels meet lets every namespace in, of the incoming pod', () => {
  const situation = namespaced(zones(), { ns: {}, far: { team: 'blue' } }).pod('x', 'a1', {
    namespace: 'far',
    labels: { app: 'x' },
  });
  const selector = { matchExpressions: [{ key: 'team', operator: 'NotIn', values: ['blue'] }] };
  const words = avoiding(requires(term(app('x'), 'zone', { namespaceSelector: selector })));
  assert.equal(situation.refusals(words).a1, ANTI_AFFINITY);
  const existing = namespaced(zones(), { ns: { team: 'blue' } }).pod(
    'x',
    'a1',
    avoiding(requires(term(app('in'), 'zone', { namespaceSelector: selector }))),
  );
  assert.deepEqual(existing.refusals({ labels: { app: 'in' } }), {}, 'not of those that are there');
});

test('a term without a selector matches nothing, an empty one everything', () => {
  const situation = zones().pod('x', 'a1', { labels: {} });
  assert.deepEqual(situation.refusals(avoiding(requires(term(undefined)))), {});
  assert.deepEqual(situation.refusals(avoiding(requires(term({})))), { a1: ANTI_AFFINITY, a2: ANTI_AFFINITY });
});

test('scores: weights of both directions, scaled between the least and the most, in doubles', () => {
  const situation = zones()
    .pod('x', 'a1', { labels: { app: 'x' } })
    .pod('y', 'b1', { labels: { app: 'y' } });
  const words = wanting(prefers([100, term(app('x'))], [29, term(app('y'))]));
  // 100 × (29 / 100) is 28.999…
  assert.deepEqual(situation.scores('InterPodAffinity', words), { a1: 200, a2: 200, b1: 56, none: 0 });
  const away = avoiding(prefers([10, term(app('x'))]));
  assert.deepEqual(situation.scores('InterPodAffinity', away), { a1: 0, a2: 0, b1: 200, none: 200 });
});

test('scores: pods that are there have a say, their required terms by the weight of the profile', () => {
  const wants = wanting(requires(term(app('in'))));
  const situation = (hardPodAffinityWeight: number): Situation =>
    new Situation({ affinity: { ...DEFAULT_PROFILE.affinity, hardPodAffinityWeight } })
      .node('a', { labels: { zone: 'a' } })
      .node('b', { labels: { zone: 'b' } })
      .pod('x', 'a', wants)
      .pod('y', 'b', wanting(prefers([5, term(app('in'))])));
  const labels = { app: 'in' };
  assert.deepEqual(situation(10).scores('InterPodAffinity', { labels }), { a: 200, b: 0 });
  assert.deepEqual(situation(1).scores('InterPodAffinity', { labels }), { a: 0, b: 200 });
  assert.deepEqual(situation(0).scores('InterPodAffinity', { labels }), { a: 0, b: 200 });
  assert.deepEqual(situation(5).scores('InterPodAffinity', { labels }), { a: 0, b: 0 }, 'equal is 0 for all');
});

test('scores: preferences of others are ignored for a pod without any, if the profile says so', () => {
  const affinity = { hardPodAffinityWeight: 1, ignorePreferredTermsOfExistingPods: true };
  const situation = new Situation({ affinity })
    .node('a', { labels: { zone: 'a' } })
    .node('b', { labels: { zone: 'b' } })
    .pod('x', 'a', wanting(prefers([5, term(app('in'))])));
  assert.deepEqual(situation.scores('InterPodAffinity', { labels: { app: 'in' } }), { a: undefined, b: undefined });
  const words = wanting(prefers([1, term(app('none'))]), { app: 'in' });
  assert.deepEqual(situation.scores('InterPodAffinity', words), { a: 200, b: 0 });
});

test('scores: a node without the key is not in the domain of those whose label is empty', () => {
  const situation = new Situation()
    .node('empty', { labels: { zone: '' } })
    .node('none')
    .pod('x', 'empty');
  const words = wanting(prefers([1, term({})]));
  assert.deepEqual(situation.scores('InterPodAffinity', words), { empty: 200, none: 0 });
});
