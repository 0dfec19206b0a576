// Random clusters for tests: objects as the API has them in JSON, the pods that are bound, and those to be placed one
// after another. The same plan is given to schedulers of ours as commands and to a real API server as it is.

import fc from 'fast-check';
import { type ClusterKind, readClusterObject } from './cluster-objects.ts';
import type { ClusterCommand } from './command.ts';
import type { Read } from './json-view.ts';
import { namespaceLabels, node, rarely } from './node-fixture.ts';
import { readNode } from './node-object.ts';
import { PRIORITY_CLASSES, pod } from './pod-fixture.ts';
import { readPod } from './pod-reader.ts';
import { volumes } from './volume-fixture.ts';

export type JsonFields = { readonly [name: string]: unknown };

export interface BoundPod {
  /** With spec.nodeName and status.startTime. */
  readonly pod: JsonFields;
  /** It has been deleted and is still there. */
  readonly isTerminating: boolean;
  readonly phase: 'Running' | 'Succeeded';
}

export interface ClusterPlan {
  readonly nodes: readonly JsonFields[];
  /** Everything but nodes and pods, in an order in which it can be created. */
  readonly objects: readonly { readonly kind: ClusterKind; readonly object: JsonFields }[];
  readonly bound: readonly BoundPod[];
  /** Pods that wait behind a gate, each with a node that is nominated for it. */
  readonly nominated: readonly JsonFields[];
  /** Some of them have a status.nominatedNodeName. */
  readonly pending: readonly JsonFields[];
  /** What happens to nodes in between. */
  readonly changes: readonly NodeChange[];
}

export interface NodeChange {
  /** How many of the pods to be placed come first. */
  readonly after: number;
  /** The node as it is from then on, if it is not gone. */
  readonly node: JsonFields;
  readonly isGone: boolean;
}

export const NAMESPACES: readonly string[] = ['ns1', 'ns2'];

export interface PlanSize {
  readonly nodesMax: number;
  readonly boundMax: number;
  readonly pendingMax: number;
}

const SMALL: PlanSize = { nodesMax: 9, boundMax: 16, pendingMax: 10 };

/** A cluster with every feature mixed. */
export function clusterPlan(size: PlanSize = SMALL): fc.Arbitrary<ClusterPlan> {
  return fc.constantFrom(...Array.from({ length: size.nodesMax }, (_, index) => index + 1)).chain((count) =>
    fc
      .record({
        nodes: fc.tuple(...Array.from({ length: count }, (_, index) => node(index))),
        namespaces: fc.tuple(...NAMESPACES.map(() => namespaceLabels)),
        isCrowded: fc.constantFrom(false, false, false, false, true),
        services: fc.array(service, { maxLength: 2 }),
        owners: fc.subarray(OWNERS),
        budgets: fc.array(budget, { maxLength: 2 }),
        volumes: volumes(count),
        bound: fc.array(boundPod(count), { maxLength: size.boundMax, size: 'max' }),
        changes: rarely(fc.array(nodeChange(count), { minLength: 1, maxLength: 4, size: 'max' }), 3),
        nominated: rarely(fc.array(nominatedPod(count), { minLength: 1, maxLength: 3 }), 3),
        pending: fc.array(pendingPod(count), { minLength: 1, maxLength: size.pendingMax, size: 'max' }),
      })
      .map(
        (parts): ClusterPlan => ({
          nodes: parts.nodes
            .map((node) => (parts.changes === undefined ? node : withoutImages(node)))
            .map((node) => (parts.isCrowded ? small(node) : node)),
          changes: parts.changes ?? [],
          objects: [
            ...parts.namespaces.map((labels, index) => ({
              kind: 'Namespace' as const,
              object: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACES[index], labels } },
            })),
            ...parts.services.map((object, index) => ({
              kind: 'Service' as const,
              object: named(object, `s${index}`),
            })),
            ...parts.owners,
            ...parts.budgets.map((object, index) => ({
              kind: 'PodDisruptionBudget' as const,
              object: named(object, `b${index}`),
            })),
            ...parts.volumes,
          ],
          bound: withoutClashes(parts.bound).map((entry, index) => ({
            ...entry,
            pod: named(entry.pod, `bound-${index}`),
          })),
          nominated: (parts.nominated ?? []).map((object, index) => named(object, `nominated-${index}`)),
          pending: parts.pending
            .map((object, index) => named(object, `pod-${index}`))
            .map((object) => (parts.isCrowded ? prioritised(object, 'high') : object)),
        }),
      ),
  );
}

