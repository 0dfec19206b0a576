// The kernel against the reference, decision by decision, on random clusters of every feature mixed, while nodes, pods and
// objects come, change and go. K1M_RUNS clusters; each failure is shrunk.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { objectKey } from '../model/cluster-objects.ts';
import { boundTo, type ClusterCommand, nominatedTo } from '../model/command.ts';
import type { Decision, Preemption, Unschedulable } from '../model/decision.ts';
import { readNode } from '../model/node-object.ts';
import { NAME_FIELD } from '../model/node-selector.ts';
import { type ClusterPlan, clusterPlan, commandsOf, mustRead, podSet } from '../model/plan-fixture.ts';
import type { PodObject } from '../model/pod-object.ts';
import { PROFILES } from '../model/profile-fixture.ts';
import { DEFAULT_PROFILE, type FilterPluginName, type SchedulerProfile } from '../model/scheduler-profile.ts';
import { StorageMirror } from '../model/storage-fixture.ts';
import { preference } from '../reference/default-preemption.ts';
import type { Explanation } from '../reference/explanation.ts';
import { ReferenceScheduler } from '../reference/reference-scheduler.ts';
import { Kernel } from './kernel.ts';
import { HOSTNAME } from './topology.ts';

const RUNS = Number(process.env.K1M_RUNS ?? 150);
/** After the start of every pod. */
const NOW_MS = 1_800_000_000_000;
/** Two of them, with their filters in another order. */
const SHUFFLED: readonly SchedulerProfile[] = [PROFILES[0], PROFILES[2]].map((profile) => ({
  ...profile,
  schedulerName: `shuffled-${profile.schedulerName}`,
}));
const { filters: FILTERS } = DEFAULT_PROFILE;

interface Counts {
  bound: number;
  /** Of those: on the node that was nominated for them. */
  onNominated: number;
  unschedulable: number;
  /** Of those: with victims. */
  preemptions: number;
  leftAlone: number;
  errors: number;
  /** Of the bound, pods whose claims have volumes found or made for them. */
  assumed: number;
  withVolumes: number;
}

const NO_COUNTS: Counts = {
  bound: 0,
  onNominated: 0,
  unschedulable: 0,
  preemptions: 0,
  leftAlone: 0,
  errors: 0,
  assumed: 0,
  withVolumes: 0,
};

/** Kernel and reference side by side. */
class Pair {
  readonly kernel: Kernel;
  readonly reference: ReferenceScheduler;
  readonly counts: Counts;
  readonly storage = new StorageMirror();
  /** Pods that wait with a node nominated for them, by uid. */
  readonly nominated = new Map<string, PodObject>();

  constructor(counts: Counts, indexBytesMax: number, filters: readonly FilterPluginName[] = FILTERS) {
    const all = [...PROFILES, ...SHUFFLED.map((profile) => ({ ...profile, filters }))];
    this.reference = new ReferenceScheduler(all);
    this.kernel = new Kernel(all, { indexBytesMax });
    this.counts = counts;
  }

  apply(command: ClusterCommand): void {
    this.kernel.apply(command);
    this.reference.apply(command);
    this.storage.apply(command);
  }

  /** Decides on the pod, and places it where the kernel did. `chance` says what becomes of victims. */
  decide(pod: PodObject, chance = 0): void {
    this.apply({ kind: 'pod-set', pod });
    const expected = this.reference.explain(pod.uid, NOW_MS);
    const decision = this.kernel.decide(pod.uid);
    if (decision.kind !== 'left-alone' && pod.volumes.length > 0) this.counts.withVolumes++;
    this.nominated.delete(pod.uid);
    switch (decision.kind) {
      case 'left-alone':
        this.counts.leftAlone++;
        this.apply({ kind: 'pod-deleted', uid: pod.uid });
        break;
      case 'bound':
        this.counts.bound++;
        if (decision.node === pod.nominatedNodeName) this.counts.onNominated++;
        assertBest(decision.node, decision.score, expected);
        assert.deepEqual(decision.volumes, this.reference.volumePlan(pod.uid, decision.node));
        if (decision.volumes !== undefined) {
          this.counts.assumed++;
          for (const command of this.storage.assumed(decision.volumes, decision.node)) this.apply(command);
        }
        this.apply({ kind: 'pod-set', pod: boundTo(pod, decision.node) });
        break;
      case 'error':
        this.counts.errors++;
        assert.deepEqual(anyOwner(decision), anyOwner(expected.decision));
        break;
      case 'unschedulable':
        this.counts.unschedulable++;
        assertRefused(decision, expected);
        if (decision.preemption !== undefined) this.#preempt(pod, decision.preemption, chance);
        else if (decision.losesNomination) this.apply({ kind: 'pod-set', pod: nominatedTo(pod, '') });
        else if (pod.nominatedNodeName !== '') this.nominated.set(pod.uid, pod);
    }
  }

