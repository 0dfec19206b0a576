// A pod that waits because of nodes and of other pods, and what lets it in: for each interest of the plugins that look at these.

import type { ClusterCommand } from '../model/command.ts';
import { objectSet } from '../model/plan-fixture.ts';
import { gone, HOST, node, nodeGone, object, on, pod, ROOM, type Situations, ZONE } from './situation-fixture.ts';

const CORDONED = { unschedulable: true };
const TAINTED = { taints: [{ key: 't', effect: 'NoSchedule' }] };
const FULL = { pods: '0' };
const APP = { labels: { app: 'a' } };
const LEAVING = { ...APP, deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 30 };
const PORT = { containers: [{ name: 'c', image: 'i', ports: [{ containerPort: 1, hostPort: 80 }] }] };
const RESTARTS = {
  containers: [{ name: 'c', image: 'i', restartPolicyRules: [{ action: 'RestartAllContainers' }] }],
};
const HAS_FEATURE = { status: { allocatable: ROOM, declaredFeatures: ['RestartAllContainersOnContainerExits'] } };

const cpu = (amount: string): object => ({
  containers: [{ name: 'c', image: 'i', resources: { requests: { cpu: amount } } }],
});
function spread(more: object = {}): object {
  const constraint = { topologyKey: ZONE, maxSkew: 1, whenUnsatisfiable: 'DoNotSchedule', ...more };
  return { topologySpreadConstraints: [{ ...constraint, labelSelector: { matchLabels: APP.labels } }] };
}

function affine(kind: 'podAffinity' | 'podAntiAffinity', topologyKey: string, more: object = {}): object {
  const term = { topologyKey, labelSelector: { matchLabels: APP.labels }, ...more };
  return { affinity: { [kind]: { requiredDuringSchedulingIgnoredDuringExecution: [term] } } };
}

/** A spread by a profile's own constraint counts the pods of this service. */
const service = (selector: object): ClusterCommand => object('Service', 's', { spec: { selector } });
const BY_DEFAULT = { schedulerName: 'ratio' };

/** A pod of the application counts in the first zone, none in the second, where no pod may go. */
const UNEVEN = [node('n1', { zone: 'z1' }), node('n2', { zone: 'z2', spec: CORDONED }), on('n1', pod('a', {}, APP))];

