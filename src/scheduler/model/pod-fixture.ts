// Random pods as the API has them in JSON, with every feature that a default plugin looks at, each of them rare enough
// that most pods fit somewhere.

import fc from 'fast-check';
import { IMAGES, present, rarely, ZONES } from './node-fixture.ts';
import type { JsonFields } from './plan-fixture.ts';
import { podVolumes } from './volume-fixture.ts';

const labels: fc.Arbitrary<JsonFields> = fc
  .record({ app: fc.constantFrom('a', 'b', 'c', undefined), tier: fc.constantFrom('x', 'y', undefined) })
  .map(present);

/** Extended resources and huge pages need limits that are the same. */
const resources: fc.Arbitrary<JsonFields> = fc
  .record({
    cpu: fc.constantFrom(undefined, '0', '100m', '250m', '500m', '1', '1001m'),
    memory: fc.constantFrom(undefined, '0', '64Mi', '512Mi', '1Gi', '1500M'),
    'ephemeral-storage': rarely(fc.constantFrom('1Gi', '3Gi'), 10),
    'example.com/gpu': rarely(fc.constantFrom('1', '2'), 14),
    'example.com/fpga': rarely(fc.constant('1'), 40),
    'hugepages-2Mi': rarely(fc.constant('32Mi'), 40),
  })
  .map((asked) => {
    const requests = present(asked['hugepages-2Mi'] === undefined ? asked : { ...asked, cpu: asked.cpu ?? '10m' });
    const limited = Object.entries(requests).filter(([name]) => name.includes('/') || name.startsWith('hugepages'));
    return limited.length === 0 ? { requests } : { requests, limits: Object.fromEntries(limited) };
  });

const port: fc.Arbitrary<JsonFields> = fc
  .record({
    containerPort: fc.constant(80),
    hostPort: fc.constantFrom(8080, 8081),
    hostIP: fc.constantFrom(undefined, '0.0.0.0', '127.0.0.1', '10.0.0.1'),
    protocol: fc.constantFrom('TCP', 'UDP'),
  })
  .map(present);

const container = (name: string): fc.Arbitrary<JsonFields> =>
  fc
    .record({ image: fc.constantFrom(...IMAGES), resources, port: rarely(port, 10) })
    .map(({ port, ...rest }) => ({ name, ...rest, ...(port === undefined ? {} : { ports: [port] }) }));

const initContainer = (name: string): fc.Arbitrary<JsonFields> =>
  fc
    .record({ container: container(name), restartPolicy: fc.constantFrom(undefined, 'Always') })
    .map(({ container, restartPolicy }) => present({ ...container, restartPolicy }));

const expression = (keys: readonly [string, readonly string[]][]): fc.Arbitrary<JsonFields> =>
  fc.constantFrom(...keys).chain(([key, values]) =>
    fc.oneof(
      fc
        .record({ operator: fc.constantFrom('In', 'NotIn'), values: fc.subarray([...values], { minLength: 1 }) })
        .map((rest) => ({ key, ...rest })),
      fc.constantFrom('Exists', 'DoesNotExist').map((operator) => ({ key, operator })),
    ),
  );

const podSelector: fc.Arbitrary<JsonFields> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('a', 'b', 'c').map((app) => ({ matchLabels: { app } })) },
  {
    weight: 2,
    arbitrary: expression([
      ['app', ['a', 'b', 'c']],
      ['tier', ['x', 'y']],
    ]).map((one) => ({ matchExpressions: [one] })),
  },
  { weight: 1, arbitrary: fc.constant({}) },
);

const namespaceSelector: fc.Arbitrary<JsonFields> = fc.oneof(
  fc.constant({}),
  expression([
    ['team', ['red', 'blue']],
    ['env', ['prod']],
  ]).map((one) => ({ matchExpressions: [one] })),
);

const TOPOLOGY_KEYS = [
  'kubernetes.io/hostname',
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'rack',
];

const affinityTerm: fc.Arbitrary<JsonFields> = fc
  .record({
    labelSelector: fc.oneof({ weight: 9, arbitrary: podSelector }, { weight: 1, arbitrary: fc.constant(undefined) }),
    topologyKey: fc.constantFrom(...TOPOLOGY_KEYS),
    namespaces: rarely(fc.constantFrom(['ns1'], ['ns2'], ['ns1', 'ns2']), 5),
    namespaceSelector: rarely(namespaceSelector, 4),
  })
  .map(present);

