// Latencies in whole microseconds, counted by log-linear buckets: cheap enough for every request of a hot loop.
//
//   value           bucket                                  width
//   0 … 255         value                                   1 µs
//   256 … 511       256 + (value − 256) >> 1                2 µs
//   2^n … 2^(n+1)   128 buckets for each power of two       below 0.8 % of the value
//
// Percentiles come from an HDR histogram filled with the buckets' middles, so that they are computed as everywhere.

import { build, type Histogram } from 'hdr-histogram-js';

const SUB_BITS = 7;
const EXACT = 2 << SUB_BITS;
const VALUE_BITS = 31;
const VALUE_MAX = 2 ** VALUE_BITS - 1;
const BUCKETS = ((VALUE_BITS - SUB_BITS) << SUB_BITS) + (1 << SUB_BITS);

export interface Percentiles {
  readonly count: number;
  readonly meanMicros: number;
  readonly p50Micros: number;
  readonly p90Micros: number;
  readonly p99Micros: number;
  readonly p999Micros: number;
  readonly maxMicros: number;
}

export class LatencyHistogram {
  readonly #counts = new Float64Array(BUCKETS);
  #maxMicros = 0;

  /** Milliseconds with a fraction; negative counts as 0, beyond 35 minutes as 35 minutes. */
  record(latencyMs: number): void {
    const micros = latencyMs * 1000;
    const value = micros > 0 ? (micros < VALUE_MAX ? micros | 0 : VALUE_MAX) : 0;
    if (value > this.#maxMicros) this.#maxMicros = value;
    this.#counts[bucketOf(value)]++;
  }

  reset(): void {
    this.#counts.fill(0);
    this.#maxMicros = 0;
  }

  /** Adds what `other` has counted. */
  add(other: LatencyHistogram): void {
    for (let i = 0; i < BUCKETS; i++) this.#counts[i] += other.#counts[i];
    this.#maxMicros = Math.max(this.#maxMicros, other.#maxMicros);
  }

  toHdr(): Histogram {
    const hdr = build({
      lowestDiscernibleValue: 1,
      highestTrackableValue: 2 * VALUE_MAX,
      numberOfSignificantValueDigits: 3,
    });
    for (let i = 0; i < BUCKETS; i++) {
      const count = this.#counts[i];
      if (count > 0) hdr.recordValueWithCount(Math.min(middleOf(i), this.#maxMicros), count);
    }
    return hdr;
  }

  percentiles(): Percentiles {
    const hdr = this.toHdr();
    const isEmpty = hdr.totalCount === 0;
    // The highest value of its step may lie above all that were counted.
    const at = (percentile: number): number =>
      isEmpty ? 0 : Math.min(hdr.getValueAtPercentile(percentile), this.#maxMicros);
    return {
      count: hdr.totalCount,
      meanMicros: isEmpty ? 0 : hdr.mean,
      p50Micros: at(50),
      p90Micros: at(90),
      p99Micros: at(99),
      p999Micros: at(99.9),
      maxMicros: this.#maxMicros,
    };
  }
}

function bucketOf(value: number): number {
  if (value < EXACT) return value;
  const shift = 31 - SUB_BITS - Math.clz32(value);
  return (shift << SUB_BITS) + (value >>> shift);
}

function middleOf(bucket: number): number {
  if (bucket < EXACT) return bucket;
  const shift = (bucket >>> SUB_BITS) - 1;
  const lowest = (bucket - (shift << SUB_BITS)) * 2 ** shift;
  return lowest + 2 ** shift / 2;
}
