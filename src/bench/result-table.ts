// A run's figures for people.

import type { Percentiles } from './latency-histogram.ts';
import type { FlowResult, RunResult } from './run-result.ts';

const MIB = 1024 * 1024;

export function formatResult(result: RunResult): string {
  const lines = [`${result.load} on ${result.endpoint}, ${result.seconds.toFixed(1)} s`, ''];
  const rows = [['', 'requests/s', 'mean', 'p50', 'p90', 'p99', 'p99.9', 'max']];
  for (const flow of result.flows) {
    rows.push([flow.name, perSecond(flow.requestsPerSecond), ...latencies(flow.latency)]);
    if (flow.loop === 'open') rows.push(['  from sending', '', ...latencies(flow.service)]);
  }
  const { watch } = result;
  if (watch !== null) {
    rows.push(['events', perSecond(watch.eventsPerSecond), ...latencies(watch.latency)]);
    if (watch.progress.count > 0) rows.push(['progress', '', ...latencies(watch.progress)]);
  }
  lines.push(...alignColumns(rows), '');
  for (const flow of result.flows) lines.push(...remarks(flow));
  if (watch !== null) {
    const { watchers, broken, lost, repeated } = watch;
    lines.push(`watchers ${watchers}, broken ${broken}; events lost ${lost}, repeated or out of order ${repeated}`);
  }
  if (result.tasksFailed > 0) lines.push(`tasks failed: ${result.tasksFailed}`);
  if (result.connectionsLost > 0) lines.push(`connections lost: ${result.connectionsLost}`);
  lines.push(
    `server     CPU ${micros(result.serverCpuMicrosPerRequest)} a request (${cores(result.serverCpuCores)}), waited for a core ${share(result.serverCoreWaitShare)}, resident ${mebibytes(result.serverResidentBytes)}`,
    `generator  CPU ${micros(result.generatorCpuMicrosPerRequest)} a request (${cores(result.generatorCpuCores)}), waited for a core ${share(result.generatorCoreWaitShare)}`,
  );
  return `${lines.join('\n')}\n`;
}

/** The first column to the left, the others to the right. */
export function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (let i = 0; i < row.length; i++) widths[i] = Math.max(widths[i] ?? 0, row[i].length);
  }
  return rows.map((row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])))
      .join('  ')
      .trimEnd(),
  );
}

function remarks(flow: FlowResult): string[] {
  const errors = Object.entries(flow.errors).map(([code, count]) => `${code} ${count}`);
  const counts = Object.entries(flow.counts).filter(([, count]) => count > 0);
  const lines: string[] = [];
  if (errors.length > 0) lines.push(`${flow.name}: failed: ${errors.join(', ')}`);
  if (counts.length > 0) lines.push(`${flow.name}: ${counts.map(([name, count]) => `${name} ${count}`).join(', ')}`);
  return lines;
}

function latencies(of: Percentiles): string[] {
  if (of.count === 0) return [];
  return [of.meanMicros, of.p50Micros, of.p90Micros, of.p99Micros, of.p999Micros, of.maxMicros].map(milliseconds);
}

function milliseconds(value: number): string {
  return `${(value / 1000).toFixed(value < 100_000 ? 2 : 0)} ms`;
}

function perSecond(value: number): string {
  return value < 100 ? value.toFixed(1) : value.toFixed(0);
}

function micros(value: number | null): string {
  return value === null ? 'unknown' : `${value.toFixed(2)} µs`;
}

function cores(value: number | null): string {
  return value === null ? 'unknown' : `${value.toFixed(2)} cores`;
}

/** Of the time. */
function share(value: number | null): string {
  return value === null ? 'unknown' : `${(value * 100).toFixed(1)} %`;
}

function mebibytes(value: number | null): string {
  return value === null ? 'unknown' : `${(value / MIB).toFixed(0)} MiB`;
}