const podAffinity: fc.Arbitrary<JsonFields> = fc
  .record({
    required: rarely(fc.array(affinityTerm, { minLength: 1, maxLength: 2 }), 2),
    preferred: rarely(
      fc.array(fc.record({ weight: fc.constantFrom(1, 7, 50, 100), podAffinityTerm: affinityTerm }), {
        minLength: 1,
        maxLength: 2,
      }),
      2,
    ),
  })
  .map(({ required, preferred }) =>
    present({
      requiredDuringSchedulingIgnoredDuringExecution: required,
      preferredDuringSchedulingIgnoredDuringExecution: preferred,
    }),
  );

const nodeExpression: fc.Arbitrary<JsonFields> = fc.oneof(
  expression([
    ['disk', ['ssd', 'hdd']],
    ['topology.kubernetes.io/zone', ZONES],
    ['rack', ['1', '2', '']],
  ]),
  fc
    .record({ operator: fc.constantFrom('Gt', 'Lt'), value: fc.constantFrom('0', '3', '5') })
    .map(({ operator, value }) => ({ key: 'size', operator, values: [value] })),
);

const nodeField: fc.Arbitrary<JsonFields> = fc
  .record({ operator: fc.constantFrom('In', 'In', 'NotIn'), name: fc.constantFrom('n0', 'n1', 'n2', 'n99') })
  .map(({ operator, name }) => ({ key: 'metadata.name', operator, values: [name] }));

const nodeTerm: fc.Arbitrary<JsonFields> = fc
  .record({
    matchExpressions: fc.array(nodeExpression, { maxLength: 2 }),
    matchFields: rarely(fc.array(nodeField, { minLength: 1, maxLength: 2 }), 4),
  })
  .map(present);

const nodeAffinity: fc.Arbitrary<JsonFields> = fc
  .record({
    required: rarely(fc.array(nodeTerm, { minLength: 1, maxLength: 2 }), 2),
    preferred: rarely(
      fc.array(fc.record({ weight: fc.constantFrom(1, 10, 100), preference: nodeTerm }), {
        minLength: 1,
        maxLength: 3,
      }),
      2,
    ),
  })
  .map(({ required, preferred }) =>
    present({
      requiredDuringSchedulingIgnoredDuringExecution:
        required === undefined ? undefined : { nodeSelectorTerms: required },
      preferredDuringSchedulingIgnoredDuringExecution: preferred,
    }),
  );

const toleration: fc.Arbitrary<JsonFields> = fc.oneof(
  fc
    .record({
      key: fc.constantFrom('dedicated', 'noisy', 'node.kubernetes.io/unschedulable'),
      operator: fc.constantFrom('Exists', 'Equal'),
      effect: fc.constantFrom(undefined, 'NoSchedule', 'PreferNoSchedule', 'NoExecute'),
    })
    .map((one) => present(one.operator === 'Equal' ? { ...one, value: 'x' } : one)),
  fc.constant({ operator: 'Exists' }),
);

const spreadConstraint: fc.Arbitrary<JsonFields> = fc
  .record({
    maxSkew: fc.constantFrom(1, 2, 3),
    topologyKey: fc.constantFrom(...TOPOLOGY_KEYS),
    whenUnsatisfiable: fc.constantFrom('DoNotSchedule', 'ScheduleAnyway'),
    labelSelector: fc.oneof({ weight: 9, arbitrary: podSelector }, { weight: 1, arbitrary: fc.constant(undefined) }),
    minDomains: rarely(fc.constantFrom(1, 2, 4), 4),
    nodeAffinityPolicy: rarely(fc.constantFrom('Honor', 'Ignore'), 3),
    nodeTaintsPolicy: rarely(fc.constantFrom('Honor', 'Ignore'), 3),
    matchLabelKeys: rarely(fc.constant(['tier']), 5),
  })
  .map((one) => {
    // The API allows minDomains for hard constraints only, and matchLabelKeys only beside a selector without them.
    const minDomains = one.whenUnsatisfiable === 'DoNotSchedule' ? one.minDomains : undefined;
    const clashes = one.labelSelector === undefined || JSON.stringify(one.labelSelector).includes('tier');
    return present({ ...one, minDomains, matchLabelKeys: clashes ? undefined : one.matchLabelKeys });
  });

