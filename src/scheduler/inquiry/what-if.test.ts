import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { JsonFields } from '../model/plan-fixture.ts';
import { DEFAULT_PROFILE } from '../model/scheduler-profile.ts';
import { InquiryError, ManifestError } from './errors.ts';
import type { Manifest } from './manifest-file.ts';
import { Fixture, type NodeWords, type PodWords, podJson } from './snapshot-fixture.ts';
import { askWhatIf, type Outcome, type WhatIf, type WhatIfReport } from './what-if.ts';
import { doAllFit, whatIfJson, whatIfText } from './what-if-text.ts';
import type { WorkloadOptions } from './workload.ts';
import { newPods } from './workload-pods.ts';

const ZONE = 'topology.kubernetes.io/zone';
const VIEW = { all: false, bindingsPerSecond: 100 };

function workload(kind: string, spec: JsonFields, podSpec: JsonFields = {}, name = 'web'): Manifest {
  const labels = { app: name };
  const resources = { requests: { cpu: '1' } };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i', resources }], ...podSpec } };
  return { kind, object: { kind, metadata: { name }, spec: { selector: { matchLabels: labels }, template, ...spec } } };
}

function ask(
  { snapshot }: Fixture,
  manifests: readonly Manifest[],
  { replicas, ...words }: Partial<WhatIf> & Partial<WorkloadOptions> = {},
): WhatIfReport {
  return askWhatIf({
    snapshot,
    profiles: [DEFAULT_PROFILE],
    added: newPods(manifests, snapshot, { namespace: 'default', replicas }),
    cordoned: [],
    drained: [],
    ignoresWaiting: false,
    groupLabels: [ZONE],
    nowMs: () => 0,
    ...words,
  });
}

function counts({ outcomes }: WhatIfReport): string[] {
  return outcomes.map(
    ({ origin, placed, unplaced }) => `${origin}: ${placed.length} of ${placed.length + unplaced.length}`,
  );
}

function nodesOf({ placed }: Outcome): string[] {
  return placed.map(({ pod, node }) => `${pod.name}@${node}`);
}

function fourNodes(words: NodeWords = {}): Fixture {
  const fixture = new Fixture();
  for (const [name, zone] of [
    ['n1', 'a'],
    ['n2', 'a'],
    ['n3', 'b'],
    ['n4', 'b'],
  ])
    fixture.node(name, { zone, ...words });
  return fixture;
}