export const CLUSTER_SITUATIONS: Situations = {
  NodeUnschedulable: [
    ['a node comes that is not cordoned', 'node-added', [node('n1', { spec: CORDONED })], pod('p'), node('n2')],
    ['a cordon is lifted', 'node-taints', [node('n1', { spec: CORDONED })], pod('p'), node('n1')],
  ],
  TaintToleration: [
    ['a node comes without a taint', 'node-added', [node('n1', { spec: TAINTED })], pod('p'), node('n2')],
    ['a taint is taken away', 'node-taints', [node('n1', { spec: TAINTED })], pod('p'), node('n1')],
  ],
  NodeAffinity: [
    [
      'a node comes with the label',
      'node-added',
      [node('n1')],
      pod('p', { nodeSelector: { [ZONE]: 'z1' } }),
      node('n2', { zone: 'z1' }),
    ],
    [
      'a node gets the label',
      'node-labels',
      [node('n1')],
      pod('p', { nodeSelector: { [ZONE]: 'z1' } }),
      node('n1', { zone: 'z1' }),
    ],
  ],
  NodePorts: [
    [
      'a node comes whose port is free',
      'node-added',
      [node('n1'), on('n1', pod('a', PORT))],
      pod('p', PORT),
      node('n2'),
    ],
    [
      'a host port is free again',
      'pod-removed',
      [node('n1'), on('n1', pod('a', PORT))],
      pod('p', PORT),
      gone(pod('a')),
    ],
  ],
  NodeResourcesFit: [
    ['a node comes that has room', 'node-added', [node('n1', { room: { cpu: '1' } })], pod('p', cpu('2')), node('n2')],
    ['a node grows', 'node-grown', [node('n1', { room: { cpu: '1' } })], pod('p', cpu('2')), node('n1')],
    ['a node may have more pods', 'node-grown', [node('n1', { room: FULL })], pod('p'), node('n1')],
    ['a pod goes', 'pod-removed', [node('n1'), on('n1', pod('a', cpu('3')))], pod('p', cpu('2')), gone(pod('a'))],
    [
      'a pod is made smaller where it is',
      'pod-scaled-down',
      [node('n1'), on('n1', pod('a', cpu('3')))],
      pod('p', cpu('2')),
      on('n1', pod('a', cpu('1'))),
    ],
  ],
  PodTopologySpread: [
    [
      'a node comes in another domain',
      'node-added',
      [node('n1', { zone: 'z1' }), on('n1', pod('a', {}, APP))],
      pod('p', spread({ minDomains: 2 }), APP),
      node('n2', { zone: 'z2' }),
    ],
    [
      'the node goes that kept the least count of a domain down',
      'node-removed',
      UNEVEN,
      pod('p', spread(), APP),
      nodeGone('n2'),
    ],
    [
      'a node gets the label of a domain',
      'node-labels',
      [node('n1', { zone: 'z1' }), node('n2'), on('n1', pod('a', {}, APP))],
      pod('p', spread({ minDomains: 2 }), APP),
      node('n2', { zone: 'z2' }),
    ],
    [
      'a taint leaves out the domain with the least count',
      'node-taints',
      [node('n1', { zone: 'z1' }), node('n2', { zone: 'z2', room: FULL }), on('n1', pod('a', {}, APP))],
      pod('p', spread({ nodeTaintsPolicy: 'Honor' }), APP),
      node('n2', { zone: 'z2', room: FULL, spec: TAINTED }),
    ],
    [
      'a pod comes to the domain with the least count',
      'pod-added',
      UNEVEN,
      pod('p', spread(), APP),
      on('n2', pod('b', {}, APP)),
    ],
    ['a pod that was counted goes', 'pod-removed', UNEVEN, pod('p', spread(), APP), gone(pod('a'))],
    [
      'a pod that was counted is another one by its labels',
      'pod-labels',
      UNEVEN,
      pod('p', spread(), APP),
      on('n1', pod('a', {}, { labels: { app: 'b' } })),
    ],
    [
      'a pod that was counted is on its way out',
      'pod-leaving',
      UNEVEN,
      pod('p', spread(), APP),
      on('n1', pod('a', {}, LEAVING)),
    ],
    [
      'a service selects other pods',
      'object-changed',
      [...UNEVEN, on('n1', pod('b', {}, APP)), service(APP.labels)],
      pod('p', BY_DEFAULT, { labels: { app: 'a', tier: 'x' } }),
      service({ tier: 'x' }),
    ],
  ],
  InterPodAffinity: [
    [
      'a node comes without the other pod',
      'node-added',
      [node('n1'), on('n1', pod('a', {}, APP))],
      pod('p', affine('podAntiAffinity', HOST)),
      node('n2'),
    ],
    [
      'the node goes that the other pod is on',
      'node-removed',
      [node('n1', { zone: 'z1' }), node('n2', { zone: 'z1' }), on('n1', pod('a', {}, APP))],
      pod('p', affine('podAntiAffinity', ZONE)),
      nodeGone('n1'),
    ],
    [
      'a node leaves the domain of the other pod',
      'node-labels',
      [node('n1', { zone: 'z1' }), node('n2', { zone: 'z1' }), on('n1', pod('a', {}, APP))],
      pod('p', affine('podAntiAffinity', ZONE)),
      node('n2', { zone: 'z2' }),
    ],
    [
      'the pod comes that it wants to be with',
      'pod-added',
      [node('n1')],
      pod('p', affine('podAffinity', HOST)),
      on('n1', pod('a', {}, APP)),
    ],
    [
      'the pod goes that it keeps away from',
      'pod-removed',
      [node('n1'), on('n1', pod('a', {}, APP))],
      pod('p', affine('podAntiAffinity', HOST)),
      gone(pod('a')),
    ],
    [
      'the pod that it keeps away from is another one by its labels',
      'pod-labels',
      [node('n1'), on('n1', pod('a', {}, APP))],
      pod('p', affine('podAntiAffinity', HOST)),
      on('n1', pod('a')),
    ],
    [
      'the namespace of the other pod is one of those that it names',
      'object-changed',
      [node('n1'), on('n1', pod('a', {}, { ...APP, namespace: 'other' }))],
      pod('p', affine('podAffinity', HOST, { namespaceSelector: { matchLabels: { team: 'x' } } })),
      objectSet('Namespace', { metadata: { name: 'other', labels: { team: 'x' } } }),
    ],
  ],
  NodeDeclaredFeatures: [
    ['a node comes that has the feature', 'node-added', [node('n1')], pod('p', RESTARTS), node('n2', HAS_FEATURE)],
    ['a node gets the feature', 'node-features', [node('n1')], pod('p', RESTARTS), node('n1', HAS_FEATURE)],
  ],
};
