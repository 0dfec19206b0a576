/** Random configurations with few names and values, so that many are nearly right. */
import fc from 'fast-check';
import { ARGUMENTS } from '../../src/scheduler/configuration/plugin-arguments.ts';
import { EXTENSION_POINTS, PLUGINS } from '../../src/scheduler/configuration/plugin-catalogue.ts';

const pluginName = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom(...PLUGINS.keys()) },
  { weight: 1, arbitrary: fc.constantFrom('Foo', 'EBSLimits', '') },
);

const weight = fc.option(fc.constantFrom(0, 1, 3, 100, -1, 2_147_483_647), { nil: undefined });

const enabled = fc.array(fc.record({ name: pluginName, weight }), { maxLength: 3 });
const disabled = fc.array(fc.record({ name: fc.oneof({ weight: 5, arbitrary: pluginName }, fc.constant('*')) }), {
  maxLength: 2,
});

const pluginSet = fc.record({ enabled, disabled }, { requiredKeys: [] });

const plugins = fc
  .dictionary(
    fc.oneof(
      { weight: 1, arbitrary: fc.constant('multiPoint') },
      { weight: 2, arbitrary: fc.constantFrom(...EXTENSION_POINTS) },
    ),
    pluginSet,
    { maxKeys: 2 },
  )
  // Go prints the arguments of a plugin that is no queue sort in a form of their own when two profiles name it for one.
  .map(({ queueSort, ...sets }) =>
    ARGUMENTS.has(queueSort?.enabled?.[0]?.name ?? '') ? sets : { ...sets, ...(queueSort && { queueSort }) },
  );

const number = fc.constantFrom(0, 1, 2, 50, 100, 101, -1);
const duration = fc.constantFrom('0s', '1s', '-1s', '500ms', '90s', '1h0.5s', 'x');
const name = fc.constantFrom('cpu', 'memory', 'a.b/c', 'a b', '', 'A_b.c', '/x', 'x/');
const resource = fc.record({ name, weight: number }, { requiredKeys: ['name'] });
const point = fc.record({ utilization: number, score: fc.constantFrom(0, 5, 10, 11) });
const operator = fc.constantFrom('In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt', 'in');
const requirement = fc.record(
  { key: name, operator, values: fc.array(fc.constantFrom('a', '3', 'a b', ''), { maxLength: 2 }) },
  { requiredKeys: ['key', 'operator'] },
);
const term = fc.record(
  {
    matchExpressions: fc.array(requirement, { maxLength: 2 }),
    matchFields: fc.array(
      fc.record({ key: fc.constantFrom('metadata.name', 'x'), operator, values: fc.array(name, { maxLength: 2 }) }),
      {
        maxLength: 1,
      },
    ),
  },
  { requiredKeys: [] },
);

const noMore = { requiredKeys: [] };

const configs: Readonly<Record<string, fc.Arbitrary<object>>> = {
  DefaultPreemption: fc.record({ minCandidateNodesPercentage: number, minCandidateNodesAbsolute: number }, noMore),
  DynamicResources: fc.record({ filterTimeout: duration, bindingTimeout: duration }, noMore),
  InterPodAffinity: fc.record(
    { hardPodAffinityWeight: number, ignorePreferredTermsOfExistingPods: fc.boolean() },
    noMore,
  ),
  NodeAffinity: fc.record(
    {
      addedAffinity: fc.record(
        {
          requiredDuringSchedulingIgnoredDuringExecution: fc.record({
            nodeSelectorTerms: fc.array(term, { maxLength: 2, minLength: 1 }),
          }),
          preferredDuringSchedulingIgnoredDuringExecution: fc.array(fc.record({ weight: number, preference: term }), {
            maxLength: 2,
            minLength: 1,
          }),
        },
        noMore,
      ),
    },
    noMore,
  ),
  NodeResourcesBalancedAllocation: fc.record({ resources: fc.array(resource, { maxLength: 2 }) }, noMore),
  NodeResourcesFit: fc.record(
    {
      ignoredResources: fc.array(name, { maxLength: 2 }),
      ignoredResourceGroups: fc.array(name, { maxLength: 2 }),
      scoringStrategy: fc.record(
        {
          type: fc.constantFrom('LeastAllocated', 'MostAllocated', 'RequestedToCapacityRatio', 'Most'),
          resources: fc.array(resource, { maxLength: 2 }),
          requestedToCapacityRatio: fc.record({ shape: fc.array(point, { maxLength: 3 }) }, noMore),
        },
        noMore,
      ),
    },
    noMore,
  ),
  PodTopologySpread: fc.record(
    {
      defaultingType: fc.constantFrom('System', 'List', 'list'),
      defaultConstraints: fc.array(
        fc.record(
          {
            maxSkew: number,
            topologyKey: name,
            whenUnsatisfiable: fc.constantFrom('DoNotSchedule', 'ScheduleAnyway', ''),
            minDomains: number,
            matchLabelKeys: fc.array(name, { maxLength: 1 }),
          },
          { requiredKeys: ['maxSkew', 'topologyKey', 'whenUnsatisfiable'] },
        ),
        { maxLength: 3 },
      ),
    },
    noMore,
  ),
  VolumeBinding: fc.record({ bindTimeoutSeconds: number, shape: fc.array(point, { maxLength: 2 }) }, noMore),
  NodeName: fc.constant({ x: 1 }),
};

const pluginConfig = fc.oneof(
  ...Object.entries(configs).map(([plugin, args]) =>
    fc.record({ name: fc.constant(plugin), args }, { requiredKeys: ['name'] }),
  ),
);

const profile = fc.record(
  {
    schedulerName: fc.constantFrom('a', 'b', 'c', ''),
    percentageOfNodesToScore: number,
    plugins,
    pluginConfig: fc.array(pluginConfig, { maxLength: 2 }),
  },
  noMore,
);

/** As JSON. */
export const randomConfiguration: fc.Arbitrary<string> = fc
  .record(
    {
      parallelism: number,
      percentageOfNodesToScore: number,
      podInitialBackoffSeconds: number,
      podMaxBackoffSeconds: number,
      leaderElection: fc.record(
        { leaderElect: fc.boolean(), leaseDuration: duration, renewDeadline: duration, retryPeriod: duration },
        noMore,
      ),
      clientConnection: fc.record({ qps: fc.constantFrom(-1, 0, 2.5), burst: number }, noMore),
      enableProfiling: fc.boolean(),
      enableContentionProfiling: fc.boolean(),
      delayCacheUntilActive: fc.boolean(),
      unknown: fc.constant(1),
    },
    noMore,
  )
  // Mostly none of these, since most of them are wrong.
  .chain((around) =>
    fc.record({
      around: fc.oneof({ weight: 5, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: fc.constant(around) }),
      profiles: fc.array(profile, { maxLength: 2 }),
    }),
  )
  .map(({ around, profiles }) =>
    JSON.stringify({
      apiVersion: 'kubescheduler.config.k8s.io/v1',
      kind: 'KubeSchedulerConfiguration',
      ...around,
      ...(profiles.length === 0 ? {} : { profiles }),
    }),
  );
