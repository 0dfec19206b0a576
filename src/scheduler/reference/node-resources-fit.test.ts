import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ResourceWeight, SchedulerProfile } from '../model/scheduler-profile.ts';
import { DEFAULT_PROFILE } from '../model/scheduler-profile.ts';
import { Situation } from './situation-fixture.ts';

const CPU_AND_MEMORY: readonly ResourceWeight[] = DEFAULT_PROFILE.balancedResources;

function fit(change: Partial<SchedulerProfile['fit']>): Situation {
  return new Situation({ fit: { ...DEFAULT_PROFILE.fit, ...change } });
}

test('a node is full at its last milli-CPU, byte and pod', () => {
  const situation = new Situation()
    .node('n', { allocatable: { cpu: '2', memory: '2Gi', pods: '2' } })
    .pod('other', 'n', { asks: { cpu: '1500m', memory: '1Gi' } });
  assert.deepEqual(situation.refusals({ asks: { cpu: '500m', memory: '1Gi' } }), {});
  assert.deepEqual(situation.refusals({ asks: { cpu: '501m' } }), { n: 'unschedulable: Insufficient cpu' });
  assert.deepEqual(situation.refusals({ asks: { memory: '1073741825' } }), { n: 'unschedulable: Insufficient memory' });
  situation.pod('third', 'n');
  assert.deepEqual(situation.refusals(), { n: 'unschedulable: Too many pods' }, 'also for a pod that asks for nothing');
});

test('what the node can never have is unresolvable, and all that lacks is told', () => {
  const situation = new Situation().node('n', { allocatable: { cpu: '1', memory: '1Gi', 'ephemeral-storage': '1Gi' } });
  const asks = { cpu: '2', memory: '1Gi', 'ephemeral-storage': '2Gi', 'example.com/x': '1', 'hugepages-2Mi': '2Mi' };
  assert.deepEqual(situation.refusals({ asks }), {
    n:
      'unresolvable: Insufficient cpu, Insufficient ephemeral-storage, ' +
      'Insufficient example.com/x, Insufficient hugepages-2Mi',
  });
});

test('resources that the profile ignores are not looked at, if they are extended ones', () => {
  const asks = { 'example.com/x': '1', 'other.com/y': '1', 'hugepages-2Mi': '2Mi' };
  const ignored = { ignoredResources: ['example.com/x', 'hugepages-2Mi'], ignoredResourceGroups: ['other.com'] };
  assert.deepEqual(fit(ignored).node('n').refusals({ asks }), { n: 'unresolvable: Insufficient hugepages-2Mi' });
});

test('finished pods and pods of nodes that are gone take nothing', () => {
  const situation = new Situation()
    .node('n', { allocatable: { cpu: '1' } })
    .pod('done', 'n', { asks: { cpu: '1' }, status: { phase: 'Succeeded' } })
    .pod('ghost', 'gone', { asks: { cpu: '1' } });
  assert.deepEqual(situation.refusals({ asks: { cpu: '1' } }), {});
});

test('LeastAllocated: what is free, in whole hundredths, averaged by weight', () => {
  const situation = new Situation()
    .node('empty', { allocatable: { cpu: '4', memory: '10000Mi' } })
    .node('used', { allocatable: { cpu: '4', memory: '10000Mi' } })
    .pod('other', 'used', { asks: { cpu: '1', memory: '2000Mi' } });
  // empty: (75 + 70) / 2; used: (50 + 50) / 2.
  assert.deepEqual(situation.scores('NodeResourcesFit', { asks: { cpu: '1', memory: '3000Mi' } }), {
    empty: 72,
    used: 50,
  });
});

test('LeastAllocated: a container that asks for nothing counts as 100m and 200 MiB, an explicit zero as zero', () => {
  const situation = new Situation()
    .node('a', { allocatable: { cpu: '1', memory: '1000Mi' } })
    .node('b', { allocatable: { cpu: '1', memory: '1000Mi' } })
    .pod('other', 'b', { asks: {} });
  assert.deepEqual(situation.scores('NodeResourcesFit'), { a: 85, b: 70 });
  assert.deepEqual(situation.scores('NodeResourcesFit', { asks: { cpu: '0', memory: '0' } }), { a: 100, b: 85 });
});

test('the score does not see requests at the level of the incoming pod, but those of pods that are there', () => {
  const podLevel = { resources: { requests: { cpu: '2', memory: '4Gi' } } };
  const container = [{ name: 'c', resources: { requests: { cpu: '1', memory: '1Gi' } } }];
  const situation = new Situation()
    .node('a', { allocatable: { cpu: '4', memory: '8Gi' } })
    .node('b', { allocatable: { cpu: '4', memory: '8Gi' } })
    .pod('other', 'b', { spec: { nodeName: 'b', containers: container, ...podLevel } });
  // a: (75 + 87) / 2; b: (25 + 37) / 2.
  assert.deepEqual(situation.scores('NodeResourcesFit', { spec: { containers: container, ...podLevel } }), {
    a: 81,
    b: 31,
  });
});

