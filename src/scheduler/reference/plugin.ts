// What a plugin is, in two halves as upstream has them: looking at the pod once (PreFilter, PreScore), then at each node
// (Filter, Score), and, of scores, at all of them together (NormalizeScore).

import type { PodObject } from '../model/pod-object.ts';
import type { SchedulerProfile } from '../model/scheduler-profile.ts';
import type { Cluster, NodeState } from './cluster.ts';

/** Why a node, or the pod as a whole, is refused. */
export interface Refusal {
  /** unschedulable: removing other pods might help; unresolvable: it would not; error: the plugin failed. */
  readonly code: 'unschedulable' | 'unresolvable' | 'error';
  readonly reasons: readonly string[];
}

export function unschedulable(...reasons: string[]): Refusal {
  return { code: 'unschedulable', reasons };
}

export function unresolvable(...reasons: string[]): Refusal {
  return { code: 'unresolvable', reasons };
}

export function failed(reason: string): Refusal {
  return { code: 'error', reasons: [reason] };
}

/** What a cycle is about. */
export interface Cycle {
  readonly pod: PodObject;
  readonly profile: SchedulerProfile;
  readonly cluster: Cluster;
  /** All nodes, as they are when the cycle begins. */
  readonly nodes: readonly NodeState[];
  /** Pods that a node is nominated for, by node. */
  readonly nominated: ReadonlyMap<string, readonly PodObject[]>;
}

/** A plugin's look at nodes, for one pod. */
export interface NodeCheck {
  refusal(state: NodeState): Refusal | undefined;
  /** A pod is taken to be on that node (count 1), or to have left it (−1), in a what-if. */
  podMoved?(pod: PodObject, state: NodeState, count: 1 | -1): void;
  /** Another one for a what-if of its own; needed where podMoved is. */
  copy?(): NodeCheck;
}

export type PreFilter =
  /** Nothing to look at for this pod. */
  | { readonly kind: 'skip' }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  /** `only`: no other nodes come into question. */
  | { readonly kind: 'ready'; readonly check: NodeCheck; readonly only?: ReadonlySet<string> };

export type FilterPlugin = (cycle: Cycle) => PreFilter;

export const SKIP: PreFilter = { kind: 'skip' };

export function refused(refusal: Refusal): PreFilter {
  return { kind: 'refused', refusal };
}

/** A check of nodes by themselves. */
export function ready(refusal: (state: NodeState) => Refusal | undefined): PreFilter {
  return { kind: 'ready', check: { refusal } };
}

/** Final scores, 0..100, of the feasible nodes in their order; undefined when the plugin has no say for this pod. */
export type ScorePlugin = (cycle: Cycle, feasible: readonly NodeState[]) => readonly number[] | undefined;
