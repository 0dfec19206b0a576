import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matchesLabels } from './label-selector.ts';
import { readNode } from './node-object.ts';
import { matchesRequiredNodes } from './node-selector.ts';
import type { PodObject } from './pod-object.ts';
import { readPod } from './pod-reader.ts';
import { intolerableCount, toleratesNode } from './toleration.ts';

function pod(spec: object, more: object = {}): PodObject {
  const read = readPod({ metadata: { name: 'p', namespace: 'n', uid: 'u', labels: { app: 'a' } }, spec, ...more });
  if ('reason' in read) throw new Error(read.reason);
  return read.object;
}

const asks = (cpu?: string, memory?: string): object => ({
  resources: { requests: { ...(cpu === undefined ? {} : { cpu }), ...(memory === undefined ? {} : { memory }) } },
});

test('sidecars count beside what runs after them, and the highest peak counts', () => {
  const { toFit } = pod({
    initContainers: [
      { name: 'a', ...asks('3') },
      { name: 's', restartPolicy: 'Always', ...asks('1') },
      { name: 'b', ...asks('2500m') },
    ],
    containers: [{ name: 'c', ...asks('1') }],
  }).requests;
  assert.equal(toFit.milliCpu, 3500);
});

test('the overhead comes on top, also of requests at the level of the pod', () => {
  const containers = [{ name: 'c', ...asks('1', '1Gi') }];
  assert.equal(pod({ containers, overhead: { cpu: '100m' } }).requests.toFit.milliCpu, 1100);
  const { toFit, toScore, onNodeScored } = pod({
    containers,
    overhead: { cpu: '100m' },
    resources: { requests: { cpu: '4', 'example.com/x': '7' } },
  }).requests;
  assert.equal(toFit.milliCpu, 4100);
  assert.equal(toFit.scalars.size, 0, 'only cpu, memory and huge pages have a level of the pod');
  assert.equal(toScore.milliCpu, 1100, 'which the scores of NodeResourcesFit do not see');
  assert.equal(onNodeScored.milliCpu, 4100);
});

test('a container without a request counts as 100m and 200 MiB when nodes are scored; an explicit zero stays zero', () => {
  const { toFit, toScore, onNodeScored } = pod({
    containers: [{ name: 'a' }, { name: 'b', ...asks('0', '0') }],
  }).requests;
  assert.equal(toFit.milliCpu, 0);
  assert.equal(toScore.milliCpu, 100);
  assert.equal(toScore.memory, 209_715_200);
  assert.deepEqual(onNodeScored, { milliCpu: 100, memory: 209_715_200 });
  const podLevel = pod({ containers: [{ name: 'a' }], resources: { requests: { cpu: '1' } } }).requests;
  assert.deepEqual(podLevel.onNodeScored, { milliCpu: 1000, memory: 209_715_200 }, 'the default of what is missing');
});

test('a pod that is resized in place takes the largest of asked, allocated and actuated', () => {
  const spec = { containers: [{ name: 'c', ...asks('1', '1Gi') }] };
  const status = (reason: string): object => ({
    status: {
      containerStatuses: [{ name: 'c', allocatedResources: { cpu: '2' }, ...asks('500m', '3Gi') }],
      conditions: reason === '' ? [] : [{ type: 'PodResizePending', reason }],
    },
  });
  const { onNode, toFit } = pod(spec, status('')).requests;
  assert.equal(onNode.milliCpu, 2000);
  assert.equal(onNode.memory, 3 * 2 ** 30);
  assert.equal(toFit.milliCpu, 1000, 'the status says nothing about a pod to be placed');
  const grown = { containers: [{ name: 'c', ...asks('8', '1Gi') }] };
  assert.equal(pod(grown, status('Deferred')).requests.onNode.milliCpu, 8000);
  assert.equal(pod(grown, status('Infeasible')).requests.onNode.milliCpu, 2000);
});

test('amounts beyond what a double holds fit nowhere', () => {
  const read = readNode({
    metadata: { name: 'n' },
    status: { allocatable: { memory: '9007199254740993', pods: '1' } },
  });
  assert.ok('object' in read);
  const huge = pod({ containers: [{ name: 'c', ...asks('1', '9007199254740993') }] });
  assert.ok(huge.requests.toFit.memory > read.object.allocatable.memory);
});

