/** What kube-scheduler decided on a pod against what the reference says: every difference, by what it is about. */
import { preference } from '../../src/scheduler/reference/default-preemption.ts';
import type { Explanation } from '../../src/scheduler/reference/explanation.ts';
import type { LoggedScores } from './scheduler-log.ts';

export type RealDecision =
  | { readonly kind: 'bound'; readonly node: string; readonly scores: ReadonlyMap<string, LoggedScores> }
  | {
      readonly kind: 'unschedulable' | 'error';
      readonly message: string;
      readonly nominatedNode: string;
      /** Uids of the pods that it has begun to delete. */
      readonly victims: readonly string[];
      /** Uids of the pods whose nomination it has taken back. */
      readonly cleared: readonly string[];
    };

export interface Difference {
  /** A plugin's name, or verdict, feasible nodes, total, choice, message, preemption. */
  readonly about: string;
  readonly text: string;
}

export function compareDecision(real: RealDecision, ours: Explanation, nowMs: number): Difference[] {
  const { decision } = ours;
  if (real.kind !== decision.kind) {
    const theirs = real.kind === 'bound' ? real.node : real.message;
    return [{ about: 'verdict', text: `${real.kind} (${theirs}); ours: ${JSON.stringify(decision)}` }];
  }
  if (real.kind === 'bound') return compareBound(real, ours);
  const differences: Difference[] = [];
  const message = 'message' in decision ? decision.message : '';
  if (real.message !== message) differences.push({ about: 'message', text: `${real.message}\n    ours: ${message}` });
  return [...differences, ...comparePreemption(real, ours, nowMs)];
}

type RealBound = Extract<RealDecision, { kind: 'bound' }>;
type RealRefused = Exclude<RealDecision, RealBound>;

function compareBound({ node, scores }: RealBound, ours: Explanation): Difference[] {
  const differences: Difference[] = [];
  // A single feasible node is taken without scoring.
  const feasible = scores.size === 0 ? [node] : [...scores.keys()];
  const list = (names: readonly string[]): string => names.toSorted().join(' ');
  if (list(feasible) !== list(ours.feasible)) {
    differences.push({ about: 'feasible nodes', text: `${list(feasible)}; ours: ${list(ours.feasible)}` });
  }
  for (const [name, { byPlugin, total }] of scores) {
    const own = ours.scores.get(name);
    if (own === undefined) continue;
    for (const plugin of new Set([...byPlugin.keys(), ...own.byPlugin.keys()])) {
      // Pods with claims are left alone, so that it scores nothing.
      if (plugin === 'DynamicResources') continue;
      // A plugin that has nothing to say adds as much as one that says 0 of all nodes.
      const [left, right] = [byPlugin.get(plugin) ?? 0, new Map<string, number>(own.byPlugin).get(plugin) ?? 0];
      if (left !== right) differences.push({ about: plugin, text: `${name}: ${left}; ours: ${right}` });
    }
    if (total !== own.total) differences.push({ about: 'total', text: `${name}: ${total}; ours: ${own.total}` });
  }
  if (!ours.best.includes(node)) differences.push({ about: 'choice', text: `${node}; ours: ${list(ours.best)}` });
  return differences;
}

function comparePreemption(real: RealRefused, ours: Explanation, nowMs: number): Difference[] {
  const preemption = 'preemption' in ours.decision ? ours.decision.preemption : undefined;
  const differ = (text: string): Difference[] => [{ about: 'preemption', text }];
  if (preemption === undefined) {
    return real.nominatedNode === '' ? [] : differ(`node ${real.nominatedNode} nominated; ours: none`);
  }
  if (real.nominatedNode === '') return differ(`none; ours: ${JSON.stringify(preemption)}`);
  const [theirs, best] = [real.nominatedNode, preemption.nominatedNode].map((node) =>
    ours.candidates.find((candidate) => candidate.node === node),
  );
  if (theirs === undefined || best === undefined) {
    return differ(`node ${real.nominatedNode} nominated, which is no candidate of ours`);
  }
  const keys = [theirs, best].map((candidate) => JSON.stringify(preference(candidate, nowMs)));
  if (keys[0] !== keys[1]) return differ(`${theirs.node} ${keys[0]} is nominated; ours: ${best.node} ${keys[1]}`);
  // Those that are on their way out need not be deleted.
  const victims = theirs.victims.filter(({ isTerminating }) => !isTerminating).map(({ uid }) => uid);
  const [left, right] = [real.victims, victims].map((uids) => uids.toSorted().join(' '));
  if (left !== right) return differ(`victims ${left}; ours on that node: ${right}`);
  if (theirs.node !== best.node) return [];
  const [cleared, own] = [real.cleared, preemption.clearedNominations].map((uids) => uids.toSorted().join(' '));
  return cleared === own ? [] : differ(`nominations taken back ${cleared}; ours: ${own}`);
}