/** The API refuses two of the same key and action. */
function distinctConstraints(constraints: readonly JsonFields[]): JsonFields[] {
  const seen = new Set<string>();
  return constraints.filter(({ topologyKey, whenUnsatisfiable }) => {
    const kind = JSON.stringify([topologyKey, whenUnsatisfiable]);
    const isNew = !seen.has(kind);
    seen.add(kind);
    return isNew;
  });
}

/** Profiles of profile-fixture.ts. */
const schedulerName = fc.constantFrom(
  'default-scheduler',
  'default-scheduler',
  'default-scheduler',
  'most',
  'ratio',
  'added',
);

/** Priority classes that whoever runs an API server has to create: name, value, preemption policy. */
export const PRIORITY_CLASSES: readonly (readonly [string, number, string])[] = [
  ['middle', 50, 'PreemptLowerPriority'],
  ['high', 100, 'PreemptLowerPriority'],
  ['never', 100, 'Never'],
];

const priority: fc.Arbitrary<JsonFields> = fc.constantFrom(
  {},
  {},
  ...PRIORITY_CLASSES.map(([priorityClassName, value, preemptionPolicy]) => ({
    priorityClassName,
    priority: value,
    preemptionPolicy,
  })),
);

/** RuntimeClass `heavy` has this overhead. */
export const HEAVY_OVERHEAD: JsonFields = { cpu: '120m', memory: '100Mi' };

const OWNERS_OF: Readonly<Record<string, readonly [string, string, string]>> = {
  a: ['apps/v1', 'ReplicaSet', 'rs-a'],
  b: ['apps/v1', 'StatefulSet', 'ss-b'],
  c: ['v1', 'ReplicationController', 'rc-c'],
};

function ownersOf(app: unknown): JsonFields[] | undefined {
  const owner = OWNERS_OF[String(app)];
  if (owner === undefined) return undefined;
  const [apiVersion, kind, name] = owner;
  return [{ apiVersion, kind, name, uid: `uid-${name}`, controller: true }];
}

/** Without a name; named by plan-fixture.ts. */
export const pod: fc.Arbitrary<JsonFields> = fc
  .record({
    namespace: fc.constantFrom('ns1', 'ns1', 'ns2'),
    labels,
    isOwned: fc.constantFrom(true, false, false),
    containers: fc.oneof(
      { weight: 4, arbitrary: fc.tuple(container('c0')) },
      { weight: 1, arbitrary: fc.tuple(container('c0'), container('c1')) },
    ),
    initContainers: rarely(
      fc.oneof(fc.tuple(initContainer('i0')), fc.tuple(initContainer('i0'), initContainer('i1'))),
      6,
    ),
    podLevel: rarely(fc.constantFrom({ cpu: '3' }, { cpu: '3', memory: '3Gi' }, { memory: '4Gi' }), 12),
    isHeavy: fc.constantFrom(true, ...new Array<boolean>(9).fill(false)),
    nodeSelector: rarely(fc.constantFrom({ disk: 'ssd' }, { 'topology.kubernetes.io/zone': 'za' }), 10),
    nodeAffinity: rarely(nodeAffinity, 4),
    podAffinity: rarely(podAffinity, 5),
    podAntiAffinity: rarely(podAffinity, 5),
    tolerations: rarely(fc.array(toleration, { minLength: 1, maxLength: 2 }), 3),
    spread: rarely(fc.array(spreadConstraint, { minLength: 1, maxLength: 3 }).map(distinctConstraints), 4),
    priority,
    schedulerName,
    volumes: rarely(podVolumes, 5),
  })
  .map((parts) => {
    const { nodeAffinity, podAffinity, podAntiAffinity } = parts;
    const affinity = present({ nodeAffinity, podAffinity, podAntiAffinity });
    return {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: present({
        namespace: parts.namespace,
        labels: parts.labels,
        ownerReferences: parts.isOwned ? ownersOf(parts.labels.app) : undefined,
      }),
      spec: present({
        terminationGracePeriodSeconds: 30,
        containers: parts.containers,
        initContainers: parts.initContainers,
        resources: parts.podLevel === undefined ? undefined : { requests: parts.podLevel },
        runtimeClassName: parts.isHeavy ? 'heavy' : undefined,
        overhead: parts.isHeavy ? HEAVY_OVERHEAD : undefined,
        nodeSelector: parts.nodeSelector,
        affinity: Object.keys(affinity).length === 0 ? undefined : affinity,
        tolerations: parts.tolerations,
        topologySpreadConstraints: parts.spread,
        ...parts.priority,
        schedulerName: parts.schedulerName,
        volumes: parts.volumes,
      }),
    };
  });
