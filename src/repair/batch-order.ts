// The batches of a whole log in their order, from runs that may stand anywhere: which part of which run is used, and where
// batches are missing between them.
//
//   in the files   [1…7] [12…15] [8…9] [12…15]         and the last batch known durable is 15
//   spans          1…7, 8…9, 12…15                      gap: 10…11
//
// A gap that reaches above the last batch known durable ends the log: nothing says that what is behind it was ever acknowledged, and it
// goes (docs/journal.md, "Which end is which"), also where the gap begins below: damage never brings back what a start would cut.

import type { BatchRun } from './segment-survey.ts';

export interface PlacedRun {
  readonly run: BatchRun;
  /** The segment's place among the segments. */
  readonly segment: number;
}

/** Part of a run: its batches `first` to `last`. */
export interface Span extends PlacedRun {
  readonly first: number;
  readonly last: number;
}

export interface Gap {
  /** The batches that are missing. */
  readonly first: number;
  readonly last: number;
  /** Revisions that they may have held. */
  readonly revisionAbove: number;
  /** The first revision behind them; undefined when there is none. */
  readonly revisionBelow: number | undefined;
}

export interface BatchOrder {
  readonly spans: readonly Span[];
  readonly gaps: readonly Gap[];
  /** Runs that hold nothing that another does not hold. */
  readonly unused: readonly PlacedRun[];
  /** Spans whose first batch does not name the one before it, though both are there. */
  readonly unchained: readonly Span[];
  /** Used runs that stand behind one that comes after them. */
  readonly misplaced: readonly PlacedRun[];
  /** Batches there are behind the end of the log: never acknowledged. */
  readonly behindEnd: readonly PlacedRun[];
  /** The last batch that is used, or missing in a gap; `start` − 1 when there is none. */
  readonly lastSequence: number;
}

/** Orders the batches from `start` on; `durableSequence` is the last that is known to have been durable. */
export function orderBatches(placed: readonly PlacedRun[], start: number, durableSequence: number): BatchOrder {
  const spans = chooseSpans(placed, start);
  const { used, gaps } = cutAtEnd(spans, start, durableSequence);
  const usedRuns = new Set(used.map(({ run }) => run));
  const ends = new Set(spans.slice(used.length).map(({ run }) => run));
  return {
    spans: used,
    gaps,
    unused: placed.filter(({ run }) => !usedRuns.has(run) && !ends.has(run)),
    unchained: used.filter((span, i) => i > 0 && !isChained(used[i - 1], span)),
    misplaced: misplacedOf(placed.filter(({ run }) => usedRuns.has(run))),
    behindEnd: placed.filter(({ run }) => !usedRuns.has(run) && ends.has(run)),
    lastSequence: Math.max(used.at(-1)?.last ?? start - 1, gaps.at(-1)?.last ?? start - 1),
  };
}

/** Covers as much as there is, each batch once; of two that begin alike the later epoch's, then the longer one. */
function chooseSpans(placed: readonly PlacedRun[], start: number): Span[] {
  const sorted = [...placed].sort((a, b) => a.run.firstSequence - b.run.firstSequence);
  const spans: Span[] = [];
  let next = start;
  let from = 0;
  for (;;) {
    while (from < sorted.length && sorted[from].run.lastSequence < next) from++;
    if (from === sorted.length) return spans;
    const first = Math.max(next, sorted[from].run.firstSequence);
    let best = sorted[from];
    for (let i = from + 1; i < sorted.length && sorted[i].run.firstSequence <= first; i++) {
      if (sorted[i].run.lastSequence >= first && isBetter(sorted[i].run, best.run)) best = sorted[i];
    }
    spans.push({ ...best, first, last: best.run.lastSequence });
    next = best.run.lastSequence + 1;
  }
}

function isBetter(a: BatchRun, b: BatchRun): boolean {
  return a.lastEpoch > b.lastEpoch || (a.lastEpoch === b.lastEpoch && a.lastSequence > b.lastSequence);
}

function cutAtEnd(spans: readonly Span[], start: number, durableSequence: number): { used: Span[]; gaps: Gap[] } {
  const used: Span[] = [];
  const gaps: Gap[] = [];
  let last = start - 1;
  let revisionAbove = 0;
  const addGap = (next: Span | undefined, end: number): void => {
    const revisionBelow = spans.slice(used.length).find(({ run }) => run.firstRevision !== 0)?.run.firstRevision;
    gaps.push({ first: last + 1, last: end, revisionAbove, revisionBelow: next && revisionBelow });
  };
  for (const span of spans) {
    if (span.first > last + 1) {
      if (span.first - 1 > durableSequence) break;
      addGap(span, span.first - 1);
    }
    used.push(span);
    last = span.last;
    revisionAbove = Math.max(revisionAbove, span.run.lastRevision);
  }
  if (last < durableSequence) addGap(undefined, durableSequence);
  return { used, gaps };
}

function isChained(before: Span, span: Span): boolean {
  if (span.first !== before.last + 1) return true;
  const isWhole = span.first === span.run.firstSequence && before.last === before.run.lastSequence;
  return !isWhole || (span.run.previousCrc === before.run.lastCrc && span.run.firstEpoch >= before.run.lastEpoch);
}

function misplacedOf(inFiles: readonly PlacedRun[]): PlacedRun[] {
  let highest = 0;
  return inFiles.filter(({ run }) => {
    const isBehind = run.firstSequence < highest;
    highest = Math.max(highest, run.firstSequence);
    return isBehind;
  });
}
