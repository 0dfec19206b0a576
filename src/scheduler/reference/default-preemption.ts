// DefaultPreemption: which pods of lower priority would have to go, and from which node, so that the pod fits there.
//
// Every node where that could help is looked at. (Upstream looks at a tenth of them, at least 100, from a random one on.)

import type { BudgetObject } from '../model/cluster-objects.ts';
import type { Preemption } from '../model/decision.ts';
import { isEmptySelector, matchesLabels } from '../model/label-selector.ts';
import type { PodObject } from '../model/pod-object.ts';
import type { NodeState } from './cluster.ts';
import { fitMessage, reasonCounts } from './failure-message.ts';
import type { Filtering } from './filtering.ts';
import { leastOf } from './normalisation.ts';
import { type Cycle, failed, type Refusal, unresolvable } from './plugin.ts';

/** What comes of it: a nomination, or the words for the message. */
export interface PreemptionOutcome {
  readonly preemption?: Preemption;
  /** Empty when there is a preemption. */
  readonly message: string;
  /** The pod's own nomination is taken back. */
  readonly losesNomination: boolean;
  readonly candidates: readonly Candidate[];
}

/** `nowMs` stands for the start of pods that have not started. */
export function preempt(cycle: Cycle, filtering: Filtering, nowMs: number): PreemptionOutcome {
  const ineligible = ineligibility(cycle, filtering);
  if (ineligible !== undefined) return { message: ineligible, losesNomination: false, candidates: [] };
  const refusals = new Map<string, Refusal>();
  const candidates: Candidate[] = [];
  const budgets = cycle.cluster.all('PodDisruptionBudget');
  for (const state of cycle.nodes) {
    if (filtering.refusals.get(state.node.name)?.code !== 'unschedulable') continue;
    const outcome = victimsOn({ cycle, filtering, state, budgets, nowMs });
    if ('code' in outcome) refusals.set(state.node.name, outcome);
    else candidates.push(outcome);
  }
  if (candidates.length === 0) return { ...unhelpful(cycle, refusals), candidates };
  const { node, victims } = best(candidates, nowMs);
  // Where all victims are on their way out already, upstream does nothing but nominate.
  const isUnderWay = victims.every(({ isTerminating }) => isTerminating);
  const nominated = isUnderWay ? [] : (cycle.nominated.get(node) ?? []);
  const losing = nominated.filter((other) => other.priority < cycle.pod.priority);
  return {
    message: '',
    losesNomination: false,
    candidates,
    preemption: {
      nominatedNode: node,
      victims: victims.map(({ uid }) => uid),
      clearedNominations: losing.map(({ uid }) => uid),
    },
  };
}

function unhelpful(
  { nodes }: Cycle,
  refusals: ReadonlyMap<string, Refusal>,
): Pick<PreemptionOutcome, 'message' | 'losesNomination'> {
  const error = [...refusals.values()].find(({ code }) => code === 'error');
  if (error !== undefined) return { message: error.reasons.join(', '), losesNomination: false };
  const absent = unresolvable('Preemption is not helpful for scheduling');
  return {
    message: fitMessage(nodes.length, reasonCounts(refusals, nodes.length, absent)),
    losesNomination: true,
  };
}

function ineligibility({ pod, nodes }: Cycle, filtering: Filtering): string | undefined {
  if (pod.neverPreempts) return 'not eligible due to preemptionPolicy=Never.';
  if (pod.nominatedNodeName === '') return undefined;
  const refusal = filtering.refusals.get(pod.nominatedNodeName);
  // Nodes that were not looked at are as bad.
  if (refusal === undefined || refusal.code === 'unresolvable') return undefined;
  const nominated = nodes.find(({ node }) => node.name === pod.nominatedNodeName);
  const isLeaving = nominated?.pods.some(
    (other) => other.priority < pod.priority && other.isTerminating && other.isPreempted,
  );
  return isLeaving === true ? 'not eligible due to a terminating pod on the nominated node.' : undefined;
}

