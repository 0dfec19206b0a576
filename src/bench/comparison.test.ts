import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BenchOptions, checkOptions, OptionError } from './bench-options.ts';
import { compareRuns, formatComparison, median } from './comparison.ts';
import { LatencyHistogram } from './latency-histogram.ts';
import { formatResult } from './result-table.ts';
import type { RunResult } from './run-result.ts';
import { parseMetrics } from './server-metrics.ts';

function run(endpoint: string, requestsPerSecond: number, cpuMicros: number | null): RunResult {
  const histogram = new LatencyHistogram();
  histogram.record(2);
  const latency = histogram.percentiles();
  return {
    endpoint,
    load: 'renew',
    seconds: 10,
    requests: requestsPerSecond * 10,
    requestsPerSecond,
    flows: [
      {
        name: 'renew',
        loop: 'closed',
        requests: requestsPerSecond * 10,
        requestsPerSecond,
        latency,
        service: latency,
        errors: { Unavailable: 3 },
        counts: { conflicts: 0 },
      },
    ],
    watch: null,
    serverCpuMicrosPerRequest: cpuMicros,
    serverCpuCores: cpuMicros === null ? null : 1,
    serverCoreWaitShare: cpuMicros === null ? null : 0.25,
    serverResidentBytes: 64 * 2 ** 20,
    generatorCpuMicrosPerRequest: 2,
    generatorCpuCores: 0.5,
    generatorCoreWaitShare: 0.125,
    connectionsLost: 0,
    tasksFailed: 0,
  };
}

test('a comparison is of medians over the rounds', () => {
  const first = [100, 300, 200].map((rate) => run('a', rate, 5));
  const second = [50, 10, 40].map((rate) => run('b', rate, 100));
  const comparison = compareRuns(first, second);
  const lines = formatComparison(comparison).split('\n');
  assert.deepEqual(lines.slice(0, 4), [
    'medians of 3 rounds each',
    '                             a     b   ratio',
    'requests/s                 200  40.0    5.00',
    'latency p50, ms           2.00  2.00    1.00',
  ]);
  assert.equal(lines[6], 'server CPU, µs a request  5.00   100  0.0500');
});

test('a figure that a server does not tell has no ratio', () => {
  const { figures } = compareRuns([run('a', 100, null)], [run('b', 50, 100)]);
  const cpu = figures.find(({ name }) => name.startsWith('server CPU, µs'));
  assert.deepEqual([cpu?.first, cpu?.second, cpu?.ratio], [null, 100, null]);
});

test('the median of an even number of rounds is the middle of two', () => {
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.equal(median([1, null]), null);
  assert.equal(median([]), null);
});

test('a table says what failed and what is unknown', () => {
  const text = formatResult(run('a:1', 100, null));
  assert.match(text, /renew: failed: Unavailable 3/);
  assert.match(text, /server {5}CPU unknown a request \(unknown\), waited for a core unknown, resident 64 MiB/);
  assert.match(text, /generator {2}CPU 2\.00 µs a request \(0\.50 cores\), waited for a core 12\.5 %/);
});

test("CPU and memory are read from the server's metrics", () => {
  const text =
    'process_cpu_seconds_total_x 9\n# TYPE\nprocess_cpu_seconds_total 12.5\nk1m_core_wait_seconds_total 0.5\nprocess_resident_memory_bytes 1.5e+08\n';
  assert.deepEqual(parseMetrics(text), { cpuSeconds: 12.5, coreWaitSeconds: 0.5, residentBytes: 150_000_000 });
  assert.equal(Number.isNaN(parseMetrics('').cpuSeconds), true);
});

const OPTIONS: BenchOptions = {
  load: 'renew',
  endpoint: 'http://127.0.0.1:2379',
  against: '',
  connections: 2,
  inFlight: 5,
  keys: 100,
  valueBytes: 300,
  rate: 0,
  durationSeconds: 1,
  warmupSeconds: 0,
  rounds: 1,
  prefix: '/registry',
  seed: 1,
  limit: 0,
  watchers: 1,
  nodes: 10,
  keepsKeys: false,
  allowsRemote: false,
};

test('another machine is loaded only when that is said', () => {
  const remote = { ...OPTIONS, against: 'http://10.1.2.3:2379' };
  assert.throws(() => checkOptions(remote), OptionError);
  assert.equal(checkOptions({ ...remote, allowsRemote: true }).length, 2);
});

test('options out of their range are refused', () => {
  const wrong: Partial<BenchOptions>[] = [
    { durationSeconds: 0 },
    { durationSeconds: 1e9 },
    { keys: 10 },
    { connections: 0 },
    { endpoint: 'https://127.0.0.1' },
  ];
  for (const part of wrong)
    assert.throws(() => checkOptions({ ...OPTIONS, ...part }), OptionError, JSON.stringify(part));
});
