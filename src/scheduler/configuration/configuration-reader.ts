// The text of a --config file to a SchedulerConfiguration, by the steps of kube-scheduler 1.36: decode strictly, fill in defaults,
// validate, make the frameworks. Each step tells what upstream tells there and ends the reading.

import { JsonView } from '../model/json-view.ts';
import { asOne } from '../model/selector-reader.ts';
import { type ConfigurationDraft, draftOf, GROUP_VERSION, type ProfileDraft } from './configuration-draft.ts';
import { ARGUMENT_SCHEMAS, CONFIGURATION_SCHEMA, type StructSchema } from './configuration-schema.ts';
import { type Json, type JsonObject, parseConfigurationText } from './configuration-text.ts';
import { configurationErrors } from './configuration-validation.ts';
import { forbidden } from './field-error.ts';
import { ARGUMENTS } from './plugin-arguments.ts';
import { type ExpandedPlugins, expandedPlugins, pluginsOf } from './plugin-expansion.ts';
import { type ConvertedProfile, convertedProfile } from './profile-conversion.ts';
import type { SchedulerConfiguration } from './scheduler-configuration.ts';
import { decodeStrictly, isList, isObject } from './strict-decoder.ts';
import { versionedConfiguration } from './versioned-configuration.ts';

export type ReadConfiguration =
  | { readonly configuration: SchedulerConfiguration }
  /** At least one, in upstream's words where upstream refuses it, too; asOne joins them as upstream does. */
  | { readonly problems: readonly string[] };

export function readConfiguration(text: string): ReadConfiguration {
  const parsed = parseConfigurationText(text);
  if ('problem' in parsed) return { problems: [parsed.problem] };
  const typed = typeOf(parsed.value, text, undefined);
  if ('problem' in typed) return { problems: [typed.problem] };
  const decoded = decodeStrictly(typed.schema, parsed.value);
  if ('problem' in decoded) return { problems: [decoded.problem] };
  const nested = decodedArguments(decoded.value);
  if ('problem' in nested) return { problems: [nested.problem] };
  const own = parsed.isJson
    ? [...decoded.strictProblems, ...parsed.duplicates]
    : [...parsed.duplicates, ...decoded.strictProblems];
  const strict = [...own, ...nested.strictProblems];
  if (strict.length > 0) return { problems: [strictError(strict)] };
  if (typed.schema !== CONFIGURATION_SCHEMA) {
    const got = `${GROUP_VERSION}, Kind=${typed.kind}`;
    return { problems: [`couldn't decode as KubeSchedulerConfiguration, got ${got}: `] };
  }
  const draft = draftOf(new JsonView(decoded.value, ''), (profile, config) => nested.args[profile]?.[config]);
  const errors = configurationErrors(draft);
  return errors.length > 0 ? { problems: errors } : configured(draft);
}

function strictError(problems: readonly string[]): string {
  return `strict decoding error: ${problems.join(', ')}`;
}

interface TypedSchema {
  readonly kind: string;
  readonly schema: StructSchema;
}

/** What the object says it is; `fallback` for one that does not say. `text` is what is quoted of it. */
function typeOf(json: Json, text: string, fallback: string | undefined): TypedSchema | { readonly problem: string } {
  const value = json ?? {};
  const cannot = (what: string, into: string): { readonly problem: string } => ({
    problem: `couldn't get version/kind; json parse error: json: cannot unmarshal ${what} into Go ${into}`,
  });
  if (!isObject(value)) {
    const fields = 'APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\""';
    const what = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;
    return cannot(what, `value of type struct { ${fields} }`);
  }
  const names = ['apiVersion', 'kind'].map((field) => value[field] ?? '');
  for (const [index, name] of names.entries()) {
    if (typeof name === 'string') continue;
    const what = Array.isArray(name) ? 'array' : typeof name === 'boolean' ? 'bool' : typeof name;
    return cannot(what, `struct field .${index === 0 ? 'apiVersion' : 'kind'} of type string`);
  }
  const kind = String(names[1]) || fallback;
  const version = String(names[0]) || (fallback === undefined ? '' : GROUP_VERSION);
  if (version.split('/').length > 2) return { problem: `unexpected GroupVersion string: ${version}` };
  if (kind === undefined) return { problem: `Object 'Kind' is missing in '${text}'` };
  if (version === '') return { problem: `Object 'apiVersion' is missing in '${text}'` };
  const schema = kind === 'KubeSchedulerConfiguration' ? CONFIGURATION_SCHEMA : ARGUMENT_SCHEMAS.get(pluginOf(kind));
  if (version !== GROUP_VERSION || schema === undefined) {
    const quoted = `${JSON.stringify(kind)} is registered for version ${JSON.stringify(version)}`;
    return { problem: `no kind ${quoted} in scheme "pkg/runtime/scheme.go:111"` };
  }
  return { kind, schema };
}

/** '' for a kind that is not one of arguments. */
function pluginOf(kind: string): string {
  return kind.endsWith('Args') ? kind.slice(0, -'Args'.length) : '';
}

type Nested =
  | {
      /** By profile and entry of pluginConfig; as they are for a plugin without a type of arguments. */
      readonly args: readonly (readonly (Json | undefined)[])[];
      readonly strictProblems: readonly string[];
    }
  | { readonly problem: string };

