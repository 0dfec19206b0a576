// Which tests run which code, and how long each takes: measured once without a mutant, kept in a file, and measured again for a test file whose text, or
// whose subjects' text, is another.

import { createHash } from 'node:crypto';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Judge, type TimedTest } from './judge.ts';
import type { Mutant } from './mutants.ts';
import type { Span } from './run-counter.ts';

const ROOT = join(import.meta.dirname, '../..');

const TEST_FILES: readonly string[] = [
  'src/{journal,snapshot,repair,etcd,bolt,backup}/*.test.ts',
  'tests/{restart,snapshot,clock-steps,state-snapshot,backups,old-snapshot,large-range}.test.ts',
  'tests/{crash,disk,regression,sim,linearizable}/*.test.ts',
  'tests/cli/{wal,doctor,snapshot,serve}.test.ts',
];

export interface MappedTest extends TimedTest {
  readonly ran: readonly (readonly [path: string, spans: readonly Span[]])[];
}

interface MappedFile {
  readonly stamp: string;
  /** Of its text. */
  readonly version: string;
  readonly tests: readonly MappedTest[];
  /** Names of tests that do not pass by themselves: they judge nothing. */
  readonly unfit: readonly string[];
}

export class TestMap {
  readonly #files: Readonly<Record<string, MappedFile>>;

  private constructor(files: Readonly<Record<string, MappedFile>>) {
    this.#files = files;
  }

  static async measured(keptIn: string, subjects: readonly string[], say: (text: string) => void): Promise<TestMap> {
    const kept = readKept(keptIn);
    const files: Record<string, MappedFile> = {};
    const subjectText = subjects.map((path) => readFileSync(join(ROOT, path), 'utf8')).join('\0');
    for (const file of TEST_FILES.flatMap((pattern) => globSync(pattern, { cwd: ROOT }).sort())) {
      const text = readFileSync(join(ROOT, file), 'utf8');
      const stamp = hashOf(subjectText + text);
      files[file] =
        kept[file]?.stamp === stamp ? kept[file] : await measure(file, subjects, { stamp, version: hashOf(text) });
      if (kept[file]?.stamp === stamp) continue;
      const { tests, unfit } = files[file];
      const ms = tests.reduce((sum, each) => sum + each.ms, 0);
      say(
        `${file}: ${tests.length} tests, ${Math.round(ms)} ms${unfit.map((name) => `\n  unfit: ${name}`).join('')}\n`,
      );
      writeFileSync(keptIn, JSON.stringify({ ...kept, ...files }));
    }
    return new TestMap(files);
  }

  /** Those that run the mutant's code, of its folder first, the quickest of each first; for code that runs while its file is loaded
   * those that run anything of that file or of one that imports it.
   */
  testsOf(path: string, mutant: Mutant, isOutside: boolean): MappedTest[] {
    const tests = Object.values(this.#files).flatMap((file) => file.tests);
    const paths = isOutside ? [path, ...importersOf(path)] : [path];
    const runs = (spans: readonly Span[]): boolean =>
      isOutside || spans.some(([from, to]) => mutant.start >= from && mutant.start < to);
    const meeting = tests.filter(({ ran }) => ran.some(([each, spans]) => paths.includes(each) && runs(spans)));
    const folder = path.slice(0, path.lastIndexOf('/') + 1);
    const isFar = ({ file }: MappedTest): number => Number(!file.startsWith(folder));
    return meeting.sort((a, b) => isFar(a) - isFar(b) || a.ms - b.ms);
  }

  /** Another one when one of the tests was added or changed. */
  versionOf(tests: readonly MappedTest[]): string {
    const names = tests.map(({ file, name }) => `${this.#files[file].version} ${name}`);
    return hashOf(`folder first\n${names.sort().join('\n')}`);
  }
}

async function measure(
  file: string,
  subjects: readonly string[],
  stamps: Pick<MappedFile, 'stamp' | 'version'>,
): Promise<MappedFile> {
  const judge = new Judge(true);
  const free = { ms: 60_000, cpuMs: 60_000 };
  const listed = await judge.ask({ kind: 'list', file }, free);
  const names = typeof listed === 'object' ? (listed.names ?? []) : [];
  const tests: MappedTest[] = [];
  const unfit: string[] = typeof listed === 'object' && listed.names !== undefined ? [] : ['the file does not load'];
  for (const name of names) {
    const ended = await judge.ask({ kind: 'run', file, name }, free);
    if (typeof ended === 'string' || ended.failure !== undefined) {
      unfit.push(`${name}: ${typeof ended === 'string' ? ended : ended.failure}`);
      if (typeof ended === 'string' || ended.isStray === true) judge.close();
      continue;
    }
    const ran = (ended.ran ?? []).filter(([path]) => subjects.includes(path));
    tests.push({ file, name, ms: ended.ms ?? 0, cpuMs: ended.cpuMs ?? 0, ran });
  }
  judge.close();
  return { ...stamps, tests, unfit };
}

function importersOf(path: string): string[] {
  const name = path.slice(path.lastIndexOf('/'));
  const sources = globSync('src/{journal,snapshot,repair,etcd}/*.ts', { cwd: ROOT });
  return sources.filter((each) => readFileSync(join(ROOT, each), 'utf8').includes(`${name}'`));
}

function readKept(path: string): Readonly<Record<string, MappedFile>> {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return {};
  }
}

export function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}
