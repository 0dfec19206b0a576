// The arguments of the default plugins: decoding, defaults (apis/config/v1/defaults.go) and what validation refuses
// (validation_pluginargs.go), in upstream's words.

import type { JsonView } from '../model/json-view.ts';
import { nameProblems } from '../model/label-name.ts';
import { nodeTermProblems } from '../model/selector-reader.ts';
import type { Json, JsonObject } from './configuration-text.ts';
import { duplicate, forbidden, invalid, outOfRange, required, unsupported } from './field-error.ts';
import { formatDuration, parseDuration } from './go-duration.ts';

const CPU_AND_MEMORY = [
  { name: 'cpu', weight: 1 },
  { name: 'memory', weight: 1 },
];

interface Arguments {
  /** Of what was decoded: all that upstream writes of it. Durations come in nanoseconds and leave as text. */
  readonly defaulted: (given: JsonView, raw: JsonObject) => JsonObject;
  /** Of defaulted arguments. */
  readonly errors: (args: JsonView, path: string) => readonly string[];
  /** Upstream finds them when it makes the plugin, and says so; without a path. */
  readonly isCheckedLate?: true;
}

/** By plugin, for each one that has arguments. */
export const ARGUMENTS: ReadonlyMap<string, Arguments> = new Map<string, Arguments>([
  [
    'DefaultPreemption',
    {
      defaulted: (given) => ({
        minCandidateNodesPercentage: given.optionalNumber('minCandidateNodesPercentage') ?? 10,
        minCandidateNodesAbsolute: given.optionalNumber('minCandidateNodesAbsolute') ?? 100,
      }),
      errors: preemptionErrors,
    },
  ],
  [
    'DynamicResources',
    {
      defaulted: (given) => ({
        filterTimeout: formatDuration(given.has('filterTimeout') ? given.decimal('filterTimeout') : 10e9),
        bindingTimeout: formatDuration(given.has('bindingTimeout') ? given.decimal('bindingTimeout') : 600e9),
      }),
      errors: dynamicResourcesErrors,
    },
  ],
  [
    'InterPodAffinity',
    {
      defaulted: (given) => ({
        hardPodAffinityWeight: given.optionalNumber('hardPodAffinityWeight') ?? 1,
        ignorePreferredTermsOfExistingPods: given.flag('ignorePreferredTermsOfExistingPods'),
      }),
      errors: (args, path) =>
        outOfRange(args.number('hardPodAffinityWeight'), [0, 100], `${path}.hardPodAffinityWeight`, '[0, 100]'),
    },
  ],
  ['NodeAffinity', { defaulted: (_given, raw) => raw, errors: nodeAffinityErrors }],
  [
    'NodeResourcesBalancedAllocation',
    { defaulted: (given) => ({ resources: resourcesOf(given) }), errors: balancedErrors },
  ],
  ['NodeResourcesFit', { defaulted: defaultedFit, errors: (args) => fitErrors(args), isCheckedLate: true }],
  [
    'PodTopologySpread',
    {
      defaulted: (given, raw) => ({
        ...filled(raw, 'defaultConstraints'),
        defaultingType: given.text('defaultingType') || 'System',
      }),
      errors: spreadErrors,
    },
  ],
  [
    'VolumeBinding',
    {
      defaulted: (given) => ({
        bindTimeoutSeconds: given.has('bindTimeoutSeconds') ? given.decimal('bindTimeoutSeconds') : 600,
        ...(given.has('shape') ? { shape: given.objects('shape').map(pointOf) } : {}),
      }),
      errors: volumeBindingErrors,
    },
  ],
]);

/** A list of an object unless it is empty, which Go omits. */
function filled(raw: JsonObject, field: string): JsonObject {
  const list = raw[field];
  return Array.isArray(list) && list.length > 0 ? { [field]: list } : {};
}

function resourcesOf(view: JsonView): Json[] {
  const resources = view.objects('resources');
  if (resources.length === 0) return CPU_AND_MEMORY;
  return resources.map((resource) => ({ name: resource.text('name'), weight: resource.decimal('weight') || 1 }));
}

