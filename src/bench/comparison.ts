// Two servers under the same load in turn, round for round: of each figure the median over the rounds, and their ratio.

import { alignColumns } from './result-table.ts';
import type { RunResult } from './run-result.ts';

export interface ComparedFigure {
  readonly name: string;
  /** Medians over the rounds; null where a server does not tell. */
  readonly first: number | null;
  readonly second: number | null;
  /** first ⁄ second; null where it has no meaning. */
  readonly ratio: number | null;
}

export interface Comparison {
  readonly first: string;
  readonly second: string;
  readonly rounds: number;
  readonly figures: readonly ComparedFigure[];
}

const FIGURES: readonly (readonly [string, (result: RunResult) => number | null])[] = [
  ['requests/s', (result) => result.requestsPerSecond],
  ['latency p50, ms', (result) => result.flows[0].latency.p50Micros / 1000],
  ['latency p99, ms', (result) => result.flows[0].latency.p99Micros / 1000],
  ['latency p99.9, ms', (result) => result.flows[0].latency.p999Micros / 1000],
  ['events/s', (result) => result.watch?.eventsPerSecond ?? null],
  ['event latency p99, ms', (result) => (result.watch === null ? null : result.watch.latency.p99Micros / 1000)],
  ['server CPU, µs a request', (result) => result.serverCpuMicrosPerRequest],
  ['server CPU, cores', (result) => result.serverCpuCores],
  [
    'server resident, MiB',
    (result) => (result.serverResidentBytes === null ? null : result.serverResidentBytes / 2 ** 20),
  ],
];

export function compareRuns(first: readonly RunResult[], second: readonly RunResult[]): Comparison {
  const figures: ComparedFigure[] = [];
  for (const [name, figureOf] of FIGURES) {
    const a = median(first.map(figureOf));
    const b = median(second.map(figureOf));
    if (a !== null || b !== null) figures.push({ name, first: a, second: b, ratio: ratio(a, b) });
  }
  return { first: first[0].endpoint, second: second[0].endpoint, rounds: first.length, figures };
}

export function formatComparison(comparison: Comparison): string {
  const rows = [['', comparison.first, comparison.second, 'ratio']];
  for (const { name, first, second, ratio: quotient } of comparison.figures) {
    rows.push([name, format(first), format(second), quotient === null ? '–' : quotient.toPrecision(3)]);
  }
  const rounds = comparison.rounds === 1 ? '1 round' : `${comparison.rounds} rounds`;
  return `medians of ${rounds} each\n${alignColumns(rows).join('\n')}\n`;
}

/** Null when any value is missing: a median of some rounds would hide that. */
export function median(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  if (known.length < values.length || known.length === 0) return null;
  known.sort((a, b) => a - b);
  const middle = known.length >> 1;
  return known.length % 2 === 1 ? known[middle] : (known[middle - 1] + known[middle]) / 2;
}

function ratio(first: number | null, second: number | null): number | null {
  return first === null || second === null || second === 0 ? null : first / second;
}

function format(value: number | null): string {
  if (value === null) return 'unknown';
  return value >= 1000 ? value.toFixed(0) : value.toPrecision(3);
}
