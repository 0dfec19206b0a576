// Configurations that decode and are refused: by validation (apis/config/validation) and by the frameworks (framework/runtime).

import {
  ARGS,
  args,
  bad,
  type ConfigurationCase,
  CREATING,
  NAME_CHARACTERS,
  plugins,
  SUBDOMAIN,
} from './configuration-case-fixture.ts';

export const REFUSED_BY_VALIDATION: readonly ConfigurationCase[] = [
  bad(
    'everything that validation looks at',
    `parallelism: 0
percentageOfNodesToScore: 101
podInitialBackoffSeconds: 0
podMaxBackoffSeconds: -1
clientConnection: {burst: -2, qps: -1}
leaderElection: {leaseDuration: -1s, renewDeadline: 20s, retryPeriod: -2s, resourceLock: endpoints}
profiles:
- {schedulerName: a}
- {schedulerName: a, percentageOfNodesToScore: -1}
- {}
- {schedulerName: d, plugins: {queueSort: {disabled: [{name: x}]}, filter: {enabled: [{name: EBSLimits}]}}, pluginConfig: [{name: EBSLimits}, {name: NodeAffinity}, {name: NodeAffinity}]}
extenders:
- {urlPrefix: x, prioritizeVerb: p, bindVerb: b}
- {urlPrefix: x, bindVerb: b, managedResources: [{name: cpu}, {name: a.b/c}, {name: a.b/c}]}
`,
    '[clientConnection.burst: Invalid value: -2: must be non-negative, leaderElection.leaseDuration: Invalid value: "-1s": must be greater than zero, leaderElection.retryPeriod: Invalid value: "-2s": must be greater than zero, leaderElection.leaseDuration: Invalid value: "20s": must be greater than `RenewDeadline`, leaderElection.resourceLock: Invalid value: "endpoints": resourceLock value must be "leases", parallelism: Invalid value: 0: should be an integer value greater than zero, profiles[1].percentageOfNodesToScore: Invalid value: -1: not in valid range [0-100], profiles[1].schedulerName: Duplicate value: {}, profiles[2].schedulerName: Required value, profiles[3].plugins.filter.enabled[0]: Invalid value: "EBSLimits": was invalid in version "v1" (KubeSchedulerConfiguration is version "kubescheduler.config.k8s.io/v1"), profiles[3].pluginConfig[0]: Invalid value: "EBSLimits": was invalid in version "v1" (KubeSchedulerConfiguration is version "kubescheduler.config.k8s.io/v1"), profiles[3].pluginConfig[2]: Duplicate value: "NodeAffinity", profiles[3].plugins.queueSort: Invalid value: {"Enabled":null,"Disabled":[{"Name":"x","Weight":0}]}: must be the same for all profiles, percentageOfNodesToScore: Invalid value: 101: not in valid range [0-100], podInitialBackoffSeconds: Invalid value: 0: must be greater than 0, podMaxBackoffSeconds: Invalid value: -1: must be greater than or equal to PodInitialBackoffSeconds, extenders[0].weight: Invalid value: 0: must have a positive weight applied to it, extenders[1].managedResources[0].name: Invalid value: "cpu": is an invalid extended resource name, extenders[1].managedResources[2].name: Invalid value: "a.b/c": duplicate extender managed resource name, extenders: Invalid value: "found 2 extenders implementing bind": only one extender can implement bind]',
  ),
  bad(
    'queue sorts that differ',
    'profiles:\n- {schedulerName: a, plugins: {queueSort: {enabled: [{name: PrioritySort},{name: Foo}]}}}\n- {schedulerName: b}\n',
    '[profiles[0].plugins.queueSort.Enabled: Invalid value: 2: only one queue sort plugin can be enabled, profiles[1].plugins.queueSort: Invalid value: {"Enabled":null,"Disabled":null}: must be the same for all profiles]',
  ),
  bad(
    'one error stands alone',
    args('InterPodAffinity', '{hardPodAffinityWeight: 101}'),
    `${ARGS}.hardPodAffinityWeight: Invalid value: 101: not in valid range [0, 100]`,
  ),
  bad(
    'preemption without candidates',
    args('DefaultPreemption', '{minCandidateNodesPercentage: 0, minCandidateNodesAbsolute: 0}'),
    `[${ARGS}.minCandidateNodesPercentage: Invalid value: 0: cannot be zero at the same time as minCandidateNodesAbsolute, ${ARGS}.minCandidateNodesAbsolute: Invalid value: 0: cannot be zero at the same time as minCandidateNodesPercentage]`,
  ),
  bad(
    'preemption out of range',
    args('DefaultPreemption', '{minCandidateNodesPercentage: 101, minCandidateNodesAbsolute: -1}'),
    `[${ARGS}.minCandidateNodesPercentage: Invalid value: 101: not in valid range [0, 100], ${ARGS}.minCandidateNodesAbsolute: Invalid value: -1: not in valid range [0, inf)]`,
  ),
  bad(
    'balanced resources',
    args('NodeResourcesBalancedAllocation', '{resources: [{name: cpu}, {name: cpu, weight: 2}]}'),
    `[${ARGS}.resources[1].name: Duplicate value: "cpu", ${ARGS}.resources[1].weight: Invalid value: 2: must be 1]`,
  ),
  bad(
    'volumes',
    args('VolumeBinding', '{shape: [{utilization: 0, score: 0}], bindTimeoutSeconds: -1}'),
    `[${ARGS}.bindTimeoutSeconds: Invalid value: -1: invalid BindTimeoutSeconds, should not be a negative value, ${ARGS}.shape: Invalid value: [{"Utilization":0,"Score":0}]: unexpected field \`shape\`, remove it or turn on the feature gate StorageCapacityScoring]`,
  ),
  bad(
    'resource claims',
    args('DynamicResources', '{filterTimeout: -1s, bindingTimeout: 0.5s}'),
    `[${ARGS}.filterTimeout: Invalid value: "-1s": must be zero or positive, ${ARGS}.bindingTimeout: Invalid value: "500ms": must be at least 1 second]`,
  ),
  bad(
    'added affinity',
    args(
      'NodeAffinity',
      '{addedAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Foo}, {key: b, operator: In}]}, {matchFields: [{key: metadata.name, operator: In, values: [a,b]}, {key: metadata.name, operator: Foo}]}]}, preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, preference: {matchExpressions: [{key: a b, operator: Exists}]}}, {weight: 0, preference: {matchExpressions: [{key: c d, operator: Exists}]}}]}}',
    ),
    `[${ARGS}.addedAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].operator: Unsupported value: "Foo": supported values: "In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt", ${ARGS}.addedAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[1].values: Invalid value: null: for 'in', 'notin' operators, values set can't be empty, ${ARGS}.addedAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[1].matchFields[0].values: Invalid value: ["a","b"]: must have one element, ${ARGS}.addedAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[1].matchFields[1].operator: Unsupported value: "Foo": supported values: "In", "NotIn", ${ARGS}.addedAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].matchExpressions[0].key: Invalid value: "a b": name part ${NAME_CHARACTERS}]`,
  ),
  bad(
    'values that are none, and one twice',
    args(
      'NodeAffinity',
      '{addedAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: In, values: []}, {key: b, operator: Gt, values: ["3", "3"]}]}]}}}',
    ),
    `[${ARGS}.addedAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty, ${ARGS}.addedAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[1].values: Invalid value: ["3","3"]: for 'Gt', 'Lt' operators, exactly one value is required]`,
  ),
  bad(
    'default constraints',
    args(
      'PodTopologySpread',
      '{defaultConstraints: [{maxSkew: 0, topologyKey: "", whenUnsatisfiable: x, labelSelector: {}},{maxSkew: 1, topologyKey: "a b/c"},{maxSkew: 1, topologyKey: a, whenUnsatisfiable: DoNotSchedule},{maxSkew: 1, topologyKey: a, whenUnsatisfiable: DoNotSchedule}], defaultingType: Foo}',
    ),
    `[${ARGS}.defaultingType: Unsupported value: "Foo": supported values: "System", "List", ${ARGS}.defaultConstraints[0].maxSkew: Invalid value: 0: not in valid range (0, inf), ${ARGS}.defaultConstraints[0].topologyKey: Required value: can not be empty, ${ARGS}.defaultConstraints[0].whenUnsatisfiable: Unsupported value: "x": supported values: "DoNotSchedule", "ScheduleAnyway", ${ARGS}.defaultConstraints[0].labelSelector: Forbidden: constraint must not define a selector, as they deduced for each pod, ${ARGS}.defaultConstraints[1].topologyKey: Invalid value: "a b/c": prefix part ${SUBDOMAIN}, ${ARGS}.defaultConstraints[1].whenUnsatisfiable: Required value: can not be empty, ${ARGS}.defaultConstraints[3]: Duplicate value: "{a, DoNotSchedule}"]`,
  ),
  bad(
    'constraints and the default type',
    args('PodTopologySpread', '{defaultConstraints: [{maxSkew: 1, topologyKey: a, whenUnsatisfiable: DoNotSchedule}]}'),
    `${ARGS}.defaultingType: Invalid value: "System": when .defaultConstraints are not empty`,
  ),
];