function decodedArguments(configuration: JsonObject): Nested {
  const strictProblems: string[] = [];
  const args: (Json | undefined)[][] = [];
  for (const [index, profile] of objectsAt(configuration, 'profiles').entries()) {
    const list: (Json | undefined)[] = [];
    for (const [position, config] of objectsAt(profile, 'pluginConfig').entries()) {
      const name = String(config.name ?? '');
      if (!ARGUMENT_SCHEMAS.has(name)) {
        list.push(config.args);
        continue;
      }
      const decoded = decodedArgs(name, config.args ?? null);
      const where = `decoding .profiles[${index}].pluginConfig[${position}]`;
      if ('problem' in decoded) return { problem: `${where}: ${decoded.problem}` };
      if (decoded.strictProblems.length > 0) {
        const inner = `decoding args for plugin ${name}: ${strictError(decoded.strictProblems)}`;
        strictProblems.push(`${where}: ${strictError([inner])}`);
      }
      list.push(decoded.value);
    }
    args.push(list);
  }
  return { args, strictProblems };
}

/** A list of structs in what was decoded. */
function objectsAt(value: JsonObject, field: string): JsonObject[] {
  const list = value[field] ?? [];
  return isList(list) ? list.filter(isObject) : [];
}

function decodedArgs(
  plugin: string,
  json: Json,
): { readonly value: JsonObject; readonly strictProblems: readonly string[] } | { readonly problem: string } {
  const typed = typeOf(json, JSON.stringify(json), `${plugin}Args`);
  if ('problem' in typed) return { problem: `decoding args for plugin ${plugin}: ${typed.problem}` };
  const decoded = decodeStrictly(typed.schema, json ?? {});
  if ('problem' in decoded) return { problem: `decoding args for plugin ${plugin}: ${decoded.problem}` };
  if (typed.kind === `${plugin}Args`) return decoded;
  const group = 'kubescheduler.config.k8s.io';
  return { problem: `args for plugin ${plugin} were not of type ${plugin}Args.${group}, got ${typed.kind}.${group}` };
}

/** The frameworks, as far as a wrong profile shows there; then what is not supported here. */
function configured(draft: ConfigurationDraft): ReadConfiguration {
  const expanded: ExpandedPlugins[] = [];
  for (const profile of draft.profiles) {
    const made = frameworkOf(profile);
    if ('problem' in made) {
      const where = `creating profile for scheduler name ${profile.schedulerName}`;
      return { problems: [`initializing profiles: ${where}: ${made.problem}`] };
    }
    expanded.push(made.plugins);
  }
  const converted = draft.profiles.map((profile, index) =>
    convertedProfile(profile, expanded[index], `profiles[${index}]`),
  );
  const problems = converted.flatMap((one) => one.problems);
  if (draft.extenders.length > 0) problems.push(forbidden('extenders', 'extenders are not supported'));
  return problems.length > 0 ? { problems } : { configuration: configurationOf(draft, converted, expanded) };
}

function frameworkOf(profile: ProfileDraft): { readonly plugins: ExpandedPlugins } | { readonly problem: string } {
  const { sets, pluginConfig, schedulerName } = profile;
  const needed = pluginsOf(sets);
  for (const { name, args } of pluginConfig) {
    const known = ARGUMENTS.get(name);
    if (known?.isCheckedLate !== true || !needed.has(name) || args === undefined) continue;
    const errors = known.errors(new JsonView(args, ''), '');
    if (errors.length > 0) return { problem: `initializing plugin ${JSON.stringify(name)}: ${asOne(errors)}` };
  }
  return expandedPlugins(sets, schedulerName);
}

function configurationOf(
  draft: ConfigurationDraft,
  converted: readonly ConvertedProfile[],
  plugins: readonly ExpandedPlugins[],
): SchedulerConfiguration {
  const { leaderElection, given } = draft;
  const withoutEffect = [
    ...(given.has('parallelism') ? ['parallelism: decisions are made by one thread'] : []),
    ...(![0, 100].includes(draft.percentageOfNodesToScore) ? ['percentageOfNodesToScore: every node is scored'] : []),
    ...converted.flatMap((one) => one.withoutEffect),
  ];
  return {
    profiles: converted.map(({ profile }) => profile),
    plugins,
    parallelism: draft.parallelism,
    percentageOfNodesToScore: draft.percentageOfNodesToScore,
    podInitialBackoffSeconds: draft.podInitialBackoffSeconds,
    podMaxBackoffSeconds: draft.podMaxBackoffSeconds,
    leaderElection: {
      isEnabled: leaderElection.leaderElect,
      leaseDurationMs: leaderElection.leaseDuration / 1e6,
      renewDeadlineMs: leaderElection.renewDeadline / 1e6,
      retryPeriodMs: leaderElection.retryPeriod / 1e6,
      resourceName: leaderElection.resourceName,
      resourceNamespace: leaderElection.resourceNamespace,
    },
    clientConnection: draft.clientConnection,
    enableProfiling: draft.enableProfiling,
    enableContentionProfiling: draft.enableContentionProfiling,
    delayCacheUntilActive: draft.delayCacheUntilActive,
    withoutEffect,
    versioned: versionedConfiguration(draft),
  };
}
