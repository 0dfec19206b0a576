// The kernel against the reference, decision by decision, on random clusters of every feature mixed, while nodes, pods and
// objects come, change and go. K1M_RUNS clusters of K1M_SEED; each failure is shrunk.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { propertyRuns } from '../../testing/property-runs.ts';
import { objectKey } from '../model/cluster-objects.ts';
import type { ClusterCommand } from '../model/command.ts';
import { readNode } from '../model/node-object.ts';
import { NAME_FIELD } from '../model/node-selector.ts';
import { type ClusterPlan, clusterPlan, commandsOf, mustRead, podSet } from '../model/plan-fixture.ts';
import type { PodObject } from '../model/pod-object.ts';
import { PROFILES } from '../model/profile-fixture.ts';
import { DEFAULT_PROFILE, type FilterPluginName, type SchedulerProfile } from '../model/scheduler-profile.ts';
import { type Counts, NO_COUNTS, Pair } from './kernel-pair-fixture.ts';
import { HOSTNAME } from './topology.ts';

const RUNS = propertyRuns(150, process.env);
/** Two of them, with their filters in another order. */
const SHUFFLED: readonly SchedulerProfile[] = [PROFILES[0], PROFILES[2]].map((profile) => ({
  ...profile,
  schedulerName: `shuffled-${profile.schedulerName}`,
}));
const { filters: FILTERS } = DEFAULT_PROFILE;

function profilesWith(filters: readonly FilterPluginName[]): SchedulerProfile[] {
  return [...PROFILES, ...SHUFFLED.map((profile) => ({ ...profile, filters }))];
}

type Turn = {
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

const turn: fc.Arbitrary<Turn> = fc.record({
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
function play(
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
    if (tickMs > 0) pair.kernel.tick(nowMs);
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

/** A small pod of the default profile. */
function plainPod(name: string, labels: Record<string, string>, spec: object = {}): PodObject {
  const { schedulerName } = PROFILES[0];
  const containers = [{ name: 'c', image: 'i', resources: { requests: { cpu: '1' } } }];
  return podSet({
    metadata: { name, namespace: 'ns1', uid: name, labels },
    spec: { schedulerName, containers, ...spec },
  }).pod;
}

function plainNode(name: string): ClusterCommand {
  const labels = { 'kubernetes.io/hostname': name };
  const status = { allocatable: { cpu: '8', memory: '8Gi', pods: '10' } };
  return { kind: 'node-set', node: mustRead(readNode({ metadata: { name, uid: name, labels }, status })) };
}

describe('the kernel', () => {
  it('tells pods apart by a label as soon as a term asks for it', () => {
    const pair = new Pair({ ...NO_COUNTS }, profilesWith(FILTERS), 1 << 20);
    pair.apply(plainNode('n0'));
    const against = (matchExpressions: object[]): object => ({
      affinity: {
        podAntiAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [
            { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchExpressions } },
          ],
        },
      },
    });
    // `app` is asked for from the beginning, `canary` from the third pod on.
    pair.decide(plainPod('asks', { canary: 'x' }, against([{ key: 'app', operator: 'In', values: ['z'] }])));
    pair.decide(plainPod('first', { app: 'a', canary: 'true' }));
    pair.decide(plainPod('holder', { app: 'h', canary: 'h' }, against([{ key: 'canary', operator: 'DoesNotExist' }])));
    pair.decide(plainPod('second', { app: 'a' }));
    assert.deepEqual([pair.counts.bound, pair.counts.unschedulable], [3, 1]);
  });

  it('decides as the reference does, while the cluster changes', (context) => {
    const counts: Counts = { ...NO_COUNTS };
    const names = [...PROFILES, ...SHUFFLED].map(({ schedulerName }) => schedulerName);
    fc.assert(
      fc.property(
        fc.tuple(clusterPlan(), clusterPlan()),
        fc.subarray(names, { minLength: 1 }),
        fc.array(turn, { minLength: 10, maxLength: 40 }),
        // A memory for hardly any index, and for all of them.
        fc.constantFrom(1, 1 << 20),
        // What is not used is never forgotten, or soon, or at once.
        fc.constantFrom(0, 20_000, 90_000),
        fc.shuffledSubarray([...FILTERS], { minLength: FILTERS.length - 2 }),
        (plans, schedulerNames, turns, indexBytesMax, tickMs, filters) => {
          play(new Pair(counts, profilesWith(filters), indexBytesMax), plans, schedulerNames, turns, tickMs);
        },
      ),
      RUNS,
    );
    context.diagnostic(`${RUNS.numRuns} clusters: ${JSON.stringify(counts)}`);
    assert.ok(counts.bound > counts.errors, 'most decisions place a pod');
  });
});
