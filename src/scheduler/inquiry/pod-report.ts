// Why a pod goes where it goes, or nowhere: every node's verdict by the reference, nodes of one verdict together.
//
//   snapshot ─► ReferenceScheduler.explain ─┬─ scores    ─► groups by what each plugin gave, the best total first
//                                           └─ refusals  ─► groups by plugin, reasons and what is to blame
//
// The reference judges every node, so that nothing here is a guess. It takes one pass over nodes and pods a plugin: a few seconds for
// 100,000 nodes and a million pods (docs/inquiry.md). Preemption is the exception: there its cost goes with the square of the nodes, so on
// clusters of more than PREEMPTION_NODES_MAX the kernel says what it would do.
//
// A pod that is bound, gated, on its way out or has claims is explained as if it were not; a remark says so.

import { assert } from '../../base/assert.ts';
import { Kernel } from '../kernel/kernel.ts';
import { boundTo } from '../model/command.ts';
import type { Decision } from '../model/decision.ts';
import { type PodObject, podKey } from '../model/pod-object.ts';
import { amountNamed } from '../model/resources.ts';
import type { SchedulerProfile } from '../model/scheduler-profile.ts';
import type { NodeState } from '../reference/cluster.ts';
import type { Explanation, NodeScore } from '../reference/explanation.ts';
import { ReferenceScheduler } from '../reference/reference-scheduler.ts';
import { AffinityDetail } from './affinity-detail.ts';
import type { ClusterSnapshot } from './cluster-snapshot.ts';
import { otherScheduler } from './errors.ts';
import { refusalDetail, type Shortage, shortagesOn } from './refusal-detail.ts';
import { SpreadDetail } from './spread-detail.ts';

export const PREEMPTION_NODES_MAX = 1000;

export interface ScoreGroup {
  readonly total: number;
  /** Weighted, of plugins that had something to say. */
  readonly byPlugin: ReadonlyMap<string, number>;
  readonly nodes: readonly string[];
}

export interface RefusalGroup {
  readonly plugin: string;
  readonly reasons: readonly string[];
  /** Removing other pods might help. */
  readonly isResolvable: boolean;
  /** The taint, label or pod to blame, or ''. */
  readonly detail: string;
  /** Of each resource that is short, where the most of it is left. */
  readonly shortages: readonly (Shortage & { readonly node: string })[];
  readonly nodes: readonly string[];
}

export interface PodReport {
  /** As it was judged: not on a node. */
  readonly pod: PodObject;
  /** The node that it is on, '' for none. */
  readonly boundNode: string;
  readonly remarks: readonly string[];
  readonly nodeCount: number;
  readonly feasibleCount: number;
  /** The text of the condition, or of the error; '' where the pod fits. */
  readonly message: string;
  readonly outcome: 'fits' | 'unschedulable' | 'error';
  /** Nodes with the highest total: the scheduler takes one of them. */
  readonly best: readonly string[];
  /** The best first. Empty where a single node fits: it is taken without scoring. */
  readonly scores: readonly ScoreGroup[];
  /** The largest first. */
  readonly refusals: readonly RefusalGroup[];
  /** Nodes that the pod's own terms leave out unseen. */
  readonly unseenCount: number;
  readonly preemption: PreemptionReport | undefined;
}

export interface PreemptionReport {
  readonly node: string;
  /** `namespace/name`. */
  readonly victims: readonly string[];
  /** Nodes that preemption could make room on; undefined where the kernel was asked, which does not look at all. */
  readonly candidateCount: number | undefined;
}

export interface Inquiry {
  readonly snapshot: ClusterSnapshot;
  readonly profiles: readonly SchedulerProfile[];
  readonly pod: PodObject;
  /** Since 1970. */
  readonly nowMs: number;
}

/** Throws InquiryError. */
export function reportOn({ snapshot, profiles, pod: given, nowMs }: Inquiry): PodReport {
  const profile = profiles.find(({ schedulerName }) => schedulerName === given.schedulerName);
  if (profile === undefined) {
    const names = profiles.map(({ schedulerName }) => schedulerName);
    throw otherScheduler(`pod ${podKey(given)}`, given.schedulerName, names);
  }
  const { pod, remarks } = asPending(given);
  const isLarge = snapshot.nodes.size > PREEMPTION_NODES_MAX;
  const scheduler = new ReferenceScheduler([isLarge ? { ...profile, preempts: false } : profile]);
  for (const command of snapshot.commands()) scheduler.apply(command);
  scheduler.apply({ kind: 'pod-set', pod });
  const explanation = scheduler.explain(pod.uid, nowMs);
  const needsKernel = isLarge && profile.preempts && explanation.decision.kind === 'unschedulable';
  const decision = needsKernel ? kernelDecision(snapshot, profile, pod) : explanation.decision;
  return {
    boundNode: given.nodeName,
    remarks,
    ...reportOf({ snapshot, profile, pod, explanation: { ...explanation, decision } }),
  };
}

/** The same decision, with what preemption would do. */
function kernelDecision(snapshot: ClusterSnapshot, profile: SchedulerProfile, pod: PodObject): Decision {
  const kernel = new Kernel([profile]);
  for (const command of snapshot.commands()) kernel.apply(command);
  kernel.apply({ kind: 'pod-set', pod });
  return kernel.decide(pod.uid);
}

