// Which plugins run where: the sets of a profile merged into the default ones (mergePlugins), then multiPoint spread over the
// extension points (NewFramework, expandMultiPointPlugins), with upstream's errors.

import { type EnabledPlugin, EXTENSION_POINTS, type ExtensionPoint, interfaceOf, PLUGINS } from './plugin-catalogue.ts';

export interface PluginSet {
  readonly enabled: readonly EnabledPlugin[];
  readonly disabled: readonly EnabledPlugin[];
}

/** `*` disables all that are there by default. */
export function mergedSet(defaults: PluginSet, custom: PluginSet): PluginSet {
  const disabled = [...custom.disabled, ...defaults.disabled].map(({ name }) => ({ name, weight: 0 }));
  const without = new Set(disabled.map(({ name }) => name));
  // Of a plugin that is named twice the last one is taken, and the first is left to be found out.
  const own = new Map(custom.enabled.map((plugin, index) => [plugin.name, index]));
  const replaced = new Set<number>();
  const enabled: EnabledPlugin[] = [];
  for (const plugin of without.has('*') ? [] : defaults.enabled) {
    if (without.has(plugin.name)) continue;
    const index = own.get(plugin.name);
    if (index !== undefined) replaced.add(index);
    enabled.push(index === undefined ? plugin : custom.enabled[index]);
  }
  enabled.push(...custom.enabled.filter((_plugin, index) => !replaced.has(index)));
  return { enabled, disabled };
}

export interface PluginSets {
  readonly multiPoint: PluginSet;
  readonly at: ReadonlyMap<ExtensionPoint, PluginSet>;
}

/** All that are enabled anywhere. */
export function pluginsOf({ multiPoint, at }: PluginSets): ReadonlySet<string> {
  return new Set([multiPoint, ...at.values()].flatMap(({ enabled }) => enabled.map(({ name }) => name)));
}

export type ExpandedPlugins = ReadonlyMap<ExtensionPoint, readonly EnabledPlugin[]>;

/** What runs at each extension point, in order; weights are those of scores. Or the first error, as upstream has it. */
export function expandedPlugins(
  sets: PluginSets,
  schedulerName: string,
): { readonly plugins: ExpandedPlugins } | { readonly problem: string } {
  const problem = ownProblem(sets) ?? multiPointProblem(sets);
  if (problem !== undefined) return { problem };
  const names = new Map(EXTENSION_POINTS.map((point) => [point, namesAt(sets, point)]));
  const count = (point: ExtensionPoint): number => names.get(point)?.length ?? 0;
  const profile = `profile with scheduler name ${JSON.stringify(schedulerName)}`;
  if (count('queueSort') !== 1) {
    return { problem: `only one queue sort plugin required for ${profile}, but got ${count('queueSort')}` };
  }
  if (count('bind') === 0) return { problem: `at least one bind plugin is needed for ${profile}` };
  if (count('placementGenerate') > 1) {
    return { problem: `at most one placement generate plugin is allowed for ${profile}` };
  }
  const weights = new Map<ExtensionPoint, ReadonlyMap<string, number>>();
  for (const [point, words] of WEIGHED_POINTS) {
    const weighed = weightsAt(sets, point);
    if (weighed === undefined) return { problem: `${words}: total score of Score plugins could overflow` };
    weights.set(point, weighed);
  }
  return {
    plugins: new Map(
      [...names].map(([point, list]) => [
        point,
        list.map((name) => ({ name, weight: weights.get(point)?.get(name) ?? 0 })),
      ]),
    ),
  };
}

const WEIGHED_POINTS: readonly (readonly [ExtensionPoint, string])[] = [
  ['score', 'score plugins'],
  ['placementScore', 'placement score plugins'],
];

const NO_SET: PluginSet = { enabled: [], disabled: [] };

function setAt({ at }: PluginSets, point: ExtensionPoint): PluginSet {
  return at.get(point) ?? NO_SET;
}

function ownProblem(sets: PluginSets): string | undefined {
  for (const point of EXTENSION_POINTS) {
    const seen = new Set<string>();
    for (const { name } of setAt(sets, point).enabled) {
      const quoted = JSON.stringify(name);
      const plugin = PLUGINS.get(name);
      if (plugin === undefined) return `${interfaceOf(point)} ${quoted} does not exist`;
      if (!plugin.has(point)) return `plugin ${quoted} does not extend ${interfaceOf(point)} plugin`;
      if (seen.has(name)) return `plugin ${quoted} already registered as ${JSON.stringify(interfaceOf(point))}`;
      seen.add(name);
    }
  }
  return undefined;
}

function multiPointProblem(sets: PluginSets): string | undefined {
  for (const point of EXTENSION_POINTS) {
    const { enabled, disabled } = setAt(sets, point);
    const without = new Set(disabled.map(({ name }) => name));
    if (without.has('*')) continue;
    const own = new Set(enabled.map(({ name }) => name));
    const seen = new Set<string>();
    for (const { name } of sets.multiPoint.enabled) {
      const plugin = PLUGINS.get(name);
      if (plugin === undefined) return `${interfaceOf(point)} ${JSON.stringify(name)} does not exist`;
      if (!plugin.has(point) || without.has(name) || own.has(name)) continue;
      if (seen.has(name))
        return `plugin ${JSON.stringify(name)} already registered as ${JSON.stringify(interfaceOf(point))}`;
      seen.add(name);
    }
  }
  return undefined;
}

/** Own plugins that multiPoint has, too; then multiPoint's; then the other own ones. */
function namesAt(sets: PluginSets, point: ExtensionPoint): string[] {
  const { enabled, disabled } = setAt(sets, point);
  const own = enabled.map(({ name }) => name);
  const without = new Set(disabled.map(({ name }) => name));
  if (without.has('*')) return own;
  const offered = sets.multiPoint.enabled
    .map(({ name }) => name)
    .filter((name) => PLUGINS.get(name)?.has(point) === true && !without.has(name));
  const overriding = own.filter((name) => offered.includes(name));
  return [
    ...overriding,
    ...offered.filter((name) => !own.includes(name)),
    ...own.filter((name) => !offered.includes(name)),
  ];
}

/** By plugin; 0 stands for 1, a point's own weight goes before that of multiPoint. undefined where int64 arithmetic overflows. */
function weightsAt(sets: PluginSets, point: ExtensionPoint): ReadonlyMap<string, number> | undefined {
  const weights = new Map<string, number>();
  let total = 0n;
  for (const { name, weight } of [...setAt(sets, point).enabled, ...sets.multiPoint.enabled]) {
    if (PLUGINS.get(name)?.has(point) !== true || weights.has(name)) continue;
    weights.set(name, weight || 1);
    const score = BigInt(weight || 1) * 100n;
    // A negative weight overflows this subtraction, which is how upstream refuses most of them.
    if (score > BigInt.asIntN(64, 2n ** 63n - 1n - total)) return undefined;
    total += score;
  }
  return weights;
}