  #preempt(pod: PodObject, { nominatedNode, victims, clearedNominations }: Preemption, chance: number): void {
    this.counts.preemptions++;
    const nominated = nominatedTo(pod, nominatedNode);
    this.apply({ kind: 'pod-set', pod: nominated });
    this.nominated.set(pod.uid, nominated);
    for (const uid of clearedNominations) {
      const other = this.reference.pod(uid);
      if (other !== undefined) this.apply({ kind: 'pod-set', pod: nominatedTo(other, '') });
      this.nominated.delete(uid);
    }
    for (const [index, uid] of victims.entries()) {
      const victim = this.reference.pod(uid);
      assert.ok(victim);
      const fate = (chance + index) % 3;
      if (fate === 0) this.apply({ kind: 'pod-deleted', uid });
      else if (fate === 1) this.apply({ kind: 'pod-set', pod: { ...victim, isTerminating: true, isPreempted: true } });
    }
  }
}

/** The same, but for the choice among equals. */
function assertRefused(decision: Unschedulable, { decision: expected, candidates }: Explanation): void {
  assert.ok(expected.kind === 'unschedulable', `refused, where the reference says ${JSON.stringify(expected)}`);
  const plain = (one: Unschedulable): object => {
    const message = one.message.replace(/(victim pod on node ).*/, '$1any');
    return { ...one, message, preemption: one.preemption !== undefined };
  };
  assert.deepEqual(plain(decision), plain(expected));
  const { preemption } = decision;
  if (preemption === undefined || expected.preemption === undefined) return;
  const [taken, best] = [preemption, expected.preemption].map(({ nominatedNode }) =>
    candidates.find(({ node }) => node === nominatedNode),
  );
  assert.ok(taken !== undefined && best !== undefined, `${preemption.nominatedNode} is no candidate`);
  assert.deepEqual(preference(taken, NOW_MS), preference(best, NOW_MS));
  assert.deepEqual(
    preemption.victims,
    taken.victims.map(({ uid }) => uid),
  );
  if (taken === best) {
    const [cleared, wanted] = [preemption, expected.preemption].map((one) => one.clearedNominations.toSorted());
    assert.deepEqual(cleared, wanted);
  }
}

/** Of several ephemeral volumes with claims of others any may be told. */
function anyOwner(decision: Decision): Decision {
  if (decision.kind !== 'error') return decision;
  return { ...decision, message: decision.message.replace(/PVC \S+ was not created for pod \S+/, 'PVC …') };
}

function assertBest(node: string, score: number | undefined, { decision, best }: Explanation): void {
  assert.equal(decision.kind, 'bound', `${node} is taken, where the reference says ${JSON.stringify(decision)}`);
  assert.ok(best.includes(node), `${node} is taken, best are ${best.join(' ')}`);
  assert.equal(score, decision.kind === 'bound' ? decision.score : undefined);
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
    const pair = new Pair({ ...NO_COUNTS }, 1 << 20);
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
          play(new Pair(counts, indexBytesMax, filters), plans, schedulerNames, turns, tickMs);
        },
      ),
      { numRuns: RUNS },
    );
    context.diagnostic(`${RUNS} clusters: ${JSON.stringify(counts)}`);
    assert.ok(counts.bound > counts.errors, 'most decisions place a pod');
  });
});
