// The fields of KubeSchedulerConfiguration kubescheduler.config.k8s.io/v1 in 1.36 and of the arguments of its plugins
// (kube-scheduler config/v1, component-base config/v1alpha1, api core/v1), with the Go types that decoding errors name.

export type Schema =
  | { readonly kind: 'text' | 'flag' | 'decimal' | 'anything'; readonly type: string }
  /** Where it is not a pointer in Go, null is a duration that cannot be read. */
  | { readonly kind: 'duration'; readonly type: 'string'; readonly isNullable: boolean }
  | { readonly kind: 'integer'; readonly type: 'int32' | 'int64' }
  | { readonly kind: 'list'; readonly type: string; readonly of: Schema }
  | { readonly kind: 'struct'; readonly type: string; readonly fields: Fields };

export type Fields = ReadonlyMap<string, Schema>;

const TEXT: Schema = { kind: 'text', type: 'string' };
const FLAG: Schema = { kind: 'flag', type: 'bool' };
const INT32: Schema = { kind: 'integer', type: 'int32' };
const INT64: Schema = { kind: 'integer', type: 'int64' };
const FLOAT32: Schema = { kind: 'decimal', type: 'float32' };
const DURATION: Schema = { kind: 'duration', type: 'string', isNullable: false };
const NULLABLE_DURATION: Schema = { kind: 'duration', type: 'string', isNullable: true };
const ANYTHING: Schema = { kind: 'anything', type: 'runtime.RawExtension' };

function named(type: string): Schema {
  return { kind: 'text', type };
}

function list(of: Schema): Schema {
  return { kind: 'list', type: `[]${of.type}`, of };
}

export type StructSchema = Schema & { readonly kind: 'struct' };

function struct(type: string, fields: Readonly<Record<string, Schema>>): StructSchema {
  return { kind: 'struct', type, fields: new Map(Object.entries(fields)) };
}

function object(type: string, fields: Readonly<Record<string, Schema>>): StructSchema {
  return struct(type, { apiVersion: TEXT, kind: TEXT, ...fields });
}

const PLUGIN_SET = struct('v1.PluginSet', {
  enabled: list(struct('v1.Plugin', { name: TEXT, weight: INT32 })),
  disabled: list(struct('v1.Plugin', { name: TEXT, weight: INT32 })),
});

const PLUGIN_SETS =
  'preEnqueue queueSort preFilter filter postFilter preScore score reserve permit preBind bind postBind multiPoint ' +
  'placementGenerate placementScore';

const PROFILE = struct('v1.KubeSchedulerProfile', {
  schedulerName: TEXT,
  percentageOfNodesToScore: INT32,
  plugins: struct('v1.Plugins', Object.fromEntries(PLUGIN_SETS.split(' ').map((name) => [name, PLUGIN_SET]))),
  pluginConfig: list(struct('v1.PluginConfig', { name: TEXT, args: ANYTHING })),
});

const EXTENDER = struct('v1.Extender', {
  urlPrefix: TEXT,
  filterVerb: TEXT,
  preemptVerb: TEXT,
  prioritizeVerb: TEXT,
  weight: INT64,
  bindVerb: TEXT,
  enableHTTPS: FLAG,
  tlsConfig: struct('v1.ExtenderTLSConfig', {
    insecure: FLAG,
    serverName: TEXT,
    certFile: TEXT,
    keyFile: TEXT,
    caFile: TEXT,
    certData: TEXT,
    keyData: TEXT,
    caData: TEXT,
  }),
  httpTimeout: DURATION,
  nodeCacheCapable: FLAG,
  managedResources: list(struct('v1.ExtenderManagedResource', { name: TEXT, ignoredByScheduler: FLAG })),
  ignorable: FLAG,
});

