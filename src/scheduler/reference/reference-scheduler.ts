// kube-scheduler 1.36's decisions, written down plainly: every node is looked at for every pod, everything is counted anew.
// With `percentageOfNodesToScore: 100` these are the decisions it can make; where several nodes are best, all are named.
//
// Left out: extenders, scheduling gangs, pods with resource claims (they are left alone).

import type { ClusterCommand } from '../model/command.ts';
import type { Decision, VolumePlan } from '../model/decision.ts';
import type { PodObject } from '../model/pod-object.ts';
import type { SchedulerProfile, ScorePluginName } from '../model/scheduler-profile.ts';
import { Cluster, type NodeState } from './cluster.ts';
import { type PreemptionOutcome, preempt } from './default-preemption.ts';
import type { Explanation, NodeScore } from './explanation.ts';
import { fitMessage, reasonCounts } from './failure-message.ts';
import { type Filtering, filterNodes } from './filtering.ts';
import { nodeAffinityProblem } from './node-affinity.ts';
import { mostOf } from './normalisation.ts';
import type { Cycle } from './plugin.ts';
import { SCORES } from './plugin-table.ts';
import { volumePlanOn } from './volume-binding.ts';

export class ReferenceScheduler {
  readonly #profiles: ReadonlyMap<string, SchedulerProfile>;
  readonly #cluster = new Cluster();

  constructor(profiles: readonly SchedulerProfile[]) {
    this.#profiles = new Map(profiles.map((profile) => [profile.schedulerName, profile]));
  }

  apply(command: ClusterCommand): void {
    this.#cluster.apply(command);
  }

  pod(uid: string): PodObject | undefined {
    return this.#cluster.pod(uid);
  }

