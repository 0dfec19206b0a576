// The parent's side of judging-process.ts: keeps one such process, asks it, and ends it when a test does not come to an end. What counts is
// processor time, so that a busy machine makes no test look endless; a process that neither works nor waits for the processor has a limit of its own.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { withAllMutants } from './all-mutants.ts';
import type { Answer, Request } from './judging-process.ts';
import type { Mutant } from './mutants.ts';
import type { MutantOrder } from './mutated-source.ts';

const ROOT = join(import.meta.dirname, '../..');
const PROGRAM = join(import.meta.dirname, 'judging-process.ts');
const HOOK = pathToFileURL(join(import.meta.dirname, 'mutated-source.ts')).href;

/** A test may take this much processor time, and ten times what it took without a mutant. */
const CPU_MS_FREE = 500;
const TIMES_SLOWER_MAX = 10;
const SAMPLE_MS = 250;
/** Without any work for so long, and five times as long as the whole test took, a test is taken for endless. */
const IDLE_MS_FREE = 2000;
const RSS_BYTES_MAX = 1_500_000_000;
/** What mutants leave behind (timers, memory) is thrown away from time to time. */
const MUTANTS_PER_PROCESS = 200;
/** For what is not a test: loading a file, changing a module. */
const FREE = { ms: 5000, cpuMs: 1000 };
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;

export interface TimedTest {
  readonly file: string;
  readonly name: string;
  /** Without a mutant; from start to end, and of the processor. */
  readonly ms: number;
  readonly cpuMs: number;
}

export type Verdict = 'noticed' | 'did not end' | 'survived' | 'not run';

export interface Judgement {
  readonly verdict: Verdict;
  /** The test that noticed it. */
  readonly by?: string;
  readonly failure?: string;
}

interface Chosen {
  readonly order: MutantOrder;
  /** Undefined: it needs a process of its own. */
  readonly index: number | undefined;
}

type Ended = Answer | 'did not end' | 'died';

export class Judge {
  #child: ChildProcess | undefined;
  #mutantsSeen = 0;
  /** Test files that the child has loaded. */
  readonly #loaded: Set<string> = new Set();
  /** The child has one change from its start, and no other can be chosen. */
  #isChangedAtStart = false;
  readonly #isCounting: boolean;
  /** The module whose mutants the child has, and those that can be chosen. */
  #path: string | undefined;
  #included: ReadonlySet<number> = new Set();

  constructor(isCounting = false) {
    this.#isCounting = isCounting;
  }

  async ask(request: Request, timed: { readonly ms: number; readonly cpuMs: number }): Promise<Ended> {
    const child = this.#child ?? (await this.#start(null));
    child.send(request);
    return this.#end(child, timed);
  }

