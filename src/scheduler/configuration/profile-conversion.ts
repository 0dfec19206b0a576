// A profile that upstream accepts, as ours: what runs where, and the arguments. What we cannot do as upstream does is refused;
// what changes no decision of ours is told as without effect.

import { JsonView } from '../model/json-view.ts';
import { spreadConstraintOf } from '../model/pod-reader.ts';
import {
  FILTER_PLUGINS,
  type FilterPluginName,
  type FitArgs,
  SCORE_PLUGINS,
  type SchedulerProfile,
  type ScorePluginName,
  type ScoringStrategyType,
} from '../model/scheduler-profile.ts';
import { nodeSelectorOf, preferredNodeTermsOf } from '../model/selector-reader.ts';
import { defaultedArguments, type ProfileDraft } from './configuration-draft.ts';
import { forbidden } from './field-error.ts';
import { type ExtensionPoint, PLUGINS } from './plugin-catalogue.ts';
import { type ExpandedPlugins, pluginsOf } from './plugin-expansion.ts';

/** PreFilter of these refuses pods or narrows down nodes by itself; that of the others only prepares Filter. */
const REFUSING_AT_PRE_FILTER = ['NodeAffinity', 'VolumeRestrictions', 'VolumeBinding', 'VolumeZone'];

/** What these do is behind gates that are off, or is for groups of pods. */
const INERT_PLUGINS = ['GangScheduling', 'TopologyPlacementGenerator', 'PodGroupPodsCount'];

export interface ConvertedProfile {
  readonly profile: SchedulerProfile;
  readonly problems: readonly string[];
  readonly withoutEffect: readonly string[];
}

export function convertedProfile(draft: ProfileDraft, plugins: ExpandedPlugins, path: string): ConvertedProfile {
  const namesAt = (point: ExtensionPoint): string[] => (plugins.get(point) ?? []).map(({ name }) => name);
  const needed = pluginsOf(draft.sets);
  // Upstream reads no arguments of a plugin that is nowhere enabled.
  const argsOf = (plugin: string): JsonView => {
    const config = draft.pluginConfig.find(({ name }) => name === plugin && needed.has(plugin));
    return new JsonView(config?.args ?? defaultedArguments(plugin, {}), '');
  };
  const postFilter = namesAt('postFilter');
  const preemption = argsOf('DefaultPreemption');
  const affinity = argsOf('InterPodAffinity');
  const added = argsOf('NodeAffinity').object('addedAffinity');
  const spread = argsOf('PodTopologySpread');
  const profile: SchedulerProfile = {
    schedulerName: draft.schedulerName,
    filters: namesAt('filter').filter(isFilter),
    scores: (plugins.get('score') ?? []).flatMap(({ name, weight }) => (isScore(name) ? [{ name, weight }] : [])),
    hasDynamicResources: postFilter.includes('DynamicResources'),
    preempts: postFilter.includes('DefaultPreemption'),
    percentageOfNodesToScore: draft.percentageOfNodesToScore,
    fit: fitOf(argsOf('NodeResourcesFit')),
    balancedResources: weightsOf(argsOf('NodeResourcesBalancedAllocation')),
    spread: {
      defaulting: spread.text('defaultingType') === 'List' ? 'List' : 'System',
      defaults: spread.objects('defaultConstraints').map((one) => spreadConstraintOf(one, new Map(), [])),
    },
    affinity: {
      hardPodAffinityWeight: affinity.number('hardPodAffinityWeight'),
      ignorePreferredTermsOfExistingPods: affinity.flag('ignorePreferredTermsOfExistingPods'),
    },
    nodeAffinity: {
      addedRequired: nodeSelectorOf(added.object('requiredDuringSchedulingIgnoredDuringExecution')),
      addedPreferred: preferredNodeTermsOf(added.objects('preferredDuringSchedulingIgnoredDuringExecution')),
    },
    preemption: {
      minCandidateNodesPercentage: preemption.number('minCandidateNodesPercentage'),
      minCandidateNodesAbsolute: preemption.number('minCandidateNodesAbsolute'),
    },
    bindTimeoutSeconds: argsOf('VolumeBinding').decimal('bindTimeoutSeconds'),
  };
  return {
    profile,
    problems: partedProblems(namesAt, `${path}.plugins`),
    withoutEffect: withoutEffect(draft, namesAt, path),
  };
}