/** The same where most pods have to make room: nodes are small, and pods have these priorities in turn. */
export function crowded(plan: ClusterPlan, priorities: readonly number[]): ClusterPlan {
  let at = 0;
  const withPriority = (json: JsonFields): JsonFields => {
    const priority = priorities[at++ % priorities.length];
    const spec = { ...(json.spec as JsonFields), priority, priorityClassName: undefined, preemptionPolicy: undefined };
    return { ...json, spec };
  };
  return {
    ...plan,
    nodes: plan.nodes.map(small),
    bound: plan.bound.map((entry) => ({ ...entry, pod: withPriority(entry.pod) })),
    pending: plan.pending.map(withPriority),
  };
}

/** A node that few pods fill, so that room has to be made. */
function small(json: JsonFields): JsonFields {
  const status = json.status as JsonFields;
  const allocatable = { ...(status.allocatable as JsonFields), cpu: '2', memory: '4Gi', pods: '4' };
  return { ...json, spec: {}, status: { ...status, allocatable, capacity: allocatable } };
}

function prioritised(json: JsonFields, name: string): JsonFields {
  const [priorityClassName, priority, preemptionPolicy] = PRIORITY_CLASSES.find((one) => one[0] === name) ?? [
    '',
    0,
    '',
  ];
  return { ...json, spec: { ...(json.spec as JsonFields), priorityClassName, priority, preemptionPolicy } };
}

function named(object: JsonFields, name: string): JsonFields {
  const metadata = object.metadata as JsonFields;
  return { ...object, metadata: { ...metadata, name, uid: `${String(metadata.namespace)}-${name}` } };
}

const inNamespace = fc.constantFrom(...NAMESPACES);

const service: fc.Arbitrary<JsonFields> = fc
  .record({ namespace: inNamespace, app: fc.constantFrom('a', 'b'), tier: rarely(fc.constantFrom('x', 'y')) })
  .map(({ namespace, app, tier }) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace },
    spec: { clusterIP: 'None', selector: tier === undefined ? { app } : { app, tier } },
  }));

/** Owners that pods of pod-fixture.ts name. */
const OWNERS: { kind: ClusterKind; object: JsonFields }[] = NAMESPACES.flatMap((namespace) => [
  {
    kind: 'ReplicaSet' as const,
    object: {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: { name: 'rs-a', namespace },
      spec: { replicas: 0, selector: { matchLabels: { app: 'a' } }, template: template({ app: 'a' }) },
    },
  },
  {
    kind: 'StatefulSet' as const,
    object: {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { name: 'ss-b', namespace },
      spec: {
        replicas: 0,
        serviceName: 's0',
        selector: { matchExpressions: [{ key: 'app', operator: 'In', values: ['b', 'c'] }] },
        template: template({ app: 'b' }),
      },
    },
  },
  {
    kind: 'ReplicationController' as const,
    object: {
      apiVersion: 'v1',
      kind: 'ReplicationController',
      metadata: { name: 'rc-c', namespace },
      spec: { replicas: 0, selector: { app: 'c' }, template: template({ app: 'c' }) },
    },
  },
]);

function template(labels: JsonFields): JsonFields {
  return { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'app:v1' }] } };
}

const budget: fc.Arbitrary<JsonFields> = fc
  .record({ namespace: inNamespace, app: fc.constantFrom('a', 'b', 'c'), disruptionsAllowed: fc.nat(2) })
  .map(({ namespace, app, disruptionsAllowed }) => ({
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { namespace },
    spec: { minAvailable: 1, selector: { matchLabels: { app } } },
    status: { disruptionsAllowed, currentHealthy: 3, desiredHealthy: 1, expectedPods: 3 },
  }));

/** kube-scheduler counts the nodes of an image anew only on nodes that change: where nodes change, there are no images. */
function withoutImages(node: JsonFields): JsonFields {
  return { ...node, status: { ...(node.status as JsonFields), images: [] } };
}

function nodeChange(nodeCount: number): fc.Arbitrary<NodeChange> {
  return fc
    .nat(nodeCount - 1)
    .chain((index) => fc.record({ after: fc.nat(9), node: node(index), isGone: fc.constantFrom(true, false, false) }))
    .map(({ after, node, isGone }) => ({ after, node: withoutImages(node), isGone }));
}

function nominatedTo(pod: JsonFields, nodeIndex: number): JsonFields {
  return { ...pod, status: { nominatedNodeName: `n${nodeIndex}` } };
}