  /** What has to be done for the pod's claims before it can be bound to the node, which fits. */
  volumePlan(uid: string, nodeName: string): VolumePlan | undefined {
    const pod = this.#cluster.pod(uid);
    const there = this.#cluster.nodeStates().find(({ node }) => node.name === nodeName);
    if (pod === undefined || there === undefined) return undefined;
    const filters = this.#profiles.get(pod.schedulerName)?.filters ?? [];
    return filters.includes('VolumeBinding') ? volumePlanOn(pod, this.#cluster, there.node) : undefined;
  }

  /** Changes nothing: whoever asks applies what comes of it. `nowMs`: since 1970. */
  decide(uid: string, nowMs: number): Decision {
    return this.explain(uid, nowMs).decision;
  }

  explain(uid: string, nowMs: number): Explanation {
    const pod = this.#cluster.pod(uid);
    if (pod === undefined) return leftAlone(`there is no pod ${uid}`);
    const profile = this.#profiles.get(pod.schedulerName);
    if (profile === undefined) return leftAlone(`no profile has the name ${JSON.stringify(pod.schedulerName)}`);
    const reason = reasonToLeaveAlone(pod);
    if (reason !== undefined) return leftAlone(reason);
    const cluster = this.#cluster;
    const cycle = { pod, profile, cluster, nodes: cluster.nodeStates(), nominated: cluster.nominatedPods() };
    return schedule(cycle, nowMs);
  }
}

function reasonToLeaveAlone(pod: PodObject): string | undefined {
  const key = `${pod.namespace}/${pod.name}`;
  if (pod.nodeName !== '') return `pod ${key} is bound`;
  if (pod.isFinished) return `pod ${key} has finished`;
  if (pod.isTerminating) return `skip schedule deleting pod: ${key}`;
  if (pod.schedulingGates.length > 0) return `waiting for scheduling gates: [${pod.schedulingGates.join(' ')}]`;
  if (pod.resourceClaims.length > 0) return 'pods with resource claims are not scheduled';
  return undefined;
}

const NOTHING_LOOKED_AT = { feasible: [], refusals: new Map(), scores: new Map(), best: [], candidates: [] };

function leftAlone(reason: string): Explanation {
  return { decision: { kind: 'left-alone', reason }, ...NOTHING_LOOKED_AT };
}

function errorOf(message: string): Explanation {
  return { decision: { kind: 'error', message }, ...NOTHING_LOOKED_AT };
}

function schedule(cycle: Cycle, nowMs: number): Explanation {
  if (cycle.nodes.length === 0) return noNodes();
  const filtering = filterNodes(cycle);
  const { preFilterRefusal, refusals, feasible } = filtering;
  if (preFilterRefusal?.code === 'error') {
    const { plugin, reasons } = preFilterRefusal;
    return errorOf(`running PreFilter plugin ${JSON.stringify(plugin)}: ${reasons.join(', ')}`);
  }
  const broken = [...refusals.values()].find(({ code }) => code === 'error');
  if (broken !== undefined) {
    return errorOf(`running ${JSON.stringify(broken.plugin)} filter plugin: ${broken.reasons.join(', ')}`);
  }
  const looked = { feasible: feasible.map(({ node }) => node.name), refusals };
  if (feasible.length === 0) {
    return { ...NOTHING_LOOKED_AT, ...looked, ...unschedulable(cycle, filtering, nowMs) };
  }
  if (feasible.length === 1) {
    const [node] = looked.feasible;
    return { ...NOTHING_LOOKED_AT, ...looked, decision: { kind: 'bound', node, score: undefined }, best: [node] };
  }
  return { ...NOTHING_LOOKED_AT, ...looked, ...scored(cycle, feasible) };
}

function noNodes(): Explanation {
  const message = 'no nodes available to schedule pods';
  const none = { reasons: new Map(), plugins: new Set<string>(), preemption: undefined, losesNomination: true };
  return { decision: { kind: 'unschedulable', message, ...none }, ...NOTHING_LOOKED_AT };
}

function scored(cycle: Cycle, feasible: readonly NodeState[]): Pick<Explanation, 'decision' | 'scores' | 'best'> {
  const problem = cycle.profile.scores.some(({ name }) => name === 'NodeAffinity')
    ? nodeAffinityProblem(cycle)
    : undefined;
  if (problem !== undefined) {
    return errorOf(`running PreScore plugin "NodeAffinity": ${problem.reasons.join(', ')}`);
  }
  const scores = scoresOf(cycle, feasible);
  const highest = mostOf([...scores.values()].map(({ total }) => total));
  const best = [...scores].filter(([, { total }]) => total === highest).map(([name]) => name);
  return { decision: { kind: 'bound', node: best[0], score: highest }, scores, best };
}

function scoresOf(cycle: Cycle, feasible: readonly NodeState[]): Map<string, NodeScore> {
  const byNode = feasible.map(() => new Map<ScorePluginName, number>());
  for (const { name, weight } of cycle.profile.scores) {
    SCORES[name](cycle, feasible)?.forEach((score, index) => {
      byNode[index].set(name, score * weight);
    });
  }
  return new Map(
    feasible.map(({ node }, index) => {
      const byPlugin = byNode[index];
      const total = [...byPlugin.values()].reduce((sum, score) => sum + score, 0);
      return [node.name, { total, byPlugin }];
    }),
  );
}

function unschedulable(
  cycle: Cycle,
  filtering: Filtering,
  nowMs: number,
): Pick<Explanation, 'decision' | 'candidates'> {
  const { preFilterRefusal, refusals, absent, plugins } = filtering;
  const nodeCount = cycle.nodes.length;
  const reasons =
    preFilterRefusal === undefined ? reasonCounts(refusals, nodeCount, absent) : new Map<string, number>();
  const what =
    preFilterRefusal === undefined
      ? fitMessage(nodeCount, reasons)
      : `0/${nodeCount} nodes are available: ${preFilterRefusal.reasons.join(', ')}.`;
  const { message: words, preemption, losesNomination, candidates } = afterwards(cycle, filtering, nowMs);
  const message = words === '' ? what : `${what} ${words}`;
  return { decision: { kind: 'unschedulable', message, reasons, plugins, preemption, losesNomination }, candidates };
}

/** PostFilter: DynamicResources, then DefaultPreemption. */
function afterwards(cycle: Cycle, filtering: Filtering, nowMs: number): PreemptionOutcome {
  const { hasDynamicResources, preempts } = cycle.profile;
  // DynamicResources looks for what its PreFilter has left; it never ran when a plugin before it refused the pod.
  if (hasDynamicResources && filtering.preFilterRefusal !== undefined) {
    return { message: 'not found', losesNomination: false, candidates: [] };
  }
  const words = hasDynamicResources ? ['no new claims to deallocate'] : [];
  // Without any PostFilter a nomination has no ground.
  if (!preempts) return { message: words.join(', '), losesNomination: !hasDynamicResources, candidates: [] };
  const outcome = preempt(cycle, filtering, nowMs);
  if (outcome.preemption !== undefined) return outcome;
  return { ...outcome, message: [...words, `preemption: ${outcome.message}`].join(', ') };
}