function defaultedFit(given: JsonView, raw: JsonObject): JsonObject {
  const strategy = given.object('scoringStrategy');
  // A strategy that is there and has no type has none.
  const type = strategy.isPresent ? strategy.text('type') : 'LeastAllocated';
  const ratio = strategy.object('requestedToCapacityRatio');
  const shape = ratio.objects('shape').map(pointOf);
  return {
    ...filled(raw, 'ignoredResources'),
    ...filled(raw, 'ignoredResourceGroups'),
    scoringStrategy: {
      ...(type === '' ? {} : { type }),
      resources: resourcesOf(strategy),
      ...(ratio.isPresent ? { requestedToCapacityRatio: shape.length === 0 ? {} : { shape } } : {}),
    },
  };
}

function pointOf(point: JsonView): { readonly utilization: number; readonly score: number } {
  return { utilization: point.number('utilization'), score: point.number('score') };
}

function preemptionErrors(args: JsonView, path: string): string[] {
  const percentage = args.number('minCandidateNodesPercentage');
  const absolute = args.number('minCandidateNodesAbsolute');
  const percentagePath = `${path}.minCandidateNodesPercentage`;
  const absolutePath = `${path}.minCandidateNodesAbsolute`;
  const errors = [
    ...outOfRange(percentage, [0, 100], percentagePath, '[0, 100]'),
    ...outOfRange(absolute, [0, Number.POSITIVE_INFINITY], absolutePath, '[0, inf)'),
  ];
  if (percentage === 0 && absolute === 0) {
    errors.push(
      invalid(percentagePath, percentage, 'cannot be zero at the same time as minCandidateNodesAbsolute'),
      invalid(absolutePath, absolute, 'cannot be zero at the same time as minCandidateNodesPercentage'),
    );
  }
  return errors;
}

function dynamicResourcesErrors(args: JsonView, path: string): string[] {
  const [filter, binding] = [args.text('filterTimeout'), args.text('bindingTimeout')];
  const parsed = parseDuration(binding);
  const isShort = 'nanoseconds' in parsed && parsed.nanoseconds < 1e9;
  return [
    ...(filter.startsWith('-') ? [invalid(`${path}.filterTimeout`, filter, 'must be zero or positive')] : []),
    ...(isShort ? [invalid(`${path}.bindingTimeout`, binding, 'must be at least 1 second')] : []),
  ];
}

function volumeBindingErrors(args: JsonView, path: string): string[] {
  const errors: string[] = [];
  const seconds = args.decimal('bindTimeoutSeconds');
  if (seconds < 0) {
    const problem = 'invalid BindTimeoutSeconds, should not be a negative value';
    errors.push(invalid(`${path}.bindTimeoutSeconds`, seconds, problem));
  }
  if (args.has('shape')) {
    const points = args.objects('shape').map(pointOf);
    const shape = points.map(({ utilization, score }) => ({ Utilization: utilization, Score: score }));
    const problem = 'unexpected field `shape`, remove it or turn on the feature gate StorageCapacityScoring';
    errors.push(invalid(`${path}.shape`, shape, problem));
  }
  return errors;
}

function nodeAffinityErrors(args: JsonView, path: string): string[] {
  const added = args.object('addedAffinity');
  const [requiredField, preferredField] = [
    'requiredDuringSchedulingIgnoredDuringExecution',
    'preferredDuringSchedulingIgnoredDuringExecution',
  ];
  const place = `${path}.addedAffinity`;
  const told = (problems: readonly string[], where: string): string[] => problems.map((one) => `${where}.${one}`);
  return [
    ...added
      .object(requiredField)
      .objects('nodeSelectorTerms')
      .flatMap((term, index) => told(nodeTermProblems(term), `${place}.${requiredField}.nodeSelectorTerms[${index}]`)),
    ...added
      .objects(preferredField)
      .flatMap((term, index) =>
        term.number('weight') === 0
          ? []
          : told(nodeTermProblems(term.object('preference')), `${place}.${preferredField}[${index}]`),
      ),
  ];
}

function balancedErrors(args: JsonView, path: string): string[] {
  const seen = new Set<string>();
  return args.objects('resources').flatMap((resource, index) => {
    const [name, weight] = [resource.text('name'), resource.decimal('weight')];
    const where = `${path}.resources[${index}]`;
    const errors = seen.has(name) ? [duplicate(`${where}.name`, name)] : [];
    seen.add(name);
    return weight === 1 ? errors : [...errors, invalid(`${where}.weight`, weight, 'must be 1')];
  });
}

const STRATEGIES = ['LeastAllocated', 'MostAllocated', 'RequestedToCapacityRatio'];

