import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Situation } from './situation-fixture.ts';

const UNHELPFUL = 'no new claims to deallocate, preemption: 0';

test('reasons are counted and sorted as strings, the count first', () => {
  const situation = new Situation();
  for (let index = 0; index < 10; index++) situation.node(`a${index}`, { allocatable: { cpu: '1' } });
  for (let index = 0; index < 2; index++) situation.node(`b${index}`, { unschedulable: true });
  assert.equal(
    situation.message({ asks: { cpu: '2' } }),
    `0/12 nodes are available: 10 Insufficient cpu, 2 node(s) were unschedulable. ${UNHELPFUL}/12 nodes are available: ` +
      '12 Preemption is not helpful for scheduling.',
  );
});

test('a node gives all reasons of the first plugin that refuses it, and none of the others', () => {
  const situation = new Situation().node('n', { allocatable: { cpu: '1', memory: '1Gi', pods: '0' } });
  assert.match(
    situation.message({ asks: { cpu: '2', memory: '2Gi' }, spec: { topologySpreadConstraints: [] } }),
    /^0\/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 1 Too many pods\. /,
  );
});

test('without nodes there is a text of its own', () => {
  assert.equal(new Situation().message(), 'no nodes available to schedule pods');
});

test('a pod that is refused as a whole has no counts, and DynamicResources finds nothing', () => {
  const spec = { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'c' } }] };
  assert.equal(
    new Situation().node('n').message({ spec }),
    '0/1 nodes are available: persistentvolumeclaim "c" not found. not found',
  );
});

test('nodes that NodeAffinity does not name are not looked at, and counted under its name', () => {
  const terms = [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['none'] }] }];
  const spec = {
    affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } } },
  };
  const situation = new Situation().node('a').node('b');
  assert.match(
    situation.message({ spec }),
    /^0\/2 nodes are available: 2 node\(s\) didn't satisfy plugin\(s\) \[NodeAffinity\]\. /,
  );
  const withEmpty = [...terms, {}];
  const other = {
    affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: withEmpty } } },
  };
  assert.match(situation.message({ spec: other }), /: 2 node\(s\) didn't match Pod's node affinity\/selector\. /);
});

test('the plugin that refused the nominated node is named among those that narrow down the nodes', () => {
  const terms = [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['none'] }] }];
  const spec = {
    affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } } },
  };
  const situation = new Situation().node('a', { unschedulable: true }).node('b');
  assert.match(
    situation.message({ spec, status: { nominatedNodeName: 'a' } }),
    /: 1 node\(s\) didn't satisfy plugin\(s\) \[NodeAffinity NodeUnschedulable\], 1 node\(s\) were unschedulable\. /,
  );
});

test('a pod with preemptionPolicy Never is told so', () => {
  const situation = new Situation().node('n', { allocatable: { cpu: '1' } });
  assert.equal(
    situation.message({ asks: { cpu: '2' }, spec: { preemptionPolicy: 'Never' } }),
    '0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, ' +
      'preemption: not eligible due to preemptionPolicy=Never.',
  );
});
