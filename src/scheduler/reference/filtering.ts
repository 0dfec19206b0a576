// Which nodes fit: PreFilter, the nominated node first, then Filter on every node that comes into question.
//
// On each node the plugins run in order up to the first that refuses. A node that is nominated for other pods of at least
// the same priority has to pass twice: with them and without them.

import type { PodObject } from '../model/pod-object.ts';
import type { FilterPluginName } from '../model/scheduler-profile.ts';
import type { NodeState } from './cluster.ts';
import { type Cycle, type NodeCheck, type Refusal, unresolvable } from './plugin.ts';
import { FILTERS } from './plugin-table.ts';

export interface PluginRefusal extends Refusal {
  readonly plugin: string;
}

export interface Filtering {
  /** PreFilter refused the pod as a whole. */
  readonly preFilterRefusal: PluginRefusal | undefined;
  readonly feasible: readonly NodeState[];
  /** By node, of the nodes that were looked at. */
  readonly refusals: ReadonlyMap<string, PluginRefusal>;
  /** What holds for nodes that were not looked at. */
  readonly absent: Refusal | undefined;
  /** Names of the plugins that refused, or narrowed down the nodes. */
  readonly plugins: ReadonlySet<string>;
  /** For what-ifs. */
  readonly copyOfChecks: () => Checks;
}

export function filterNodes(cycle: Cycle): Filtering {
  const { pod, nodes } = cycle;
  const preFilter = runPreFilters(cycle);
  const base = { refusals: new Map<string, PluginRefusal>(), copyOfChecks: () => preFilter.checks.copy() };
  if (preFilter.refusal !== undefined) {
    const { refusal } = preFilter;
    const plugins = refusal.plugin === '' ? preFilter.narrowing : new Set([refusal.plugin]);
    return { ...base, preFilterRefusal: refusal, feasible: [], absent: refusal, plugins };
  }
  const plugins = new Set(preFilter.narrowing);
  const look = (candidates: readonly NodeState[]): NodeState[] =>
    candidates.filter((state) => {
      const refusal = preFilter.checks.refusalWithNominated(state);
      if (refusal === undefined) return true;
      base.refusals.set(state.node.name, refusal);
      plugins.add(refusal.plugin);
      return false;
    });
  const nominated = nodes.filter(({ node }) => node.name === pod.nominatedNodeName);
  const result = { ...base, preFilterRefusal: undefined, absent: undefined, plugins };
  const there = look(nominated);
  if (there.length > 0) return { ...result, feasible: there };
  const { only } = preFilter;
  // Upstream names the plugin that has just refused the nominated node, too: it is one set.
  const absent =
    only === undefined
      ? undefined
      : unresolvable(`node(s) didn't satisfy plugin(s) [${[...plugins].sort().join(' ')}]`);
  const candidates = nodes.filter(({ node }) => only === undefined || only.has(node.name));
  return { ...result, absent, feasible: look(candidates) };
}

function bothOf(a: ReadonlySet<string>, b: ReadonlySet<string>): Set<string> {
  return new Set([...a].filter((name) => b.has(name)));
}

interface PreFiltered {
  readonly checks: Checks;
  /** undefined: all nodes. */
  readonly only: ReadonlySet<string> | undefined;
  readonly narrowing: ReadonlySet<string>;
  readonly refusal: PluginRefusal | undefined;
}

function runPreFilters(cycle: Cycle): PreFiltered {
  const checks = new Map<FilterPluginName, NodeCheck>();
  const narrowing = new Set<string>();
  let only: ReadonlySet<string> | undefined;
  const outcome = (refusal: PluginRefusal | undefined): PreFiltered => ({
    checks: new Checks(cycle, checks),
    only,
    narrowing,
    refusal,
  });
  for (const plugin of cycle.profile.filters) {
    const result = FILTERS[plugin](cycle);
    if (result.kind === 'skip') continue;
    if (result.kind === 'refused') return outcome({ ...result.refusal, plugin });
    checks.set(plugin, result.check);
    if (result.only === undefined) continue;
    narrowing.add(plugin);
    only = only === undefined ? result.only : bothOf(only, result.only);
    if (only.size > 0) continue;
    const names = [...narrowing].sort();
    const reason =
      names.length === 1
        ? `node(s) didn't satisfy plugin ${names[0]}`
        : `node(s) didn't satisfy plugin(s) [${names.join(' ')}] simultaneously`;
    return outcome({ ...unresolvable(reason), plugin: '' });
  }
  return outcome(undefined);
}

/** The checks of the plugins that have something to look at, in order. */
export class Checks {
  readonly #cycle: Cycle;
  readonly #checks: ReadonlyMap<FilterPluginName, NodeCheck>;

  constructor(cycle: Cycle, checks: ReadonlyMap<FilterPluginName, NodeCheck>) {
    this.#cycle = cycle;
    this.#checks = checks;
  }

  copy(): Checks {
    const copies = new Map([...this.#checks].map(([name, check]) => [name, check.copy?.() ?? check]));
    return new Checks(this.#cycle, copies);
  }

  podMoved(pod: PodObject, state: NodeState, count: 1 | -1): void {
    for (const check of this.#checks.values()) check.podMoved?.(pod, state, count);
  }

  refusalWithNominated(state: NodeState): PluginRefusal | undefined {
    const { pod, nominated: byNode } = this.#cycle;
    const nominated = byNode.get(state.node.name) ?? [];
    const others = nominated.filter((other) => other.priority >= pod.priority && other.uid !== pod.uid);
    if (others.length === 0) return this.#refusal(state);
    const crowded = this.copy();
    for (const other of others) crowded.podMoved(other, state, 1);
    return crowded.#refusal({ node: state.node, pods: [...state.pods, ...others] }) ?? this.#refusal(state);
  }

  #refusal(state: NodeState): PluginRefusal | undefined {
    for (const [plugin, check] of this.#checks) {
      const refusal = check.refusal(state);
      if (refusal !== undefined) return { ...refusal, plugin };
    }
    return undefined;
  }
}
