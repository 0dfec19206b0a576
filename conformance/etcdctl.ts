/**
 * Plays etcdctl on a store and prints or compares what it says.
 *
 *   node conformance/etcdctl.ts --subject etcd|k1m     prints all of it
 *   node conformance/etcdctl.ts --endpoint URL         the same on an empty store that runs
 *   node conformance/etcdctl.ts --compare              etcd and k1m, and what differs
 *   --group NAME   only that group of cases, after `put`     --perf   also `check perf`, which takes a minute
 *
 * Exits with 0 when all is as it should be, 1 when something differs or hangs, 2 when the command is wrong.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { CaseGroup } from './etcdctl/case.ts';
import { caseGroups, performanceGroup } from './etcdctl/cases.ts';
import { hang, type Played, Player } from './etcdctl/player.ts';
import { unbuiltGroups } from './etcdctl/unbuilt.ts';
import { Children } from './lab/child.ts';
import { requirePeers } from './lab/peer-path.ts';
import { runMain } from './lab/run-main.ts';
import { isSubjectName, type SubjectName, startSubject } from './lab/subject.ts';
import { diffLines } from './lab/text-diff.ts';

/** A group's cases as played on one store, in their order. */
interface PlayedGroup {
  readonly name: string;
  readonly cases: readonly PlayedCase[];
}

interface PlayedCase extends Played {
  readonly name: string;
}

/** Everything started is ended, however it goes. */
async function playOn(
  target: SubjectName | { readonly endpoint: string },
  groups: readonly CaseGroup[],
): Promise<PlayedGroup[]> {
  const folder = mkdtempSync(join(tmpdir(), 'k1m-etcdctl-'));
  const children = new Children(folder);
  try {
    const subject = typeof target === 'string' ? await startSubject(target, children, folder) : target;
    const player = new Player(subject.endpoint, folder);
    const played: PlayedGroup[] = [];
    for (const { name, cases } of groups) {
      const startMs = Date.now();
      const results: PlayedCase[] = [];
      for (const one of cases) results.push({ name: one.name, ...(await player.play(one)) });
      played.push({ name, cases: results });
      const store = typeof target === 'string' ? target : target.endpoint;
      process.stderr.write(`${store}: ${name}: ${cases.length} cases in ${Date.now() - startMs} ms\n`);
    }
    return played;
  } finally {
    await children.endAll([]);
  }
}

function print({ name, code, text }: PlayedCase): void {
  process.stdout.write(`=== ${name}\n${text}${text === '' ? '' : '\n'}--- ${code}\n`);
}

/** An answer of something that is not built: refused as unimplemented, or an etcdutl that has nothing to work on. */
function isUnimplemented({ code, text }: Played): boolean {
  return code !== '0' && (/unimplemented/i.test(text) || text.includes('no such file'));
}

interface Tally {
  caseCount: number;
  unbuiltCount: number;
  differCount: number;
}

/** Prints what differs in a group and counts it. */
function compareGroup(left: PlayedGroup, right: PlayedGroup, tally: Tally): void {
  const isUnbuilt = unbuiltGroups.has(left.name);
  // What follows something that is not built, such as switching auth on, cannot go as it does on etcd. But it must end.
  let isMoot = false;
  for (const [index, etcd] of left.cases.entries()) {
    const k1m = right.cases[index];
    tally.caseCount++;
    isMoot ||= isUnbuilt && isUnimplemented(k1m);
    const lines = diffLines(`${etcd.text}\n[${etcd.code}]`, `${k1m.text}\n[${k1m.code}]`);
    if (lines.length === 0) continue;
    if (isMoot && k1m.code !== hang) {
      tally.unbuiltCount++;
      continue;
    }
    tally.differCount++;
    process.stdout.write(`${left.name} / ${etcd.name}\n${lines.map((line) => `  ${line}\n`).join('')}`);
  }
  if (!isUnbuilt || isMoot) return;
  process.stdout.write(`the group "${left.name}" is listed as not built, and it is\n`);
  tally.differCount++;
}

function compare(etcd: readonly PlayedGroup[], k1m: readonly PlayedGroup[]): number {
  const tally: Tally = { caseCount: 0, unbuiltCount: 0, differCount: 0 };
  for (const [index, group] of etcd.entries()) compareGroup(group, k1m[index], tally);
  const { caseCount, unbuiltCount, differCount } = tally;
  process.stdout.write(`${caseCount} cases, ${unbuiltCount} not built yet, ${differCount} different\n`);
  return differCount;
}

function usage(line: string): never {
  process.stderr.write(`${line}\nusage: node conformance/etcdctl.ts --subject etcd|k1m | --endpoint URL | --compare\n`);
  process.exit(2);
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      subject: { type: 'string', default: '' },
      endpoint: { type: 'string' },
      compare: { type: 'boolean', default: false },
      group: { type: 'string' },
      perf: { type: 'boolean', default: false },
    },
  });
  const { subject, endpoint, group } = values;
  const all = values.perf ? [...caseGroups, performanceGroup] : caseGroups;
  const groups = group === undefined ? all : all.filter(({ name }) => name === group || name === 'put');
  if (group !== undefined && !groups.some(({ name }) => name === group)) usage(`no group "${group}"`);
  requirePeers(['etcdctl', 'etcdutl', ...(values.compare || subject === 'etcd' ? ['etcd'] : [])]);
  if (values.compare) {
    const etcd = await playOn('etcd', groups);
    return compare(etcd, await playOn('k1m', groups)) === 0 ? 0 : 1;
  }
  let target: Parameters<typeof playOn>[0] | undefined;
  if (endpoint !== undefined) target = { endpoint };
  else if (isSubjectName(subject)) target = subject;
  else usage('which store?');
  const cases = (await playOn(target, groups)).flatMap((played) => played.cases);
  for (const played of cases) print(played);
  const hung = cases.filter(({ code }) => code === hang).map(({ name }) => name);
  if (hung.length > 0) process.stderr.write(`did not end in time: ${hung.join('; ')}\n`);
  return hung.length === 0 ? 0 : 1;
}

await runMain(main);
