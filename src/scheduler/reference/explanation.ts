// A decision with all that led to it.

import type { Decision } from '../model/decision.ts';
import type { ScorePluginName } from '../model/scheduler-profile.ts';
import type { Candidate } from './default-preemption.ts';
import type { PluginRefusal } from './filtering.ts';

export interface NodeScore {
  readonly total: number;
  /** Weighted. Plugins with nothing to say for the pod are not there. */
  readonly byPlugin: ReadonlyMap<ScorePluginName, number>;
}

export interface Explanation {
  readonly decision: Decision;
  readonly feasible: readonly string[];
  /** The first plugin that refused each node, of those that were looked at. */
  readonly refusals: ReadonlyMap<string, PluginRefusal>;
  /** Of the feasible nodes, when there were at least two. */
  readonly scores: ReadonlyMap<string, NodeScore>;
  /** Feasible nodes with the highest total. */
  readonly best: readonly string[];
  /** Nodes that preemption could make room on. */
  readonly candidates: readonly Candidate[];
}
