// Configurations, good and bad: upstream's situations restated (apis/config/v1 defaults and default_plugins, apis/config/scheme,
// apis/config/validation, framework/runtime), each with what kube-scheduler 1.36.3 says of it. conformance/configuration.ts asks it.

import {
  args,
  bad,
  type ConfigurationCase,
  good,
  JSON_STRUCT,
  plugins,
  SCHEME,
  whole,
} from './configuration-case-fixture.ts';
import { REFUSED_BY_FRAMEWORK, REFUSED_BY_VALIDATION } from './configuration-refused-fixture.ts';

const ACCEPTED: readonly ConfigurationCase[] = [
  good('nothing but its kind', ''),
  good('fields that are null', 'profiles: [null]\nleaderElection: null\nparallelism: null\n'),
  good(
    'every field around the profiles',
    `parallelism: 8
leaderElection: {leaderElect: false, leaseDuration: 1m30s, renewDeadline: 1.5s, retryPeriod: 250ms, resourceLock: leases, resourceName: a, resourceNamespace: b}
clientConnection: {acceptContentTypes: application/json, contentType: application/json, qps: 0.5, burst: 7}
enableProfiling: false
percentageOfNodesToScore: 30
podInitialBackoffSeconds: 3
podMaxBackoffSeconds: 3
delayCacheUntilActive: true
`,
  ),
  good('profiling without contention', 'enableProfiling: true\nenableContentionProfiling: false\n'),
  good('YAML 1.1 words for booleans', 'enableProfiling: off\ndelayCacheUntilActive: yes\n'),
  good('a limit that is none', 'clientConnection: {qps: -1}\n'),
  good('only the first document counts', '---\nnot: this\n'),
  good(
    'anchors and merged maps',
    `profiles:
- schedulerName: a
  plugins: &plugins {score: {enabled: [{name: ImageLocality, weight: 2}]}}
- schedulerName: b
  plugins: {<<: *plugins, filter: {disabled: [{name: NodePorts}]}}
`,
  ),
  good('what looks like a number to the base of 60', 'profiles:\n- schedulerName: 1:30\n'),
  good('what looks like a time', 'profiles:\n- schedulerName: 2001-01-01\n'),
  {
    name: 'JSON',
    text: '{"kind":"KubeSchedulerConfiguration","apiVersion":"kubescheduler.config.k8s.io/v1","parallelism":3}',
    error: undefined,
  },
  good('several profiles', 'profiles:\n- {schedulerName: a}\n- {schedulerName: b, percentageOfNodesToScore: 0}\n'),
  good('a weight of a default plugin', plugins('{score: {enabled: [{name: NodeAffinity, weight: 7}]}}')),
  good(
    'a score of its own, listed first',
    plugins('{score: {enabled: [{name: ImageLocality, weight: 9},{name: InterPodAffinity}]}}'),
  ),
  good('a weight at multiPoint', plugins('{multiPoint: {enabled: [{name: NodeResourcesFit, weight: 4}]}}')),
  good('a plugin disabled everywhere', plugins('{multiPoint: {disabled: [{name: DefaultPreemption}]}}')),
  good(
    'a plugin disabled and enabled at once',
    plugins('{multiPoint: {disabled: [{name: NodeName}], enabled: [{name: NodeName}]}}'),
  ),
  good(
    'all disabled but some',
    plugins(
      "{multiPoint: {disabled: [{name: '*'}], enabled: [{name: PrioritySort},{name: NodeName},{name: TaintToleration},{name: DefaultBinder}]}}",
    ),
  ),
  good('no scores', plugins("{preScore: {disabled: [{name: '*'}]}, score: {disabled: [{name: '*'}]}}")),
  good('one score', plugins("{score: {disabled: [{name: '*'}], enabled: [{name: NodeResourcesFit, weight: 3}]}}")),
  good('a score disabled', plugins('{score: {disabled: [{name: PodTopologySpread}]}}')),
  good('a disabled weight', plugins('{score: {disabled: [{name: ImageLocality, weight: 3}]}}')),
  good('filters in another order', plugins('{filter: {enabled: [{name: InterPodAffinity},{name: NodeName}]}}')),
  good(
    'filters listed anew',
    plugins(
      "{filter: {disabled: [{name: '*'}], enabled: [{name: NodeAffinity},{name: NodeResourcesFit},{name: VolumeRestrictions},{name: VolumeBinding},{name: VolumeZone}]}}",
    ),
  ),
  good(
    'plugins whose gates are off',
    plugins(
      '{multiPoint: {enabled: [{name: GangScheduling},{name: PodGroupPodsCount, weight: 3},{name: TopologyPlacementGenerator}]}}',
    ),
  ),
  good('a queue sort enabled by name', plugins('{queueSort: {enabled: [{name: PrioritySort}]}}')),
  good('a disabled plugin that is none', plugins('{filter: {disabled: [{name: Foo}]}}')),
  good(
    'arguments of plugins that have none, and of none',
    `${args('Foo', '{a: 1}')}  - {name: NodeName, args: {b: [2]}}\n`,
  ),
  good(
    'arguments without fields',
    'profiles:\n- pluginConfig: [{name: InterPodAffinity}, {name: NodeResourcesFit, args: {}}]\n',
  ),
  good(
    'arguments that name their kind',
    args(
      'InterPodAffinity',
      '{apiVersion: kubescheduler.config.k8s.io/v1, kind: InterPodAffinityArgs, hardPodAffinityWeight: 100}',
    ),
  ),
  good(
    'every argument of every plugin',
    `profiles:
- schedulerName: x
  pluginConfig:
  - {name: DefaultPreemption, args: {minCandidateNodesPercentage: 0, minCandidateNodesAbsolute: 5}}
  - {name: DynamicResources, args: {filterTimeout: 0s, bindingTimeout: 1h}}
  - {name: InterPodAffinity, args: {hardPodAffinityWeight: 0, ignorePreferredTermsOfExistingPods: true}}
  - name: NodeAffinity
    args:
      addedAffinity:
        requiredDuringSchedulingIgnoredDuringExecution:
          nodeSelectorTerms:
          - matchExpressions: [{key: a, operator: In, values: [b, c]}, {key: d, operator: Gt, values: ["3"]}]
          - matchFields: [{key: metadata.name, operator: NotIn, values: [node1]}]
        preferredDuringSchedulingIgnoredDuringExecution:
        - {weight: 5, preference: {matchExpressions: [{key: a, operator: Exists}]}}
  - {name: NodeResourcesBalancedAllocation, args: {resources: [{name: cpu}, {name: a.b/c, weight: 1}]}}
  - name: NodeResourcesFit
    args:
      ignoredResources: [a.b/c]
      ignoredResourceGroups: [d.e]
      scoringStrategy:
        type: RequestedToCapacityRatio
        resources: [{name: cpu, weight: 0}, {name: memory, weight: 100}]
        requestedToCapacityRatio: {shape: [{utilization: 0, score: 10}, {utilization: 100, score: 0}]}
  - name: PodTopologySpread
    args:
      defaultingType: List
      defaultConstraints: [{maxSkew: 2, topologyKey: a.b/c, whenUnsatisfiable: DoNotSchedule}, {maxSkew: 1, topologyKey: a.b/c, whenUnsatisfiable: ScheduleAnyway}]
  - {name: VolumeBinding, args: {bindTimeoutSeconds: 0}}
`,
  ),
  good('strategies without resources', args('NodeResourcesFit', '{scoringStrategy: {type: MostAllocated}}')),
  good(
    'arguments of a disabled plugin',
    `${plugins('{multiPoint: {disabled: [{name: NodeResourcesFit}]}}')}  pluginConfig: [{name: NodeResourcesFit, args: {scoringStrategy: {type: Foo}}}]\n`,
  ),
  good('a list of no default constraints', args('PodTopologySpread', '{defaultingType: List, defaultConstraints: []}')),
];