const FIT = `${CREATING}initializing plugin "NodeResourcesFit": `;

export const REFUSED_BY_FRAMEWORK: readonly ConfigurationCase[] = [
  bad(
    'an unknown plugin',
    plugins('{multiPoint: {enabled: [{name: Foo}]}}'),
    `${CREATING}PreFilterPlugin "Foo" does not exist`,
  ),
  bad(
    'an unknown filter',
    plugins('{filter: {enabled: [{name: Foo}]}}'),
    `${CREATING}FilterPlugin "Foo" does not exist`,
  ),
  bad(
    'a filter that filters nothing',
    plugins('{filter: {enabled: [{name: ImageLocality}]}}'),
    `${CREATING}plugin "ImageLocality" does not extend FilterPlugin plugin`,
  ),
  bad(
    'a filter twice',
    plugins('{filter: {enabled: [{name: NodeName},{name: NodeName}]}}'),
    `${CREATING}plugin "NodeName" already registered as "FilterPlugin"`,
  ),
  bad(
    'a plugin twice',
    plugins('{multiPoint: {enabled: [{name: NodeName},{name: NodeName}]}}'),
    `${CREATING}plugin "NodeName" already registered as "FilterPlugin"`,
  ),
  bad(
    'no queue sort',
    plugins("{queueSort: {disabled: [{name: '*'}]}}"),
    `${CREATING}only one queue sort plugin required for profile with scheduler name "default-scheduler", but got 0`,
  ),
  bad(
    'no binder',
    plugins('{multiPoint: {disabled: [{name: DefaultBinder}]}}'),
    `${CREATING}at least one bind plugin is needed for profile with scheduler name "default-scheduler"`,
  ),
  bad(
    'no plugins',
    plugins("{multiPoint: {disabled: [{name: '*'}]}}"),
    `${CREATING}only one queue sort plugin required for profile with scheduler name "default-scheduler", but got 0`,
  ),
  bad(
    'a negative weight',
    plugins('{score: {enabled: [{name: NodeAffinity, weight: -3}]}}'),
    `${CREATING}score plugins: total score of Score plugins could overflow`,
  ),
  bad(
    'a wrong second profile',
    'profiles:\n- {schedulerName: a}\n- {schedulerName: b, plugins: {bind: {enabled: [{name: NodeName}]}}}\n',
    'initializing profiles: creating profile for scheduler name b: plugin "NodeName" does not extend BindPlugin plugin',
  ),
  bad(
    'strategies',
    args(
      'NodeResourcesFit',
      '{scoringStrategy: {resources: [{name: cpu, weight: 101}]}, ignoredResources: [a b], ignoredResourceGroups: [a/b]}',
    ),
    `${FIT}[ignoredResources[0]: Invalid value: "a b": name part ${NAME_CHARACTERS}, ignoredResourceGroups[0]: Invalid value: "a/b": resource group name can't contain '/', scoringStrategy.type: Unsupported value: "": supported values: "LeastAllocated", "MostAllocated", "RequestedToCapacityRatio", scoringStrategy.resources[0].weight: Invalid value: 101: resource weight of cpu not in valid range (0, 100]]`,
  ),
  bad(
    'a ratio without a shape',
    args('NodeResourcesFit', '{scoringStrategy: {type: RequestedToCapacityRatio, requestedToCapacityRatio: {}}}'),
    `${FIT}scoringStrategy.requestedToCapacityRatio.shape: Required value: at least one point must be specified`,
  ),
  bad(
    'a ratio that is not there',
    args('NodeResourcesFit', '{scoringStrategy: {type: RequestedToCapacityRatio}}'),
    `${FIT}scoringStrategy.requestedToCapacityRatio: Required value: must be specified when type is RequestedToCapacityRatio`,
  ),
  bad(
    'a ratio of another strategy',
    args('NodeResourcesFit', '{scoringStrategy: {type: LeastAllocated, requestedToCapacityRatio: {shape: []}}}'),
    `${FIT}scoringStrategy.requestedToCapacityRatio: Forbidden: must be nil when type is not RequestedToCapacityRatio`,
  ),
  bad(
    'a shape that does not rise',
    args(
      'NodeResourcesFit',
      '{scoringStrategy: {type: RequestedToCapacityRatio, requestedToCapacityRatio: {shape: [{utilization: 50, score: 11},{utilization: 50, score: 1}]}}}',
    ),
    `${FIT}[scoringStrategy.requestedToCapacityRatio.shape[1].utilization: Invalid value: 50: values must be sorted in increasing order, scoringStrategy.requestedToCapacityRatio.shape[0].score: Invalid value: 11: not in valid range [0, 10]]`,
  ),
];
