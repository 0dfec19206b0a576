// Kubernetes quantities: "100m", "1.5Gi", "12e6", 3 (apimachinery pkg/api/resource of Kubernetes 1.36).
//
// A quantity is unscaled × 10^scale. Like upstream's it is narrow (unscaled is an int64) as long as that is possible and
// wide (any number of digits) otherwise, because the two differ where a value does not fit an int64: a narrow one reads
// as 0 or as the low 64 bits then, by the scale, a wide one always as the latter. Nothing here rounds down: what is
// smaller than a nano is one nano, and a value read at a coarser scale is rounded up.
//
// Limit: exponents beyond ±EXPONENT_MAX are read as EXPONENT_MAX. Such a value overflows in either case, and upstream
// would need as many digits as its exponent says to compare it.

export interface Quantity {
  readonly unscaled: bigint;
  /** The power of ten. */
  readonly scale: number;
  readonly isWide: boolean;
}

export const ZERO: Quantity = { unscaled: 0n, scale: 0, isWide: false };

/** Scales to read a quantity at. */
export const UNIT = 0;
export const MILLI = -3;
const NANO = -9;

const EXPONENT_MAX = 64;
const INT64_MAX = (1n << 63n) - 1n;
const INT64_MIN = -(1n << 63n);

const PARTS = /^([+-]?)(\d*)(?:\.(\d*))?([eEinumkKMGTP]*[-+]?\d*)$/;
const DECIMAL_SUFFIXES: ReadonlyMap<string, number> = new Map([
  ['n', -9],
  ['u', -6],
  ['m', -3],
  ['', 0],
  ['k', 3],
  ['M', 6],
  ['G', 9],
  ['T', 12],
  ['P', 15],
  ['E', 18],
]);
const BINARY_SUFFIXES: ReadonlyMap<string, number> = new Map([
  ['Ki', 10],
  ['Mi', 20],
  ['Gi', 30],
  ['Ti', 40],
  ['Pi', 50],
  ['Ei', 60],
]);

/** A text that is no quantity, in upstream's words. */
export class QuantityError extends Error {
  override readonly name = 'QuantityError';
}

interface Suffix {
  readonly base: 2 | 10;
  readonly exponent: number;
}

