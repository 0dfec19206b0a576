// What would become of pods that are not there yet, or of those of a node that is drained: the kernel places them on a snapshot, one after
// another, as the scheduler would.
//
//   snapshot, with nodes cordoned, drained and added ─► kernel
//   pods that wait, pods of drained nodes, new pods ─► by priority, then in this order ─► decide, assume ─► outcomes
//   what does not fit ─► shortage.ts: what would help
//
// Assumed: nothing else happens meanwhile; no preemption; claims that are bound on the way are not set aside between pods; kubelets admit what
// is placed. Among equal nodes the scheduler may take another one, so the nodes are examples, the counts are not far off.

import { Kernel } from '../kernel/kernel.ts';
import { boundTo } from '../model/command.ts';
import type { Decision } from '../model/decision.ts';
import type { NodeObject } from '../model/node-object.ts';
import type { PodObject } from '../model/pod-object.ts';
import type { SchedulerProfile } from '../model/scheduler-profile.ts';
import type { ClusterSnapshot } from './cluster-snapshot.ts';
import { Drain, type Held } from './drain.ts';
import { InquiryError, otherScheduler } from './errors.ts';
import { groupOf, place } from './placing.ts';
import { type Remedy, remediesFor } from './shortage.ts';
import type { NewPods } from './workload-pods.ts';

const WAITING = 'waiting already';
const CORDON_TAINT = { key: 'node.kubernetes.io/unschedulable', value: '', effect: 'NoSchedule' };

export interface WhatIf {
  readonly snapshot: ClusterSnapshot;
  readonly profiles: readonly SchedulerProfile[];
  readonly added: readonly NewPods[];
  readonly cordoned: readonly string[];
  readonly drained: readonly string[];
  /** Pods that wait already are left where they are. */
  readonly ignoresWaiting: boolean;
  /** Labels that tell groups of nodes apart. */
  readonly groupLabels: readonly string[];
  /** For the time that decisions take. */
  readonly nowMs: () => number;
}

export interface Placement {
  readonly pod: PodObject;
  readonly node: string;
}

export interface Unplaced {
  readonly pod: PodObject;
  /** The condition's text, or why the pod is left alone. */
  readonly message: string;
  readonly reasons: ReadonlyMap<string, number>;
}

export interface Outcome {
  readonly origin: string;
  /** The question is about these pods; the others wait already. */
  readonly isAsked: boolean;
  /** They stay where they are, on a node that is to be drained. */
  readonly isHeld: boolean;
  readonly placed: readonly Placement[];
  readonly unplaced: readonly Unplaced[];
  /** Pods by group of nodes, the largest first, equal ones by name. */
  readonly groups: readonly (readonly [string, number])[];
  /** What would make room for those that do not fit. */
  readonly remedies: readonly Remedy[];
}

export interface WhatIfReport {
  readonly outcomes: readonly Outcome[];
  readonly remarks: readonly string[];
  readonly nodeCount: number;
  readonly decisions: number;
  readonly decidingMs: number;
}

interface Entry {
  readonly origin: string;
  readonly pod: PodObject;
}

/** Throws InquiryError. Changes the snapshot: its nodes are cordoned, its pods evicted. */
export function askWhatIf(question: WhatIf): WhatIfReport {
  const { snapshot, added, nowMs } = question;
  const profiles = question.profiles.map((profile) => ({ ...profile, preempts: false }));
  const remarks: string[] = [];
  for (const name of [...question.cordoned, ...question.drained]) cordon(snapshot, name);
  const drain = new Drain(snapshot);
  const entries = question.drained.flatMap((name) => {
    const { moved, lost } = drain.evict(name);
    if (lost > 0) {
      remarks.push(
        `pods of ${name} without a controller would be gone (kubectl drain wants --force for them): ${lost}`,
      );
    }
    return moved.map((pod) => ({ origin: `drained from ${name}`, pod: boundTo(pod, '') }));
  });
  remarks.push(...drain.waits());
  if (!question.ignoresWaiting) entries.unshift(...waiting(snapshot, profiles));
  for (const { origin, pods } of added) for (const pod of pods) entries.push({ origin, pod });
  checkSchedulers(added, profiles, remarks);
  const kernel = new Kernel(profiles);
  for (const command of snapshot.commands()) kernel.apply(command);
  for (const { pod } of entries) kernel.apply({ kind: 'pod-set', pod });
  const startMs = nowMs();
  const decided = entries
    .map((entry, index) => ({ ...entry, index }))
    .sort((a, b) => b.pod.priority - a.pod.priority || a.index - b.index)
    .map(({ origin, pod }) => ({ origin, pod, decision: place(kernel, pod) }));
  const decidingMs = nowMs() - startMs;
  const outcomes: Outcome[] = [...Map.groupBy(decided, ({ origin }) => origin)].map(([origin, ofOrigin]) => {
    const outcome = outcomeOf(question, origin, ofOrigin);
    const pods = outcome.unplaced.map(({ pod }) => pod);
    const { groupLabels } = question;
    const remedies = pods.length === 0 ? [] : remediesFor({ kernel, snapshot, profiles, pods, groupLabels });
    return { ...outcome, remedies };
  });
  for (const [node, held] of drain.held) outcomes.push(heldOutcome(node, held));
  return { outcomes, remarks, nodeCount: snapshot.nodes.size, decisions: decided.length, decidingMs };
}