/** The pod as it would be were it to be placed now. */
function asPending(pod: PodObject): { readonly pod: PodObject; readonly remarks: string[] } {
  const remarks: string[] = [];
  const { nodeName, schedulingGates, isTerminating, resourceClaims } = pod;
  if (nodeName !== '')
    remarks.push(`it is on ${nodeName}: explained as if it were to be placed now, and were not there`);
  if (isTerminating) remarks.push('it is being deleted: explained as if it were not');
  if (schedulingGates.length > 0) {
    remarks.push(`it waits for scheduling gates [${schedulingGates.join(' ')}]: explained as if they were gone`);
  }
  if (resourceClaims.length > 0) {
    remarks.push('it has resource claims, and pods with claims are left alone: explained as if it had none');
  }
  const pending = { ...boundTo(pod, ''), isTerminating: false, isFinished: false };
  const { nominatedNodeName } = nodeName === '' ? pod : pending;
  return { pod: { ...pending, nominatedNodeName, schedulingGates: [], resourceClaims: [] }, remarks };
}

interface Explained {
  readonly snapshot: ClusterSnapshot;
  readonly profile: SchedulerProfile;
  readonly pod: PodObject;
  readonly explanation: Explanation;
}

function reportOf(explained: Explained): Omit<PodReport, 'boundNode' | 'remarks'> {
  const { snapshot, pod, explanation } = explained;
  const { decision, feasible, refusals, scores, best } = explanation;
  const judged = feasible.length + refusals.size;
  return {
    pod,
    nodeCount: snapshot.nodes.size,
    feasibleCount: feasible.length,
    outcome: decision.kind === 'bound' ? 'fits' : decision.kind === 'unschedulable' ? 'unschedulable' : 'error',
    message: 'message' in decision ? decision.message : 'reason' in decision ? decision.reason : '',
    best,
    scores: scoreGroups(scores),
    refusals: refusalGroups(explained),
    unseenCount: judged === 0 ? 0 : snapshot.nodes.size - judged,
    preemption: preemptionOf(snapshot, explanation),
  };
}

function preemptionOf({ pods }: ClusterSnapshot, { decision, candidates }: Explanation): PreemptionReport | undefined {
  if (decision.kind !== 'unschedulable' || decision.preemption === undefined) return undefined;
  const { nominatedNode, victims } = decision.preemption;
  const count = candidates.length;
  const nameOf = (uid: string): string => podKey(pods.get(uid) ?? { namespace: '', name: uid });
  return { node: nominatedNode, victims: victims.map(nameOf), candidateCount: count === 0 ? undefined : count };
}

function scoreGroups(scores: ReadonlyMap<string, NodeScore>): ScoreGroup[] {
  const groups = new Map<string, { total: number; byPlugin: ReadonlyMap<string, number>; nodes: string[] }>();
  for (const [node, { total, byPlugin }] of scores) {
    const key = [...byPlugin.values()].join(' ');
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { total, byPlugin, nodes: [node] });
    else group.nodes.push(node);
  }
  return [...groups.values()].sort((a, b) => b.total - a.total || b.nodes.length - a.nodes.length);
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Growing = Mutable<Omit<RefusalGroup, 'nodes' | 'shortages'>> & {
  readonly nodes: string[];
  readonly shortages: (Shortage & { readonly node: string })[];
};

function refusalGroups({ snapshot, profile, pod, explanation }: Explained): RefusalGroup[] {
  const states = nodeStates(snapshot, pod);
  const spread = new SpreadDetail(pod, profile, snapshot, [...states.values()]);
  const affinity = new AffinityDetail(pod, snapshot, [...states.values()]);
  const groups = new Map<string, Growing>();
  for (const [name, refusal] of explanation.refusals) {
    const state = states.get(name);
    assert(state !== undefined, 'a node that is refused is there');
    const { plugin, reasons, code } = refusal;
    const cause = affinity.of(refusal, state);
    const other = plugin === 'PodTopologySpread' ? spread.of(state) : refusalDetail(refusal, pod, state);
    const detail = cause?.text ?? other;
    const key = JSON.stringify([plugin, reasons, cause?.domain ?? other]);
    let group = groups.get(key);
    if (group === undefined) {
      group = { plugin, reasons, isResolvable: code === 'unschedulable', detail, shortages: [], nodes: [] };
      groups.set(key, group);
    }
    group.isResolvable ||= code === 'unschedulable';
    group.nodes.push(name);
    shortagesOn(refusal, pod, state).forEach((shortage, index) => {
      const before = group.shortages[index];
      if (before === undefined || shortage.free > before.free) group.shortages[index] = { ...shortage, node: name };
    });
  }
  return [...groups.values()].sort((a, b) => b.nodes.length - a.nodes.length);
}

/** Every node with its pods, the one in question not among them. */
function nodeStates({ nodes, pods }: ClusterSnapshot, { uid }: PodObject): ReadonlyMap<string, NodeState> {
  const placed = [...pods.values()].filter((pod) => pod.nodeName !== '' && pod.uid !== uid);
  const byNode = Map.groupBy(placed, ({ nodeName }) => nodeName);
  return new Map([...nodes].map(([name, node]) => [name, { node, pods: byNode.get(name) ?? [] }]));
}

/** What the pod asks for, by resource, without what it does not ask for. */
export function requestsOf({ requests }: PodObject): ReadonlyMap<string, number> {
  const names = ['cpu', 'memory', 'ephemeral-storage', ...requests.toFit.scalars.keys()];
  return new Map(
    names.map((name) => [name, amountNamed(requests.toFit, name)] as const).filter(([, amount]) => amount > 0),
  );
}
