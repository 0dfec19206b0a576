// Which code of this process ran, by V8's own counters.

import { Session } from 'node:inspector';
import { fileURLToPath } from 'node:url';

/** [from, to) in the text that ran. */
export type Span = readonly [from: number, to: number];

interface FunctionCoverage {
  readonly ranges: readonly { readonly startOffset: number; readonly endOffset: number; readonly count: number }[];
}

export interface ScriptCoverage {
  readonly url: string;
  readonly functions: readonly FunctionCoverage[];
}

export class RunCounter {
  readonly #session: Session = new Session();

  constructor() {
    this.#session.connect();
    this.#post('Profiler.enable');
    this.#post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** What ran since the last time. */
  take(): readonly ScriptCoverage[] {
    return (this.#post('Profiler.takePreciseCoverage') as { result: readonly ScriptCoverage[] }).result;
  }

  /** The inspector of the same thread answers at once. */
  #post(method: string, params: object = {}): unknown {
    let answer: unknown;
    this.#session.post(method, params, (error, result) => {
      if (error !== null) throw new Error(`${method}: ${error.message}`);
      answer = result;
    });
    return answer;
  }
}

/** The spans that ran, of each file under `root`; paths are relative to it. A function that was not called counts as not run. */
export function spansThatRan(scripts: readonly ScriptCoverage[], root: string): Map<string, Span[]> {
  const found = new Map<string, Span[]>();
  for (const { url, functions } of scripts) {
    if (!url.startsWith('file:') || url.includes('/node_modules/')) continue;
    const path = fileURLToPath(url);
    if (!path.startsWith(`${root}/src/`) || path.endsWith('.test.ts')) continue;
    const ran = runsIn(functions);
    if (ran.length > 0) found.set(path.slice(root.length + 1), [...(found.get(path) ?? []), ...ran]);
  }
  return found;
}

function runsIn(functions: readonly FunctionCoverage[]): Span[] {
  const ranges = functions.flatMap((each) => each.ranges);
  const painted = new Uint8Array(Math.max(0, ...ranges.map(({ endOffset }) => endOffset)));
  // Outer ones first, so that what is inside of them has the last word.
  const outerFirst = ranges.toSorted((a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset);
  for (const { startOffset, endOffset, count } of outerFirst) painted.fill(count > 0 ? 1 : 0, startOffset, endOffset);
  const spans: Span[] = [];
  for (let from = painted.indexOf(1); from >= 0; ) {
    const zero = painted.indexOf(0, from);
    const to = zero < 0 ? painted.length : zero;
    spans.push([from, to]);
    from = painted.indexOf(1, to);
  }
  return spans;
}