const REFUSED_AS_TEXT: readonly ConfigurationCase[] = [
  whole('an empty file', '', "Object 'Kind' is missing in ''"),
  whole(
    'no kind',
    'apiVersion: kubescheduler.config.k8s.io/v1\n',
    "Object 'Kind' is missing in 'apiVersion: kubescheduler.config.k8s.io/v1\n'",
  ),
  whole(
    'no version',
    'kind: KubeSchedulerConfiguration\n',
    "Object 'apiVersion' is missing in 'kind: KubeSchedulerConfiguration\n'",
  ),
  whole(
    'an old version',
    'apiVersion: kubescheduler.config.k8s.io/v1beta3\nkind: KubeSchedulerConfiguration\n',
    `no kind "KubeSchedulerConfiguration" is registered for version "kubescheduler.config.k8s.io/v1beta3" ${SCHEME}`,
  ),
  whole(
    'another group',
    'apiVersion: v1\nkind: KubeSchedulerConfiguration\n',
    `no kind "KubeSchedulerConfiguration" is registered for version "v1" ${SCHEME}`,
  ),
  whole(
    'a version that is none',
    'apiVersion: a/b/c\nkind: KubeSchedulerConfiguration\n',
    'unexpected GroupVersion string: a/b/c',
  ),
  whole(
    'another kind',
    'apiVersion: kubescheduler.config.k8s.io/v1\nkind: Nope\n',
    `no kind "Nope" is registered for version "kubescheduler.config.k8s.io/v1" ${SCHEME}`,
  ),
  whole(
    'arguments instead of a configuration',
    'apiVersion: kubescheduler.config.k8s.io/v1\nkind: NodeAffinityArgs\n',
    "couldn't decode as KubeSchedulerConfiguration, got kubescheduler.config.k8s.io/v1, Kind=NodeAffinityArgs: ",
  ),
  whole(
    'a kind that is a number',
    'apiVersion: kubescheduler.config.k8s.io/v1\nkind: 3\n',
    "couldn't get version/kind; json parse error: json: cannot unmarshal number into Go struct field .kind of type string",
  ),
  whole(
    'a list',
    '- a\n',
    `couldn't get version/kind; json parse error: json: cannot unmarshal array into Go value of type ${JSON_STRUCT}`,
  ),
  whole(
    'a word',
    'hello\n',
    `couldn't get version/kind; json parse error: json: cannot unmarshal string into Go value of type ${JSON_STRUCT}`,
  ),
  {
    ...whole('YAML that ends early', 'a: [1\nb: 2\n', "yaml: line 1: did not find expected ',' or ']'"),
    hasOtherWords: true,
  },
  {
    ...whole(
      'JSON that ends early',
      '{"kind": ',
      "couldn't get version/kind; json parse error: unexpected end of JSON input",
    ),
    hasOtherWords: true,
  },
];

