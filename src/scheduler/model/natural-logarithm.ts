// The natural logarithm exactly as Go computes it on amd64 (math.Log, FreeBSD's e_log.c): PodTopologySpread weighs by it.
//
// V8's Math.log is another evaluation of the same polynomial and differs in the last bit for one size in 1,300, which is
// enough to round a score the other way. IEEE 754 multiplication and addition are the same everywhere, so this is not.

const LN2_HIGH = 0.6931471803691238;
const LN2_LOW = 1.9082149292705877e-10;

/** For whole numbers from 1 on. */
export function naturalLogarithm(value: number): number {
  let exponent = 31 - Math.clz32(value) + 1;
  let fraction = value / 2 ** exponent;
  if (fraction < Math.SQRT1_2) {
    fraction *= 2;
    exponent--;
  }
  const f = fraction - 1;
  const s = f / (2 + f);
  const s2 = s * s;
  const s4 = s2 * s2;
  const odd =
    s2 * (0.6666666666666735 + s4 * (0.2857142874366239 + s4 * (0.1818357216161805 + s4 * 0.14798198605106586)));
  const even = s4 * (0.3999999999940942 + s4 * (0.22222198432149784 + s4 * 0.15313837699209373));
  const half = 0.5 * f * f;
  return exponent * LN2_HIGH - (half - (s * (half + (odd + even)) + exponent * LN2_LOW) - f);
}