function nameErrors(name: string, path: string): string[] {
  return nameProblems(name).map((problem) => invalid(path, name, problem));
}

function fitErrors(args: JsonView): string[] {
  const errors: string[] = [];
  args.texts('ignoredResources').forEach((name, index) => {
    errors.push(...nameErrors(name, `ignoredResources[${index}]`));
  });
  args.texts('ignoredResourceGroups').forEach((name, index) => {
    const where = `ignoredResourceGroups[${index}]`;
    if (name.includes('/')) errors.push(invalid(where, name, "resource group name can't contain '/'"));
    errors.push(...nameErrors(name, where));
  });
  const strategy = args.object('scoringStrategy');
  const type = strategy.text('type');
  if (!STRATEGIES.includes(type)) errors.push(unsupported('scoringStrategy.type', type, STRATEGIES));
  strategy.objects('resources').forEach((resource, index) => {
    const [name, weight] = [resource.text('name'), resource.decimal('weight')];
    if (weight > 0 && weight <= 100) return;
    const where = `scoringStrategy.resources[${index}].weight`;
    errors.push(invalid(where, weight, `resource weight of ${name} not in valid range (0, 100]`));
  });
  const ratioPath = 'scoringStrategy.requestedToCapacityRatio';
  const ratio = strategy.object('requestedToCapacityRatio');
  if (type !== 'RequestedToCapacityRatio') {
    if (ratio.isPresent) errors.push(forbidden(ratioPath, 'must be nil when type is not RequestedToCapacityRatio'));
  } else if (ratio.isPresent) errors.push(...shapeErrors(ratio.objects('shape').map(pointOf), `${ratioPath}.shape`));
  else errors.push(required(ratioPath, 'must be specified when type is RequestedToCapacityRatio'));
  return errors;
}

function shapeErrors(shape: readonly { utilization: number; score: number }[], path: string): string[] {
  if (shape.length === 0) return [required(path, 'at least one point must be specified')];
  const errors: string[] = [];
  const fall = shape.findIndex((point, index) => index > 0 && shape[index - 1].utilization >= point.utilization);
  if (fall >= 0) {
    const where = `${path}[${fall}].utilization`;
    errors.push(invalid(where, shape[fall].utilization, 'values must be sorted in increasing order'));
  }
  shape.forEach(({ utilization, score }, index) => {
    errors.push(...outOfRange(utilization, [0, 100], `${path}[${index}].utilization`, '[0, 100]'));
    errors.push(...outOfRange(score, [0, 10], `${path}[${index}].score`, '[0, 10]'));
  });
  return errors;
}

const ACTIONS = ['DoNotSchedule', 'ScheduleAnyway'];

function spreadErrors(args: JsonView, path: string): string[] {
  const errors: string[] = [];
  const constraints = args.objects('defaultConstraints');
  const type = args.text('defaultingType');
  const typePath = `${path}.defaultingType`;
  if (type !== 'System' && type !== 'List') errors.push(unsupported(typePath, type, ['System', 'List']));
  else if (type === 'System' && constraints.length > 0) {
    errors.push(invalid(typePath, type, 'when .defaultConstraints are not empty'));
  }
  const seen = new Set<string>();
  constraints.forEach((constraint, index) => {
    const where = `${path}.defaultConstraints[${index}]`;
    const [maxSkew, key, action] = [
      constraint.number('maxSkew'),
      constraint.text('topologyKey'),
      constraint.text('whenUnsatisfiable'),
    ];
    if (maxSkew <= 0) errors.push(invalid(`${where}.maxSkew`, maxSkew, 'not in valid range (0, inf)'));
    if (key === '') errors.push(required(`${where}.topologyKey`, 'can not be empty'));
    else errors.push(...nameErrors(key, `${where}.topologyKey`));
    if (action === '') errors.push(required(`${where}.whenUnsatisfiable`, 'can not be empty'));
    else if (!ACTIONS.includes(action)) errors.push(unsupported(`${where}.whenUnsatisfiable`, action, ACTIONS));
    if (constraint.has('labelSelector')) {
      const problem = 'constraint must not define a selector, as they deduced for each pod';
      errors.push(forbidden(`${where}.labelSelector`, problem));
    }
    const pair = `{${key}, ${action}}`;
    if (seen.has(pair)) errors.push(duplicate(where, pair));
    seen.add(pair);
  });
  return errors;
}
