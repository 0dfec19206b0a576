// Random turns of a cluster that changes all the while, played to a kernel and the reference (kernel-pair-fixture.ts).

import fc from 'fast-check';
import { objectKey } from '../model/cluster-objects.ts';
import type { ClusterCommand } from '../model/command.ts';
import { NAME_FIELD } from '../model/node-selector.ts';
import { type ClusterPlan, commandsOf, podSet } from '../model/plan-fixture.ts';
import type { PodObject } from '../model/pod-object.ts';
import { PROFILES } from '../model/profile-fixture.ts';
import { DEFAULT_PROFILE, type FilterPluginName, type SchedulerProfile } from '../model/scheduler-profile.ts';
import type { Pair } from './kernel-pair-fixture.ts';
import { HOSTNAME } from './topology.ts';

/** Two of them, with their filters in another order. */
export const SHUFFLED: readonly SchedulerProfile[] = [PROFILES[0], PROFILES[2]].map((profile) => ({
  ...profile,
  schedulerName: `shuffled-${profile.schedulerName}`,
}));
export const FILTERS: readonly FilterPluginName[] = DEFAULT_PROFILE.filters;

export function profilesWith(filters: readonly FilterPluginName[]): SchedulerProfile[] {
  return [...PROFILES, ...SHUFFLED.map((profile) => ({ ...profile, filters }))];
}

export type Turn = {
  readonly what:
    | 'pod'
    | 'pinned'
    | 'again'
    | 'node'
    | 'no-node'
    | 'no-pod'
    | 'object'
    | 'no-object'
    | 'ending'
    | 'claim';
  readonly which: number;
};

export const turn: fc.Arbitrary<Turn> = fc.record({
  what: fc.constantFrom(
    'pod',
    'pod',
    'pod',
    'pod',
    'pod',
    'pinned',
    'pinned',
    'again',
    'again',
    'node',
    'no-node',
    'no-pod',
    'object',
    'no-object',
    'ending',
    'claim',
  ),
  which: fc.nat(99),
});

/** What the plans have, to be picked from. */
export function play(
  pair: Pair,
  plans: readonly ClusterPlan[],
  schedulerNames: readonly string[],
  turns: readonly Turn[],
  tickMs: number,
): void {
  const [first, second] = plans.map(commandsOf);
  const commands = [...first, ...second];
  for (const command of first) pair.apply(command);
  const ofKind = <K extends ClusterCommand['kind']>(kind: K): (ClusterCommand & { kind: K })[] =>
    commands.filter((command): command is ClusterCommand & { kind: K } => command.kind === kind);
  const nodes = ofKind('node-set');
  const bound = ofKind('pod-set');
  const objects = ofKind('object-set');
  // Some as they are: they are left alone. Most without what the kernel leaves alone.
  const pending = plans
    .flatMap((plan) => plan.pending)
    .map((json, index) => (index % 8 === 0 ? podSet(json).pod : { ...podSet(json).pod, ...PLACEABLE }));
  let nowMs = 0;
  for (const [index, { what, which }] of turns.entries()) {
    nowMs += tickMs;
    if (tickMs > 0) pair.tick(nowMs);
    const pick = <T>(list: readonly T[]): T | undefined => list[which % Math.max(1, list.length)];
    const node = pick(nodes);
    const pod = pick(bound);
    const object = pick(objects);
    if (what === 'pod') {
      const next = pick(pending);
      const schedulerName = schedulerNames[index % schedulerNames.length];
      for (let copy = 0; next !== undefined && copy <= which % 5; copy++) {
        const name = `turn-${index}${copy === 0 ? '' : `-${copy}`}`;
        pair.decide({ ...next, uid: name, name, schedulerName }, which);
      }
    } else if (what === 'pinned' && node !== undefined) {
      const next = pending[which % Math.max(1, pending.length)];
      const name = `turn-${index}`;
      const schedulerName = schedulerNames[which % schedulerNames.length];
      if (next !== undefined)
        pair.decide(pinnedTo(node.node.name, { ...next, uid: name, name, schedulerName }, which + index), which);
    } else if (what === 'again') {
      const waiting = pick([...pair.nominated.values()]);
      if (waiting !== undefined) pair.decide(waiting, which);
    } else if (what === 'node' && node !== undefined)
      pair.apply(which % 3 > 0 ? node : sharingHostname(node, nodes[0]));
    else if (what === 'no-node' && node !== undefined) pair.apply({ kind: 'node-deleted', name: node.node.name });
    else if (what === 'no-pod') {
      const uid = which % 2 ? `turn-${which % turns.length}` : (pod?.pod.uid ?? '');
      pair.nominated.delete(uid);
      pair.apply({ kind: 'pod-deleted', uid });
    } else if (what === 'ending' && pod !== undefined)
      pair.apply({ kind: 'pod-set', pod: { ...pod.pod, isTerminating: true } });
    else if (what === 'claim') for (const command of pair.storage.bound(which)) pair.apply(command);
    else if (what === 'object' && object !== undefined) pair.apply(object);
    else if (what === 'no-object' && object !== undefined) {
      pair.apply({ kind: 'object-deleted', objectKind: object.object.kind, key: objectKey(object.object) });
    }
  }
}

const PLACEABLE = { resourceClaims: [], schedulingGates: [] };

/** The node with the hostname of another one. */
function sharingHostname(command: ClusterCommand & { kind: 'node-set' }, other: typeof command): typeof command {
  const labels = new Map(command.node.labels).set(HOSTNAME, other.node.labels.get(HOSTNAME) ?? 'shared');
  return { ...command, node: { ...command.node, labels } };
}

/** The pod as one that names its node, in one of the ways there are. */
function pinnedTo(node: string, pod: PodObject, way: number): PodObject {
  const { pairs, selector } = pod.requiredNodes;
  const term = { expressions: [], fields: [], problem: undefined };
  const named = { ...term, fields: [{ key: NAME_FIELD, operator: 'In' as const, values: [node] }] };
  const hosted = { ...term, expressions: [{ key: HOSTNAME, operator: 'In' as const, values: [node] }] };
  const ssd = { key: 'disk', operator: 'In' as const, values: ['ssd'] };
  const withHostname = new Map(pairs).set(HOSTNAME, way % 7 === 0 ? 'nowhere' : node);
  const ways = [
    { pairs, selector: { terms: [named] } },
    { pairs, selector: { terms: [{ ...named, expressions: [ssd] }, named] } },
    { pairs, selector: { terms: [{ ...named, expressions: [ssd] }] } },
    { pairs: withHostname, selector },
    { pairs: withHostname, selector: undefined },
    { pairs: withHostname, selector: { terms: [hosted] } },
    { pairs, selector: { terms: [hosted] } },
    { pairs, selector: { terms: [{ ...hosted, expressions: [ssd, ...hosted.expressions] }, hosted] } },
    { pairs, selector: { terms: [hosted, named] } },
  ];
  return { ...pod, requiredNodes: ways[way % ways.length] };
}
