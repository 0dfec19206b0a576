// What kube-scheduler 1.36 refuses in a profile, in its words (pkg/scheduler/apis/config/validation).

import { nameProblems } from './label-name.ts';
import type { FitArgs, ResourceWeight, SchedulerProfile, ShapePoint } from './scheduler-profile.ts';

const STRATEGIES = ['LeastAllocated', 'MostAllocated', 'RequestedToCapacityRatio'];

/** Where the arguments of a plugin stand in a configuration, `pluginConfig[3]`; its name for one that has none. */
export type ArgsPlace = (plugin: string) => string;

const BY_NAME: ArgsPlace = (plugin) => `pluginConfig[${plugin}]`;

/**
 * Every error, as `path: Invalid value: …`; none for a good profile. `path` is that of the profile, `profiles[0]`. Errors of
 * NodeResourcesFit have no path: upstream finds them when it makes the plugin, and says `initializing plugin …` before.
 */
export function profileErrors(profile: SchedulerProfile, path: string, place: ArgsPlace = BY_NAME): string[] {
  const args = (plugin: string): string => `${path}.${place(plugin)}.args`;
  return [
    ...(profile.schedulerName === '' ? [`${path}.schedulerName: Required value`] : []),
    ...percentageErrors(profile.percentageOfNodesToScore, `${path}.percentageOfNodesToScore`),
    ...fitErrors(profile.fit),
    ...balancedErrors(profile.balancedResources, args('NodeResourcesBalancedAllocation')),
    ...spreadErrors(profile, args('PodTopologySpread')),
    ...rangeErrors(
      profile.affinity.hardPodAffinityWeight,
      100,
      `${args('InterPodAffinity')}.hardPodAffinityWeight`,
      '[0, 100]',
    ),
    ...nodeAffinityErrors(profile, args('NodeAffinity')),
    ...preemptionErrors(profile, args('DefaultPreemption')),
    ...(profile.bindTimeoutSeconds < 0
      ? [
          invalid(
            `${args('VolumeBinding')}.bindTimeoutSeconds`,
            profile.bindTimeoutSeconds,
            'invalid BindTimeoutSeconds, should not be a negative value',
          ),
        ]
      : []),
    ...totalErrors(profile),
  ];
}

function invalid(path: string, value: string | number, problem: string): string {
  return `${path}: Invalid value: ${JSON.stringify(value)}: ${problem}`;
}

function nameErrors(name: string, path: string): string[] {
  return nameProblems(name).map((problem) => invalid(path, name, problem));
}

function percentageErrors(value: number | undefined, path: string): string[] {
  return value === undefined ? [] : rangeErrors(value, 100, path, '[0-100]');
}

function rangeErrors(value: number, most: number, path: string, range: string): string[] {
  return value < 0 || value > most ? [invalid(path, value, `not in valid range ${range}`)] : [];
}

function fitErrors(fit: FitArgs): string[] {
  const errors: string[] = [];
  fit.ignoredResources.forEach((name, index) => {
    errors.push(...nameErrors(name, `ignoredResources[${index}]`));
  });
  fit.ignoredResourceGroups.forEach((name, index) => {
    const where = `ignoredResourceGroups[${index}]`;
    if (name.includes('/')) errors.push(invalid(where, name, "resource group name can't contain '/'"));
    errors.push(...nameErrors(name, where));
  });
  if (!STRATEGIES.includes(fit.strategy)) {
    const known = STRATEGIES.map((name) => JSON.stringify(name)).join(', ');
    errors.push(`scoringStrategy.type: Unsupported value: ${JSON.stringify(fit.strategy)}: supported values: ${known}`);
  }
  fit.resources.forEach(({ name, weight }, index) => {
    if (weight > 0 && weight <= 100) return;
    const where = `scoringStrategy.resources[${index}].weight`;
    errors.push(invalid(where, weight, `resource weight of ${name} not in valid range (0, 100]`));
  });
  const ratio = 'scoringStrategy.requestedToCapacityRatio';
  if (fit.strategy === 'RequestedToCapacityRatio') {
    if (fit.shape.length > 0) errors.push(...shapeErrors(fit.shape, `${ratio}.shape`));
    else errors.push(`${ratio}: Required value: must be specified when type is RequestedToCapacityRatio`);
  } else if (fit.shape.length > 0) {
    errors.push(`${ratio}: Forbidden: must be nil when type is not RequestedToCapacityRatio`);
  }
  return errors;
}

