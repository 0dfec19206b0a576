// `node tests/mutation/run.ts --resume FILE [--seconds N] [--only TEXT] [--part I/N] [--test-seconds N] [--list]`: small changes of
// src/journal, src/snapshot, src/repair and of what recovers in src/etcd, one at a time, each against the tests that run its code, the quickest first, until
// one fails. FILE takes a line for each mutant judged, so that a run that was ended goes on where it was; FILE.tests has which test runs what.
//
// A mutant meets tests of at most `--test-seconds` altogether (as long as they take without it); those that it has not met, it meets when a later run
// allows more, and all of them again when one of their tests was added or changed. `--list`: judges nothing, prints FILE's survivors.
// docs/mutants.md explains every survivor.

import { appendFileSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { withAllMutants } from './all-mutants.ts';
import { Judge, nameOf, type Verdict } from './judge.ts';
import type { Mutant } from './mutants.ts';
import { hashOf, type MappedTest, TestMap } from './test-map.ts';

const ROOT = join(import.meta.dirname, '../..');
const SUBJECTS: readonly string[] = [
  'src/journal/*.ts',
  'src/snapshot/*.ts',
  'src/repair/*.ts',
  'src/etcd/{state-opening,restorer,revision-cut}.ts',
];
/** A test that noticed another mutant of the same file comes first, if it is quick. */
const FAVOURITE_MS_MAX = 150;

interface Candidate {
  readonly path: string;
  readonly mutant: Mutant;
  /** Among the file's. */
  readonly index: number;
  /** It runs while the file is loaded. */
  readonly isOutside: boolean;
  /** Place and text: as long as the file is the same. */
  readonly key: string;
}

/** A line of the file. */
interface Result {
  readonly key: string;
  readonly path: string;
  readonly line: number;
  readonly within: string;
  readonly change: string;
  readonly verdict: Verdict;
  readonly by?: string;
  readonly failure?: string;
  /** Tests met, and tests for which there was no time. */
  readonly met: number;
  readonly left: number;
  /** Of these tests. */
  readonly version?: string;
}

function subjectPaths(): string[] {
  const paths = SUBJECTS.flatMap((pattern) => globSync(pattern, { cwd: ROOT }).sort());
  return paths.filter((path) => !path.endsWith('.test.ts'));
}

function candidates(only: string, part: string): Candidate[] {
  const [index, parts] = part.split('/').map(Number);
  const all = subjectPaths().flatMap((path) => {
    const source = readFileSync(join(ROOT, path), 'utf8');
    const hash = hashOf(source);
    const { mutants, included } = withAllMutants(source);
    return mutants.map((mutant, index) => {
      const key = `${path}@${hash}:${mutant.start}-${mutant.end}:${mutant.replacement}`;
      return { path, mutant, index, isOutside: !included.has(index), key };
    });
  });
  const chosen = all.filter(({ path }, place) => path.includes(only) && place % parts === index - 1);
  // Those that need a process of their own come last.
  return chosen.sort((a, b) => Number(a.isOutside) - Number(b.isOutside));
}

function readResults(path: string): Map<string, Result> {
  try {
    const lines = readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
    return new Map(lines.map((line) => JSON.parse(line) as Result).map((result) => [result.key, result]));
  } catch {
    return new Map();
  }
}

class Run {
  readonly #tests: TestMap;
  readonly #testMsMax: number;
  readonly #judge: Judge = new Judge();
  readonly #favourites: Map<string, string[]> = new Map();

  constructor(tests: TestMap, testMsMax: number) {
    this.#tests = tests;
    this.#testMsMax = testMsMax;
  }

  /** Undefined: nothing is to be found out that `known` does not say. */
  async judge(
    { path, mutant, index, isOutside, key }: Candidate,
    known: Result | undefined,
  ): Promise<Result | undefined> {
    if (known !== undefined && known.verdict !== 'survived' && known.verdict !== 'not run') return undefined;
    const { line, within, change } = mutant;
    const all = this.#tests.testsOf(path, mutant, isOutside);
    const version = this.#tests.versionOf(all);
    const metBefore = known?.version === version ? known.met : 0;
    if (known?.version === version && countWithin(all, this.#testMsMax) <= metBefore) return undefined;
    const allowed = all.slice(metBefore, countWithin(all, this.#testMsMax));
    const base = { key, path, line, within, change, version };
    if (all.length === 0) return { ...base, verdict: 'not run', met: 0, left: 0 };
    const { verdict, by, failure } = await this.#judge.judge(path, index, mutant, this.#favouritesFirst(path, allowed));
    if (by !== undefined)
      this.#favourites.set(path, [by, ...(this.#favourites.get(path) ?? []).filter((e) => e !== by)]);
    const met = metBefore + allowed.length;
    const reason = { ...(by === undefined ? {} : { by }), ...(failure === undefined ? {} : { failure }) };
    return { ...base, verdict, ...reason, met, left: verdict === 'survived' ? all.length - met : 0 };
  }

  close(): void {
    this.#judge.close();
  }

  #favouritesFirst(path: string, tests: readonly MappedTest[]): MappedTest[] {
    const favourites = this.#favourites.get(path) ?? [];
    const rank = (test: MappedTest): number => {
      const place = test.ms < FAVOURITE_MS_MAX ? favourites.indexOf(nameOf(test)) : -1;
      return place < 0 ? favourites.length : place;
    };
    return tests.toSorted((a, b) => rank(a) - rank(b));
  }
}

/** How many of the tests, from the first, take no longer than `msMax` together; at least one. */
function countWithin(tests: readonly MappedTest[], msMax: number): number {
  let ms = 0;
  const over = tests.findIndex((test) => {
    ms += test.ms;
    return ms > msMax;
  });
  return over < 0 ? tests.length : Math.max(1, over);
}

function summary(results: readonly Result[], total: number): string {
  const verdicts: readonly Verdict[] = ['noticed', 'did not end', 'survived', 'not run'];
  const row = (name: string, rows: readonly Result[]): string => {
    const counts = verdicts.map((verdict) => rows.filter((each) => each.verdict === verdict).length);
    return `${[name, rows.length, ...counts].join(' | ')}\n`;
  };
  const paths = [...new Set(results.map(({ path }) => path))].sort();
  const rows = paths.map((path) =>
    row(
      path,
      results.filter((each) => each.path === path),
    ),
  );
  return [
    'file | mutants | noticed | did not end | survived | not run by a test\n',
    ...rows,
    row(`of ${total}`, results),
  ].join('');
}

const { values } = parseArgs({
  options: {
    resume: { type: 'string' },
    seconds: { type: 'string', default: '86400' },
    'test-seconds': { type: 'string', default: '3' },
    only: { type: 'string', default: '' },
    part: { type: 'string', default: '1/1' },
    list: { type: 'boolean', default: false },
  },
});
if (values.resume === undefined) {
  process.stderr.write('--resume FILE is needed: where the results are kept\n');
  process.exit(2);
}
const say = (text: string): void => {
  process.stdout.write(text);
};
const untilMs = performance.now() + Number(values.seconds) * 1000;
const all = candidates(values.only, values.part);
const results = readResults(values.resume);
if (!values.list) {
  const tests = await TestMap.measured(`${values.resume}.tests`, subjectPaths(), say);
  const testMsMax = Number(values['test-seconds']) * 1000;
  const run = new Run(tests, testMsMax);
  // First those of which nothing is known.
  for (const candidate of all.toSorted((a, b) => Number(results.has(a.key)) - Number(results.has(b.key)))) {
    if (performance.now() > untilMs) break;
    const result = await run.judge(candidate, results.get(candidate.key));
    if (result === undefined) continue;
    results.set(candidate.key, result);
    appendFileSync(values.resume, `${JSON.stringify(result)}\n`);
  }
  run.close();
}
const judged = all.flatMap(({ key }) => results.get(key) ?? []);
for (const { path, line, within, change, verdict, left } of judged) {
  const open = left > 0 ? ` (${left} tests not met)` : '';
  if (verdict === 'survived' || verdict === 'not run')
    say(`${path}:${line} ${within || 'outside'}: ${change}: ${verdict}${open}\n`);
}
say(summary(judged, all.length));
