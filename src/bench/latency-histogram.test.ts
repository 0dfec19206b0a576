import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LatencyHistogram } from './latency-histogram.ts';

/** The value below which `percentile` % of the sorted values are. */
function exactPercentile(sorted: readonly number[], percentile: number): number {
  return sorted[Math.max(0, Math.ceil((percentile / 100) * sorted.length) - 1)];
}

test('percentiles are within 1 % of those of the sorted values', () => {
  const micros = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 50_000_000 }));
  fc.assert(
    fc.property(fc.array(micros, { minLength: 1, maxLength: 300 }), (values) => {
      const histogram = new LatencyHistogram();
      for (const value of values) histogram.record((value + 0.5) / 1000);
      const sorted = [...values].sort((a, b) => a - b);
      const found = histogram.percentiles();
      assert.equal(found.count, values.length);
      assert.equal(found.maxMicros, sorted.at(-1));
      const pairs = [
        [found.p50Micros, 50],
        [found.p90Micros, 90],
        [found.p99Micros, 99],
        [found.p999Micros, 99.9],
      ];
      for (const [value, percentile] of pairs) {
        const exact = exactPercentile(sorted, percentile);
        assert(Math.abs(value - exact) <= 1 + exact / 100, `p${percentile}: ${value} for ${exact}`);
      }
    }),
  );
});

test('histograms add up, and start anew', () => {
  const a = new LatencyHistogram();
  const b = new LatencyHistogram();
  a.record(1);
  b.record(3);
  a.add(b);
  assert.deepEqual([a.percentiles().count, a.percentiles().maxMicros], [2, 3000]);
  a.reset();
  assert.deepEqual([a.percentiles().count, a.percentiles().p99Micros], [0, 0]);
});

test('negative and endless latencies are counted at the ends', () => {
  const histogram = new LatencyHistogram();
  histogram.record(-5);
  histogram.record(Number.POSITIVE_INFINITY);
  const { count, p50Micros, maxMicros } = histogram.percentiles();
  assert.deepEqual([count, p50Micros, maxMicros], [2, 0, 2 ** 31 - 1]);
});

test('no percentile is above the maximum', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 50 }),
      (latencies) => {
        const histogram = new LatencyHistogram();
        for (const latencyMs of latencies) histogram.record(latencyMs);
        const { p50Micros, p90Micros, p99Micros, p999Micros, maxMicros } = histogram.percentiles();
        const ascending = [p50Micros, p90Micros, p99Micros, p999Micros, maxMicros];
        assert.deepEqual(
          ascending,
          [...ascending].sort((a, b) => a - b),
        );
      },
    ),
  );
});