function shapeErrors(shape: readonly ShapePoint[], path: string): string[] {
  const errors: string[] = [];
  const fall = shape.findIndex((point, index) => index > 0 && shape[index - 1].utilization >= point.utilization);
  if (fall >= 0) {
    const where = `${path}[${fall}].utilization`;
    errors.push(invalid(where, shape[fall].utilization, 'values must be sorted in increasing order'));
  }
  shape.forEach(({ utilization, score }, index) => {
    errors.push(...rangeErrors(utilization, 100, `${path}[${index}].utilization`, '[0, 100]'));
    errors.push(...rangeErrors(score, 10, `${path}[${index}].score`, '[0, 10]'));
  });
  return errors;
}

function balancedErrors(resources: readonly ResourceWeight[], path: string): string[] {
  const errors: string[] = [];
  const seen = new Set<string>();
  resources.forEach(({ name, weight }, index) => {
    if (seen.has(name)) errors.push(`${path}.resources[${index}].name: Duplicate value: ${JSON.stringify(name)}`);
    seen.add(name);
    if (weight !== 1) errors.push(invalid(`${path}.resources[${index}].weight`, weight, 'must be 1'));
  });
  return errors;
}

function spreadErrors({ spread }: SchedulerProfile, path: string): string[] {
  const errors: string[] = [];
  if (spread.defaulting === 'System' && spread.defaults.length > 0) {
    errors.push(invalid(`${path}.defaultingType`, spread.defaulting, 'when .defaultConstraints are not empty'));
  }
  const seen = new Set<string>();
  spread.defaults.forEach((constraint, index) => {
    const where = `${path}.defaultConstraints[${index}]`;
    if (constraint.maxSkew <= 0) {
      errors.push(invalid(`${where}.maxSkew`, constraint.maxSkew, 'not in valid range (0, inf)'));
    }
    if (constraint.topologyKey === '') errors.push(`${where}.topologyKey: Required value: can not be empty`);
    else errors.push(...nameErrors(constraint.topologyKey, `${where}.topologyKey`));
    const action = constraint.isHard ? 'DoNotSchedule' : 'ScheduleAnyway';
    const pair = `{${constraint.topologyKey}, ${action}}`;
    if (seen.has(pair)) errors.push(`${where}: Duplicate value: ${JSON.stringify(pair)}`);
    seen.add(pair);
  });
  return errors;
}

function nodeAffinityErrors({ nodeAffinity }: SchedulerProfile, path: string): string[] {
  const required = `${path}.addedAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms`;
  const preferred = `${path}.addedAffinity.preferredDuringSchedulingIgnoredDuringExecution`;
  const told = (where: string, problem: string | undefined): string[] =>
    problem === undefined ? [] : [`${where}.${problem}`];
  return [
    ...(nodeAffinity.addedRequired?.terms ?? []).flatMap(({ problem }, index) =>
      told(`${required}[${index}]`, problem),
    ),
    ...nodeAffinity.addedPreferred.flatMap(({ term }, index) => told(`${preferred}[${index}]`, term.problem)),
  ];
}

function preemptionErrors({ preemption }: SchedulerProfile, path: string): string[] {
  const { minCandidateNodesPercentage: percentage, minCandidateNodesAbsolute: absolute } = preemption;
  const percentagePath = `${path}.minCandidateNodesPercentage`;
  const absolutePath = `${path}.minCandidateNodesAbsolute`;
  const errors = [
    ...rangeErrors(percentage, 100, percentagePath, '[0, 100]'),
    ...rangeErrors(absolute, Number.POSITIVE_INFINITY, absolutePath, '[0, inf)'),
  ];
  if (percentage === 0 && absolute === 0) {
    errors.push(
      invalid(percentagePath, percentage, 'cannot be zero at the same time as minCandidateNodesAbsolute'),
      invalid(absolutePath, absolute, 'cannot be zero at the same time as minCandidateNodesPercentage'),
    );
  }
  return errors;
}

/** Σ weight × 100 has to fit an int64; in doubles, to be exact. */
function totalErrors({ scores }: SchedulerProfile): string[] {
  const total = scores.reduce((sum, { weight }) => sum + weight * 100, 0);
  return total > Number.MAX_SAFE_INTEGER ? [`total score of Score plugins could overflow: ${total}`] : [];
}
