// `node tests/mutation/run.ts [--seconds N] [--seed S] [--only TEXT] [--jobs N]`: changes of src/journal and src/snapshot, one at a time, each against
// their tests: the file's own, those of its folder, then the crash states and what starts a whole server. Drawn by the seed until the time is over. Prints each that no
// test noticed, and the counts. docs/testing.md explains those that are known to survive.

import { spawn } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Random } from '../../src/testing/random.ts';
import { type Mutant, mutantsOf } from './mutants.ts';

const ROOT = join(import.meta.dirname, '../..');
const HOOK = join(import.meta.dirname, 'mutated-source.ts');
/** A mutant that runs longer than this, in its nth stage n times as long, is noticed: its tests do not end. */
const STAGE_MS_MAX = 15_000;

/** Tests by folder of the source, the fastest first: the first stage that fails ends it. */
const STAGES: ReadonlyMap<string, readonly (readonly string[])[]> = new Map([
  [
    'journal',
    [
      ['src/journal/*.test.ts'],
      ['tests/crash/*.test.ts', 'tests/restart.test.ts'],
      ['tests/state-snapshot.test.ts', 'tests/disk/*.test.ts', 'src/repair/*.test.ts'],
    ],
  ],
  [
    'snapshot',
    [
      ['src/snapshot/*.test.ts'],
      ['tests/state-snapshot.test.ts'],
      ['tests/crash/*.test.ts', 'tests/disk/*.test.ts', 'src/repair/*.test.ts', 'tests/snapshot.test.ts'],
    ],
  ],
]);

interface Candidate {
  readonly path: string;
  readonly stages: readonly (readonly string[])[];
  readonly mutant: Mutant;
}

type Verdict = 'killed' | 'timed out' | 'survived';

function candidates(only: string): Candidate[] {
  const found: Candidate[] = [];
  for (const [folder, stages] of STAGES) {
    for (const path of globSync(`src/${folder}/*.ts`, { cwd: ROOT }).sort()) {
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
  const flags = ['--import', HOOK, '--test', '--test-isolation=none', '--test-force-exit'];
  const env = { ...process.env, K1M_MUTANT: order, K1M_RUNS: '', NODE_NO_WARNINGS: '1' };
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
  },
});
const random = new Random(Number(values.seed));
const left = candidates(values.only);
const total = left.length;
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
