import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DEFAULT_PROFILE, type SchedulerProfile } from '../model/scheduler-profile.ts';
import { asOne } from '../model/selector-reader.ts';
import { CONFIGURATIONS } from './configuration-fixture.ts';
import { readConfiguration } from './configuration-reader.ts';
import type { SchedulerConfiguration } from './scheduler-configuration.ts';

const HEADER = 'apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n';

function accepted(body: string): SchedulerConfiguration {
  const read = readConfiguration(HEADER + body);
  if ('problems' in read) assert.fail(asOne(read.problems));
  return read.configuration;
}

function refused(body: string): readonly string[] {
  const read = readConfiguration(HEADER + body);
  return 'problems' in read ? read.problems : assert.fail('was accepted');
}

function profileOf(body: string): SchedulerProfile {
  return accepted(body).profiles[0];
}

for (const { name, text, error, hasOtherWords } of CONFIGURATIONS) {
  test(`kube-scheduler's answer is ours: ${name}`, () => {
    const read = readConfiguration(text);
    const ours = 'problems' in read ? asOne(read.problems) : undefined;
    if (hasOtherWords === true) assert.notEqual(ours, undefined);
    else assert.equal(ours, error);
  });
}

test('an empty configuration has the default profile and the defaults around it', () => {
  const { profiles, plugins, versioned, ...around } = accepted('');
  assert.deepEqual(profiles, [DEFAULT_PROFILE]);
  assert.deepEqual(
    plugins.map((one) => one.get('bind')),
    [[{ name: 'DefaultBinder', weight: 0 }]],
  );
  assert.equal(versioned.kind, 'KubeSchedulerConfiguration');
  assert.deepEqual(around, {
    parallelism: 16,
    percentageOfNodesToScore: 0,
    podInitialBackoffSeconds: 1,
    podMaxBackoffSeconds: 10,
    leaderElection: {
      isEnabled: true,
      leaseDurationMs: 15_000,
      renewDeadlineMs: 10_000,
      retryPeriodMs: 2_000,
      resourceName: 'kube-scheduler',
      resourceNamespace: 'kube-system',
    },
    clientConnection: {
      kubeconfig: '',
      acceptContentTypes: '',
      contentType: 'application/vnd.kubernetes.protobuf',
      qps: 50,
      burst: 100,
    },
    enableProfiling: true,
    enableContentionProfiling: true,
    delayCacheUntilActive: false,
    withoutEffect: [],
  });
});

test('plugins of a point that multiPoint has, too, go first, and their weight counts', () => {
  const { scores } = profileOf(
    'profiles:\n- plugins: {score: {enabled: [{name: ImageLocality, weight: 9},{name: InterPodAffinity}]}}\n',
  );
  assert.deepEqual(
    scores.map(({ name, weight }) => `${name} ${weight}`),
    [
      'ImageLocality 9',
      'InterPodAffinity 1',
      'TaintToleration 3',
      'NodeAffinity 2',
      'NodeResourcesFit 1',
      'PodTopologySpread 2',
      'NodeResourcesBalancedAllocation 1',
    ],
  );
});

test('a star disables what is there by default and nothing that is enabled', () => {
  const { filters, scores, preempts, hasDynamicResources } = profileOf(
    "profiles:\n- plugins: {multiPoint: {disabled: [{name: '*'}], enabled: [{name: PrioritySort},{name: TaintToleration},{name: NodeName},{name: DefaultBinder}]}}\n",
  );
  assert.deepEqual(filters, ['TaintToleration', 'NodeName']);
  assert.deepEqual(scores, [{ name: 'TaintToleration', weight: 1 }]);
  assert.deepEqual([preempts, hasDynamicResources], [false, false]);
});

test('arguments of every plugin arrive in the profile', () => {
  const every = CONFIGURATIONS.find(({ name }) => name === 'every argument of every plugin')?.text ?? '';
  const profile = profileOf(every.slice(HEADER.length));
  assert.deepEqual(profile.preemption, { minCandidateNodesPercentage: 0, minCandidateNodesAbsolute: 5 });
  assert.deepEqual(profile.affinity, { hardPodAffinityWeight: 0, ignorePreferredTermsOfExistingPods: true });
  assert.deepEqual(profile.balancedResources, [
    { name: 'cpu', weight: 1 },
    { name: 'a.b/c', weight: 1 },
  ]);
  assert.deepEqual(profile.fit, {
    ignoredResources: ['a.b/c'],
    ignoredResourceGroups: ['d.e'],
    strategy: 'RequestedToCapacityRatio',
    resources: [
      { name: 'cpu', weight: 1 },
      { name: 'memory', weight: 100 },
    ],
    shape: [
      { utilization: 0, score: 10 },
      { utilization: 100, score: 0 },
    ],
  });
  assert.equal(profile.spread.defaulting, 'List');
  assert.deepEqual(
    profile.spread.defaults.map(({ maxSkew, topologyKey, isHard }) => [maxSkew, topologyKey, isHard]),
    [
      [2, 'a.b/c', true],
      [1, 'a.b/c', false],
    ],
  );
  assert.equal(profile.nodeAffinity.addedRequired?.terms.length, 2);
  assert.deepEqual(
    profile.nodeAffinity.addedPreferred.map(({ weight }) => weight),
    [5],
  );
  assert.equal(profile.bindTimeoutSeconds, 0);
});