test('MostAllocated: what is taken, and a scalar only for pods that ask for it', () => {
  const resources = [...CPU_AND_MEMORY, { name: 'example.com/x', weight: 2 }];
  const situation = fit({ strategy: 'MostAllocated', resources })
    .node('a', { allocatable: { cpu: '4', memory: '4Gi', 'example.com/x': '4' } })
    .node('b', { allocatable: { cpu: '4', memory: '4Gi' } });
  const asks = { cpu: '1', memory: '2Gi' };
  assert.deepEqual(situation.scores('NodeResourcesFit', { asks }), { a: 37, b: 37 });
  situation.node('b', { allocatable: { cpu: '4', memory: '4Gi', 'example.com/x': '1' } });
  // (25 + 50 + 2 × 25) / 4; (25 + 50 + 2 × 100) / 4.
  assert.deepEqual(situation.scores('NodeResourcesFit', { asks: { ...asks, 'example.com/x': '1' } }), { a: 31, b: 68 });
});

test('RequestedToCapacityRatio: resources that score nothing drop out with their weight, and the mean is rounded', () => {
  const shape = [
    { utilization: 0, score: 0 },
    { utilization: 50, score: 10 },
    { utilization: 100, score: 5 },
  ];
  const situation = fit({ strategy: 'RequestedToCapacityRatio', shape, resources: CPU_AND_MEMORY })
    .node('a', { allocatable: { cpu: '4', memory: '4000Mi' } })
    .node('b', { allocatable: { cpu: '2', memory: '4000Mi' } });
  // a: cpu 25 % → 50, memory 0 % → 0, left out. b: cpu 50 % → 100, memory left out.
  assert.deepEqual(situation.scores('NodeResourcesFit', { asks: { cpu: '1', memory: '0' } }), { a: 50, b: 100 });
  // a: 25 % → 50 and 75 % → 75: 62.5, rounded up. b: 50 % → 100 and 75: 87.5.
  assert.deepEqual(situation.scores('NodeResourcesFit', { asks: { cpu: '1', memory: '3000Mi' } }), { a: 63, b: 88 });
});

test('RequestedToCapacityRatio: between points in whole numbers towards zero, also downwards', () => {
  const shape = [
    { utilization: 0, score: 10 },
    { utilization: 3, score: 9 },
  ];
  const resources = [{ name: 'cpu', weight: 1 }];
  const situation = fit({ strategy: 'RequestedToCapacityRatio', shape, resources })
    .node('a', { allocatable: { cpu: '100', memory: '4Gi' } })
    .node('b', { allocatable: { cpu: '50', memory: '4Gi' } });
  // −10 × 1 / 3 is −3 and −10 × 2 / 3 is −6.
  assert.deepEqual(situation.scores('NodeResourcesFit', { asks: { cpu: '1' } }), { a: 97, b: 94 });
});

test('scores of nodes larger than a double can multiply by 100 are exact', () => {
  const situation = new Situation()
    .node('a', { allocatable: { cpu: '4', memory: '300000000000001' } })
    .node('b', { allocatable: { cpu: '4', memory: '300000000000001' } });
  const asks = { cpu: '4', memory: '3000000000001' };
  // (C − r) × 100 / C is 98.99…: 98, and (0 + 98) / 2.
  assert.deepEqual(situation.scores('NodeResourcesFit', { asks }), { a: 49, b: 49 });
});

test('BalancedAllocation: 75 where nothing changes, more where the pod evens out, less where it does not', () => {
  const situation = new Situation()
    .node('even', { allocatable: { cpu: '4', memory: '4Gi' } })
    .node('helped', { allocatable: { cpu: '4', memory: '4Gi' } })
    .node('hurt', { allocatable: { cpu: '4', memory: '4Gi' } })
    .pod('other', 'helped', { asks: { memory: '2Gi' } })
    .pod('another', 'hurt', { asks: { cpu: '2' } });
  // helped: before 75, after 100: 50 + (50 + 25) / 2. hurt: before 75, after 50: 50 + 25 / 2. even: 100 to 75.
  assert.deepEqual(situation.scores('NodeResourcesBalancedAllocation', { asks: { cpu: '2' } }), {
    even: 62,
    helped: 87,
    hurt: 62,
  });
  const even = { cpu: '1', memory: '1Gi' };
  assert.equal(situation.scores('NodeResourcesBalancedAllocation', { asks: even }).even, 75);
});

test('BalancedAllocation: has nothing to say of a pod that asks for nothing, or for zero', () => {
  const situation = new Situation().node('a').node('b');
  assert.deepEqual(situation.scores('NodeResourcesBalancedAllocation'), { a: undefined, b: undefined });
  assert.equal(situation.scores('NodeResourcesBalancedAllocation', { asks: { cpu: '0' } }).a, undefined);
});

test('BalancedAllocation: a resource that the node does not have is left out; of three the deviation counts', () => {
  const resources = ['cpu', 'memory', 'example.com/x'].map((name) => ({ name, weight: 1 }));
  const situation = new Situation({ balancedResources: resources })
    .node('three', { allocatable: { cpu: '10', memory: '10Gi', 'example.com/x': '10' } })
    .node('without', { allocatable: { cpu: '0', memory: '10Gi', 'example.com/x': '10' } });
  const asks = { cpu: '0', memory: '5Gi', 'example.com/x': '10' };
  // three: fractions 0, 0.5, 1: deviation √(1/6) = 0.408…: 59. 50 + (50 + 59 − 100) / 2.
  // without: 0.5 and 1: 75. 50 + (50 + 75 − 100) / 2.
  assert.deepEqual(situation.scores('NodeResourcesBalancedAllocation', { asks }), { three: 54, without: 62 });
});
