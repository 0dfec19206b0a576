// Stands in for `node:test` in a process that judges mutants: test files are loaded once, what they declare is kept, and any test of them can be
// run by itself, as often as there are mutants. Each run has its own hooks: those of its suites before and after it, outermost first and last.

type Hook = () => unknown;
export type TestBody = (context: CollectedContext) => unknown;

interface Suite {
  readonly name: string;
  readonly parent: Suite | undefined;
  readonly before: Hook[];
  readonly beforeEach: Hook[];
  readonly afterEach: Hook[];
  readonly after: Hook[];
}

export interface CollectedTest {
  /** Names of suites and of the test. */
  readonly name: string;
  run(): Promise<void>;
}

/** As much of node:test's as the tests use. */
export class CollectedContext {
  readonly name: string;
  readonly hooks: Hook[] = [];

  constructor(name: string) {
    this.name = name;
  }

  after(hook: Hook): void {
    this.hooks.push(hook);
  }

  diagnostic(_text: string): void {}
}

function suiteIn(name: string, parent: Suite | undefined): Suite {
  return { name, parent, before: [], beforeEach: [], afterEach: [], after: [] };
}

const collecting: { suite: Suite; tests: CollectedTest[] } = { suite: suiteIn('', undefined), tests: [] };

/** What a test file declares while `load` loads it. */
export async function collect(load: () => Promise<unknown>): Promise<readonly CollectedTest[]> {
  const tests: CollectedTest[] = [];
  collecting.suite = suiteIn('', undefined);
  collecting.tests = tests;
  await load();
  return tests;
}

type Options = { readonly skip?: boolean | string };
type Declared<T> = [name: string, body: T] | [name: string, options: Options, body: T];

export function test(...declared: Declared<TestBody>): void {
  const [name, body] = [declared[0], declared[declared.length - 1] as TestBody];
  const options = declared.length === 3 ? declared[1] : {};
  const { suite, tests } = collecting;
  if (options.skip !== undefined && options.skip !== false) return;
  tests.push({
    name: [...lineage(suite).map((each) => each.name), name].join(' > '),
    run: () => run(name, suite, body),
  });
}

export function describe(...declared: Declared<Hook>): void {
  const outer = collecting.suite;
  collecting.suite = suiteIn(declared[0], outer);
  (declared[declared.length - 1] as Hook)();
  collecting.suite = outer;
}

export const it: typeof test = test;
export const suite: typeof describe = describe;
export function before(hook: Hook): void {
  collecting.suite.before.push(hook);
}
export function beforeEach(hook: Hook): void {
  collecting.suite.beforeEach.push(hook);
}
export function afterEach(hook: Hook): void {
  collecting.suite.afterEach.push(hook);
}
export function after(hook: Hook): void {
  collecting.suite.after.push(hook);
}

/** From the outermost to `suite`. */
function lineage(suite: Suite): Suite[] {
  return suite.parent === undefined ? [suite] : [...lineage(suite.parent), suite];
}

async function run(name: string, suite: Suite, body: TestBody): Promise<void> {
  const suites = lineage(suite);
  const context = new CollectedContext(name);
  try {
    for (const hook of suites.flatMap((each) => each.before)) await hook();
    for (const hook of suites.flatMap((each) => each.beforeEach)) await hook();
    await body(context);
  } finally {
    for (const hook of context.hooks.reverse()) await hook();
    for (const hook of suites.toReversed().flatMap((each) => [...each.afterEach, ...each.after])) await hook();
  }
}