const REFUSED_BY_DECODING: readonly ConfigurationCase[] = [
  bad(
    'unknown fields',
    'foo: 1\nhealthzBindAddress: 0.0.0.0:1\nprofiles:\n- schedulerName: x\n  bar: 2\n  plugins: {filters: {}, filter: {enabled: [{name: NodeName, wt: 1}]}}\n',
    'strict decoding error: unknown field "foo", unknown field "healthzBindAddress", unknown field "profiles[0].bar", unknown field "profiles[0].plugins.filter.enabled[0].wt", unknown field "profiles[0].plugins.filters"',
  ),
  bad('a field in another case', 'Parallelism: 3\n', 'strict decoding error: unknown field "Parallelism"'),
  bad(
    'unknown fields of arguments',
    `foo: 1\n${args('InterPodAffinity', '{hard: 1, hardPodAffinityWeight: 3}')}  - {name: NodeAffinity, args: {addedAffinity: {x: 1}}}\n`,
    'strict decoding error: unknown field "foo", decoding .profiles[0].pluginConfig[0]: strict decoding error: decoding args for plugin InterPodAffinity: strict decoding error: unknown field "hard", decoding .profiles[0].pluginConfig[1]: strict decoding error: decoding args for plugin NodeAffinity: strict decoding error: unknown field "addedAffinity.x"',
  ),
  bad(
    'keys set twice',
    'foo: 1\nprofiles:\n- schedulerName: a\n  schedulerName: b\nfoo: 2\n',
    'strict decoding error: yaml: unmarshal errors:\n  line 6: key "schedulerName" already set in map\n  line 7: key "foo" already set in map, unknown field "foo"',
  ),
  bad(
    'two values of other types',
    'podMaxBackoffSeconds: []\nparallelism: abc\n',
    'json: cannot unmarshal string into Go struct field KubeSchedulerConfiguration.parallelism of type int32',
  ),
  bad(
    'keys set in a merged map, too',
    'profiles:\n- &base\n  schedulerName: a\n- schedulerName: b\n  <<: *base\n',
    'strict decoding error: yaml: unmarshal errors:\n  line 5: key "schedulerName" already set in map',
  ),
  bad(
    'a number that is a word',
    'parallelism: abc\nfoo: 1\n',
    'json: cannot unmarshal string into Go struct field KubeSchedulerConfiguration.parallelism of type int32',
  ),
  bad(
    'a number with a fraction',
    'parallelism: 1.5\n',
    'json: cannot unmarshal number 1.5 into Go struct field KubeSchedulerConfiguration.parallelism of type int32',
  ),
  bad(
    'a number that is too large',
    'parallelism: 99999999999\n',
    'json: cannot unmarshal number 99999999999 into Go struct field KubeSchedulerConfiguration.parallelism of type int32',
  ),
  bad(
    'a list that is a map',
    'profiles: {a: 1}\n',
    'json: cannot unmarshal object into Go struct field KubeSchedulerConfiguration.profiles of type []v1.KubeSchedulerProfile',
  ),
  bad(
    'a map that is a list',
    'leaderElection: []\n',
    'json: cannot unmarshal array into Go struct field KubeSchedulerConfiguration.leaderElection of type v1alpha1.LeaderElectionConfiguration',
  ),
  bad(
    'a name that is a number',
    'profiles:\n- schedulerName: 010\n',
    'json: cannot unmarshal number into Go struct field KubeSchedulerProfile.profiles.schedulerName of type string',
  ),
  bad(
    'a weight that is a word',
    plugins('{score: {enabled: [{name: NodeAffinity, weight: abc}]}}'),
    'json: cannot unmarshal string into Go struct field Plugin.profiles.plugins.score.enabled.weight of type int32',
  ),
  bad(
    'a duration that is a number, after another error',
    'leaderElection: {leaderElect: "yes", leaseDuration: 15}\n',
    'json: cannot unmarshal number into Go struct field LeaderElectionConfiguration.leaderElection.leaseDuration of type string',
  ),
  bad(
    'a duration with an unknown unit',
    'leaderElection: {leaseDuration: 15x}\n',
    'time: unknown unit "x" in duration "15x"',
  ),
  bad('a duration without a unit', 'leaderElection: {leaseDuration: "15"}\n', 'time: missing unit in duration "15"'),
  bad('a duration that is null', 'leaderElection: {leaseDuration: null}\n', 'time: invalid duration ""'),
  bad(
    'a wrong type in arguments',
    args('InterPodAffinity', '{hardPodAffinityWeight: "x"}'),
    'decoding .profiles[0].pluginConfig[0]: decoding args for plugin InterPodAffinity: json: cannot unmarshal string into Go struct field InterPodAffinityArgs.hardPodAffinityWeight of type int32',
  ),
  bad(
    'arguments of another plugin',
    args('InterPodAffinity', '{kind: NodeAffinityArgs, apiVersion: kubescheduler.config.k8s.io/v1}'),
    'decoding .profiles[0].pluginConfig[0]: args for plugin InterPodAffinity were not of type InterPodAffinityArgs.kubescheduler.config.k8s.io, got NodeAffinityArgs.kubescheduler.config.k8s.io',
  ),
  bad(
    'arguments of an old version',
    args('InterPodAffinity', '{kind: InterPodAffinityArgs, apiVersion: kubescheduler.config.k8s.io/v1beta3}'),
    `decoding .profiles[0].pluginConfig[0]: decoding args for plugin InterPodAffinity: no kind "InterPodAffinityArgs" is registered for version "kubescheduler.config.k8s.io/v1beta3" ${SCHEME}`,
  ),
  bad(
    'arguments that are a number',
    args('NodeAffinity', '5'),
    `decoding .profiles[0].pluginConfig[0]: decoding args for plugin NodeAffinity: couldn't get version/kind; json parse error: json: cannot unmarshal number into Go value of type ${JSON_STRUCT}`,
  ),
  whole(
    'JSON with unknown fields and fields set twice, in its own order',
    '{"apiVersion":"kubescheduler.config.k8s.io/v1","kind":"KubeSchedulerConfiguration","zz":1,"parallelism":3,"aa":2,"parallelism":4,"profiles":[{"schedulerName":"a","schedulerName":"b"}]}',
    'strict decoding error: unknown field "zz", unknown field "aa", duplicate field "parallelism", duplicate field "profiles[0].schedulerName"',
  ),
];

export const CONFIGURATIONS: readonly ConfigurationCase[] = [
  ...ACCEPTED,
  ...REFUSED_AS_TEXT,
  ...REFUSED_BY_DECODING,
  ...REFUSED_BY_VALIDATION,
  ...REFUSED_BY_FRAMEWORK,
];
