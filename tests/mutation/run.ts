// `node tests/mutation/run.ts [--seconds N] [--seed S] [--only TEXT] [--jobs N] [--part I/N]`: changes of src/journal, src/snapshot, src/repair and of what
// recovers in src/etcd, one at a time, each against its tests: the file's own, those of its folder, then the crash states and what starts a whole server.
// Drawn by the seed until the time is over; of `--part 2/40` only the second of forty parts, so that forty runs do all. Prints each that no test
// noticed, and the counts. docs/testing.md explains those that are known to survive.

import { spawn } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { Random } from '../../src/testing/random.ts';
import { type Mutant, mutantsOf } from './mutants.ts';

const ROOT = join(import.meta.dirname, '../..');
const HOOK = join(import.meta.dirname, 'mutated-source.ts');
/** A mutant that runs longer than this, in its nth stage n times as long, is noticed: its tests do not end. */
const STAGE_MS_MAX = 15_000;

interface Subject {
  /** A pattern of paths. */
  readonly sources: string;
  /** Patterns of tests, the fastest first: the first stage that fails ends it. */
  readonly stages: readonly (readonly string[])[];
}

const SUBJECTS: readonly Subject[] = [
  {
    sources: 'src/journal/*.ts',
    stages: [
      ['src/journal/*.test.ts'],
      ['tests/crash/*.test.ts', 'tests/restart.test.ts'],
      ['tests/state-snapshot.test.ts', 'tests/disk/*.test.ts', 'src/repair/*.test.ts'],
    ],
  },
  {
    sources: 'src/snapshot/*.ts',
    stages: [
      ['src/snapshot/*.test.ts'],
      ['tests/state-snapshot.test.ts'],
      ['tests/crash/*.test.ts', 'tests/disk/*.test.ts', 'src/repair/*.test.ts', 'tests/snapshot.test.ts'],
    ],
  },
  {
    sources: 'src/repair/*.ts',
    stages: [
      ['src/repair/*.test.ts'],
      ['tests/crash/repair.test.ts'],
      ['tests/cli/wal.test.ts', 'tests/cli/doctor.test.ts'],
    ],
  },
  {
    sources: 'src/etcd/{state-opening,restorer,revision-cut}.ts',
    stages: [
      ['tests/restart.test.ts', 'tests/snapshot.test.ts', 'tests/clock-steps.test.ts'],
      ['tests/state-snapshot.test.ts', 'tests/crash/*.test.ts'],
      ['tests/sim/*.test.ts', 'tests/cli/snapshot.test.ts', 'tests/regression/*.test.ts'],
    ],
  },
];

interface Candidate {
  readonly path: string;
  readonly stages: readonly (readonly string[])[];
  readonly mutant: Mutant;
}

type Verdict = 'killed' | 'timed out' | 'survived';

function candidates(only: string): Candidate[] {
  const found: Candidate[] = [];
  for (const { sources, stages } of SUBJECTS) {
    for (const path of globSync(sources, { cwd: ROOT }).sort()) {
      if (path.endsWith('.test.ts') || !path.includes(only)) continue;
      for (const mutant of mutantsOf(readFileSync(join(ROOT, path), 'utf8'))) found.push({ path, stages, mutant });
    }
  }
  return found;
}

async function judge({ path, stages, mutant }: Candidate): Promise<Verdict> {
  const { start, end, replacement } = mutant;
  const order = JSON.stringify({ path: resolve(ROOT, path), start, end, replacement });
  const beside = path.replace(/\.ts$/, '.test.ts');
  for (const [stage, patterns] of [[beside], ...stages].entries()) {
    const files = patterns.flatMap((pattern) => globSync(pattern, { cwd: ROOT }));
    if (files.length === 0) continue;
    const verdict = await runTests(files, order, STAGE_MS_MAX * (stage + 1));
    if (verdict !== 'survived') return verdict;
  }
  return 'survived';
}

function runTests(files: readonly string[], order: string, msMax: number): Promise<Verdict> {
  const flags = ['--test', '--test-isolation=none', '--test-force-exit'];
  // By the environment, so that also the program that a test starts has the change.
  const NODE_OPTIONS = `--import=${pathToFileURL(HOOK).href}`;
  const env = { ...process.env, K1M_MUTANT: order, K1M_RUNS: '', NODE_NO_WARNINGS: '1', NODE_OPTIONS };
  const { K1M_RUNS: _, ...clean } = env;
  return new Promise((done) => {
    const child = spawn(process.execPath, [...flags, ...files], { cwd: ROOT, env: clean, stdio: 'ignore' });
    const timer = setTimeout(() => child.kill('SIGKILL'), msMax);
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      if (signal !== null) done('timed out');
      else done(code === 0 ? 'survived' : 'killed');
    });
  });
}

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '120' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
    jobs: { type: 'string', default: '1' },
    part: { type: 'string', default: '1/1' },
  },
});
const random = new Random(Number(values.seed));
const [part, parts] = values.part.split('/').map(Number);
const all = candidates(values.only);
const total = all.length;
const left = all.filter((_, place) => place % parts === part - 1);
const counts: Record<Verdict, number> = { killed: 0, 'timed out': 0, survived: 0 };
const untilMs = performance.now() + Number(values.seconds) * 1000;

async function work(): Promise<void> {
  while (left.length > 0 && performance.now() < untilMs) {
    const [candidate] = left.splice(random.between(0, left.length - 1), 1);
    const verdict = await judge(candidate);
    counts[verdict]++;
    const { path, mutant } = candidate;
    if (verdict === 'survived') process.stdout.write(`${path}:${mutant.line}: ${mutant.change}\n`);
  }
}

await Promise.all(Array.from({ length: Number(values.jobs) }, work));
const tried = counts.killed + counts['timed out'] + counts.survived;
process.stdout.write(
  `${tried} of ${total} mutants, seed ${values.seed}: ${counts.killed} noticed, ${counts['timed out']} did not end, ${counts.survived} survived\n`,
);
