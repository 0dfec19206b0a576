// The kernel against the reference, decision by decision, on random clusters of every feature mixed, while nodes, pods and
// objects come, change and go. K1M_RUNS clusters of K1M_SEED; each failure is shrunk.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { propertyRuns } from '../../testing/property-runs.ts';
import { type ClusterCommand, nominatedTo } from '../model/command.ts';
import { readNode } from '../model/node-object.ts';
import { clusterPlan, crowded, mustRead, objectSet, podSet } from '../model/plan-fixture.ts';
import type { PodObject } from '../model/pod-object.ts';
import { PROFILES } from '../model/profile-fixture.ts';
import { type Counts, NO_COUNTS, Pair } from './kernel-pair-fixture.ts';
import { FILTERS, play, profilesWith, SHUFFLED, turn } from './kernel-play-fixture.ts';

const RUNS = propertyRuns(150, process.env);
const CROWDED_RUNS = propertyRuns(60, process.env);
const PROFILE_NAMES = PROFILES.map(({ schedulerName }) => schedulerName);
/** A small pod of the default profile. */
function plainPod(name: string, labels: Record<string, string>, spec: object = {}): PodObject {
  const { schedulerName } = PROFILES[0];
  const containers = [{ name: 'c', image: 'i', resources: { requests: { cpu: '1' } } }];
  return podSet({
    metadata: { name, namespace: 'ns1', uid: name, labels },
    spec: { schedulerName, containers, ...spec },
  }).pod;
}

const LARGE = { containers: [{ name: 'c', image: 'i', resources: { requests: { cpu: '3' } } }] };

function plainNode(name: string, more: Record<string, string> = {}): ClusterCommand {
  const labels = { 'kubernetes.io/hostname': name, ...more };
  const status = { allocatable: { cpu: '8', memory: '8Gi', pods: '10' } };
  return { kind: 'node-set', node: mustRead(readNode({ metadata: { name, uid: name, labels }, status })) };
}

