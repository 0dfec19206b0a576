import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EVERYTHING } from '../model/label-selector.ts';
import { type PodWords, Situation } from './situation-fixture.ts';

const UNEVEN = "unschedulable: node(s) didn't match pod topology spread constraints";
const MISSING = "unresolvable: node(s) didn't match pod topology spread constraints (missing required label)";
const ZONE = 'topology.kubernetes.io/zone';
const HOST = 'kubernetes.io/hostname';

function spreading(...constraints: object[]): PodWords {
  return { labels: { app: 'x' }, spec: { topologySpreadConstraints: constraints } };
}

function hard(more: object = {}): object {
  return {
    maxSkew: 1,
    topologyKey: ZONE,
    whenUnsatisfiable: 'DoNotSchedule',
    labelSelector: { matchLabels: { app: 'x' } },
    ...more,
  };
}

const soft = (more: object = {}): object => hard({ whenUnsatisfiable: 'ScheduleAnyway', ...more });

/** Nodes a and b in zones of their own with so many pods of app x. */
function twoZones(onA: number, onB: number): Situation {
  const situation = new Situation().node('a', { labels: { [ZONE]: 'a' } }).node('b', { labels: { [ZONE]: 'b' } });
  for (let index = 0; index < onA; index++) situation.pod(`a${index}`, 'a', { labels: { app: 'x' } });
  for (let index = 0; index < onB; index++) situation.pod(`b${index}`, 'b', { labels: { app: 'x' } });
  return situation;
}

test('a domain gets no more than maxSkew above the emptiest, the pod itself counted', () => {
  assert.deepEqual(twoZones(0, 0).refusals(spreading(hard())), {});
  assert.deepEqual(twoZones(1, 0).refusals(spreading(hard())), { a: UNEVEN });
  assert.deepEqual(twoZones(1, 0).refusals(spreading(hard({ maxSkew: 2 }))), {});
  assert.deepEqual(twoZones(1, 0).refusals({ ...spreading(hard()), labels: {} }), {}, 'it does not select itself');
});

test('a node without a key does not count, and takes none', () => {
  const situation = twoZones(1, 1).node('none');
  assert.deepEqual(situation.refusals(spreading(hard())), { none: MISSING });
  const both = [hard(), hard({ topologyKey: 'rack' })];
  assert.deepEqual(situation.refusals(spreading(...both)), { a: MISSING, b: MISSING, none: MISSING });
});

test('with fewer domains than minDomains the emptiest has none', () => {
  assert.deepEqual(twoZones(1, 1).refusals(spreading(hard({ minDomains: 2 }))), {});
  assert.deepEqual(twoZones(1, 1).refusals(spreading(hard({ minDomains: 3 }))), { a: UNEVEN, b: UNEVEN });
});

test('terminating pods and those of other namespaces do not count', () => {
  const situation = twoZones(0, 0)
    .pod('leaving', 'a', { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z', labels: { app: 'x' } } })
    .pod('other', 'a', { namespace: 'far', labels: { app: 'x' } });
  assert.deepEqual(situation.refusals(spreading(hard())), {});
});

test('an empty selector counts no pods, and yet selects the pod itself; an absent one neither', () => {
  const situation = twoZones(5, 0);
  assert.deepEqual(situation.refusals(spreading(hard({ labelSelector: {} }))), {});
  const demanding = hard({ labelSelector: {}, minDomains: 3 });
  assert.deepEqual(situation.refusals(spreading(demanding)), {}, '0 + 1 − 0 is no more than 1');
  assert.deepEqual(situation.refusals(spreading(hard({ labelSelector: undefined }))), {});
});

test('nodes that the pod cannot use count unless the constraint says otherwise', () => {
  const withTaint = (): Situation =>
    twoZones(1, 1).node('c', { labels: { [ZONE]: 'c' }, taints: [{ key: 'k', effect: 'NoSchedule' }] });
  const tainted = 'unresolvable: node(s) had untolerated taint(s)';
  assert.deepEqual(withTaint().refusals(spreading(hard())), { a: UNEVEN, b: UNEVEN, c: tainted });
  assert.deepEqual(withTaint().refusals(spreading(hard({ nodeTaintsPolicy: 'Honor' }))), { c: tainted });
  const elsewhere = twoZones(1, 1).node('c', { labels: { [ZONE]: 'c', disk: 'x' } });
  const selecting = (more: object): PodWords => {
    const words = spreading(hard(more));
    const term = { matchExpressions: [{ key: 'disk', operator: 'DoesNotExist' }] };
    const nodeAffinity = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] } };
    return { ...words, spec: { ...words.spec, affinity: { nodeAffinity } } };
  };
  const affinity = "unresolvable: node(s) didn't match Pod's node affinity/selector";
  assert.deepEqual(elsewhere.refusals(selecting({})), { c: affinity });
  assert.deepEqual(elsewhere.refusals(selecting({ nodeAffinityPolicy: 'Ignore' })), {
    a: UNEVEN,
    b: UNEVEN,
    c: affinity,
  });
});

