import assert from 'node:assert/strict';
import { test } from 'node:test';
import { naturalLogarithm } from './natural-logarithm.ts';
import { addQuantities, compareQuantities, int64Of, MILLI, parseQuantity, QuantityError, UNIT } from './quantity.ts';

/** Text, Value(), MilliValue(), as apimachinery 0.36.3 answers. */
const VALUES: readonly (readonly [string, bigint, bigint])[] = [
  ['0', 0n, 0n],
  ['1', 1n, 1000n],
  ['100m', 1n, 100n],
  ['0.1', 1n, 100n],
  ['1.5', 2n, 1500n],
  ['1.5Gi', 1610612736n, 1610612736000n],
  ['1Ki', 1024n, 1024000n],
  ['1.1Ki', 1127n, 1126400n],
  ['0.5m', 1n, 1n],
  ['1u', 1n, 1n],
  ['0.1n', 1n, 1n],
  ['1e3', 1000n, 1000000n],
  ['1E3', 1000n, 1000000n],
  ['1e-4', 1n, 1n],
  ['12e6', 12000000n, 12000000000n],
  ['.5', 1n, 500n],
  ['5.', 5n, 5000n],
  ['+3', 3n, 3000n],
  ['-3', -3n, -3000n],
  ['-0.5', -1n, -500n],
  ['-1u', -1n, -1n],
  ['007', 7n, 7000n],
  ['9Ei', 9223372036854775807n, -1000n],
  ['8Ei', 9223372036854775807n, -1000n],
  ['1E', 1000000000000000000n, 0n],
  ['10E', 0n, 0n],
  ['1e18', 1000000000000000000n, 0n],
  ['1e19', 0n, 0n],
  ['1e20', 0n, 0n],
  ['9223372036854775807', 9223372036854775807n, -1000n],
  ['9223372036854775808', -9223372036854775808n, 0n],
  ['123456789012345678901234567890', -4362896299872285998n, 8982045596877734992n],
  ['1.23456789012', 2n, 1235n],
  ['0.0000000001', 1n, 1n],
  ['1024Pi', 1152921504606846976n, -9223372036854775808n],
  ['1e-30', 1n, 1n],
  ['1e100', 0n, 0n],
];

const NO_QUANTITIES = ['', ' 1', '1 ', 'a', '1a', '1.2.3', '1kk', '1mi', '1i', '1K', '1e', '1e1.5', '--'];

test('quantities read as apimachinery reads them, rounded up, overflowing as there', () => {
  for (const [text, value, milli] of VALUES) {
    const quantity = parseQuantity(text);
    assert.equal(int64Of(quantity, UNIT), value, `${text}: Value`);
    assert.equal(int64Of(quantity, MILLI), milli, `${text}: MilliValue`);
  }
});

test('what is no quantity is refused', () => {
  for (const text of [...NO_QUANTITIES, '1e99999999999999999999', '.e-20']) {
    assert.throws(() => parseQuantity(text), QuantityError, JSON.stringify(text));
  }
});

test('sums are exact and rounded once', () => {
  const tenth = parseQuantity('0.1m');
  let sum = tenth;
  for (let count = 1; count < 10; count++) sum = addQuantities(sum, tenth);
  assert.equal(int64Of(sum, MILLI), 1n);
  assert.equal(int64Of(addQuantities(sum, tenth), MILLI), 2n);
  const large = parseQuantity('9223372036854775807');
  assert.equal(int64Of(addQuantities(large, parseQuantity('1')), UNIT), -(2n ** 63n), 'wraps as a wide one does');
});

test('quantities of different forms compare by value', () => {
  assert.equal(compareQuantities(parseQuantity('1Ki'), parseQuantity('1024')), 0);
  assert.equal(compareQuantities(parseQuantity('1k'), parseQuantity('1Ki')), -1);
  assert.equal(compareQuantities(parseQuantity('-1'), parseQuantity('-2')), 1);
  assert.equal(compareQuantities(parseQuantity('1e1000000000'), parseQuantity('1E')), 1, 'a hostile exponent');
  assert.equal(compareQuantities(parseQuantity('1e-1000000000'), parseQuantity('1n')), 0);
});

/** Bits of Go's math.Log on amd64, of sizes where V8 gives others. */
test("the logarithm is Go's, also where V8's differs", () => {
  const bits = (value: number): string => {
    const view = new DataView(new ArrayBuffer(8));
    view.setFloat64(0, value);
    return view.getBigUint64(0).toString(16);
  };
  for (const [size, expected] of LOGS) assert.equal(bits(naturalLogarithm(size)), expected, String(size));
});

const LOGS: readonly (readonly [number, string])[] = [
  [1, '0'],
  [2, '3fe62e42fefa39ef'],
  [3, '3ff193ea7aad030a'],
  [5, '3ff9c041f7ed8d33'],
  [14, '40051cca16d7bba8'],
  [102, '40127ff8df87c7bd'],
  [176, '4014ae935b3cb89e'],
  [185, '4014e1a4f518c72b'],
  [220, '4015931319798d6e'],
  [1002, '401ba3965d405f5f'],
  [5002, '40210901f6dc84b9'],
  [100002, '402706a0c9b7a3ab'],
];