function pendingPod(nodeCount: number): fc.Arbitrary<JsonFields> {
  return fc
    .record({ pod, node: rarely(fc.nat(nodeCount), 12) })
    .map(({ pod, node }) => (node === undefined ? pod : nominatedTo(pod, node)));
}

function nominatedPod(nodeCount: number): fc.Arbitrary<JsonFields> {
  return fc.record({ pod, node: fc.nat(nodeCount - 1) }).map(({ pod, node }) => {
    const spec = pod.spec as JsonFields;
    return nominatedTo({ ...pod, spec: { ...spec, schedulingGates: [{ name: 'example.com/wait' }] } }, node);
  });
}

const START_SECONDS = 1_700_000_000;

/** What a kubelet tells of a container that is resized in place. */
const resizeStatus: fc.Arbitrary<JsonFields> = fc
  .record({
    actuated: fc.constantFrom('50m', '700m', '1500m'),
    allocated: fc.constantFrom('50m', '700m', '2'),
    reason: fc.constantFrom('Deferred', 'Infeasible', undefined),
  })
  .map(({ actuated, allocated, reason }) => ({
    containerStatuses: [
      {
        name: 'c0',
        image: 'i',
        imageID: '',
        ready: true,
        restartCount: 0,
        resources: { requests: { cpu: actuated } },
        allocatedResources: { cpu: allocated },
      },
    ],
    conditions: reason === undefined ? [] : [{ type: 'PodResizePending', status: 'True', reason }],
  }));

function boundPod(nodeCount: number): fc.Arbitrary<BoundPod> {
  return fc
    .record({
      pod,
      node: fc.nat(nodeCount - 1),
      start: fc.nat(5),
      isTerminating: fc.constantFrom(false, false, false, false, false, false, true),
      resize: rarely(resizeStatus, 8),
      phase: fc.constantFrom('Running', 'Running', 'Running', 'Running', 'Running', 'Running', 'Succeeded'),
    })
    .map(({ pod, node, start, isTerminating, resize, phase }): BoundPod => {
      const startTime = new Date((START_SECONDS + start * 60) * 1000).toISOString().replace('.000', '');
      const spec = pod.spec as JsonFields;
      return {
        pod: { ...pod, spec: { ...spec, nodeName: `n${node}` }, status: { startTime, ...resize } },
        // What has finished is gone at once when it is deleted.
        isTerminating: isTerminating && phase !== 'Succeeded',
        phase: phase === 'Succeeded' ? 'Succeeded' : 'Running',
      };
    });
}

/** No two pods of a node with the same host port: kube-scheduler forgets the port when one of them goes. */
function withoutClashes(pods: readonly BoundPod[]): BoundPod[] {
  const taken = new Set<string>();
  return pods.filter(({ pod }) => {
    const read = readPod(named(pod, 'x'));
    if ('reason' in read) return true;
    const { nodeName, hostPorts } = read.object;
    const ports = hostPorts.map(({ port, protocol }) => `${nodeName} ${protocol} ${port}`);
    if (ports.some((port) => taken.has(port)) || new Set(ports).size < ports.length) return false;
    for (const port of ports) taken.add(port);
    return true;
  });
}

/** The cluster of the plan, without the pods to be placed. Throws for an object that readers refuse. */
export function commandsOf(plan: ClusterPlan): ClusterCommand[] {
  return [
    ...plan.objects.map(({ kind, object }) => objectSet(kind, object)),
    ...plan.nodes.map((json): ClusterCommand => ({ kind: 'node-set', node: mustRead(readNode(json)) })),
    ...plan.bound.map(({ pod, isTerminating, phase }) => {
      const metadata = pod.metadata as JsonFields;
      const deleted = isTerminating ? { deletionTimestamp: '2023-11-15T00:00:00Z' } : {};
      const status = pod.status as JsonFields;
      return podSet({ ...pod, metadata: { ...metadata, ...deleted }, status: { ...status, phase } });
    }),
    ...plan.nominated.map(podSet),
  ];
}

export function objectSet(kind: ClusterKind, json: unknown): ClusterCommand & { readonly kind: 'object-set' } {
  return { kind: 'object-set', object: mustRead(readClusterObject(kind, json)) };
}

export function podSet(json: unknown): ClusterCommand & { readonly kind: 'pod-set' } {
  return { kind: 'pod-set', pod: mustRead(readPod(json)) };
}

export function mustRead<T>(read: Read<T>): T {
  if ('reason' in read) throw new Error(read.reason);
  return read.object;
}