describe('the kernel', () => {
  it('tells pods apart by a label as soon as a term asks for it', () => {
    const pair = new Pair({ ...NO_COUNTS }, profilesWith(FILTERS), 1 << 20);
    pair.apply(plainNode('n0'));
    const against = (matchExpressions: object[]): object => ({
      affinity: {
        podAntiAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [
            { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchExpressions } },
          ],
        },
      },
    });
    // `app` is asked for from the beginning, `canary` from the third pod on.
    pair.decide(plainPod('asks', { canary: 'x' }, against([{ key: 'app', operator: 'In', values: ['z'] }])));
    pair.decide(plainPod('first', { app: 'a', canary: 'true' }));
    pair.decide(plainPod('holder', { app: 'h', canary: 'h' }, against([{ key: 'canary', operator: 'DoesNotExist' }])));
    pair.decide(plainPod('second', { app: 'a' }));
    assert.deepEqual([pair.counts.bound, pair.counts.unschedulable], [3, 1]);
  });

  it('leaves no room to pods that were nominated once', () => {
    const pair = new Pair({ ...NO_COUNTS }, profilesWith(FILTERS), 1 << 20);
    const zone = 'topology.kubernetes.io/zone';
    for (let index = 0; index < 40; index++) pair.apply(plainNode(`n${index}`, { [zone]: `zone-${index % 2}` }));
    const labelSelector = { matchLabels: { app: 'a' } };
    const constraint = { maxSkew: 1, topologyKey: zone, whenUnsatisfiable: 'DoNotSchedule', labelSelector };
    const spread = { topologySpreadConstraints: [constraint] };
    pair.apply({ kind: 'pod-set', pod: nominatedTo(plainPod('nominated', { app: 'a' }, spread), 'n0') });
    pair.decide(plainPod('first', { app: 'a' }, spread));
    for (const uid of ['nominated', 'first']) pair.apply({ kind: 'pod-deleted', uid });
    pair.decide(plainPod('second', { app: 'a' }, spread));
    assert.equal(pair.counts.bound, 2);
  });

  it('tells pods of one template apart from then on, too', () => {
    const pair = new Pair({ ...NO_COUNTS }, profilesWith(FILTERS), 1 << 20);
    for (const name of ['n0', 'n1', 'n2']) pair.apply(plainNode(name));
    const term = {
      topologyKey: 'kubernetes.io/hostname',
      labelSelector: { matchExpressions: [{ key: 'canary', operator: 'Exists' }] },
    };
    const against = { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } } };
    const templates = [plainPod('a', { app: 'a', canary: 'x' }), plainPod('b', { app: 'a' })];
    const decideOnBoth = (round: string): void => {
      for (const pod of templates) {
        const name = `${pod.name}-${round}`;
        pair.decide({ ...pod, name, uid: name });
      }
    };
    decideOnBoth('before');
    pair.decide(plainPod('holder', {}, against));
    for (const round of ['after', 'later', 'last']) decideOnBoth(round);
  });

  it('places pods of one template by a service as soon as there is one', () => {
    const pair = new Pair({ ...NO_COUNTS }, profilesWith(FILTERS), 1 << 20);
    for (const name of ['n0', 'n1']) pair.apply(plainNode(name));
    pair.apply({ kind: 'pod-set', pod: { ...plainPod('large', {}, LARGE), nodeName: 'n1' } });
    const template = plainPod('a', { app: 'a' });
    const nodeOf = (name: string): unknown => {
      const decision = pair.decide({ ...template, name, uid: name });
      return decision.kind === 'bound' ? decision.node : decision.kind;
    };
    const before = ['a-0', 'a-1'].map(nodeOf);
    pair.apply(objectSet('Service', { metadata: { name: 'a', namespace: 'ns1' }, spec: { selector: { app: 'a' } } }));
    assert.deepEqual([...before, nodeOf('a-2')], ['n0', 'n0', 'n1']);
  });

  it('decides as the reference does, while the cluster changes', (context) => {
    const counts: Counts = { ...NO_COUNTS };
    const names = [...PROFILES, ...SHUFFLED].map(({ schedulerName }) => schedulerName);
    fc.assert(
      fc.property(
        fc.tuple(clusterPlan(), clusterPlan()),
        fc.subarray(names, { minLength: 1 }),
        fc.array(turn, { minLength: 10, maxLength: 40 }),
        // A memory for hardly any index, and for all of them.
        fc.constantFrom(1, 1 << 20),
        // What is not used is never forgotten, or soon, or at once.
        fc.constantFrom(0, 20_000, 90_000),
        fc.shuffledSubarray([...FILTERS], { minLength: FILTERS.length - 2 }),
        (plans, schedulerNames, turns, indexBytesMax, tickMs, filters) => {
          play(new Pair(counts, profilesWith(filters), indexBytesMax), plans, schedulerNames, turns, tickMs);
        },
      ),
      RUNS,
    );
    context.diagnostic(`${RUNS.numRuns} clusters: ${JSON.stringify(counts)}`);
    assert.ok(counts.bound > counts.errors, 'most decisions place a pod');
  });

  it('decides as the reference does, where most pods have to make room', (context) => {
    const counts: Counts = { ...NO_COUNTS };
    const plan = clusterPlan({ nodesMax: 9, boundMax: 30, pendingMax: 10 });
    fc.assert(
      fc.property(
        fc.tuple(plan, plan),
        fc.array(fc.constantFrom(-10, 0, 0, 10, 100, 1000), { minLength: 3, maxLength: 9 }),
        fc.array(turn, { minLength: 15, maxLength: 60 }),
        fc.constantFrom(1, 1 << 20),
        fc.constantFrom(0, 20_000, 90_000),
        (plans, priorities, turns, indexBytesMax, tickMs) => {
          const pair = new Pair(counts, PROFILES, indexBytesMax);
          const all = plans.map((one) => crowded(one, priorities));
          play(pair, all, PROFILE_NAMES, turns, tickMs);
        },
      ),
      CROWDED_RUNS,
    );
    context.diagnostic(`${CROWDED_RUNS.numRuns} clusters: ${JSON.stringify(counts)}`);
    assert.ok(counts.preemptions > 0);
  });
});