describe('a what-if', () => {
  it('makes the pods of workloads as their controllers do', () => {
    const { snapshot } = fourNodes();
    const made = newPods(
      [
        workload('Deployment', { replicas: 2 }),
        workload('StatefulSet', {}),
        workload('ReplicaSet', { replicas: 0 }),
        workload('Job', { parallelism: 5, completions: 3 }),
        workload('CronJob', { jobTemplate: workload('Job', { parallelism: 2 }).object }),
        workload('DaemonSet', {}, { nodeSelector: { [ZONE]: 'b' } }),
        { kind: 'Pod', object: podJson('alone') },
        { kind: 'Service', object: { metadata: { name: 's' }, spec: { selector: { app: 'web' } } } },
        { kind: 'ConfigMap', object: {} },
      ],
      snapshot,
      { namespace: 'ns', replicas: undefined },
    );
    assert.deepEqual(
      made.map(({ origin, pods }) => `${origin}: ${pods.map(({ name }) => name).join(' ')}`),
      [
        'Deployment ns/web: web-what-if-0 web-what-if-1',
        'StatefulSet ns/web: web-0',
        'ReplicaSet ns/web: ',
        'Job ns/web: web-0 web-1 web-2',
        'CronJob ns/web: web-0 web-1',
        'DaemonSet ns/web: web-n3 web-n4',
        'Pod default/alone: alone',
      ],
    );
    const [deployed] = made[0].pods;
    assert.equal(deployed.labels.get('pod-template-hash'), 'what-if');
    assert.equal(deployed.controller?.kind, 'ReplicaSet');
    assert.equal(snapshot.find('ReplicaSet', 'ns/web-what-if')?.selector.requirements.length, 2);
    assert.equal(made[1].pods[0].labels.get('apps.kubernetes.io/pod-index'), '0');
    assert.ok(snapshot.find('Service', 'ns/s') !== undefined);
    assert.deepEqual(snapshot.remarks, ['1 of kind ConfigMap left out: scheduling does not read them']);
  });

  it('counts pods by group of nodes, says what is short, and what would help', () => {
    const report = ask(
      fourNodes({ cpu: '2' }).node('gpu', { zone: 'c', taints: [{ key: 'gpu', effect: 'NoSchedule' }] }),
      [
        workload('Deployment', { replicas: 11 }),
        workload('Deployment', {}, { containers: [{ resources: { requests: { cpu: '5', memory: '1Gi' } } }] }, 'big'),
      ],
    );
    const [web, big] = report.outcomes;
    assert.deepEqual(counts(report), ['Deployment default/web: 8 of 11', 'Deployment default/big: 0 of 1']);
    assert.deepEqual(web.groups, [
      ['a', 4],
      ['b', 4],
    ]);
    assert.deepEqual(
      web.remedies.map(({ group, podsPerNode, nodesNeeded }) => [group, podsPerNode, nodesNeeded]),
      [
        ['a', 2, 2],
        ['b', 2, 2],
        ['c', 0, undefined],
      ],
    );
    assert.equal(web.remedies[2].refusal, 'node(s) had untolerated taint(s) (gpu:NoSchedule)');
    assert.deepEqual(big.remedies[0].missing, [{ resource: 'cpu', by: 3000 }]);
    assert.ok(!doAllFit(report));
    const text = whatIfText(report, VIEW);
    assert.match(text, /^Deployment default\/web, 11 pods: 8 fit, 3 do not$/m);
    assert.match(text, /a, cpu 2, memory 8Gi \(2 there\): 2 on an empty one, 2 more would be enough$/m);
    assert.match(text, /too small even when empty: cpu by 3$/m);
    assert.match(text, /binding takes 0\.1 s at 100 a second \(assumed/);
    assert.equal(JSON.parse(JSON.stringify(whatIfJson(report, VIEW))).outcomes[0].unplaced, 3);
  });

  it('knows the least number of nodes that would be enough, as a try from the start confirms', () => {
    const room = fc.record({ nodes: fc.integer({ min: 1, max: 4 }), cpu: fc.integer({ min: 1, max: 5 }) });
    fc.assert(
      fc.property(room, fc.integer({ min: 1, max: 30 }), ({ nodes, cpu }, replicas) => {
        const fixtureWith = (more: number): Fixture => {
          const fixture = new Fixture();
          for (let i = 0; i < nodes + more; i++) fixture.node(`n${i}`, { cpu: String(cpu) });
          return fixture;
        };
        const manifests = [workload('Deployment', { replicas })];
        const { unplaced, remedies } = ask(fixtureWith(0), manifests).outcomes[0];
        assert.equal(unplaced.length, Math.max(0, replicas - nodes * cpu));
        if (unplaced.length === 0) return;
        const needed = remedies[0].nodesNeeded ?? 0;
        assert.ok(doAllFit(ask(fixtureWith(needed), manifests)));
        assert.ok(!doAllFit(ask(fixtureWith(needed - 1), manifests)));
      }),
      { numRuns: 60 },
    );
  });

  it('does not promise nodes where topology would still keep pods away', () => {
    const constraint = {
      maxSkew: 1,
      topologyKey: ZONE,
      whenUnsatisfiable: 'DoNotSchedule',
      labelSelector: { matchLabels: { app: 'web' } },
    };
    const fixture = new Fixture().node('n1', { zone: 'a', cpu: '2' }).node('n2', { zone: 'b', cpu: '9' });
    const [{ placed, remedies }] = ask(fixture, [
      workload('Deployment', { replicas: 7 }, { topologySpreadConstraints: [constraint] }),
    ]).outcomes;
    assert.equal(placed.length, 5);
    assert.deepEqual(
      remedies.map(({ group, nodesNeeded }) => [group, nodesNeeded]),
      [
        ['a', 1],
        ['b', undefined],
      ],
    );
  });

  it('places pods by priority, those that wait before those that are new, and asks not about the former', () => {
    const fixture = new Fixture().node('n1', { cpu: '2' });
    fixture.pod('old', { asks: { cpu: '1' } }).pod('huge', { asks: { cpu: '9' } });
    const low = workload('Deployment', { replicas: 2 });
    const high = workload('Deployment', {}, { priority: 7 }, 'high');
    const report = ask(fixture, [low, high]);
    assert.deepEqual(counts(report), [
      'Deployment default/high: 1 of 1',
      'waiting already: 1 of 2',
      'Deployment default/web: 0 of 2',
    ]);
    assert.deepEqual(counts(ask(fixture, [low], { ignoresWaiting: true })), ['Deployment default/web: 2 of 2']);
    assert.ok(doAllFit(ask(fixture, [high])));
  });

  it('drains nodes: what has a controller goes elsewhere, DaemonSets stay, the rest is gone', () => {
    const owned = (kind: string): JsonFields => ({
      ownerReferences: [{ apiVersion: 'apps/v1', kind, name: 'o', uid: 'o', controller: true }],
    });
    const fixture = new Fixture().node('n1', { cpu: '2' }).node('n2', { cpu: '1' });
    for (const name of ['w1', 'w2'])
      fixture.pod(name, { on: 'n1', asks: { cpu: '500m' }, metadata: owned('ReplicaSet') });
    fixture.pod('daemon', { on: 'n1', metadata: owned('DaemonSet') }).pod('bare', { on: 'n1' });
    const report = ask(fixture, [], { drained: ['n1'] });
    assert.deepEqual(nodesOf(report.outcomes[0]), ['w1@n2', 'w2@n2']);
    assert.deepEqual(report.remarks, [
      'pods of n1 without a controller would be gone (kubectl drain wants --force for them): 1',
    ]);
    assert.deepEqual(
      [...fixture.snapshot.pods.values()].map(({ name }) => name),
      ['daemon'],
    );
  });

  it('drains nodes as budgets allow it', () => {
    const owned = (app: string): PodWords => ({
      labels: { app },
      metadata: {
        ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'o', uid: 'o', controller: true }],
      },
    });
    const fixture = new Fixture().node('n1').node('n2').node('n3');
    for (const name of ['a1', 'a2', 'a3']) fixture.pod(name, { on: 'n1', ...owned('some') });
    fixture.pod('b1', { on: 'n1', ...owned('none') }).pod('c1', { on: 'n2', ...owned('two') });
    const budget = (name: string, app: string, disruptionsAllowed: number): void =>
      fixture.snapshot.set('PodDisruptionBudget', {
        metadata: { namespace: 'default', name },
        spec: { selector: { matchLabels: { app } } },
        status: { disruptionsAllowed },
      });
    budget('some', 'some', 2);
    budget('none', 'none', 0);
    budget('two', 'two', 1);
    budget('two-more', 'two', 1);
    const report = ask(fixture, [], { drained: ['n1', 'n2'] });
    assert.deepEqual(
      report.outcomes.map(({ origin, placed, unplaced }) => [origin, placed.length, unplaced[0]?.message]),
      [
        ['drained from n1', 3, undefined],
        ['held on n1', 0, "Cannot evict pod as it would violate the pod's disruption budget. (default/none)"],
        [
          'held on n2',
          0,
          'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
        ],
      ],
    );
    assert.deepEqual(report.remarks, [
      'budget default/some lets 2 of 3 pods go at a time: the others follow as these are ready elsewhere',
    ]);
    assert.equal(doAllFit(report), false);
    assert.match(whatIfText(report, { all: false, bindingsPerSecond: 500 }), /^held on n1, 1 pod: the drain waits$/m);
    // What is held counts where it is.
    assert.deepEqual(
      [...fixture.snapshot.pods.values()].map(({ name }) => name),
      ['b1', 'c1'],
    );
  });

  it('puts no more pods on cordoned nodes, but for DaemonSets', () => {
    const report = ask(
      fourNodes(),
      [workload('Deployment', { replicas: 20 }), workload('DaemonSet', {}, { containers: [] }, 'agent')],
      { cordoned: ['n1', 'n2', 'n3'] },
    );
    assert.deepEqual(counts(report), ['Deployment default/web: 4 of 20', 'DaemonSet default/agent: 4 of 4']);
  });

  it('takes the number of replicas that it is given, of pods too', () => {
    const report = ask(fourNodes(), [workload('Deployment', { replicas: 9 }), { kind: 'Pod', object: podJson('p') }], {
      replicas: 3,
    });
    assert.deepEqual(counts(report), ['Deployment default/web: 3 of 3', 'Pod default/p: 3 of 3']);
  });

  const REFUSED: readonly (readonly [
    string,
    readonly Manifest[],
    Partial<WhatIf> & Partial<WorkloadOptions>,
    RegExp,
  ])[] = [
    ['a node that is not there', [], { drained: ['n9'] }, /\(NotFound\): nodes "n9" not found$/],
    [
      'a negative number of pods',
      [workload('Deployment', { replicas: -1 })],
      {},
      /^Deployment default\/web: -1 is no number/,
    ],
    [
      'more pods than a list can hold',
      [workload('Deployment', { replicas: 2 ** 52 })],
      {},
      /^the manifests make more than/,
    ],
    [
      'too many pods',
      [workload('Deployment', {})],
      { replicas: 2_000_001 },
      /^the manifests make more than 2000000 pods$/,
    ],
    [
      'a pod that cannot be read',
      [workload('Job', {}, { containers: 'x' })],
      {},
      /^Job default\/web: spec\.containers/,
    ],
    ['another scheduler', [workload('Job', {}, { schedulerName: 'x' })], {}, /is for scheduler "x", .*use --config/],
  ];
  for (const [name, manifests, words, says] of REFUSED) {
    it(`refuses ${name}`, () => {
      assert.throws(
        () => ask(fourNodes(), manifests, words),
        (error) => (error instanceof InquiryError || error instanceof ManifestError) && says.test(error.message),
      );
    });
  }
});