test('selectors: absent selects nothing, empty everything, and matchLabelKeys add the pod’s own values', () => {
  const constraint = { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' };
  const { spreadConstraints } = pod({
    topologySpreadConstraints: [
      constraint,
      { ...constraint, labelSelector: {} },
      { ...constraint, labelSelector: {}, matchLabelKeys: ['app', 'missing'] },
    ],
  });
  const labels = new Map([['app', 'b']]);
  assert.deepEqual(
    spreadConstraints.map(({ selector }) => matchesLabels(selector, labels)),
    [false, true, false],
  );
});

test('node selector terms are alternatives; empty ones and those that cannot be parsed match nothing', () => {
  const terms = (...nodeSelectorTerms: object[]): PodObject =>
    pod({
      affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } },
    });
  const node = { name: 'n1', labels: new Map([['size', '7']]) };
  const matches = (...list: object[]): boolean => matchesRequiredNodes(terms(...list).requiredNodes, node);
  const expression = (operator: string, ...values: string[]): object => ({
    matchExpressions: [{ key: 'size', operator, values }],
  });
  assert.equal(matches(), false);
  assert.equal(matches({}), false);
  assert.equal(matches(expression('Gt', '6')), true);
  assert.equal(matches(expression('Gt', '7')), false);
  assert.equal(matches(expression('Gt', 'x')), false);
  assert.equal(matches(expression('Gt', 'x'), expression('Exists')), true);
  assert.equal(matches({ matchExpressions: [{ key: 'none', operator: 'NotIn', values: ['a'] }] }), true);
  const field = (operator: string, ...values: string[]): object => ({
    matchFields: [{ key: 'metadata.name', operator, values }],
  });
  assert.equal(matches(field('In', 'n1')), true);
  assert.equal(matches(field('NotIn', 'n1')), false);
  assert.equal(matches(field('In', 'n1', 'n2')), false, 'exactly one value');
});

test('tolerations', () => {
  const taint = (effect: string, value = ''): { key: string; value: string; effect: string } => ({
    key: 'k',
    value,
    effect,
  });
  const tolerations = (...list: object[]): PodObject['tolerations'] => pod({ tolerations: list }).tolerations;
  assert.equal(toleratesNode(tolerations(), [taint('PreferNoSchedule')]), true);
  assert.equal(toleratesNode(tolerations(), [taint('NoExecute')]), false);
  assert.equal(toleratesNode(tolerations({ operator: 'Exists' }), [taint('NoSchedule', 'x')]), true);
  assert.equal(toleratesNode(tolerations({ key: 'k', value: 'x' }), [taint('NoSchedule', 'x')]), true);
  assert.equal(toleratesNode(tolerations({ key: 'k', operator: 'Gt', value: '1' }), [taint('NoSchedule', '2')]), false);
  const preferring = [taint('PreferNoSchedule', 'a'), taint('PreferNoSchedule', 'b')];
  assert.equal(intolerableCount(tolerations({ key: 'k', value: 'a' }), preferring), 1);
  assert.equal(intolerableCount(tolerations({ key: 'k', value: 'a', effect: 'NoSchedule' }), preferring), 2);
});

test('ports, images and disks are normalised', () => {
  const { hostPorts, images, containerCount, volumes } = pod({
    containers: [
      { name: 'a', image: 'host:5000/img', ports: [{ hostPort: 80 }, { containerPort: 1 }] },
      { name: 'b', image: 'img:v1' },
    ],
    initContainers: [{ name: 'i', image: 'img', ports: [{ hostPort: 81 }] }],
    volumes: [
      { name: 'v', ephemeral: { volumeClaimTemplate: {} } },
      { name: 'w', image: { reference: 'data' } },
      { name: 'x', rbd: { monitors: ['m'], image: 'i' } },
    ],
  });
  assert.deepEqual(hostPorts, [{ ip: '0.0.0.0', protocol: 'TCP', port: 80 }]);
  assert.deepEqual(images, ['img:latest', 'host:5000/img:latest', 'img:v1', 'data:latest']);
  assert.equal(containerCount, 3);
  assert.equal(volumes[0].claimName, 'p-v');
  assert.equal(volumes[2].disk?.id, '["rbd","i"]');
});

test('a hostile object is refused with the field to blame', () => {
  const reason = (json: unknown): string => {
    const read = readPod(json);
    return 'reason' in read ? read.reason : '';
  };
  assert.equal(reason(7), 'the object: is not an object');
  assert.equal(reason({ metadata: {} }), 'metadata.name: is required');
  assert.equal(reason({ metadata: { name: 'p', labels: { a: 1 } } }), 'metadata.labels: "a" is not a string');
  const bad = { metadata: { name: 'p' }, spec: { containers: [{ resources: { requests: { cpu: '1x' } } }] } };
  assert.match(reason(bad), /^spec\.containers\[0\]\.resources\.requests\.cpu: quantities must match/);
  assert.equal(reason({ metadata: { name: 'p' }, spec: { priority: 1.5 } }), 'spec.priority: is not an integer');
  assert.equal(reason({ metadata: { name: 'p' }, spec: { containers: {} } }), 'spec.containers: is not a list');
});

test('a selector of pod affinity that cannot be parsed empties its list and is told', () => {
  const bad = { labelSelector: { matchExpressions: [{ key: 'a', operator: 'In', values: [] }] }, topologyKey: 'k' };
  const { affinity, affinityProblem } = pod({
    affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [bad] } },
  });
  assert.deepEqual(affinity.required, []);
  assert.match(affinityProblem, /^requiredAffinityTerms: /);
});
