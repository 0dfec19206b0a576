/**
 * Compares the reference scheduler with a real kube-scheduler 1.36, one pod at a time, on random clusters.
 *
 *   node conformance/scheduler.ts [--seconds N] [--clusters N] [--seed N] [--nodes N] [--out FOLDER]
 *   node conformance/scheduler.ts --replay FILE      a cluster that was written before
 *
 * A real kube-apiserver on `k1m serve` holds each cluster. Compared are the feasible nodes, every plugin's weighted score of
 * each, the totals, the chosen node, the condition's text with its counts, the nominated node and the victims. A
 * cluster that shows a difference is played again, patiently; if it shows one again, it is cut down to what is needed for it
 * and written to the folder as JSON. Stops after so many clusters or seconds (default: 50 seconds);
 * clusters have at most so many nodes (default: 9), and up to twice as many pods before the first is placed.
 *
 * Exits with 0 when there is no difference, 1 when there is one, 2 when the command is wrong.
 */
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { type ClusterPlan, clusterPlan } from '../src/scheduler/model/plan-fixture.ts';
import { requirePeers } from './lab/peer-path.ts';
import { runMain } from './lab/run-main.ts';
import type { Difference } from './scheduler/decision-compare.ts';
import { type Peers, startPeers } from './scheduler/peers.ts';
import { cutDown } from './scheduler/plan-cut.ts';
import { Play, type PlayedDecision } from './scheduler/play.ts';

interface Tally {
  clusters: number;
  refused: number;
  /** Differences that were not there the second time. */
  passing: number;
  readonly decisions: Map<string, number>;
  readonly differences: Map<string, number>;
}

async function playAll(
  peers: Peers,
  limits: { seconds: number; clusters: number; seed: number; nodes: number; folder: string },
): Promise<Tally> {
  const tally: Tally = { clusters: 0, refused: 0, passing: 0, decisions: new Map(), differences: new Map() };
  const deadlineMs = Date.now() + limits.seconds * 1000;
  const size = { nodesMax: limits.nodes, boundMax: 2 * limits.nodes, pendingMax: 10 };
  while (tally.clusters < limits.clusters && Date.now() < deadlineMs) {
    const seed = limits.seed + tally.clusters;
    const [plan] = fc.sample(clusterPlan(size), { seed, numRuns: 1 });
    tally.clusters++;
    peers.assertRunning();
    const played = await new Play(peers).run(plan);
    tally.refused += played.refused.length;
    for (const text of played.refused) appendFileSync(join(limits.folder, 'refused.txt'), `${text}\n`);
    for (const { kind } of played.decisions) count(tally.decisions, kind);
    if (played.decisions.every(({ differences }) => differences.length === 0)) continue;
    await report(peers, { plan, seed, tally, folder: limits.folder, first: played.decisions });
  }
  return tally;
}

async function report(
  peers: Peers,
  {
    plan,
    seed,
    tally,
    folder,
    first,
  }: { plan: ClusterPlan; seed: number; tally: Tally; folder: string; first: readonly PlayedDecision[] },
): Promise<void> {
  const again = await new Play(peers).run(plan, 5);
  const found = again.decisions.filter(({ differences }) => differences.length > 0);
  if (found.length === 0) {
    tally.passing++;
    process.stdout.write(`seed ${seed}: a difference that was not there again\n`);
    for (const { differences } of first) print(differences);
    return;
  }
  for (const { index, differences } of found) {
    for (const about of new Set(differences.map((difference) => difference.about))) count(tally.differences, about);
    process.stdout.write(`seed ${seed}, pod ${index}:\n`);
    print(differences);
  }
  const about = found[0].differences[0].about;
  const small = await cutDown(plan, found[0].index, async (smaller) => {
    const { decisions } = await new Play(peers).run(smaller);
    return decisions.some(({ differences }) => differences.some((difference) => difference.about === about));
  });
  const path = join(folder, `difference-${seed}.json`);
  writeFileSync(path, JSON.stringify(small, null, 1));
  process.stdout.write(`  cut down to ${path}\n`);
}

async function replay(peers: Peers, path: string): Promise<number> {
  const plan: ClusterPlan = JSON.parse(readFileSync(path, 'utf8'));
  const { decisions, refused } = await new Play(peers).run(plan);
  for (const text of refused) process.stdout.write(`refused: ${text}\n`);
  for (const { index, kind, differences } of decisions) {
    process.stdout.write(`pod ${index}: ${kind}, ${differences.length} differences\n`);
    print(differences);
  }
  return decisions.every(({ differences }) => differences.length === 0) ? 0 : 1;
}

function print(differences: readonly Difference[]): void {
  for (const { about, text } of differences) process.stdout.write(`  ${about}: ${text}\n`);
}

function count(counts: Map<string, number>, what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}

function sum(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((total, value) => total + value, 0);
}

function list(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([what, value]) => `${what} ${value}`).join(', ');
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '50' },
      clusters: { type: 'string', default: '1000000' },
      seed: { type: 'string', default: '1' },
      nodes: { type: 'string', default: '9' },
      out: { type: 'string' },
      replay: { type: 'string' },
    },
  });
  const [seconds, clusters, seed, nodes] = [values.seconds, values.clusters, values.seed, values.nodes].map(Number);
  if (!(seconds > 0 && clusters > 0 && Number.isSafeInteger(seed) && Number.isSafeInteger(nodes) && nodes > 0)) {
    process.stderr.write('--seconds, --clusters, --seed and --nodes are numbers\n');
    return 2;
  }
  requirePeers(['kube-apiserver', 'kube-scheduler']);
  const folder = resolve(values.out ?? mkdtempSync(join(tmpdir(), 'k1m-scheduler-')));
  mkdirSync(folder, { recursive: true });
  const startedMs = Date.now();
  const peers = await startPeers(folder);
  let tally: Tally;
  try {
    if (values.replay !== undefined) return await replay(peers, values.replay);
    tally = await playAll(peers, { seconds, clusters, seed, nodes, folder });
  } finally {
    await peers.stop();
  }
  const elapsed = ((Date.now() - startedMs) / 1000).toFixed(0);
  const differing = sum(tally.differences);
  process.stdout.write(
    `${tally.clusters} clusters, ${sum(tally.decisions)} decisions compared (${list(tally.decisions)}) in ${elapsed} s; ` +
      `${tally.refused} objects refused by the API server, ${tally.passing} passing differences\n` +
      `${differing} differences${differing === 0 ? '' : `: ${list(tally.differences)}`}\n`,
  );
  if (differing === 0 && values.out === undefined) rmSync(folder, { recursive: true });
  return differing === 0 ? 0 : 1;
}

await runMain(main);
