// What kube-scheduler 1.36 refuses in a configuration, all of it, in its words and order (ValidateKubeSchedulerConfiguration).

import { JsonView } from '../model/json-view.ts';
import { nameProblems } from '../model/label-name.ts';
import {
  type ConfigurationDraft,
  GROUP_VERSION,
  type LeaderElectionDraft,
  type ProfileDraft,
} from './configuration-draft.ts';
import { duplicate, invalid, outOfRange, required } from './field-error.ts';
import { formatDuration } from './go-duration.ts';
import { ARGUMENTS } from './plugin-arguments.ts';
import { type EnabledPlugin, type ExtensionPoint, REMOVED_PLUGINS } from './plugin-catalogue.ts';
import type { PluginSet } from './plugin-expansion.ts';
import { isObject } from './strict-decoder.ts';

export function configurationErrors(draft: ConfigurationDraft): string[] {
  const { clientConnection, parallelism, podInitialBackoffSeconds, podMaxBackoffSeconds, profiles } = draft;
  const at = (field: string, value: number, problem: string, isWrong: boolean): string[] =>
    isWrong ? [invalid(field, value, problem)] : [];
  return [
    ...at('clientConnection.burst', clientConnection.burst, 'must be non-negative', clientConnection.burst < 0),
    ...leaderElectionErrors(draft.leaderElection),
    ...at('parallelism', parallelism, 'should be an integer value greater than zero', parallelism <= 0),
    ...profiles.flatMap((profile, index) => [
      ...profileErrors(profile, `profiles[${index}]`),
      // Upstream prints the path of the first one, which has no fields of its own to print.
      ...(profiles.findIndex(({ schedulerName }) => schedulerName === profile.schedulerName) < index
        ? [duplicate(`profiles[${index}].schedulerName`, {})]
        : []),
    ]),
    ...queueSortErrors(profiles),
    ...outOfRange(draft.percentageOfNodesToScore, [0, 100], 'percentageOfNodesToScore', '[0-100]'),
    ...at(
      'podInitialBackoffSeconds',
      podInitialBackoffSeconds,
      'must be greater than 0',
      podInitialBackoffSeconds <= 0,
    ),
    ...at(
      'podMaxBackoffSeconds',
      podMaxBackoffSeconds,
      'must be greater than or equal to PodInitialBackoffSeconds',
      podMaxBackoffSeconds < podInitialBackoffSeconds,
    ),
    ...extenderErrors(draft.extenders),
  ];
}

function leaderElectionErrors(election: LeaderElectionDraft): string[] {
  if (!election.leaderElect) return [];
  const { leaseDuration, renewDeadline, resourceLock } = election;
  const errors: string[] = [];
  for (const field of ['leaseDuration', 'renewDeadline', 'retryPeriod'] as const) {
    if (election[field] > 0) continue;
    errors.push(invalid(`leaderElection.${field}`, formatDuration(election[field]), 'must be greater than zero'));
  }
  if (leaseDuration <= renewDeadline) {
    const text = formatDuration(renewDeadline);
    errors.push(invalid('leaderElection.leaseDuration', text, 'must be greater than `RenewDeadline`'));
  }
  if (resourceLock !== 'leases') {
    errors.push(invalid('leaderElection.resourceLock', resourceLock, 'resourceLock value must be "leases"'));
  }
  return errors;
}

const VALIDATED_POINTS: readonly ExtensionPoint[] = [
  'preEnqueue',
  'queueSort',
  'preFilter',
  'filter',
  'postFilter',
  'preScore',
  'score',
  'reserve',
  'permit',
  'preBind',
  'bind',
  'postBind',
];

