// The plugins of kube-scheduler 1.36 and where each of them can run (NewInTreeRegistry, getDefaultPlugins, framework.go).

/** In the order in which upstream fills them, so that of several errors the same one is told. */
export const EXTENSION_POINTS = [
  'preFilter',
  'filter',
  'postFilter',
  'reserve',
  'preScore',
  'score',
  'preBind',
  'bind',
  'postBind',
  'permit',
  'preEnqueue',
  'queueSort',
  'placementGenerate',
  'placementScore',
] as const;

export type ExtensionPoint = (typeof EXTENSION_POINTS)[number];

/** The Go interface of an extension point, as errors name it. */
export function interfaceOf(point: ExtensionPoint): string {
  return `${point[0].toUpperCase()}${point.slice(1)}Plugin`;
}

export interface EnabledPlugin {
  readonly name: string;
  /** 0 where none is given. */
  readonly weight: number;
}

function points(text: string): ReadonlySet<ExtensionPoint> {
  const words: readonly string[] = text.split(' ');
  return new Set(EXTENSION_POINTS.filter((point) => words.includes(point)));
}

export const PLUGINS: ReadonlyMap<string, ReadonlySet<ExtensionPoint>> = new Map([
  ['SchedulingGates', points('preEnqueue')],
  ['PrioritySort', points('queueSort')],
  ['NodeUnschedulable', points('filter')],
  ['NodeName', points('filter')],
  ['TaintToleration', points('filter preScore score')],
  ['NodeAffinity', points('preFilter filter preScore score')],
  ['NodePorts', points('preFilter filter')],
  ['NodeResourcesFit', points('preFilter filter preScore score placementScore')],
  ['VolumeRestrictions', points('preFilter filter')],
  ['NodeVolumeLimits', points('preFilter filter')],
  ['VolumeBinding', points('preFilter filter reserve preBind preScore score')],
  ['VolumeZone', points('preFilter filter')],
  ['PodTopologySpread', points('preFilter filter preScore score')],
  ['InterPodAffinity', points('preFilter filter preScore score')],
  ['DynamicResources', points('preEnqueue preFilter filter postFilter score reserve preBind')],
  ['DefaultPreemption', points('preEnqueue postFilter')],
  ['NodeResourcesBalancedAllocation', points('preScore score')],
  ['ImageLocality', points('score')],
  ['DefaultBinder', points('bind')],
  ['NodeDeclaredFeatures', points('preFilter filter')],
  ['GangScheduling', points('preEnqueue permit')],
  ['TopologyPlacementGenerator', points('placementGenerate')],
  ['PodGroupPodsCount', points('placementScore')],
]);

/** What the default profile enables at multiPoint, in order, with the feature gates of 1.36 as they are by default. */
export const DEFAULT_MULTI_POINT: readonly EnabledPlugin[] = [
  ['SchedulingGates', 0],
  ['PrioritySort', 0],
  ['NodeUnschedulable', 0],
  ['NodeName', 0],
  ['TaintToleration', 3],
  ['NodeAffinity', 2],
  ['NodePorts', 0],
  ['NodeResourcesFit', 1],
  ['VolumeRestrictions', 0],
  ['NodeVolumeLimits', 0],
  ['VolumeBinding', 0],
  ['VolumeZone', 0],
  ['PodTopologySpread', 2],
  ['InterPodAffinity', 2],
  ['DynamicResources', 2],
  ['DefaultPreemption', 0],
  ['NodeResourcesBalancedAllocation', 1],
  ['ImageLocality', 1],
  ['DefaultBinder', 0],
  ['NodeDeclaredFeatures', 0],
].map(([name, weight]) => ({ name: String(name), weight: Number(weight) }));

/** Plugins that were there once; validation names them. */
export const REMOVED_PLUGINS: ReadonlySet<string> = new Set([
  'AzureDiskLimits',
  'CinderLimits',
  'EBSLimits',
  'GCEPDLimits',
]);
