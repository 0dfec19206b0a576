// A pod's report for people (a page, whatever the number of nodes) and for programs.

import { podKey } from '../model/pod-object.ts';
import { amountText } from './amount-text.ts';
import { type PodReport, type RefusalGroup, requestsOf, type ScoreGroup } from './pod-report.ts';

/** Names told of each group. */
const NAMES_MAX = 5;

export interface ReportView {
  /** Groups of scores, and of refusals. */
  readonly groupsMax: number;
  /** Nodes that are told one by one as well. */
  readonly nodes: readonly string[];
}

export function reportText(report: PodReport, view: ReportView): string {
  const { pod, remarks, message, nodeCount, feasibleCount, outcome, unseenCount } = report;
  const asked = [...requestsOf(pod)].map(([name, amount]) => `${name} ${amountText(name, amount)}`).join(', ');
  const lines = [
    `pod ${podKey(pod)}, scheduler ${pod.schedulerName}, priority ${pod.priority}, asks for ${asked === '' ? 'nothing' : asked}`,
    ...remarks.map((remark) => `  note: ${remark}`),
    '',
  ];
  if (outcome === 'fits') lines.push(`fits on ${feasibleCount} of ${nodeCount} nodes${choiceText(report)}`);
  else lines.push(outcome === 'error' ? `the scheduler would fail: ${message}` : `fits nowhere: ${message}`);
  lines.push(...preemptionLines(report));
  if (report.scores.length > 0) lines.push('', 'scores, weighted', ...scoreLines(report.scores, view.groupsMax));
  if (report.refusals.length > 0) lines.push('', 'refused', ...refusalLines(report.refusals, view.groupsMax));
  if (unseenCount > 0) lines.push('', `not looked at, since the pod names nodes: ${countText(unseenCount)}`);
  if (view.nodes.length > 0) lines.push('', 'nodes', ...nodeLines(report, view.nodes));
  return `${lines.join('\n')}\n`;
}

function countText(count: number): string {
  return `${count} ${count === 1 ? 'node' : 'nodes'}`;
}

function namesText(nodes: readonly string[], most: number = NAMES_MAX): string {
  return `${nodes.slice(0, most).join(', ')}${nodes.length > most ? ', …' : ''}`;
}

function choiceText({ best, scores }: PodReport): string {
  if (scores.length === 0) return `: ${best[0]}, taken without scoring`;
  const [{ total }] = scores;
  return best.length === 1
    ? `; the best, with ${total}, is ${best[0]}`
    : `; the best, with ${total}, are ${countText(best.length)}, one of which is taken: ${namesText(best)}`;
}

function preemptionLines({ preemption }: PodReport): string[] {
  if (preemption === undefined) return [];
  const { node, victims, candidateCount } = preemption;
  return [
    `preemption would make room on ${node}${candidateCount !== undefined && candidateCount > 1 ? ` (of ${candidateCount} nodes where it could)` : ''}, where these would go: ${namesText(victims, 20)}`,
  ];
}

function scoreLines(groups: readonly ScoreGroup[], most: number): string[] {
  const lines = groups
    .slice(0, most)
    .flatMap(({ total, byPlugin, nodes }) => [
      `${String(total).padStart(7)}  ${countText(nodes.length)}: ${namesText(nodes)}`,
      `         = ${partsText(byPlugin)}`,
    ]);
  return [...lines, ...restLine(groups.slice(most), (rest) => `, with ${rest.at(-1)?.total} to ${rest[0].total}`)];
}

function refusalLines(groups: readonly RefusalGroup[], most: number): string[] {
  const lines = groups
    .slice(0, most)
    .flatMap((group) => [
      `${String(group.nodes.length).padStart(7)}  ${group.plugin}: ${group.reasons.join(', ')}${detailText(group)}`,
      `         on ${namesText(group.nodes)}`,
    ]);
  return [...lines, ...restLine(groups.slice(most), () => '')];
}

function restLine<T extends { readonly nodes: readonly string[] }>(
  rest: readonly T[],
  more: (rest: readonly T[]) => string,
): string[] {
  if (rest.length === 0) return [];
  const count = rest.reduce((sum, { nodes }) => sum + nodes.length, 0);
  return [`         and ${countText(count)} in ${rest.length} more groups${more(rest)}`];
}

function detailText({ detail, shortages }: RefusalGroup): string {
  const short = shortages.map(
    ({ resource, asked, free, node }) =>
      `${resource}: asks for ${amountText(resource, asked)}, most is left on ${node}: ${amountText(resource, free)}`,
  );
  const parts = detail === '' ? short : [detail, ...short];
  return parts.length === 0 ? '' : ` (${parts.join('; ')})`;
}

function nodeLines(report: PodReport, names: readonly string[]): string[] {
  const verdicts = verdictsOf(report);
  const absent = report.unseenCount > 0 ? 'not looked at, or there is no such node' : 'there is no such node';
  return names.map((name) => `  ${name}: ${verdicts.get(name) ?? absent}`);
}

/** Each node's verdict in words. */
function verdictsOf({ scores, refusals, best }: PodReport): ReadonlyMap<string, string> {
  const verdicts = new Map(best.map((name) => [name, 'the only one that fits']));
  let ahead = 0;
  let ofEqualTotal = 0;
  for (const [rank, { total, byPlugin, nodes }] of scores.entries()) {
    if (rank > 0 && scores[rank - 1].total > total) {
      ahead += ofEqualTotal;
      ofEqualTotal = 0;
    }
    ofEqualTotal += nodes.length;
    const text = `${total} = ${partsText(byPlugin)}; ${ahead === 0 ? 'none' : countText(ahead)} ahead of it`;
    for (const name of nodes) verdicts.set(name, text);
  }
  for (const { plugin, reasons, detail, nodes } of refusals) {
    const text = `${plugin}: ${reasons.join(', ')}${detail === '' ? '' : ` (${detail})`}`;
    for (const name of nodes) verdicts.set(name, text);
  }
  return verdicts;
}

function partsText(byPlugin: ReadonlyMap<string, number>): string {
  return [...byPlugin].map(([plugin, score]) => `${plugin} ${score}`).join(' + ');
}

/** The same for programs; names of nodes as far as `namesMax` goes. */
export function reportJson(report: PodReport, namesMax: number): object {
  const { pod, boundNode, scores, refusals, preemption, best, ...rest } = report;
  const { namespace, name, uid, schedulerName, priority } = pod;
  return {
    pod: { namespace, name, uid, schedulerName, priority, boundNode, requests: Object.fromEntries(requestsOf(pod)) },
    ...rest,
    best: { count: best.length, total: scores[0]?.total, nodes: best.slice(0, namesMax) },
    scores: scores.map(({ total, byPlugin, nodes }) => ({
      total,
      byPlugin: Object.fromEntries(byPlugin),
      count: nodes.length,
      nodes: nodes.slice(0, namesMax),
    })),
    refusals: refusals.map(({ nodes, ...group }) => ({
      ...group,
      count: nodes.length,
      nodes: nodes.slice(0, namesMax),
    })),
    preemption,
  };
}