export const CONFIGURATION_SCHEMA: StructSchema = object('v1.KubeSchedulerConfiguration', {
  parallelism: INT32,
  leaderElection: struct('v1alpha1.LeaderElectionConfiguration', {
    leaderElect: FLAG,
    leaseDuration: DURATION,
    renewDeadline: DURATION,
    retryPeriod: DURATION,
    resourceLock: TEXT,
    resourceName: TEXT,
    resourceNamespace: TEXT,
  }),
  clientConnection: struct('v1alpha1.ClientConnectionConfiguration', {
    kubeconfig: TEXT,
    acceptContentTypes: TEXT,
    contentType: TEXT,
    qps: FLOAT32,
    burst: INT32,
  }),
  enableProfiling: FLAG,
  enableContentionProfiling: FLAG,
  percentageOfNodesToScore: INT32,
  podInitialBackoffSeconds: INT64,
  podMaxBackoffSeconds: INT64,
  profiles: list(PROFILE),
  extenders: list(EXTENDER),
  delayCacheUntilActive: FLAG,
});

const SHAPE = list(struct('v1.UtilizationShapePoint', { utilization: INT32, score: INT32 }));
const RESOURCES = list(struct('v1.ResourceSpec', { name: TEXT, weight: INT64 }));

const REQUIREMENTS = list(
  struct('v1.NodeSelectorRequirement', { key: TEXT, operator: named('v1.NodeSelectorOperator'), values: list(TEXT) }),
);
const NODE_TERM = struct('v1.NodeSelectorTerm', { matchExpressions: REQUIREMENTS, matchFields: REQUIREMENTS });

const LABEL_SELECTOR = struct('v1.LabelSelector', {
  matchLabels: { kind: 'anything', type: 'map[string]string' },
  matchExpressions: list(
    struct('v1.LabelSelectorRequirement', {
      key: TEXT,
      operator: named('v1.LabelSelectorOperator'),
      values: list(TEXT),
    }),
  ),
});

/** By plugin; the kind of the arguments is its name and `Args`. */
export const ARGUMENT_SCHEMAS: ReadonlyMap<string, StructSchema> = new Map([
  [
    'DefaultPreemption',
    object('v1.DefaultPreemptionArgs', { minCandidateNodesPercentage: INT32, minCandidateNodesAbsolute: INT32 }),
  ],
  [
    'DynamicResources',
    object('v1.DynamicResourcesArgs', { filterTimeout: NULLABLE_DURATION, bindingTimeout: NULLABLE_DURATION }),
  ],
  [
    'InterPodAffinity',
    object('v1.InterPodAffinityArgs', { hardPodAffinityWeight: INT32, ignorePreferredTermsOfExistingPods: FLAG }),
  ],
  [
    'NodeAffinity',
    object('v1.NodeAffinityArgs', {
      addedAffinity: struct('v1.NodeAffinity', {
        requiredDuringSchedulingIgnoredDuringExecution: struct('v1.NodeSelector', {
          nodeSelectorTerms: list(NODE_TERM),
        }),
        preferredDuringSchedulingIgnoredDuringExecution: list(
          struct('v1.PreferredSchedulingTerm', { weight: INT32, preference: NODE_TERM }),
        ),
      }),
    }),
  ],
  ['NodeResourcesBalancedAllocation', object('v1.NodeResourcesBalancedAllocationArgs', { resources: RESOURCES })],
  [
    'NodeResourcesFit',
    object('v1.NodeResourcesFitArgs', {
      ignoredResources: list(TEXT),
      ignoredResourceGroups: list(TEXT),
      scoringStrategy: struct('v1.ScoringStrategy', {
        type: named('v1.ScoringStrategyType'),
        resources: RESOURCES,
        requestedToCapacityRatio: struct('v1.RequestedToCapacityRatioParam', { shape: SHAPE }),
      }),
    }),
  ],
  [
    'PodTopologySpread',
    object('v1.PodTopologySpreadArgs', {
      defaultConstraints: list(
        struct('v1.TopologySpreadConstraint', {
          maxSkew: INT32,
          topologyKey: TEXT,
          whenUnsatisfiable: named('v1.UnsatisfiableConstraintAction'),
          labelSelector: LABEL_SELECTOR,
          minDomains: INT32,
          nodeAffinityPolicy: named('v1.NodeInclusionPolicy'),
          nodeTaintsPolicy: named('v1.NodeInclusionPolicy'),
          matchLabelKeys: list(TEXT),
        }),
      ),
      defaultingType: named('v1.PodTopologySpreadConstraintsDefaulting'),
    }),
  ],
  ['VolumeBinding', object('v1.VolumeBindingArgs', { bindTimeoutSeconds: INT64, shape: SHAPE })],
]);
