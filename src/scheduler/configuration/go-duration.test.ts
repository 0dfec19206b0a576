import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatDuration, parseDuration } from './go-duration.ts';

/** As Go 1.26 reads and writes them. */
test('durations are read and written as Go does it', () => {
  const table: readonly (readonly [string, number, string])[] = [
    ['0', 0, '0s'],
    ['15s', 15e9, '15s'],
    ['1h', 3600e9, '1h0m0s'],
    ['1h15m30.918s', 4530918e6, '1h15m30.918s'],
    ['-1.5h', -5400e9, '-1h30m0s'],
    ['+5m', 300e9, '5m0s'],
    ['.5s', 5e8, '500ms'],
    ['5.s', 5e9, '5s'],
    ['100us', 1e5, '100µs'],
    ['3ns', 3, '3ns'],
    ['1ms5us', 1_005_000, '1.005ms'],
  ];
  for (const [text, nanoseconds, written] of table) {
    assert.deepEqual(parseDuration(text), { nanoseconds }, text);
    assert.equal(formatDuration(nanoseconds), written);
  }
});

test('what is no duration is told as by Go', () => {
  for (const text of ['', '-', 's', '.s', '- 1s', '9999999h']) {
    assert.deepEqual(parseDuration(text), { problem: `time: invalid duration ${JSON.stringify(text)}` });
  }
  assert.deepEqual(parseDuration('1'), { problem: 'time: missing unit in duration "1"' });
  assert.deepEqual(parseDuration('1h2'), { problem: 'time: missing unit in duration "1h2"' });
  assert.deepEqual(parseDuration('1d'), { problem: 'time: unknown unit "d" in duration "1d"' });
});

test('what is written is read again, to the nanosecond, up to 100 days', () => {
  fc.assert(
    fc.property(fc.integer({ min: -8_640_000_000_000_000, max: 8_640_000_000_000_000 }), (nanoseconds) => {
      assert.deepEqual(parseDuration(formatDuration(nanoseconds)), { nanoseconds });
    }),
  );
});