function isFilter(name: string): name is FilterPluginName {
  const names: readonly string[] = FILTER_PLUGINS;
  return names.includes(name);
}

function isScore(name: string): name is ScorePluginName {
  const names: readonly string[] = SCORE_PLUGINS;
  return names.includes(name);
}

function weightsOf(view: JsonView): { readonly name: string; readonly weight: number }[] {
  return view
    .objects('resources')
    .map((resource) => ({ name: resource.text('name'), weight: resource.number('weight') }));
}

const STRATEGIES: readonly ScoringStrategyType[] = ['MostAllocated', 'RequestedToCapacityRatio'];

function fitOf(args: JsonView): FitArgs {
  const strategy = args.object('scoringStrategy');
  const shape = strategy.object('requestedToCapacityRatio').objects('shape');
  return {
    ignoredResources: args.texts('ignoredResources'),
    ignoredResourceGroups: args.texts('ignoredResourceGroups'),
    strategy: STRATEGIES.find((type) => type === strategy.text('type')) ?? 'LeastAllocated',
    resources: weightsOf(strategy),
    shape: shape.map((point) => ({ utilization: point.number('utilization'), score: point.number('score') })),
  };
}

type NamesAt = (point: ExtensionPoint) => readonly string[];

/** Extension points of one plugin that go together here and are parted in the profile. */
function partedProblems(namesAt: NamesAt, path: string): string[] {
  const problems: string[] = [];
  const demand = (name: string, at: ExtensionPoint, ...others: readonly ExtensionPoint[]): void => {
    if (!namesAt(at).includes(name)) return;
    for (const other of others) {
      if (PLUGINS.get(name)?.has(other) !== true || namesAt(other).includes(name)) continue;
      problems.push(forbidden(`${path}.${other}`, `${name} cannot be disabled here while it is enabled at ${at}`));
    }
  };
  for (const name of FILTER_PLUGINS) demand(name, 'filter', 'preFilter', 'reserve', 'preBind');
  for (const name of REFUSING_AT_PRE_FILTER) demand(name, 'preFilter', 'filter');
  for (const name of SCORE_PLUGINS) demand(name, 'score', 'preScore');
  return problems;
}

function withoutEffect(draft: ProfileDraft, namesAt: NamesAt, path: string): string[] {
  const found: string[] = [];
  if (![undefined, 100].includes(draft.percentageOfNodesToScore)) {
    found.push(`${path}.percentageOfNodesToScore: every node is scored`);
  }
  const prepared = namesAt('preFilter').filter((name) => namesAt('filter').includes(name));
  const filtering = namesAt('filter').filter((name) => prepared.includes(name));
  if (prepared.join() !== filtering.join()) found.push(`${path}.plugins.preFilter: runs in the order of filter`);
  for (const name of INERT_PLUGINS) {
    const points = [...(PLUGINS.get(name) ?? [])];
    if (points.some((point) => namesAt(point).includes(name))) found.push(`${path}.plugins: ${name} does nothing`);
  }
  if (!namesAt('preEnqueue').includes('SchedulingGates')) {
    found.push(`${path}.plugins: pods with scheduling gates are held also without SchedulingGates`);
  }
  if (!namesAt('filter').includes('DynamicResources')) {
    found.push(`${path}.plugins: pods with resource claims are left alone also without DynamicResources`);
  }
  draft.pluginConfig.forEach(({ name, isGiven }, index) => {
    const where = `${path}.pluginConfig[${index}]`;
    if (!isGiven) return;
    if (name === 'DynamicResources') found.push(`${where}: pods with resource claims are left alone`);
    if (name === 'DefaultPreemption') found.push(`${where}: every candidate for preemption is looked at`);
  });
  return found;
}