  /** Runs the tests until one fails. `index`: the mutant's place among the module's. */
  async judge(path: string, index: number, mutant: Mutant, tests: readonly TimedTest[]): Promise<Judgement> {
    if (this.#path !== path) this.#choose(path);
    const order = { path: resolve(ROOT, path), ...placeOf(mutant) };
    const chosen = { order, index: this.#included.has(index) ? index : undefined };
    await this.#change(chosen);
    for (const test of tests) {
      const ended = await this.#run(test);
      if (ended === 'did not end') return { verdict: 'did not end', by: nameOf(test) };
      if (ended !== 'died' && ended.failure === undefined) continue;
      const failure = ended === 'died' ? 'the process ended' : (ended.failure ?? '');
      if (await this.#isMutantsDoing(chosen, test, ended)) return { verdict: 'noticed', by: nameOf(test), failure };
      await this.#change(chosen);
    }
    return { verdict: 'survived' };
  }

  close(): void {
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }

  #choose(path: string): void {
    this.close();
    this.#path = path;
    this.#included = withAllMutants(readFileSync(join(ROOT, path), 'utf8')).included;
  }

  /** A test that fails with the mutant must pass without it, in the same process; else an earlier one spoilt it, and a new process decides. */
  async #isMutantsDoing(chosen: Chosen, test: TimedTest, ended: Ended): Promise<boolean> {
    if (typeof ended === 'object' && chosen.index !== undefined) {
      await this.ask({ kind: 'mutate', index: -1, order: null }, FREE);
      if (!failed(await this.#run(test))) {
        // What came from outside of the test's own calls, or of real time, may be chance or an earlier mutant's: twice is none.
        if (ended.isStray !== true && test.ms < 2 * test.cpuMs + 50) return true;
        await this.#change(chosen);
        return failed(await this.#run(test));
      }
    }
    this.close();
    await this.#change(chosen);
    const again = await this.#run(test);
    this.close();
    return failed(again);
  }

  async #change({ order, index }: Chosen): Promise<void> {
    if (index === undefined || this.#isChangedAtStart || ++this.#mutantsSeen > MUTANTS_PER_PROCESS) this.close();
    if (index === undefined) await this.#start(order);
    else await this.ask({ kind: 'mutate', index, order }, FREE);
  }

  async #run(test: TimedTest): Promise<Ended> {
    const { file, name } = test;
    if (!this.#loaded.has(file)) {
      const listed = await this.ask({ kind: 'list', file }, FREE);
      if (typeof listed === 'string' || listed.failure !== undefined) return listed;
      this.#loaded.add(file);
    }
    return this.ask({ kind: 'run', file, name }, test);
  }

  async #start(order: MutantOrder | null): Promise<ChildProcess> {
    const { K1M_RUNS: _, K1M_SEED: __, ...env } = process.env;
    const child = fork(PROGRAM, {
      cwd: ROOT,
      // By the environment, so that also the program that a test starts has the change.
      env: {
        ...env,
        NODE_NO_WARNINGS: '1',
        NODE_OPTIONS: `--import=${HOOK}`,
        K1M_MUTANT: order === null ? '' : JSON.stringify(order),
        ...(this.#isCounting ? { K1M_COUNT: '1' } : {}),
        ...(this.#path !== undefined && order === null ? { K1M_SUBJECT: this.#path } : {}),
      },
      execArgv: ['--max-old-space-size=800'],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    this.#child = child;
    this.#mutantsSeen = 0;
    this.#isChangedAtStart = order !== null;
    this.#loaded.clear();
    child.once('exit', () => {
      if (this.#child === child) this.#child = undefined;
    });
    await Promise.race([once(child, 'message'), once(child, 'exit')]);
    return child;
  }

  async #end(child: ChildProcess, { ms, cpuMs }: { readonly ms: number; readonly cpuMs: number }): Promise<Ended> {
    const over = new AbortController();
    const answered = Promise.race([
      once(child, 'message', over).then(([answer]) => answer as Answer),
      once(child, 'exit', over).then(() => 'died' as const),
    ]);
    const limits = { cpuMs: CPU_MS_FREE + TIMES_SLOWER_MAX * cpuMs, idleMs: IDLE_MS_FREE + 5 * ms };
    const timer = watch(child.pid ?? 0, limits, () => {
      this.close();
      over.abort();
    });
    try {
      return await answered;
    } catch (error) {
      if (over.signal.aborted) return 'did not end';
      throw error;
    } finally {
      clearInterval(timer);
      if (!over.signal.aborted) over.abort();
    }
  }
}

function failed(ended: Ended): boolean {
  return typeof ended === 'string' || ended.failure !== undefined;
}

export function nameOf({ file, name }: { readonly file: string; readonly name: string }): string {
  return `${file}: ${name}`;
}

function placeOf({ start, end, replacement }: Mutant): { start: number; end: number; replacement: string } {
  return { start, end, replacement };
}

/** Calls `stop` when a limit is reached. Idle time is counted by samples, so that a machine that stood still does not count. */
function watch(pid: number, limits: { cpuMs: number; idleMs: number }, stop: () => void): NodeJS.Timeout {
  const first = usageOf(pid);
  let lastCpuMs = first.cpuMs;
  let idleMs = 0;
  return setInterval(() => {
    const { cpuMs, isWaiting, rssBytes } = usageOf(pid);
    const isIdle = isWaiting && cpuMs - lastCpuMs <= SAMPLE_MS / 10;
    idleMs = isIdle ? idleMs + SAMPLE_MS : 0;
    lastCpuMs = cpuMs;
    if (cpuMs - first.cpuMs > limits.cpuMs || idleMs > limits.idleMs || rssBytes > RSS_BYTES_MAX) stop();
  }, SAMPLE_MS);
}

/** Of Linux; elsewhere a process looks as if it rested. */
function usageOf(pid: number): { cpuMs: number; isWaiting: boolean; rssBytes: number } {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ');
    return {
      cpuMs: ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND,
      isWaiting: fields[0] === 'S',
      rssBytes: Number(fields[21]) * PAGE_BYTES,
    };
  } catch {
    return { cpuMs: 0, isWaiting: true, rssBytes: 0 };
  }
}