test('a plugin that is nowhere enabled has its default arguments, whatever is given', () => {
  const { fit } = profileOf(
    'profiles:\n- plugins: {multiPoint: {disabled: [{name: NodeResourcesFit}]}}\n  pluginConfig: [{name: NodeResourcesFit, args: {ignoredResources: [a]}}]\n',
  );
  assert.deepEqual(fit, DEFAULT_PROFILE.fit);
});

test('a plugin is parted over its extension points only where that changes nothing', () => {
  const parted = (flow: string): readonly string[] => refused(`profiles:\n- plugins: ${flow}\n`);
  assert.deepEqual(parted('{preFilter: {disabled: [{name: NodePorts}]}}'), [
    'profiles[0].plugins.preFilter: Forbidden: NodePorts cannot be disabled here while it is enabled at filter',
  ]);
  assert.deepEqual(
    parted('{filter: {disabled: [{name: NodeAffinity}]}, preScore: {disabled: [{name: NodeAffinity}]}}'),
    [
      'profiles[0].plugins.filter: Forbidden: NodeAffinity cannot be disabled here while it is enabled at preFilter',
      'profiles[0].plugins.preScore: Forbidden: NodeAffinity cannot be disabled here while it is enabled at score',
    ],
  );
  assert.deepEqual(parted('{preBind: {disabled: [{name: VolumeBinding}]}}'), [
    'profiles[0].plugins.preBind: Forbidden: VolumeBinding cannot be disabled here while it is enabled at filter',
  ]);
  const { filters } = profileOf('profiles:\n- plugins: {filter: {disabled: [{name: NodePorts}]}}\n');
  assert.equal(filters.includes('NodePorts'), false);
});

test('extenders are refused, once everything else is right', () => {
  assert.deepEqual(refused('extenders: [{urlPrefix: "http://a"}]\n'), [
    'extenders: Forbidden: extenders are not supported',
  ]);
});

test('what changes no decision is taken and told', () => {
  const body = `parallelism: 16
percentageOfNodesToScore: 50
profiles:
- percentageOfNodesToScore: 10
  plugins:
    preEnqueue: {disabled: [{name: SchedulingGates}]}
    filter: {enabled: [{name: InterPodAffinity}]}
    multiPoint: {enabled: [{name: GangScheduling}], disabled: [{name: DynamicResources}]}
  pluginConfig: [{name: DefaultPreemption}]
`;
  assert.deepEqual(accepted(body).withoutEffect, [
    'parallelism: decisions are made by one thread',
    'percentageOfNodesToScore: every node is scored',
    'profiles[0].percentageOfNodesToScore: every node is scored',
    'profiles[0].plugins.preFilter: runs in the order of filter',
    'profiles[0].plugins: GangScheduling does nothing',
    'profiles[0].plugins: pods with scheduling gates are held also without SchedulingGates',
    'profiles[0].plugins: pods with resource claims are left alone also without DynamicResources',
    'profiles[0].pluginConfig[0]: every candidate for preemption is looked at',
  ]);
});

test('what is written is read again as it is', () => {
  for (const { text, name } of CONFIGURATIONS) {
    const read = readConfiguration(text);
    if ('problems' in read) continue;
    const again = readConfiguration(JSON.stringify(read.configuration.versioned));
    if ('problems' in again) assert.fail(`${name}: ${asOne(again.problems)}`);
    const { withoutEffect: _told, ...configuration } = read.configuration;
    const { withoutEffect: _again, ...same } = again.configuration;
    assert.deepEqual(same, configuration, name);
  }
});

test('no text throws', () => {
  const words =
    'profiles plugins score enabled name NodeName * args pluginConfig NodeAffinity leaderElection 15s __proto__ << : - { } [ ] &a *a " 1 -1 null';
  const word = fc.constantFrom('\n', '  ', ': ', '- ', ...words.split(' '));
  fc.assert(
    fc.property(fc.array(word, { maxLength: 60 }), (parts) => {
      const read = readConfiguration(HEADER + parts.join(''));
      if ('problems' in read) assert.ok(read.problems.length > 0);
      else assert.ok(read.configuration.profiles.length > 0);
    }),
    { numRuns: 1_000 },
  );
});

test('a text that is too long or too deep is refused', () => {
  assert.equal(refused(`# ${'x'.repeat(1 << 20)}\n`).length, 1);
  assert.equal(refused(`profiles: ${'['.repeat(200_000)}\n`).length, 1);
});
