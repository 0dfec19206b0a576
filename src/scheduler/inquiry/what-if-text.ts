// The answer to a what-if for people and for programs.

import { podKey } from '../model/pod-object.ts';
import { amountText } from './amount-text.ts';
import type { Remedy } from './shortage.ts';
import type { Outcome, Unplaced, WhatIfReport } from './what-if.ts';

const GROUPS_MAX = 20;
/** A rate of fewer decisions would be that of a program that has just started. */
const RATED_MIN = 1000;

export interface WhatIfView {
  /** Every pod with its node. */
  readonly all: boolean;
  /** What the API server is taken to accept. */
  readonly bindingsPerSecond: number;
}

export function whatIfText(report: WhatIfReport, view: WhatIfView): string {
  const lines = report.remarks.map((remark) => `note: ${remark}`);
  for (const outcome of report.outcomes) lines.push(...outcomeLines(outcome, view.all), '');
  lines.push(timeText(report, view));
  return `${lines.join('\n')}\n`;
}

function podsText(count: number): string {
  return `${count} ${count === 1 ? 'pod' : 'pods'}`;
}

function outcomeLines({ origin, isHeld, placed, unplaced, groups, remedies }: Outcome, all: boolean): string[] {
  const count = placed.length + unplaced.length;
  if (isHeld) {
    const reasons = messagesOf(unplaced).map(([message, pods]) => `${String(pods).padStart(8)}  ${message}`);
    const names = all ? unplaced.map(({ pod }) => `    ${podKey(pod)}`) : [];
    return [`${origin}, ${podsText(count)}: the drain waits`, ...reasons, ...names];
  }
  const verdict = unplaced.length === 0 ? 'all fit' : `${placed.length} fit, ${unplaced.length} do not`;
  const lines = [`${origin}, ${podsText(count)}: ${verdict}`];
  for (const [group, pods] of groups.slice(0, GROUPS_MAX)) lines.push(`${String(pods).padStart(8)}  ${group}`);
  const rest = groups.slice(GROUPS_MAX);
  if (rest.length > 0) {
    const pods = rest.reduce((sum, [, some]) => sum + some, 0);
    lines.push(`          and ${podsText(pods)} in ${rest.length} more groups`);
  }
  for (const [message, pods] of messagesOf(unplaced)) lines.push(`${String(pods).padStart(8)}  nowhere: ${message}`);
  if (remedies.length > 0) lines.push('          what would help', ...remedies.map(remedyText));
  if (all) lines.push(...placed.map(({ pod, node }) => `    ${podKey(pod)} ${node}`));
  return lines;
}

function messagesOf(unplaced: readonly Unplaced[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const { message } of unplaced) counts.set(message, (counts.get(message) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]).slice(0, GROUPS_MAX);
}

function remedyText({ group, node, nodeCount, missing, refusal, podsPerNode, nodesNeeded }: Remedy): string {
  const { milliCpu, memory } = node.allocatable;
  const shape = `${group}, cpu ${amountText('cpu', milliCpu)}, memory ${amountText('memory', memory)} (${nodeCount} there)`;
  let verdict: string;
  if (refusal !== '') verdict = `kept away from an empty one: ${refusal}`;
  else if (missing.length > 0) {
    const amounts = missing.map(({ resource, by }) => `${resource} by ${amountText(resource, by)}`);
    verdict = `too small even when empty: ${amounts.join(', ')}`;
  } else {
    const needed =
      nodesNeeded === undefined ? 'more of them alone would not be enough' : `${nodesNeeded} more would be enough`;
    verdict = `${podsPerNode} on an empty one, ${needed}`;
  }
  return `            ${shape}: ${verdict}`;
}

/** Seconds that it would take, and why. */
function durationsOf(
  { decisions, decidingMs, outcomes }: WhatIfReport,
  { bindingsPerSecond }: WhatIfView,
): { deciding: number; binding: number } {
  const bindings = outcomes.reduce((sum, { placed }) => sum + placed.length, 0);
  return { deciding: decisions === 0 ? 0 : decidingMs / 1000, binding: bindings / bindingsPerSecond };
}

function timeText(report: WhatIfReport, view: WhatIfView): string {
  const { deciding, binding } = durationsOf(report, view);
  const rate = report.decisions < RATED_MIN ? '' : `, ${Math.round(report.decisions / deciding)} a second`;
  return (
    `time: ${report.decisions} decisions over ${report.nodeCount} nodes took ${deciding.toFixed(2)} s here${rate}; ` +
    `binding takes ${binding.toFixed(1)} s at ${view.bindingsPerSecond} a second (assumed: --bindings-per-second), meanwhile; kubelets are not counted`
  );
}

export function whatIfJson(report: WhatIfReport, view: WhatIfView): object {
  const { deciding, binding } = durationsOf(report, view);
  return {
    fits: doAllFit(report),
    remarks: report.remarks,
    nodeCount: report.nodeCount,
    time: {
      decisions: report.decisions,
      decidingSeconds: deciding,
      bindingSeconds: binding,
      assumed: { bindingsPerSecond: view.bindingsPerSecond },
    },
    outcomes: report.outcomes.map(({ origin, placed, unplaced, groups, remedies }) => ({
      origin,
      placed: placed.length,
      unplaced: unplaced.length,
      groups: Object.fromEntries(groups),
      messages: Object.fromEntries(messagesOf(unplaced)),
      reasons: Object.fromEntries(unplaced[0]?.reasons ?? []),
      remedies: remedies.map(({ node, ...remedy }) => ({ ...remedy, like: node.name })),
      ...(view.all ? { pods: placed.map(({ pod, node }) => ({ pod: podKey(pod), node })) } : {}),
    })),
  };
}

/** All that the question is about. */
export function doAllFit({ outcomes }: WhatIfReport): boolean {
  return outcomes.every(({ isAsked, unplaced }) => !isAsked || unplaced.length === 0);
}