export interface Candidate {
  readonly node: string;
  /** Most important first. */
  readonly victims: readonly PodObject[];
  readonly violations: number;
}

interface WhatIf {
  readonly cycle: Cycle;
  readonly filtering: Filtering;
  readonly state: NodeState;
  readonly budgets: readonly BudgetObject[];
  readonly nowMs: number;
}

function victimsOn({ cycle, filtering, state, budgets, nowMs }: WhatIf): Candidate | Refusal {
  const { pod } = cycle;
  const lower = state.pods.filter((other) => other.priority < pod.priority);
  if (lower.length === 0) return unresolvable('No preemption victims found for incoming pod');
  const checks = filtering.copyOfChecks();
  let left: NodeState = { node: state.node, pods: state.pods.filter((other) => !lower.includes(other)) };
  for (const other of lower) checks.podMoved(other, state, -1);
  const refusal = checks.refusalWithNominated(left);
  if (refusal !== undefined) return refusal;
  const byImportance = lower.toSorted((a, b) => importance(a, b, nowMs));
  const { violating, others } = splitByBudgets(byImportance, budgets);
  const victims: PodObject[] = [];
  let violations = 0;
  for (const other of [...violating, ...others]) {
    const back: NodeState = { node: state.node, pods: [...left.pods, other] };
    checks.podMoved(other, state, 1);
    if (checks.refusalWithNominated(back) === undefined) {
      left = back;
      continue;
    }
    checks.podMoved(other, state, -1);
    victims.push(other);
    if (violating.includes(other)) violations++;
  }
  if (victims.length === 0)
    return failed(`expected at least one victim pod on node ${JSON.stringify(state.node.name)}`);
  return { node: state.node.name, victims: victims.toSorted((a, b) => importance(a, b, nowMs)), violations };
}

/** Below 0 when `a` is more important: of higher priority, else started earlier. */
function importance(a: PodObject, b: PodObject, nowMs: number): number {
  return b.priority - a.priority || (a.startedAtMs ?? nowMs) - (b.startedAtMs ?? nowMs);
}

/** Pods whose eviction a budget would not allow once those before them have gone. */
function splitByBudgets(
  pods: readonly PodObject[],
  budgets: readonly BudgetObject[],
): { violating: PodObject[]; others: PodObject[] } {
  const allowed = budgets.map(({ disruptionsAllowed }) => disruptionsAllowed);
  const violating: PodObject[] = [];
  const others: PodObject[] = [];
  for (const pod of pods) {
    let violates = false;
    budgets.forEach((budget, index) => {
      if (!isCovered(pod, budget)) return;
      allowed[index]--;
      if (allowed[index] < 0) violates = true;
    });
    (violates ? violating : others).push(pod);
  }
  return { violating, others };
}

function isCovered(pod: PodObject, { namespace, selector, disruptedPods }: BudgetObject): boolean {
  if (pod.labels.size === 0 || pod.namespace !== namespace || isEmptySelector(selector)) return false;
  return matchesLabels(selector, pod.labels) && !disruptedPods.has(pod.name);
}

/** What candidates are compared by, first to last; the larger is the better. */
export function preference({ victims, violations }: Candidate, nowMs: number): readonly number[] {
  const highest = victims[0].priority;
  const starts = victims.filter(({ priority }) => priority === highest).map(({ startedAtMs }) => startedAtMs ?? nowMs);
  return [
    -violations,
    -highest,
    -victims.reduce((sum, { priority }) => sum + priority + 2 ** 31, 0),
    -victims.length,
    leastOf(starts),
  ];
}

/** The first of equals, where upstream takes any. */
function best(candidates: readonly Candidate[], nowMs: number): Candidate {
  return candidates.reduce((one, other) => (isBetter(other, one, nowMs) ? other : one));
}

function isBetter(a: Candidate, b: Candidate, nowMs: number): boolean {
  const [left, right] = [preference(a, nowMs), preference(b, nowMs)];
  const index = left.findIndex((value, at) => value !== right[at]);
  return index >= 0 && left[index] > right[index];
}