/** Throws QuantityError. `text` has no white space around it. */
export function parseQuantity(text: string): Quantity {
  const parts = text === '' ? null : PARTS.exec(text);
  if (parts === null) {
    throw new QuantityError(
      "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    );
  }
  const isNegative = parts[1] === '-';
  const fraction = parts[3] ?? '';
  // A sign and zeros alone are 0, even without a digit.
  if (parts[3] === undefined && parts[4] === '' && /^0*$/.test(parts[2])) return ZERO;
  const whole = parts[2].replace(/^0+/, '') || '0';
  const suffix = suffixOf(parts[4]);
  const narrow = parseNarrow(whole, fraction, suffix);
  if (narrow !== undefined) return isNegative ? { ...narrow, unscaled: -narrow.unscaled } : narrow;
  if (parts[2] === '' && fraction === '') throw new QuantityError('unable to parse numeric part of quantity');
  const wide = parseWide(BigInt(whole + fraction), fraction.length, suffix);
  return isNegative ? { ...wide, unscaled: -wide.unscaled } : wide;
}

function suffixOf(text: string): Suffix {
  const decimal = DECIMAL_SUFFIXES.get(text);
  if (decimal !== undefined) return { base: 10, exponent: decimal };
  const binary = BINARY_SUFFIXES.get(text);
  if (binary !== undefined) return { base: 2, exponent: binary };
  const exponent = /^[eE]([-+]?\d+)$/.exec(text)?.[1];
  if (exponent === undefined || !fitsInt64(BigInt(exponent.replace('+', '')))) {
    throw new QuantityError("unable to parse quantity's suffix");
  }
  return { base: 10, exponent: Number(BigInt.asIntN(32, BigInt(exponent.replace('+', '')))) };
}

/** The quantity as an int64 of at most 18 digits, or undefined when it takes more. */
function parseNarrow(whole: string, fraction: string, { base, exponent }: Suffix): Quantity | undefined {
  const digits = whole.length + fraction.length;
  if (base === 10) {
    const scale = exponent - fraction.length;
    if (digits > 18 || scale < NANO) return undefined;
    return { unscaled: BigInt(whole + fraction), scale: Math.min(scale, EXPONENT_MAX), isWide: false };
  }
  if (fraction !== '' || whole.length + Math.floor((exponent * 3) / 10) > 14) return undefined;
  const unscaled = BigInt(whole) << BigInt(exponent);
  return fitsInt64(unscaled) ? { unscaled, scale: 0, isWide: false } : undefined;
}

/** In nanos, rounded up; a binary quantity is at most the largest int64. */
function parseWide(digits: bigint, fractionDigits: number, { base, exponent }: Suffix): Quantity {
  if (base === 2) {
    const nanos = divideUp((digits << BigInt(exponent)) * 10n ** 9n, 10n ** BigInt(fractionDigits));
    if (nanos > INT64_MAX * 10n ** 9n) return { unscaled: INT64_MAX, scale: 0, isWide: true };
    return { unscaled: nanos, scale: NANO, isWide: true };
  }
  const power = Math.min(exponent, EXPONENT_MAX) - fractionDigits - NANO;
  return { unscaled: scaleUp(digits, power), scale: NANO, isWide: true };
}

/** digits × 10^power, rounded up. */
function scaleUp(digits: bigint, power: number): bigint {
  if (power >= 0) return digits * 10n ** BigInt(power);
  // Further left than all its digits and some: one nano, unless it is nothing.
  if (-power > digits.toString().length + EXPONENT_MAX) return digits === 0n ? 0n : 1n;
  return divideUp(digits, 10n ** BigInt(-power));
}

function divideUp(dividend: bigint, divisor: bigint): bigint {
  return (dividend + divisor - 1n) / divisor;
}

function fitsInt64(value: bigint): boolean {
  return value >= INT64_MIN && value <= INT64_MAX;
}

export function wholeQuantity(value: number): Quantity {
  return { unscaled: BigInt(value), scale: 0, isWide: false };
}

export function milliQuantity(value: number): Quantity {
  return { unscaled: BigInt(value), scale: MILLI, isWide: false };
}

export function addQuantities(a: Quantity, b: Quantity): Quantity {
  if (!a.isWide && !b.isWide) {
    if (b.unscaled === 0n) return a;
    if (a.unscaled === 0n) return b;
  }
  const scale = Math.min(a.scale, b.scale);
  const unscaled = at(a, scale) + at(b, scale);
  return { unscaled, scale, isWide: a.isWide || b.isWide || !fitsInt64(unscaled) || !areNarrow(a, b, scale) };
}

/** Upstream gives up on the narrow form as soon as an operand does not fit at the finer scale. */
function areNarrow(a: Quantity, b: Quantity, scale: number): boolean {
  return fitsInt64(at(a, scale)) && fitsInt64(at(b, scale));
}

/** Below 0, 0 or above 0 as `a` is less than, equal to or greater than `b`. */
export function compareQuantities(a: Quantity, b: Quantity): number {
  const scale = Math.min(a.scale, b.scale);
  const difference = at(a, scale) - at(b, scale);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

export function isZero(quantity: Quantity): boolean {
  return quantity.unscaled === 0n;
}

function at({ unscaled, scale }: Quantity, finerScale: number): bigint {
  return unscaled * 10n ** BigInt(scale - finerScale);
}

/** Powers of ten that upstream multiplies by at once, and looks at the result too late. */
const WRAPPING_POWERS: ReadonlySet<number> = new Set([1, 2, 3, 6, 9]);

/**
 * The int64 that Quantity.ScaledValue returns: rounded up (a narrow negative one away from zero). What does not fit is
 * upstream's accident: 0, or the low 64 bits.
 */
export function int64Of(quantity: Quantity, scale: number): bigint {
  const { unscaled, isWide } = quantity;
  const power = quantity.scale - scale;
  if (!isWide) {
    if (power < 0) return awayFromZero(unscaled, 10n ** BigInt(-power));
    const value = unscaled * 10n ** BigInt(power);
    if (fitsInt64(value)) return value;
    return WRAPPING_POWERS.has(power) && unscaled !== INT64_MIN ? BigInt.asIntN(64, value) : 0n;
  }
  if (power >= 0) return BigInt.asIntN(64, low64(unscaled) * 10n ** BigInt(power));
  const divisor = 10n ** BigInt(-power);
  if (unscaled < INT64_MAX && -power < 19) {
    const low = low64(unscaled);
    return low % divisor === 0n ? low / divisor : low / divisor + 1n;
  }
  const floor = unscaled >= 0n ? unscaled / divisor : -divideUp(-unscaled, divisor);
  return BigInt.asIntN(64, low64(floor) + (floor * divisor === unscaled ? 0n : 1n));
}

function awayFromZero(value: bigint, divisor: bigint): bigint {
  return value >= 0n ? divideUp(value, divisor) : -divideUp(-value, divisor);
}

function low64(value: bigint): bigint {
  return value < 0n ? BigInt.asIntN(64, -BigInt.asIntN(64, -value)) : BigInt.asIntN(64, value);
}