function profileErrors(
  { schedulerName, percentageOfNodesToScore, sets, pluginConfig }: ProfileDraft,
  path: string,
): string[] {
  const errors = schedulerName === '' ? [required(`${path}.schedulerName`, '')] : [];
  errors.push(...outOfRange(percentageOfNodesToScore ?? 0, [0, 100], `${path}.percentageOfNodesToScore`, '[0-100]'));
  for (const point of VALIDATED_POINTS) {
    for (const [index, { name }] of (sets.at.get(point)?.enabled ?? []).entries()) {
      errors.push(...removedErrors(name, `${path}.plugins.${point}.enabled[${index}]`));
    }
  }
  const seen = new Set<string>();
  for (const [index, { name, args }] of pluginConfig.entries()) {
    const where = `${path}.pluginConfig[${index}]`;
    if (seen.has(name)) errors.push(duplicate(where, name));
    seen.add(name);
    errors.push(...removedErrors(name, where));
    const known = ARGUMENTS.get(name);
    if (known === undefined || known.isCheckedLate || args === undefined || !isObject(args)) continue;
    errors.push(...known.errors(new JsonView(args, ''), `${where}.args`));
  }
  return errors;
}

function removedErrors(name: string, path: string): string[] {
  if (!REMOVED_PLUGINS.has(name)) return [];
  const problem = `was invalid in version "v1" (KubeSchedulerConfiguration is version ${JSON.stringify(GROUP_VERSION)})`;
  return [invalid(path, name, problem)];
}

function queueSortErrors(profiles: readonly ProfileDraft[]): string[] {
  const sortOf = ({ sets }: ProfileDraft): string => printedSet(sets.at.get('queueSort'));
  const [first] = profiles;
  const enabled = first.sets.at.get('queueSort')?.enabled ?? [];
  const errors: string[] = [];
  if (enabled.length > 1) {
    const problem = 'only one queue sort plugin can be enabled';
    errors.push(invalid('profiles[0].plugins.queueSort.Enabled', enabled.length, problem));
  }
  const name = enabled[0]?.name;
  const argsOf = ({ pluginConfig }: ProfileDraft): string =>
    JSON.stringify(pluginConfig.filter((config) => config.name === name).at(-1)?.args ?? null);
  for (const [index, profile] of profiles.entries()) {
    if (sortOf(profile) !== sortOf(first)) {
      const where = `profiles[${index}].plugins.queueSort`;
      errors.push(`${where}: Invalid value: ${sortOf(profile)}: must be the same for all profiles`);
    }
    if (name === undefined || !profile.pluginConfig.some((config) => config.name === name)) continue;
    if (argsOf(profile) === argsOf(first)) continue;
    const where = `profiles[${index}].pluginConfig.args`;
    errors.push(`${where}: Invalid value: ${argsOf(profile)}: queueSort must be the same for all profiles`);
  }
  return errors;
}

/** As Go prints the internal type. */
function printedSet(set: PluginSet | undefined): string {
  const list = (plugins: readonly EnabledPlugin[] = []): object | null =>
    plugins.length === 0 ? null : plugins.map(({ name, weight }) => ({ Name: name, Weight: weight }));
  return JSON.stringify({ Enabled: list(set?.enabled), Disabled: list(set?.disabled) });
}

function extenderErrors(extenders: readonly JsonView[]): string[] {
  const errors: string[] = [];
  const managed = new Set<string>();
  for (const [index, extender] of extenders.entries()) {
    const path = `extenders[${index}]`;
    const weight = extender.decimal('weight');
    if (extender.text('prioritizeVerb') !== '' && weight <= 0) {
      errors.push(invalid(`${path}.weight`, weight, 'must have a positive weight applied to it'));
    }
    for (const [position, resource] of extender.objects('managedResources').entries()) {
      const name = resource.text('name');
      const where = `${path}.managedResources[${position}].name`;
      errors.push(...extendedResourceErrors(name, where));
      if (managed.has(name)) errors.push(invalid(where, name, 'duplicate extender managed resource name'));
      managed.add(name);
    }
  }
  const binders = extenders.filter((extender) => extender.text('bindVerb') !== '').length;
  if (binders > 1) {
    errors.push(
      invalid('extenders', `found ${binders} extenders implementing bind`, 'only one extender can implement bind'),
    );
  }
  return errors;
}

function extendedResourceErrors(name: string, path: string): string[] {
  const problems = nameProblems(name);
  if (problems.length > 0) return problems.map((problem) => invalid(path, name, problem));
  const isNative = !name.includes('/') || name.includes('kubernetes.io/');
  const isExtended = !isNative && !name.startsWith('requests.') && nameProblems(`requests.${name}`).length === 0;
  return isExtended ? [] : [invalid(path, name, 'is an invalid extended resource name')];
}
