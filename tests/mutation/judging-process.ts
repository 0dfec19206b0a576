// The process that runs tests against mutants, one at a time, as the parent (judge.ts) asks by messages. Test files are loaded when a test of them is
// first asked for and stay. The module K1M_SUBJECT is loaded with all its mutants (all-mutants.ts), of which the parent chooses. Programs that a test starts
// get the change by their environment, as this process does when the mutant is outside of functions.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type RunningMutant, withAllMutants } from './all-mutants.ts';
import type { CollectedTest } from './collected-tests.ts';
import { type MutantOrder, textOf } from './mutated-source.ts';
import { RunCounter, type ScriptCoverage, type Span, spansThatRan } from './run-counter.ts';

export type Request =
  | { readonly kind: 'list'; readonly file: string }
  | { readonly kind: 'run'; readonly file: string; readonly name: string }
  | { readonly kind: 'mutate'; readonly index: number; readonly order: MutantOrder | null };

export interface Answer {
  /** Of `list`. */
  readonly names?: readonly string[];
  /** Of `run`: why the test failed. */
  readonly failure?: string;
  /** The failure came from outside of the test's own calls. */
  readonly isStray?: boolean;
  readonly ms?: number;
  readonly cpuMs?: number;
  readonly ran?: readonly (readonly [path: string, spans: readonly Span[]])[];
}

const ROOT = join(import.meta.dirname, '../..');
const COLLECTOR = import.meta.resolve('./collected-tests.ts');
const SUBJECT =
  process.env.K1M_SUBJECT === undefined ? undefined : pathToFileURL(join(ROOT, process.env.K1M_SUBJECT)).href;
const running: RunningMutant = { index: -1 };
Object.assign(globalThis, { k1mMutant: running });

registerHooks({
  resolve: (asked, context, next) =>
    asked === 'node:test' ? { url: COLLECTOR, shortCircuit: true } : next(asked, context),
  load(asked, context, next) {
    const loaded = next(asked, context);
    if (asked !== SUBJECT) return loaded;
    return { ...loaded, format: 'module', source: withAllMutants(textOf(loaded)).text };
  },
});
const { collect } = (await import(COLLECTOR)) as typeof import('./collected-tests.ts');

const counter = process.env.K1M_COUNT === undefined ? undefined : new RunCounter();
const loaded = new Map<string, readonly CollectedTest[]>();
let fromOutside: (failure: string) => void = () => {};

process.on('uncaughtException', (error) => fromOutside(`uncaught: ${error}`));
process.on('unhandledRejection', (error) => fromOutside(`unhandled: ${error}`));
// Nothing is left that could go on.
process.on('beforeExit', () => {
  process.channel?.ref();
  fromOutside('never ends');
});

async function testsOf(file: string): Promise<readonly CollectedTest[]> {
  const known = loaded.get(file);
  if (known !== undefined) return known;
  const tests = await collect(() => import(pathToFileURL(join(ROOT, file)).href));
  loaded.set(file, tests);
  return tests;
}

function mutate(index: number, order: MutantOrder | null): Answer {
  running.index = index;
  process.env.K1M_MUTANT = order === null ? '' : JSON.stringify(order);
  return {};
}

async function run(file: string, name: string): Promise<Answer> {
  const folder = counter === undefined ? undefined : mkdtempSync(join(tmpdir(), 'k1m-counts-'));
  if (folder !== undefined) {
    process.env.NODE_V8_COVERAGE = folder;
    counter?.take();
  }
  const startMs = performance.now();
  const startCpu = process.cpuUsage();
  const outside = new Promise<string>((fail) => {
    fromOutside = fail;
  });
  const own = runOnce(file, name);
  process.channel?.unref();
  const ended = await Promise.race([own, outside.then((failure) => ({ failure, isStray: true }))]);
  process.channel?.ref();
  fromOutside = () => {};
  const { user, system } = process.cpuUsage(startCpu);
  const answer: Answer = { ...ended, ms: performance.now() - startMs, cpuMs: (user + system) / 1000 };
  if (counter === undefined || folder === undefined) return answer;
  const scripts = [...counter.take(), ...countsOfPrograms(folder)];
  rmSync(folder, { recursive: true, force: true });
  return { ...answer, ran: [...spansThatRan(scripts, ROOT)] };
}

async function runOnce(file: string, name: string): Promise<Answer> {
  try {
    const test = (await testsOf(file)).find((each) => each.name === name);
    if (test === undefined) return { failure: 'no such test' };
    await test.run();
    return {};
  } catch (error) {
    return { failure: String(error).split('\n')[0] };
  }
}

/** Node writes a file for each program that ended by itself. */
function countsOfPrograms(folder: string): ScriptCoverage[] {
  const texts = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
  return texts.flatMap((text) => (JSON.parse(text) as { result: ScriptCoverage[] }).result);
}

async function answer(request: Request): Promise<Answer> {
  if (request.kind === 'list') return { names: (await testsOf(request.file)).map(({ name }) => name) };
  if (request.kind === 'mutate') return mutate(request.index, request.order);
  return run(request.file, request.name);
}

process.on('message', (request: Request) => {
  answer(request).then(
    (done) => process.send?.(done),
    (error: unknown) => process.send?.({ failure: String(error), isStray: true }),
  );
});
process.send?.({});