function nodeOf(snapshot: ClusterSnapshot, name: string): NodeObject {
  const node = snapshot.nodes.get(name);
  // In kubectl's words.
  if (node === undefined) throw new InquiryError(`Error from server (NotFound): nodes "${name}" not found`);
  return node;
}

function cordon(snapshot: ClusterSnapshot, name: string): void {
  const node = nodeOf(snapshot, name);
  if (node.isUnschedulable) return;
  snapshot.nodes.set(name, { ...node, isUnschedulable: true, taints: [...node.taints, CORDON_TAINT] });
}

function waiting(snapshot: ClusterSnapshot, profiles: readonly SchedulerProfile[]): Entry[] {
  const names = new Set(profiles.map(({ schedulerName }) => schedulerName));
  return [...snapshot.pods.values()]
    .filter((pod) => pod.nodeName === '' && !pod.isTerminating && pod.schedulingGates.length === 0)
    .filter((pod) => names.has(pod.schedulerName))
    .sort((a, b) => a.createdAtMs - b.createdAtMs)
    .map((pod) => ({ origin: WAITING, pod }));
}

function checkSchedulers(added: readonly NewPods[], profiles: readonly SchedulerProfile[], remarks: string[]): void {
  const names = profiles.map(({ schedulerName }) => schedulerName);
  for (const { origin, pods } of added) {
    const other = pods.find((pod) => !names.includes(pod.schedulerName));
    if (other !== undefined) throw otherScheduler(origin, other.schedulerName, names);
    if (pods.length === 0) remarks.push(`${origin} comes to no pods`);
    if (pods.some(({ schedulingGates }) => schedulingGates.length > 0)) {
      remarks.push(`${origin} waits for scheduling gates, and is not placed before they are gone`);
    }
  }
}

function heldOutcome(node: string, held: readonly Held[]): Outcome {
  const unplaced = held.map(({ pod, message }) => ({ pod, message, reasons: new Map<string, number>() }));
  return { origin: `held on ${node}`, isAsked: true, isHeld: true, placed: [], unplaced, groups: [], remedies: [] };
}

type Decided = Entry & { readonly decision: Decision };

function outcomeOf(
  { snapshot, groupLabels }: WhatIf,
  origin: string,
  decided: readonly Decided[],
): Omit<Outcome, 'remedies'> {
  const placed: Placement[] = [];
  const unplaced: Unplaced[] = [];
  const counts = new Map<string, number>();
  for (const { pod, decision } of decided) {
    if (decision.kind === 'bound') {
      const { node } = decision;
      placed.push({ pod, node });
      const group = groupOf(nodeOf(snapshot, node), groupLabels);
      counts.set(group, (counts.get(group) ?? 0) + 1);
    } else {
      const message = decision.kind === 'left-alone' ? decision.reason : decision.message;
      unplaced.push({ pod, message, reasons: decision.kind === 'unschedulable' ? decision.reasons : new Map() });
    }
  }
  return {
    origin,
    isAsked: origin !== WAITING,
    isHeld: false,
    placed,
    unplaced,
    groups: [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)),
  };
}
