import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DurationHistogram } from './duration-histogram.ts';

test('buckets are cumulative, a bound belongs to its own bucket, and sum and count are exact', () => {
  const histogram = new DurationHistogram([0.5, 1]);
  for (const seconds of [0.25, 0.5, 0.75, 1, 4]) histogram.observe(seconds);
  assert.equal(
    histogram.text('x_seconds', 'X.'),
    '# HELP x_seconds X.\n# TYPE x_seconds histogram\n' +
      'x_seconds_bucket{le="0.5"} 2\nx_seconds_bucket{le="1"} 4\nx_seconds_bucket{le="+Inf"} 5\n' +
      'x_seconds_sum 6.5\nx_seconds_count 5\n',
  );
});

test('a series has its labels on every line', () => {
  const histogram = new DurationHistogram([1]);
  histogram.observe(2);
  assert.equal(histogram.count, 1);
  assert.equal(
    histogram.series('x_seconds', 'a="1",b="2"'),
    'x_seconds_bucket{a="1",b="2",le="1"} 0\nx_seconds_bucket{a="1",b="2",le="+Inf"} 1\n' +
      'x_seconds_sum{a="1",b="2"} 2\nx_seconds_count{a="1",b="2"} 1\n',
  );
});