test('matchLabelKeys: only pods with the same value', () => {
  const situation = twoZones(0, 0).pod('old', 'a', { labels: { app: 'x', version: '1' } });
  const words = spreading(hard({ matchLabelKeys: ['version'] }));
  assert.deepEqual(situation.refusals({ ...words, labels: { app: 'x', version: '2' } }), {});
  assert.deepEqual(situation.refusals({ ...words, labels: { app: 'x', version: '1' } }), { a: UNEVEN });
});

test('scores: fewer is better, and a domain counts by the logarithm of how many there are', () => {
  // Two zones: ln 4 a pod. a: 3 × 1.386 = 4.16, b: 1.386; rounded 4 and 1. 100 × (4 + 1 − 4) / 4 and 100.
  assert.deepEqual(twoZones(3, 1).scores('PodTopologySpread', spreading(soft())), { a: 50, b: 200 });
  // maxSkew − 1 is added: 6 and 3. 100 × (6 + 3 − 6) / 6 and 100.
  assert.deepEqual(twoZones(3, 1).scores('PodTopologySpread', spreading(soft({ maxSkew: 3 }))), { a: 100, b: 200 });
  assert.deepEqual(twoZones(0, 0).scores('PodTopologySpread', spreading(soft())), { a: 200, b: 200 }, 'all 0 is 100');
  assert.deepEqual(twoZones(1, 0).scores('PodTopologySpread'), { a: undefined, b: undefined });
});

test('scores: a node without all keys of the pod’s own constraints gets none', () => {
  const situation = twoZones(1, 1).node('none');
  assert.deepEqual(situation.scores('PodTopologySpread', spreading(soft())), { a: 200, b: 200, none: 0 });
});

const RULED = { kind: 'ReplicaSet', apiVersion: 'apps/v1', name: 'rs', uid: 'rs', controller: true };

function owned(situation: Situation): Situation {
  return situation.object('ReplicaSet', {
    metadata: { namespace: 'ns', name: 'rs' },
    spec: { selector: { matchLabels: { app: 'x' } } },
  });
}

const OWNED: PodWords = { metadata: { labels: { app: 'x' }, ownerReferences: [RULED] } };

test('defaults: pods of an owner or a service are spread by zone and hostname, without refusing a node', () => {
  const situation = owned(twoZones(3, 1));
  // hostname: 3 × ln 4 + 2, zone: 3 × ln 4 + 4: 14.3, and 8.8: 14 and 9.
  assert.deepEqual(situation.scores('PodTopologySpread', OWNED), { a: 128, b: 200 });
  assert.deepEqual(situation.scores('PodTopologySpread', { labels: { app: 'x' } }), { a: undefined, b: undefined });
  const served = twoZones(3, 1)
    .object('Service', { metadata: { namespace: 'ns', name: 's' }, spec: { selector: { app: 'x' } } })
    .object('Service', { metadata: { namespace: 'ns', name: 'headless' }, spec: {} });
  assert.deepEqual(served.scores('PodTopologySpread', { labels: { app: 'x' } }), { a: 128, b: 200 });
});

test('defaults of the system: a node without a zone takes part by hostname, and adds a nameless zone', () => {
  const situation = owned(twoZones(1, 0).node('none'));
  // Three hosts and three zones, one of them nameless: ln 5 a pod. a: 1.61 + 2 + 1.61 + 4 = 9.2, b: 2 + 4, none: 2.
  assert.deepEqual(situation.scores('PodTopologySpread', OWNED), { a: 44, b: 110, none: 200 });
});

test('defaults of a list: hard ones refuse, and nodes without a key score nothing', () => {
  const constraint = { selector: EVERYTHING, minDomains: 1, honorsAffinity: true, honorsTaints: false };
  const defaults = [
    { ...constraint, maxSkew: 1, topologyKey: ZONE, isHard: true },
    { ...constraint, maxSkew: 1, topologyKey: HOST, isHard: false },
  ];
  const situation = owned(
    new Situation({ spread: { defaulting: 'List', defaults } })
      .node('a', { labels: { [ZONE]: 'a' } })
      .node('b', { labels: { [ZONE]: 'b' } })
      .node('none'),
  ).pod('x', 'a', { labels: { app: 'x' } });
  assert.deepEqual(situation.refusals(OWNED), { a: UNEVEN, none: MISSING });
  assert.deepEqual(situation.refusals({ labels: { app: 'x' } }), {}, 'nothing selects it');
});
