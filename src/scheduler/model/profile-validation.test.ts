import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EVERYTHING } from './label-selector.ts';
import type { SpreadConstraint } from './pod-object.ts';
import { readPod } from './pod-reader.ts';
import { profileErrors } from './profile-validation.ts';
import { DEFAULT_PROFILE, type SchedulerProfile } from './scheduler-profile.ts';

const errors = (change: Partial<SchedulerProfile>): string[] =>
  profileErrors({ ...DEFAULT_PROFILE, ...change }, 'profiles[0]');

test('the default profile is good', () => {
  assert.deepEqual(errors({}), []);
});

/** As kube-scheduler 1.36.3 printed them at its start, each configuration with these arguments first. */
test('what kube-scheduler refuses is refused in its words', () => {
  const first = (change: Partial<SchedulerProfile>): string[] =>
    profileErrors({ ...DEFAULT_PROFILE, ...change }, 'profiles[0]', () => 'pluginConfig[0]');
  assert.deepEqual(first({ schedulerName: '' }), ['profiles[0].schedulerName: Required value']);
  assert.deepEqual(first({ percentageOfNodesToScore: 101 }), [
    'profiles[0].percentageOfNodesToScore: Invalid value: 101: not in valid range [0-100]',
  ]);
  assert.deepEqual(first({ affinity: { ...DEFAULT_PROFILE.affinity, hardPodAffinityWeight: 101 } }), [
    'profiles[0].pluginConfig[0].args.hardPodAffinityWeight: Invalid value: 101: not in valid range [0, 100]',
  ]);
  assert.deepEqual(first({ preemption: { minCandidateNodesPercentage: 0, minCandidateNodesAbsolute: 0 } }), [
    'profiles[0].pluginConfig[0].args.minCandidateNodesPercentage: Invalid value: 0: cannot be zero at the same time as minCandidateNodesAbsolute',
    'profiles[0].pluginConfig[0].args.minCandidateNodesAbsolute: Invalid value: 0: cannot be zero at the same time as minCandidateNodesPercentage',
  ]);
  assert.deepEqual(first({ preemption: { minCandidateNodesPercentage: 101, minCandidateNodesAbsolute: -1 } }), [
    'profiles[0].pluginConfig[0].args.minCandidateNodesPercentage: Invalid value: 101: not in valid range [0, 100]',
    'profiles[0].pluginConfig[0].args.minCandidateNodesAbsolute: Invalid value: -1: not in valid range [0, inf)',
  ]);
  assert.deepEqual(first({ bindTimeoutSeconds: -1 }), [
    'profiles[0].pluginConfig[0].args.bindTimeoutSeconds: Invalid value: -1: invalid BindTimeoutSeconds, should not be a negative value',
  ]);
  const twice = [
    { name: 'cpu', weight: 1 },
    { name: 'cpu', weight: 2 },
  ];
  assert.deepEqual(first({ balancedResources: twice }), [
    'profiles[0].pluginConfig[0].args.resources[1].name: Duplicate value: "cpu"',
    'profiles[0].pluginConfig[0].args.resources[1].weight: Invalid value: 2: must be 1',
  ]);
});

const NAME_RULE =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character " +
  "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

test('errors of NodeResourcesFit, of spread and of added affinity are its words, too', () => {
  const shape = [
    { utilization: 50, score: 11 },
    { utilization: 50, score: 1 },
  ];
  const fit = {
    ...DEFAULT_PROFILE.fit,
    strategy: 'RequestedToCapacityRatio',
    ignoredResources: ['a b'],
    ignoredResourceGroups: ['x/y'],
    resources: [{ name: 'cpu', weight: 101 }],
    shape,
  } as const;
  assert.deepEqual(errors({ fit }), [
    `ignoredResources[0]: Invalid value: "a b": ${NAME_RULE}`,
    "ignoredResourceGroups[0]: Invalid value: \"x/y\": resource group name can't contain '/'",
    'scoringStrategy.resources[0].weight: Invalid value: 101: resource weight of cpu not in valid range (0, 100]',
    'scoringStrategy.requestedToCapacityRatio.shape[1].utilization: Invalid value: 50: values must be sorted in increasing order',
    'scoringStrategy.requestedToCapacityRatio.shape[0].score: Invalid value: 11: not in valid range [0, 10]',
  ]);
  assert.deepEqual(errors({ fit: { ...DEFAULT_PROFILE.fit, strategy: 'RequestedToCapacityRatio' } }), [
    'scoringStrategy.requestedToCapacityRatio: Required value: must be specified when type is RequestedToCapacityRatio',
  ]);
  assert.deepEqual(errors({ fit: { ...DEFAULT_PROFILE.fit, shape: [{ utilization: 0, score: 0 }] } }), [
    'scoringStrategy.requestedToCapacityRatio: Forbidden: must be nil when type is not RequestedToCapacityRatio',
  ]);
  const spreading = (topologyKey: string, maxSkew = 1): SpreadConstraint => ({
    maxSkew,
    topologyKey,
    isHard: true,
    selector: EVERYTHING,
    minDomains: 1,
    honorsAffinity: true,
    honorsTaints: false,
  });
  const defaults = [spreading('a b', 0), spreading('z'), spreading('z'), spreading('')];
  const at = 'profiles[0].pluginConfig[PodTopologySpread].args.defaultConstraints';
  assert.deepEqual(errors({ spread: { defaulting: 'List', defaults } }), [
    `${at}[0].maxSkew: Invalid value: 0: not in valid range (0, inf)`,
    `${at}[0].topologyKey: Invalid value: "a b": ${NAME_RULE}`,
    `${at}[2]: Duplicate value: "{z, DoNotSchedule}"`,
    `${at}[3].topologyKey: Required value: can not be empty`,
  ]);
});

test('a term that cannot be parsed is told with its field', () => {
  const read = readPod({
    metadata: { name: 'p' },
    spec: {
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchExpressions: [{ key: 'a', operator: 'In' }] }],
          },
          preferredDuringSchedulingIgnoredDuringExecution: [
            { weight: 1, preference: { matchFields: [{ key: 'metadata.name', operator: 'Gt', values: ['a'] }] } },
          ],
        },
      },
    },
  });
  assert.ok('object' in read);
  const { requiredNodes, preferredNodes } = read.object;
  const nodeAffinity = { addedRequired: requiredNodes.selector, addedPreferred: preferredNodes };
  const at = 'profiles[0].pluginConfig[NodeAffinity].args.addedAffinity';
  assert.deepEqual(errors({ nodeAffinity }), [
    `${at}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values: Invalid value: null: for 'in', 'notin' operators, values set can't be empty`,
    `${at}.preferredDuringSchedulingIgnoredDuringExecution[0].matchFields[0].operator: Unsupported value: "Gt": supported values: "In", "NotIn"`,
  ]);
});
