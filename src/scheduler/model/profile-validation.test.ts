import assert from 'node:assert/strict';
import { test } from 'node:test';
import { profileErrors } from './profile-validation.ts';
import { DEFAULT_PROFILE, type SchedulerProfile } from './scheduler-profile.ts';

const errors = (change: Partial<SchedulerProfile>): string[] =>
  profileErrors({ ...DEFAULT_PROFILE, ...change }, 'profiles[0]');

test('the default profile is good', () => {
  assert.deepEqual(errors({}), []);
});

test('what kube-scheduler refuses is refused in its words', () => {
  assert.deepEqual(errors({ schedulerName: '' }), ['profiles[0].schedulerName: Required value']);
  assert.deepEqual(errors({ percentageOfNodesToScore: 101 }), [
    'profiles[0].percentageOfNodesToScore: Invalid value: 101: not in valid range [0-100]',
  ]);
  const affinity = { ...DEFAULT_PROFILE.affinity, hardPodAffinityWeight: 101 };
  assert.match(errors({ affinity })[0], /hardPodAffinityWeight: Invalid value: 101: not in valid range \[0, 100\]$/);
  const preemption = { minCandidateNodesPercentage: 0, minCandidateNodesAbsolute: 0 };
  assert.equal(errors({ preemption }).length, 2);
  const shape = [
    { utilization: 50, score: 11 },
    { utilization: 50, score: 1 },
  ];
  const fit = { ...DEFAULT_PROFILE.fit, strategy: 'RequestedToCapacityRatio', shape } as const;
  assert.deepEqual(errors({ fit }), [
    'scoringStrategy.requestedToCapacityRatio.shape[1].utilization: Invalid value: 50: values must be sorted in increasing order',
    'scoringStrategy.requestedToCapacityRatio.shape[0].score: Invalid value: 11: not in valid range [0, 10]',
  ]);
  assert.match(errors({ fit: { ...fit, shape: [] } })[0], /at least one point must be specified$/);
  const twice = [
    { name: 'cpu', weight: 1 },
    { name: 'cpu', weight: 2 },
  ];
  assert.equal(errors({ balancedResources: twice }).length, 2);
});
